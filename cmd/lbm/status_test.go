package main

import (
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/doctor"
	"github.com/lbvm/lbvm/pkg/balance"
)

// A failed service without a record may still run its guest: only why-down is advised, which says to look first.
func TestStatusOfFailed(t *testing.T) {
	for _, test := range []struct{ shared, typ, next string }{
		{"/gfs", "xen", "lbm why-down web1; lbm repair web1"},
		{"/gfs", "vm", "lbm why-down web1"},
		{"", "xen", "lbm why-down web1"},
	} {
		s := &scene{shared: test.shared, st: cluster.Status{Services: []cluster.Service{{ID: "service:web", VMType: test.typ, VM: "web1", State: cluster.Failed}}}}
		if all := s.ofVMs(); len(all) != 1 || all[0].Next != test.next {
			t.Errorf("%+v: %+v", test, all)
		}
	}
}

// A move that failed is told of until a later one of the VM was made.
func TestFailedMovesThatAreOver(t *testing.T) {
	at := time.Unix(1290000600, 0)
	s := &scene{at: at}
	failed := balance.Move{VM: "xen:a", To: "n2", Begin: at.Add(-20 * time.Minute), End: at.Add(-19 * time.Minute), Outcome: balance.OutcomeFailed}
	made := balance.Move{VM: "xen:a", To: "n3", Begin: at.Add(-10 * time.Minute), End: at.Add(-9 * time.Minute), Outcome: balance.OutcomeMoved}
	before, other := made, made
	before.Begin, before.End, other.VM = at.Add(-30*time.Minute), at.Add(-29*time.Minute), "xen:b"
	under := made
	under.End, under.Outcome = time.Time{}, ""
	for _, c := range []struct {
		moves []balance.Move
		want  int
	}{{[]balance.Move{failed}, 1}, {[]balance.Move{failed, made}, 0}, {[]balance.Move{before, failed, other, under}, 1}} {
		if got := s.ofMoves(c.moves); len(got) != c.want {
			t.Errorf("%+v: %+v", c.moves, got)
		}
	}
}

// A share that is full is told of first: what stands in the records goes on, and nothing new comes into them.
func TestFullShare(t *testing.T) {
	s := &scene{shared: "/root/gfs", st: cluster.Status{Quorate: true}}
	s.id.Shared = "/gfs"
	for free, want := range map[int64]int{doctor.LeastRoom - 1: 1, doctor.LeastRoom: 0} {
		s.free = func(dir string) (int64, error) {
			if dir != s.shared {
				t.Errorf("it looked at %s", dir)
			}
			return free, nil
		}
		if got := s.ofCluster(); len(got) != want || want == 1 && (got[0].Severity != severe || got[0].Next != "df -h /gfs; lbm purge") {
			t.Errorf("%d bytes: %+v", free, got)
		}
	}
}
