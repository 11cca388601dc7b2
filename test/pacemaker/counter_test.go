package pacemaker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
)

// What the host watches by must see what it is there for.
func TestCounterTells(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []string
		ups, n int
		broken bool
	}{
		{"a boot", []string{"GUEST-UP\ntick 1\nti", "ck 2\n"}, 1, 2, false},
		{"a killed guest's half line", []string{"GUEST-UP\ntick 1\ntiSeaBIOS\nGUEST-UP\ntick 1\n"}, 2, 1, false},
		{"a killed guest's half line before the next one's first", []string{"GUEST-UP\ntick 1\ntick GUEST-UP\ntick 1\n"}, 2, 1, false},
		{"a number that is missing", []string{"GUEST-UP\ntick 1\ntick 3\n"}, 1, 3, true},
		{"memory of before", []string{"GUEST-UP\ntick 1\ntick 2\ntick 1\n"}, 1, 1, true},
		{"two that count from the same", []string{"GUEST-UP\ntick 1\ntick 2\ntick 2\ntick 3\ntick 3\n"}, 1, 3, true},
		{"two in one line", []string{"GUEST-UP\ntick 1\ntictick 2\n"}, 1, 1, true},
	} {
		g := &guest{name: "web1"}
		for _, w := range c.writes {
			g.hear(w, time.Unix(1, 0))
		}
		if now := g.now(); now.up != c.ups || now.n != c.n || (len(g.broken) > 0) != c.broken {
			t.Errorf("%s: %+v, broken %q", c.name, now, g.broken)
		}
	}
}

func TestTwoProcessesAreTold(t *testing.T) {
	for _, c := range []struct {
		name, record string
		on           []string
		allowed      bool
	}{
		{"pushed", "sending node1 node2", []string{"node1", "node2"}, true},
		{"pushed to another", "sending node1 node3", []string{"node1", "node2"}, false},
		{"three", "sending node1 node2", []string{"node1", "node2", "node2"}, false},
		{"runs", "running node1 ", []string{"node1", "node2"}, false},
		{"no record", "", []string{"node1", "node2"}, false},
	} {
		shared := t.TempDir()
		phase, rest, _ := strings.Cut(c.record, " ")
		node, to, _ := strings.Cut(rest, " ")
		if phase != "" {
			if err := os.MkdirAll(filepath.Join(shared, handoff.Folder), 0o700); err != nil {
				t.Fatal(err)
			}
			d, err := handoff.Open(shared, "kvm", "web1")
			if err != nil {
				t.Fatal(err)
			}
			l, err := d.TryLock("the test")
			if err != nil {
				t.Fatal(err)
			}
			st := handoff.State{Phase: handoff.Running, Node: node, Boot: "b"}
			if phase == "sending" {
				txn, err := handoff.NewTxn()
				if err != nil {
					t.Fatal(err)
				}
				st.Phase, st.To, st.Txn = handoff.Sending, to, txn
			}
			if _, err := l.Read(); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Write(st); err != nil {
				t.Fatal(err)
			}
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
		w := &watch{b: &bench{shared: shared}}
		var found []*span
		for i, n := range c.on {
			found = append(found, &span{guest: "web1", node: n, pid: i + 2})
		}
		if why := w.allowed("web1", found); (why == "") != c.allowed {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
