package pacemaker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// bench is the machine with three nodes on it.
type bench struct {
	t       *testing.T
	dir     string
	shared  string // the nodes' /gfs, as the host has it
	nsenter string
	wire    *process // holds the switch's network
	nodes   map[string]*node
	device  *device
	guests  map[string]*guest
	watch   *watch
	seconds string // between two runs of lblog
	began   time.Time
	mu      sync.Mutex
	shown   map[string]bool // the commands that were run on nodes
}

// newBench lays the programs down, wires three nodes, boots them and waits until they are one cluster.
func newBench(t *testing.T, seconds string) *bench {
	t.Helper()
	real.NeedRoot(t)
	for _, p := range []string{"virsh", "qemu-system-x86_64", "ip", "nsenter", "make", "perl", "ps", "/usr/sbin/libvirtd", "/usr/sbin/virtlogd", "/usr/sbin/corosync", "/usr/sbin/pacemakerd"} {
		real.Need(t, p)
	}
	dir := newFolder(t)
	b := &bench{t: t, dir: dir, shared: filepath.Join(dir, "shared"), nsenter: real.Need(t, "nsenter"), nodes: map[string]*node{}, guests: map[string]*guest{},
		seconds: seconds, began: time.Now(), shown: map[string]bool{}}
	b.install()
	b.must(errors.Join(os.MkdirAll(b.shared, 0o755), os.MkdirAll(filepath.Join(dir, "fence"), 0o755)))
	b.wire = b.start("switch", "switch", syscall.CLONE_NEWNET)
	b.switchDoes("ip", "link", "add", "br0", "type", "bridge")
	b.switchDoes("ip", "link", "set", "br0", "up")
	b.device = newDevice(t, filepath.Join(dir, "fence"), func(name string) error { return b.nodes[name].kill() }, b.reaches)
	for i, name := range names() {
		b.nodes[name] = &node{b: b, name: name, number: strconv.Itoa(i + 1)}
	}
	for _, name := range names() {
		b.nodes[name].boot()
	}
	b.until("three nodes are one cluster", func() bool { return strings.Contains(b.view("node1"), "Online: [ node1 node2 node3 ]") })
	for _, name := range names() {
		n := b.nodes[name]
		b.until(name+"'s libvirtd answers", func() bool {
			out, _ := n.try("virsh", "-c", "qemu:///system", "list", "--all")
			return strings.Contains(out, "Id ")
		})
	}
	b.say("three nodes are one cluster")
	return b
}

// install lays down what `make install` does, from the programs under test, and the fence agent.
func (b *bench) install() {
	b.t.Helper()
	top, err := filepath.Abs("../..")
	b.must(err)
	bin := os.Getenv("LBVM_BIN")
	if bin == "" {
		bin = filepath.Join(b.dir, "bin")
		b.must(os.MkdirAll(filepath.Join(bin, "agents"), 0o755))
		for _, p := range []string{"lbm", "lblog", "lbmonitor", "lbvm-lab"} {
			b.build(top, filepath.Join(bin, p), "./cmd/"+p)
		}
		for _, p := range []string{"kvm", "lbvm", "openvz", "vmexec", "xen"} {
			b.build(top, filepath.Join(bin, "agents", p+".sh"), "./agents/"+p)
		}
	}
	// As in a package's build: what is built is taken as it is.
	out, err := exec.Command("make", "-C", top, "-o", "build", "install", "BIN="+bin, "DESTDIR="+filepath.Join(b.dir, "stage")).CombinedOutput()
	if err != nil {
		b.t.Fatalf("make install: %v: %s", err, out)
	}
	self, err := os.Executable()
	b.must(err)
	if out, err := exec.Command("cp", self, filepath.Join(b.dir, "stage/usr/sbin", fenceAgent)).CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	b.must(errors.Join(os.MkdirAll(filepath.Join(b.dir, "stage/usr/local/sbin"), 0o755),
		os.WriteFile(filepath.Join(b.dir, "stage/usr/local/sbin/vm-blocked"), []byte(vmBlocked), 0o755)))
}

func (b *bench) build(top, to, from string) {
	b.t.Helper()
	cmd := exec.Command(real.Need(b.t, "go"), "build", "-trimpath", "-o", to, from)
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// say is a line of evidence.
func (b *bench) say(format string, args ...any) {
	b.t.Helper()
	b.t.Logf("[%6.1fs] %s", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// patience is how long an event is waited for on a machine that is busy with other things.
const patience = 5 * time.Minute

// until looks until a condition holds, and says how long it took.
func (b *bench) until(what string, holds func() bool) time.Duration {
	b.t.Helper()
	began := time.Now()
	for ; !holds(); time.Sleep(100 * time.Millisecond) {
		b.watch.mustBeWell(b.t)
		if time.Since(began) > patience {
			b.tell()
			b.t.Fatalf("%s: not within %s", what, patience)
		}
	}
	return time.Since(began)
}

// tell logs what the nodes can say, for who has to find out what failed.
func (b *bench) tell() {
	for _, name := range names() {
		n := b.nodes[name]
		if !n.up() {
			b.t.Logf("%s is down", name)
			continue
		}
		for _, ask := range []string{"crm_mon -1rf", "virsh -c qemu:///system list --all", "lbm history", "lbm list", "grep -hE ' (warning|error|notice):' /var/log/pacemaker/pacemaker.log", "lbm blackbox", "cat " + eventsFile} {
			out, err := n.try("sh", "-c", ask+" 2>&1 | tail -n 30")
			b.t.Logf("%s: %s: %v\n%s", name, ask, err, out)
		}
	}
	for name, g := range b.guests {
		b.t.Logf("%s:\n%s", name, strings.Join(b.boots(g), "\n"))
		// What a guest says that is no number.
		out, err := exec.Command("sh", "-c", `grep -v "^tick [0-9]*.$" "$0" | tail -n 60`, g.path).CombinedOutput()
		b.t.Logf("%s: %v\n%s", name, err, out)
	}
	for _, name := range names() {
		text, err := os.ReadFile(filepath.Join(b.dir, name+".log"))
		b.t.Logf("%s said: %v\n%s", name, err, tail(text, 4000))
	}
}

func tail(text []byte, most int) []byte {
	if len(text) > most {
		return text[len(text)-most:]
	}
	return text
}

// process is a first process of namespaces.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	pid  string
	uts  string        // its name space for names
	over chan struct{} // closed when it and all that it had begun are gone
}

// start begins a process in namespaces of its own. It ends with its standard input, so with this one.
func (b *bench) start(name, role string, spaces uintptr) *process {
	b.t.Helper()
	self, err := os.Executable()
	b.must(err)
	log, err := os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	b.must(err)
	defer log.Close()
	p := &process{cmd: exec.Command(self), over: make(chan struct{})}
	p.cmd.Env = append(nodeEnv(), roleVariable+"="+role)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: spaces}
	p.cmd.Stderr = log
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	b.must(errors.Join(err1, err2))
	if err := p.cmd.Start(); err != nil {
		if os.Getenv(real.RequireVariable) != "1" && errors.Is(err, syscall.EPERM) {
			b.t.Skipf("skipped: this test needs namespaces, which cannot be made here (%v)", err)
		}
		b.t.Fatal(err)
	}
	p.in, p.pid = in, strconv.Itoa(p.cmd.Process.Pid)
	if p.uts, err = os.Readlink("/proc/" + p.pid + "/ns/uts"); err != nil {
		b.t.Fatal(err)
	}
	ready := make([]byte, len("namespaces\n"))
	_, err = io.ReadFull(out, ready)
	go func() {
		_ = p.cmd.Wait() // how a killed one ends is no news
		close(p.over)
	}()
	b.t.Cleanup(func() { p.end() })
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		b.t.Fatalf("%s did not come up: %v\n%s", name, err, text)
	}
	return p
}

// end kills a first process and waits until the kernel has ended all of its namespace.
func (p *process) end() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.over
}

func (b *bench) switchDoes(argv ...string) {
	b.t.Helper()
	if out, err := exec.Command(b.nsenter, append([]string{"-t", b.wire.pid, "-n", "--"}, argv...)...).CombinedOutput(); err != nil {
		b.t.Fatalf("%q: %v: %s", argv, err, out)
	}
}

// reaches tells whether a node has a way to the fence device: it hangs on the same switch.
func (b *bench) reaches(from string) error {
	n := b.nodes[from]
	if n == nil {
		return fmt.Errorf("%q is no node", from)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return errors.New("no route to the fence device")
	}
	return nil
}

// view is crm_mon's, as text.
func (b *bench) view(from string) string {
	out, _ := b.nodes[from].try("crm_mon", "-1")
	return out
}

// node is one of the three.
type node struct {
	b            *bench
	name, number string
	mu           sync.Mutex
	p            *process // nil: it is off
	boots        int
	cut          bool // its cable is out
}

// boot gives the node power. What it had written is there; its memory is not.
func (n *node) boot() {
	n.b.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.boots++
	when := "again"
	if n.boots == 1 {
		when = "first"
	}
	boot := fmt.Sprintf("00000000-0000-4000-8000-%04d%08d", n.boots, os.Getpid())
	p := n.b.start(n.name, strings.Join([]string{"node", n.number, n.b.dir, boot, when, n.b.seconds}, " "),
		syscall.CLONE_NEWNS|syscall.CLONE_NEWPID|syscall.CLONE_NEWNET|syscall.CLONE_NEWUTS|syscall.CLONE_NEWIPC)
	port := "v" + n.number
	n.b.switchDoes("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", p.pid)
	n.b.switchDoes("ip", "link", "set", port, "master", "br0", "up")
	n.p, n.cut = p, false
	for _, argv := range [][]string{{"ip", "addr", "add", address(n.number) + "/24", "dev", "eth0"}, {"ip", "link", "set", "eth0", "up"}} {
		if out, err := exec.Command(n.b.nsenter, append([]string{"-t", p.pid, "-n", "--"}, argv...)...).CombinedOutput(); err != nil {
			n.b.t.Fatalf("%q: %v: %s", argv, err, out)
		}
	}
	if _, err := p.in.Write([]byte{'\n'}); err != nil {
		n.b.t.Fatal(err)
	}
}

// kill takes the node's power away. It returns when all of its processes are gone.
func (n *node) kill() error {
	n.mu.Lock()
	p := n.p
	n.mu.Unlock()
	if p == nil {
		return nil // it is off
	}
	p.end()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.p == p {
		n.p = nil
	}
	return nil
}

func (n *node) up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.p != nil
}

// cable pulls the node's network cable out, or puts it in.
func (n *node) cable(in bool) {
	n.b.t.Helper()
	to := "down"
	if in {
		to = "up"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.b.switchDoes("ip", "link", "set", "v"+n.number, to)
	n.cut = !in
}

// command is a program that is run on the node.
func (n *node) command(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.p == nil {
		return nil, fmt.Errorf("%s is off", n.name)
	}
	// nsenter forks to enter the process namespace: who ends it ends the group.
	cmd := exec.CommandContext(ctx, n.b.nsenter, append([]string{"-t", n.p.pid, "-m", "-p", "-u", "-n", "-i", "--"}, argv...)...)
	cmd.Env = nodeEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd, nil
}

// try runs a program on the node, and gives all that it says.
func (n *node) try(argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, err := n.command(ctx, argv...)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return strings.TrimSpace(out.String()), err
}

// does runs a program that has to succeed.
func (n *node) does(argv ...string) string {
	n.b.t.Helper()
	out, err := n.try(argv...)
	if err != nil {
		n.b.t.Fatalf("%s: %q: %v: %s", n.name, argv, err, out)
	}
	return out
}
