package balance

import (
	"context"
	"strings"
	"testing"
)

// The journals tell in one line what the rails said of a decision: nothing that was not asked, nothing that is left out.
func TestRailsText(t *testing.T) {
	full := "pass stale-data not-started settling cool-down cycle-guard back-off one-in-one-out preflight evacuated in-balance keep-apart projected-load memory-headroom moves-per-pass no-quorum"
	for _, c := range []struct {
		name   string
		change func(*Input)
		vm     string
		want   string
	}{
		{"all let pass", func(*Input) {}, "openvz:101", full + "; cpu of n3 would be 0.55"},
		{"one is off, for this VM", func(in *Input) { in.Config.Default.Rails = map[string]bool{"cycle-guard": false} }, "openvz:101",
			strings.Replace(full, "cycle-guard ", "", 1) + "; off cycle-guard; cpu of n3 would be 0.55"},
		{"another node was refused", func(in *Input) { in.Refused = []Refusal{{"openvz:101", "n3", "too small"}} }, "openvz:101",
			full + "; cpu of n2 would be 0.75; n3 no preflight: too small"},
		{"held back", func(in *Input) { in.View.Quorate = false }, "openvz:101",
			"pass stale-data not-started settling cool-down one-in-one-out in-balance moves-per-pass; no no-quorum: the cluster has no quorum"}, // no node is chosen
		{"a report", func(in *Input) {
			in.Config.Default = rule(func(e *evaluation) error { e.say(SaidReport, 0, saidAt); return nil })
		}, "openvz:101", "none was asked: a report moves nothing"},
		{"nothing said", func(in *Input) { in.Config.Default = rule(func(*evaluation) error { return nil }) }, "openvz:101", ""},
	} {
		in := world()
		c.change(&in)
		d := decisionOf(t, mustDecide(t, in), c.vm)
		if got := d.RailsText(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// A person's wish is held by some rails only, and they alone are named.
func TestRailsTextOfAWish(t *testing.T) {
	in := world()
	in.View.Nodes[1].Closed = "n2 is evacuated"
	list, err := Grant(context.Background(), in, Wish{VMs: []string{"101"}})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if got, want := list[0].RailsText(), "pass stale-data not-started preflight evacuated keep-apart memory-headroom no-quorum; cpu of n3 would be 0.55; n2 no evacuated: n2 is evacuated"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
