package ccs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each check fires on bad, at the place that is said, and not on good. Where rm is set, the texts stand in <rm> of a
// sound cluster, whose line 5 they begin.
func checkRows() []struct {
	name      string
	rm        bool
	bad, good string
	want      []string
	installed bool // with the types of testRules, as those of installed agents
	on        []Release
} {
	const (
		head   = `<cluster name="c" config_version="1"><clusternodes><clusternode name="a" nodeid="1"/><clusternode name="b" nodeid="2"/></clusternodes>`
		domain = `<failoverdomains><failoverdomain name="d" ordered="1"><failoverdomainnode name="a" priority="1"/><failoverdomainnode name="b" priority="2"/></failoverdomain></failoverdomains>`
	)
	long := strings.Repeat("n", 60)
	dom := func(old, to string) string { return strings.Replace(domain, old, to, 1) }
	return []struct {
		name      string
		rm        bool
		bad, good string
		want      []string
		installed bool
		on        []Release
	}{
		// the file and the cluster
		{name: "root", bad: `<clusters name="c" config_version="1"/>`, good: `<cluster name="c" config_version="1"/>`, want: []string{"1:1 error the root element is <clusters>"}},
		{name: "name", bad: `<cluster config_version="1"/>`, good: `<cluster name="c" config_version="1"/>`, want: []string{"1:1 error <cluster> has no name"}},
		{name: "long name", bad: `<cluster name="1234567890123456" config_version="1"/>`, good: `<cluster name="123456789012345" config_version="1"/>`, want: []string{"1:1 warning the cluster's name has 16 characters"}},
		{name: "version", bad: `<cluster name="c" config_version="1a"/>`, good: `<cluster name="c" config_version="1"/>`, want: []string{`1:1 error config_version="1a" is no version`}},
		{name: "two <rm>", bad: head + `<rm/><rm/></cluster>`, good: head + `<rm/></cluster>`, want: []string{"1:140 error <rm> stands more than once"}},
		{name: "two <resources>", rm: true, bad: `<resources/><resources/>`, good: `<resources/>`, want: []string{"5:13 error <resources> stands more than once"}},
		{name: "64 KB", bad: head + "<!--" + strings.Repeat("x", 65600) + "--></cluster>", good: head + "</cluster>", want: []string{"1:1 warning the file has 65751 bytes"}, on: []Release{RHEL5}},
		// nodes
		{name: "node without a name", bad: strings.Replace(head, `name="a" `, "", 1) + "</cluster>", good: head + "</cluster>", want: []string{"1:52 error <clusternode> has no name"}},
		{name: "node twice", bad: strings.Replace(head, `name="b"`, `name="A"`, 1) + "</cluster>", good: head + "</cluster>", want: []string{`1:86 error the node "A" stands twice`}},
		{name: "node that ccs cannot carry", bad: strings.Replace(head, `name="b"`, `name="b&lt;"`, 1) + "</cluster>", good: head + "</cluster>", want: []string{`1:86 warning the node "b<" holds one of & < "`}},
		{name: "nodeid twice", bad: strings.Replace(head, `nodeid="2"`, `nodeid="01"`, 1) + "</cluster>", good: head + "</cluster>", want: []string{`1:86 error nodeid="01" of the node "b" is that of "a" already`}},
		{name: "nodeid is no number", bad: strings.Replace(head, `nodeid="2"`, `nodeid="0x2"`, 1) + "</cluster>", good: head + "</cluster>", want: []string{`1:86 warning nodeid="0x2" of the node "b" is no id`}},
		{name: "nodeid 0", bad: strings.Replace(head, `nodeid="2"`, `nodeid="0"`, 1) + "</cluster>", good: strings.Replace(head, ` nodeid="2"`, ``, 1) + "</cluster>", want: []string{`1:86 warning nodeid="0" of the node "b" is no id`}},
		{name: "votes", bad: strings.Replace(head, `nodeid="2"`, `votes="-1"`, 1) + "</cluster>", good: strings.Replace(head, `nodeid="2"`, `votes="0"`, 1) + "</cluster>", want: []string{`1:86 warning votes="-1" of the node "b" is no number`}},
		{name: "two_node and three nodes", bad: strings.Replace(head, "</clusternodes>", `<clusternode name="c"/></clusternodes>`, 1) + `<cman two_node="1" expected_votes="1"/></cluster>`,
			good: head + `<cman two_node="1" expected_votes="1"/></cluster>`, want: []string{`1:158 warning two_node="1" in a cluster of 3 nodes`}},
		{name: "two_node without expected_votes", bad: head + `<cman two_node="1"/></cluster>`, good: head + `<cman two_node="0"/></cluster>`, want: []string{`1:135 warning two_node="1" without expected_votes="1"`}},
		{name: "fence device that does not exist", bad: strings.Replace(head, `nodeid="2"/>`, `nodeid="2"><fence><method name="1"><device name="x"/></method></fence></clusternode>`, 1) + "</cluster>",
			good: strings.Replace(head, `nodeid="2"/>`, `nodeid="2"><fence><method name="1"><device name="x"/></method></fence></clusternode>`, 1) + `<fencedevices><fencedevice name="x"/></fencedevices></cluster>`,
			want: []string{`1:143 warning the fence device "x" is not in <fencedevices>`}},
		{name: "fence device twice", bad: head + `<fencedevices><fencedevice name="x"/><fencedevice name="x"/></fencedevices></cluster>`, good: head + `<fencedevices><fencedevice name="x"/><fencedevice name="y"/></fencedevices></cluster>`,
			want: []string{`1:172 warning the fence device "x" stands twice`}},
		// failover domains
		{name: "domain without a name", rm: true, bad: dom(`name="d" `, ""), good: domain, want: []string{"5:18 error <failoverdomain> has no name"}},
		{name: "domain twice", rm: true, bad: dom("</failoverdomains>", `<failoverdomain name="D"/></failoverdomains>`), good: domain, want: []string{`5:158 error the failover domain "D" stands twice`}},
		{name: "ordered=yes is off", rm: true, bad: dom(`ordered="1"`, `ordered="yes"`), good: domain, want: []string{`5:18 warning ordered="yes" means false`}},
		{name: "restricted=2 is on", rm: true, bad: dom(`ordered="1"`, `ordered="1" restricted="2"`), good: dom(`ordered="1"`, `ordered="1" restricted="1"`), want: []string{`5:18 warning restricted="2" means true`}},
		{name: "nofailback=true is off", rm: true, bad: dom(`ordered="1"`, `ordered="1" nofailback="true"`), good: dom(`ordered="1"`, `ordered="1" nofailback="0"`), want: []string{`5:18 warning nofailback="true" means false`}},
		{name: "domain node without a name", rm: true, bad: dom(`name="a" `, ""), good: domain, want: []string{"5:55 error <failoverdomainnode> has no name"}},
		{name: "domain node twice", rm: true, bad: dom(`name="b"`, `name="a"`), good: domain, want: []string{`5:98 error the node "a" stands twice in the domain "d"`}},
		{name: "domain node that is no node", rm: true, bad: dom(`name="b"`, `name="c"`), good: domain, want: []string{`5:98 warning the node "c" of the domain "d" is no node of the cluster`}},
		{name: "domain node in another case", rm: true, bad: dom(`name="b"`, `name="B"`), good: domain, want: []string{`5:98 warning the node "B" of the domain "d" is written "b" in <clusternodes>`}},
		{name: "priority 0", rm: true, bad: dom(`priority="1"`, `priority="0"`), good: domain, want: []string{`5:55 warning priority="0"`}},
		{name: "priority 101", rm: true, bad: dom(`priority="1"`, `priority="101"`), good: dom(`priority="1"`, `priority="100"`), want: []string{`5:55 warning priority="101"`}},
		{name: "no priority in an ordered domain", rm: true, bad: dom(` priority="2"`, ""), good: domain, want: []string{`5:98 warning the node "b" of the ordered domain "d" has no priority`}},
		{name: "priorities in an unordered domain", rm: true, bad: dom(` ordered="1"`, ""), good: strings.NewReplacer(` ordered="1"`, "", ` priority="2"`, ` priority="1"`).Replace(domain),
			want: []string{`5:86 warning priority="2" is not read: the domain "d" is not ordered`}},
		{name: "restricted to nobody", rm: true, bad: `<failoverdomains><failoverdomain name="d" restricted="1"/></failoverdomains>`, good: `<failoverdomains><failoverdomain name="d" restricted="0"/></failoverdomains>`,
			want: []string{`5:18 warning the failover domain "d" is restricted and holds no node`}},
		// groups
		{name: "autostart=yes is off", rm: true, bad: `<service name="s" autostart="yes"/>`, good: `<service name="s" autostart="no"/>`, want: []string{`5:1 warning autostart="yes" means false`}},
		{name: "autostart=2 is on", rm: true, bad: `<service name="s" autostart="2"/>`, good: `<service name="s" autostart="1"/>`, want: []string{`5:1 warning autostart="2" means true`}},
		{name: "exclusive=true is off", rm: true, bad: `<service name="s" exclusive="true"/>`, good: `<service name="s" exclusive="yes"/>`, want: []string{`5:1 warning exclusive="true" means false`}},
		{name: "domain that does not exist", rm: true, bad: domain + `<service name="s" domain="e"/>`, good: domain + `<service name="s" domain="D"/>`, want: []string{`5:176 warning the failover domain "e" does not exist`}},
		{name: "recovery", rm: true, bad: `<service name="s" recovery="restart-relocate"/>`, good: `<service name="s" recovery="restart-disable"/>`, want: []string{`5:1 warning recovery="restart-relocate"`}},
		{name: "depend", rm: true, bad: `<service name="s" depend="t"/><service name="t"/>`, good: `<service name="s" depend="service:t"/><service name="t"/><vm name="v" depend="service:s"/>`, want: []string{`5:1 warning depend="t" names no group`}},
		{name: "depend on a group by reference", rm: true, bad: `<resources><vm name="v"/></resources><vm ref="v"/><service name="s" depend="vm:w"/>`, good: `<resources><vm name="v"/></resources><vm ref="v"/><service name="s" depend="vm:v"/>`,
			want: []string{`5:51 warning depend="vm:w" names no group`}},
		{name: "a VM that holds something", rm: true, bad: `<xen name="x"><ip address="1"/></xen>`, good: `<xen name="x"><action name="status"/></xen><openvz name="1"><ip address="2"/></openvz>`, want: []string{"5:1 warning <xen> holds resources"}},
		{name: "policy of what is in a group", rm: true, bad: `<service name="s"><openvz name="1" domain="d" autostart="0"/></service>`, good: `<service name="s" recovery="relocate"><openvz name="1" on_stop="shutdown"/></service>`,
			want: []string{"5:19 warning domain of <openvz> in <service> has no effect", "5:19 warning autostart of <openvz> in <service> has no effect"}},
		{name: "independent subtree at the top", rm: true, bad: `<service name="s" __independent_subtree="1"/>`, good: `<service name="s"><ip address="1" __independent_subtree="1"/></service>`, want: []string{`5:1 warning __independent_subtree="1" of a group`}},
		{name: "unknown type at the top", rm: true, bad: `<strange name="s"/>`, good: `<service name="s"/>`, want: []string{`5:1 warning the type <strange> is not known here`}},
		{name: "poll interval", bad: head + `<rm status_poll_interval="0"/></cluster>`, good: head + `<rm status_poll_interval="5"/></cluster>`, want: []string{`1:135 warning status_poll_interval="0"`}},
		{name: "schema: a VM at the top", rm: true, bad: `<openvz name="1"/><openvz name="2"/>`, good: `<service name="s"><openvz name="1"/></service><vm name="2"/><events/><resources/>`, want: []string{"5:1 warning <openvz> stands directly below <rm>"}, on: []Release{RHEL6}},
		{name: "a value that RHEL 6 cannot carry", bad: head + `<fencedevices><fencedevice name="f" passwd="a&amp;b"/></fencedevices></cluster>`, good: head + `<fencedevices><fencedevice name="f" passwd="a&#98;c>d'"/></fencedevices></cluster>`,
			want: []string{`1:149 warning passwd of <fencedevice> holds one of & < "`}, on: []Release{RHEL6}},
		{name: "schema: one of each", rm: true, bad: `<events/><events/>`, good: `<events/>`, want: []string{"5:10 warning <events> stands more than once"}, on: []Release{RHEL6}},
		// resources
		{name: "primary missing", rm: true, bad: `<service name="s"><openvz/></service>`, good: `<service name="s"><openvz name="1"/></service>`, want: []string{"5:19 error <openvz> has no name"}},
		{name: "primary empty", rm: true, bad: `<service name=""/>`, good: `<service name="s"/>`, want: []string{"5:1 error <service> has no name"}},
		{name: "another primary", rm: true, bad: `<service name="s"><ip name="1"/></service>`, good: `<service name="s"><ip address="1"/></service>`, want: []string{"5:19 error <ip> has no address"}},
		{name: "required missing", rm: true, bad: `<service name="s"><script name="x"/></service>`, good: `<service name="s"><script name="x" file="f"/></service>`, want: []string{"5:19 error <script> has no file"}},
		{name: "required missing in a definition", rm: true, bad: `<resources><fs name="x" mountpoint="/x"/></resources>`, good: `<resources><fs name="x" mountpoint="/x" device="/dev/x"/></resources>`, want: []string{"5:12 error <fs> has no device"}},
		{name: "primary twice", rm: true, bad: `<service name="s"/><service name="s"/>`, good: `<service name="s"/><service name="S"/><openvz name="s"/>`, want: []string{`5:20 error <service name="s"> stands in line 5 already`}},
		{name: "primary twice, nested", rm: true, bad: `<service name="s"><openvz name="1"/></service><openvz name="1"/>`, good: `<service name="s"><openvz name="1"/></service><openvz name="2"/>`, want: []string{`5:47 error <openvz name="1"> stands in line 5 already`}},
		{name: "unique twice", rm: true, bad: `<resources><script name="x" file="f"/></resources><service name="s"><script name="y" file="f"/></service>`,
			good: `<resources><script name="x" file="f"/></resources><service name="s"><script name="y" file="g"/></service>`, want: []string{`5:69 error <script file="f"> stands in line 5 already`}},
		{name: "reference to nothing", rm: true, bad: `<service name="s"><ip ref="1"/></service>`, good: `<resources><ip address="1"/></resources><service name="s"><ip ref="1"/></service>`, want: []string{`5:19 error <ip ref="1"> names nothing in <resources>`}},
		{name: "reference to an inline resource", rm: true, bad: `<service name="s"><ip address="1"/></service><service name="t"><ip ref="1"/></service>`, good: `<service name="s"><ip address="1"/></service><service name="t"/>`,
			want: []string{`5:64 error <ip ref="1"> names nothing in <resources>`}},
		{name: "more references than instances", rm: true, bad: `<resources><ip address="1"/></resources><service name="s"><ip ref="1"/></service><service name="t"><ip ref="1"/></service>`,
			good: `<resources><clusterfs name="1" mountpoint="/m" device="/d"/></resources><service name="s"><clusterfs ref="1"/></service><service name="t"><clusterfs ref="1"/></service>`, want: []string{`5:100 error <ip ref="1"> is reference 2, the agent allows 1`}},
		{name: "attributes of a reference", rm: true, bad: `<resources><ip address="1"/></resources><service name="s"><ip ref="1" monitor_link="0"/></service>`,
			good: `<resources><ip address="1" monitor_link="0"/></resources><service name="s"><ip ref="1" monitor_link="0" __max_restarts="1" __restart_expire_time="1"/></service>`, want: []string{`5:59 warning monitor_link="0" of the reference to "1" is not read`}},
		{name: "action of a reference", rm: true, bad: `<resources><ip address="1"/></resources><service name="s"><ip ref="1"><action name="status" depth="*" interval="5"/></ip></service>`,
			good: `<resources><ip address="1"><action name="status" depth="*" interval="5"/></ip></resources><service name="s"><ip ref="1"/></service>`, want: []string{"5:71 warning <action> stands below a reference"}},
		{name: "children of a definition", rm: true, bad: `<resources><fs name="x" mountpoint="/x" device="/dev/x"><ip address="1"/></fs></resources>`, good: `<resources><fs name="x" mountpoint="/x" device="/dev/x"/></resources>`,
			want: []string{"5:57 warning <ip> stands in the definition of a <fs>"}},
		{name: "a forbidden child", rm: true, bad: `<service name="s"><ip address="1"><nfsclient name="n" target="t"/></ip></service>`, good: `<service name="s"><ip address="1"><script name="n" file="t"/></ip></service>`, want: []string{"5:35 warning a <nfsclient> may not stand in a <ip>"}},
		{name: "a type in another case", rm: true, bad: `<service name="s"><IP address="1"/></service>`, good: `<service name="s"><ip address="1"/></service>`, want: []string{`5:19 warning <IP> is the type "ip"`}},
		{name: "a definition in another case", rm: true, bad: `<resources><IP address="1"/></resources>`, good: `<resources><ip address="1"/></resources>`, want: []string{`5:12 warning <IP> in <resources> is not read: the type is written "ip"`}},
		{name: "a name of 64 bytes with its type", rm: true, bad: `<vm name="x` + long + `"/>`, good: `<vm name="` + long + `"/>`, want: []string{"5:1 warning vm:x" + long + " has 64 bytes"}},
		{name: "a name with &", rm: true, bad: `<vm name="a&amp;b"/>`, good: `<vm name="a b"/>`, want: []string{`5:1 warning the name "a&b" holds one of & < "`}},
		{name: "a name with <", rm: true, bad: `<vm name="a&lt;b"/>`, good: `<vm name="a>b"/>`, want: []string{`5:1 warning the name "a<b" holds one of & < "`}},
		{name: "a name with a quote", rm: true, bad: `<vm name='a"b'/>`, good: `<vm name="a'b"/>`, want: []string{`5:1 warning the name "a\"b" holds one of & < "`}},
		{name: "a name with a new line", rm: true, bad: `<vm name="a&#10;b"/>`, good: `<vm name="a b"/>`, want: []string{`5:1 warning the name "a\nb" begins or ends with white space, or holds a control character`}},
		{name: "a name that ends in a blank", rm: true, bad: `<vm name="a "/>`, good: `<vm name="a"/>`, want: []string{`5:1 warning the name "a " begins or ends with white space, or holds a control character`}},
		{name: "required empty", rm: true, bad: `<service name="s"><script name="x" file=""/></service>`, good: `<service name="s"><script name="x" file="f" service_name=""/></service>`, want: []string{"5:19 warning file of <script> is empty"}},
		{name: "a long value", rm: true, bad: `<vm name="a" xmlfile="` + strings.Repeat("x", 4096) + `"/>`, good: `<vm name="a" xmlfile="` + strings.Repeat("x", 4095) + `"/>`, want: []string{`5:1 warning xmlfile has 4096 bytes`}},
		{name: "failures without a time", rm: true, bad: `<service name="s"><ip address="1" __max_failures="3"/></service>`, good: `<service name="s"><ip address="1" __max_failures="3" __failure_expire_time="60"/></service>`,
			want: []string{"5:19 warning only one of __max_failures and __failure_expire_time is given"}},
		{name: "restarts without a time", rm: true, bad: `<service name="s"><ip address="1" __restart_expire_time="3"/></service>`, good: `<service name="s"><ip address="1" __max_restarts="3" __restart_expire_time="60"/></service>`,
			want: []string{"5:19 warning only one of __max_restarts and __restart_expire_time is given"}},
		{name: "an action without a name", rm: true, bad: `<vm name="a"><action interval="5"/></vm>`, good: `<vm name="a"><action name="status" interval="5"/></vm>`, want: []string{"5:14 warning <action> has no name"}},
		{name: "monitor is never run", rm: true, bad: `<vm name="a"><action name="monitor" interval="5"/></vm>`, good: `<vm name="a"><action name="status" interval="5"/></vm>`, want: []string{`5:14 warning <action name="monitor">`}},
		{name: "a default for a primary", rm: true, bad: `<resource-defaults><vm name="a"/></resource-defaults>`, good: `<resource-defaults><vm path="/x"/></resource-defaults>`, want: []string{`5:20 warning name of <vm> in <resource-defaults>`}},
		{name: "a default in another case", rm: true, bad: `<resource-defaults><VM path="/x"/></resource-defaults>`, good: `<resource-defaults/>`, want: []string{`5:20 warning <VM> in <resource-defaults> is not read: the type is written "vm"`}},
		// with the types of installed agents
		{name: "a default that no agent declares", rm: true, bad: `<resource-defaults><service nosuch="/x"/></resource-defaults>`, good: `<resource-defaults><service priority="2"/></resource-defaults>`, want: []string{`5:20 warning nosuch is no attribute of <service>`}, installed: true},
		{name: "a type without an agent", rm: true, installed: true, bad: `<service name="s"><openvz name="1"/></service>`, good: `<service name="s"><trivial name="1"/></service>`, want: []string{"5:19 warning the type <openvz> in <service> is not known here"}},
		{name: "a definition without an agent", rm: true, installed: true, bad: `<resources><openvz name="1"/></resources>`, good: `<resources><trivial name="1"/></resources>`, want: []string{"5:12 warning the type <openvz> in <resources> is not known here"}},
		{name: "an attribute that is not declared", rm: true, installed: true, bad: `<trivial name="1" memory="5"/>`, good: `<trivial name="1" rc="5" __enforce_timeouts="1"/>`, want: []string{"5:1 warning memory is no attribute of <trivial>"}},
		{name: "an agent without actions", rm: true, installed: true, bad: `<still name="1"/>`, good: `<trivial name="1"/>`, want: []string{"5:1 error the agent of <still> declares no action"}},
	}
}

func TestCheckRows(t *testing.T) {
	installed := testRules(t)
	still, _, err := ParseMetadata([]byte(`<resource-agent name="still"><parameters><parameter name="name" primary="1"/></parameters></resource-agent>`))
	if err != nil {
		t.Fatal(err)
	}
	installed["still"] = still
	for _, r := range checkRows() {
		t.Run(r.name, func(t *testing.T) {
			var rules Rules
			if r.installed {
				rules = installed
			}
			on := r.on
			if on == nil {
				on = []Release{4} // of which nothing is known
			}
			wrap := func(text string) string {
				if !r.rm {
					return text
				}
				return "<cluster name=\"c\" config_version=\"1\">\n<clusternodes><clusternode name=\"a\"/><clusternode name=\"b\"/></clusternodes>\n\n<rm>\n" + text + "</rm></cluster>"
			}
			var got []string
			for _, f := range parse(t, wrap(r.bad)).Check(rules, on...) {
				if f.Why == "" {
					t.Errorf("%s does not say why", f)
				}
				got = append(got, fmt.Sprintf("%d:%d %s %s", f.Line, f.Col, f.Severity, f.Text))
			}
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Error(diff)
			}
			if all := parse(t, wrap(r.good)).Check(rules, on...); len(all) > 0 {
				t.Errorf("a sound file: %v", all)
			}
			if len(r.on) > 0 {
				if all := parse(t, wrap(r.bad)).Check(rules, 4); len(all) > 0 {
					t.Errorf("on another release: %v", all)
				}
				if all := parse(t, wrap(r.bad)).Check(rules); len(all) < len(r.want) {
					t.Errorf("where no release is named: %v", all)
				}
			}
		})
	}
}

// TestWhatIsDroppedIsFound: a document without errors has a tree that lacks nothing.
func TestWhatIsDroppedIsFound(t *testing.T) {
	for _, r := range checkRows() {
		for _, text := range []string{r.bad, r.good} {
			if !r.rm {
				continue
			}
			d := parse(t, `<cluster name="c" config_version="1"><rm>`+text+`</rm></cluster>`)
			errors, forbidden := 0, 0
			for _, f := range d.Check(nil) {
				if f.Severity == Fatal {
					errors++
				}
			}
			tree := d.ResourceTree(nil)
			for _, x := range tree.Dropped {
				if x.Reason == DropForbidden { // that is a warning: it runs no other resource
					forbidden++
				}
			}
			if dropped := len(tree.Dropped) - forbidden; dropped > 0 && errors == 0 {
				t.Errorf("%s: %s: dropped %v, and no error says so", r.name, text, tree.Dropped)
			}
		}
	}
}
