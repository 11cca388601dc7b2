package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// A rule that asks for more than is read of a log never has data. That is told by the logs that are there, or by the interval.
func TestWindows(t *testing.T) {
	now := time.Unix(1290000600, 0)
	week := func(minutes int) string {
		return fmt.Sprintf("balance 101;\ndefault { algorithm {\n  migrate() if average(res('cpu', 5)) > 0.7 && max(res2('cpu', %d)) < 0.4;\n} }\n", minutes)
	}
	for _, c := range []struct {
		name, conf string
		step       time.Duration // of the log that is there; 0 is none
		want       string
	}{
		{"a month of a sample a minute", week(43200), 0, ""},
		{"a week of a sample in ten seconds", "interval 10s;\n" + week(10080), 0, "warning lbvm.conf:3:22 [default] [] the rule asks for 10080 minutes of cpu, and of a log at most 1024 KiB are read, which reach back 8738 minutes with a sample every 10s"},
		{"six days of that", "interval 10s;\n" + week(8000), 0, ""},
		{"the log is fuller than lbvm.conf says", week(10080), 10 * time.Second, "at the step of b-cpu: it will have no data"},
		{"it is emptier", "interval 10s;\n" + week(10080), time.Minute, ""},
		{"built in", "balance 101;\ndefault { algorithm relief; }\n", 10 * time.Second, ""},
	} {
		dir := t.TempDir()
		in := Input{Machines: machines(), LogDir: "/log"}
		if c.step > 0 {
			for node, step := range map[string]time.Duration{"a": time.Minute, "b": c.step} {
				var text strings.Builder
				for i := 500; i >= 0; i-- {
					fmt.Fprintf(&text, "%d 0.5123\n", now.Add(-time.Duration(i)*step).Unix())
				}
				for _, resource := range []string{"cpu", "ram"} {
					if err := os.WriteFile(filepath.Join(dir, node+"-"+resource), []byte(text.String()), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			in.Sight = &Sight{Dir: func(string) string { return dir }, Type: func(string) string { return "gfs2" }, Nodes: 2, Peers: []string{"b"}, Now: now}
		}
		got := look(t, in, map[string]string{"lbvm.conf": c.conf + "logdir /log;\n", conf.DefaultResources: resources})
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
