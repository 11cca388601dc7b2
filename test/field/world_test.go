package field

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
	"github.com/lbvm/lbvm/internal/lab/libvirt"
	"github.com/lbvm/lbvm/internal/lab/openvz"
	"github.com/lbvm/lbvm/internal/lab/xen"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

// world is a cluster of two lab nodes, a and b, with one VM, and our agents in this process.
type world struct {
	*labtest.Lab
	typ, vm string
	scale   float64       // the agents' clock runs so many times as fast
	took    time.Duration // of that clock, the last action
	silent  bool          // the members are not known: no quorum
	off     map[string]bool
	health  error
	gone    func(command string)                                   // is called before a program runs
	own     map[string]func(node string, args []string) run.Result // programs of the administrator's own (vmexec)

	mu   sync.Mutex
	logs []string
	ran  []string // NODE PROGRAM ARGUMENTS
}

// newWorld is a cluster for VMs of a technology; stack is xm or xl, or empty.
func newWorld(t *testing.T, typ, stack string) *world {
	t.Helper()
	w := &world{typ: typ, vm: map[string]string{"openvz": "101", "xen": "vm1", "kvm": "vm1", "vmexec": "vm1"}[typ], scale: 20, off: map[string]bool{}}
	tools := map[string]func() map[string]lab.Tool{"openvz": openvz.Tools, "xen": xen.Tools, "kvm": libvirt.Tools, "vmexec": xen.Tools}[typ]
	w.Lab = labtest.New(t, tools, "a", "b")
	id := host.Identity{Cluster: "c", UUID: "u", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	w.File("shared/"+host.MarkerFile, string(id.Marker()))
	w.File("shared/lbvm/nodes/.keep", "")
	w.File("shared/lbvm/log/.keep", "")
	w.File("shared/conf/101.conf", "VE_PRIVATE=\"/shared/private/101\"\nVE_ROOT=/vz/root/101\nSTOP_TIMEOUT=1\nPHYSPAGES=\"0:4096\"\nONBOOT=\"no\"\nDISK_QUOTA=no\n")
	w.File("shared/private/101/etc/passwd", "")
	w.File("shared/images/vm1.img", strings.Repeat("x", 200))
	w.File("shared/xen/vm1", "name = \"vm1\"\nmemory = 16\ndisk = ['tap:aio:/shared/images/vm1.img,xvda,w']\n")
	w.File("shared/kvm/vm1.xml", kvmXML)
	for _, node := range []string{"a", "b"} {
		in := "nodes/" + node
		for _, tool := range []string{"vzctl", "vzlist", stack} {
			if tool != "" {
				w.File(in+"/usr/sbin/"+tool, "")
				w.must(os.Chmod(w.Root(node)+"/usr/sbin/"+tool, 0o755))
			}
		}
		if stack == "xm" {
			w.File(in+lab.XendLock, "")
		}
		w.File(in+"/etc/vz/vz.conf", "LOCKDIR=/var/lib/vz/lock\nDUMPDIR=/shared/dump\nVE_STOP_MODE=stop\n")
		w.File(in+"/etc/cluster/.keep", "")
		if typ == "vmexec" {
			w.File(in+vmexec.Dir+"/domain", definition)
			for _, p := range []string{"xstate", "xsave"} {
				w.File(in+"/usr/sbin/"+p, "")
				w.must(os.Chmod(w.Root(node)+"/usr/sbin/"+p, 0o755))
			}
		}
		w.link("../../../../shared/conf", node, "etc/vz/conf")
		w.link("../../../shared/xen", node, "etc/xen")
		w.link("../../../shared/kvm", node, "etc/kvm")
		w.File("shared/dump/.keep", "")
		id.Member = node
		h, err := host.New(w.Root(node))
		w.must(err)
		w.must(h.WriteIdentity(id))
	}
	return w
}

const kvmXML = `<domain type='kvm'>
  <name>vm1</name>
  <uuid>11111111-2222-4333-8444-555555555501</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='/shared/images/vm1.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
`

func (w *world) link(to, node, at string) {
	w.T.Helper()
	path := filepath.Join(w.Root(node), at)
	w.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)))
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// runner runs a node's programs inside the lab.
type runner struct {
	w    *world
	node string
}

func (r runner) Run(ctx context.Context, c run.Command) (run.Result, error) {
	argv := append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...)
	r.w.mu.Lock()
	r.w.ran = append(r.w.ran, r.node+" "+strings.Join(argv, " "))
	r.w.mu.Unlock()
	if r.w.gone != nil {
		r.w.gone(strings.Join(argv, " "))
	}
	if own := r.w.own[argv[0]]; own != nil {
		return own(r.node, argv[1:]), nil
	}
	a, err := lab.Call(ctx, r.w.NodeSocket(r.node), lab.Request{Node: r.node, Argv: argv, Dir: r.w.Root(r.node)})
	if ctx.Err() != nil {
		return a, run.ErrDeadline
	}
	return a, err
}

// Members and Fenced make the world its own membership.
func (w *world) Members(context.Context) ([]membership.Member, error) {
	if w.silent {
		return nil, membership.ErrInquorate
	}
	return []membership.Member{{Name: "a", Online: !w.off["a"]}, {Name: "b", Online: !w.off["b"]}}, nil
}

func (w *world) Fenced(context.Context, string) (bool, error) { return false, nil }

// Log keeps what the agents say.
func (w *world) Log(level ocf.Level, msg string, kv ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, fmt.Sprint(level, " ", msg, " ", kv))
}

// act calls the agent on a node as rgmanager does, or as Pacemaker if env has something of it, and gives its exit code.
func (w *world) act(node, action string, env ...string) int {
	w.T.Helper()
	c, stop := w.goes()
	defer stop()
	began := c.Now()
	defer func() { w.took = c.Now().Sub(began) }()
	agent := &vm.Agent{
		Type: w.typ, Clock: c,
		Driver: func(name string, t hypervisor.Tools) (hypervisor.Driver, error) {
			t.Query, t.Change = runner{w, node}, runner{w, node}
			if name == vmexec.Type {
				return vmexec.New(name, t)
			}
			return hypervisor.New(name, t)
		},
		Membership: func(host.Host, run.Runner) membership.Membership { return w },
		Health:     func(context.Context, string, int) error { return w.health },
		Txn:        handoff.NewTxn,
	}
	xml := map[string][]byte{"openvz": metadata.OpenVZ(), "xen": metadata.Xen(), "kvm": metadata.KVM(), "vmexec": metadata.VMExec()}[w.typ]
	path := "/usr/share/cluster/" + w.typ + ".sh"
	all := append([]string{host.RootVariable + "=" + w.Root(node), "OCF_RESKEY_name=" + w.vm, "OCF_RESKEY_type=domain"}, env...) // of which only vmexec has a type
	if strings.Contains(strings.Join(env, " "), "CRM_meta") {
		path = "/usr/lib/ocf/resource.d/lbvm/" + w.typ
	} else {
		all = append(all, "OCF_RESKEY_RGMANAGER_meta_timeout=300", "OCF_ROOT=/usr/share/cluster")
	}
	return int(ocf.Run(ocf.World{Args: append([]string{path}, strings.Fields(action)...), Env: all, Now: c.Now, WithTimeout: c.WithTimeout,
		Log: w, Stdout: io.Discard, Stderr: io.Discard}, xml, agent))
}

// wants calls the agent and wants that code.
func (w *world) wants(code int, node, action string, env ...string) {
	w.T.Helper()
	w.mu.Lock()
	w.logs, w.ran = nil, nil
	w.mu.Unlock()
	if got := w.act(node, action, env...); got != code {
		w.T.Fatalf("%s on %s: exit %d, want %d\n%s\n%s", action, node, got, code, strings.Join(w.logs, "\n"), strings.Join(w.ran, "\n"))
	}
}

// record is what the hand-off record says: phase, node, target.
func (w *world) record() string {
	w.T.Helper()
	st, err := handoff.ReadState(w.Shared(), w.typ, w.vm)
	w.must(err)
	return strings.Join(strings.Fields(fmt.Sprint(st.Phase, " ", st.Node, " ", st.To)), " ")
}

func (w *world) wantRecord(want string) {
	w.T.Helper()
	if got := w.record(); got != want {
		w.T.Errorf("the record says %q, want %q\n%s", got, want, strings.Join(w.logs, "\n"))
	}
}

// rows are the domains of a node but dom0, name and state.
func (w *world) rows(node, tool string) map[string]string {
	w.T.Helper()
	found := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(w.Want(0, "Domain-0", node, tool+" list")), "\n")[2:] {
		f := strings.Fields(line)
		found[f[0]] = f[len(f)-2]
	}
	return found
}

// began waits until the agent has run a program, in the background.
func (w *world) began(command string) {
	w.T.Helper()
	w.Await(func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range w.ran {
			if strings.Contains(r, command) {
				return true
			}
		}
		return false
	})
}

// alone wants that nothing has run twice, was lost or is stale, but for so many cold boots.
func (w *world) alone(cold int) {
	w.T.Helper()
	if got := w.Findings(cold); got != "" {
		w.T.Errorf("the checker: %s", got)
	}
}

// ticket lays a relocator's ticket for the next stop on a, and keeps it alive until the test ends.
func (w *world) ticket(kind handoff.Kind, target string) {
	w.T.Helper()
	txn, err := handoff.NewTxn()
	w.must(err)
	st, err := handoff.ReadState(w.Shared(), w.typ, w.vm)
	w.must(err)
	_, err = handoff.IssueTicket(w.Shared(), w.typ, w.vm, handoff.Ticket{Kind: kind, Txn: txn, Source: "a", SourceSeq: st.Seq, Target: target, Relocator: "test"})
	w.must(err)
}
