package rgmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// fakeAgent logs each call and answers as files below the root's ctl say: ctl/ACTION-TYPE:NAME holds an exit code,
// ctl/hold-ACTION-TYPE:NAME makes the action wait until the file is gone. Without them it runs what was started.
const fakeAgent = `#!/bin/sh
if [ "$1" = meta-data ]; then
	d="${0%/*}"; b="${0##*/}"
	while IFS= read -r line; do printf '%s\n' "$line"; done < "$d/../$b.xml"
	exit 0
fi
echo "${LBVM_ROOT##*/} $1 $OCF_RESOURCE_INSTANCE${2:+ $2}" >> "$LBVM_ROOT/../../calls"
ctl="$LBVM_ROOT/ctl"
echo "${LBVM_ROOT##*/} begin" >> "$LBVM_ROOT/../../busy-$OCF_RESOURCE_INSTANCE"
while [ -e "$ctl/hold-$1-$OCF_RESOURCE_INSTANCE" ]; do /bin/sleep 0.02; done
up="$ctl/up-$OCF_RESOURCE_INSTANCE"
code=0
[ "$1" = status ] && [ ! -e "$up" ] && code=7
[ -e "$ctl/$1-$OCF_RESOURCE_INSTANCE" ] && read code < "$ctl/$1-$OCF_RESOURCE_INSTANCE"
if [ $code = 0 ]; then
	case $1 in
	start) : > "$up" ;;
	stop) /bin/rm -f "$up" ;;
	migrate) /bin/rm -f "$up"; : > "$LBVM_ROOT/../$2/ctl/up-$OCF_RESOURCE_INSTANCE" ;;
	esac
fi
echo "${LBVM_ROOT##*/} end" >> "$LBVM_ROOT/../../busy-$OCF_RESOURCE_INSTANCE"
exit $code
`

func agentXML(typ, special, extra, actions string) string {
	return `<?xml version="1.0"?>
<resource-agent name="` + typ + `" version="rgmanager 2.0">
<parameters>
<parameter name="domain" reconfig="1"><content type="string"/></parameter>
<parameter name="name" primary="1" unique="1" required="1"><content type="string"/></parameter>
<parameter name="autostart" reconfig="1"><content type="boolean" default="1"/></parameter>
<parameter name="exclusive" reconfig="1"><content type="boolean" default="0"/></parameter>
<parameter name="recovery" reconfig="1"><content type="string" default="restart"/></parameter>
<parameter name="max_restarts"><content type="string" default="0"/></parameter>
<parameter name="restart_expire_time"><content type="string" default="0"/></parameter>
<parameter name="service_name" inherit="service%name"><content type="string"/></parameter>
<parameter name="empty"><content type="string" default=""/></parameter>
<parameter name="unset"><content type="string"/></parameter>
` + extra + `</parameters>
<actions>
<action name="start" timeout="300"/>
<action name="stop" timeout="5m"/>
<action name="status" timeout="20" interval="30s"/>
<action name="status" depth="10" timeout="20" interval="60s"/>
<action name="meta-data" timeout="5"/>
` + actions + `</actions>
<special tag="rgmanager">` + special + `</special>
</resource-agent>
`
}

// guestXML is a type as our VM agents are, with migrate.
func guestXML() string {
	return agentXML("guest", `<attributes maxinstances="1" init_on_add="0" destroy_on_delete="0"/>`, "", `<action name="migrate" timeout="600"/>`)
}

func plainXML() string {
	return agentXML("plain", "", "", `<action name="reconfig" timeout="5"/>`)
}

// bench is a lab of three nodes with fake agents and a clock that stands.
type bench struct {
	*testing.T
	m     *Manager
	l     lab.Layout
	clk   *clock.Fake
	log   *syncBuffer
	power *fakePower
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type fakePower struct {
	mu  sync.Mutex
	log []string
	off func(node string)
}

func (p *fakePower) On(_ context.Context, node string) error { p.note("on " + node); return nil }

func (p *fakePower) Off(node string) error {
	p.note("off " + node)
	if p.off != nil {
		p.off(node)
	}
	return nil
}

func (p *fakePower) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, s)
}

func conf(version int, rm string) string {
	return fmt.Sprintf(`<?xml version="1.0"?>
<cluster name="lbvm" config_version="%d">
  <clusternodes>
    <clusternode name="node1" nodeid="1" votes="1"/>
    <clusternode name="node2" nodeid="2" votes="1"/>
    <clusternode name="node3" nodeid="3" votes="1"/>
  </clusternodes>
  <rm>
%s
  </rm>
</cluster>
`, version, rm)
}

// newBench lays a lab out. Nothing is up yet.
func newBench(t *testing.T, rm string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{T: t, l: lab.Layout{Dir: dir}, clk: clock.NewFake(time.Date(2010, 11, 17, 13, 0, 0, 0, time.UTC)), log: &syncBuffer{}, power: &fakePower{}}
	d := lab.Description{Cluster: "lbvm", Nodes: []string{"node1", "node2", "node3"}, Scale: 1}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b.write(filepath.Join(dir, "lab.json"), string(text), 0o644)
	for _, n := range d.Nodes {
		root := b.l.Root(n)
		for _, sub := range []string{"etc/cluster", "usr/share/cluster", "ctl"} {
			if err := os.MkdirAll(filepath.Join(root, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		b.write(filepath.Join(root, "etc/cluster/cluster.conf"), conf(1, rm), 0o644)
		b.agent(n, "guest.sh", guestXML())
		b.agent(n, "plain.sh", plainXML())
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.m, err = newManager(ctx, Options{Layout: b.l, Clock: b.clk, Power: b.power}, b.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		b.m.wg.Wait()
		if t.Failed() {
			t.Logf("manager.log:\n%s", b.log.String())
		}
	})
	return b
}

// up is newBench with every node booted and every group settled.
func up(t *testing.T, rm string) *bench {
	t.Helper()
	b := newBench(t, rm)
	b.m.bootAll()
	b.settle()
	return b
}

func (b *bench) write(path, text string, mode os.FileMode) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		b.Fatal(err)
	}
}

// agent installs the fake agent under a name. Its metadata lies beside the agent folder.
func (b *bench) agent(node, name, xml string) {
	b.Helper()
	b.write(filepath.Join(b.l.Root(node), "usr/share", name+".xml"), xml, 0o644)
	b.write(filepath.Join(b.l.Root(node), "usr/share/cluster", name), fakeAgent, 0o755)
}

// answers sets the exit code of an action on nodes; hold makes it wait.
func (b *bench) answers(code int, action, id string, nodes ...string) {
	b.Helper()
	for _, n := range nodes {
		b.write(filepath.Join(b.l.Root(n), "ctl", action+"-"+id), fmt.Sprintln(code), 0o644)
	}
}

func (b *bench) hold(action, id, node string) (release func()) {
	path := filepath.Join(b.l.Root(node), "ctl", "hold-"+action+"-"+id)
	b.write(path, "", 0o644)
	return func() {
		if err := os.Remove(path); err != nil {
			b.Error(err)
		}
	}
}

// calls gives what agents were called with since the last time.
func (b *bench) calls() []string {
	b.Helper()
	path := b.l.Path("calls")
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		b.Fatal(err)
	}
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (b *bench) wantCalls(want ...string) {
	b.Helper()
	if got := b.calls(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Errorf("agents were called:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (b *bench) await(what string, ok func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if err := b.m.await(ctx, ok); err != nil {
		b.Fatalf("%s never came: %+v", what, b.m.Status())
	}
}

// settle waits until rgmanager runs on every member and no group has anything to do.
func (b *bench) settle() {
	b.Helper()
	b.await("a settled cluster", func() bool {
		for _, n := range b.m.nodes {
			if n.rg == rgStarting || n.rg == rgWaiting && b.m.quorate {
				return false
			}
			if n.view != nil && n.rg == rgReady && n.view.version != b.m.conf.version {
				return false
			}
		}
		return len(b.m.cameUp) == 0
	})
	for range 3 { // an operation may have queued another
		b.m.mu.Lock()
		groups := b.m.sortedGroupsLocked()
		b.m.mu.Unlock()
		for _, g := range groups {
			g.ask(func() outcome { return outcome{} })
		}
	}
}

// tool runs a command on a node.
func (b *bench) tool(node string, argv ...string) run.Result {
	return b.m.answer(context.Background(), lab.Request{Node: node, Argv: argv, Dir: b.l.Root(node)})
}

// wantTool runs a command and compares what it prints and its exit code.
func (b *bench) wantTool(node, argv string, code int, stdout string) {
	b.Helper()
	r := b.tool(node, strings.Fields(argv)...)
	if got := string(r.Stdout) + string(r.Stderr); r.Code != code || got != stdout {
		b.Errorf("%s on %s: rc %d\n%swanted rc %d\n%s", argv, node, r.Code, got, code, stdout)
	}
}

// wantState compares "STATE OWNER" of a group.
func (b *bench) wantState(id, want string) {
	b.Helper()
	for _, s := range b.m.Status().Services {
		if s.Name == id {
			if got := s.State + " " + orNone(s.Owner); got != want {
				b.Errorf("%s is %s, wanted %s", id, got, want)
			}
			return
		}
	}
	b.Errorf("no group %s, wanted %s", id, want)
}

// pass moves the clock and lets every group that is due be checked.
func (b *bench) pass(d time.Duration) {
	b.clk.Advance(d)
	b.m.poll()
	b.settle()
}

// short is a context for what must not take long.
func (b *bench) short() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 4*time.Minute)
}
