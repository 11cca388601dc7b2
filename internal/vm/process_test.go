package vm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// TestMain makes this program an agent, or a keeper, where it is started as one.
func TestMain(m *testing.M) {
	run.KeeperMain()
	switch os.Getenv("LBVM_TEST_AGENT") {
	case "":
	case "xen":
		ocf.Main(metadata.Xen(), New("xen"))
	default:
		ocf.Main(metadata.OpenVZ(), New("openvz"))
	}
	os.Exit(m.Run())
}

// vzctl keeps one container's state in two files. `start` says that it begins, and waits to be told to go on.
const vzctlScript = `#!/bin/sh
cd "$LBVM_ROOT" || exit 3
case "$1" in
status) if [ -f running ]; then echo "CTID $2 exist mounted running"; else echo "CTID $2 exist unmounted down"; fi ;;
start)
	echo start >> calls
	if [ -p child ]; then ( exec 9>child; echo "$PPID" >&9; read x < go; : > running ) & wait; fi
	if [ -p began ]; then echo began > began; read x < go; fi
	: > running
	echo "Starting container..." ;;
*) echo "$@" >> calls; exit 20 ;;
esac
`

type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	root, err := os.MkdirTemp(fastDir(), "lbvm-vm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	m := machine{t, root}
	id := host.Identity{Cluster: "c", UUID: "u", Member: "node1", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	m.write("proc/sys/kernel/random/boot_id", "boot\n", 0o644)
	m.write("usr/sbin/vzctl", vzctlScript, 0o755)
	m.write("etc/vz/conf/101.conf", "VE_PRIVATE=\"/shared/private/101\"\n", 0o644)
	m.write("shared/private/101/etc/mtab", "", 0o644)
	m.write("shared/lbvm/log/x", "", 0o644)
	m.write("shared/lbvm/nodes/x", "", 0o644)
	m.write("shared/lbvm/cluster", string(id.Marker()), 0o644)
	m.write("etc/cluster/x", "", 0o644)
	h, err := host.New(root)
	if err == nil {
		err = h.WriteIdentity(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m machine) write(path, text string, mode os.FileMode) {
	m.t.Helper()
	p := filepath.Join(m.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), mode)); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) read(path string) string {
	b, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		return ""
	}
	return string(b)
}

// command starts this program as rgmanager starts an agent.
func (m machine) command(action string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	c := exec.Command(self, action)
	c.Dir = "/"
	c.Env = []string{"OCF_RESKEY_name=101", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0", "OCF_ROOT=/usr/share/cluster",
		"OCF_RESOURCE_INSTANCE=openvz:101", "OCF_RESOURCE_TYPE=openvz", "OCF_CHECK_LEVEL=0",
		"OCF_RESKEY_RGMANAGER_meta_refcnt=0", "OCF_RESKEY_RGMANAGER_meta_timeout=60",
		host.RootVariable + "=" + m.root, "LBVM_TEST_AGENT=1"}
	return c
}

func (m machine) run(action string, env ...string) int {
	m.t.Helper()
	c := m.command(action)
	c.Env = append(c.Env, env...) // the last of a name counts
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	m.t.Logf("%s: exit %d\n%s", action, c.ProcessState.ExitCode(), out.String())
	return c.ProcessState.ExitCode()
}

func (m machine) fifo(name string) {
	m.t.Helper()
	if err := syscall.Mkfifo(filepath.Join(m.root, name), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// The agent is killed while its tool works. The tool goes on, and so the lock is held until it has ended: the next
// start finds what it has made, and boots nothing.
func TestLockOutlivesTheAgent(t *testing.T) {
	m := newMachine(t)
	m.fifo("began")
	m.fifo("go")
	agent := m.command("start")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	if b := m.read("began"); b != "began\n" { // waits for vzctl
		t.Fatalf("vzctl said %q", b)
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err == nil {
		t.Fatal("the agent was not killed")
	}
	d, err := handoff.Open(filepath.Join(m.root, "shared"), "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TryLock(""); !errors.Is(err, lockfile.ErrHeld) {
		t.Errorf("the lock is free while vzctl works: %v", err)
	}
	m.write("go", "go\n", 0o600)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	l, err := d.Lock(ctx, clock.System(), "")
	if err != nil {
		t.Fatal(err)
	}
	if m.read("running") != "" || !strings.Contains(m.read("calls"), "start") {
		t.Error("vzctl did not end its work")
	}
	if _, err := os.Stat(filepath.Join(m.root, "running")); err != nil {
		t.Errorf("the lock came free before vzctl had ended: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if code := m.run("start"); code != 0 {
		t.Errorf("start after it: exit %d", code)
	}
	if calls := m.read("calls"); calls != "start\n" {
		t.Errorf("vzctl was called with %q", calls)
	}
	if st, err := d.Read(); err != nil || st.Phase != handoff.Running || st.Node != "node1" {
		t.Errorf("%+v, %v", st, err)
	}
}

// The agent is killed while its tool works, and then the keeper. The tool dies with it, and its child would go on and boot
// the guest, without a lock. The next action ends it before it looks: what it says of the guest stays true.
func TestOrphanOfAKilledKeeperIsEnded(t *testing.T) {
	for _, c := range []struct {
		action string
		want   int
		share  bool
	}{{"stop", 0, true}, {"stop", 0, false}, {"start", 0, true}} {
		m := newMachine(t)
		m.fifo("child")
		m.fifo("go")
		agent := m.command("start")
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		child, err := os.Open(filepath.Join(m.root, "child"))
		if err != nil {
			t.Fatal(err)
		}
		defer child.Close()
		said := bufio.NewReader(child)
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		keeper, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(agent.Process.Kill(), syscall.Kill(keeper, syscall.SIGKILL)); err != nil {
			t.Fatal(err)
		}
		if err := agent.Wait(); err == nil {
			t.Fatal("the agent was not killed")
		}
		if err := os.Remove(filepath.Join(m.root, "child")); err != nil { // the next vzctl has none
			t.Fatal(err)
		}
		if !c.share {
			if err := os.Remove(filepath.Join(m.root, "shared/lbvm/cluster")); err != nil {
				t.Fatal(err)
			}
		}
		if code := m.run(c.action); code != c.want {
			t.Errorf("%s: exit %d", c.action, code)
		}
		calls := m.read("calls")
		w, err := os.OpenFile(filepath.Join(m.root, "go"), os.O_RDWR, 0)
		if err == nil {
			_, err = w.WriteString("go\n") // to a child that lives it is the word to boot the guest
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, said); err != nil { // it has ended, one way or the other
			t.Error(err)
		}
		w.Close()
		_, err = os.Stat(filepath.Join(m.root, "running"))
		if runs := err == nil; runs != (c.action == "start") || c.action == "start" && calls != "start\nstart\n" {
			t.Errorf("after a %s, with the share %v, the guest runs: %v; vzctl was called with %q", c.action, c.share, runs, calls)
		}
	}
}

// Without shared storage too, and where it is away when the stop comes, no stop answers that the VM is down while the
// tool of a killed start still boots it.
func TestStopWaitsForAnOrphanWithoutTheShare(t *testing.T) {
	for name, take := range map[string]func(m machine){
		"the cluster has none": func(m machine) {
			h, err := host.New(m.root)
			if err == nil {
				err = h.WriteIdentity(host.Identity{Cluster: "c", UUID: "u", Member: "node1", LogDir: "/log"})
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"it goes away": nil,
	} {
		m := newMachine(t)
		if take != nil {
			take(m)
		}
		m.fifo("began")
		m.fifo("go")
		agent := m.command("start")
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		if b := m.read("began"); b != "began\n" { // waits for vzctl
			t.Fatalf("vzctl said %q", b)
		}
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := agent.Wait(); err == nil {
			t.Fatal("the agent was not killed")
		}
		if take == nil {
			if err := os.Remove(filepath.Join(m.root, "shared/lbvm/cluster")); err != nil {
				t.Fatal(err)
			}
		}
		if code := m.run("stop", "OCF_RESKEY_RGMANAGER_meta_timeout=20"); code != int(ocf.CodeGeneric) { // longer than a reboot is waited for
			t.Errorf("%s: stop while vzctl boots it: exit %d", name, code)
		}
		m.write("go", "go\n", 0o600)
		if take == nil {
			m.write("shared/lbvm/cluster", string(host.Identity{Cluster: "c", UUID: "u"}.Marker()), 0o644)
		}
		if code := m.run("start"); code != 0 || m.read("calls") != "start\n" {
			t.Errorf("%s: start after it: exit %d, vzctl was called with %q", name, code, m.read("calls"))
		}
	}
}

// A copied lbvm.id makes a node believe that it is another one: it must not boot that one's VMs, nor call them down.
func TestCopiedIdentity(t *testing.T) {
	m := newMachine(t)
	if code := m.run("start"); code != 0 {
		t.Fatalf("start: %d", code)
	}
	state, facts := m.read("shared/lbvm/handoff/openvz-101/state"), m.read("shared/lbvm/nodes/node1")
	// The other node: nothing runs there, and its boot is another.
	if err := errors.Join(os.Remove(filepath.Join(m.root, "running")), os.RemoveAll(filepath.Join(m.root, "var/run/lbvm"))); err != nil {
		t.Fatal(err)
	}
	m.write("proc/sys/kernel/random/boot_id", "boot of node2\n", 0o644)
	m.write("usr/sbin/cman_tool", "#!/bin/sh\necho 'Node name: node2'\n", 0o755)
	if code := m.run("start"); code != int(ocf.CodeGeneric) {
		t.Errorf("start: exit %d", code)
	}
	if code := m.run("stop"); code != 0 { // nothing runs here
		t.Errorf("stop: exit %d", code)
	}
	if calls := m.read("calls"); calls != "start\n" {
		t.Errorf("vzctl was called with %q", calls)
	}
	unchanged := func(when string) {
		t.Helper()
		if now := m.read("shared/lbvm/handoff/openvz-101/state"); now != state {
			t.Errorf("%s: the record is changed: %s", when, now)
		}
		if now := m.read("shared/lbvm/nodes/node1"); now != facts {
			t.Errorf("%s: node1 counts as booted anew: %s", when, now)
		}
	}
	unchanged("a start and a stop")
	m.write("running", "", 0o644) // by hand
	if code := m.run("status"); code != 0 {
		t.Errorf("status of what runs here: exit %d", code)
	}
	unchanged("a status")
	if err := os.Remove(filepath.Join(m.root, "running")); err != nil {
		t.Fatal(err)
	}
	m.write("usr/sbin/cman_tool", "#!/bin/sh\necho 'Node name: NODE1'\n", 0o755)
	if code := m.run("start"); code != 0 {
		t.Errorf("start under its own name: exit %d", code)
	}
}

// As rgmanager calls it: start, status, and a status that has to look at the shared storage in a child.
func TestAgentAsAProcess(t *testing.T) {
	m := newMachine(t)
	if code := m.run("status"); code != int(ocf.CodeNotRunning) {
		t.Errorf("status before the start: %d", code)
	}
	if code := m.run("start"); code != 0 {
		t.Fatalf("start: %d", code)
	}
	if code := m.run("status"); code != 0 {
		t.Errorf("status: %d", code)
	}
	here := filepath.Join(m.root, "var/run/lbvm/openvz-101.here")
	if err := os.Remove(here); err != nil {
		t.Fatal(err)
	}
	if code := m.run("status"); code != 0 {
		t.Errorf("status that adopts: %d", code)
	}
	if _, err := os.Stat(here); err != nil {
		t.Errorf("it was not adopted: %v", err)
	}
	if st, err := handoff.ReadState(filepath.Join(m.root, "shared"), "openvz", "101"); err != nil || st.Seq != 3 || st.Phase != handoff.Running {
		t.Errorf("%+v, %v", st, err)
	}
	// A child that hangs is left behind.
	if err := os.Remove(here); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(m.root, "shared/lbvm/cluster")
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(state, 0o600); err != nil { // reading it waits for ever
		t.Fatal(err)
	}
	start := clock.System().Now()
	if code := m.run("status", "OCF_RESKEY_RGMANAGER_meta_timeout=8"); code != 0 {
		t.Errorf("status while the shared storage hangs: %d", code)
	}
	if took := clock.System().Now().Sub(start); took > 4*time.Minute {
		t.Errorf("it took %s", took)
	}
	if w, err := os.OpenFile(state, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		t.Error("the child waits for ever, and nobody has ended it")
		w.Close()
	}
}

// A source dies while it sends, and the shared storage waits for its fencing or its recovery: rgmanager, which asks all nodes whether the
// VM runs there before it starts it, must not take half of it for the whole. It would start it nowhere, and the stop after the next
// status fails. What may run counts as running.
func TestArrivalWhileTheShareHangs(t *testing.T) {
	m := newMachine(t)
	marker := filepath.Join(m.root, "shared/lbvm/cluster")
	if err := errors.Join(os.Remove(marker), syscall.Mkfifo(marker, 0o600)); err != nil { // reading it waits for ever
		t.Fatal(err)
	}
	for row, want := range map[string]int{"--p--- 0.0": int(ocf.CodeNotRunning), "-b---- 0.3": 0} {
		m.write("usr/sbin/xm", "#!/bin/sh\necho 'Name ID Mem VCPUs State Time(s)'\necho 'Domain-0 0 512 1 r----- 9.1'\necho 'web1 7 128 1 "+row+"'\n", 0o755)
		if code := m.run("status", "LBVM_TEST_AGENT=xen", "OCF_RESKEY_name=web1", "OCF_RESKEY_RGMANAGER_meta_timeout=8"); code != want {
			t.Errorf("%s: status: exit %d, want %d", row, code, want)
		}
	}
}

// A probe whose tool does not answer looks at the record in a child, which is left behind where the shared storage hangs.
func TestProbeAsAProcess(t *testing.T) {
	m := newMachine(t)
	if code := m.run("start"); code != 0 {
		t.Fatalf("start: %d", code)
	}
	m.write("proc/vz/veinfo", "", 0o644) // the kernel can hold it
	if err := errors.Join(os.Remove(filepath.Join(m.root, "usr/sbin/vzctl")), os.Remove(filepath.Join(m.root, "var/run/lbvm/openvz-101.here"))); err != nil {
		t.Fatal(err)
	}
	limit := "60000" // of which a part is the child's: enough on a busy machine
	probe := func() int {
		return m.run("monitor", ocf.DialectVariable+"=pacemaker", "OCF_RESKEY_CRM_meta_interval=0", "OCF_RESKEY_CRM_meta_timeout="+limit)
	}
	if code := probe(); code != 1 {
		t.Errorf("the record names this node: %d", code)
	}
	dir, err := handoff.Open(filepath.Join(m.root, "shared"), "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	held, err := dir.TryLock("a test")
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range []handoff.State{{Phase: handoff.Down}, {Phase: handoff.Starting, Node: "node2", Boot: "another"}, {Phase: handoff.Running, Node: "node2", Boot: "another"}} {
		if _, err := held.Write(st); err != nil {
			t.Fatal(err)
		}
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	if code := probe(); code != int(ocf.CodeNotRunning) {
		t.Errorf("the record names another: %d", code)
	}
	m.write("usr/sbin/vzctl", "#!/bin/sh\necho CTID 101 exist mounted down\n", 0o755)
	if code := probe(); code != int(ocf.CodeNotRunning) {
		t.Errorf("it is mounted and down, and the record names another: %d", code)
	}
	if err := os.Remove(filepath.Join(m.root, "usr/sbin/vzctl")); err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(m.root, "shared/lbvm/cluster")
	if err := errors.Join(os.Remove(marker), syscall.Mkfifo(marker, 0o600)); err != nil { // reading it waits for ever
		t.Fatal(err)
	}
	limit = "4000"
	if code := probe(); code != 1 {
		t.Errorf("the shared storage hangs: %d", code)
	}
}

// Heartbeat names the VM in the arguments. The process that looks at the shared storage has to know it too.
func TestStatusAdoptsUnderHeartbeat(t *testing.T) {
	m := newMachine(t)
	if code := m.run("start"); code != 0 {
		t.Fatalf("start: %d", code)
	}
	here := filepath.Join(m.root, "var/run/lbvm/openvz-101.here")
	if err := os.Remove(here); err != nil {
		t.Fatal(err)
	}
	c := m.command("status")
	c.Args = []string{c.Path, "--dialect=heartbeat", "101", "status"}
	// A name in the environment is another caller's: the arguments count.
	c.Env = []string{"OCF_RESKEY_name=102", "PATH=/usr/bin:/bin", host.RootVariable + "=" + m.root, "LBVM_TEST_AGENT=1"}
	if out, err := c.Output(); err != nil || string(out) != "running\n" {
		t.Errorf("status: %q, %v", out, err)
	}
	if _, err := os.Stat(here); err != nil {
		t.Errorf("it was not adopted: %v", err)
	}
}

// A probe, and a status on a node that the VM never was on, read nothing of the shared storage: here reading it would
// hang for ever.
func TestAbsentNeedsNoShare(t *testing.T) {
	m := newMachine(t)
	marker := filepath.Join(m.root, "shared/lbvm/cluster")
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(marker, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := m.run("monitor", ocf.DialectVariable+"=pacemaker", "OCF_RESKEY_CRM_meta_timeout=20000"); code != int(ocf.CodeNotRunning) {
		t.Errorf("probe: exit %d", code)
	}
	if code := m.run("status"); code != int(ocf.CodeNotRunning) {
		t.Errorf("status: exit %d", code)
	}
	if w, err := os.OpenFile(marker, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		t.Error("somebody still reads it")
		w.Close()
	}
}

// A node of a mixed cluster, without vzctl and without its kernel: rgmanager stops everything there when it starts.
// With the kernel nothing is known.
func TestNodeWithoutVzctl(t *testing.T) {
	m := newMachine(t)
	if err := os.Remove(filepath.Join(m.root, "usr/sbin/vzctl")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		action string
		want   ocf.Code
	}{{"stop", 0}, {"status", ocf.CodeNotRunning}, {"start", ocf.CodeInstalled}, {"validate-all", ocf.CodeInstalled}} {
		if code := m.run(c.action); code != int(c.want) {
			t.Errorf("%s: exit %d, want %d", c.action, code, c.want)
		}
	}
	m.write("proc/vz/veinfo", "", 0o644)
	for _, c := range []struct {
		action string
		want   ocf.Code
	}{{"stop", ocf.CodeGeneric}, {"status", ocf.CodeGeneric}, {"start", ocf.CodeInstalled}} {
		if code := m.run(c.action); code != int(c.want) {
			t.Errorf("with the kernel, %s: exit %d, want %d", c.action, code, c.want)
		}
	}
	if st, err := handoff.ReadState(filepath.Join(m.root, "shared"), "openvz", "101"); err != nil || st.Phase != handoff.NoRecord {
		t.Errorf("%+v, %v", st, err)
	}
}
