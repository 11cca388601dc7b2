package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// Machines are the VMs that a cluster.conf names, without what only a running manager can tell.
func Machines(d *ccs.Document) []Service { return services(d, report{}) }

// Configuration is what a cluster consists of, whatever runs of it.
type Configuration struct {
	Kind     string // NameRGManager, NamePacemaker
	Name     string
	Nodes    []string
	Machines []Service     // without what only a running manager can tell
	Balancer string        // id of a service that holds a resource of the type lbvm, "" none
	Document *ccs.Document // rgmanager's cluster.conf; nil with Pacemaker
}

// Configured reads cluster.conf, or asks Pacemaker. named is the administrator's word for the manager, "" if it is to be
// found out. An error that is fs.ErrNotExist says that the node has no configuration.
func Configured(ctx context.Context, h host.Host, r run.Runner, named string) (Configuration, error) {
	if Kind(h, named) == NamePacemaker {
		return (&pacemaker{h, r, clock.System()}).configuration(ctx)
	}
	d, err := ccs.Load(h.Path(host.ClusterXML))
	if err != nil {
		return Configuration{}, err
	}
	return ConfigurationOf(d), nil
}

// ConfigurationOf is what a cluster.conf says.
func ConfigurationOf(d *ccs.Document) Configuration {
	c := Configuration{Kind: NameRGManager, Name: d.ClusterName(), Machines: Machines(d), Document: d}
	for _, n := range d.Nodes() {
		c.Nodes = append(c.Nodes, n.Name)
	}
	for _, s := range d.Services() {
		if len(s.VMs(balancerType)) > 0 && c.Balancer == "" {
			c.Balancer = s.ID()
		}
	}
	return c
}

// balancerType is the type of the balancer's resource.
const balancerType = "lbvm"

func (m *pacemaker) configuration(ctx context.Context) (Configuration, error) {
	text, err := m.answer(ctx, nil, "cibadmin", "--query")
	if errors.Is(err, run.ErrNotFound) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return Configuration{}, fmt.Errorf("asking Pacemaker for its configuration: %w", err)
	}
	x, err := parseCIB(text)
	if err != nil {
		return Configuration{}, fmt.Errorf("reading what cibadmin printed: %w", err)
	}
	c := Configuration{Kind: NamePacemaker, Name: get("cluster-name", x.Options), Nodes: x.nodes(), Machines: []Service{}}
	for _, p := range x.machines() {
		c.Machines = append(c.Machines, Service{ID: p.service, VM: p.name, VMType: p.typ, Live: p.live, LiveOnly: p.live, Params: p.params, MayRun: []Placement{}})
	}
	for _, p := range x.Single {
		if p.Provider == "lbvm" && p.Type == balancerType && c.Balancer == "" {
			c.Balancer = "primitive:" + p.ID
		}
	}
	for _, g := range x.Groups {
		for _, p := range g.Primitives {
			if p.Provider == "lbvm" && p.Type == balancerType && c.Balancer == "" {
				c.Balancer = "group:" + g.ID
			}
		}
	}
	return c, nil
}

// AddResource adds a resource to Pacemaker's configuration. cibadmin refuses one whose id is there already, and what its
// schema does not know.
func AddResource(ctx context.Context, h host.Host, r run.Runner, markup string) error {
	out, err := command(ctx, h, r, askTimeout, "cibadmin", "--create", "--scope", "resources", "--xml-text", markup)
	switch {
	case err != nil:
		return fmt.Errorf("adding to Pacemaker's configuration: %w; unknown: check with cibadmin --query", err)
	case out.Code != 0:
		return fmt.Errorf("adding to Pacemaker's configuration: cibadmin ended with code %d: %s; nothing was changed", out.Code, flat(string(out.Stderr)+" "+string(out.Stdout)))
	}
	return nil
}
