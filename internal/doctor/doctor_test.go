package doctor

import (
	"context"
	"slices"
	"testing"
)

// On a sound node every check is made and nothing is found.
func TestSoundNode(t *testing.T) {
	s := sound(t)
	release, err := Hold(s.root+"/gfs", "node2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	s.held = "node2"
	r := s.doctor().Examine(context.Background())
	if len(r.Results) != len(Checks()) || r.Node != "node1" {
		t.Errorf("%d results of %d checks on %q", len(r.Results), len(Checks()), r.Node)
	}
	for _, x := range r.Results {
		if x.Idle != "" && x.Check != "cib" { // Pacemaker's
			t.Errorf("%s was not made: %s", x.Check, x.Idle)
		}
		for _, f := range x.Findings {
			t.Errorf("%s: %s: %s (%s)", f.Severity, f.Fault, f.Text, f.Cure)
		}
	}
	names := []string{}
	for _, c := range Checks() {
		if slices.Contains(names, c.Name) || c.About == "" {
			t.Errorf("check %q stands twice, or says nothing", c.Name)
		}
		names = append(names, c.Name)
	}
}
