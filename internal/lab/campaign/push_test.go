package campaign

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
)

// While a push is broken off, half a copy stands at its target, and agents there look at it: where its virsh was killed,
// the lock is free and the source's guest goes on. Without that no run could show what it is to misread such a half.
func TestHalvesAtTheTargetAreLookedAt(t *testing.T) {
	base, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	looked, early := 0, 0
	for seed := int64(1); seed <= 24; seed++ {
		r, err := ParseRun(fmt.Sprintf("kvm %d enable node1; at during:migrate killall; +migrate node2; wait 12; inquire node2; wait 4; inquire node2", seed))
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.play(base, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range w.findings {
			t.Errorf("%s: %s", r, f)
		}
		line := func(pattern string) int {
			is := regexp.MustCompile(pattern)
			return slices.IndexFunc(w.trace, is.MatchString)
		}
		killed, answered, ended := line("the virsh of .* is killed"), line("status on node2: not running here"), line("node2: libvirtd ends what nobody sends")
		if killed < 0 {
			continue
		}
		if ended < 0 {
			t.Errorf("%s: half a copy stays at the target of a move that libvirt has taken back", r)
		}
		if killed < answered && answered < ended {
			looked++
		}
		if w.node("node2").early {
			early++
		}
	}
	if looked < 2 || early < 2 {
		t.Errorf("half a copy was looked at in %d runs; in %d it had no page yet", looked, early)
	}
}

// Whoever writes that a guest runs where half a copy stands is seen, also where memory may be lost.
func TestTheJudgeSeesAHalfThatCountsAsRunning(t *testing.T) {
	base, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	w, err := Run{Type: "kvm", Seed: 1, Steps: []string{"enable node1"}}.play(base, false)
	if err != nil || len(w.findings) > 0 {
		t.Fatal(err, w.findings)
	}
	n := w.node(w.state().Node)
	for _, has := range []presence{runs, none, torso, arriving, half} {
		n.has, w.seq, w.findings, w.lossy = has, 0, nil, true
		w.judgePoint(&action{w: w, node: n, verb: "start"}, "state:running:done")
		if bad := has == torso || has == arriving || has == half; bad != (len(w.findings) > 0) {
			t.Errorf("%s: %q", presences[has], w.findings)
		}
	}
}
