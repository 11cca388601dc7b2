package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

const smallCIB = `<cib admin_epoch="1" epoch="7" num_updates="3">
  <configuration>
    <crm_config/>
    <nodes><node id="1" uname="n1"/><node id="2" uname="far" type="remote"/></nodes>
    <resources>
      <primitive id="a" class="ocf" provider="lbvm" type="kvm"><instance_attributes id="a-p"><nvpair id="a-n" name="name" value="web"/></instance_attributes></primitive>
      <group id="g"><primitive id="b" class="ocf" provider="lbvm" type="xen"><instance_attributes id="b-p"><nvpair id="b-n" name="name" value="db"/></instance_attributes></primitive></group>
    </resources>
    <constraints/>
  </configuration>
  <status><resources/></status>
</cib>`

func TestEdits(t *testing.T) {
	c, err := newCIB([]byte(smallCIB))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Nodes(), " "); got != "n1" {
		t.Errorf("nodes %s", got)
	}
	for _, x := range []struct{ typ, vm, service string }{{"kvm", "web", "primitive:a"}, {"xen", "db", "group:g"}, {"xen", "web", ""}} {
		if got, ok := c.Machine(x.typ, x.vm); got != x.service || ok != (x.service != "") {
			t.Errorf("%+v: %q", x, got)
		}
	}
	e, err := c.Add(Added{`<primitive id="n"/>`, []string{`<rsc_location id="lbvm-n-1" rsc="n"/>`, `<rsc_location id="lbvm-n-2" rsc="n"/>`}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `<diff format="2"><version><source admin_epoch="1" epoch="7" num_updates="3"/><target admin_epoch="1" epoch="8" num_updates="0"/></version>` +
		`<change operation="create" path="/cib/configuration/resources" position="2"><primitive id="n"/></change>` +
		`<change operation="create" path="/cib/configuration/constraints" position="0"><rsc_location id="lbvm-n-1" rsc="n"/></change>` +
		`<change operation="create" path="/cib/configuration/constraints" position="1"><rsc_location id="lbvm-n-2" rsc="n"/></change></diff>`
	if got := e.Patch(); got != want {
		t.Errorf("the patch is\n%s", got)
	}
	text := strings.NewReplacer("    </resources>\n    <constraints/>", `    <primitive id="n"/></resources>`+"\n    "+`<constraints><rsc_location id="lbvm-n-1" rsc="n"/><rsc_location id="lbvm-n-2" rsc="n"/></constraints>`).Replace(smallCIB)
	if string(e.text) != text {
		t.Errorf("the configuration will be\n%s", e.text)
	}
	// Back again: what goes with the resource goes, too.
	after, err := newCIB(e.text)
	if err != nil {
		t.Fatal(err)
	}
	back, was, err := after.Remove("n")
	if err != nil || was.Resource != `<primitive id="n"/>` || len(was.Constraints) != 2 {
		t.Errorf("%+v, %v", was, err)
	}
	if got := string(back.text); got != strings.Replace(smallCIB, "<constraints/>", "<constraints></constraints>", 1) {
		t.Errorf("what is left is\n%s", got)
	}
	for _, id := range []string{"b", "g", "nosuch"} { // in a group, a group, nothing
		if _, _, err := c.Remove(id); err == nil {
			t.Errorf("%s was removed", id)
		}
	}
	other, err := newCIB([]byte(strings.Replace(smallCIB, "<constraints/>", `<constraints><rsc_colocation id="c" rsc="g" with-rsc="a"/></constraints>`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Remove("a"); err == nil || !strings.Contains(err.Error(), `"c" names a`) {
		t.Errorf("%v", err)
	}
}

// What is known of an edit that cibadmin did not make is said; one that came too late is made anew, not overwritten.
func TestEditsThatFail(t *testing.T) {
	old := run.Result{Code: 103, Stderr: []byte("Call cib_apply_diff failed: Update was older than existing configuration")}
	status := run.Result{Code: 1, Stderr: []byte("Call cib_apply_diff failed: Application of update diff failed")}
	for name, x := range map[string]struct {
		verify  []run.Result // the old configuration, the new one, and so on
		patch   []run.Result
		err     error // of the last command
		patches int
		ok      bool
		says    string
	}{
		"done":                        {patch: []run.Result{{}}, patches: 1, ok: true},
		"edited meanwhile":            {patch: []run.Result{old, status, {}}, patches: 3, ok: true},
		"edited again and again":      {patch: []run.Result{old}, patches: editTries, says: "stands as it was"},
		"refused":                     {patch: []run.Result{{Code: 78, Stderr: []byte("does not conform to the configured schema")}}, patches: 1, says: "stands as it was"},
		"the answer was lost":         {patch: []run.Result{{Code: 102}}, patches: 1, says: "unknown: check with cibadmin"},
		"ended by a signal":           {patch: []run.Result{{}}, err: run.ErrDeadline, patches: 1, says: "unknown: check with cibadmin"},
		"crm_verify has found it bad": {verify: []run.Result{{}, {Code: 78, Stderr: []byte("(unpack_it) error: bad")}}, says: "crm_verify: error: bad; the configuration of Pacemaker stands as it was"},
		"it was bad before": {verify: []run.Result{{Code: 78, Stderr: []byte("(f@x:1) error: no fencing")}, {Code: 78, Stderr: []byte("(f@x:2) error: no fencing")}},
			patch: []run.Result{{}}, patches: 1, ok: true},
		"it was bad, and is worse": {verify: []run.Result{{Code: 78, Stderr: []byte("error: no fencing")}, {Code: 78, Stderr: []byte("error: no fencing\nerror: more")}}, says: "crm_verify: error: more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cibadmin", "crm_verify")
			p := &patching{world: w, patch: x.patch, err: x.err}
			w.answers["crm_verify"] = append(x.verify, run.Result{})
			_, err := EditCIB(context.Background(), w.h, p, false, func(c CIB) (Edit, error) { return c.Add(Added{Resource: `<primitive id="n"/>`}) })
			if (err == nil) != x.ok || p.patches != x.patches || err != nil && !strings.Contains(err.Error(), x.says) || x.says != "" && errors.Is(err, ErrCIB) == strings.Contains(x.says, "unknown") {
				t.Errorf("%v after %d patches", err, p.patches)
			}
		})
	}
}

// patching is a cibadmin whose patches have answers of their own.
type patching struct {
	*world
	patch   []run.Result
	err     error
	patches int
}

func (p *patching) Run(ctx context.Context, c run.Command) (run.Result, error) {
	switch {
	case !strings.HasSuffix(c.Argv[0], "/cibadmin"):
		return p.world.Run(ctx, c)
	case c.Argv[1] == "--query":
		return run.Result{Stdout: []byte(smallCIB)}, nil
	}
	r := p.patch[min(p.patches, len(p.patch)-1)]
	p.patches++
	return r, p.err
}

func FuzzEdits(f *testing.F) {
	f.Add([]byte(smallCIB))
	f.Add([]byte(captured(f, "cibadmin-2.1.5-query.xml")))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := newCIB(text)
		if err != nil {
			return
		}
		e, err := c.Add(Added{Resource: `<primitive id="fuzzed"/>`})
		if err != nil {
			return
		}
		after, err := newCIB(e.text)
		if err != nil {
			t.Fatalf("%v: %q", err, e.text)
		}
		back, _, err := after.Remove("fuzzed")
		if err != nil {
			t.Fatalf("%v: %q", err, e.text)
		}
		if _, err := newCIB(back.text); err != nil {
			t.Errorf("%v: %q", err, back.text)
		}
	})
}
