package kill

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Where each kind of manager has its agents, below a node's root.
const (
	pacemakerDir = "/usr/lib/ocf/resource.d/lbvm"
	heartbeatDir = "/etc/ha.d/resource.d"
)

// timeout is what actions are allowed: a third of it is waited for a lock.
const timeout = 90

// call is one call of an agent.
type call struct {
	c         *cluster
	typ, name string
	node      string
	action    string // start, stop, migrate, migrate_from, status
	target    string // of migrate; of migrate_from the source
	shutdown  bool   // on_stop=shutdown
	dialect   ocf.Dialect
}

func (c call) String() string {
	s := fmt.Sprintf("%s on %s", c.action, c.node)
	if c.target != "" {
		s += " and " + c.target
	}
	if c.shutdown {
		s += " with on_stop=shutdown"
	}
	return s + " by " + c.dialect.String()
}

// process is an agent that runs.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	took  time.Duration
	guard *time.Timer
}

// begin starts the agent as that kind of manager does, in a process group of its own.
func (c call) begin(t testing.TB) *process {
	t.Helper()
	argv, env := c.rgmanager(t)
	switch c.dialect {
	case ocf.Pacemaker:
		argv, env = c.pacemaker()
	case ocf.Heartbeat:
		argv, env = c.heartbeat()
	case ocf.RGManager:
	}
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Dir: "/", Env: append(env, host.RootVariable+"="+c.c.l.Root(c.node)),
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	p := &process{cmd: cmd, began: time.Now()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.guard = time.AfterFunc(limit, func() {
		t.Errorf("%s of %s:%s did not end within %s", c, c.typ, c.name, limit)
		if err := cmd.Process.Kill(); err != nil {
			t.Log(err)
		}
	})
	return p
}

// wait gives the exit code, or the negative number of a signal.
func (p *process) wait() int {
	err := p.cmd.Wait()
	p.guard.Stop()
	p.took = time.Since(p.began)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// run calls the agent and gives its exit code.
func (c call) run(t testing.TB) int {
	t.Helper()
	return c.begin(t).wait()
}

// rgmanager: every parameter that has a value, nothing of the daemon's own environment.
func (c call) rgmanager(t testing.TB) (argv, env []string) {
	t.Helper()
	xml := map[string][]byte{"openvz": metadata.OpenVZ(), "xen": metadata.Xen(), "kvm": metadata.KVM(), "vmexec": metadata.VMExec(), "lbvm": metadata.LBVM()}[c.typ]
	m, err := ocf.ParseMetadata(xml)
	if err != nil {
		t.Fatal(err)
	}
	var params []real.Param
	for _, p := range m.Params {
		switch {
		case p.Primary:
			params = append([]real.Param{{Name: p.Name, Value: c.name}}, params...)
		case p.Name == "type":
			params = append(params, real.Param{Name: p.Name, Value: technology})
		case p.Name == "on_stop" && c.shutdown:
			params = append(params, real.Param{Name: p.Name, Value: "shutdown"})
		case p.HasDefault:
			params = append(params, real.Param{Name: p.Name, Value: p.Default})
		}
	}
	argv = []string{filepath.Join(c.c.l.Root(c.node), host.AgentDir, c.typ+".sh"), c.action}
	if c.action == "migrate" {
		argv = append(argv, c.target)
	}
	return argv, real.Env(c.typ, params, timeout)
}

// pacemaker: only configured parameters, meta attributes, times in milliseconds.
func (c call) pacemaker() (argv, env []string) {
	action := map[string]string{"start": "start", "stop": "stop", "migrate": "migrate_to", "migrate_from": "migrate_from", "status": "monitor"}[c.action]
	env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "OCF_ROOT=/usr/lib/ocf", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0",
		"OCF_RESOURCE_PROVIDER=lbvm", "OCF_RESOURCE_TYPE=" + c.typ, "OCF_RESOURCE_INSTANCE=rsc-" + c.name, "OCF_RESKEY_name=" + c.name,
		"OCF_RESKEY_crm_feature_set=3.0.1", "OCF_RESKEY_CRM_meta_name=" + action, "OCF_RESKEY_CRM_meta_timeout=" + strconv.Itoa(timeout*1000)}
	if c.shutdown {
		env = append(env, "OCF_RESKEY_on_stop=shutdown")
	}
	if c.typ == "vmexec" {
		env = append(env, "OCF_RESKEY_type="+technology)
	}
	if c.action == "migrate" {
		env = append(env, "OCF_RESKEY_CRM_meta_migrate_source="+c.node, "OCF_RESKEY_CRM_meta_migrate_target="+c.target)
	}
	if c.action == "migrate_from" {
		env = append(env, "OCF_RESKEY_CRM_meta_migrate_source="+c.target, "OCF_RESKEY_CRM_meta_migrate_target="+c.node)
	}
	if c.action == "status" {
		env = append(env, "OCF_RESKEY_CRM_meta_interval=30000")
	}
	return []string{filepath.Join(c.c.l.Root(c.node), pacemakerDir, c.typ), action}, env
}

// heartbeat: everything is an argument.
func (c call) heartbeat() (argv, env []string) {
	argv = []string{filepath.Join(c.c.l.Root(c.node), heartbeatDir, c.typ), c.name}
	if c.typ == "vmexec" {
		argv = append(argv, "type="+technology)
	}
	if c.shutdown {
		argv = append(argv, "on_stop=shutdown")
	}
	return append(argv, c.action), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HA_CURHOST=" + c.node}
}
