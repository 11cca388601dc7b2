package adopt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// registry is where the cluster manager keeps what it runs.
type registry interface {
	// nodes are the members.
	nodes(ctx context.Context) ([]string, error)
	// holder is the service that has the VM, "" if there is none; alike tells whether a VM of any type has that name.
	holder(ctx context.Context, typ, vm string) (service string, alike bool, err error)
	// stock is the service that has the plan's VM by an agent which is not ours and knows no record: vm.sh, VirtualDomain, Xen,
	// ManageVE.
	stock(ctx context.Context, p Plan) (service string, err error)
	// folders are where the VMs of the cluster have their configurations, as their parameter path names them.
	folders(ctx context.Context) ([]string, error)
	// service is the name of the service that a VM gets.
	service(typ, vm string) string
	// add puts the plan's service in; dry: it only looks whether that can be done. text is what is added, in words.
	add(ctx context.Context, p Plan, dry bool) (text string, err error)
	// added tells whether add has put the plan's service in; one that has come by another hand is errForeign.
	added(ctx context.Context, p Plan) (bool, error)
	// outdate sees to it that what add was cut off in does not come to be later.
	outdate(ctx context.Context) error
	// look is what remove would take out. A service that holds anything else is not ours to remove.
	look(ctx context.Context, typ, vm string) (Removal, error)
	// remove takes the plan's service out; where an adoption is taken back only what add has put in.
	remove(ctx context.Context, p Plan) error
	// restore puts in what remove has taken out.
	restore(ctx context.Context, r Removal) error
}

var (
	// errForeign says that the VM has a service that is not the plan's.
	errForeign = errors.New("lbm add has not put it there")
	// errUnknown says that nobody knows whether the cluster has the service.
	errUnknown = errors.New("whether the cluster has it is not known")
)

func (a Adopter) registry() registry {
	if a.Manager == cluster.NamePacemaker {
		return pacemaker{a}
	}
	return rgmanager{a}
}

// rgmanager keeps what it runs in cluster.conf. What is written there holds once it is published.
type rgmanager struct{ a Adopter }

func (c rgmanager) load() (*ccs.Document, error) {
	return ccs.Load(c.a.Host.Path(host.ClusterXML))
}

func (c rgmanager) nodes(context.Context) ([]string, error) {
	d, err := c.load()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range d.Nodes() {
		out = append(out, n.Name)
	}
	return out, nil
}

func (c rgmanager) holder(_ context.Context, typ, vm string) (service string, alike bool, err error) {
	d, err := c.load()
	if err != nil {
		return "", false, err
	}
	for _, s := range d.Services() {
		for _, r := range s.VMs("openvz", "xen", "kvm", "vmexec") {
			alike = alike || r.Name == vm
		}
	}
	if s, there := group(d, typ, vm); there {
		service = s.ID()
	}
	return service, alike, nil
}

func (c rgmanager) stock(_ context.Context, p Plan) (string, error) {
	if p.Type != "xen" && p.Type != "kvm" { // vm.sh runs no other
		return "", nil
	}
	d, err := c.load()
	if err != nil {
		return "", err
	}
	for _, name := range []string{p.VM, filepath.Base(p.Config)} {
		if s, there := group(d, "vm", name); there {
			return s.ID(), nil
		}
	}
	return "", nil
}

func (c rgmanager) folders(context.Context) (out []string, err error) {
	d, err := c.load()
	if err != nil {
		return nil, err
	}
	for _, s := range d.Services() {
		for _, r := range s.VMs("xen", "kvm") {
			out = append(out, r.Attrs["path"])
		}
	}
	return out, nil
}

func (c rgmanager) service(_, vm string) string { return vm }

func (c rgmanager) add(ctx context.Context, p Plan, dry bool) (string, error) {
	r, err := c.update(ctx, dry, p.insertion)
	return fmt.Sprintf("add to %s, its version raised by one: %s", host.ClusterXML, p.element()), refusal(r, err)
}

func (c rgmanager) added(ctx context.Context, p Plan) (bool, error) {
	service, _, err := c.holder(ctx, p.Type, p.VM)
	return service != "", err
}

// outdate has nothing to do: cluster.conf is edited under a lock.
func (c rgmanager) outdate(context.Context) error { return nil }

func (c rgmanager) look(_ context.Context, typ, vm string) (Removal, error) {
	d, err := c.load()
	if err != nil {
		return Removal{}, err
	}
	edits, err := removal(d, typ, vm)
	if err != nil {
		return Removal{}, err
	}
	if len(edits) != 1 {
		return Removal{}, fmt.Errorf("cluster.conf has no %s:%s", typ, vm)
	}
	start, end := edits[0].(ccs.RemoveElement).Element.Span()
	s, _ := group(d, typ, vm)
	return Removal{Element: string(d.Bytes()[start:end]), Group: s.ID()}, nil
}

func (c rgmanager) remove(ctx context.Context, p Plan) error {
	r, err := c.update(ctx, false, func(d *ccs.Document) ([]ccs.Edit, error) { return removal(d, p.Type, p.VM) })
	return refusal(r, err)
}

func (c rgmanager) restore(ctx context.Context, x Removal) error {
	r, err := c.update(ctx, false, func(d *ccs.Document) ([]ccs.Edit, error) {
		rm, err := d.Find("/cluster/rm")
		if err != nil || len(rm) != 1 {
			return nil, errors.Join(errors.New("cluster.conf has no <rm>"), err)
		}
		return []ccs.Edit{ccs.Insert{At: rm[0], Where: ccs.Into, XML: x.Element}}, nil
	})
	return refusal(r, err)
}

func (c rgmanager) update(ctx context.Context, dry bool, edit func(*ccs.Document) ([]ccs.Edit, error)) (ccs.Result, error) {
	return ccs.Update(ctx, c.a.Host.Path(host.ClusterXML), ccs.Options{Rules: c.a.Rules, DryRun: dry, Holder: "lbm add",
		Lock: []string{filepath.Join(c.a.Shared, "lbvm/lock/cluster.conf")}}, edit)
}
