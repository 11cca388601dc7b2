package ccs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const referring = `<cluster name="x" config_version="1">
  <rm>
    <events><event class="service" service="service:web" name="e"/><event class="node" node="web"/></events>
    <resources><service name="spare"/><script name="web" file="/a"/><vm name="def"/></resources>
    <service name='web' depend="service:db"><!-- web --><script ref="web"/><fs name="f" service_name="web"><x service_name="other"/></fs></service>
    <service name="db"><script name="s" service_name="web"/></service>
    <service name="mail" depend="service:web" depend_mode="soft"/>
    <service name="news" depend="web"/>
    <vm name="web" depend="SERVICE:web"/>
    <vm ref="def"/>
    <openvz name="web" depend="vm:web"/>
    <openvz name="101" depend="vm:def"/>
    <service ref="spare"/>
    <service name="webmail" depend="service:webmail2"/>
  </rm>
</cluster>
`

func TestRename(t *testing.T) {
	for _, c := range []struct {
		path, to string
		want     []string // old and new text of each place
	}{
		{"/cluster/rm/service[@name='web']", "it's", []string{
			`service="service:web"`, `service="service:it's"`, `<service name='web'`, `<service name='it&apos;s'`,
			`<fs name="f" service_name="web">`, `<fs name="f" service_name="it's">`,
			`name="mail" depend="service:web"`, `name="mail" depend="service:it's"`, `depend="web"`, `depend="it's"`, `depend="SERVICE:web"`, `depend="SERVICE:it's"`}},
		{"/cluster/rm/vm[@name='web']", "w", []string{`<vm name="web"`, `<vm name="w"`, `depend="vm:web"`, `depend="vm:w"`}},
		{"/cluster/rm/resources/vm", "d", []string{`<vm name="def"`, `<vm name="d"`, `<vm ref="def"`, `<vm ref="d"`, `depend="vm:def"`, `depend="vm:d"`}},
		{"/cluster/rm/resources/service", "s", []string{`<service name="spare"`, `<service name="s"`, `<service ref="spare"`, `<service ref="s"`}},
		{"/cluster/rm/resources/script", "s", []string{`<script name="web"`, `<script name="s"`, `<script ref="web"`, `<script ref="s"`}},
		{"/cluster/rm/service[@name='mail']", "mail", nil},
	} {
		d := parse(t, referring)
		want := referring
		for i := 0; i < len(c.want); i += 2 {
			if strings.Count(want, c.want[i]) != 1 {
				t.Fatalf("%s stands %d times", c.want[i], strings.Count(want, c.want[i]))
			}
			want = strings.Replace(want, c.want[i], c.want[i+1], 1)
		}
		x := Rename{find(t, d, c.path), c.to}
		got, err := d.Apply(x)
		if err != nil || string(got.src) != want {
			t.Errorf("%s: %v\n%s", c.path, err, unified("got", []byte(want), got.src))
		}
		if all, err := x.Mentions(); err != nil || len(all) != len(c.want)/2 {
			t.Errorf("%s: %v %v", c.path, all, err)
		}
	}
	all, err := Rename{find(t, parse(t, referring), "/cluster/rm/vm[@name='web']"), "w"}.Mentions()
	if want := `[line 9: <vm> name="web" becomes "w" line 11: <openvz> depend="vm:web" becomes "vm:w"]`; err != nil || fmt.Sprint(all) != want {
		t.Errorf("%v %v", all, err)
	}
}

// A definition and a group of one type and name: a ref means the definition.
func TestRenameBesideADefinition(t *testing.T) {
	src := `<cluster><rm><resources><vm name="a"/></resources><vm name="a"/><service name="s"><vm ref="a"/></service></rm></cluster>`
	d := parse(t, src)
	got, err := d.Apply(Rename{find(t, d, "/cluster/rm/vm"), "b"})
	if want := strings.Replace(src, `</resources><vm name="a"`, `</resources><vm name="b"`, 1); err != nil || string(got.src) != want {
		t.Errorf("%v %s", err, got.Bytes())
	}
}

func TestRenameRefuses(t *testing.T) {
	d := parse(t, referring)
	for _, c := range []struct {
		path, to string
		is       error
		say      string
	}{
		{"/cluster/rm/service[@name='web']", "db", ErrTaken, "line 6"},
		{"/cluster/rm/service[@name='web']", "spare", ErrTaken, "line 4"},
		{"/cluster/rm/service[@name='web']", "", nil, "empty"},
		{"/cluster/rm/vm[@ref]", "x", nil, "rename what it refers to"},
		{"/cluster/rm/service/fs", "x", nil, "is no service"},
		{"/cluster/rm/events", "x", ErrNoAttr, "name"},
		{"/cluster", "y", nil, "is no service"},
		{"/cluster/rm/service[@name='web']", "a\x01", nil, "may not stand"},
	} {
		got, err := d.Apply(Rename{find(t, d, c.path), c.to})
		if got != nil || err == nil || !strings.Contains(err.Error(), c.say) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s to %q: %v", c.path, c.to, err)
		}
	}
	if _, err := d.Apply(Rename{Element{}, "x"}); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if _, err := parse(t, referring).Apply(Rename{find(t, d, "/cluster/rm/vm"), "x"}); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
}
