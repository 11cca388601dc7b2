package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/testfiles"
)

func noon() time.Time { return time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC) }

// still is a clock that shows noon; its sleeps pass at once.
type still struct{}

func (still) Now() time.Time                                   { return noon() }
func (still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
func (still) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// manager answers with a status, and does what move says.
type manager struct {
	status cluster.Status
	err    error
	move   func(target string) error
	moved  int
}

func (m *manager) Status(context.Context) (cluster.Status, error) {
	out := m.status
	out.Services = append([]cluster.Service(nil), m.status.Services...)
	return out, m.err
}

func (m *manager) Move(_ context.Context, _, target string, _ bool) error {
	m.moved++
	return m.move(target)
}
func (m *manager) Enable(context.Context, string, string) error { return errors.New("nobody enables") }
func (m *manager) Restart(context.Context, string) error        { return errors.New("nobody restarts") }
func (m *manager) Disable(context.Context, string) error        { return errors.New("nobody disables") }

const lbvmConf = `sharedstorage /shared;
resources /shared/lbresources.conf;
logdir /shared/lbvm/log;
rail projected-load off; # its node has no other guest: it is all the load
balance 101;
default {
    algorithm {
        if (average(res('cpu', 5)) > 0.70 && average(res2('cpu', 2)) < 0.40) {
            migrate();
        }
    }
}
`

type fixture struct {
	t        *testing.T
	root     string
	mgr      *manager
	w        world
	out, err bytes.Buffer
}

// newFixture is a hot node1 with the container 101, an idle node2 and a node3 that is hot as well.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, root: t.TempDir(), mgr: &manager{}}
	h, err := host.New(f.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc/cluster", "var/run", "var/log", "dev", "shared/lbvm/nodes", "shared/lbvm/handoff", "shared/lbvm/lock", "shared/lbvm/log"} {
		if err := os.MkdirAll(filepath.Join(f.root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	id := host.Identity{Cluster: "test", UUID: "11111111-2222-4333-8444-555555555555", Member: "node1", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	if err := h.WriteIdentity(id); err != nil {
		t.Fatal(err)
	}
	f.write("shared/lbvm/cluster", string(id.Marker()))
	f.write("etc/hostname", "node1\n")
	f.write("etc/cluster/lbvm.conf", lbvmConf)
	f.write("shared/lbresources.conf", "resource cpu { builtin cpu; }\n")
	for node, value := range map[string]string{"node1": "0.9", "node2": "0.1", "node3": "0.8"} {
		var b strings.Builder
		for i := 10; i >= 0; i-- {
			fmt.Fprintf(&b, "%d %s\n", noon().Add(-20*time.Second-time.Duration(i)*time.Minute).Unix(), value)
		}
		f.write("shared/lbvm/log/"+node+"-cpu", b.String())
		facts := host.Facts{Member: node, Boot: "boot-" + node, At: noon().Add(-20 * time.Second), Cores: 4, MemTotal: 8 << 30, MemFree: 4 << 30,
			Arch: "x86_64", Kernel: "2.6.32", CPUFlags: []string{"fpu"}, Lists: []string{"openvz"}, Restores: []string{"openvz"}, Tools: map[string]string{"vzctl": "3.0.30"},
			VMs: []host.VMFact{{Type: "openvz", Name: "101", Mem: 1 << 30}}}
		if err := host.WriteFacts(filepath.Join(f.root, "shared"), facts); err != nil {
			t.Fatal(err)
		}
	}
	f.record(handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-node1"})
	may := []cluster.Placement{{Node: "node1", Score: 3}, {Node: "node2", Score: 3}, {Node: "node3", Score: 3}}
	f.mgr.status = cluster.Status{Quorate: true,
		Members:  []cluster.Member{{Name: "node1", Online: true, Local: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3", Online: true, Manager: true}},
		Services: []cluster.Service{{ID: "openvz:101", VM: "101", VMType: "openvz", Owner: "node1", State: cluster.Started, MayRun: may, Since: noon().Add(-24 * time.Hour)}}}
	log := logrus.New()
	log.SetOutput(io.Discard)
	f.w = world{host: h, clock: still{}, wait: still{}, manager: f.mgr, log: log, stdout: &f.out, stderr: &f.err}
	return f
}

func (f *fixture) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.root, path), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) record(steps ...handoff.State) {
	f.t.Helper()
	d, err := handoff.Open(filepath.Join(f.root, "shared"), "openvz", "101")
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		f.t.Fatal(err)
	}
	defer l.Unlock()
	for _, s := range steps {
		if _, err := l.Write(s); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fixture) run(args ...string) int {
	f.out.Reset()
	f.err.Reset()
	return f.w.main(context.Background(), append([]string{"lbmonitor"}, args...))
}

func (f *fixture) tree() map[string]string {
	f.t.Helper()
	return testfiles.Texts(f.t, f.root)
}

func TestDryRun(t *testing.T) {
	f := newFixture(t)
	before := f.tree()
	if code := f.run("--dry-run"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &f.err)
	}
	lines := strings.Split(strings.TrimSpace(f.out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "VM          NODE   VERDICT  TARGET  WHY") || !strings.HasPrefix(lines[1], "openvz:101  node1  migrate  node2   ") {
		t.Errorf("it printed:\n%s", &f.out)
	}
	// A rail that holds it is shown.
	f.mgr.status.Services[0].Frozen = true
	if code := f.run("-n"); code != 0 || !strings.Contains(f.out.String(), "openvz:101  node1  stay") || !strings.Contains(f.out.String(), "not-started") {
		t.Errorf("exit code %d, a frozen VM:\n%s%s", code, &f.out, &f.err)
	}
	if diff := cmp.Diff(before, f.tree()); diff != "" || f.mgr.moved != 0 {
		t.Errorf("it changed (-before +after):\n%s", diff)
	}
}

func TestDryRunAsJSON(t *testing.T) {
	f := newFixture(t)
	f.write("etc/cluster/lbvm.conf", strings.Replace(lbvmConf, "balance 101", "balance 101, 201", 1))
	if code := f.run("--dry-run", "-o", "json"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &f.err)
	}
	var got struct {
		Outcome *string
		Pass    struct {
			Decisions []struct{ VM, Verdict, Target string }
		}
		Moves    []any
		Warnings []string
	}
	if err := json.Unmarshal(f.out.Bytes(), &got); err != nil {
		t.Fatalf("%v in:\n%s", err, &f.out)
	}
	if got.Outcome != nil || got.Moves == nil || len(got.Pass.Decisions) != 2 || got.Pass.Decisions[0].Target != "node2" || len(got.Warnings) != 1 {
		t.Errorf("%+v", got)
	}
}

// A configuration is tried before it is put in place.
func TestDryRunOfAnotherConfiguration(t *testing.T) {
	f := newFixture(t)
	file := filepath.Join(f.root, "new.conf")
	f.write("new.conf", "balance 101\ninterval 60s;\n")
	if code := f.run("--dry-run", "--config", file); code != exitFailed || !strings.Contains(f.err.String(), "/new.conf:1:") || !strings.Contains(f.err.String(), "^") || !strings.Contains(f.err.String(), "nothing was changed") {
		t.Errorf("exit code %d: %s", code, &f.err)
	}
	f.write("new.conf", "resources /shared/lbresources.conf;\nbalance 101;\ndefault { info x; algorithm { if ((1) { migrate(); } } }\n")
	if code := f.run("--dry-run", "--config", file); code != exitFailed || !strings.Contains(f.out.String(), "its algorithm is broken") || strings.Contains(f.err.String(), "warning: openvz:101: "+file) {
		t.Errorf("a broken rule: exit code %d:\n%s%s", code, &f.out, &f.err)
	}
}

func TestAPass(t *testing.T) {
	f := newFixture(t)
	f.mgr.move = func(target string) error {
		txn := strings.Repeat("ab", 16)
		f.record(handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "b", Image: txn, Txn: txn}, handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn},
			handoff.State{Phase: handoff.Resuming, Node: target, Boot: "c", Image: txn, Txn: txn}, handoff.State{Phase: handoff.Running, Node: target, Boot: "c", Txn: txn})
		f.mgr.status.Services[0].Owner = target
		return nil
	}
	if code := f.run(); code != 0 || !strings.Contains(f.out.String(), "openvz:101 from node1 to node2: it runs on node2 after 0s, memory kept") {
		t.Errorf("exit code %d:\n%s%s", code, &f.out, &f.err)
	}
	if code := f.run(); code != 0 || !strings.Contains(f.out.String(), "looked at 1 VM: nothing moves") {
		t.Errorf("the next: exit code %d:\n%s%s", code, &f.out, &f.err)
	}
}

func TestEndsOfAPass(t *testing.T) {
	tests := []struct {
		name   string
		before func(f *fixture)
		code   int
		text   string // on stdout or stderr
	}{
		{"false success", func(f *fixture) { f.mgr.move = func(string) error { return nil } }, exitFailed, "it still runs on node1"},
		{"refused", func(f *fixture) { f.mgr.move = func(string) error { return errors.New("code 245") } }, exitRefused, "nothing was changed"},
		{"not verified", func(f *fixture) {
			f.mgr.move = func(string) error { f.mgr.err = errors.New("no reply"); return nil }
		}, exitUnknown, "not known"},
		{"no answer", func(f *fixture) { f.mgr.err = errors.New("no reply") }, exitFailed, "no reply"},
		{"unmounted", func(f *fixture) {
			if err := os.Remove(filepath.Join(f.root, "shared/lbvm/cluster")); err != nil {
				f.t.Fatal(err)
			}
		}, exitFailed, "is it mounted?"},
		{"configuration", func(f *fixture) { f.write("etc/cluster/lbvm.conf", "balanse 101;\n") }, exitFailed, "lbvm.conf:1:1"},
		{"another pass", func(f *fixture) {
			l, err := lockfile.Try(filepath.Join(f.root, "shared", monitor.PassLock), "lbmonitor on node2, pid 7")
			if err != nil {
				f.t.Fatal(err)
			}
			f.t.Cleanup(func() {
				if err := l.Close(); err != nil {
					f.t.Error(err)
				}
			})
		}, 0, "lbmonitor on node2, pid 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.mgr.move = func(string) error { t.Error("moved"); return nil }
			test.before(f)
			if code := f.run(); code != test.code || !strings.Contains(f.out.String()+f.err.String(), test.text) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", code, test.code, test.text, &f.out, &f.err)
			}
			b, err := os.ReadFile(f.w.host.Path(lbvmagent.RecordFile))
			if err != nil {
				t.Fatal(err)
			}
			if r, err := lbvmagent.ParseRecord(b); err != nil || !r.At.Equal(noon()) {
				t.Errorf("record %+v, %v", r, err)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if code := f.w.main(ctx, []string{"lbmonitor"}); code != exitInterrupted || f.mgr.moved != 0 {
		t.Errorf("exit code %d, %d moves: %s", code, f.mgr.moved, &f.err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"--dry-rum"}, {"-o", "xml"}, {"--config", "/x"}} {
		f := newFixture(t)
		before := f.tree()
		if code := f.run(args...); code != exitUsage || !strings.Contains(f.err.String(), "lbmonitor --help") {
			t.Errorf("%v: exit code %d: %s", args, code, &f.err)
		}
		if diff := cmp.Diff(before, f.tree()); diff != "" {
			t.Errorf("%v changed (-before +after):\n%s", args, diff)
		}
	}
	f := newFixture(t)
	if code := f.run("--help"); code != 0 || !strings.Contains(f.out.String(), "lbmonitor --dry-run -o json") {
		t.Errorf("help: exit code %d:\n%s", code, &f.out)
	}
}

func TestExitCode(t *testing.T) {
	made := func(errs ...error) []monitor.Made {
		var out []monitor.Made
		for _, err := range errs {
			out = append(out, monitor.Made{Err: err})
		}
		return out
	}
	for _, test := range []struct {
		moves []monitor.Made
		want  int
	}{
		{nil, 0}, {made(nil, nil), 0}, {made(move.ErrRefused), exitRefused}, {made(move.ErrRefused, nil), exitPartly},
		{made(move.ErrFailed), exitFailed}, {made(nil, move.ErrElsewhere), exitPartly}, {made(nil, move.ErrUnverified), exitUnknown},
		{made(move.ErrRefused, move.ErrFailed), exitFailed},
	} {
		if got := exitCode(test.moves); got != test.want {
			t.Errorf("%+v: %d, want %d", test.moves, got, test.want)
		}
	}
}

// The agent starts a pass with /dev/null on all descriptors: what it tells must reach the system log.
func TestLogging(t *testing.T) {
	f := newFixture(t)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	log := newLog(f.w.host, null, still{})
	log.WithField("why", "it is \"so\"").WithField("vm", "openvz:101").Error("move failed")
	messages := filepath.Join(f.root, "var/log/messages")
	b, err := os.ReadFile(messages)
	if want := fmt.Sprintf("2007-11-21T12:00:00Z lbmonitor[%d]: move failed vm=openvz:101 why=\"it is \\\"so\\\"\"\n", os.Getpid()); err != nil || string(b) != want {
		t.Errorf("without a system log: %q, want %q (%v)", b, want, err)
	}
	if err := os.Remove(messages); err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(f.root, "dev/log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	log.Warn("it\nis late")
	got := make([]byte, 2000)
	if err := c.SetReadDeadline(clock.System().Now().Add(4 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(got)
	if err != nil || !strings.HasPrefix(string(got[:n]), "<28>Nov 21 ") || !strings.Contains(string(got[:n]), fmt.Sprintf("lbmonitor[%d]: it is late", os.Getpid())) {
		t.Errorf("the system log got %q, %v", got[:n], err)
	}
	if _, err := os.Stat(messages); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the line went into the file as well: %v", err)
	}
}
