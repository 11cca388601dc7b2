package cluster

import (
	"encoding/xml"
	"slices"
	"strings"
)

// Setup is what of Pacemaker's configuration works for VMs, or against them.
type Setup struct {
	Options map[string]string // of the cluster (crm_config), by name; what is not written is not there
	Pending string            // record-pending of all operations, "" not written
	Fences  []FenceDevice     // enabled ones
	VMs     []SetupVM
	Left    []Left
	Types   []string // of our agents (ocf:lbvm), in use
}

// FenceDevice is a stonith resource.
type FenceDevice struct {
	ID, Agent string   // "fence_apc", "external/ipmi"
	Hosts     []string // that it is written to fence; none: the device itself says whom
}

// SetupVM is a VM's resource.
type SetupVM struct {
	ID         string // of the primitive
	Type       string
	Live       string // allow-migrate as it is written, "" not written
	Stickiness int    // of all that moves with it
	Monitored  bool   // a monitor operation comes again and again
	// Without are the operations that have no timeout of their own nor by op_defaults: Pacemaker gives them 20 s, whatever the agent advertises.
	Without []string
}

// Left is what crm_resource --move or --ban has laid for a VM's service, without an end.
type Left struct{ ID, Resource, Node string }

// operation is an op of a primitive.
type operation struct {
	Name     string `xml:"name,attr"`
	Interval string `xml:"interval,attr"`
	Timeout  string `xml:"timeout,attr"`
}

// Setup reads it.
func (c CIB) Setup() (Setup, error) {
	var x struct {
		OpDefaults []nvpairs `xml:"configuration>op_defaults>meta_attributes"`
		Locations  []struct {
			ID       string    `xml:"id,attr"`
			Resource string    `xml:"rsc,attr"`
			Node     string    `xml:"node,attr"`
			Rule     *struct{} `xml:"rule"`
		} `xml:"configuration>constraints>rsc_location"`
	}
	if err := xml.Unmarshal(c.text, &x); err != nil {
		return Setup{}, err
	}
	s := Setup{Options: map[string]string{}, Pending: get("record-pending", x.OpDefaults)}
	for _, set := range slices.Backward(c.read.Options) { // the first set that has one counts
		for _, p := range set.List {
			s.Options[p.Name] = p.Value
		}
	}
	stick := map[string]int{}
	for _, m := range c.read.machines() {
		stick[m.id] = m.stick
	}
	services := map[string]bool{}
	for _, p := range c.all {
		if p.Class == "stonith" && !strings.EqualFold(get(targetRole, p.Meta, c.read.Defaults), "Stopped") {
			s.Fences = append(s.Fences, FenceDevice{p.ID, p.Type, hosts(p.params())})
		}
		if p.Class != "ocf" || p.Provider != "lbvm" {
			continue
		}
		if !slices.Contains(s.Types, p.Type) {
			s.Types = append(s.Types, p.Type)
		}
		m, ok := p.machine()
		likes, alone := stick[p.ID]
		if !ok || !alone { // no VM, or one of a clone, which is another's
			continue
		}
		services[p.ID], services[resource(p.service)] = true, true
		vm := SetupVM{ID: p.ID, Type: m.typ, Live: get("allow-migrate", p.Meta, c.read.Defaults), Stickiness: likes}
		timeouts := map[string]bool{}
		for _, o := range p.Ops {
			timeouts[o.Name] = timeouts[o.Name] || o.Timeout != ""
			vm.Monitored = vm.Monitored || o.Name == "monitor" && strings.Trim(o.Interval, "0smh ") != ""
		}
		names := []string{"start", "stop"}
		if isTrue(vm.Live) {
			names = append(names, "migrate_to", "migrate_from")
		}
		for _, name := range names {
			if !timeouts[name] && get("timeout", x.OpDefaults) == "" {
				vm.Without = append(vm.Without, name)
			}
		}
		s.VMs = append(s.VMs, vm)
	}
	for _, l := range x.Locations {
		if l.Rule == nil && services[l.Resource] && (strings.HasPrefix(l.ID, "cli-prefer-") || strings.HasPrefix(l.ID, "cli-ban-")) {
			s.Left = append(s.Left, Left{l.ID, l.Resource, l.Node})
		}
	}
	return s, nil
}

// hosts are whom a fence device is written to fence.
func hosts(params map[string]string) []string {
	split := func(r rune) bool { return strings.ContainsRune(" \t\n,;", r) }
	out := strings.FieldsFunc(params["pcmk_host_list"], split)
	for _, pair := range strings.FieldsFunc(params["pcmk_host_map"], split) {
		if name, _, ok := strings.Cut(pair, ":"); ok { // what has none is a further port of the one before
			out = append(out, name)
		}
	}
	return out
}
