package adopt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// pacemaker keeps what it runs in the CIB. What is written there holds at once: the resource comes in stopped, by its
// target-role, and is enabled when all is done.
type pacemaker struct{ a Adopter }

func (m pacemaker) read(ctx context.Context) (cluster.CIB, error) {
	return cluster.ReadCIB(ctx, m.a.Host, m.a.Query)
}

func (m pacemaker) nodes(ctx context.Context) ([]string, error) {
	c, err := m.read(ctx)
	return c.Nodes(), err
}

func (m pacemaker) holder(ctx context.Context, typ, vm string) (service string, alike bool, err error) {
	c, err := m.read(ctx)
	if err != nil {
		return "", false, err
	}
	service, _ = c.Machine(typ, vm)
	return service, c.Names(vm), nil
}

func (m pacemaker) stock(ctx context.Context, p Plan) (string, error) {
	c, err := m.read(ctx)
	service, _ := c.Stock(p.Type, p.VM, p.Config)
	return service, err
}

func (m pacemaker) folders(ctx context.Context) ([]string, error) {
	c, err := m.read(ctx)
	return c.Params("path"), err
}

// service is the id of the resource: the VM's name where that can be one in XML, else TYPE-NAME.
func (m pacemaker) service(typ, vm string) string {
	id := strings.NewReplacer(":", "_", "+", "_").Replace(vm)
	if c := id[0]; id != vm || c >= '0' && c <= '9' || c == '-' || c == '.' {
		id = typ + "-" + id
	}
	return id
}

// added tells whether the plan's resource is there, and is the plan's own: one that has come since by another hand is an error.
func (m pacemaker) added(ctx context.Context, p Plan) (bool, error) {
	c, err := m.read(ctx)
	if err != nil {
		return false, err
	}
	return p.in(c)
}

func (p Plan) in(c cluster.CIB) (bool, error) {
	service, there := c.Machine(p.Type, p.VM)
	if !there {
		return false, nil
	}
	x, err := p.resource()
	if err != nil {
		return false, err
	}
	if !c.Added(x, p.Type, p.VM) {
		return false, fmt.Errorf("%w: %s of the cluster has %s since it was looked at", errForeign, service, p.Ref())
	}
	return true, nil
}

// outdate sees to it that no edit of before comes any more.
func (m pacemaker) outdate(ctx context.Context) error {
	return cluster.Outdate(ctx, m.a.Host, m.a.Query)
}

func (m pacemaker) add(ctx context.Context, p Plan, dry bool) (string, error) {
	x, err := p.resource()
	if err != nil {
		return "", err
	}
	patch, err := cluster.EditCIB(ctx, m.a.Host, m.a.Query, dry, func(c cluster.CIB) (cluster.Edit, error) {
		if there, err := p.in(c); err != nil || there {
			return cluster.Edit{}, err
		}
		for _, n := range p.where() {
			if !slices.Contains(c.Nodes(), n.Node) {
				return cluster.Edit{}, fmt.Errorf("--domain: Pacemaker has no node %q", n.Node)
			}
		}
		return c.Add(x)
	})
	if err != nil && !errors.Is(err, cluster.ErrCIB) {
		err = fmt.Errorf("%w: %w", errUnknown, err)
	}
	return "patch Pacemaker's configuration, which holds for the version that it names, and is written anew for a newer one: " + patch, err
}

func (m pacemaker) look(ctx context.Context, typ, vm string) (Removal, error) {
	c, err := m.read(ctx)
	if err != nil {
		return Removal{}, err
	}
	_, was, err := removed(c, typ, vm)
	id, _ := c.Machine(typ, vm)
	return Removal{Element: was.Resource, Group: id, Constraints: was.Constraints}, err
}

func (m pacemaker) remove(ctx context.Context, p Plan) error {
	_, err := cluster.EditCIB(ctx, m.a.Host, m.a.Query, false, func(c cluster.CIB) (cluster.Edit, error) {
		if _, there := c.Machine(p.Type, p.VM); !there {
			return cluster.Edit{}, nil
		}
		if p.Removal == nil { // taken back: what is not ours stays
			if _, err := p.in(c); err != nil {
				return cluster.Edit{}, err
			}
		}
		e, _, err := removed(c, p.Type, p.VM)
		if err == nil && !c.Stopped(p.Type, p.VM) { // somebody has enabled it since it was looked at: it may be starting
			return cluster.Edit{}, fmt.Errorf("%s is not stopped on purpose any more, and may run: set its target-role to Stopped and see it down first", p.Ref())
		}
		return e, err
	})
	return err
}

func removed(c cluster.CIB, typ, vm string) (cluster.Edit, cluster.Added, error) {
	id, there := c.Machine(typ, vm)
	resource, alone := strings.CutPrefix(id, "primitive:")
	switch {
	case !there:
		return cluster.Edit{}, cluster.Added{}, fmt.Errorf("there is no %s:%s in Pacemaker's CIB", typ, vm)
	case !alone:
		return cluster.Edit{}, cluster.Added{}, fmt.Errorf("%s holds more than %s:%s: take it out of that first", id, typ, vm)
	}
	return c.Remove(resource)
}

func (m pacemaker) restore(ctx context.Context, r Removal) error {
	_, err := cluster.EditCIB(ctx, m.a.Host, m.a.Query, false, func(c cluster.CIB) (cluster.Edit, error) {
		return c.Add(cluster.Added{Resource: r.Element, Constraints: r.Constraints})
	})
	return err
}

// liking is a node of --domain with its score.
type liking struct {
	Node  string
	Score int
}

// where reads --domain of Pacemaker: NODE or NODE:SCORE, with commas. Nothing runs on other nodes then.
func (p Plan) where() []liking {
	var out []liking
	for _, w := range strings.Split(p.Domain, ",") {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		node, text, scored := strings.Cut(w, ":")
		l := liking{Node: node}
		if n, err := strconv.Atoi(text); scored && err == nil {
			l.Score = n
		} else if scored {
			l.Node = w // no node's name: refused
		}
		out = append(out, l)
	}
	return out
}

// resource is what Pacemaker gets of a VM. It uses none of the timeouts that the agent advertises: they stand in the
// operations.
func (p Plan) resource() (cluster.Added, error) {
	id := p.Service
	attr := func(list ...string) (out []ccs.Attr) {
		for i := 0; i+1 < len(list); i += 2 {
			out = append(out, ccs.Attr{Name: list[i], Value: list[i+1]})
		}
		return out
	}
	set := func(tag, end string, names []string, values map[string]string) string {
		var pairs []string
		for _, n := range names {
			pairs = append(pairs, ccs.Markup("nvpair", attr("id", id+"-"+end+"-"+n, "name", n, "value", values[n])))
		}
		return ccs.Markup(tag, attr("id", id+"-"+end), pairs...)
	}
	params := map[string]string{"name": p.VM}
	names := []string{"name"}
	for n, v := range p.Params {
		params[n] = v
		names = append(names, n)
	}
	slices.Sort(names[1:])
	ops, live, err := operations(p.Type)
	if err != nil {
		return cluster.Added{}, err
	}
	var list []string
	for _, o := range ops {
		list = append(list, ccs.Markup("op", attr("id", id+"-"+o.Name, "name", o.Name, "interval", o.Interval, "timeout", o.Timeout)))
	}
	x := cluster.Added{Resource: ccs.Markup("primitive", attr("id", id, "class", "ocf", "provider", "lbvm", "type", p.Type),
		set("instance_attributes", "params", names, params),
		set("meta_attributes", "meta", []string{"allow-migrate", "target-role"}, map[string]string{"allow-migrate": strconv.FormatBool(live), "target-role": "Stopped"}),
		ccs.Markup("operations", nil, list...))}
	where := p.where()
	if len(where) == 0 {
		return x, nil
	}
	prefix := "lbvm-" + id + "-"
	var others []string
	for _, l := range where {
		if err := host.CheckName(l.Node); err != nil || strings.ContainsAny(l.Node, ":+") {
			return x, errors.Join(fmt.Errorf("--domain: %q is no NODE or NODE:SCORE", l.Node), err)
		}
		others = append(others, ccs.Markup("expression", attr("id", prefix+"not-"+l.Node, "attribute", "#uname", "operation", "ne", "value", l.Node)))
		if l.Score != 0 {
			x.Constraints = append(x.Constraints, ccs.Markup("rsc_location", attr("id", prefix+"on-"+l.Node, "rsc", id, "node", l.Node, "score", strconv.Itoa(l.Score))))
		}
	}
	x.Constraints = append(x.Constraints, ccs.Markup("rsc_location", attr("id", prefix+"domain", "rsc", id),
		ccs.Markup("rule", attr("id", prefix+"others", "boolean-op", "and", "score", "-INFINITY"), others...)))
	return x, nil
}

// operation is one that Pacemaker is to run.
type operation struct {
	Name     string `xml:"name,attr"`
	Timeout  string `xml:"timeout,attr"`
	Interval string `xml:"interval,attr"`
	Depth    string `xml:"depth,attr"`
}

// operations are those of the agent's own metadata; live says that it can be migrated.
func operations(typ string) (ops []operation, live bool, err error) {
	documents := map[string]func() ([]byte, []byte){"openvz": metadata.PacemakerOpenVZ, "xen": metadata.PacemakerXen, "kvm": metadata.PacemakerKVM, "vmexec": metadata.PacemakerVMExec}
	text, ok := documents[typ]
	if !ok {
		return nil, false, fmt.Errorf("there is no agent for %q", typ)
	}
	_, ocf11 := text()
	var doc struct {
		Actions []operation `xml:"actions>action"`
	}
	if err := xml.Unmarshal(ocf11, &doc); err != nil {
		return nil, false, fmt.Errorf("reading the metadata of %s: %w", typ, err)
	}
	for _, o := range doc.Actions {
		if o.Interval == "" {
			o.Interval = "0"
		}
		switch {
		case o.Name == "monitor" && o.Depth != "0" && o.Depth != "": // a second monitor is for who wants it
			continue
		case o.Name == "meta-data" || o.Name == "validate-all" || o.Name == "reload-agent": // nobody repeats them
			continue
		}
		live = live || o.Name == "migrate_to"
		ops = append(ops, o)
	}
	return ops, live, nil
}
