package story

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// boxed is an action as lbm blackbox -o json tells it.
type boxed struct {
	Instance, Action, State string
	Notable, Failed         bool
	Code                    *int
	Tools                   []struct {
		Command string
		Code    *int
	}
}

// blackbox is what lbm blackbox says on a node.
func (w *world) blackbox(node string, args ...string) []boxed {
	w.t.Helper()
	var box struct{ Actions []boxed }
	text := w.on(node, append([]string{"lbm", "blackbox", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &box); err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	return box.Actions
}

// TestBlackboxTells starts a cluster, kills agents in their stops, and pulls the plug of a node: the black box tells
// what was done, what was killed with what tool at work, and it is there after the boot.
func TestBlackboxTells(t *testing.T) {
	t.Parallel()
	o := pair(0)
	o.Scale = 30 // status checks come soon
	w := newWorld(t, o)
	for _, s := range two() {
		started := false
		for _, a := range w.blackbox("node1", "--vm", s.guest()) {
			started = started || a.Action == "start" && a.Notable && a.State == "ended" && *a.Code == 0 && len(a.Tools) > 1
			if a.Action == "meta-data" {
				t.Errorf("meta-data of %s was written down", s.guest())
			}
		}
		if !started {
			t.Errorf("the start of %s is not in the black box:\n%s", s.guest(), w.on("node1", "lbm", "blackbox"))
		}
		w.until("a status check of "+s.guest()+" is in the black box", limit, func() bool {
			for _, a := range w.blackbox("node1", "--all", "--vm", s.vm) {
				if a.Action == "status" && a.State == "ended" && *a.Code == 0 && !a.Notable && len(a.Tools) > 0 {
					return true
				}
			}
			return false
		})
	}
	for _, a := range w.blackbox("node1") {
		if a.Action == "status" && a.State == "ended" && *a.Code == 0 {
			t.Errorf("an ordinary status check is shown as notable: %+v", a)
		}
	}

	s := two()[0]
	_, node := w.status().service(s.name)
	seen := false
	for try := 0; !seen; try++ {
		if try == 20 {
			t.Fatalf("no killed stop was seen:\n%s", w.on(node, "lbm", "blackbox"))
		}
		_, node = w.status().service(s.name)
		w.killInTheMiddle(s, "stop", 30*time.Millisecond)
		for _, a := range w.blackbox(node, "--failed", "--vm", s.guest()) {
			seen = seen || a.Action == "stop" && a.State == "no end" && a.Failed && a.Code == nil && len(a.Tools) > 0
		}
		w.cure(s)
	}
	if table := w.on(node, "lbm", "blackbox", "--failed"); !strings.Contains(table, "no end") || !strings.Contains(table, "vzctl ") {
		t.Errorf("the table says\n%s", table)
	}

	before := len(w.blackbox(node, "--all"))
	w.must("node", "kill", node)
	w.must("node", "start", node)
	if after := w.blackbox(node, "--all"); before == 0 || len(after) < min(before, 200) {
		t.Errorf("%d actions before the power cut, %d after it", before, len(after))
	}
}
