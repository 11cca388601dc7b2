package lxc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

const (
	moduleRoot = "../../.."
	// limit bounds every program and every wait. It is generous: machines can be loaded.
	limit = 5 * time.Minute
	// scale lets the cluster manager look at the container every three seconds.
	scale = 10
	vm    = "web"
)

// bed is a cluster of two nodes with one container.
type bed struct {
	t   *testing.T
	bin string
	l   lab.Layout
}

// programs builds what the nodes run, or takes the build that LBVM_BIN names.
func programs(t *testing.T) string {
	t.Helper()
	if dir, ok := os.LookupEnv("LBVM_BIN"); ok && dir != "" {
		return dir
	}
	dir := t.TempDir()
	for out, from := range map[string]string{"lbm": "cmd/lbm", "lblog": "cmd/lblog", "lbmonitor": "cmd/lbmonitor", "lbvm-lab": "cmd/lbvm-lab", "agents/vmexec.sh": "agents/vmexec"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, out), "./"+from)
		cmd.Dir = moduleRoot
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", from, err, text)
		}
	}
	return dir
}

// newBed lays the cluster out and starts it. The container's service is disabled.
func newBed(t *testing.T) *bed {
	t.Helper()
	real.NeedRoot(t)
	for _, p := range []string{"lxc-create", "lxc-start", "lxc-info", "lxc-stop", "lxc-freeze", "lxc-unfreeze"} {
		real.Need(t, p)
	}
	real.NeedFile(t, "/usr/share/lxc/templates/lxc-busybox")
	dir, err := os.MkdirTemp("", "lbvm-lxc-") // a short path: LXC makes a socket's name of it
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, bin: programs(t)}
	if b.l, err = lab.Create(filepath.Join(dir, "lab"), lab.Options{Nodes: []string{"node1", "node2"}, Programs: b.bin, VMs: []lab.VM{}, Scale: scale}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.clean(dir) })
	rootfs := b.l.Path("shared/lxc")
	b.must(os.MkdirAll(rootfs, 0o755))
	if out, code := b.run(nil, "lxc-create", "-P", rootfs, "-n", vm, "-t", "busybox"); code != 0 {
		t.Fatalf("lxc-create: exit %d: %s", code, out)
	}
	conf, err := os.ReadFile(filepath.Join(rootfs, vm, "config"))
	b.must(err)
	sample, err := os.ReadFile(filepath.Join(moduleRoot, "packaging/lbvm.d/lxc.sample"))
	b.must(err)
	for _, n := range []string{"node1", "node2"} {
		b.file(n, "/var/lib/lxc/"+vm+"/config", plain(string(conf)), 0o644)
		b.file(n, "/etc/cluster/lbvm.d/lxc", string(sample), 0o644)
		for _, tool := range []string{"lxc-start", "lxc-info", "lxc-stop", "lxc-freeze", "lxc-unfreeze"} {
			b.file(n, "/usr/bin/"+tool, fmt.Sprintf("#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin exec /usr/bin/%s --lxcpath=%s \"$@\"\n", tool, b.lxcpath(n)), 0o755)
		}
		b.service(n)
	}
	b.lab("up", "--timeout", "4m", b.l.Dir)
	for i, n := range []string{"node1", "node2"} {
		argv := []string{"run", n, "lbm", "init", "--shared", lab.SharedMount, "--no-service"}
		if i > 0 {
			argv = append(argv, "--join")
		}
		b.lab(argv...)
	}
	return b
}

// plain is a container's configuration without a network and without AppArmor, neither of which every machine has.
func plain(conf string) string {
	var out []string
	for _, l := range strings.Split(conf, "\n") {
		if !strings.HasPrefix(l, "lxc.net.") && !strings.HasPrefix(l, "lxc.apparmor.") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n") + "\nlxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n"
}

// service puts the container into a node's cluster.conf.
func (b *bed) service(node string) {
	b.t.Helper()
	path := filepath.Join(b.l.Root(node), host.ClusterXML)
	text, err := os.ReadFile(path)
	b.must(err)
	with := strings.Replace(string(text), "</rm>", `  <service name="web" autostart="0" recovery="restart"><vmexec name="web" type="lxc" memory="64M"/></service>`+"\n  </rm>", 1)
	if with == string(text) {
		b.t.Fatalf("there is no place for a service in %s", text)
	}
	b.must(os.WriteFile(path, []byte(with), 0o640))
}

// lateInit gives the container of a node an init that hears nothing before lxc-stop has asked it once. The file that it names
// is there when that init has ended by itself.
func (b *bed) lateInit(node string) (ended string) {
	b.t.Helper()
	rootfs := filepath.Join(b.l.Path("shared/lxc"), vm, "rootfs")
	const late = `#!/bin/sh
trap '' PWR USR1
while [ ! -e /hears ]; do sleep 1; done
trap 'echo well >/ended; exit 0' PWR USR1
while :; do sleep 1; done
`
	b.must(os.WriteFile(filepath.Join(rootfs, "late"), []byte(late), 0o755))
	config := filepath.Join(b.lxcpath(node), vm, "config")
	text, err := os.ReadFile(config)
	b.must(err)
	b.must(os.WriteFile(config, append(text, "\nlxc.init.cmd = /late\n"...), 0o644))
	b.file(node, "/usr/bin/lxc-stop", fmt.Sprintf("#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nlxc-stop --lxcpath=%s \"$@\"\ncode=$?\n: >%s/hears\nexit $code\n", b.lxcpath(node), rootfs), 0o755)
	return filepath.Join(rootfs, "ended")
}

func (b *bed) clean(dir string) {
	for _, n := range []string{"node1", "node2"} { // before the lab: its manager would start it again
		if b.pid(n) > 0 {
			b.agent(n, "stop")
		}
	}
	if out, code := b.run(nil, filepath.Join(b.bin, "lbvm-lab"), "--lab", b.l.Dir, "down"); code != 0 {
		b.t.Errorf("lbvm-lab down: exit %d: %s", code, out)
	}
	for _, n := range []string{"node1", "node2"} {
		if b.pid(n) > 0 {
			if out, code := b.run(nil, "lxc-stop", "-P", b.lxcpath(n), "-n", vm, "-k"); code != 0 {
				b.t.Errorf("a container is left on %s: lxc-stop: exit %d: %s", n, code, out)
			}
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		b.t.Error(err)
	}
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) file(node, path, text string, mode os.FileMode) {
	b.t.Helper()
	path = filepath.Join(b.l.Root(node), path)
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	b.must(os.WriteFile(path, []byte(text), mode))
}

func (b *bed) lxcpath(node string) string { return filepath.Join(b.l.Root(node), "var/lib/lxc") }

// run runs a program of the machine.
func (b *bed) run(env []string, argv ...string) (out string, code int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root"}, env...)
	cmd.WaitDelay = 5 * time.Second
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return text.String() + err.Error(), -1
	}
	return text.String(), cmd.ProcessState.ExitCode()
}

// lab runs lbvm-lab and wants exit code 0.
func (b *bed) lab(args ...string) string {
	b.t.Helper()
	out, code := b.run(nil, append([]string{filepath.Join(b.bin, "lbvm-lab"), "--lab", b.l.Dir}, args...)...)
	if code != 0 {
		b.t.Fatalf("lbvm-lab %s: exit %d: %s\n%s", strings.Join(args, " "), code, out, b.log())
	}
	return out
}

// measure runs lblog, as soon as the one that cron runs is done.
func (b *bed) measure(node string) {
	b.t.Helper()
	for range 1000 {
		out, code := b.run(nil, filepath.Join(b.bin, "lbvm-lab"), "--lab", b.l.Dir, "run", node, "/usr/libexec/lbvm/lblog")
		if code == 0 {
			return
		}
		if !strings.Contains(out, "the last run has not ended yet") {
			b.t.Fatalf("lblog on %s: exit %d: %s\n%s", node, code, out, b.log())
		}
	}
	b.t.Fatalf("the lblog of cron on %s does not end\n%s", node, b.log())
}

// log is the end of what the cluster manager and the agents have said.
func (b *bed) log() string {
	text, err := os.ReadFile(b.l.Path("log/manager.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// agent calls the agent on a node as rgmanager does.
func (b *bed) agent(node, action string) int {
	b.t.Helper()
	m, err := ocf.ParseMetadata(metadata.VMExec())
	b.must(err)
	a, _ := m.Action(action, 0)
	env := real.Env("vmexec", []real.Param{{Name: "name", Value: vm}, {Name: "type", Value: "lxc"}, {Name: "memory", Value: "64M"}, {Name: "on_stop", Value: "suspend"}}, int(a.Timeout.Seconds()))
	return real.Action(b.t, append(env, host.RootVariable+"="+b.l.Root(node)), filepath.Join(b.l.Root(node), host.AgentDir, "vmexec.sh"), action)
}

func (b *bed) wantAgent(node, action string, code int) {
	b.t.Helper()
	if got := b.agent(node, action); got != code {
		b.t.Fatalf("%s on %s: exit %d, not %d\n%s", action, node, got, code, b.log())
	}
}

// pid is the container's init on a node, asked of LXC itself; 0 where it does not run.
func (b *bed) pid(node string) int {
	b.t.Helper()
	out, code := b.run(nil, "lxc-info", "-P", b.lxcpath(node), "-n", vm, "-p", "-H")
	if code != 0 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil || n <= 0 || syscall.Kill(n, 0) != nil {
		return 0
	}
	return n
}

// where wants the container on that node and on no other; "" is nowhere.
func (b *bed) where(node string) {
	b.t.Helper()
	for _, n := range []string{"node1", "node2"} {
		if runs := b.pid(n) > 0; runs != (n == node) {
			b.t.Fatalf("it runs on %s: %v; it should run on %q\n%s", n, runs, node, b.log())
		}
	}
}

// until waits for something to become true.
func (b *bed) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("after %s still not: %s\n%s", limit, what, b.log())
		}
	}
}
