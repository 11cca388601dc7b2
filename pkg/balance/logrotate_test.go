package balance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// TestLogrotate rotates with the configuration that is shipped, as every node does: what is behind the rotation is found,
// and the second node's run changes nothing.
func TestLogrotate(t *testing.T) {
	program := real.Need(t, "logrotate")
	shipped, err := os.ReadFile("../../packaging/logrotate/lbvm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	logs := filepath.Join(dir, "log")
	if err := os.Mkdir(logs, 0o750); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(shipped), "/gfs/lbvm/log/", logs+"/")
	if strings.Count(text, logs) != 5 {
		t.Fatalf("the paths of the shipped configuration are others:\n%s", shipped)
	}
	text = strings.NewReplacer("size 4M", "size 4k", "size 512M", "size 4k").Replace(text) // else the files had to be as large
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var samples strings.Builder
	for i := 600; i > 0; i-- {
		samples.WriteString(sampleLine(time.Duration(i)*time.Minute, float64(i)))
	}
	if err := os.WriteFile(filepath.Join(logs, "node1.example.com-cpu"), []byte(samples.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	journal := OpenJournal(filepath.Join(logs, JournalName))
	for i := 40; i > 0; i-- {
		at := testNow.Add(-time.Duration(i) * time.Minute)
		m := Move{Txn: fmt.Sprint("t", i), VM: "xen:web", From: "n1", To: "n2", Kind: "live", By: "lbm", Begin: at}
		if err := journal.Append(m); err != nil {
			t.Fatal(err)
		}
		m.End, m.Outcome = at.Add(time.Second), OutcomeMoved
		if err := journal.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	pass := goldenPass(t)
	passes := filepath.Join(logs, PassesName)
	for i := 3; i > 0; i-- {
		pass.At = testNow.Add(-time.Duration(i) * time.Minute)
		if err := AppendPass(passes, pass); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range []string{"node1", "node2"} { // each has a state of its own
		out, err := exec.Command(program, "-s", filepath.Join(dir, "state-"+node), conf).CombinedOutput()
		if err != nil {
			t.Fatalf("logrotate on %s: %v: %s", node, err, out)
		}
		for name, lines := range map[string]string{"node1.example.com-cpu": sampleLine(0, 7), JournalName: "", PassesName: ""} {
			if _, err := os.Stat(filepath.Join(logs, name+".1")); err != nil {
				t.Fatalf("on %s: %v", node, err)
			}
			if _, err := os.Stat(filepath.Join(logs, name+".2")); err == nil {
				t.Errorf("%s was rotated again on %s", name, node)
			}
			if node == "node1" && lines != "" {
				if err := os.WriteFile(filepath.Join(logs, name), []byte(lines), 0o640); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	got, err := NewLogs(logs, map[string]string{"cpu": "cpu"}, 3*time.Minute).Window("node1.example.com", "cpu", testNow.Add(-5*time.Minute), testNow)
	if want := "[7 1 2 3 4]"; err != nil || fmt.Sprint(values(got)) != want {
		t.Errorf("samples %v, want %s: %v", values(got), want, err)
	}
	if moves, err := journal.Since(testNow.Add(-time.Hour)); err != nil || len(moves) != 40 || moves[39].Outcome != OutcomeMoved {
		t.Errorf("%d moves: %v", len(moves), err)
	}
	if p, err := PassAt(passes, testNow.Add(-2*time.Minute), time.Hour); err != nil || !p.At.Equal(testNow.Add(-2*time.Minute)) {
		t.Errorf("the pass: %v %v", p, err)
	}
}
