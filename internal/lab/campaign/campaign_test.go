package campaign

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/clock"
)

func report(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		t.Errorf("%s\nrepeat: lbvm-lab campaign --run '%s'", strings.Join(f.Broken, "; "), f.Run)
	}
}

// A part of the campaign; make campaign plays the whole.
func TestRandomRuns(t *testing.T) {
	const runs = 250
	found, played, err := Campaign(context.Background(), Options{First: 1, Runs: runs, Jobs: 2, Clock: clock.System()}, Random)
	if report(t, found); err != nil || played != runs && len(found) == 0 {
		t.Fatalf("%d runs, %v", played, err)
	}
}

// Every pair of actions, cut off at crash points in every way: here a part of the cases, by turns of all kinds.
func TestCutOffAtEveryPoint(t *testing.T) {
	cases, points, err := Exhaustive()
	if err != nil {
		t.Fatal(err)
	}
	named := slices.DeleteFunc(slices.Clone(points), func(p string) bool { return strings.Contains(p, "/") })
	t.Logf("%d cases; %d crash points, %d of them between the steps of one replacement: %s", len(cases), len(points), len(points)-len(named), strings.Join(named, " "))
	if len(named) < 40 || len(cases) < 10000 {
		t.Errorf("only %d crash points and %d cases", len(named), len(cases))
	}
	const each = 61 // no divisor of the number of kinds
	n := int64(len(cases) / each)
	found, played, err := Campaign(context.Background(), Options{Runs: n, Jobs: 2, Clock: clock.System()}, func(i int64) Run { return cases[i*each] })
	if report(t, found); err != nil || played != n && len(found) == 0 {
		t.Fatalf("%d cases, %v", played, err)
	}
}

// The same run is the same story.
func TestRunsCanBeRepeated(t *testing.T) {
	base, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	name := regexp.MustCompile("[0-9a-f]{32}") // relocators make their own
	for seed := int64(1); seed <= 12; seed++ {
		var stories [2]string
		for i := range stories {
			r, err := ParseRun(Random(seed).String())
			if err != nil {
				t.Fatal(err)
			}
			w, err := r.play(base, true)
			if err != nil {
				t.Fatal(err)
			}
			stories[i] = name.ReplaceAllString(strings.Join(w.trace, "\n"), "TXN")
		}
		if stories[0] != stories[1] {
			a, b := strings.Split(stories[0], "\n"), strings.Split(stories[1], "\n")
			for i := range a {
				if i >= len(b) || a[i] != b[i] {
					t.Fatalf("seed %d: line %d: %q, %q", seed, i, a[i], b[min(i, len(b)-1)])
				}
			}
			t.Fatalf("seed %d: %d and %d lines", seed, len(a), len(b))
		}
	}
}

func TestShrink(t *testing.T) {
	play := func(r Run) []string {
		if slices.Contains(r.Steps, "b") && slices.Contains(r.Steps, "d") && r.Seed >= 8 {
			return []string{"I1 twice"}
		}
		return []string{"I2 another"}
	}
	f := shrink(Finding{Run: Run{Type: "xen", Seed: 9, Steps: []string{"a", "b", "c", "d", "e", "b"}}, Broken: []string{"I1 twice"}}, play)
	if got := strings.Join(f.Run.Steps, " "); got != "b d" && got != "d b" {
		t.Errorf("%q is left", got)
	}
}

func TestParseRunRefuses(t *testing.T) {
	for _, text := range []string{"", "lxc 1 status", "xen one status", "xen 1 fly", "xen 1"} {
		if r, err := ParseRun(text); err == nil {
			t.Errorf("%q is read as %v", text, r)
		}
	}
}

// A guest that runs twice, and a memory that is used twice, are found: the judge sees what it shall.
func TestTheJudgeSees(t *testing.T) {
	base, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	for _, typ := range technologies {
		w, err := newWorld(base, typ, 1)
		if err != nil {
			t.Fatal(err)
		}
		x, y := w.nodes[0], w.nodes[1]
		x.bootGuest("test")
		text := x.dump()
		y.bootGuest("test")
		x.halts()
		if typ == "kvm" {
			text = saved + text
		}
		if y.halts(); x.undump(text) == nil {
			x.halts()
		}
		if x.undump(text[:9]) == nil {
			t.Error("half a dump is restored")
		}
		if err := y.undump(text); err != nil {
			t.Error(err)
		}
		w.witness()
		w.end()
		all := strings.Join(w.findings, "\n")
		for _, want := range []string{"I1 double run", "too old", "resumed twice", "own log"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: nothing of %q in: %s", typ, want, all)
			}
		}
	}
}

// The forms of the steps are those of the deeds, and whatever random and exhaustive runs are made of is taken; every crash
// point that an action passes in random runs can be named.
func TestStepsAreKnown(t *testing.T) {
	known := deeds()
	for _, s := range Steps() {
		if known[first(s[0])] == nil {
			t.Errorf("nothing does %q", s[0])
		}
		delete(known, first(s[0]))
	}
	for name := range known {
		t.Errorf("%s has no form", name)
	}
	for seed := range int64(3000) {
		for _, s := range Random(seed).Steps {
			if err := checkStep(s); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	base, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	checked := map[string]bool{}
	for seed := range int64(60) {
		r := Random(seed)
		r.Steps = append([]string{"record"}, r.Steps...)
		w, err := r.play(base, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range w.passed {
			if checked[p] {
				continue
			}
			checked[p] = true
			if err := checkPoint(p); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	for _, bad := range []string{"", "+", "enable", "enable node4", "relocate M-", "at lock", "at no:such kill", "at lock@node9 kill", "at lock#x kill", "at lock fall",
		"wait -1", "wait", "fail node1 dance fails", "fail node1 save sings", "full nowhere", "status now", "die node1"} {
		if err := checkStep(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
