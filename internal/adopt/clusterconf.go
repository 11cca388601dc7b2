package adopt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// group finds the service that holds the VM.
func group(d *ccs.Document, typ, vm string) (ccs.Service, bool) {
	for _, s := range d.Services() {
		for _, r := range s.VMs(typ) {
			if r.Name == vm {
				return s, true
			}
		}
	}
	return ccs.Service{}, false
}

// element is the service as the manual writes it.
func (p Plan) element() string {
	attrs := []ccs.Attr{{Name: "name", Value: p.Service}}
	if p.Domain != "" {
		attrs = append(attrs, ccs.Attr{Name: "domain", Value: p.Domain})
	}
	vm := []ccs.Attr{{Name: "name", Value: p.VM}}
	var names []string
	for name := range p.Params {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		vm = append(vm, ccs.Attr{Name: name, Value: p.Params[name]})
	}
	return ccs.Markup("service", attrs, ccs.Markup(p.Type, vm))
}

// insertion gives the edit that adds the service; none where the VM is there already.
func (p Plan) insertion(d *ccs.Document) ([]ccs.Edit, error) {
	if _, there := group(d, p.Type, p.VM); there {
		return nil, nil
	}
	rm, err := d.Find("/cluster/rm")
	if err != nil {
		return nil, err
	}
	if len(rm) != 1 {
		return nil, errors.New("cluster.conf has no <rm>: rgmanager manages nothing here")
	}
	for _, s := range d.Services() {
		if s.Name == p.Service {
			return nil, fmt.Errorf("cluster.conf has a %s already", s.ID())
		}
	}
	if p.Domain != "" {
		if _, ok := d.Domain(p.Domain); !ok {
			return nil, fmt.Errorf("cluster.conf has no failover domain %q", p.Domain)
		}
	}
	return []ccs.Edit{ccs.Insert{At: rm[0], Where: ccs.Into, XML: p.element()}}, nil
}

// removal gives the edit that removes the VM's service; none where there is none. A service that holds anything else is
// not ours to remove.
func removal(d *ccs.Document, typ, vm string) ([]ccs.Edit, error) {
	s, there := group(d, typ, vm)
	if !there {
		return nil, nil
	}
	if s.Type != "service" || len(s.Children) != 1 || s.Children[0].Type != typ || len(s.Children[0].Children) > 0 || s.Ref != "" {
		return nil, fmt.Errorf("%s holds more than %s:%s: take that out of cluster.conf by hand (lbm ccs delete)", s.ID(), typ, vm)
	}
	found, err := d.Find("/cluster/rm/service")
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if name, _ := e.Attr("name"); name == s.Name {
			return []ccs.Edit{ccs.RemoveElement{Element: e}}, nil
		}
	}
	return nil, fmt.Errorf("%s is not found in cluster.conf", s.ID())
}

func (w *work) registered() (bool, error) {
	if w.p.Removal == nil {
		return w.registry().added(context.Background(), w.p)
	}
	service, _, err := w.registry().holder(context.Background(), w.p.Type, w.p.VM)
	return service != "", err
}

func (w *work) register(ctx context.Context) error {
	if err := w.down(ctx); err != nil { // the last look before the cluster may start it elsewhere
		return err
	}
	if err := w.at("cluster/update"); err != nil {
		return err
	}
	w.asked = true
	_, err := w.registry().add(ctx, w.p, false)
	return err
}

func (w *work) unregister(ctx context.Context) error {
	there, err := w.registered()
	if errors.Is(err, errForeign) && w.p.Removal == nil { // nothing of ours
		return nil
	}
	if err == nil && !there && w.asked && w.p.Removal == nil {
		if err = w.registry().outdate(ctx); err == nil {
			there, err = w.registered()
		}
	}
	if err != nil || !there {
		return err
	}
	if err := w.at("undo:cluster/update"); err != nil {
		return err
	}
	return w.registry().remove(ctx, w.p)
}

// refusal tells with an error of the checks what they have found.
func refusal(r ccs.Result, err error) error {
	if err == nil || !errors.Is(err, ccs.ErrRefused) {
		return err
	}
	var found []string
	for _, f := range r.Findings {
		if f.Severity == ccs.Fatal {
			found = append(found, fmt.Sprint(f))
		}
	}
	return fmt.Errorf("%w: %s", err, strings.Join(found, "; "))
}

// registering is what the step is called.
func (w *work) registering() string {
	if w.p.Manager == cluster.NamePacemaker {
		return "update Pacemaker's configuration"
	}
	return "update cluster.conf"
}
