package ccs_test

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/pkg/ccs"
)

func ExampleDocument_Check() {
	d, err := ccs.Parse("cluster.conf", []byte(`<cluster name="demo" config_version="7">
  <rm>
    <service name="web" autostart="yes">
      <xen/>
      <openvz name="101"/>
    </service>
  </rm>
</cluster>
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range d.Check(nil) {
		fmt.Println(f)
	}
	// Output:
	// cluster.conf:3:5: warning: autostart="yes" means false (it is read as a number: write 1 or 0)
	// cluster.conf:4:7: error: <xen> has no name (the manager would drop it and everything behind it, and STOP what it dropped)
}

func ExampleDocument_ResourceTree() {
	d, err := ccs.Parse("cluster.conf", []byte(`<cluster name="demo" config_version="7">
  <rm>
    <resources><ip address="10.0.0.7"/></resources>
    <service name="web">
      <openvz name="101"/>
      <script name="site" file="/etc/init.d/site"/>
      <ip ref="10.0.0.7"/>
    </service>
    <xen name="db"/>
  </rm>
</cluster>
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range d.ResourceTree(nil).Groups {
		fmt.Println(g.ID(), "autostart", g.Autostart(), "migratory", g.Migratory())
		for _, r := range g.StartOrder() {
			fmt.Println("  starts", r.ID())
		}
	}
	// Output:
	// service:web autostart true migratory false
	//   starts ip:10.0.0.7
	//   starts script:site
	//   starts openvz:101
	// xen:db autostart true migratory true
}

func ExampleDelta() {
	before := `<cluster name="demo" config_version="7">
  <rm>
    <service name="mail"><ip address="10.0.0.8"/></service>
    <service name="web" recovery="restart"><openvz name="101"/></service>
    <xen name="db"/>
  </rm>
</cluster>
`
	after := strings.NewReplacer(
		`    <service name="mail"><ip address="10.0.0.8"/></service>`, "",
		`recovery="restart"`, `recovery="relocate"`, // needs no restart
		`<xen name="db"/>`, "", // a VM that can migrate outlives its entry
	).Replace(before)
	var trees []*ccs.Tree
	for _, text := range []string{before, after} {
		d, err := ccs.Parse("cluster.conf", []byte(text))
		if err != nil {
			fmt.Println(err)
			return
		}
		trees = append(trees, d.ResourceTree(nil))
	}
	for _, c := range ccs.Delta(trees[0], trees[1]) {
		fmt.Println("this will", c)
	}
	// Output:
	// this will STOP service:mail, with ip:10.0.0.8: removed
	// this will RECONFIGURE service:web: recovery="restart" becomes "relocate"
	// this will LEAVE xen:db: removed; it is not stopped: it runs on where it is, and the cluster no longer watches it
}

func ExampleLoadRules() {
	// What each file of /usr/share/cluster printed when the caller ran it with meta-data.
	const guest = `<?xml version="1.0"?>
<resource-agent name="guest">
  <parameters>
    <parameter name="name" primary="1" required="1"><content type="string"/></parameter>
    <parameter name="memory" reconfig="1"><content type="integer" default="512"/></parameter>
  </parameters>
  <actions><action name="start" timeout="300"/><action name="stop" timeout="300"/></actions>
</resource-agent>
`
	rules, notes := ccs.LoadRules([]ccs.Agent{
		{Name: "guest.sh", Metadata: []byte(guest)},
		{Name: "guest.sh.old", Metadata: []byte(guest)},
		{Name: "ocf-shellfuncs"},
	})
	for _, n := range notes {
		fmt.Println(n)
	}
	t, _ := rules.Find("guest")
	memory, _ := t.Param("memory")
	fmt.Println(t.Primary(), memory.Default, memory.Reconfig)
	// Output:
	// guest.sh.old: ignored: the type "guest" is that of guest.sh already
	// ocf-shellfuncs: ignored: it prints nothing for meta-data
	// name 512 true
}
