package ccs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	d := parse(t, `<cluster config_version="x">
<clusternodes><clusternode name="a"/><clusternode name="A"/><clusternode/></clusternodes>
<rm><failoverdomains><failoverdomain name="d" ordered="yes"><failoverdomainnode name="a" priority="x"/><failoverdomainnode name="b"/><failoverdomainnode name="B"/></failoverdomain>
<failoverdomain name="D" ordered="1"><failoverdomainnode name="a" priority="101"/></failoverdomain></failoverdomains>
<resources><script name="s"/><script name="t" file="f"/></resources>
<service name="w" autostart="yes" domain="nowhere"><script ref="t"/><script ref="u"/><script name="v" file="f"/><openvz/></service>
<service/>
<strange name="x"/>
<openvz name="a&amp;b"/>
</rm></cluster>`)
	var got []string
	for _, f := range d.Check(nil) {
		got = append(got, fmt.Sprintf("%d %s %s", f.Line, f.Severity, f.Text))
	}
	want := []string{
		"1 error <cluster> has no name", `1 error config_version="x" is no version`,
		`2 error the node "A" stands twice`, "2 error <clusternode> has no name",
		`3 warning ordered="yes" means false`, `3 warning the node "b" of the domain "d" is no node of the cluster`, `3 error the node "B" stands twice in the domain "d"`,
		`4 error the failover domain "D" stands twice`, `4 warning priority="101"`,
		"5 error <script> has no file",
		`6 warning autostart="yes" means false`, `6 warning the failover domain "nowhere" does not exist`,
		`6 error <script ref="u"> names nothing in <resources>`, `6 error <script file="f"> stands in line 5 already`, "6 error <openvz> has no name",
		"7 error <service> has no name", "8 warning the type <strange> is not known here", "8 warning <strange> stands directly below <rm>",
		`9 warning the name "a&b" holds one of & < "`, "9 warning <openvz> stands directly below <rm>",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	sound := strings.NewReplacer(`<xen ref="gone"/>`, "", `<action name="status" depth="*" interval="5s"/>`, "", ` path="ignored"`, "").Replace(sample)
	if all := parse(t, sound).Check(nil, RHEL5); len(all) > 0 {
		t.Errorf("a sound file: %v", all)
	}
	if !bytes.Contains([]byte(d.Check(nil)[0].String()), []byte("cluster.conf:1:1: error: ")) {
		t.Error(d.Check(nil)[0])
	}
}
