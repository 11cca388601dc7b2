package balance

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

func goldenPass(t *testing.T) *Pass {
	t.Helper()
	in := world()
	in.Config.Balance = append(in.Config.Balance, "nobody")
	in.View.VMs[1].Frozen = true
	in.Refused = []Refusal{{VM: "openvz:101", Node: "n3", Why: "it has the name already"}}
	p := mustDecide(t, in)
	for i := range p.Decisions { // what the language would say
		for j := range p.Decisions[i].Candidates {
			if c := &p.Decisions[i].Candidates[j]; c.Trace != nil {
				c.Trace = &perl.Trace{Steps: []perl.Step{{Line: 11, Col: 6, Source: "average(res('cpu',5)) > 0.70", Text: "0.9 > 0.7", Result: "true"}}}
			}
		}
	}
	return p
}

func TestPassGolden(t *testing.T) {
	line, err := EncodePass(goldenPass(t))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		t.Error("not one line")
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, line, "", " "); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "pass.golden.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), pretty.String()); d != "" {
		t.Error(d)
	}
	noNullLists(t, line)
}

// noNullLists looks for lists that were written as null, by the names of the fields that are lists.
func noNullLists(t *testing.T, line []byte) {
	t.Helper()
	for _, name := range []string{"refused", "nodes", "placements", "vms", "decisions", "rails", "reads", "candidates", "vetoes", "steps"} {
		if bytes.Contains(line, []byte(`"`+name+`":null`)) {
			t.Errorf("%s is null", name)
		}
	}
}

func TestPassRoundTrip(t *testing.T) {
	empty := &Pass{At: testNow}
	for _, p := range []*Pass{goldenPass(t), empty} {
		line, err := EncodePass(p)
		if err != nil {
			t.Fatal(err)
		}
		noNullLists(t, line)
		back, err := DecodePass(line)
		if err != nil {
			t.Fatal(err)
		}
		again, err := EncodePass(back)
		if err != nil || !bytes.Equal(line, again) {
			t.Errorf("%v\n%s\n%s", err, line, again)
		}
		if !reflect.DeepEqual(back.View.VMs, p.View.VMs) || len(back.Decisions) != len(p.Decisions) || !reflect.DeepEqual(back.Refused, p.Refused) {
			t.Errorf("%+v\n%+v", back.View, p.View)
		}
	}
}

func TestPassLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), PassesName)
	if got, _, err := ReadPasses(path, testNow); err != nil || len(got) > 0 {
		t.Fatalf("%v %v", got, err)
	}
	p := goldenPass(t)
	for i := range 300 {
		q := *p
		q.At = testNow.Add(time.Duration(i) * time.Minute)
		if err := AppendPass(path, &q); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2008-`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, skipped, err := ReadPasses(path, testNow.Add(295*time.Minute))
	if err != nil || len(got) != 5 || skipped != 1 || !got[0].At.Equal(testNow.Add(295*time.Minute)) {
		t.Errorf("%d passes, %d skipped, %v", len(got), skipped, err)
	}
}

// In a large cluster the silent candidates are left out, and a list of placements that many VMs share stands once.
func TestPassIsSmall(t *testing.T) {
	p := mustDecide(t, big(100, 1000, 0.05))
	line, err := EncodePass(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > 1<<20 || strings.Count(string(line), `"score":1`) < 100 {
		t.Errorf("%d bytes", len(line))
	}
	back, err := DecodePass(line)
	if err != nil || len(back.View.VMs[999].MayRun) != 100 {
		t.Fatalf("%v", err)
	}
	d := decisionOf(t, back, p.Moves()[0].VM)
	if n := len(d.Candidates); n == 0 || n > 2*keptCandidates || d.Considered != 99 || d.chosen() == nil || d.chosen().Rank != 1 {
		t.Errorf("%d candidates of a move: %+v", n, d)
	}
}

func FuzzDecodePass(f *testing.F) {
	f.Add([]byte(`{"at":"2008-01-15T14:30:00Z","placements":[[{"node":"n1","score":1}]],"vms":[{"name":"1","may_run":0}],"decisions":[{"candidates":[{"steps":[{}],"measured":{}}]}]}`))
	f.Add([]byte(`{"at":"2008-01-15T14:30:00Z","vms":[{"may_run":-1}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := DecodePass(line)
		if err != nil {
			return
		}
		again, err := EncodePass(p)
		if err != nil {
			return // a year above 9999
		}
		noNullLists(t, again)
	})
}
