package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/notify"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// watchedBy adds statements to lbvm.conf.
func (w *world) watchedBy(statements string) { w.write("shared/lbvm.conf", goodConf+statements) }

// told is a teller that keeps what it is given.
type told struct {
	mu     sync.Mutex
	events []string
	do     func(e notify.Event) error
}

func (t *told) Send(_ context.Context, _ conf.Notify, e notify.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e.Event+": "+e.Text)
	if t.do != nil {
		return t.do(e)
	}
	return nil
}

// A real command and a real server are told of a move, each of what it asked for.
func TestAMoveIsTold(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	var got []notify.Event
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var e notify.Event
		b, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(b, &e) != nil {
			t.Errorf("%q %v", b, err)
		}
		got = append(got, e)
	}))
	defer server.Close()
	if err := os.MkdirAll(filepath.Join(w.root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.root, "bin/page"), []byte("#!/bin/sh\nprintf '%s\\n' \"$1 $LBVM_EVENT $LBVM_VM $LBVM_TARGET\" >>\"$LBVM_ROOT/paged\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.watchedBy("notify failed, nothing /bin/page never;\nnotify all /bin/page ops;\nnotify move " + server.URL + "/hook;\n")
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if text := w.read("paged"); text != "ops move openvz:101 node2\n" {
		t.Errorf("the command was told %q", text)
	}
	if len(got) != 1 || got[0].Event != "move" || got[0].Cluster != "test" || got[0].Node != "node1" || got[0].Test || !strings.HasPrefix(got[0].Text, "openvz:101 was moved from node1 to node2, memory kept: ") {
		t.Errorf("the server was told %+v", got)
	}
}

// One who cannot be told fails nothing, and nothing waits for him: the record is written and both locks are free.
func TestTellingHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.mon.Mover = func(move.Mover) Mover {
		return &mover{do: func(r move.Request) (balance.Move, error) {
			return balance.Move{VM: "openvz:" + r.VM, From: "node1", To: r.Target, Outcome: balance.OutcomeFailed, Owner: "node1", Begin: noon(), End: noon().Add(time.Second)}, move.ErrFailed
		}}
	}
	w.watchedBy("notify all /bin/page;\nnotify all https://hooks.example.org/secret;\n")
	asked := 0
	w.mon.Teller = &told{do: func(notify.Event) error {
		asked++
		for _, lock := range []string{w.mon.Host.Path(lbvmagent.LockFile), filepath.Join(w.root, "shared", PassLock)} {
			if held, err := lockfile.Held(lock); held || err != nil {
				t.Errorf("%s is held while somebody is told (%v)", lock, err)
			}
		}
		if r := w.last(w.mon); r.Outcome != lbvmagent.OK || !r.At.Equal(noon()) {
			t.Errorf("record %+v", r)
		}
		return errors.New("nobody answers")
	}}
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if asked != 2 || strings.Count(w.log.String(), "nobody answers") != 2 {
		t.Errorf("asked %d times, log\n%s", asked, w.log)
	}
}

// A move that was refused has changed nothing, and is no event; one whose monitor died is told by the pass that ends it.
func TestWhichMovesAreTold(t *testing.T) {
	w := newWorld(t)
	w.hot()
	teller := &told{}
	w.mon.Teller = teller
	w.watchedBy("notify move, failed /bin/page;\n")
	w.decides(migrates("openvz:101", "node2"))
	begun := balance.Move{Txn: "t1", VM: "openvz:102", From: "node1", To: "node3", Kind: "image", By: By, Why: "hot", Begin: noon().Add(-10 * time.Minute)}
	if err := balance.OpenJournal(filepath.Join(w.root, "shared/lbvm/log", balance.JournalName)).Append(begun); err != nil {
		t.Fatal(err)
	}
	w.mon.Mover = func(move.Mover) Mover {
		return ending{&mover{do: func(move.Request) (balance.Move, error) { return balance.Move{}, move.ErrRefused }}}
	}
	res, err := w.mon.Run(context.Background())
	if err != nil || len(res.Moves) == 0 {
		t.Fatalf("%+v %v", res, err)
	}
	if len(teller.events) != 1 || !strings.HasPrefix(teller.events[0], "failed: openvz:102 was not moved from node1 to node3: hot; it is on node1") {
		t.Errorf("%q", teller.events)
	}
}

// ending is a mover that finds that a move of a dead monitor has failed.
type ending struct{ *mover }

func (ending) Finish(_ context.Context, m balance.Move, _ bool) (balance.Move, error) {
	m.End, m.Outcome, m.Owner = noon(), balance.OutcomeFailed, "node1"
	return m, nil
}

// A node that no pass relieves is told of once, though each pass is a process of its own.
func TestBalancingBringsNothing(t *testing.T) {
	w := newWorld(t)
	teller := &told{}
	w.mon.Teller = teller
	w.watchedBy("notify nothing /bin/page;\n")
	stuck := balance.Decision{VM: "openvz:101", Owner: "node1", Candidates: []balance.Candidate{{Node: "node2", Said: balance.SaidMigrate, Vetoes: []balance.Veto{{Rail: "projected-load"}}}}}
	w.decides(stuck)
	for i := range 70 {
		w.now.now = noon().Add(time.Duration(i) * time.Minute)
		m := w.mon
		if _, err := m.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i == 58 && len(teller.events) > 0 {
			t.Fatalf("after an hour less a minute: %q", teller.events)
		}
	}
	if len(teller.events) != 1 || !strings.HasPrefix(teller.events[0], "nothing: balancing brings node1 nothing: ") {
		t.Errorf("%q", teller.events)
	}
	// That it cannot be kept what was told is no reason not to make a pass.
	if err := os.Remove(filepath.Join(w.root, "shared/lbvm/log", notify.LastingName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.root, "shared/lbvm/log", notify.LastingName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := w.mon.Run(context.Background()); err != nil || !strings.Contains(w.log.String(), "what goes on for long cannot be told") {
		t.Errorf("%v\n%s", err, w.log)
	}
}

// The metrics of a pass stand in one file, and the next process goes on from it.
func TestMetricsOfAPass(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	w.watchedBy("metrics /var/metrics;\n")
	if _, err := w.mon.Run(context.Background()); err != nil || !strings.Contains(w.log.String(), "metrics not written") {
		t.Fatalf("without the folder: %v\n%s", err, w.log)
	}
	if err := os.MkdirAll(filepath.Join(w.root, "var/metrics"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.samples("node2", 0.1)
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	seen := func(want ...string) {
		t.Helper()
		text := w.read("var/metrics/lbvm.prom")
		for _, line := range want {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("no %q in\n%s", line, text)
			}
		}
	}
	seen(`lbvm_passes_total{outcome="ok"} 1`, `lbvm_node_guests{node="node1"} 1`, `lbvm_node_guests{node="node2"} 1`, `lbvm_vms_balanced 2`, `lbvm_cluster_quorate 1`,
		`lbvm_resource_value{node="node1",resource="cpu"} 0.9`, `lbvm_resource_sample_timestamp_seconds{node="node3",resource="cpu"} 1195646380`, `lbvm_node_memory_bytes{node="node1"} 8589934592`)
	w.decides(migrates("openvz:102", "node3"))
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	seen(`lbvm_passes_total{outcome="ok"} 2`, `lbvm_moves_total{outcome="moved"} 1`, `lbvm_moves_total{outcome="failed"} 0`)
	w.mgr.answer = func() error { return errors.New("clustat says nothing") }
	if _, err := w.mon.Run(context.Background()); err == nil {
		t.Fatal("it did not fail")
	}
	seen(`lbvm_passes_total{outcome="ok"} 2`, `lbvm_passes_total{outcome="failed"} 1`, `lbvm_moves_total{outcome="moved"} 1`)
	if text := w.read("var/metrics/lbvm.prom"); strings.Contains(text, "lbvm_node_") {
		t.Errorf("it tells of nodes of which nothing is known:\n%s", text)
	}
	if _, err := w.mon.Plan(context.Background(), func(conf.Diagnostic) {}); err == nil {
		t.Error("a dry run without clustat")
	}
	seen(`lbvm_passes_total{outcome="failed"} 1`) // a dry run counts nothing
}
