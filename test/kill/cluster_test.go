package kill

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/libvirt"
	"github.com/lbvm/lbvm/internal/lab/openvz"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
	"github.com/lbvm/lbvm/internal/lab/xen"
	"github.com/lbvm/lbvm/internal/run"
)

// limit bounds every wait that has no bound of its own. It is generous: machines can be loaded.
const limit = 5 * time.Minute

// members are the nodes of a cluster.
var members = [...]string{"node1", "node2", "node3"}

// cluster is a lab whose daemons run in the test's process, so that every call of a tool is seen at the moment when
// it begins and when it ends. Its cluster manager knows no service: the VMs are ours.
type cluster struct {
	t   *testing.T
	l   lab.Layout
	vms map[string]*vm // by TYPE:NAME
}

// technology is what the definition is called by which vmexec drives the lab's Xen.
const technology = "domain"

const definition = `config /etc/xen/%{name};
disk /shared/images/%{name}.img;
status {
    # While a domain leaves or is saved it bears another name. One that arrives stands still and has done nothing.
    sh 'xm list "$VM_NAME" || xm list "migrating-$VM_NAME"';
    running  exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +[r-][b-]---- ";
    arriving exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +--p--- +0\\.0$";
    leaving  exit 0 output "^migrating-%{name} ";
    stopped  exit 1 3 error "^Error: Domain 'migrating-%{name}' does not exist";
}
start   xm create %{config};
stop    xm shutdown %{name};
destroy xm destroy %{name};
save    xm save %{name} %{image};
restore xm restore %{image};
migrate xm migrate --live %{name} %{target};
`

// newCluster makes a lab with so many VMs of each agent and starts it. The seed chooses the versions of the tools that the
// lab plays.
func newCluster(t *testing.T, programs string, seed int64, vms map[string]int) *cluster {
	t.Helper()
	o := lab.Options{Nodes: members[:], Scale: 1, Programs: programs, VMs: []lab.VM{}}
	by := map[string]string{} // the agent of each
	for typ, n := range vms {
		plays := typ
		if typ == "vmexec" { // the lab's Xen, as a technology of an administrator's own
			plays = "xen"
		}
		for i := range n {
			name := fmt.Sprintf("%s%d", typ, i+1)
			if typ == "openvz" {
				name = strconv.Itoa(101 + i)
			}
			o.VMs, by[name] = append(o.VMs, lab.VM{Type: plays, Name: name, Memory: 64}), typ
		}
	}
	l, err := lab.Create(filepath.Join(t.TempDir(), "lab"), o)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, l: l, vms: map[string]*vm{}}
	for _, v := range o.VMs {
		c.vms[by[v.Name]+":"+v.Name] = newVM(c, by[v.Name], v.Type, v.Name)
	}
	for i, n := range members {
		c.furnish(n)
		if (seed>>i)&1 == 1 {
			c.file(n, "etc/lab-vzctl-version", "4.11\n")
		}
		if seed&8 == 8 {
			c.file(n, "etc/lab-xm-version", "4.4\n")
		}
		if seed&16 == 16 {
			c.file(n, "etc/lab-virsh-version", "0.10\n")
		}
	}
	c.run()
	return c
}

// furnish takes the services out of a node's cluster.conf, and puts the agents where each kind of manager has them.
func (c *cluster) furnish(node string) {
	c.t.Helper()
	root := c.l.Root(node)
	conf := filepath.Join(root, host.ClusterXML)
	text, err := os.ReadFile(conf)
	if err != nil {
		c.t.Fatal(err)
	}
	text = regexp.MustCompile(`(?s)\s*<service .*?</service>`).ReplaceAll(text, nil)
	c.file(node, host.ClusterXML, string(text))
	if err := os.MkdirAll(filepath.Join(root, vmexec.Dir), 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.file(node, filepath.Join(vmexec.Dir, technology), definition)
	for _, typ := range agents {
		for _, dir := range []string{pacemakerDir, heartbeatDir} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				c.t.Fatal(err)
			}
			if err := os.Symlink(c.l.Path("bin/agents", typ+".sh"), filepath.Join(root, dir, typ)); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c *cluster) file(node, path, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.l.Root(node), path), []byte(text), 0o640); err != nil {
		c.t.Fatal(err)
	}
}

// run starts the cluster manager and with it the nodes, and returns when every node is a member.
func (c *cluster) run() {
	c.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	power := &power{c: c, off: map[string]func(){}}
	go func() {
		ended <- rgmanager.Run(ctx, rgmanager.Options{Layout: c.l, Clock: clock.System(), Power: power})
	}()
	c.t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			c.t.Errorf("the cluster manager: %v", err)
		}
	})
	for _, n := range members {
		c.until("node "+n+" is a member", func() bool {
			r, err := lab.Call(ctx, c.l.ManagerSocket(), lab.Request{Node: n, Argv: []string{"cman_tool", "nodes"}})
			return err == nil && r.Code == 0 && strings.Count(string(r.Stdout), "   M  ") == len(members)
		})
	}
}

// until waits for something to become true.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	if !poll(limit, 10*time.Millisecond, ok) {
		c.t.Fatalf("after %s still not: %s", limit, what)
	}
}

// poll asks again and again until ok is true or the time is over.
func poll(within, every time.Duration, ok func() bool) bool {
	end := time.Now().Add(within)
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(every)
	}
	return true
}

// power runs the nodes' daemons in this process.
type power struct {
	c   *cluster
	mu  sync.Mutex
	off map[string]func()
}

func (p *power) On(ctx context.Context, node string) error {
	if err := lab.NewBoot(p.c.l, node); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lab.RunNode(life, p.c.l, node, self, p.c.tools(node)) }()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off[node] = func() {
		end()
		if err := <-ended; err != nil {
			p.c.t.Errorf("node %s: %v", node, err)
		}
	}
	if !poll(limit, 5*time.Millisecond, func() bool {
		_, err := lab.Call(ctx, p.c.l.NodeSocket(node), lab.Request{Argv: []string{"lab", "guests"}})
		return err == nil
	}) {
		return fmt.Errorf("node %s does not answer", node)
	}
	return nil
}

func (p *power) Off(node string) error {
	p.mu.Lock()
	off := p.off[node]
	delete(p.off, node)
	p.mu.Unlock()
	if off != nil {
		off()
	}
	return lab.KillNode(p.c.l, node)
}

// tools are a node's emulated programs; each call of one for a VM is told to the VM before it does anything and
// after it has done it.
func (c *cluster) tools(node string) map[string]lab.Tool {
	all := openvz.Tools()
	maps.Copy(all, xen.Tools())
	maps.Copy(all, libvirt.Tools())
	for _, name := range lab.NodeTools() {
		tool := all[name]
		all[name] = func(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
			if r.PID == os.Getpid() { // our own question
				return tool(ctx, n, r)
			}
			v := c.meant(r)
			if v == nil {
				return tool(ctx, n, r)
			}
			done := v.toolBegins(node, verb(r.Argv))
			defer done()
			return tool(ctx, n, r)
		}
	}
	return all
}

// meant is the VM that a call of a tool speaks of. Where the arguments name none it is the one whose agent asks.
func (c *cluster) meant(r lab.Request) *vm {
	plays := map[string]string{"vzctl": "openvz", "xm": "xen", "virsh": "kvm"}[r.Argv[0]]
	for _, a := range r.Argv[1:] {
		name := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(a), ".xml"), leavingPrefix)
		folder := filepath.Base(filepath.Dir(filepath.Dir(a))) // of an image
		for _, v := range c.vms {
			if v.plays == plays && (v.name == name || filepath.Base(v.folder) == folder) {
				return v
			}
		}
	}
	parent := parentOf(r.PID)
	for _, v := range c.vms {
		if v.plays == plays && parent != 0 && v.trapped() == parent {
			return v
		}
	}
	return nil
}

// verb is a tool's command line without what stands before its command.
func verb(argv []string) []string {
	i := 1
	for ; argv[0] == "virsh" && i < len(argv) && strings.HasPrefix(argv[i], "-"); i++ {
		if argv[i] == "-c" {
			i++
		}
	}
	return append([]string{argv[0]}, argv[min(i, len(argv)):]...)
}

// parentOf is 0 where the process has ended.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}

// ask asks a node's daemon by the name of one of its programs, and wants exit code 0.
func (c *cluster) ask(node string, argv ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	r, err := lab.Call(ctx, c.l.NodeSocket(node), lab.Request{Node: node, Argv: argv, Dir: "/"})
	if err != nil || r.Code != 0 {
		c.t.Errorf("%s: %q: exit %d: %s%v", node, argv, r.Code, r.Stderr, err)
	}
	return string(r.Stdout)
}
