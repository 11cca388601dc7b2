package ccs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outline shows a tree in a line: id(children).
func outline(list []*Instance) string {
	var out []string
	for _, i := range list {
		x := i.ID()
		if len(i.Children) > 0 {
			x += "(" + outline(i.Children) + ")"
		}
		out = append(out, x)
	}
	return strings.Join(out, " ")
}

func TestTree(t *testing.T) {
	rules := suiteRules(t)
	for _, c := range []struct{ name, rm, want, dropped string }{
		{"groups of any type, in the order of the file", `<vm name="v"/><service name="a"/><ip address="1"/>`, "vm:v service:a ip:1", ""},
		{"what is no type is passed over, with what it holds", `<failoverdomains/><events/><x><ip address="1"/></x><service name="a"/>`, "service:a", ""},
		{"listed children come first, in the order of the metadata", `<service name="a"><vm name="v"/><script name="s" file="f"/><ip address="1"/><fs name="f" mountpoint="/m" device="/d"/></service>`,
			"service:a(fs:f ip:1 script:s vm:v)", ""},
		{"a type in another case is not listed", `<service name="a"><vm name="v"/><IP address="1"/><ip address="2"/></service>`, "service:a(ip:2 vm:v ip:1)", ""},
		{"any depth", `<service name="a"><ip address="1"><ip address="2"><vm name="v"><trivial name="t"/></vm></ip></ip></service>`, "service:a(ip:1(ip:2(vm:v(trivial:t))))", ""},
		{"references", `<resources><ip address="1"/></resources><service name="a"><ip ref="1"><vm name="v"/></ip></service>`, "service:a(ip:1(vm:v))", ""},
		{"a group by reference", `<resources><service name="a" domain="d"/></resources><service ref="a"><ip address="1"/></service>`, "service:a(ip:1)", ""},
		{"references to nothing", `<service name="a"><ip ref="1"/><vm ref="v"/><ip address="2"/></service>`, "service:a(ip:2)", "ip:1 no-resource, vm:v no-resource"},
		{"a reference to what is inline", `<service name="a"><ip address="1"/></service><service name="b"><ip ref="1"/></service>`, "service:a(ip:1) service:b", "ip:1 inline"},
		{"a reference counts more than the name beside it", `<resources><vm name="r"/></resources><vm ref="r" name="n"/>`, "vm:r", ""},
		{"more references than instances", `<resources><ip address="1"/></resources><service name="a"><ip ref="1"/></service><service name="b"><ip ref="1"/></service>`, "service:a(ip:1) service:b", "ip:1 instances"},
		{"any number of instances", `<resources><script name="s" file="f"/></resources><service name="a"><script ref="s"/><script ref="s"/></service>`, "service:a(script:s script:s)", ""},
		{"forbidden", `<ip address="1"><nfsclient name="n" target="t"/><script name="s" file="f"/></ip>`, "ip:1(script:s)", "nfsclient:n forbidden"},
		{"what is forbidden is not, in another case", `<ip address="1"><NFSclient name="n" target="t"/></ip>`, "ip:1(nfsclient:n)", ""},
		{"the same name again", `<service name="a"/><service name="a"><ip address="1"/></service><vm name="a"/>`, "service:a vm:a", "service:a collision"},
		{"a unique value again", `<script name="s" file="f"/><script name="t" file="f"/>`, "script:s", "script:t collision"},
		{"a unique value that a definition has", `<resources><script name="s" file="f"/></resources><script name="t" file="f"/>`, "", "script:t collision"},
		{"incomplete: all behind it is gone", `<service name="a"/><service/><x/><ip address="1"/><vm name="v"/>`, "service:a", "service: incomplete, ip:1 behind, vm:v behind"},
		{"incomplete in a service: only its siblings", `<service name="a"><vm name="u"/><vm/><trivial name="t"/></service><service name="b"/>`, "service:a(vm:u) service:b", "vm: incomplete, trivial:t behind"},
		{"incomplete among those listed: only its own type", `<service name="a"><ip address="1"/><ip/><ip address="2"/><script name="s" file="f"/><vm name="v"/></service>`,
			"service:a(ip:1 script:s vm:v)", "ip: incomplete, ip:2 behind"},
		{"incomplete in <resources>: only its own type", `<resources><script name="s"/><script name="t" file="f"/><ip address="1"/></resources><service name="a"><script ref="t"/><ip ref="1"/></service>`,
			"service:a(ip:1)", "script:s incomplete, script:t behind, script:t no-resource"},
		{"what is dropped takes what it holds with it", `<service name="a"><ip ref="x"><vm name="v"/></ip></service>`, "service:a", "ip:x no-resource"},
		{"an empty name is a name", `<vm name=""/><vm name="v"/>`, "vm: vm:v", ""},
		{"nothing", ``, "", ""},
	} {
		tree := parse(t, `<cluster><rm>`+c.rm+`</rm></cluster>`).ResourceTree(rules)
		var dropped []string
		for _, x := range tree.Dropped {
			why := []string{"", "incomplete", "behind", "collision", "no-resource", "inline", "instances", "forbidden"}[x.Reason]
			dropped = append(dropped, x.ID+" "+why)
			if !strings.HasPrefix(x.String(), "line 1: ") {
				t.Errorf("%s: %s", c.name, x)
			}
		}
		if diff := cmp.Diff(c.want, outline(tree.Groups)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if diff := cmp.Diff(c.dropped, strings.Join(dropped, ", ")); diff != "" {
			t.Errorf("%s: dropped: %s", c.name, diff)
		}
	}
	// Definitions are read type by type, in the order of the names.
	var ids []string
	for _, r := range parse(t, `<cluster><rm><resources><vm name="2"/><ip address="2"/><vm name="1"/><ip address="1"/></resources></rm></cluster>`).ResourceTree(rules).resources {
		ids = append(ids, r.id)
	}
	if got := strings.Join(ids, " "); got != "ip:2 ip:1 vm:2 vm:1" {
		t.Error(got)
	}
	if tree := parse(t, `<cluster/>`).ResourceTree(nil); len(tree.Groups)+len(tree.Dropped) > 0 {
		t.Error(tree)
	}
}

func TestValuesAndInheritance(t *testing.T) {
	d := parse(t, `<cluster><rm>
<resources><nfsexport name="x"/></resources>
<service name="a" nfslock="1" unknown="u">
 <fs name="f" mountpoint="/m" device="/d" fsid="7"><nfsexport ref="x"><nfsclient name="c" target="t" path="/own"/></nfsexport>
 <script name="s" file="f"/></fs>
</service>
<script name="alone" file="g"/>
</rm></cluster>`)
	tree := d.ResourceTree(suiteRules(t))
	values := func(i *Instance) string {
		var out []string
		for _, v := range i.Values {
			out = append(out, v.Name+"="+v.Value)
		}
		return strings.Join(out, " ")
	}
	byID := map[string]*Instance{}
	for _, g := range tree.Groups {
		for i := range g.Walk {
			byID[i.ID()] = i
		}
	}
	for id, want := range map[string]string{
		"service:a":    "name=a autostart=1 exclusive=0 nfslock=1 nfs_client_cache=0 recovery=restart depend_mode=hard max_restarts=0 restart_expire_time=0 priority=0",
		"fs:f":         "name=f mountpoint=/m device=/d nfslock=1 fsid=7", // of the parent, whatever its type
		"nfsexport:x":  "name=x device=/d path=/m fsid=7",                 // at the reference's place
		"nfsclient:c":  "name=c target=t path=/own fsid=7",                // its own before what it would inherit; through two
		"script:s":     "name=s file=f service_name=a",                    // of the nearest of that type
		"script:alone": "name=alone file=g",                               // from nowhere: none
	} {
		if i := byID[id]; i == nil || values(i) != want {
			t.Errorf("%s: %s", id, values(i))
		}
	}
	x := byID["nfsexport:x"]
	if line, _ := x.Element.Position(); !x.Ref() || line != 4 {
		t.Error("the reference", line)
	}
	if line, _ := x.Definition().Position(); line != 2 {
		t.Error("the definition", line)
	}
	if s := byID["script:s"]; s.Ref() || s.Group() != tree.Groups[0] || s.Parent != byID["fs:f"] || s.Definition() != s.Element {
		t.Error("the place of script:s")
	}
	if tree.Group("service:a") == nil || tree.Group("SERVICE:a") != nil || tree.Group("fs:f") != nil {
		t.Error("Group finds groups by their exact ids")
	}
	// Walk stops when it is told to.
	n := 0
	for range tree.Groups[0].Walk {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Error(n)
	}
}

func TestPolicy(t *testing.T) {
	rules := suiteRules(t)
	for _, c := range []struct {
		rm                                                  string
		autostart, exclusive, migratory, kept, quiet, force bool
		recovery                                            string
	}{
		{`<service name="a"/>`, true, false, false, false, false, false, "restart"},
		{`<service name="a" autostart="0" exclusive="1" recovery="relocate" __enforce_timeouts="1"/>`, false, true, false, false, false, true, "relocate"},
		{`<service name="a" autostart="no" exclusive="yes" __enforce_timeouts="yes"/>`, false, true, false, false, false, true, "restart"},
		{`<service name="a" autostart="yes" exclusive="true" __enforce_timeouts="0"/>`, false, false, false, false, false, false, "restart"},
		{`<service name="a" autostart="" exclusive="2"/>`, false, true, false, false, false, false, "restart"},
		{`<vm name="a"/>`, true, false, true, true, true, false, "restart"},
		{`<vm name="a"><ip address="1"/></vm>`, true, false, false, false, false, false, "restart"},
		{`<ip address="1"/>`, true, false, false, false, false, false, "restart"},
	} {
		g := parse(t, `<cluster><rm>`+c.rm+`</rm></cluster>`).ResourceTree(rules).Groups[0]
		got := fmt.Sprint(g.Autostart(), g.Exclusive(), g.Migratory(), g.KeptOnDelete(), g.QuietOnAdd(), g.EnforceTimeouts, g.Recovery())
		want := fmt.Sprint(c.autostart, c.exclusive, c.migratory, c.kept, c.quiet, c.force, c.recovery)
		if got != want {
			t.Errorf("%s: %s, want %s", c.rm, got, want)
		}
	}
	// What is stopped on removal and initialised on addition is for each type to say.
	loud := *rules["vm"]
	loud.InitOnAdd, loud.DestroyOnDelete = true, true
	if g := parse(t, `<cluster><rm><vm name="a"/></rm></cluster>`).ResourceTree(Rules{"vm": &loud}).Groups[0]; !g.Migratory() || g.KeptOnDelete() || g.QuietOnAdd() {
		t.Error("a VM whose type wants it is kept or not initialised")
	}
	s := parse(t, `<cluster><rm><service name="a" __independent_subtree="1"><vm name="v"/><ip address="1" __independent_subtree="yes"/><ip address="2" __independent_subtree="2"/><ip address="3" __independent_subtree="non-critical"/></service></rm></cluster>`).ResourceTree(rules).Groups[0]
	flags := fmt.Sprint(s.Independent, s.NonCritical)
	for _, c := range s.Children {
		flags += fmt.Sprint(" ", c.ID(), c.Independent, c.NonCritical)
	}
	if want := "false false ip:1true false ip:2true true ip:3true true vm:vfalse false"; flags != want {
		t.Error(flags)
	}
	if v := s.Children[3]; v.Migratory() {
		t.Error("a VM in a service would be migrated")
	}
}

func TestOrderByLevels(t *testing.T) {
	typ := &Type{Name: "p", Children: []Child{{"a", 2, 1, false}, {"b", 1, 2, false}, {"c", 2, 2, false}, {"none", 0, 0, false}, {"start", 3, 0, false}, {"stop", 0, 3, false}, {"high", 101, 101, false}}}
	p := &Instance{Type: typ}
	for i, name := range strings.Fields("x none start stop high c a b a y") {
		p.Children = append(p.Children, &Instance{Type: &Type{Name: name}, Parent: p, res: &resource{id: fmt.Sprint(name, i), values: []setting{{value: name}}}})
	}
	ids := func(list []*Instance) string {
		var out []string
		for _, i := range list {
			out = append(out, i.ID())
		}
		return strings.Join(out, " ")
	}
	// What has only one of the levels, or one over 100, is left out of the other: it is never started, or stopped.
	if got := ids(p.StartOrder()); got != "b7 a6 a8 c5 start2 x0 none1 y9" {
		t.Error("start", got)
	}
	if got := ids(p.StopOrder()); got != "y9 none1 x0 a8 a6 b7 c5 stop3" {
		t.Error("stop", got)
	}
}

func TestActionsOfTheFile(t *testing.T) {
	rules := testRules(t)
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for _, c := range []struct{ name, actions, want string }{
		{"none", "", "status/0 10s 30s, status/10 20s 1m0s"},
		{"all depths", `<action name="status" depth="*" interval="5s"/>`, "status/0 10s 5s, status/10 20s 5s"},
		{"no depth is all depths", `<action name="status" interval="1m" timeout="7"/>`, "status/0 7s 1m0s, status/10 7s 1m0s"},
		{"one depth", `<action name="status" depth="10" interval="5s"/>`, "status/0 10s 30s, status/10 20s 5s"},
		{"never", `<action name="status" depth="10" interval="0"/>`, "status/0 10s 30s, status/10 20s 0s"},
		{"a new depth", `<action name="status" depth="20" interval="1h" timeout="9"/>`, "status/0 10s 30s, status/10 20s 1m0s, status/20 9s 1h0m0s"},
		{"a new depth without its timeout", `<action name="status" depth="20" interval="1h"/>`, "status/0 10s 30s, status/10 20s 1m0s"},
		{"nothing behind one without a name", `<action interval="1"/><action name="status" interval="5s"/>`, "status/0 10s 30s, status/10 20s 1m0s"},
	} {
		g := parse(t, `<cluster><rm><vm name="v">`+c.actions+`</vm></rm></cluster>`).ResourceTree(rules).Groups[0]
		var got []string
		for _, a := range g.Actions {
			if a.Name == "status" {
				got = append(got, fmt.Sprintf("%s/%d %s %s", a.Name, a.Depth, a.Timeout, a.Interval))
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	// Those of a definition count at its reference, the reference's own do not.
	g := parse(t, `<cluster><rm><resources><vm name="v"><action name="start" timeout="1"/></vm></resources><vm ref="v"><action name="stop" timeout="1"/></vm></rm></cluster>`).ResourceTree(rules).Groups[0]
	if a, b, c := g.Timeout("start", 0), g.Timeout("stop", 0), g.Timeout("status", 10); a != sec(1) || b != sec(120) || c != sec(20) {
		t.Error(a, b, c)
	}
	if got := g.Timeout("status", 5) + g.Timeout("none", 0); got != 0 {
		t.Error(got)
	}
	if got := rules["vm"].Actions[0].Timeout; got != sec(300) {
		t.Error("the type was changed", got)
	}
}
