package ccs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What follows prints rules, trees and marks as rg_test does, so that they can be held against its output.

func printRules(r Rules) string {
	var b strings.Builder
	var names []string
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := r[name]
		fmt.Fprintf(&b, "Resource Rules for %q\n", t.Name)
		if t.MaxInstances > 0 {
			fmt.Fprintf(&b, "Max instances: %d\n", t.MaxInstances)
		}
		fmt.Fprintf(&b, "Agent: %s\nFlags: ", t.Agent)
		switch {
		case t.InitOnAdd && t.DestroyOnDelete:
			b.WriteString("init_on_add destroy_on_delete \n")
		case t.InitOnAdd:
			b.WriteString("init_on_add \n")
		case t.DestroyOnDelete:
			b.WriteString("destroy_on_delete \n")
		default:
			b.WriteString("(none)\n")
		}
		b.WriteString("Attributes:\n")
		for _, p := range t.Params {
			b.WriteString("  " + p.Name + marks(p, p.Inherit != "", "inherit", true))
			switch {
			case p.Inherit != "":
				fmt.Fprintf(&b, " default=\"%s\"", p.Inherit)
			case p.HasDefault:
				fmt.Fprintf(&b, " default=\"%s\"", p.Default)
			}
			b.WriteString("\n")
		}
		b.WriteString("Actions:\n")
		for _, a := range t.Actions {
			b.WriteString("  " + a.Name + "\n")
			for _, x := range []struct {
				format string
				n      int64
			}{{"    Timeout (hint): %d seconds\n", seconds(a.Timeout)}, {"    OCF Check Depth (status/monitor): %d seconds\n", int64(a.Depth)}, {"    Check Interval: %d seconds\n", seconds(a.Interval)}} {
				if x.n > 0 {
					fmt.Fprintf(&b, x.format, x.n)
				}
			}
		}
		b.WriteString("Explicitly defined child resource types:\n")
		for _, c := range t.Children {
			if c.Forbid {
				fmt.Fprintf(&b, "  %s (forbidden)\n", c.Type)
			} else {
				fmt.Fprintf(&b, "  %s [ startlevel = %d stoplevel = %d ] \n", c.Type, c.Start, c.Stop)
			}
		}
		if len(t.Children) == 0 {
			b.WriteString("  - None -\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func marks(p Param, inherits bool, inherit string, inheritFirst bool) string {
	var out []string
	add := func(on bool, word string) {
		if on {
			out = append(out, word)
		}
	}
	add(p.Primary, "primary")
	add(p.Unique, "unique")
	add(p.Required, "required")
	add(inherits && inheritFirst, inherit)
	add(p.Reconfig, "reconfig")
	add(inherits && !inheritFirst, inherit)
	if len(out) == 0 {
		return ""
	}
	return " [ " + strings.Join(out, " ") + " ]"
}

func printResources(list []*resource, flags func(*resource) string) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "Resource type: %s", r.typ.Name)
		if r.inline {
			b.WriteString(" [INLINE]")
		}
		b.WriteString(flags(r) + "\n")
		if r.typ.MaxInstances > 0 {
			fmt.Fprintf(&b, "Instances: %d/%d\n", r.refs, r.typ.MaxInstances)
		}
		fmt.Fprintf(&b, "Agent: %s\nAttributes:\n", r.typ.Agent)
		for _, s := range r.values {
			if s.inherit {
				fmt.Fprintf(&b, "  %s%s\n", s.param.Name, marks(*s.param, true, fmt.Sprintf("inherit(%q)", s.value), false))
			} else {
				fmt.Fprintf(&b, "  %s = %s%s\n", s.param.Name, s.value, marks(*s.param, false, "", false))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func printTree(list []*Instance, indent string, flag func(*Instance) string) string {
	var b strings.Builder
	for _, i := range list {
		fmt.Fprintf(&b, "%s%s%s (S0) {\n", indent, i.Type.Name, flag(i))
		for _, s := range i.res.values {
			v, ok := i.Value(s.param.Name)
			if !ok {
				v = "(null)"
			}
			fmt.Fprintf(&b, "%s  %s = \"%s\";\n", indent, s.param.Name, v)
		}
		b.WriteString(printTree(i.Children, indent+"  ", flag) + indent + "}\n")
	}
	return b.String()
}

// operations are what rg_test prints of the two phases.
func operations(d *Comparison) string {
	var b strings.Builder
	b.WriteString("=== Operations (down-phase) ===\n")
	for _, g := range d.before.Groups {
		if d.stop[g.res.n] {
			b.WriteString("[kill] ")
			if g.KeptOnDelete() {
				fmt.Fprintf(&b, "[no-op] %s was removed from the config, but I am not stopping it.\n", g.ID())
			} else { // it is marked, too
				fmt.Fprintf(&b, "Node %s - CONDSTOP\n%s", g.ID(), stopAll(g))
			}
			continue
		}
		down, _ := d.Steps(g.ID())
		for _, s := range down {
			fmt.Fprintf(&b, "Node %s - CONDSTOP\n%s", s.Instance.ID(), stopAll(s.Instance))
		}
	}
	b.WriteString("=== Operations (up-phase) ===\n")
	for _, g := range d.after.Groups {
		if d.start[g.res.n] == mustStart {
			b.WriteString("[init] ")
			if g.QuietOnAdd() {
				fmt.Fprintf(&b, "[noop] %s was added, but I am not initializing it\n", g.ID())
			} else {
				b.WriteString(stopAll(g))
			}
			continue
		}
		_, up := d.Steps(g.ID())
		for _, s := range up {
			fmt.Fprintf(&b, "Node %s - CONDSTART\n", s.Instance.ID())
			if s.Action == "start" {
				b.WriteString(startAll(s.Instance))
			} else if s.Instance.Type.Declares("reconfig") {
				fmt.Fprintf(&b, "[reconfig] %s\n", s.Instance.ID())
			}
		}
	}
	return b.String()
}

func startAll(i *Instance) string {
	out := "[start] " + i.ID() + "\n"
	for _, c := range i.StartOrder() {
		out += startAll(c)
	}
	return out
}

func stopAll(i *Instance) string {
	out := ""
	for _, c := range i.StopOrder() {
		out += stopAll(c)
	}
	return out + "[stop] " + i.ID() + "\n"
}

func printDelta(d *Comparison) string {
	return "=== Old Resource List ===\n" +
		printResources(d.before.resources, func(r *resource) string { return when(d.stop[r.n], " [NEEDSTOP]") }) +
		"=== New Resource List ===\n" +
		printResources(d.after.resources, func(r *resource) string {
			return when(d.start[r.n] != nothing, " [NEEDSTART]") + when(d.start[r.n] == mustReconfigure, " [RECONFIG]")
		}) +
		"=== Old Resource Tree ===\n" +
		printTree(d.before.Groups, "", func(i *Instance) string { return when(d.stopNode[i.n], " [ NEEDSTOP ]") }) +
		"=== New Resource Tree ===\n" +
		printTree(d.after.Groups, "", func(i *Instance) string {
			return when(d.startNode[i.n], " [ NEEDSTART "+when(d.reconfigured(i), "RECONFIG ")+"]")
		}) + operations(d)
}

func when(on bool, text string) string {
	if on {
		return text
	}
	return ""
}

// testRules are the types of the captured programs.
func testRules(t testing.TB) Rules {
	t.Helper()
	files, err := filepath.Glob("testdata/from-source/agents/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var agents []Agent
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		agents = append(agents, Agent{strings.TrimSuffix(filepath.Base(f), ".xml"), b})
	}
	r, notes := LoadRules(agents)
	if len(notes) > 0 {
		t.Fatal(notes)
	}
	return r
}

func captured(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/captured/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRulesAsCaptured(t *testing.T) {
	_, want, ok := strings.Cut(captured(t, "rg_test-rules.txt"), "trivial\n")
	if !ok {
		t.Fatal("the capture holds no rules")
	}
	if diff := cmp.Diff(want, printRules(testRules(t))); diff != "" {
		t.Error(diff)
	}
}

func TestDeltaAsCaptured(t *testing.T) {
	rules := testRules(t)
	load := func(name string) *Tree {
		d, err := Load("testdata/from-source/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return d.ResourceTree(rules)
	}
	before, after := load("delta-old.conf"), load("delta-new.conf")
	if diff := cmp.Diff(captured(t, "rg_test-delta.txt"), printDelta(Compare(before, after))); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`RESTART script:web in service:svc1: file="/bin/true" becomes "/bin/false"`,
		"START trivial:102: new; it is not stopped before",
		"LEAVE vm:guest1: removed; it is not stopped: it runs on where it is, and the cluster no longer watches it",
	}
	if diff := cmp.Diff(want, texts(Delta(before, after))); diff != "" {
		t.Error(diff)
	}
}

// TestDefaultRulesAsCaptured holds what DefaultRules say of the suite's own types against the capture.
func TestDefaultRulesAsCaptured(t *testing.T) {
	got, want := DefaultRules(), testRules(t)
	for _, name := range []string{"ip", "script", "service", "vm"} {
		g := *got[name]
		g.Agent, g.Partial = want[name].Agent, false
		if diff := cmp.Diff(*want[name], g); diff != "" {
			t.Error(diff)
		}
	}
}

func texts(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}

func TestParseDuration(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "30s": 30 * time.Second, "5M": 5 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour,
		"10x": 0, "10x5": 5 * time.Second, "x": 0, "30 ": 0, " 30": 30 * time.Second, "1W1y": 7*24*time.Hour + year, "-5": 5 * time.Second,
		"99999999999y": longest, "99999999999999999999s99999999999999y": longest,
	} {
		if got := ParseDuration(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
