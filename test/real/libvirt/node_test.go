package libvirt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
)

// nodeVariable makes this test program the first process of a node: NUMBER FOLDER.
const nodeVariable = "LBVM_TEST_LIBVIRT_NODE"

func TestMain(m *testing.M) {
	if what := os.Getenv(nodeVariable); what != "" {
		number, dir, _ := strings.Cut(what, " ")
		if err := beNode(number, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func address(number string) string { return "10.79.0." + number }

// beNode is a node's first process. It ends with its standard input, and everything on the node with it.
func beNode(number, dir string) error {
	must := func(what string, err error) error {
		if err != nil {
			return fmt.Errorf("node %s: %s: %w", number, what, err)
		}
		return nil
	}
	own := func(of, at string) error { // a copy of a folder or file of the machine, for this node alone
		to := filepath.Join(dir, of)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if at == "" {
			if out, err := exec.Command("cp", "-a", of, to).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		} else if err := os.WriteFile(to, []byte(at), 0o644); err != nil {
			return err
		}
		return syscall.Mount(to, of, "", syscall.MS_BIND, "")
	}
	me := address(number)
	for _, err := range []error{
		must("mounts", syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")),
		must("proc", syscall.Mount("proc", "/proc", "proc", 0, "")),
		must("run", syscall.Mount("tmpfs", "/run", "tmpfs", 0, "")),
		must("run", errors.Join(os.MkdirAll("/run/lock", 0o755), os.MkdirAll("/run/libvirt", 0o755), os.MkdirAll("/run/dbus", 0o755))),
		must("name", syscall.Sethostname([]byte("node"+number))),
		must("hosts", own("/etc/hosts", "127.0.0.1 localhost\n"+address("1")+" node1\n"+address("2")+" node2\n")),
		must("libvirt", errors.Join(own("/etc/libvirt", ""), own("/var/lib/libvirt", ""), own("/var/log/libvirt", ""), own("/var/cache/libvirt", ""))),
		must("libvirtd.conf", os.WriteFile("/etc/libvirt/libvirtd.conf", []byte(`listen_tls = 0
listen_tcp = 1
listen_addr = "`+me+`"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "00000000-0000-4000-8000-00000000000`+number+`"
`), 0o644)),
		must("qemu.conf", os.WriteFile("/etc/libvirt/qemu.conf", []byte(`user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
migration_host = "`+me+`"
migration_address = "`+me+`"
`), 0o644)),
	} {
		if err != nil {
			return err
		}
	}
	nets, err := filepath.Glob("/etc/libvirt/qemu/networks/autostart/*")
	if err != nil {
		return err
	}
	for _, n := range nets {
		if err := os.Remove(n); err != nil {
			return err
		}
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("node %s: %w: %s", number, err, out)
	}
	fmt.Println("namespaces")
	// The other node's end of the wire is laid from outside; libvirtd listens on it.
	line := make([]byte, 1)
	if _, err := io.ReadFull(os.Stdin, line); err != nil {
		return err
	}
	if _, err := syscall.ForkExec(libvirtd, []string{libvirtd, "--listen"}, &syscall.ProcAttr{Dir: "/", Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, Files: []uintptr{2, 2, 2}}); err != nil {
		return err
	}
	go func() { // whatever ends on the node is this process's child
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
				return
			}
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

const libvirtd = "/usr/sbin/libvirtd"

// node is one of the two.
type node struct {
	t       *testing.T
	name    string
	root    string // LBVM_ROOT of its agents
	pid     string
	nsenter string
	agent   string
}

// newNode begins a node; its end is part of the test's.
func newNode(t *testing.T, number, dir, agent string) (n *node, goOn func()) {
	t.Helper()
	n = &node{t: t, name: "node" + number, root: filepath.Join(dir, "node"+number), nsenter: real.Need(t, "nsenter"), agent: agent}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, n.name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{nodeVariable + "=" + number + " " + filepath.Join(n.root, "own"), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS}
	cmd.Stderr = log
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if os.Getenv(real.RequireVariable) != "1" && errors.Is(err, syscall.EPERM) {
			t.Skipf("skipped: this test needs namespaces, which cannot be made here (%v)", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Log(err)
		}
		over := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer over.Stop()
		if err := cmd.Wait(); err != nil {
			t.Logf("%s: %v", n.name, err)
		}
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s: libvirtd said:\n%s", n.name, text)
		}
		if err := log.Close(); err != nil {
			t.Log(err)
		}
	})
	n.pid = strconv.Itoa(cmd.Process.Pid)
	ready := make([]byte, len("namespaces\n"))
	if _, err := io.ReadFull(out, ready); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s did not come up: %v\n%s", n.name, err, text)
	}
	return n, func() {
		if _, err := in.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
	}
}

// join lays the wire between two nodes.
func join(t *testing.T, a, b *node) {
	t.Helper()
	a.must("-n", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.pid)
	for _, n := range []*node{a, b} {
		n.must("-n", "ip", "addr", "add", address(strings.TrimPrefix(n.name, "node"))+"/24", "dev", "eth0")
		n.must("-n", "ip", "link", "set", "eth0", "up")
	}
}

// must runs a program in some of the node's namespaces.
func (n *node) must(spaces string, argv ...string) {
	n.t.Helper()
	if out, err := exec.Command(n.nsenter, append([]string{"-t", n.pid, spaces, "--"}, argv...)...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %q: %v: %s", n.name, argv, err, out)
	}
}

func (n *node) inside(argv ...string) []string {
	return append([]string{"-t", n.pid, "-m", "-p", "-u", "-n", "--"}, argv...)
}

// virsh gives what virsh says on the node, error or not.
func (n *node) virsh(args ...string) string {
	n.t.Helper()
	cmd := exec.Command(n.nsenter, n.inside(append([]string{"/usr/bin/timeout", "60", "/usr/bin/virsh", "-c", "qemu:///system"}, args...)...)...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// act calls the agent as rgmanager does, and gives its exit code.
func (n *node) act(timeout int, action string, params ...real.Param) int {
	n.t.Helper()
	all := append([]real.Param{{Name: "name", Value: guestName}}, params...)
	env := append(real.Env("kvm", all, timeout), host.RootVariable+"="+n.root)
	return real.Action(n.t, env, n.nsenter, n.inside(append([]string{n.agent}, strings.Fields(action)...)...)...)
}

// wants calls the agent and wants that code.
func (n *node) wants(code int, action string, params ...real.Param) {
	n.t.Helper()
	began := time.Now()
	got := n.act(300, action, params...)
	n.t.Logf("%s on %s: exit %d after %.1f s", action, n.name, got, time.Since(began).Seconds())
	if got != code {
		cmd := exec.Command(n.nsenter, n.inside(append([]string{n.agent, "--explain"}, strings.Fields(action)...)...)...)
		cmd.Env = append(real.Env("kvm", append([]real.Param{{Name: "name", Value: guestName}}, params...), 300), host.RootVariable+"="+n.root)
		out, _ := cmd.CombinedOutput()
		n.t.Fatalf("%s on %s: exit %d, want %d\n%s\n%s", action, n.name, got, code, n.virsh("domstate", guestName, "--reason"), bytes.TrimSpace(out))
	}
}

// libvirtd ends the node's libvirtd as a crash does, or starts it again.
func (n *node) libvirtd(up bool) {
	n.t.Helper()
	if !up {
		argv := n.inside("/bin/sh", "-c", "kill -9 $(cat /run/libvirtd.pid) && rm -f /run/libvirtd.pid")
		if out, err := exec.Command(n.nsenter, argv...).CombinedOutput(); err != nil {
			n.t.Fatalf("%v: %s", err, out)
		}
		await(n.t, "libvirtd is gone", func() bool { return strings.Contains(n.virsh("list"), "failed to connect") })
		return
	}
	if out, err := exec.Command(n.nsenter, n.inside(libvirtd, "--listen", "-d")...).CombinedOutput(); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	await(n.t, "libvirtd answers", func() bool { return strings.HasPrefix(n.virsh("list", "--all"), "Id ") })
}

// countVirsh counts from now on how often the agent calls virsh.
func (n *node) countVirsh() (called func() int) {
	n.t.Helper()
	log, path := filepath.Join(n.root, "virsh.log"), filepath.Join(n.root, "usr/sbin/virsh")
	script := "#!/bin/sh\necho \"$*\" >>" + log + "\nexec /usr/bin/virsh \"$@\"\n"
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(script), 0o755)); err != nil {
		n.t.Fatal(err)
	}
	return func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			return 0
		}
		return strings.Count(string(b), "\n")
	}
}

// libvirtdOnce starts libvirtd when it is time.
func (n *node) libvirtdOnce(now func() bool) error {
	for begun := time.Now(); !now(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			return errors.New("the time to start libvirtd did not come within a minute")
		}
	}
	out, err := exec.Command(n.nsenter, n.inside(libvirtd, "--listen", "-d")...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}
