package balance

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// A VM's part of a resource is what was measured of it, in the resource's unit; else an even share.
func TestMeasuredPartOfAnotherResource(t *testing.T) {
	in := world()
	in.Config.Resources = append(in.Config.Resources, Resource{Name: "io", Log: "io", Load: true})
	s := in.Samples.(*MemorySamples)
	steady(s, "n1", "io", 80, 10)
	steady(s, "n2", "io", 60, 10)
	steady(s, "n3", "io", 70, 10)
	in.Config.Balance = []string{"101"}
	in.Config.Default = rule(func(e *evaluation) error {
		if _, err := e.window("io", 5, false); err != nil {
			return err
		}
		if w, err := e.window("io", 5, true); err != nil || w.read.Average >= 70 {
			return err
		}
		e.say(SaidMigrate, 0, perl.Position{Line: 1})
		return nil
	})
	in.View.VMs[1].Owner = "n2" // 101 is alone: an even share is all of it
	held := func(want string) {
		t.Helper()
		d := decisionOf(t, mustDecide(t, in), "openvz:101")
		text := d.Why
		for _, c := range d.Candidates {
			for _, v := range c.Vetoes {
				text += "\n" + v.Rail + ": " + v.Text
			}
		}
		if want == "" && d.Target != "n2" || !strings.Contains(text, want) {
			t.Errorf("to %q, held back by %s", d.Target, text)
		}
	}
	held("projected-load: io of n2 would be 140 with it (an even share), and is 80 on n1 now")
	in.View.VMs[0].Uses = map[string]float64{"net": 1}
	held("io of n2 would be 140 with it (an even share)")
	in.View.VMs[0].Uses["io"] = 15
	in.View.VMs[0].Cores = 3 // says nothing of io
	held("")
	in.View.VMs[0].Uses["io"] = 16.5
	held("projected-load: io of n2 would be 76.5 with it (measured), and is 80 on n1 now")

	// The record of the pass knows it for whoever decides again.
	p := mustDecide(t, in)
	line, err := EncodePass(p)
	if err != nil || !bytes.Contains(line, []byte(`"uses":{"io":16.5,"net":1}`)) {
		t.Fatalf("%v\n%s", err, line)
	}
	if back, err := DecodePass(line); err != nil || back.View.VMs[0].Uses["io"] != 16.5 || back.View.VMs[1].Uses != nil {
		t.Errorf("%v %+v", err, back)
	}
}

// The mean of a window does not hold all of a VM that came within it.
func TestArrivalsCountWhole(t *testing.T) {
	for _, c := range []struct {
		name string
		came func(in *Input)
		want string // of 0.30 and the half of a node that 101 uses
	}{
		{"nobody came", func(*Input) {}, "0.8"},
		{"a minute ago, so four fifths of its quarter are lacking", func(in *Input) { in.View.VMs[2].LastOwner, in.View.VMs[2].Since = "n3", testNow.Add(-time.Minute) }, "1"},
		{"before the window", func(in *Input) { in.View.VMs[2].LastOwner, in.View.VMs[2].Since = "n3", testNow.Add(-6*time.Minute) }, "0.8"},
		{"it only changed its state", func(in *Input) { in.View.VMs[2].LastOwner, in.View.VMs[2].Since = "n2", testNow.Add(-time.Minute) }, "0.8"},
		{"it left", func(in *Input) { in.View.VMs[1].LastOwner, in.View.VMs[1].Since = "n2", testNow.Add(-time.Minute) }, "0.8"},
		{"only the journal knows it", func(in *Input) {
			in.Recent = []Move{{VM: "xen:web", From: "n3", To: "n2", Owner: "n2", Begin: testNow.Add(-3 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeMoved}}
		}, "1"},
		{"both know it", func(in *Input) {
			in.View.VMs[2].LastOwner, in.View.VMs[2].Since = "n3", testNow.Add(-time.Minute)
			in.Recent = []Move{{VM: "xen:web", From: "n3", To: "n2", Owner: "n2", Begin: testNow.Add(-3 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeMoved}}
		}, "1"},
		{"its move failed", func(in *Input) {
			in.Recent = []Move{{VM: "openvz:102", From: "n1", To: "n2", Owner: "n1", Begin: testNow.Add(-3 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeFailed}}
		}, "0.8"},
	} {
		in := world()
		cores(&in, 16)
		in.View.VMs[0].Cores, in.View.VMs[2].Cores = 8, 4
		c.came(&in)
		r := newRound(in, Rails())
		for range 2 { // the second is kept
			x := in.Config.Resources[0]
			then, err := r.after(&r.in.View.VMs[0], x, 5, r.nodes["n2"])
			if got := fmt.Sprintf("%.4g", then); err != nil || got != c.want {
				t.Errorf("%s: n2 with it: %s %v, want %s", c.name, got, err, c.want)
			}
		}
	}
}
