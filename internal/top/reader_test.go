package top

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// A reader asks the shared storage for facts, logs and passes once a minute, for the journal each time, and for all of them
// when a pass was made.
func TestReaderReadsAgainWhatIsNew(t *testing.T) {
	root := t.TempDir()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	id := host.Identity{Cluster: "test", UUID: "11111111-2222-4333-8444-555555555555", Member: "node1", Shared: "/shared", LogDir: "/shared/log"}
	for _, d := range []string{"etc/cluster", "shared/lbvm/nodes", "shared/log"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("shared/lbvm/cluster", string(id.Marker()))
	write("etc/cluster/lbvm.conf", "resources /etc/cluster/lbresources.conf;\nlogdir /shared/log;\nbalance 101;\n")
	write("etc/cluster/lbresources.conf", "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\n")
	if err := h.WriteIdentity(id); err != nil {
		t.Fatal(err)
	}
	passes, journal := filepath.Join(root, "shared/log", balance.PassesName), balance.OpenJournal(filepath.Join(root, "shared/log", balance.JournalName))
	pass := func(at time.Time) {
		t.Helper()
		p := &balance.Pass{At: at, View: balance.View{Quorate: true, Nodes: []balance.Node{{Name: "node1", Online: true}, {Name: "node2", Online: true}},
			VMs: []balance.VM{{Name: "101", Type: "openvz", Owner: "node1", State: balance.Started}}},
			Decisions: []balance.Decision{{VM: "openvz:101", Owner: "node1", Candidates: []balance.Candidate{{Node: "node2", Said: balance.SaidMigrate, Vetoes: []balance.Veto{{Rail: "settling"}}}}}}}
		if err := balance.AppendPass(passes, p); err != nil {
			t.Fatal(err)
		}
	}
	cpu := func(value float64, at time.Time) {
		write("shared/log/node1-cpu", fmt.Sprintf("%d %g\n%d %g\n", at.Add(-time.Minute).Unix(), value, at.Unix(), value))
	}
	pass(now())
	cpu(0.5, now())
	r := Reader{Host: h}
	read := func(after time.Duration) Snapshot {
		t.Helper()
		s, err := r.Read(now().Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	value := func(s Snapshot) float64 {
		t.Helper()
		v := s.Nodes[0].Values["cpu"]
		if v.Newest == nil || !v.Fresh {
			t.Fatalf("%+v", v)
		}
		return *v.Newest
	}
	s := read(time.Second)
	if value(s) != 0.5 || s.Nodes[0].Guests != 1 || s.Pass.Wanting != 1 || s.VMs[0].Held[0] != "settling" || len(s.Resources) != 2 || s.Resources[0].Full != 1 || !s.Resources[1].Free {
		t.Fatalf("%+v", s)
	}
	// A move that ends now is shown at once, with its VM where it went; the log is not read again.
	cpu(0.6, now().Add(5*time.Second))
	m := balance.Move{Txn: "1", VM: "openvz:101", From: "node1", To: "node2", By: "lbm", Begin: now().Add(2 * time.Second)}
	if err := journal.Append(m); err != nil {
		t.Fatal(err)
	}
	m.End, m.Outcome, m.Owner = now().Add(4*time.Second), balance.OutcomeMoved, "node2"
	if err := journal.Append(m); err != nil {
		t.Fatal(err)
	}
	s = read(6 * time.Second)
	if value(s) != 0.5 || s.Nodes[0].Guests != 0 || s.Nodes[1].Guests != 1 || *s.VMs[0].Node != "node2" || len(s.Moves) != 1 || s.Moves[0].Outcome != "moved" {
		t.Errorf("%+v", s)
	}
	if s = read(keep + time.Second); value(s) != 0.6 || !s.At.Equal(now().Add(keep+time.Second)) {
		t.Errorf("after its time: %+v", s)
	}
	cpu(0.7, now().Add(keep+2*time.Second))
	pass(now().Add(keep + 3*time.Second))
	if s = read(keep + 4*time.Second); value(s) != 0.7 || *s.VMs[0].Node != "node1" || s.Nodes[0].Guests != 1 {
		t.Errorf("after a pass: %+v", s)
	}
	// What has fallen silent shows its last value as old, and then nothing.
	if s = read(10 * time.Minute); s.Nodes[0].Values["cpu"].Fresh || *s.Nodes[0].Values["cpu"].Newest != 0.7 {
		t.Errorf("silent: %+v", s.Nodes[0].Values["cpu"])
	}
	if s = read(2 * time.Hour); s.Nodes[0].Values["cpu"].Newest != nil {
		t.Errorf("silent for long: %+v", s.Nodes[0].Values["cpu"])
	}
	write("etc/cluster/lbvm.conf", "balance 101")
	if s = read(3 * time.Hour); len(s.Resources) != 0 || len(s.Nodes) != 2 {
		t.Errorf("half a configuration: %+v", s)
	}
}
