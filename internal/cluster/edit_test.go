package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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

// What is known of an edit that cibadmin did not make is said; one that came too late is made anew, not overwritten; and where no
// answer came it is found out.
func TestEditsThatFail(t *testing.T) {
	edited := func(p *patched) { p.edit(`score="50"`, `score="51"`) }
	for name, x := range map[string]struct {
		verify  []run.Result // the old configuration, the new one, and so on
		cib     patched
		before  func(p *patched, n int)
		patches int
		bumps   int
		ok      bool
		says    string
	}{
		"done": {patches: 1, ok: true},
		"edited meanwhile": {before: func(p *patched, n int) {
			if n < 3 {
				edited(p)
				p.text = strings.Replace(p.text, `score="51"`, `score="50"`, 1)
			}
		}, patches: 3, ok: true},
		"its state has changed meanwhile": {before: func(p *patched, n int) {
			if n < 3 {
				p.text = strings.Replace(p.text, `num_updates="`, `num_updates="1`, 1)
			}
		}, patches: 3, ok: true},
		"edited again and again": {before: func(p *patched, n int) { p.raise() }, patches: editTries, says: "stands as it was"},
		"refused":                {cib: patched{codes: []int{78}}, patches: 1, says: "stands as it was"},
		"refused in words of another language, by the code of an old version": {cib: patched{codes: []int{103}}, patches: 1, says: "stands as it was"},
		"no answer, and it was not made":                                      {cib: patched{lost: 1}, patches: busyTries, bumps: busyTries, says: "stands as it was"},
		"no answer, and it was made":                                          {cib: patched{lost: 1, arrive: true}, patches: 1, ok: true},
		"no answer, not made, and not known":                                  {cib: patched{lost: 1, noBump: true}, patches: 1, bumps: 1, says: "unknown: check with cibadmin"},
		"no answer, and somebody has edited it since": {cib: patched{lost: 1}, before: func(p *patched, n int) {
			if n == 1 {
				p.raise()
			} else {
				p.lost = 0
			}
		}, patches: 2, ok: true},
		"no answer in time":           {cib: patched{codes: []int{124}}, patches: 2, bumps: 1, ok: true},
		"the same, before 1.1.19":     {cib: patched{codes: []int{62}}, patches: 2, bumps: 1, ok: true},
		"not connected any more":      {cib: patched{codes: []int{102}}, patches: 2, bumps: 1, ok: true},
		"crm_verify has found it bad": {verify: []run.Result{{}, {Code: 78, Stderr: []byte("(unpack_it) error: bad")}}, says: "crm_verify: error: bad; the configuration of Pacemaker stands as it was"},
		"it was bad before": {verify: []run.Result{{Code: 78, Stderr: []byte("(f@x:1) error: no fencing")}, {Code: 78, Stderr: []byte("(f@x:2) error: no fencing")}},
			patches: 1, ok: true},
		"it was bad, and is worse": {verify: []run.Result{{Code: 78, Stderr: []byte("error: no fencing")}, {Code: 78, Stderr: []byte("error: no fencing\nerror: more")}}, says: "crm_verify: error: more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPacemaker(t, "started")
			p := x.cib
			p.t, p.text = t, w.cib.text
			w.cib = &p
			if x.before != nil {
				p.before = func(n int) { x.before(&p, n) }
			}
			w.answers["crm_verify"] = append(x.verify, run.Result{})
			_, err := EditCIB(context.Background(), w.h, w, false, func(c CIB) (Edit, error) { return newWish("win1", "n2", time.Unix(0, 0)).lay(c, time.Unix(0, 0)) })
			bumps := 0
			for _, r := range w.requests() {
				if r == "bump" {
					bumps++
				}
			}
			if (err == nil) != x.ok || p.n != x.patches || bumps != x.bumps || err != nil && !strings.Contains(err.Error(), x.says) || x.says != "" && errors.Is(err, ErrCIB) == strings.Contains(x.says, "unknown") {
				t.Errorf("%v after %d patches, %d bumps", err, p.n, bumps)
			}
			if there := strings.Contains(p.text, "cli-prefer-win1"); there != x.ok {
				t.Errorf("it is there: %v", there)
			}
		})
	}
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
