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

func TestSight(t *testing.T) {
	now := time.Unix(1290000600, 0)
	const rules = "default { algorithm { migrate() if average(res('cpu', 5)) > 0.7; } }"
	log := func(dir, name string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fmt.Sprintf("%d 0.5\n", now.Add(-age).Unix())), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, conf string
		change     func(s *Sight, dir string)
		want       string // in the only finding; "" is none
	}{
		{"all come in", "", func(*Sight, string) {}, ""},
		{"one resource of two is enough", "", func(_ *Sight, dir string) { log(dir, "b-cpu", time.Hour) }, ""},
		{"no log", "", func(_ *Sight, dir string) {
			os.Remove(filepath.Join(dir, "b-cpu"))
			os.Remove(filepath.Join(dir, "b-ram"))
		},
			"b is up, and its logs in /log do not come in: there is no b-cpu; there is no b-ram"},
		{"old logs", "", func(_ *Sight, dir string) { log(dir, "b-cpu", 3*time.Minute); log(dir, "b-ram", time.Hour) },
			"do not come in: no fresh data for cpu on b: the newest is 3m0s old; no fresh data for ram on b: the newest is 1h0m0s old"},
		{"no facts", "", func(s *Sight, _ string) { s.Facts = func(string) (time.Time, bool) { return time.Time{}, false } }, "b is up, and its facts are not here"},
		{"old facts", "", func(s *Sight, _ string) {
			s.Facts = func(string) (time.Time, bool) { return now.Add(-4 * time.Minute), true }
		}, "b is up, and its facts are 4m0s old"},
		{"a peer that is down", "", func(s *Sight, dir string) { s.Peers = nil; os.Remove(filepath.Join(dir, "b-cpu")) }, ""},
		{"its own disk", "", func(s *Sight, _ string) { s.Type = func(string) string { return "xfs" } }, "logdir /log lies on xfs, which no other node sees"},
		{"a type that nobody knows", "", func(s *Sight, _ string) { s.Type = func(string) string { return "fuse.x" } }, ""},
		{"its own disk, and lblog sends", "logs push;", func(s *Sight, _ string) { s.Type = func(string) string { return "xfs" } }, ""},
		{"all see it, and lblog sends", "logs push;", func(*Sight, string) {}, "warning lbvm.conf:3:6 [] [] logs push; sends what all nodes see already"},
		{"it lies on the share, and lblog sends", "logs push;", func(s *Sight, _ string) {
			s.Type, s.Common = func(string) string { return "fuse.x" }, func(dir string) bool { return dir == "/log" }
		}, "sends what all nodes see already: logdir /log is shared"},
		{"it does not lie on the share, and lblog sends", "logs push;", func(s *Sight, _ string) {
			s.Type, s.Common = func(string) string { return "fuse.x" }, func(string) bool { return false }
		}, ""},
		{"lblog sends, and nothing comes", "logs push;", func(s *Sight, dir string) {
			s.Type = func(string) string { return "xfs" }
			log(dir, "b-cpu", time.Hour)
			log(dir, "b-ram", time.Hour)
		}, "b is up, and its logs"},
		{"one node", "", func(s *Sight, _ string) { s.Nodes, s.Type = 1, func(string) string { return "xfs" } }, ""},
		{"the share is not there", "", func(s *Sight, _ string) { s.Shared = fmt.Errorf("no marker") }, "logdir /log: no marker"},
		{"nothing is balanced", "balance ;", func(s *Sight, _ string) { s.Shared = fmt.Errorf("no marker") }, ""},
	} {
		dir := t.TempDir()
		for _, name := range []string{"b-cpu", "b-ram"} {
			log(dir, name, time.Minute)
		}
		s := &Sight{Dir: func(string) string { return dir }, Type: func(string) string { return "gfs2" }, Nodes: 2, Peers: []string{"b"}, Now: now,
			Facts: func(string) (time.Time, bool) { return now.Add(-time.Minute), true }}
		c.change(s, dir)
		text := "logdir /log;\n" + rules + "\n" + c.conf
		if !strings.Contains(c.conf, "balance") {
			text += "\nbalance 101;"
		}
		got := look(t, Input{Machines: machines(), Sight: s, LogDir: "/log"}, map[string]string{"lbvm.conf": text, conf.DefaultResources: resources})
		begin := "error lbvm.conf:1:8"
		if strings.Contains(c.name, "and lblog sends") {
			begin = "warning "
		}
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], begin) || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
