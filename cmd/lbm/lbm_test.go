package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

const clusterConf = `<?xml version="1.0"?>
<cluster name="xen" config_version="3">
  <clusternodes>
    <clusternode name="xen1.01100011.com" nodeid="1"/>
    <clusternode name="xen2.01100011.com" nodeid="2"/>
    <clusternode name="xen3.01100011.com" nodeid="3"/>
  </clusternodes>
  <rm>
    <failoverdomains>
      <failoverdomain name="two" ordered="0" restricted="1">
        <failoverdomainnode name="xen1.01100011.com"/>
        <failoverdomainnode name="xen2.01100011.com"/>
      </failoverdomain>
    </failoverdomains>
    <service name="centos1" domain="two"><xen name="centos1"/></service>
    <service name="centos2"><xen name="centos2"/></service>
    <service name="web"><openvz name="101"/></service>
  </rm>
</cluster>
`

// clustat answers as the real one does, for three nodes and three services.
func clustat(states map[string]string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?>
<clustat version="4.1.1">
  <cluster name="xen" id="4660" generation="148"/>
  <quorum quorate="1" groupmember="1"/>
  <nodes>
`)
	for i := 1; i <= 3; i++ {
		online := 1
		if i == 3 && states["xen3"] == "offline" {
			online = 0
		}
		fmt.Fprintf(&b, `    <node name="xen%d.01100011.com" state="%d" local="%d" estranged="0" rgmanager="%d" rgmanager_master="0" qdisk="0" nodeid="0x0000000%d"/>`+"\n", i, online, 2-min(i, 2), online, i)
	}
	b.WriteString("  </nodes>\n  <groups>\n")
	for i, svc := range []string{"service:centos1", "service:centos2", "service:web"} {
		state := fmt.Sprintf(`state="112" state_str="started" flags="0" flags_str="" owner="xen%d.01100011.com" last_owner="none"`, i+1)
		if s, ok := states[svc]; ok {
			state = s
		}
		fmt.Fprintf(&b, `    <group name="%s" %s restarts="0" last_transition="1290000000" last_transition_str="Wed Nov 17 13:20:00 2010"/>`+"\n", svc, state)
	}
	b.WriteString("  </groups>\n</clustat>\n")
	return b.String()
}

// tools answers for the cluster's programs.
type tools struct {
	answers map[string]string

	mu    sync.Mutex
	asked []string
}

func (f *tools) Run(_ context.Context, c run.Command) (run.Result, error) {
	what := strings.Join(append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...), " ")
	f.mu.Lock()
	f.asked = append(f.asked, what)
	f.mu.Unlock()
	out, ok := f.answers[what]
	if !ok {
		out, ok = f.answers[filepath.Base(c.Argv[0])]
	}
	if !ok {
		return run.Result{Code: 1, Stderr: []byte("not expected")}, nil
	}
	return run.Result{Stdout: []byte(out)}, nil
}

type bench struct {
	world
	root        string
	tools       *tools
	out, errors bytes.Buffer
}

func newBench(t *testing.T, states map[string]string) *bench {
	t.Helper()
	b := &bench{root: t.TempDir(), tools: &tools{answers: map[string]string{"clustat": clustat(states)}}}
	h, err := host.New(b.root)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "etc/hostname", "xen1.01100011.com\n")
	b.write(t, "etc/cluster/cluster.conf", clusterConf)
	b.write(t, "proc/sys/kernel/random/boot_id", "boot-1\n")
	for _, p := range []string{"clustat", "clusvcadm", "cman_tool"} {
		b.write(t, "usr/sbin/"+p, "#!/bin/false\n")
		if err := os.Chmod(filepath.Join(b.root, "usr/sbin", p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(b.root, "gfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.world = world{host: h, clock: clock.NewFake(time.Unix(1290000600, 0)), wait: clock.System(), run: b.tools, stdout: &b.out, stderr: &b.errors}
	return b
}

func (b *bench) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// measured gives the other members what their lblog would have written just now.
func (b *bench) measured(t *testing.T) {
	t.Helper()
	now := b.clock.Now()
	for _, peer := range []string{"xen2.01100011.com", "xen3.01100011.com"} {
		log := filepath.Join(b.root, "gfs/lbvm/log", peer+"-cpu")
		if _, err := os.Stat(log); err != nil {
			b.write(t, "gfs/lbvm/log/"+peer+"-cpu", fmt.Sprintf("%d 0.1\n", now.Unix()))
		}
		if err := host.WriteFacts(filepath.Join(b.root, "gfs"), host.Facts{Member: peer, Boot: "boot-" + peer, At: now}); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) lbm(args ...string) int {
	b.out.Reset()
	b.errors.Reset()
	return b.main(context.Background(), append([]string{"lbm"}, args...))
}

// ready is a bench on which lbm init was run.
func ready(t *testing.T, states map[string]string) *bench {
	t.Helper()
	b := newBench(t, states)
	if code := b.lbm("init", "--shared", "/gfs"); code != 0 {
		t.Fatalf("init: %d: %s%s", code, b.out.String(), b.errors.String())
	}
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance centos1, centos2, 101;\n"+
		"default { algorithm { migrate() if average(res('cpu', 5)) > 0.7; } }\n101 { info its own; algorithm { report(); } }\n")
	return b
}

func TestInitTellsWhatItDid(t *testing.T) {
	b := newBench(t, nil)
	if code := b.lbm("init", "--shared", "/gfs", "--dry-run"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	if !strings.Contains(b.out.String(), "would be done") || !strings.Contains(b.out.String(), `+    <service name="monitoring"`) || strings.Contains(b.out.String(), "lbm ccs update") {
		t.Errorf("a dry run said\n%s", b.out.String())
	}
	if code := b.lbm("init", "--shared", "/gfs"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	if !strings.HasSuffix(b.out.String(), "publish the new /etc/cluster/cluster.conf: lbm ccs update\n") {
		t.Errorf("init said\n%s", b.out.String())
	}
	if code := b.lbm("init", "--shared", "/gfs"); code != 0 || strings.Contains(b.out.String(), " done\n") || strings.Contains(b.out.String(), "lbm ccs update") {
		t.Errorf("a second init said\n%s", b.out.String())
	}
	if code := b.lbm("init", "--shared", "/nowhere", "--join"); code != exitRefused || !strings.Contains(b.errors.String(), "nothing was changed") {
		t.Errorf("%d %s", code, b.errors.String())
	}
}

func TestListAsInTheManual(t *testing.T) {
	b := ready(t, map[string]string{"service:web": `state="119" state_str="disabled" flags="0" flags_str="" owner="none" last_owner="none"`})
	if code := b.lbm("-l"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	want := "Balanced virtual machine(s):\ncentos1 on node xen1.01100011.com\ncentos2 on node xen2.01100011.com\n101 is disabled\n"
	if b.out.String() != want {
		t.Errorf("%q, want %q", b.out.String(), want)
	}
	b.write(t, "gfs/lbvm.conf", "balance centos1, nosuch;\nlogdir /gfs/lbvm/log;\n")
	if code := b.lbm("-l"); code != exitFailed || !strings.Contains(b.errors.String(), `no VM "nosuch"`) || !strings.Contains(b.out.String(), "centos1 on node") {
		t.Errorf("%d %q %q", code, b.out.String(), b.errors.String())
	}
}

func TestList(t *testing.T) {
	b := ready(t, nil)
	if code := b.lbm("list"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	for _, want := range []string{"VM       TYPE    SERVICE          NODE               STATE    HANDOFF  RULE",
		"centos1  xen     service:centos1  xen1.01100011.com  started  none     default", "101      openvz  service:web      xen3.01100011.com  started  none     own"} {
		if !strings.Contains(b.out.String(), want+"\n") {
			t.Errorf("%q is not in\n%s", want, b.out.String())
		}
	}
	if code := b.lbm("list", "-o", "json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	var got struct {
		Quorate bool
		VMs     []listed
	}
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || !got.Quorate || len(got.VMs) != 3 || *got.VMs[0].Node != "xen1.01100011.com" {
		t.Errorf("%v %+v", err, got)
	}
	if code := b.lbm("list", "-o", "yaml"); code != exitUsage {
		t.Errorf("an unknown format gave %d", code)
	}
}

func TestHistory(t *testing.T) {
	b := ready(t, nil)
	b.write(t, "gfs/lbvm/log/migrate.log", `2010-11-17T13:00:00Z event=begin txn=a vm=xen:centos1 from=xen2 to=xen1 kind=live by=lbmonitor why="hot node"
2010-11-17T13:00:02Z event=agent vm=xen:centos1 node=xen1 action=start row=here phase=running txn=a outcome=adopted why=""
2010-11-17T13:00:03.5Z event=end txn=a vm=xen:centos1 from=xen2 to=xen1 outcome=moved owner=xen1 memory=kept seconds=3.5 why=""
2010-11-17T13:05:00Z event=begin txn=b vm=openvz:101 from=xen3 to=xen1 kind=image by=lbm why=asked
torn li`)
	b.write(t, "gfs/lbvm/log/report.log", "2010-11-17T13:02:00Z event=report vm=xen:centos2 from=xen2 to=xen3 why=\"only said\"\n")
	if code := b.lbm("history", "-o", "json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	var got struct{ History []happening }
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, h := range got.History {
		short = append(short, h.Event+" "+h.VM+" "+h.Outcome)
	}
	want := "move xen:centos1 moved|agent xen:centos1 adopted|report xen:centos2 |move openvz:101 in flight"
	if strings.Join(short, "|") != want || *got.History[0].Seconds != 3.5 {
		t.Errorf("%s, want %s", strings.Join(short, "|"), want)
	}
	if !strings.Contains(b.errors.String(), "1 lines") {
		t.Errorf("the torn line was not told: %q", b.errors.String())
	}
	if code := b.lbm("history", "101"); code != 0 || strings.Contains(b.out.String(), "centos") || !strings.Contains(b.out.String(), "openvz:101") {
		t.Errorf("%d\n%s", code, b.out.String())
	}
	if code := b.lbm("history", "--since", "1h"); code != 0 || strings.Count(b.out.String(), "\n") != 5 {
		t.Errorf("%d\n%s", code, b.out.String())
	}
	if code := b.lbm("history", "--since", "1m"); code != 0 || strings.Count(b.out.String(), "\n") != 2 { // what is in flight is not over
		t.Errorf("%d\n%s", code, b.out.String())
	}
}

func TestMigrateRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	fresh := func(b *bench, node string, at int64) {
		b.write(t, "gfs/lbvm/nodes/"+node, fmt.Sprintf("format=1\nmember=%s\nboot=b\nat=%s\nmem_total_bytes=1000\nmem_free_bytes=1000\narch=x86_64\nkernel=2.6.32\ncpu_flags=fpu\nlists=xen\nlistens=xen 127.0.0.1:%d\nvm=xen:centos1 500\ntool=xm 3.1.2\n", node, time.Unix(at, 0).UTC().Format(time.RFC3339), port))
	}
	const x1, x2, x3 = "xen1.01100011.com", "xen2.01100011.com", "xen3.01100011.com"
	for _, c := range []struct {
		name   string
		states map[string]string
		args   []string
		at     int64
		want   string
	}{
		{"no such VM", nil, []string{"nosuch", x2}, 1290000590, `no VM "nosuch"`},
		{"no such node", nil, []string{"centos1", "xen22"}, 1290000590, "is no node of this cluster"},
		{"offline", map[string]string{"xen3": "offline"}, []string{"centos2", x3}, 1290000590, "offline"},
		{"there already", nil, []string{"centos1", x1}, 1290000590, "already"},
		{"domain", nil, []string{"centos1", x3}, 1290000590, "failover domain"},
		{"silent node", nil, []string{"centos2", x1}, 1290000000, "old, and may be 2m0s: does lblog run there?"},
		{"disabled", map[string]string{"service:web": `state="119" state_str="disabled" flags="0" flags_str="" owner="none" last_owner="none"`}, []string{"101", x1}, 1290000590, "disabled, not started"},
		{"frozen", map[string]string{"service:web": `state="112" state_str="started" flags="1" flags_str="frozen" owner="xen3.01100011.com" last_owner="none"`}, []string{"101", x1}, 1290000590, "frozen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := ready(t, c.states)
			for _, n := range []string{x1, x2, x3} {
				fresh(b, n, c.at)
			}
			if code := b.lbm(append([]string{"migrate"}, c.args...)...); code != exitRefused || !strings.Contains(b.errors.String(), c.want) || !strings.Contains(b.errors.String(), "nothing was changed") {
				t.Errorf("%d %s", code, b.errors.String())
			}
			for _, a := range b.tools.asked {
				if strings.HasPrefix(a, "clusvcadm") {
					t.Errorf("a refused move asked %q", a)
				}
			}
		})
	}
	b := ready(t, nil)
	fresh(b, x1, 1290000590)
	fresh(b, x2, 1290000590)
	for _, args := range [][]string{{"--dry-run", "xen:centos1", x2}, {"xen:centos1", x2, "-n"}, {"xen:centos1", "--dry-run", "--", x2}} {
		if code := b.lbm(append([]string{"migrate"}, args...)...); code != 0 || !strings.Contains(b.out.String(), "can be moved from "+x1+" to "+x2) {
			t.Errorf("%v: %d %s %s", args, code, b.out.String(), b.errors.String())
		}
	}
}

func TestInterrupted(t *testing.T) {
	for _, args := range [][]string{{"migrate", "centos1", "xen2.01100011.com"}, {"restart", "centos1"}, {"repair", "centos1"}, {"take", "centos1"}} {
		b := ready(t, nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if code := b.main(ctx, append([]string{"lbm"}, args...)); code != exitInterrupted || !strings.Contains(b.errors.String(), "nothing was changed") {
			t.Errorf("%v: %d %s", args, code, b.errors.String())
		}
		for _, a := range b.tools.asked {
			if strings.HasPrefix(a, "clusvcadm") {
				t.Errorf("%v asked %q", args, a)
			}
		}
	}
}

// A question that is interrupted has not been answered.
func TestInterruptedQuestion(t *testing.T) {
	b := ready(t, nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	b.stdin = r
	ctx, cancel := context.WithCancel(context.Background())
	b.stdout = writer(func(p []byte) (int, error) { cancel(); return len(p), nil })
	var exit cli.ExitCoder
	if err := b.confirm(ctx, "Is it off?", "node2"); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("%v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestUsage(t *testing.T) {
	b := newBench(t, nil)
	for _, args := range [][]string{{}, {"nosuch"}, {"list", "x"}, {"migrate"}, {"history", "--since", "-1h"}, {"history", "--until", "soon"}, {"history", "--kind", "dogs"}, {"history", "--limit", "0"}, {"history", "--limit", "-3"}, {"confirm-down", "101"}, {"take"}, {"repair", "a", "b"}, {"restart"}, {"mark-left", "x"}, {"repair", "-o", "xml", "101"}, {"--bogus"}, {"list", "--bogus"}} {
		if code := b.lbm(args...); code != exitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
	for _, args := range [][]string{{"--help"}, {"init", "--help"}, {"list", "--help"}, {"history", "--help"}, {"migrate", "--help"}, {"restart", "--help"}, {"repair", "--help"}, {"confirm-down", "--help"}, {"take", "--help"}, {"mark-left", "--help"}, {"--version"}} {
		if code := b.lbm(args...); code != 0 || b.out.Len() == 0 {
			t.Errorf("%v: %d", args, code)
		}
	}
}
