package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

func noon() time.Time { return time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC) }

func isCPU(name string) bool { return name == "cpu" }

// passes steps through as many passes, a minute from each other, and gives what was told, with its pass.
func passes(l *Lasting, from, n int, what func(i int) ([]balance.Decision, []balance.Move)) (told []string) {
	for i := from; i < from+n; i++ {
		decisions, made := what(i)
		nothing, reports := l.Step(&balance.Pass{At: noon().Add(time.Duration(i) * time.Minute), Decisions: decisions}, made, time.Minute, isCPU)
		for _, x := range append(nothing, reports...) {
			told = append(told, fmt.Sprintf("%d: %s", i, x.text))
		}
	}
	return told
}

func wants(vm, rail string) balance.Decision {
	d := balance.Decision{VM: vm, Owner: "node1", Candidates: []balance.Candidate{{Node: "node2"}, {Node: "node3", Said: balance.SaidMigrate}}}
	if rail != "" {
		d.Candidates[1].Vetoes = []balance.Veto{{Rail: rail}}
	}
	return d
}

func calm(vm string) balance.Decision {
	return balance.Decision{VM: vm, Owner: "node1", Candidates: []balance.Candidate{{Node: "node2"}}, Reads: []*balance.Read{{Resource: "cpu", Count: 5, Average: 0.5}}}
}

func TestANodeThatIsNotRelieved(t *testing.T) {
	held := func(int) ([]balance.Decision, []balance.Move) {
		return []balance.Decision{wants("openvz:101", "projected-load"), wants("openvz:102", "cool-down"), calm("openvz:103")}, nil
	}
	l := &Lasting{}
	got := passes(l, 0, patience-1, held)
	if len(got) > 0 {
		t.Fatalf("told too early: %q", got)
	}
	// It is told once, and again after a day.
	got = passes(l, patience-1, 60+24*60, held)
	if len(got) != 2 || !strings.HasPrefix(got[0], fmt.Sprintf("%d: balancing brings node1 nothing: for 60 passes, since 2007-11-21T12:00:00Z", patience-1)) ||
		!strings.HasPrefix(got[1], fmt.Sprintf("%d: ", patience-1+24*60)) {
		t.Fatalf("%q", got)
	}
	for _, part := range []string{"rules want that openvz:101, openvz:102 should leave it", "no move was made", "projected-load, cool-down"} {
		if !strings.Contains(got[0], part) {
			t.Errorf("no %q in %q", part, got[0])
		}
	}
}

func TestMovesThatBringNothing(t *testing.T) {
	l := &Lasting{}
	got := passes(l, 0, patience, func(i int) ([]balance.Decision, []balance.Move) {
		var made []balance.Move
		switch i {
		case 3, 40:
			made = []balance.Move{{From: "node1", Outcome: balance.OutcomeMoved}, {From: "node2", Outcome: balance.OutcomeMoved}}
		case 41:
			made = []balance.Move{{From: "node1", Outcome: balance.OutcomeFailed}}
		}
		return []balance.Decision{wants("openvz:101", "")}, made
	})
	if len(got) != 1 || !strings.Contains(got[0], "; 2 moves were made, and have not ended that") {
		t.Errorf("%q", got)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	at := func(calmFrom, calmTo int) func(int) ([]balance.Decision, []balance.Move) {
		return func(i int) ([]balance.Decision, []balance.Move) {
			if i >= calmFrom && i < calmTo {
				return []balance.Decision{calm("openvz:101")}, nil
			}
			return []balance.Decision{wants("openvz:101", "")}, nil
		}
	}
	// Nine calm passes are only a pause.
	if got := passes(&Lasting{}, 0, patience+forgiven-1, at(30, 30+forgiven-1)); len(got) != 1 {
		t.Errorf("after a pause: %q", got)
	}
	// After ten it begins anew.
	if got := passes(&Lasting{}, 0, patience+forgiven, at(30, 30+forgiven)); len(got) != 0 {
		t.Errorf("it was over: %q", got)
	}
	// No passes for a while: who knows what was then.
	l := &Lasting{}
	got := passes(l, 0, patience-1, at(0, 0))
	got = append(got, passes(l, patience+20, 5, at(0, 0))...)
	if len(got) != 0 {
		t.Errorf("after a time without passes: %q", got)
	}
}

// The built-in rule asks for nothing where no other node could take a VM: that a node is full is told all the same.
func TestAFullNodeOfWhichNothingIsWanted(t *testing.T) {
	busy := func(resource string, average float64) func(int) ([]balance.Decision, []balance.Move) {
		return func(int) ([]balance.Decision, []balance.Move) {
			d := calm("openvz:101")
			d.Reads = []*balance.Read{{Resource: resource, Count: 5, Average: average}, {Resource: "cpu"}}
			return []balance.Decision{d}, nil
		}
	}
	if got := passes(&Lasting{}, 0, patience, busy("cpu", 0.95)); len(got) != 1 || !strings.Contains(got[0], "its processors are full, and no rule wants a VM to leave it") {
		t.Errorf("%q", got)
	}
	for _, calm := range []func(int) ([]balance.Decision, []balance.Move){busy("cpu", 0.85), busy("load", 7)} {
		if got := passes(&Lasting{}, 0, patience, calm); len(got) != 0 {
			t.Errorf("%q", got)
		}
	}
}

func TestRulesWithoutAnAnswer(t *testing.T) {
	stale := errors.New("no fresh data for cpu on node2")
	blind := func(d balance.Decision) func(int) ([]balance.Decision, []balance.Move) {
		return func(int) ([]balance.Decision, []balance.Move) { return []balance.Decision{d}, nil }
	}
	d := balance.Decision{VM: "openvz:101", Owner: "node1", Candidates: []balance.Candidate{{Node: "node2", Err: stale}, {Node: "node3", Err: stale}}}
	if got := passes(&Lasting{}, 0, patience, blind(d)); len(got) != 1 || !strings.Contains(got[0], "openvz:101 is not balanced: its rule has had no answer in 60 passes: no fresh data for cpu on node2") {
		t.Errorf("%q", got)
	}
	d.Candidates[1].Err = nil // one node that answers is enough
	if got := passes(&Lasting{}, 0, patience, blind(d)); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := passes(&Lasting{}, 0, patience, blind(balance.Decision{VM: "openvz:101", Err: stale})); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestReportsAreToldOnce(t *testing.T) {
	got := passes(&Lasting{}, 0, 120, func(i int) ([]balance.Decision, []balance.Move) {
		if i >= 50 && i < 50+forgiven {
			return []balance.Decision{calm("openvz:101")}, nil
		}
		return []balance.Decision{{VM: "openvz:101", Owner: "node1", Verdict: balance.ReportOnly, Target: "node2", Why: "lbvm.conf:9"}}, nil
	})
	if len(got) != 2 || got[0] != "0: the rule of openvz:101 reports that it would move it from node1 to node2: lbvm.conf:9" || !strings.HasPrefix(got[1], "60: ") {
		t.Errorf("%q", got)
	}
}

func TestLastingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), LastingName)
	l, err := ReadLasting(path)
	if err != nil || l.Causes != nil {
		t.Fatalf("%+v %v", l, err)
	}
	passes(&l, 0, 7, func(int) ([]balance.Decision, []balance.Move) {
		return []balance.Decision{wants("openvz:101", "")}, nil
	})
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLasting(path)
	if err != nil || !got.At.Equal(noon().Add(6*time.Minute)) || got.Causes["hot node1"] == nil || *got.Causes["hot node1"] != *l.Causes["hot node1"] || got.Causes["hot node1"].Passes != 7 {
		t.Errorf("%+v %v", got, err)
	}
	for _, spoilt := range []string{"", "{", `{"at":"x"}`, `{"at":"2007-11-21T12:00:00Z","causes":{"hot node1":null}}`} {
		if err := os.WriteFile(path, []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := ReadLasting(path)
		if err != nil || len(l.Causes) > 0 {
			t.Errorf("%q: %+v %v", spoilt, l, err)
		}
		passes(&l, 0, 1, func(int) ([]balance.Decision, []balance.Move) {
			return []balance.Decision{wants("openvz:101", "")}, nil
		})
	}
	if err := l.Write(filepath.Join(path, "no folder")); err == nil {
		t.Error("it could not be written, and nobody said so")
	}
}
