package ccs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Node is a member of the cluster as configured.
type Node struct {
	Name  string
	ID    int // 0 where the file gives none
	Votes int // 1 where the file gives none
	Fence []FenceMethod
	Line  int
}

// Service is a group: an element directly below <rm>, with all that it holds.
type Service struct {
	Type, Name string
	Attrs      map[string]string
	Children   []Resource
	Ref        string // as of Resource: a group, too, may stand in <resources>
	Line       int
}

// Resource is an element within a service. A reference is resolved: Attrs are those of its definition in
// <resources>, Name is the definition's name, Ref what the reference said.
type Resource struct {
	Type, Name string
	Attrs      map[string]string
	Children   []Resource
	Ref        string
	Line       int
}

// ClusterName is the cluster's name, "" if it has none.
func (d *Document) ClusterName() string {
	name, _ := d.Root().Attr("name")
	return name
}

// Version is config_version.
func (d *Document) Version() (uint64, error) {
	text, ok := d.Root().Attr("config_version")
	line, col := d.Root().Position()
	if !ok {
		return 0, fmt.Errorf("%s:%d:%d: %w: <%s> has none", d.name, line, col, ErrVersion, d.Root().Tag())
	}
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%s:%d:%d: %w: %q is not a whole number", d.name, line, col, ErrVersion, text)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > maxVersion {
		return 0, fmt.Errorf("%s:%d:%d: %w: %s is more than %d", d.name, line, col, ErrVersion, text, maxVersion)
	}
	return n, nil
}

// maxVersion is what the cluster's programs keep in an int.
const maxVersion = 1<<31 - 1

// Nodes gives the cluster's members in the order of the file.
func (d *Document) Nodes() []Node {
	var out []Node
	for _, e := range d.Root().child("clusternodes").named("clusternode") {
		n := Node{Votes: 1}
		n.Name, _ = e.Attr("name")
		if v, ok := e.Attr("nodeid"); ok {
			n.ID = atoi(v)
		}
		if v, ok := e.Attr("votes"); ok {
			n.Votes = atoi(v)
		}
		n.Fence = fenceMethods(e)
		n.Line, _ = e.Position()
		out = append(out, n)
	}
	return out
}

// RM gives the attributes of <rm>: log_level, status_poll_interval and others.
func (d *Document) RM() map[string]string { return attrMap(d.rm()) }

func (d *Document) rm() Element { return d.Root().child("rm") }

// Services gives the groups in the order of the file. It gives what the file says; of an element that the
// cluster manager would drop Check speaks.
func (d *Document) Services() []Service {
	defs := d.definitions()
	var out []Service
	for _, e := range d.rm().Children() {
		if notGroup(e.Tag()) {
			continue
		}
		r := d.resource(e, defs)
		out = append(out, Service(r))
	}
	return out
}

// Service finds a group by its id, "service:centos".
func (d *Document) Service(id string) (Service, bool) {
	for _, s := range d.Services() {
		if s.ID() == id {
			return s, true
		}
	}
	return Service{}, false
}

// notGroup tells which elements below <rm> are no groups.
func notGroup(tag string) bool {
	return slices.Contains([]string{"failoverdomains", "events", "resources", "resource-defaults", "action"}, tag)
}

// definitions gives the elements of <resources> by type and name.
func (d *Document) definitions() map[[2]string]Element {
	out := map[[2]string]Element{}
	for _, e := range d.rm().child("resources").Children() {
		name, ok := e.Attr(primaryOf(e.Tag()))
		key := [2]string{e.Tag(), name}
		if _, again := out[key]; ok && !again {
			out[key] = e
		}
	}
	return out
}

func (d *Document) resource(e Element, defs map[[2]string]Element) Resource {
	r := Resource{Type: e.Tag(), Attrs: attrMap(e)}
	r.Line, _ = e.Position()
	r.Name = r.Attrs[primaryOf(r.Type)]
	if ref, ok := e.Attr("ref"); ok {
		r.Ref, r.Name = ref, ref
		if def, ok := defs[[2]string{r.Type, ref}]; ok {
			r.Attrs = attrMap(def)
			for _, a := range e.Attrs() {
				if strings.HasPrefix(a.Name, "__") { // these alone are read from the reference itself
					r.Attrs[a.Name] = a.Value
				}
			}
		}
	}
	for _, c := range e.Children() {
		if c.Tag() == "action" { // a schedule, not a resource
			continue
		}
		r.Children = append(r.Children, d.resource(c, defs))
	}
	return r
}

// ID is the group's name in the cluster manager: "service:centos", "openvz:101".
func (s Service) ID() string { return s.Type + ":" + s.Name }

// Domain is the name of the group's failover domain, "" if it has none.
func (s Service) Domain() string { return s.Attrs["domain"] }

// Exclusive tells whether the group wants a node for itself, as rgmanager reads its attribute.
func (s Service) Exclusive() bool { return exclusive(s.Attrs["exclusive"]) } // missing is no

// VMs gives what the group holds of those types: itself or any of its descendants, in the order of the file.
func (s Service) VMs(types ...string) []Resource {
	return collect(nil, Resource(s), types)
}

func collect(out []Resource, r Resource, types []string) []Resource {
	if slices.Contains(types, r.Type) {
		out = append(out, r)
	}
	for _, c := range r.Children {
		out = collect(out, c, types)
	}
	return out
}

func attrMap(e Element) map[string]string {
	out := map[string]string{}
	if e.n != nil {
		for _, a := range e.Attrs() {
			out[a.Name] = a.Value
		}
	}
	return out
}
