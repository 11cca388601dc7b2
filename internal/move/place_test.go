package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// A VM that runs nowhere is started where it is wished, and nowhere else; what is not fit for it is refused before the
// manager is asked.
func TestPlace(t *testing.T) {
	txn := strings.Repeat("cd", 16)
	down := func(w *world) {
		w.record("openvz", "101", handoff.State{Phase: handoff.Down})
	}
	for _, test := range []struct {
		name   string
		before func(*world)
		lands  string
		err    error
		text   string
	}{
		{"down", down, "node2", nil, ""},
		{"in an image", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "boot-1", Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn})
		}, "node2", nil, ""},
		{"in an image that the node cannot use", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "boot-1", Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn})
			w.facts("node2", func(f *host.Facts) { f.Restores = nil })
		}, "", ErrRefused, "modprobe vzrst"},
		{"it lands elsewhere", down, "node3", ErrElsewhere, `on "node3", and "node2" was asked for`},
		{"it does not start", down, "", ErrFailed, "the service is stopped"},
		{"it runs", func(w *world) { w.service("101").State, w.service("101").Owner = cluster.Started, "node1" }, "", ErrRefused, "lbm migrate 101 moves it"},
		{"it has failed", func(w *world) { down(w); w.service("101").State = cluster.Failed }, "", ErrRefused, "lbm repair 101"},
		{"its record names another node", func(*world) {}, "", ErrRefused, "it can be started there only: lbm repair 101"},
		{"evacuated", func(w *world) {
			down(w)
			if err := host.WriteEvacuation(w.shared, host.Evacuation{Member: "node2", Since: w.clock.Now()}); err != nil {
				w.t.Fatal(err)
			}
		}, "", ErrRefused, "lbm failback node2 opens it again"},
		{"not of its domain", func(w *world) { down(w); w.service("101").MayRun = nil }, "", ErrRefused, "does not allow node node2"},
		{"a disk is not there", func(w *world) {
			down(w)
			w.facts("node2", func(f *host.Facts) { f.VMs[0].Lacks = []string{"no /vz/private/101"} })
		}, "", ErrRefused, "no /vz/private/101"},
		{"something of that name is there", func(w *world) {
			down(w)
			w.facts("node2", func(f *host.Facts) {
				f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "mounted"}}
				f.At = w.service("101").Since.Add(-time.Second)
			})
		}, "", ErrRefused, "the facts of node node2 are"},
		{"not enough memory", func(w *world) {
			down(w)
			w.facts("node2", func(f *host.Facts) { f.VMs[0].Mem = 5 << 30 })
		}, "", ErrRefused, "5120 MiB, and node node2 has 4096 MiB free"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.service("101")
			s.State, s.Owner = cluster.Disabled, ""
			w.facts("node1", func(f *host.Facts) { f.Guests = nil; f.VMs[0].Mem = 1 << 30 })
			w.facts("node2", func(f *host.Facts) { f.VMs[0].Mem = 1 << 30 })
			test.before(w)
			w.mgr.enable = func(_, target string) error {
				s := w.service("101")
				if test.lands == "" {
					s.State = cluster.Stopped
					return cluster.ErrFailed
				}
				w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: test.lands, Boot: "b"}, handoff.State{Phase: handoff.Running, Node: test.lands, Boot: "b"})
				s.State, s.Owner = cluster.Started, test.lands
				return nil
			}
			r := Request{Type: "openvz", VM: "101", Target: "node2"}
			check := w.mover.CheckPlace(context.Background(), r)
			if len(w.mgr.asked) != 0 || (check != nil) != errors.Is(test.err, ErrRefused) {
				t.Errorf("the check says %v and asked %q", check, w.mgr.asked)
			}
			rep, err := w.mover.Place(context.Background(), r)
			if !errors.Is(err, test.err) || err != nil && !strings.Contains(err.Error(), test.text) || err == nil && rep.Owner != test.lands {
				t.Errorf("%+v, %v; want %v with %q", rep, err, test.err, test.text)
			}
			if asked := strings.Join(w.mgr.asked, "; "); errors.Is(test.err, ErrRefused) && asked != "" || !errors.Is(test.err, ErrRefused) && asked != "enable service:centos node2" {
				t.Errorf("the manager was asked %q", asked)
			}
		})
	}
}

// What the facts of the target say of a stock vm's name counts, by whichever tool it runs.
func TestPlaceStock(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*host.Facts)
		state  cluster.State
		text   string
	}{
		{"nothing of that name is there", func(*host.Facts) {}, cluster.Stopped, ""},
		{"by Xen", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "xen", Name: "web1", State: "running"}} }, cluster.Stopped, "it has a xen:web1"},
		{"the node does not tell", func(f *host.Facts) { f.Lists = []string{"openvz"} }, cluster.Stopped, "which xen or kvm guests it has"},
		{"disabled, and nobody has looked since", func(*host.Facts) {}, cluster.Disabled, "still runs on node1 is not known (lblog has not run there since)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.service("web1")
			s.ID, s.VMType, s.State, s.Owner = "vm:web1", "vm", test.state, ""
			s.Since = w.clock.Now() // the facts are older: repair does not go by them
			w.facts("node2", test.change)
			err := w.mover.CheckPlace(context.Background(), Request{Type: "vm", VM: "web1", Target: "node2"})
			if (err == nil) != (test.text == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("%v, want %q", err, test.text)
			}
		})
	}
}

// Who was not asked, or refused before he touched the service, leaves nothing to verify: the answer comes at once.
func TestPlaceRefusedByTheManager(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim error
		err   error
	}{
		{"frozen", &cluster.Refusal{Why: cluster.ErrFrozen, Unchanged: true}, ErrRefused},
		{"not a member", fmt.Errorf("enabling: %w", cluster.ErrNotMember), ErrRefused},
		{"without quorum", cluster.ErrNoQuorum, ErrRefused},
		{"the target died", &cluster.Refusal{Why: cluster.ErrTargetDead}, ErrFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.record("openvz", "101", handoff.State{Phase: handoff.Down})
			s := w.service("101")
			s.State, s.Owner = cluster.Disabled, ""
			w.facts("node1", func(f *host.Facts) { f.Guests = nil; f.VMs[0].Mem = 1 << 30 })
			w.facts("node2", func(f *host.Facts) { f.VMs[0].Mem = 1 << 30 })
			w.mgr.enable = func(string, string) error { return test.claim }
			begun := w.clock.Now()
			_, err := w.mover.Place(context.Background(), Request{Type: "openvz", VM: "101", Target: "node2"})
			if !errors.Is(err, test.err) {
				t.Errorf("%v; want %v", err, test.err)
			}
			if took := w.clock.Now().Sub(begun); errors.Is(test.err, ErrRefused) && took != 0 {
				t.Errorf("it waited %v for what cannot come", took)
			}
		})
	}
}
