package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// node is what the checks look at: read once, with what could not be read.
type node struct {
	d    Doctor
	h    host.Host
	name string

	doc    *ccs.Document // cluster.conf; nil with Pacemaker, or docErr says why
	docErr error
	named  []string  // the nodes that the cluster's configuration names
	rules  ccs.Rules // of the agents here; nil: none could be asked
	id     host.Identity
	idErr  error
	shared string // joined with the root, its marker seen; "" where there is none or it cannot be reached
	shErr  error
	away   string // why the shared storage cannot be read at all: it hangs

	members []membership.Member
	memErr  error
	vms     []cluster.Service
	facts   map[string]host.Facts // by member, as far as published
	cman    func() (map[string][]string, error)

	now *Result // of the check at work
}

// Time limits of what is asked.
const (
	askLimit   = 15 * time.Second // a program of this node
	touchLimit = 10 * time.Second // the shared storage
	sshLimit   = 20 * time.Second // another node
)

func (d Doctor) look(ctx context.Context) *node {
	n := &node{d: d, h: d.Host, facts: map[string]host.Facts{}}
	n.id, n.idErr = n.h.Identity()
	n.reach(ctx)
	if n.pacemaker() {
		limited, cancel := d.Wait.WithTimeout(ctx, askLimit)
		c, err := cluster.Configured(limited, n.h, d.Run, cluster.NamePacemaker)
		cancel()
		n.docErr, n.vms, n.named = err, c.Machines, c.Nodes
	} else if n.doc, n.docErr = ccs.Load(n.h.Path(host.ClusterXML)); n.doc != nil {
		n.vms = cluster.Machines(n.doc)
		for _, x := range n.doc.Nodes() {
			n.named = append(n.named, x.Name)
		}
	}
	n.name = n.id.Member
	if n.name == "" {
		if name, err := n.h.Name(); err == nil {
			n.name = name
		}
	}
	n.cman = sync.OnceValues(func() (map[string][]string, error) { return n.cmanAddresses(ctx) })
	limited, cancel := d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	n.members, n.memErr = membership.Of(n.h, d.Run).Members(limited)
	if n.shared != "" {
		for _, name := range n.nodes() {
			if f, err := host.ReadFacts(n.shared, name); err == nil {
				n.facts[name] = f
			}
		}
	}
	return n
}

// reach finds the shared storage. One that hangs would hang this process for ever, so it is touched in another first.
func (n *node) reach(ctx context.Context) {
	if n.idErr != nil {
		return
	}
	if n.id.Shared != "" && n.d.Touch != nil {
		limited, cancel := n.d.Wait.WithTimeout(ctx, touchLimit)
		err := n.d.Touch(limited)
		cancel()
		if errors.Is(err, run.ErrDeadline) {
			n.away = fmt.Sprintf("%s has not answered in %s", n.id.Shared, touchLimit)
			return
		}
	}
	n.shared, n.shErr = n.h.SharedDir(n.id)
}

// nodes are the names in the cluster's configuration; where that cannot be read, the members.
func (n *node) nodes() []string {
	if len(n.named) > 0 {
		return slices.Clone(n.named)
	}
	var out []string
	for _, m := range n.members {
		out = append(out, m.Name)
	}
	return out
}

// others are the nodes beside this one.
func (n *node) others() []string {
	return slices.DeleteFunc(n.nodes(), func(name string) bool { return strings.EqualFold(name, n.name) })
}

// online tells whether a node is a member, as far as that is known.
func (n *node) online(name string) bool {
	m, ok := membership.Find(n.members, name)
	return ok && m.Online
}

// pacemaker: the cluster is Pacemaker's, and cluster.conf plays no part.
func (n *node) pacemaker() bool { return n.kind() == cluster.NamePacemaker }

// kind is the cluster manager. lbvm.conf, which says so where there are the tools of both, may lie on a share that hangs.
func (n *node) kind() string {
	if n.away != "" && cluster.Installed(n.h) == "" {
		return cluster.Unnamed(n.h)
	}
	return cluster.Kind(n.h, "")
}

// of are the VMs of a technology.
func (n *node) of(typ string) []cluster.Service {
	var out []cluster.Service
	for _, vm := range n.vms {
		if vm.VMType == typ {
			out = append(out, vm)
		}
	}
	return out
}

// mayRunHere tells whether the failover domain of a VM lets it run on this node.
func (n *node) mayRunHere(vm cluster.Service) bool {
	if n.doc == nil {
		return true // by Pacemaker's constraints nothing is said here
	}
	s, ok := n.doc.Service(vm.ID)
	if !ok || s.Domain() == "" {
		return true
	}
	for _, d := range n.doc.Domains() {
		if !strings.EqualFold(d.Name, s.Domain()) || !d.Restricted {
			continue
		}
		return slices.ContainsFunc(d.Nodes, func(x ccs.DomainNode) bool { return strings.EqualFold(x.Name, n.name) })
	}
	return true
}

// here are the VMs of a technology that may run on this node.
func (n *node) here(typ string) []cluster.Service {
	return slices.DeleteFunc(n.of(typ), func(vm cluster.Service) bool { return !n.mayRunHere(vm) })
}

// driver looks at guests of a technology on this node, and never changes one.
func (n *node) driver(typ string) (hypervisor.Driver, error) {
	if typ == vmexec.Type {
		return nil, errors.ErrUnsupported
	}
	return hypervisor.New(typ, hypervisor.Tools{Host: n.h, Clock: n.d.Wait, Query: n.d.Run, Change: n.d.Run})
}

// lists is nil where the technology's tool lists its guests, and so its kernel and its daemon are there.
func (n *node) lists(ctx context.Context, typ string) error {
	d, err := n.driver(typ)
	if err != nil {
		return err
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	l, ok := d.(hypervisor.Lister)
	if !ok {
		return errors.ErrUnsupported
	}
	_, err = l.Guests(ctx)
	return err
}

// ask runs a program that only asks. A missing one is run.ErrNotFound.
func (n *node) ask(ctx context.Context, limit time.Duration, program string, args ...string) (run.Result, error) {
	path, ok := n.h.Has(program)
	if !ok {
		return run.Result{}, fmt.Errorf("%w: %s", run.ErrNotFound, program)
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, limit)
	defer cancel()
	return n.d.Run.Run(ctx, run.Command{Argv: append([]string{path}, args...), Env: n.h.Environ()})
}

// read is a file of the node; "" where there is none.
func (n *node) read(path string) (text string, there bool, err error) {
	b, err := os.ReadFile(n.h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return string(b), err == nil, err
}

func (n *node) exists(path string) bool {
	_, err := n.stat(path)
	return err == nil
}

func (n *node) stat(path string) (os.FileInfo, error) { return os.Stat(n.h.Path(path)) }

// errNoProcesses: the node shows no processes, as a lab's does not.
var errNoProcesses = errors.New("no processes are shown below /proc")

// runs tells whether a process of one of those names is there. The kernel keeps 15 letters of a name.
func (n *node) runs(names ...string) (bool, error) {
	found, err := filepath.Glob(n.h.Path("/proc/[0-9]*/stat"))
	if err != nil {
		return false, err
	}
	seen := false
	for _, file := range found {
		b, err := os.ReadFile(file)
		if err != nil { // it has ended meanwhile
			continue
		}
		seen = true
		_, rest, _ := strings.Cut(string(b), "(")
		name := rest[:max(0, strings.LastIndexByte(rest, ')'))]
		if slices.ContainsFunc(names, func(w string) bool { return w[:min(len(w), 15)] == name }) {
			return true, nil
		}
	}
	if !seen {
		return false, errNoProcesses
	}
	return false, nil
}

// mount is a line of /proc/mounts or /etc/fstab.
type mount struct{ device, point, kind, options string }

func parseMounts(text string) []mount {
	var out []mount
	for _, l := range strings.Split(text, "\n") {
		if w := strings.Fields(l); len(w) >= 4 && !strings.HasPrefix(w[0], "#") {
			out = append(out, mount{w[0], unescape(w[1]), w[2], w[3]})
		}
	}
	return out
}

// unescape undoes what the kernel does to blanks in names.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(s)
}

// clustered are the file systems that several nodes may mount at once.
func clustered() []string {
	return []string{"gfs", "gfs2", "ocfs2", "nfs", "nfs4", "ceph", "fuse.ceph", "fuse.glusterfs", "glusterfs", "lustre", "gpfs", "vxfs"}
}

// has tells whether any of several paths is there.
func (n *node) has(paths ...string) bool { return slices.ContainsFunc(paths, n.exists) }

// installed tells whether any of several programs is there.
func (n *node) installed(programs ...string) bool {
	return slices.ContainsFunc(programs, func(p string) bool { _, ok := n.h.Has(p); return ok })
}
