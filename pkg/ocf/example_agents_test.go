package ocf

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// The example agents are a module of their own, as anybody's agents would be: what they import anybody can. They are
// built with the go tool, from what the build of this module needs as well, and called as managers call them.

// exampleModule holds the agents.
const exampleModule = "testdata/agents"

func buildExamples(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command(real.Need(t, "go"), "build", "-trimpath", "-o", dir+"/", "./...")
	c.Dir = exampleModule
	c.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building the example agents: %v\n%s", err, out)
	}
	return dir
}

// places are where each manager looks for agents.
var places = [...]struct{ dialect, dir, suffix string }{
	{"rgmanager", "usr/share/cluster", ".sh"}, {"pacemaker", "usr/lib/ocf/resource.d/x", ""}, {"heartbeat", "etc/ha.d/resource.d", ""},
}

// install copies an agent of the folder built to where all managers look for it.
func (n node) install(built, agent string) {
	n.t.Helper()
	program, err := os.ReadFile(filepath.Join(built, agent))
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chmod(n.root, 0o755); err != nil { // meta-data is asked by nobody
		n.t.Fatal(err)
	}
	for _, p := range places {
		n.write(filepath.Join(p.dir, agent+p.suffix), string(program), 0o755)
	}
	n.write("var/run/x", "", 0o600)
	n.write("var/log/x", "", 0o600)
}

// manager calls an agent as one kind of manager does.
type manager struct {
	n       node
	agent   string
	dialect string
	params  []string // KEY=VALUE, the name first
}

// managers are all three.
func (n node) managers(agent string, params ...string) []manager {
	var all []manager
	for _, p := range places {
		all = append(all, manager{n, agent, p.dialect, params})
	}
	return all
}

// call gives the exit code and what was printed.
func (m manager) call(action string, more ...string) (int, string) {
	m.n.t.Helper()
	place := places[0]
	for _, p := range places {
		if p.dialect == m.dialect {
			place = p
		}
	}
	program := filepath.Join(m.n.root, place.dir, m.agent+place.suffix)
	_, name, _ := strings.Cut(m.params[0], "=")
	env := []string{RootVariable + "=" + m.n.root}
	args := []string{program, action}
	switch m.dialect {
	case "rgmanager":
		env = append(env, real.Env(m.agent, []real.Param{{Name: "name", Value: name}}, 0)...)
	case "pacemaker":
		args[1] = map[string]string{"status": "monitor"}[action]
		if args[1] == "" {
			args[1] = action
		}
		env = append(env, "OCF_ROOT=/usr/lib/ocf", "OCF_RESOURCE_INSTANCE="+name, "OCF_RESKEY_CRM_meta_timeout=20000", "OCF_RESKEY_CRM_meta_interval=10000")
	case "heartbeat":
		args = append([]string{program, name}, m.params[1:]...)
		args = append(args, action)
	}
	if m.dialect != "heartbeat" {
		for _, p := range m.params {
			env = append(env, keyPrefix+p)
		}
	}
	c := &exec.Cmd{Path: program, Args: args, Env: append(env, more...), Dir: "/"} // the last of a name counts
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.n.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

// want calls the agent and complains of any other answer. said is what Heartbeat's status prints; nothing else prints.
func (m manager) want(code int, action string, more ...string) {
	m.n.t.Helper()
	got, out := m.call(action, more...)
	said := ""
	if m.dialect == "heartbeat" && action == "status" {
		said = "running\n"
		if code == 7 {
			said = "stopped\n"
		}
	}
	if m.dialect == "heartbeat" && action != "status" && code > 1 {
		code = 1
	}
	if got != code || out != said {
		m.n.t.Errorf("%s, %s of %s: exit %d, want %d; printed %q, want %q; log:\n%s", m.dialect, action, m.params[0], got, code, out, said, m.n.read("var/log/messages"))
	}
}

// life is what every agent must answer from stopped to stopped, whatever it is called as.
func (m manager) life() {
	m.n.t.Helper()
	for _, step := range []struct {
		action string
		want   int
	}{{"stop", 0}, {"status", 7}, {"start", 0}, {"status", 0}, {"start", 0}, {"status", 0}, {"stop", 0}, {"status", 7}, {"stop", 0}} {
		m.want(step.want, step.action)
	}
}

// systemctl keeps the state of each unit in a file.
const systemctl = `#!/bin/sh
PATH=/usr/bin:/bin; cd "$LBVM_ROOT/units" || exit 99
verb=$1; while [ "$1" != -- ]; do shift; done; unit=$2
if [ "$verb" = is-active ]; then cat "$unit" 2>/dev/null || echo inactive; grep -qsxE "active|reloading" "$unit" && exit 0; exit 3; fi
echo "$verb $unit" >> ../calls
[ -f "$unit" ] || { echo "Failed to $verb $unit: Unit $unit not found." >&2; exit 5; }
case $verb in
start) echo active > "$unit" ;;
stop) [ -e ../stubborn ] && { trap '' TERM; while :; do sleep 1000; done; }; echo inactive > "$unit" ;;
kill) echo failed > "$unit" ;;
*) exit 98 ;;
esac
`

// architectures are this machine's, and where it is one of Intel's, its small sister.
func architectures() []string {
	if runtime.GOARCH == "amd64" {
		return []string{"amd64", "386"}
	}
	return []string{runtime.GOARCH}
}

func TestExampleAgents(t *testing.T) {
	for _, arch := range architectures() {
		t.Run(arch, func(t *testing.T) {
			built := buildExamples(t, arch)
			for _, agent := range []string{"systemd-unit", "tcp-health"} {
				fi, err := os.Stat(filepath.Join(built, agent))
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s for %s: %d bytes", agent, arch, fi.Size())
			}
			t.Run("metadata", func(t *testing.T) { exampleMetadata(t, built) })
			t.Run("systemd-unit", func(t *testing.T) { systemdUnit(t, built) })
			t.Run("tcp-health", func(t *testing.T) { tcpHealth(t, built) })
			t.Run("ocf-tester", func(t *testing.T) { ocfTester(t, built) })
		})
	}
}

func exampleMetadata(t *testing.T, built string) {
	xmllint := real.Need(t, "xmllint")
	valid := func(text, dtd string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "agent.xml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// A document may name its schema, which then is looked for beside it.
		if err := os.Symlink(dtd, filepath.Join(filepath.Dir(file), filepath.Base(dtd))); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(xmllint, "--nonet", "--noout", "--dtdvalid", dtd, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", dtd, err, out)
		}
	}
	ours, err := filepath.Abs("../../metadata/rgmanager.dtd")
	if err != nil {
		t.Fatal(err)
	}
	for _, agent := range []string{"systemd-unit", "tcp-health"} {
		n := newNode(t, "")
		n.install(built, agent)
		source, err := os.ReadFile(filepath.Join(exampleModule, agent, agent+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		out, code := real.MetaData(t, filepath.Join(n.root, places[0].dir, agent+".sh"))
		if code != 0 || !bytes.Equal(out, source) {
			t.Errorf("%s: exit %d, and not its file byte for byte", agent, code)
		}
		valid(string(out), ours)
		out, code = real.MetaData(t, filepath.Join(n.root, places[1].dir, agent))
		if code != 0 || bytes.Equal(out, source) || !bytes.Contains(out, []byte(`name="monitor"`)) {
			t.Errorf("%s for Pacemaker: exit %d, %s", agent, code, out)
		}
		valid(string(out), real.NeedFile(t, "/usr/share/resource-agents/ra-api-1.dtd"))
	}
}

func systemdUnit(t *testing.T, built string) {
	n := newNode(t, "")
	n.install(built, "systemd-unit")
	n.write("usr/bin/systemctl", systemctl, 0o755)
	n.write("units/web.service", "inactive\n", 0o600)
	for _, m := range n.managers("systemd-unit", "name=web.service") {
		n.write("calls", "", 0o600)
		m.life()
		if calls := n.read("calls"); calls != "start web.service\nstop web.service\n" {
			t.Errorf("%s: systemctl was told\n%s", m.dialect, calls)
		}
		for state, want := range map[string]int{"active": 0, "reloading": 0, "inactive": 7, "failed": 7, "activating": 1, "deactivating": 1, "": 1} {
			n.write("units/web.service", state+"\n", 0o600)
			m.want(want, "status")
		}
		n.write("units/web.service", "failed\n", 0o600)
		m.want(0, "stop")
		none := m
		none.params = []string{"name=no such; unit"}
		none.want(7, "status")
		none.want(0, "stop")
		none.want(1, "start")
		if log := n.read("var/log/messages"); !strings.Contains(strings.ReplaceAll(log, "\n", " "), "not found") {
			t.Errorf("%s: the log does not say why: %s", m.dialect, log)
		}
		n.write("units/web.service", "inactive\n", 0o600)
	}
	// A unit that does not stop in two thirds of the time is killed in the last.
	m := manager{n, "systemd-unit", "pacemaker", []string{"name=web.service"}}
	n.write("units/web.service", "active\n", 0o600)
	n.write("stubborn", "", 0o600)
	n.write("calls", "", 0o600)
	m.want(0, "stop", keyPrefix+"CRM_meta_timeout=6000")
	if calls := n.read("calls"); calls != "stop web.service\nkill web.service\n" {
		t.Errorf("systemctl was told\n%s", calls)
	}
	if code, out := m.call("--explain"); code != 2 || !strings.HasPrefix(out, "systemd-unit is a resource agent") {
		t.Errorf("exit %d: %s", code, out)
	}
	// Without systemctl it is certainly no unit's node; a probe says so, what is asked for is an error.
	if err := os.Remove(filepath.Join(n.root, "usr/bin/systemctl")); err != nil {
		t.Fatal(err)
	}
	m.want(5, "status")
	m.want(7, "status", keyPrefix+"CRM_meta_interval=0")
	m.want(5, "start")
}

// service is a TCP service that says something, or nothing, to everybody.
func service(t *testing.T, says string) (address string, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Add(1)
	go func() {
		defer open.Done()
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			if _, err := fmt.Fprint(c, says); err != nil {
				t.Log(err)
			}
			all = append(all, c)
		}
		for _, c := range all {
			c.Close()
		}
	}()
	end = sync.OnceFunc(func() {
		l.Close()
		open.Wait()
	})
	t.Cleanup(end)
	return l.Addr().String(), end
}

func tcpHealth(t *testing.T, built string) {
	n := newNode(t, "")
	n.install(built, "tcp-health")
	address, endService := service(t, "SSH-2.0-test\r\n")
	deep := "OCF_CHECK_LEVEL=10"
	for _, m := range n.managers("tcp-health", "name=ssh", "address="+address, "banner=SSH-2.0-") {
		m.life()
		m.want(0, "start")
		m.want(0, "status", deep)
		other := m
		other.params = []string{"name=ssh", "address=" + address, "banner=220 "}
		other.want(0, "status")
		if m.dialect != "heartbeat" { // it knows no depth
			other.want(1, "status", deep)
			m.want(0, "validate-all")
			other.params = []string{"name=ssh", "address=nonsense"}
			other.want(6, "validate-all")
			other.params = []string{"name=ssh"}
			other.want(6, "start")
		}
		m.want(0, "stop")
	}
	// It takes the connection and says nothing: the deadline ends the wait.
	silent, _ := service(t, "")
	m := manager{n, "tcp-health", "pacemaker", []string{"name=silent", "address=" + silent, "banner=220 "}}
	m.want(0, "start")
	began := time.Now()
	m.want(1, "status", deep, keyPrefix+"CRM_meta_timeout=2000")
	if took := time.Since(began); took < time.Second {
		t.Errorf("it waited %s for the banner", took)
	}
	m.want(0, "stop")
	// It is gone: status fails, a start waits for it in vain, a stop succeeds.
	m.params = []string{"name=ssh", "address=" + address}
	m.want(0, "start")
	endService()
	m.want(1, "status")
	m.want(0, "stop")
	m.want(7, "status")
	m.want(1, "start", keyPrefix+"CRM_meta_timeout=2000")
	m.want(7, "status")
}

// ocfTester lets the resource agents' own tester judge the examples.
func ocfTester(t *testing.T, built string) {
	tester := real.Need(t, "ocf-tester")
	real.Need(t, "xmllint")
	real.NeedRoot(t)
	address, _ := service(t, "hello")
	for agent, params := range map[string][]string{"systemd-unit": {"name=web.service"}, "tcp-health": {"name=watch", "address=" + address}} {
		n := newNode(t, "")
		n.install(built, agent)
		n.write("usr/bin/systemctl", systemctl, 0o755)
		n.write("units/web.service", "inactive\n", 0o600)
		program := filepath.Join(n.root, places[1].dir, agent)
		args := []string{"-n", "example"}
		for _, p := range params {
			args = append(args, "-o", p)
		}
		c := exec.Command(tester, append(args, program)...)
		c.Env = append(os.Environ(), RootVariable+"="+n.root)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), program+" passed all tests") || strings.Contains(string(out), "* rc=") {
			t.Errorf("%s: %v\n%s", agent, err, out)
		}
	}
}
