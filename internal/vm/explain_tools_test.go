package vm

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Tools that behave as the real ones do in the cases below, and write down what changes something.
const (
	goodVzctl = `#!/bin/sh
cd "$LBVM_ROOT" || exit 3
case "$1" in
status)
	m=unmounted; r=down
	[ -f mounted ] && m=mounted
	[ -f running ] && r=running
	echo "CTID $2 exist $m $r"; exit 0 ;;
--version) echo "vzctl version 3.0.22"; exit 0 ;;
esac
echo "$0 $*" >> calls
case "$1 $3" in
"start ") : > running; : > mounted ;;
"restore --dumpfile") [ -f "$4" ] || exit 1; : > running; : > mounted ;;
"stop ") /bin/rm running mounted ;;
"umount ") /bin/rm mounted ;;
"chkpnt --suspend") : > frozen ;;
"chkpnt --dump") [ -f frozen ] || exit 16; echo memory > "$5" ;;
"chkpnt --kill") [ -f frozen ] || exit 16; /bin/rm running frozen ;;
*) exit 20 ;;
esac
`
	goodXM = `#!/bin/sh
cd "$LBVM_ROOT" || exit 3
case "$1" in
list)
	echo "Name                                      ID Mem(MiB) VCPUs State   Time(s)"
	echo "Domain-0                                   0      512     1 r-----     99.0"
	[ -f running ] && echo "web1                                       7      256     1 -b----      9.0"
	exit 0 ;;
info) echo "xen_major : 3"; echo "xen_minor : 1"; echo "xen_extra : .2"; echo "free_memory : 100"; exit 0 ;;
esac
echo "$0 $*" >> calls
case "$1" in
create) : > running ;;
restore) [ -f "$2" ] || exit 1; : > running ;;
save) echo memory > "$3"; /bin/rm running ;;
shutdown|migrate) /bin/rm running ;;
*) exit 1 ;;
esac
`
)

// everyone is a cluster whose nodes are all online.
type everyone []string

func (e everyone) Members(context.Context) (out []membership.Member, err error) {
	for _, name := range e {
		out = append(out, membership.Member{Name: name, Online: true})
	}
	return out, nil
}

func (e everyone) Fenced(context.Context, string) (bool, error) { return false, nil }

// In the plain cases the explanation tells the very commands that are run then, to the letter: real drivers, real
// files, tools that are scripts.
func TestExplanationTellsTheCommands(t *testing.T) {
	const number = "00112233445566778899aabbccddeeff"
	type step struct {
		name, action string
		env          string
		ticket       bool
		want         int // how many commands
	}
	for _, c := range []struct {
		typ, vm string
		xml     []byte
		steps   []step
	}{
		{"openvz", "101", metadata.OpenVZ(), []step{
			{name: "cold start", action: "start", want: 1},
			{name: "start of what runs", action: "start", want: 0},
			{name: "stop by image", action: "stop", want: 4},
			{name: "resume", action: "start", want: 1},
			{name: "shutdown", action: "stop", env: "OCF_RESKEY_on_stop=shutdown", want: 1},
			{name: "stop of what is down", action: "stop", want: 0},
		}},
		{"xen", "web1", metadata.Xen(), []step{
			{name: "cold start", action: "start", want: 1},
			{name: "stop by image", action: "stop", want: 1},
			{name: "resume", action: "start", want: 1},
			{name: "live stop", action: "stop", ticket: true, want: 1},
		}},
		{"xen", "web1", metadata.Xen(), []step{
			{name: "cold start", action: "start", want: 1},
			{name: "shutdown", action: "stop", env: "OCF_RESKEY_on_stop=shutdown", want: 1},
			{name: "cold start", action: "start", want: 1},
			{name: "migrate", action: "migrate node2", want: 1},
		}},
	} {
		m := newMachine(t)
		m.write("usr/sbin/vzctl", goodVzctl, 0o755)
		m.write("usr/sbin/xm", goodXM, 0o755)
		m.write("etc/xen/web1", "name = 'web1'\nmemory = 256\ndisk = ['file:/shared/disk,xvda,w']\n", 0o644)
		m.write("shared/disk", "disk", 0o644)
		agent := &Agent{Type: c.typ, Txn: func() (string, error) { return number, nil },
			Membership: func(host.Host, run.Runner) membership.Membership { return everyone{"node1", "node2"} }}
		for _, s := range c.steps {
			name := c.typ + ", " + s.name
			if s.ticket {
				st, err := handoff.ReadState(filepath.Join(m.root, "shared"), c.typ, c.vm)
				if err != nil {
					t.Fatal(err)
				}
				i, err := handoff.IssueTicket(filepath.Join(m.root, "shared"), c.typ, c.vm, handoff.Ticket{Kind: handoff.Live, Txn: number,
					Source: "node1", SourceSeq: st.Seq, Target: "node2", Relocator: "test"})
				if err != nil {
					t.Fatal(err)
				}
				defer i.Withdraw()
			}
			var out bytes.Buffer
			call := func(args ...string) ocf.Code {
				out.Reset()
				return ocf.Run(ocf.World{Args: append([]string{"/usr/share/cluster/" + c.typ + ".sh"}, args...), Stdout: &out, Log: toTest{t}, Now: time.Now,
					Env: []string{host.RootVariable + "=" + m.root, "OCF_RESKEY_name=" + c.vm, "OCF_RESKEY_RGMANAGER_meta_timeout=60", s.env}}, c.xml, agent)
			}
			before := treeOf(t, m.root)
			if code := call(append([]string{"--explain"}, strings.Fields(s.action)...)...); code != 0 {
				t.Errorf("%s: explaining it: exit %d", name, code)
			}
			if treeOf(t, m.root) != before {
				t.Errorf("%s: explaining it changed a byte:\n%s", name, out.String())
			}
			text := out.String()
			told := commands(text)
			m.write("calls", "", 0o644)
			if code := call(strings.Fields(s.action)...); code != 0 {
				t.Errorf("%s: exit %d", name, code)
			}
			ran := strings.Split(strings.TrimSuffix(m.read("calls"), "\n"), "\n")
			if ran[0] == "" {
				ran = ran[:0]
			}
			if len(ran) != s.want || !slices.Equal(told, ran) {
				t.Errorf("%s: it tells\n%s\nand runs\n%s\n\n%s", name, strings.Join(told, "\n"), strings.Join(ran, "\n"), text)
			}
			if !strings.Contains(text, "(exit 0)\n") {
				t.Errorf("%s: it tells\n%s", name, text)
			}
		}
	}
}

// toTest is a test's log.
type toTest struct{ t *testing.T }

func (l toTest) Log(level ocf.Level, msg string, kv ...any) { l.t.Log(level, msg, kv) }

// heard keeps what an agent logs.
type heard []string

func (h *heard) Log(level ocf.Level, msg string, kv ...any) {
	*h = append(*h, fmt.Sprint(level, " ", msg, kv))
}

// A node without cman, as under Pacemaker: its own VM is started, watched and stopped there; of another node's it says
// why it does not start it.
func TestNodeWithoutCman(t *testing.T) {
	m := newMachine(t)
	m.write("usr/sbin/vzctl", goodVzctl, 0o755)
	var log heard
	call := func(action string, want ocf.Code, says ...string) {
		t.Helper()
		log = nil
		got := ocf.Run(ocf.World{Args: []string{"/usr/lib/ocf/resource.d/lbvm/openvz", action}, Log: &log, Now: time.Now,
			Env: []string{host.RootVariable + "=" + m.root, "OCF_RESKEY_name=101", "OCF_RESKEY_CRM_meta_timeout=60000", "OCF_RESKEY_CRM_meta_interval=10000"}},
			metadata.OpenVZ(), &Agent{Type: "openvz"})
		if got != want {
			t.Errorf("%s: exit %d, want %d: %q", action, got, want, log)
		}
		for _, s := range says {
			if !strings.Contains(strings.Join(log, "\n"), s) {
				t.Errorf("%s does not say %q: %q", action, s, log)
			}
		}
	}
	call("start", 0)
	call("monitor", 0)
	call("stop", 0)
	d, err := handoff.Open(filepath.Join(m.root, "shared"), "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Discard(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []handoff.Phase{handoff.Starting, handoff.Running} {
		if _, err := l.Write(handoff.State{Phase: p, Node: "node2", Boot: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	call("start", ocf.CodeGeneric, "not starting 101: its state says running node2", "the cluster's members are not known", "cman_tool", "lbm handoff 101 tells the ways")
	call("monitor", ocf.CodeNotRunning)
}
