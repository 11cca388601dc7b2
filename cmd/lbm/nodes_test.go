package main

import (
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
)

// GUESTS are the manager's word of now, FREE is of the last run of lblog: what came between is told.
func TestNodesTellWhatWasNotMeasuredYet(t *testing.T) {
	at := time.Unix(1290000600, 0)
	s := &scene{at: at, st: cluster.Status{Members: []cluster.Member{{Name: "n1", Online: true}, {Name: "n2", Online: true}}, Services: []cluster.Service{
		{ID: "service:web", VM: "web1", VMType: "xen", Owner: "n2", LastOwner: "n1", Since: at.Add(-20 * time.Second)},
		{ID: "service:db", VM: "db1", VMType: "xen", Owner: "n2", LastOwner: "n1", Since: at.Add(-time.Minute)},
		{ID: "service:x", VM: "x", VMType: "xen", Owner: "n1"},
		{ID: "service:ip", Owner: "n2", Since: at.Add(-time.Second)},
	}}, facts: map[string]host.Facts{"n1": {At: at.Add(-40 * time.Second)}, "n2": {At: at.Add(-40 * time.Second)}}, closed: map[string]string{"n1": "it is evacuated"}}
	rows := s.memberRows()
	if got, want := rows[0].note(), "it is evacuated; left since it was measured: xen:web1"; got != want {
		t.Errorf("n1: %q, want %q", got, want)
	}
	if got, want := rows[1].note(), "started there since it was measured: xen:web1"; got != want {
		t.Errorf("n2: %q, want %q", got, want)
	}
	s.facts["n1"], s.facts["n2"] = host.Facts{At: at}, host.Facts{At: at}
	for _, r := range s.memberRows() {
		if len(r.Came)+len(r.Left) > 0 {
			t.Errorf("%s was measured since: %q", r.Node, r.note())
		}
	}
}
