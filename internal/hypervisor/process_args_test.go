package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// procLine is a line of /proc/PID/stat.
func procLine(pid int, comm, state string, threads int) string {
	return fmt.Sprintf("%d (%s) %s 1 %d %d 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 %d 0 100 200 300\n", pid, comm, state, pid, pid, threads)
}

// hangs makes a process whose command line nobody can read: whoever opens it waits until the test ends.
func (s *stage) hangs(pid int, comm string, threads ...string) {
	s.t.Helper()
	dir := "/proc/" + strconv.Itoa(pid)
	leader := "S"
	if len(threads) == 0 {
		leader = "D"
	}
	s.file(dir+"/stat", procLine(pid, comm, leader, max(1, len(threads))))
	for i, state := range threads {
		s.file(fmt.Sprintf("%s/task/%d/stat", dir, pid+i), procLine(pid+i, "CPU 0/TCG", state, len(threads)))
	}
	path := filepath.Join(s.root, dir, "cmdline")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { // whoever has opened it comes to an end
		w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			s.t.Error("somebody reads the command line of a process that hangs")
			w.Close()
		} else if !errors.Is(err, syscall.ENXIO) {
			s.t.Error(err)
		}
	})
}

// stuck is a clock and a runner: a cat never ends, as one in the kernel does, and the time that a process is waited for is over when
// somebody waits for it.
type stuck struct {
	*instant
	run.Runner
	asked []string // command lines
	over  context.CancelFunc
	ended chan struct{}
}

func (s *stuck) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if filepath.Base(c.Argv[0]) != "cat" {
		return s.Runner.Run(ctx, c)
	}
	s.asked = append(s.asked, c.Argv[1])
	s.over()
	<-s.ended
	return run.Result{}, run.ErrDeadline
}

func (s *stuck) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d != argsMost {
		return context.WithTimeout(ctx, d)
	}
	ctx, s.over = context.WithCancel(ctx)
	return ctx, s.over
}

// A guest whose QEMU hangs in the kernel, and other processes that hang: nobody's command line is read then but by a child that can be
// left behind, and nothing that may be the guest is taken for absent.
func TestProcessThatHangs(t *testing.T) {
	const pid = 90000100
	const down = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock-ro': No such file or directory\n"
	const status = "<domstatus state='running' reason='booted' pid='90000100'/>"
	for _, c := range []struct {
		name    string
		comm    string
		threads []string
		file    string // whose note of libvirtd's names the process
		virsh   string
		want    State
		group   string // of the process
	}{
		{"some QEMU, libvirtd down", "qemu-system-x86", nil, "", down, Unknown, ""},
		{"some QEMU, a thread of it, libvirtd down", "qemu-kvm", []string{"S", "D"}, "", down, Unknown, ""},
		{"by libvirtd's note it is it, libvirtd down", "qemu-kvm", nil, "vm1", down, Running, ""},
		{"by libvirtd's note it is it, under another program, libvirtd down", "emulator", nil, "vm1", down, Running, ""},
		{"by libvirtd's note it is another's, libvirtd down", "qemu-kvm", nil, "vm2", down, Absent, ""},
		{"no QEMU, libvirtd down", "java", []string{"S", "D"}, "", down, Absent, ""},
		{"some QEMU, and libvirtd knows no such guest", "qemu-kvm", nil, "", "error: failed to get domain 'vm1'\n", Absent, ""},
		{"by libvirtd's note it is it, and libvirtd has lost it", "qemu-kvm", nil, "vm1", "error: failed to get domain 'vm1'\n", Unknown, ""},
		{"by its group it is it, and libvirtd has given it up", "qemu-kvm", nil, "", "error: failed to get domain 'vm1'\n", Unknown, "0::/machine.slice/machine-qemu\\x2d3\\x2dvm1.scope/libvirt/emulator\n"},
		{"by its group it is it, by libvirtd's note another's", "qemu-kvm", nil, "vm2-of-old", down, Unknown, "0::/machine.slice/machine-qemu\\x2d3\\x2dvm1.scope/libvirt/emulator\n"},
		{"by its group it is another's, and libvirtd knows no such guest", "qemu-kvm", nil, "", "error: failed to get domain 'vm1'\n", Absent, "0::/machine.slice/machine-qemu\\x2d3\\x2dvm11.scope\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, libvirtd{"domstate": {refuses([]byte(c.virsh))}}.play)
			s.processes("/usr/libexec/qemu-kvm -name guest=vm3")
			s.file("/usr/bin/cat", "")
			s.program("/usr/bin/cat")
			s.hangs(pid, c.comm, c.threads...)
			if c.group != "" {
				s.file("/proc/90000100/cgroup", c.group)
			}
			if c.file != "" {
				s.file(statusFiles+"/"+c.file+".xml", status)
			}
			x := &stuck{instant: s.clock, Runner: s.tools.Query, ended: make(chan struct{})}
			defer close(x.ended)
			s.tools.Query, s.tools.Clock = x, x
			got, err := s.driver("kvm").State(context.Background(), "vm1")
			if got != c.want || (err != nil) != (c.want == Unknown) {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			// What is no QEMU by its name, and no guest by libvirt's word, costs no child: a node has many that wait for a disk. Nor does
			// what is another's by libvirtd's note: where the disks hang all guests do.
			if idle := c.comm == "java" || c.file == "vm2"; idle && len(x.asked) > 0 || !idle && (len(x.asked) != 1 || !strings.HasSuffix(x.asked[0], "/proc/90000100/cmdline")) {
				t.Errorf("children were asked for %q", x.asked)
			}
		})
	}
}

// A process that waits for a disk for a moment is no process that hangs: a child reads what it is. Many that hang cost one child.
func TestProcessThatWaits(t *testing.T) {
	s := newStage(t, nil)
	s.processes()
	s.file("/usr/bin/cat", "")
	s.program("/usr/bin/cat")
	for pid := 90000200; pid < 90000204; pid++ {
		s.hangs(pid, "qemu-kvm")
	}
	children := 0
	s.tools.Query = asks(func(c run.Command) (run.Result, error) {
		if children++; strings.Contains(c.Argv[1], "90000202") {
			return says("/usr/libexec/qemu-kvm\x00-name\x00guest=vm1\x00"), nil
		}
		return says("/usr/libexec/qemu-kvm\x00-name\x00guest=vm2\x00"), nil
	})
	if p, ok, err := s.tools.qemuOf(context.Background(), "vm1"); p.pid != 90000202 || !ok || err != nil || p.hung {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if p, ok, err := s.tools.qemuOf(context.Background(), "vm9"); ok || err != nil {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	children = 0
	s.tools.Query = asks(func(run.Command) (run.Result, error) {
		children++
		return run.Result{}, run.ErrDeadline
	})
	if _, ok, err := s.tools.qemuOf(context.Background(), "vm1"); ok || !errors.Is(err, errHung) || children != 1 {
		t.Errorf("%v, %v, %d children", ok, err, children)
	}
}

type asks func(c run.Command) (run.Result, error)

func (a asks) Run(_ context.Context, c run.Command) (run.Result, error) { return a(c) }

// Half of a guest that migrates, and hangs: whether it is the source's half nobody can say.
func TestHalfThatHangs(t *testing.T) {
	s := newStage(t, libvirtd{"domstate": {kvmMoving}, "domjobinfo": {kvmNoJob}}.play)
	s.processes()
	s.hangs(90000300, "qemu-kvm")
	s.file(statusFiles+"/vm1.xml", "<domstatus state='paused' reason='migration' pid='90000300'/>")
	if got, err := s.driver("kvm").State(context.Background(), "vm1"); got != Unknown || err == nil {
		t.Errorf("%s, %v", got, err)
	}
}

// The group in which the versions of libvirt put a guest, by its documentation.
func TestGroupOfAGuest(t *testing.T) {
	for text, want := range map[string]bool{
		"4:cpuset:/libvirt/qemu/vm-1\n3:cpu:/libvirt/qemu/vm-1\n":                true,
		"4:cpuset:/machine/vm-1.libvirt-qemu/emulator\n":                         true,
		"4:cpuset:/machine/qemu-12-vm-1.libvirt-qemu/vcpu0\n":                    true,
		"1:name=systemd:/machine.slice/machine-qemu\\x2d12\\x2dvm\\x2d1.scope\n": true,
		"0::/machine.slice/machine-qemu\\x2dvm\\x2d1.scope\n":                    true, // before libvirt 1.3
		"0::/machine.slice/machine-qemu\\x2d1\\x2dvm\\x2d11.scope\n":             false,
		"0::/machine.slice/machine-qemu\\x2d1\\x2dother\\x2dvm\\x2d1.scope\n":    false,
		"0::/user.slice/vm-1\n": false, "0::/\n": false, "": false, "0::/a\\x\n": false, "0::/a\\xzz\n": false,
	} {
		if inGroup(text, "vm-1") != want {
			t.Errorf("%q", text)
		}
	}
	// Since 1.3.1 libvirt makes a host's name of the guest's.
	long := strings.Repeat("long-", 10) + "z"
	for _, c := range [][2]string{{"web_1", "web1"}, {"db--1", "db-1"}, {"a.-b", "a.b"}, {"a:b+c", "abc"}, {"c_", "c"}, {"-d-", "d"}, {long + long, (long + long)[:57]}} {
		if !inGroup("0::/machine.slice/machine-qemu\\x2d3\\x2d"+strings.ReplaceAll(c[1], "-", "\\x2d")+".scope\n", c[0]) {
			t.Errorf("%q is not found as %q", c[0], c[1])
		}
	}
	if inGroup("0::/machine.slice/machine-qemu\\x2d3\\x2dweb2.scope\n", "web_1") {
		t.Error("another guest's group")
	}
}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]procStat{
		procLine(7, "qemu-kvm", "D", 3):                                {comm: "qemu-kvm", waits: true, threads: 3},
		procLine(7, "a) S (b", "R", 1):                                 {comm: "a) S (b", threads: 1},
		"2 (kthreadd) D 0 0 0 0 -1 2129984 1 2 3 4 5 6 7 8 9 10 1 0\n": {comm: "kthreadd", waits: true, kernel: true, threads: 1},
	} {
		if got, ok := parseStat(text); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "7", "7 (a", ")(", "7 (a) D", procLine(7, "a", "D", 1)[:40]} {
		if s, ok := parseStat(text); ok {
			t.Errorf("%q: %+v", text, s)
		}
	}
	// This very process: the kernel's own text.
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := parseStat(string(text)); !ok || s.kernel || s.threads < 1 || !strings.HasPrefix("hypervisor.test", s.comm) {
		t.Errorf("%q: %+v, %v", text, s, ok)
	}
}
