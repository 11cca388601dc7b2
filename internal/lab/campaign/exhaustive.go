package campaign

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// act is something that can be cut off: what goes before it, and it.
type act struct{ name, before, ask string }

// acts are the first of each pair. What runs beside them is acts' ask on the VM as it is then.
func acts(typ string) []act {
	all := []act{
		{"first start", "", "+enable node1"},
		{"start", "enable node1; disable", "+enable node2"},
		{"stop", "enable node1", "+stop node1"},
		{"relocator", "enable node1", "+relocate node2"},
		{"stop at node start", "enable node1", "+rginit node1"},
		{"-d", "enable node1", "+disable"},
	}
	if typ != "openvz" {
		all = append(all, act{"-M", "enable node1", "+migrate node2"}, act{"relocator by -M", "enable node1", "+relocate M-node2"},
			act{"push that fails", "enable node1; fail node1 migrate stays", "+relocate node2"},
			act{"push with no known end", "enable node1; fail node1 migrate undefined", "+relocate node2"})
	}
	return append(all, act{"restart in place", "enable node1", "+relocate restart"},
		act{"sick stop", "enable node1; sick", "+stop node1"},
		act{"stop of a lost guest", "enable node1; guest", "+stop node1"})
}

// beside are the second of each pair.
func beside(typ string) []act {
	all := []act{
		{"nothing", "", ""}, {"stop", "", "+stop node1"}, {"start", "", "+start node2"}, {"relocator", "", "+relocate node3"},
		{"stop at node start", "", "+rginit node2"}, {"-d", "", "+disable"},
	}
	if typ != "openvz" {
		all = append(all, act{"-M", "", "+migrate node3"})
	}
	return all
}

// blows are what befalls whoever comes to a crash point first: the agent is killed, its node dies and is fenced at once or
// late, or is cut off with its guests running on.
var blows = [...]string{"kill", "die 0", "die 70", "isolate 70"}

// blowsAt: in the middle of a push virsh can be killed as well, which ends it.
func blowsAt(point, typ string) []string {
	if point == "during:migrate" && typ == "kvm" {
		return append(slices.Clone(blows[:]), "killall")
	}
	return blows[:]
}

// Exhaustive is every pair of actions, cut off at every crash point that the first one passes, in every way. points are
// the names of all crash points.
func Exhaustive() (runs []Run, points []string, err error) {
	base, err := newBase()
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(base)
	for _, typ := range technologies {
		for _, a := range acts(typ) {
			passed, err := passes(base, typ, a)
			if err != nil {
				return nil, nil, err
			}
			for _, p := range passed {
				if !slices.Contains(points, p) {
					points = append(points, p)
				}
				for _, b := range beside(typ) {
					for _, blow := range blowsAt(p, typ) {
						steps := append(strings.Split(a.before, "; "), fmt.Sprintf("at %s %s", p, blow), a.ask, b.ask, "wait 100")
						steps = slices.DeleteFunc(steps, func(s string) bool { return s == "" })
						runs = append(runs, Run{Type: typ, Seed: int64(len(runs)), Steps: steps})
					}
				}
			}
		}
	}
	slices.Sort(points)
	return runs, points, nil
}

// passes are the crash points that an action passes when nothing befalls it.
func passes(base, typ string, a act) ([]string, error) {
	r := Run{Type: typ, Steps: slices.DeleteFunc(append(strings.Split(a.before, "; "), "record", strings.TrimPrefix(a.ask, "+")), func(s string) bool { return s == "" })}
	w, err := r.play(base, false)
	if err != nil {
		return nil, err
	}
	if len(w.findings) > 0 {
		return nil, fmt.Errorf("%s: %s", r, w.findings[0])
	}
	var out []string
	for _, p := range w.passed {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}
