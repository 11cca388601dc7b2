package metrics

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/pkg/balance"
)

func noon() time.Time { return time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC) }

func pass() *balance.Pass {
	return &balance.Pass{At: noon(),
		View: balance.View{Quorate: true,
			Nodes: []balance.Node{{Name: "node2", Online: true, Cores: 16, MemFree: 4 << 30, MemTotal: 8 << 30, Seen: noon().Add(-40 * time.Second)}, {Name: "node1", Online: true}, {Name: "node3"}},
			VMs: []balance.VM{{Name: "101", Type: "openvz", Owner: "node2", State: balance.Started}, {Name: "102", Type: "openvz", Owner: "node2", State: balance.Started},
				{Name: "web", Type: "xen"}}},
		Decisions: []balance.Decision{{VM: "openvz:101", Candidates: []balance.Candidate{{Node: "node1", Said: balance.SaidMigrate}}}, {VM: "openvz:102", Verdict: balance.ReportOnly, Candidates: []balance.Candidate{{Said: balance.SaidReport}}}},
		Rails:     map[string]int{"cool-down": 1, "settling": 0},
	}
}

func input() Input {
	return Input{Version: `2.0 "beta" \ x`, At: noon(), Outcome: "ok", Took: 12500 * time.Millisecond, Decided: 300 * time.Millisecond, Pass: pass(), Balanced: 2, Rails: []string{"cool-down", "settling"},
		Values: map[string]map[string]Value{
			"node1": {"cpu": {At: noon().Add(-20 * time.Second), Value: 0.25, Fresh: true}, "ram": {At: noon().Add(-20 * time.Second), Value: 2048.5, Fresh: true}},
			"node2": {"cpu": {At: noon().Add(-time.Hour), Value: 0.9}, "ram": {At: noon().Add(-20 * time.Second), Value: -1e-7, Fresh: true}},
			"node3": {"cpu": {}, "ram": {}},
		},
		Moves: []Move{{Outcome: "moved", Took: 11600 * time.Millisecond}, {Outcome: "failed", Took: 30 * time.Second}, {Outcome: Refused}}}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestUpdate(t *testing.T) {
	first := Update(nil, input())
	golden(t, "first.prom", first)
	// The next pass is another process: it goes on from the file.
	second := Update(first, input())
	golden(t, "second.prom", second)
	// One that fails knows nothing of the nodes, and when the last good one was.
	failed := Update(second, Input{Version: "2.0", At: noon().Add(time.Minute), Outcome: "failed", Took: time.Second, Rails: []string{"cool-down", "settling"}})
	golden(t, "failed.prom", failed)
	for name, text := range map[string][]byte{"first": first, "second": second, "failed": failed} {
		if err := strict(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// promtool is the judge where it is installed (Debian's package prometheus); strict is the one that always is.
func TestPromtoolAgrees(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skipf("skipped: promtool is not here (%v); TestUpdate holds the text against the format by a parser of its own", err)
	}
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(Update(Update(nil, input()), input()))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCountersSurviveWhatIsSpoilt(t *testing.T) {
	first := Update(nil, input())
	for name, old := range map[string][]byte{
		"torn":          first[:len(first)/2],
		"not ours":      []byte("garbage\n \nlbvm_moves_total{outcome=\"moved\"} NaN\nlbvm_passes_total{outcome=\"ok\"} -3\nlbvm_reports_total 1e99\n"),
		"binary":        {0, 1, 2, 0xff, '\n'},
		"another split": bytes.ReplaceAll(first, []byte("\n"), []byte("\r\n")),
	} {
		got := Update(old, input())
		if err := strict(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "not ours" {
			if diff := cmp.Diff(string(first), string(got)); diff != "" {
				t.Errorf("%s: it does not begin anew:\n%s", name, diff)
			}
		}
	}
}

func TestStrictSeesWhatIsWrong(t *testing.T) {
	for _, bad := range []string{
		"a 1", "a 1\n", "# TYPE a gauge\na 1\n", "# HELP a x\n# TYPE a gage\na 1\n", "# HELP a x\n# TYPE a gauge\nb 1\n", "# HELP a x\n# TYPE a gauge\na one\n",
		"# HELP a x\n# TYPE a gauge\na 1\na 2\n", "# HELP a x\n# TYPE a gauge\na{b=\"x} 1\n", "# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n", "# HELP a x\n# TYPE a gauge\na{1b=\"\"} 1\n",
		"# HELP a x\n# TYPE a counter\na 1\n", "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\nb 1\n# HELP a x\n# TYPE a gauge\na{c=\"d\"} 1\n",
		"# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "# HELP a x\n# TYPE a gauge\na{b=\"x\"c=\"y\"} 1\n", "# HELP a x\n# TYPE a gauge\n",
	} {
		if strict([]byte(bad)) == nil {
			t.Errorf("nothing wrong with %q", bad)
		}
	}
	if err := strict([]byte("# HELP a_total it's \\\\ fine\n# TYPE a_total counter\na_total{b=\"x\\\"\\\\\\n}\",c=\"\"} 1\n")); err != nil {
		t.Error(err)
	}
}
