package ccs

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDelta(t *testing.T) {
	rules := suiteRules(t) // vm and trivial: init_on_add="0" destroy_on_delete="0", and a migrate action
	const (
		init  = "; stop is run on every node before"
		again = "; it starts on the node that suits best, which may be another, and also where it had been disabled"
		moved = ", which may start it before it has been stopped here where that runs on another node"
	)
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", `<service name="a"/>`, `<service name="a"/>`, nil},
		{"the order of groups and a comment", `<service name="a"/><service name="b"/>`, `<service name="b"/><!-- x --><service name="a"/>`, nil},
		{"an attribute at its default", `<service name="a"/>`, `<service name="a" autostart="1" nfslock="0"/>`, nil},
		{"an attribute that the metadata does not declare", `<service name="a"/>`, `<service name="a" note="x" __independent_subtree="1"/>`, nil},
		{"a schedule", `<vm name="a"/>`, `<vm name="a"><action name="status" depth="*" interval="5s"/></vm>`, nil},
		{"a domain's members", `<failoverdomains><failoverdomain name="d"/></failoverdomains><service name="a" domain="d"/>`, `<service name="a" domain="d"/>`, nil},

		{"a group is removed", `<service name="a"><ip address="1"/></service>`, ``, []string{"STOP service:a, with ip:1: removed"}},
		{"a group is added", ``, `<service name="a"><ip address="1"/></service>`, []string{"START service:a, with ip:1: new" + init}},
		{"a group is added without autostart", ``, `<service name="a" autostart="0"/>`, []string{"LEAVE service:a: new; stop is run on every node, and as autostart is off it stays disabled"}},
		{"autostart=yes is off", ``, `<service name="a" autostart="yes"/>`, []string{"LEAVE service:a: new; stop is run on every node, and as autostart is off it stays disabled"}},
		{"a group is renamed", `<service name="a"><ip address="1"/></service>`, `<service name="b"><ip address="1"/></service>`,
			[]string{"STOP service:a, with ip:1: removed", "START service:b, with ip:1: new" + init + "; ip:1 comes from service:a, and may start before it has been stopped there where that runs on another node"}},
		{"a group changes its type", `<service name="a"/>`, `<vm name="a"/>`, []string{"STOP service:a: removed", "START vm:a: new; it is not stopped before"}},

		{"a value that needs a restart", `<service name="a" max_restarts="1"><ip address="1"/></service>`, `<service name="a" max_restarts="2"><ip address="1"/></service>`,
			[]string{`RESTART service:a, with ip:1: max_restarts="1" becomes "2"` + again}},
		{"a restart with autostart off", `<service name="a" priority="1" autostart="0"/>`, `<service name="a" priority="2" autostart="0"/>`,
			[]string{`STOP service:a: priority="1" becomes "2"; autostart is off, so it is not started again`}},
		{"a value for reconfig", `<service name="a" domain="d"><ip address="1"/></service>`, `<service name="a" domain="e"><ip address="1"/></service>`, []string{`RECONFIGURE service:a: domain="d" becomes "e"`}},
		{"autostart is for reconfig", `<service name="a"/>`, `<service name="a" autostart="0"/>`, []string{`RECONFIGURE service:a: autostart="1" becomes "0"`}},
		{"a value for reconfig and one for a restart", `<service name="a" domain="d"/>`, `<service name="a" domain="e" priority="1"/>`,
			[]string{`RESTART service:a: domain="d" becomes "e", priority="0" becomes "1"` + again}},
		{"a value for reconfig that comes", `<service name="a"/>`, `<service name="a" domain="d"/>`,
			[]string{`RESTART service:a: domain="d" is added (a value that comes or goes is no reconfiguration to the manager)` + again}},
		{"a value for reconfig that goes", `<service name="a" domain="d"/>`, `<service name="a"/>`,
			[]string{`RESTART service:a: domain="d" is gone (a value that comes or goes is no reconfiguration to the manager)` + again}},
		{"a value that comes", `<service name="a"/>`, `<service name="a" depend="service:b"/>`, []string{`RESTART service:a: depend="service:b" is added` + again}},
		{"reconfig of a group while another is new", `<service name="a" domain="d"/>`, `<service name="a" domain="e"/><service name="b"/>`,
			[]string{"START service:b: new" + init, `RECONFIGURE service:a: domain="d" becomes "e"; it starts if it had been disabled, as the manager looks at all that is new or changed`}},
		{"reconfig of a group and a child that is new", `<service name="a" domain="d"/>`, `<service name="a" domain="e"><ip address="1"/></service>`,
			[]string{"START ip:1 in service:a: new", `RECONFIGURE service:a: domain="d" becomes "e"`}},

		{"a default for all resources of a type", `<service name="a"/><service name="b" priority="1"/>`, `<resource-defaults><service priority="1"/></resource-defaults><service name="a"/><service name="b" priority="1"/>`,
			[]string{`RESTART service:a: priority="0" becomes "1"` + again}},
		{"a default that goes", `<resource-defaults><service domain="d" recovery="relocate"/></resource-defaults><service name="a"/>`, `<service name="a"/>`,
			[]string{`RESTART service:a: domain="d" is gone, recovery="relocate" becomes "restart" (a value that comes or goes is no reconfiguration to the manager)` + again}},
		{"a default for reconfig", `<service name="a"/>`, `<resource-defaults><service recovery="relocate"/></resource-defaults><service name="a"/>`,
			[]string{`RECONFIGURE service:a: recovery="restart" becomes "relocate"`}},
		{"a default instead of what is inherited", `<service name="a"><ip address="1"/></service>`, `<resource-defaults><ip nfslock="1"/></resource-defaults><service name="a"><ip address="1"/></service>`,
			[]string{`RESTART ip:1 in service:a: nfslock="service%nfslock" becomes "1"`}},
		{"of two defaults the first counts", `<service name="a"/>`, `<resource-defaults><service recovery="restart"/><service recovery="relocate"/></resource-defaults><service name="a"/>`, nil},
		{"defaults that are none", `<service name="a"/>`, `<resource-defaults><service name="x" note="y"/><Service priority="3"/><nosuch a="b"/></resource-defaults><service name="a"/>`, nil},

		{"a VM is removed: it runs on", `<vm name="a"/>`, ``, []string{"LEAVE vm:a: removed; it is not stopped: it runs on where it is, and the cluster no longer watches it"}},
		{"a VM with something in it is removed", `<vm name="a"><ip address="1"/></vm>`, ``, []string{"STOP vm:a, with ip:1: removed"}},
		{"a VM in a service is removed", `<service name="s"><vm name="a"/></service>`, `<service name="s"/>`, []string{"STOP vm:a in service:s: removed"}},
		{"a VM is added", ``, `<vm name="a"/>`, []string{"START vm:a: new; it is not stopped before"}},
		{"a VM is added without autostart", ``, `<vm name="a" autostart="0"/>`, []string{"LEAVE vm:a: new; autostart is off, so it stays disabled"}},
		{"a VM changes", `<vm name="a" xmlfile="/1"/>`, `<vm name="a" xmlfile="/2"/>`,
			[]string{`LEAVE vm:a: xmlfile="/1" becomes "/2"; it is not stopped: the manager forgets where it runs, and finds it by asking for its status`}},
		{"a VM without autostart changes", `<vm name="a" xmlfile="/1" autostart="0"/>`, `<vm name="a" xmlfile="/2" autostart="0"/>`,
			[]string{`LEAVE vm:a: xmlfile="/1" becomes "/2"; it is not stopped: the manager forgets where it runs, and as autostart is off it stays marked as disabled`}},
		{"a VM is reconfigured", `<vm name="a" domain="d"/>`, `<vm name="a" domain="e"/>`, []string{`RECONFIGURE vm:a: domain="d" becomes "e"`}},
		{"a VM gets a child and changes", `<vm name="a" xmlfile="/1"/>`, `<vm name="a" xmlfile="/2"><ip address="1"/></vm>`, []string{`RESTART vm:a, with ip:1: xmlfile="/1" becomes "/2"` + again}},

		{"a child is removed", `<service name="a"><ip address="1"/><ip address="2"/></service>`, `<service name="a"><ip address="2"/></service>`, []string{"STOP ip:1 in service:a: removed"}},
		{"a child's child is added", `<service name="a"><ip address="1"/></service>`, `<service name="a"><ip address="1"><script name="x" file="f"/></ip></service>`, []string{"START script:x in service:a: new"}},
		{"a child changes: all below it restarts", `<service name="a"><ip address="1"><script name="x" file="f"/></ip></service>`, `<service name="a"><ip address="1" monitor_link="0"><script name="x" file="f"/></ip></service>`,
			[]string{`RESTART ip:1 in service:a, with script:x: monitor_link="1" becomes "0"`}},
		{"the order of children", `<service name="a"><ip address="1"/><ip address="2"/></service>`, `<service name="a"><ip address="2"/><ip address="1"/></service>`, nil},
		{"a child goes below another", `<service name="a"><ip address="1"/><script name="x" file="f"/></service>`, `<service name="a"><ip address="1"><script name="x" file="f"/></ip></service>`,
			[]string{"RESTART script:x in service:a: it stands in another place"}},
		{"a child goes below a new one", `<service name="a"><script name="x" file="f"/></service>`, `<service name="a"><ip address="1"><script name="x" file="f"/></ip></service>`,
			[]string{"STOP script:x in service:a: it moves to another place in its group, where it starts again with what is above it", "START ip:1 in service:a, with script:x: new"}},
		{"what a service hands down does not count by itself", `<service name="a"><script name="x" file="f"/></service>`, `<service name="a"><script name="x" file="f" service_name="a"/></service>`,
			[]string{`RESTART script:x in service:a: service_name="service%name" becomes "a"`}},

		{"inline becomes a reference", `<service name="a"><ip address="1"/></service>`, `<resources><ip address="1"/></resources><service name="a"><ip ref="1"/></service>`, nil},
		{"a definition changes: wherever it is referred to", `<resources><clusterfs name="g" mountpoint="/m" device="/d"/></resources><service name="a"><clusterfs ref="g"/></service><service name="b"><clusterfs ref="g"/></service>`,
			`<resources><clusterfs name="g" mountpoint="/n" device="/d"/></resources><service name="a"><clusterfs ref="g"/></service><service name="b"><clusterfs ref="g"/></service>`,
			[]string{`RESTART clusterfs:g in service:a: mountpoint="/m" becomes "/n"`, `RESTART clusterfs:g in service:b: mountpoint="/m" becomes "/n"`}},
		{"a definition that nobody refers to", ``, `<resources><ip address="1"/></resources>`, nil},
		{"a definition is removed under its reference", `<resources><ip address="1"/></resources><service name="a"><ip ref="1"/></service>`, `<service name="a"><ip ref="1"/></service>`,
			[]string{"STOP ip:1 in service:a: line 2: its reference names nothing in <resources>"}},

		{"a resource moves to another group", `<service name="a"><vm name="v"/></service><service name="b"/>`, `<service name="a"/><service name="b"><vm name="v"/></service>`,
			[]string{"STOP vm:v in service:a: it moves to service:b" + moved, "START vm:v in service:b: it moves here from service:a"}},
		{"two references with different children in one group: these restart though nothing has changed",
			`<resources><script name="x" file="f"/></resources><service name="s"><script ref="x"><ip address="1"/></script><script ref="x"><ip address="2"/></script></service>`,
			`<resources><script name="x" file="f"/></resources><service name="s"><script ref="x"><ip address="1"/></script><script ref="x"><ip address="2"/></script></service>`,
			[]string{"RESTART ip:1 in service:s: script:x stands in its group more than once, and the manager takes what is in one for what is in the other",
				"RESTART ip:2 in service:s: script:x stands in its group more than once, and the manager takes what is in one for what is in the other"}},
		{"what stops by itself and starts with what is above it",
			`<resources><script name="x" file="f"/><script name="y" file="g"/></resources><service name="s"><script ref="x"><script ref="y"><ip address="1"/></script></script><script ref="x"/></service>`,
			`<resources><script name="x" file="f"/><script name="y" file="g"/></resources><service name="s"><script ref="x"><script ref="y"><ip address="1" monitor_link="0"/></script></script><script ref="x"><script ref="y"/></script></service>`,
			[]string{"STOP ip:1 in service:s: it moves to another place in its group, where it starts again with what is above it",
				"RESTART script:y in service:s, with ip:1: script:x stands in its group more than once, and the manager takes what is in one for what is in the other",
				"RESTART script:y in service:s: script:x stands in its group more than once, and the manager takes what is in one for what is in the other"}},
		{"what two groups share does not move when one lets go of it", `<resources><script name="x" file="f"/></resources><service name="a"><script ref="x"/></service><service name="b"><script ref="x"/></service>`,
			`<resources><script name="x" file="f"/></resources><service name="a"/><service name="b" priority="1"><script ref="x"/></service>`,
			[]string{"STOP script:x in service:a: removed", `RESTART service:b, with script:x: priority="0" becomes "1"` + again}},
		{"a VM leaves its service to stand alone", `<service name="a"><vm name="v"/></service>`, `<service name="a"/><vm name="v"/>`,
			[]string{"STOP vm:v in service:a: it is to stand alone, as vm:v", "LEAVE vm:v: it moves here from service:a; as nothing in it is new, it starts only when a node joins or leaves, or by clusvcadm -e"}},
		{"the same while another group is new", `<service name="a"><vm name="v"/></service>`, `<vm name="v"/><service name="b"/>`,
			[]string{"STOP service:a, with vm:v: removed", "START service:b: new" + init, "START vm:v: it moves here from service:a"}},
		{"a VM goes into a service", `<vm name="v"/><service name="a"/>`, `<service name="a"><vm name="v"/></service>`,
			[]string{"STOP vm:v: it moves to service:a" + moved, "START vm:v in service:a: it stood alone before"}},

		{"an element without its name drops all behind it", `<service name="a"/><vm name="v"/><service name="b"/>`, `<service name="a"/><service/><vm name="v"/><service name="b"/>`,
			[]string{"STOP service:b: line 2: it stands behind <service> of line 2, which lacks a required attribute: the manager reads no further",
				"LEAVE vm:v: line 2: it stands behind <service> of line 2, which lacks a required attribute: the manager reads no further; it is not stopped: it runs on where it is, and the cluster no longer watches it"}},
		{"a listed child without its name drops those of its type", `<service name="a"><ip address="1"/><vm name="v"/></service>`, `<service name="a"><ip/><ip address="1"/><vm name="v"/></service>`,
			[]string{"STOP ip:1 in service:a: line 2: it stands behind <ip> of line 2, which lacks a required attribute: the manager reads no further"}},
		{"a group loses its name", `<service name="a"/>`, `<service/>`, []string{"STOP service:a: removed"}},
		{"a second one of the same name", `<service name="a"/>`, `<service name="a"/><service name="a"><ip address="1"/></service>`, nil},
	} {
		tree := func(rm string) *Tree {
			return parse(t, "<cluster>\n<rm>"+rm+"</rm></cluster>").ResourceTree(rules)
		}
		if diff := cmp.Diff(c.want, texts(Delta(tree(c.before), tree(c.after)))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestDeltaOfAgents: what the metadata says may change, too, and without a primary parameter nothing is ever the same.
func TestDeltaOfAgents(t *testing.T) {
	agent := func(params string) Rules {
		r, notes := LoadRules([]Agent{{"x.sh", []byte(`<resource-agent name="x"><parameters>` + params + `</parameters><actions><action name="start"/></actions></resource-agent>`)}})
		if len(r) != 1 {
			t.Fatal(notes)
		}
		return r
	}
	d := parse(t, `<cluster><rm><x name="1" a="2"/></rm></cluster>`)
	named := `<parameter name="name" primary="1"/>`
	const again = "; it starts on the node that suits best, which may be another, and also where it had been disabled"
	for _, c := range []struct{ name, before, after, want string }{
		{"the same", named, named, ""},
		{"an attribute becomes visible", named, named + `<parameter name="a"/>`, `RESTART x:1: a="2" is added` + again},
		{"a parameter with a default", named, named + `<parameter name="b"><content default="3"/></parameter>`, `RESTART x:1: b="3" is added` + again},
		{"a parameter without a value", named, named + `<parameter name="b"/>`, ""},
		{"a flag", named + `<parameter name="a"/>`, named + `<parameter name="a" unique="1"/>`, "RESTART x:1: the agent's metadata says something else of a" + again},
		{"the order of parameters", named + `<parameter name="a"/><parameter name="b"><content default="3"/></parameter>`, named + `<parameter name="b"><content default="3"/></parameter><parameter name="a"/>`, ""},
		{"no primary parameter", `<parameter name="name"/>`, `<parameter name="name"/>`, "RESTART x:1: its type has no primary parameter, so it is restarted at every new configuration" + again},
	} {
		got := strings.Join(texts(Delta(d.ResourceTree(agent(c.before)), d.ResourceTree(agent(c.after)))), "\n")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestDeltaOfNamesThatReconfigure: where the name itself may be reconfigured, one that is new is not taken for another.
func TestDeltaOfNamesThatReconfigure(t *testing.T) {
	typ, _, err := ParseMetadata([]byte(`<resource-agent name="x"><parameters><parameter name="name" primary="1" reconfig="1"/></parameters><actions><action name="start"/></actions></resource-agent>`))
	if err != nil {
		t.Fatal(err)
	}
	rules := testRules(t)
	rules["x"] = typ
	tree := func(names string) *Tree {
		return parse(t, `<cluster><rm><service name="s">`+names+`</service></rm></cluster>`).ResourceTree(rules)
	}
	if diff := cmp.Diff([]string{"START x:3 in service:s: new"}, texts(Delta(tree(`<x name="1"/>`), tree(`<x name="1"/><x name="3"/>`)))); diff != "" {
		t.Error(diff)
	}
}

// TestDeltaIsComplete compares random trees: what is told as stopped, started or restarted, with what is below it, is
// what the marks of the two comparisons stop and start.
func TestDeltaIsComplete(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewSource(seed))
	rules := suiteRules(t)
	for n := range 3000 {
		before := parse(t, randomGroups(r)).ResourceTree(rules)
		after := parse(t, randomGroups(r)).ResourceTree(rules)
		d := Compare(before, after)
		stopped, started := map[place]bool{}, map[place]bool{}
		note := func(m map[place]bool, i *Instance) {
			for x := range i.Walk {
				m[place{i.Group().ID(), x.ID()}] = true
			}
		}
		for _, g := range before.Groups {
			if d.stop[g.res.n] && g.KeptOnDelete() {
				continue
			}
			for i := range g.Walk {
				if d.stopNode[i.n] || i == g && d.stop[g.res.n] {
					note(stopped, i)
				}
			}
		}
		for _, g := range after.Groups {
			if d.start[g.res.n] == mustStart {
				if old := d.before.Group(g.ID()); !(g.QuietOnAdd() && old != nil && old.KeptOnDelete()) && g.Autostart() {
					note(started, g)
				}
				continue
			}
			for i := range g.Walk {
				if d.startNode[i.n] && !d.reconfigured(i) && (i.Parent != nil || d.initial) {
					note(started, i)
				}
			}
		}
		gotStopped, gotStarted := map[place]bool{}, map[place]bool{}
		for _, c := range Delta(before, after) {
			switch c.Kind {
			case Stop:
				note(gotStopped, c.Before)
			case Start:
				note(gotStarted, c.After)
			case Restart:
				note(gotStopped, c.Before)
				note(gotStarted, c.After)
			}
		}
		if diff := cmp.Diff(stopped, gotStopped, cmp.AllowUnexported(place{})); diff != "" {
			t.Fatalf("seed %d, case %d: stopped: %s\n%s\n%s", seed, n, diff, printTree(before.Groups, "", noFlag), printTree(after.Groups, "", noFlag))
		}
		if diff := cmp.Diff(started, gotStarted, cmp.AllowUnexported(place{})); diff != "" {
			t.Fatalf("seed %d, case %d: started: %s\n%s\n%s", seed, n, diff, printTree(before.Groups, "", noFlag), printTree(after.Groups, "", noFlag))
		}
	}
}

func noFlag(*Instance) string { return "" }

// randomGroups is a small file of few names, so that much is the same, moved or changed.
func randomGroups(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(`<cluster><rm><resources><script name="s1" file="f1"/><clusterfs name="g" mountpoint="/m` + fmt.Sprint(r.Intn(2)) + `" device="/d"/></resources>`)
	var level func(depth int)
	level = func(depth int) {
		for range r.Intn(4) {
			switch r.Intn(6) {
			case 0:
				fmt.Fprintf(&b, `<ip address="%d" monitor_link="%d">`, r.Intn(3), r.Intn(2))
				if depth < 3 {
					level(depth + 1)
				}
				b.WriteString("</ip>")
			case 1:
				fmt.Fprintf(&b, `<vm name="v%d" domain="%d" xmlfile="/%d"/>`, r.Intn(3), r.Intn(2), r.Intn(2))
			case 2:
				b.WriteString(`<script ref="s1"/>`)
			case 3:
				b.WriteString(`<clusterfs ref="g"/>`)
			case 4:
				fmt.Fprintf(&b, `<trivial name="t%d"/>`, r.Intn(3))
			case 5:
				b.WriteString([]string{"<ip/>", `<script ref="gone"/>`, "<unknown/>"}[r.Intn(3)])
			}
		}
	}
	for i := range r.Intn(4) {
		fmt.Fprintf(&b, `<service name="a%d" domain="%d" priority="%d" autostart="%d">`, i, r.Intn(2), r.Intn(2), r.Intn(2))
		level(0)
		b.WriteString("</service>")
	}
	level(2)
	b.WriteString("</rm></cluster>")
	return b.String()
}

func TestChangeAsJSON(t *testing.T) {
	got, err := json.Marshal(Change{Kind: Stop, Group: "service:a", With: []string{"ip:1"}, Why: "removed", Before: &Instance{}})
	if want := `{"Kind":"stop","Group":"service:a","Resource":"","With":["ip:1"],"Why":"removed"}`; err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
}
