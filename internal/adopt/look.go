package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Request is what a person asks for.
type Request struct {
	Config  string // of the VM, a path of the node
	Type    string // openvz, xen or kvm; "" is what the file shows
	Domain  string // its failover domain
	Vouched []string
}

// Look checks everything that can be checked before, and plans. It changes nothing. Every error is ErrRefused.
func (a Adopter) Look(ctx context.Context, r Request) (Plan, error) {
	p, err := a.look(ctx, r)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return p, nil
}

func (a Adopter) look(ctx context.Context, r Request) (Plan, error) {
	p := Plan{Format: 1, Type: r.Type, Member: a.ID.Member, Config: filepath.Clean(r.Config), Domain: r.Domain, Manager: a.Manager, Vouched: r.Vouched, Params: map[string]string{}}
	if !filepath.IsAbs(r.Config) {
		return p, fmt.Errorf("%s is not an absolute path", r.Config)
	}
	fi, err := os.Lstat(a.Host.Path(p.Config))
	if errors.Is(err, fs.ErrNotExist) {
		begun, err := a.Begun()
		for _, b := range begun {
			if b.Config == p.Config && b.Member == a.ID.Member {
				return p, fmt.Errorf("%s is renamed by an adoption that is unfinished: lbm add --resume %s, or --undo", p.Config, b.VM)
			}
		}
		return p, errors.Join(fmt.Errorf("there is no %s", p.Config), err)
	}
	if err != nil {
		return p, err
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		if shared, err := a.isShared(p.Config); err == nil && shared {
			return p, fmt.Errorf("%s is a link to the shared storage: it is adopted already", p.Config)
		}
		return p, fmt.Errorf("%s is a link: name the file itself", p.Config)
	}
	if !fi.Mode().IsRegular() || fi.Size() > 1<<20 {
		return p, fmt.Errorf("%s is no configuration", p.Config)
	}
	if shared, err := a.isShared(p.Config); err != nil {
		return p, err
	} else if shared {
		if has, err := a.hasService(ctx, p.Config); err != nil {
			return p, err
		} else if has != "" {
			return p, errors.New(has + " already: there is nothing to add")
		}
		return p, fmt.Errorf("%s lies on the shared storage already: nothing is to be moved; add its service with lbm ccs insert (with Pacemaker its resource with cibadmin)", p.Config)
	}
	src, err := os.ReadFile(a.Host.Path(p.Config))
	if err != nil {
		return p, err
	}
	if p.Type == "" {
		p.Type = typeOf(p.Config, src)
	}
	inspectors := map[string]func(context.Context, Adopter, *Plan, []byte) error{"openvz": inspectOpenVZ, "xen": inspectXen, "kvm": inspectKVM}
	inspect, ok := inspectors[p.Type]
	if !ok {
		return p, fmt.Errorf("%s: what is adopted is openvz, xen or kvm, and not %q", p.Config, p.Type)
	}
	if err := inspect(ctx, a, &p, src); err != nil {
		return p, err
	}
	if err := host.CheckName(p.VM); err != nil {
		return p, err
	}
	p.Service = a.registry().service(p.Type, p.VM)
	if err := a.here(ctx, &p); err != nil {
		return p, err
	}
	if err := a.free(ctx, &p); err != nil {
		return p, err
	}
	return p, a.others(ctx, &p)
}

// hasService says which service holds the VM of a configuration; "" is none.
func (a Adopter) hasService(ctx context.Context, path string) (string, error) {
	text, err := os.ReadFile(a.Host.Path(path))
	if err != nil {
		return "", err
	}
	f := readConfiguration(path, text)
	service, _, err := a.registry().holder(ctx, f.typ, f.vm)
	if err != nil || service == "" {
		return "", err
	}
	return f.typ + ":" + f.vm + " is in " + service, nil
}

// typeOf tells the technology by the file.
func typeOf(path string, src []byte) string {
	text := strings.TrimSpace(string(src))
	switch {
	case filepath.Dir(path) == vzConfs:
		return "openvz"
	case strings.HasPrefix(text, "<"):
		return "kvm"
	}
	return "xen"
}

// here looks at this node: the VM is down, what it is made of can be copied, there is room, nothing stands in the way.
func (a Adopter) here(ctx context.Context, p *Plan) error {
	d, err := hypervisor.New(p.Type, a.Driver)
	if err != nil {
		return err
	}
	x, err := hypervisor.DetailOf(ctx, d, p.VM)
	if err == nil && p.Type == "openvz" && x.State == hypervisor.Absent {
		err = fmt.Errorf("vzctl does not know container %s", p.VM)
	}
	if err != nil {
		return err
	}
	if p.Type == "xen" && x.State == hypervisor.Stopped {
		return fmt.Errorf("xend keeps a configuration of %s of its own, from which it would start here: xm delete %s first", p.VM, p.VM)
	}
	if err := a.down(ctx, *p); err != nil {
		return err
	}
	if err := a.alone(*p); err != nil {
		return err
	}
	for _, path := range p.Devices {
		if _, err := a.device(ctx, path); err != nil {
			return err
		}
	}
	var need int64
	for i := range p.Copies {
		c := &p.Copies[i]
		m, err := a.measure(ctx, *c)
		if err != nil {
			return err
		}
		c.Bytes, c.Entries = m.Bytes, m.Entries
		need += m.Bytes + 4096*m.Entries
	}
	if len(p.Copies) > 0 {
		if _, err := a.copier(ctx); err != nil {
			return err
		}
		free, err := room(a.Shared)
		if err != nil {
			return err
		}
		if need += need / 20; free < need {
			return fmt.Errorf("%s has %d MiB free, and %d are needed", a.ID.Shared, free>>20, need>>20+1)
		}
	}
	return a.clear(p)
}

func (a Adopter) measure(ctx context.Context, c Copy) (Measured, error) {
	from := a.Host.Path(c.From)
	fi, err := os.Lstat(from)
	if err != nil {
		return Measured{}, err
	}
	switch {
	case c.Tree && !fi.IsDir():
		return Measured{}, fmt.Errorf("%s is no folder", c.From)
	case !c.Tree && !fi.Mode().IsRegular():
		return Measured{}, fmt.Errorf("%s is no plain file", c.From)
	}
	m, err := Measure(ctx, from, true)
	if err != nil || !c.Tree {
		return m, err
	}
	same, err := sameFS(from, filepath.Dir(from))
	if err == nil && !same {
		err = fmt.Errorf("%s is a file system of its own, which cannot be renamed: mount it elsewhere and put a folder in its place", c.From)
	}
	if err == nil { // a bind mount of the same file system, which no device number tells
		err = a.unmounted(c.From)
	}
	return m, err
}

// clear looks whether anything stands where something is to be put.
func (a Adopter) clear(p *Plan) error {
	var paths []string
	for _, c := range p.Copies {
		paths = append(paths, c.To, c.To+partSuffix, c.From+origSuffix)
	}
	for _, t := range p.Texts {
		paths = append(paths, t.Path)
	}
	for _, f := range p.Retire {
		paths = append(paths, f.to())
	}
	if p.Defined != nil {
		paths = append(paths, p.Defined.to())
	}
	for _, path := range paths {
		if there, err := exists(a.Host.Path(path)); err != nil {
			return err
		} else if there {
			return fmt.Errorf("%s is there already: is it of an earlier adoption? Move it away (lbm purge removes originals)", path)
		}
	}
	return nil
}

// free looks whether the name is free in the whole cluster, and whether both files can be edited.
func (a Adopter) free(ctx context.Context, p *Plan) error {
	begun, err := a.Begun()
	if err != nil {
		return err
	}
	for _, b := range begun {
		if b.Ref() == p.Ref() {
			return fmt.Errorf("an adoption of %s has begun on %s: there lbm add --resume %s, or --undo", p.Ref(), b.Member, p.VM)
		}
	}
	dir, err := handoff.Open(a.Shared, p.Type, p.VM)
	if err != nil {
		return err
	}
	st, err := dir.Read()
	if err != nil {
		return err
	}
	if st.Phase != handoff.NoRecord && st.Phase != handoff.Down {
		return fmt.Errorf("a hand-off record of %s says %s %s (lbm handoff %s)", p.Ref(), st.Phase, st.Node, p.Ref())
	}
	if st.Phase == handoff.Down {
		return fmt.Errorf("%s is the record of a VM of that name that the cluster had before: remove that folder", dir.Path())
	}
	service, alike, err := a.registry().holder(ctx, p.Type, p.VM)
	if err != nil {
		return err
	}
	if service != "" {
		return fmt.Errorf("%s of the cluster has %s already", service, p.Ref())
	}
	stock, err := a.registry().stock(ctx, *p)
	if err != nil {
		return err
	}
	if stock != "" {
		return fmt.Errorf("%s of the cluster has it by an agent that is not LBVM's and knows no hand-off record: of two services each would start the guest; take that one out first", stock)
	}
	p.Balance = p.VM
	if alike {
		p.Balance = p.Ref() // two VMs of different types have that name
	}
	if _, err := a.registry().add(ctx, *p, true); err != nil {
		return err
	}
	src, err := os.ReadFile(a.Host.Path(host.ConfFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: lbm init makes it", host.ConfFile)
	}
	if err != nil {
		return err
	}
	list, _, err := statement(src)
	if err != nil {
		return err
	}
	if place(list, p.Balance, p.Ref()) >= 0 {
		return fmt.Errorf("%s lists %s already, and the cluster has no such VM: take it out first", host.ConfFile, p.Balance)
	}
	_, err = withBalance(src, p.Balance)
	return err
}

// fresh looks again at what may have changed since Look: the lock is held now.
func (w *work) fresh(ctx context.Context) error {
	p := w.p
	files := p.Retire
	if p.Defined != nil {
		files = append([]File{*p.Defined}, files...)
	}
	for _, f := range files {
		if err := w.asPlanned(f); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	for _, look := range []func() error{func() error { return w.down(ctx) }, func() error { return w.alone(p) }, func() error { return w.clear(&p) }, func() error { return w.free(ctx, &p) }, func() error { return w.others(ctx, &p) }} {
		if err := look(); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return nil
}

// others asks the other nodes.
func (a Adopter) others(ctx context.Context, p *Plan) error {
	nodes, err := a.registry().nodes(ctx)
	if err != nil {
		return err
	}
	var bad []string
	for _, n := range nodes {
		if n == a.ID.Member || slices.Contains(p.Vouched, n) {
			continue
		}
		if err := a.ask(ctx, n, *p); err != nil {
			bad = append(bad, err.Error())
		}
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}
