package cluster

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// ErrCIB says that Pacemaker's configuration was not edited, and stands as it was.
var ErrCIB = errors.New("the configuration of Pacemaker stands as it was")

// editTries is how often an edit is made anew, because the configuration or the state beside it has changed meanwhile: on a
// busy cluster the state does so several times in a second.
const editTries = 20

// CIB is Pacemaker's configuration as it was at one moment.
type CIB struct {
	text    []byte
	read    cib
	all     []nested
	version [3]uint64 // admin_epoch, epoch, num_updates
}

// ReadCIB asks for the configuration.
func ReadCIB(ctx context.Context, h host.Host, r run.Runner) (CIB, error) {
	text, err := (&pacemaker{host: h, run: r}).answer(ctx, nil, "cibadmin", "--query")
	if err != nil {
		return CIB{}, fmt.Errorf("asking Pacemaker for its configuration: %w", err)
	}
	c, err := newCIB(text)
	if err != nil {
		return CIB{}, fmt.Errorf("reading what cibadmin printed: %w", err)
	}
	return c, nil
}

func newCIB(text []byte) (CIB, error) {
	read, err := parseCIB(text)
	if err != nil {
		return CIB{}, err
	}
	all, err := everywhere(text)
	if err != nil {
		return CIB{}, err
	}
	c := CIB{text: text, read: read, all: all}
	var v struct {
		Admin   string `xml:"admin_epoch,attr"`
		Epoch   string `xml:"epoch,attr"`
		Updates string `xml:"num_updates,attr"`
	}
	err = xml.Unmarshal(text, &v)
	for i, s := range []string{v.Admin, v.Epoch, v.Updates} {
		if err == nil {
			c.version[i], err = strconv.ParseUint(s, 10, 64)
		}
	}
	if err != nil {
		return CIB{}, fmt.Errorf("%w: the version of the configuration: %w", ErrAnswer, err)
	}
	return c, nil
}

// Nodes are the members that the configuration names.
func (c CIB) Nodes() []string { return c.read.nodes() }

// Machine finds the resource of a VM, however nested: the id of what holds it ("primitive:web1", "group:web", "clone:c"), false if
// there is none.
func (c CIB) Machine(typ, vm string) (service string, ok bool) {
	for _, p := range c.all {
		if m, ok := p.machine(); ok && m.typ == typ && m.name == vm {
			return p.service, true
		}
	}
	return "", false
}

// Stopped tells whether a VM's resource is stopped on purpose, by its target-role.
func (c CIB) Stopped(typ, vm string) bool {
	return slices.ContainsFunc(c.read.machines(), func(m machine) bool { return m.typ == typ && m.name == vm && m.disabled })
}

// Stock finds the resource, however nested, by which an agent of resource-agents runs a guest: VirtualDomain and Xen by its name,
// or by the file that it is started from; ManageVE, of OpenVZ, by its number.
func (c CIB) Stock(typ, vm, config string) (service string, ok bool) {
	for _, p := range c.all {
		if p.Class != "ocf" || p.Provider != "heartbeat" {
			continue
		}
		params := p.params()
		switch {
		case typ == "openvz" && p.Type == "ManageVE":
			if params["veid"] == vm {
				return p.service, true
			}
		case (typ == "xen" || typ == "kvm") && (p.Type == "VirtualDomain" || p.Type == "Xen"):
			for _, file := range []string{params["config"], params["xmfile"]} {
				if file != "" && (file == config || strings.TrimSuffix(filepath.Base(file), ".xml") == vm) {
					return p.service, true
				}
			}
			if p.ID == vm || params["name"] == vm {
				return p.service, true
			}
		}
	}
	return "", false
}

// Added tells whether a VM's resource is one that stands alone and that Add was given: by the ids of what is in it, which nobody
// else would write so, whatever was edited in it since.
func (c CIB) Added(a Added, typ, vm string) bool {
	var x, want primitive
	if xml.Unmarshal([]byte(a.Resource), &want) != nil || len(want.Params) == 0 {
		return false
	}
	i := slices.IndexFunc(c.all, func(p nested) bool { return p.service == "primitive:"+want.ID })
	if i < 0 {
		return false
	}
	x = c.all[i].primitive
	m, ok := x.machine()
	return ok && m.typ == typ && m.name == vm && slices.ContainsFunc(x.Params, func(s nvpairs) bool { return s.ID == want.Params[0].ID })
}

// Names tells whether a VM of another type bears the name.
func (c CIB) Names(vm string) bool {
	return slices.ContainsFunc(c.all, func(p nested) bool { m, ok := p.machine(); return ok && m.name == vm })
}

// Params are the values of one parameter of all VMs that have it.
func (c CIB) Params(name string) (out []string) {
	for _, m := range c.read.machines() {
		if v := m.params[name]; v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Edit is a change of the configuration, for the version of it that was read.
type Edit struct {
	from    [3]uint64
	changes []string // of Pacemaker's own patches, format 2
	text    []byte   // the configuration as it will be
}

// Added are elements of a resource: the resource itself, and what stands among the constraints.
type Added struct {
	Resource    string   `json:"resource"`
	Constraints []string `json:"constraints"`
}

// Add is the edit that adds them. What has an id that is taken is refused by Pacemaker's own schema.
func (c CIB) Add(a Added) (Edit, error) {
	e := Edit{from: c.version, text: c.text}
	if err := e.create("resources", a.Resource); err != nil {
		return Edit{}, err
	}
	for _, x := range a.Constraints {
		if err := e.create("constraints", x); err != nil {
			return Edit{}, err
		}
	}
	return e, nil
}

// ours begins the id of a constraint that was laid by Add for the resource. What `crm_resource --move` and --ban lay has
// ids of its own, and belongs to the resource as well.
func ours(constraint, resource string) bool {
	return strings.HasPrefix(constraint, "lbvm-"+resource+"-") || constraint == "cli-prefer-"+resource || strings.HasPrefix(constraint, "cli-ban-"+resource+"-on-")
}

// Remove is the edit that removes a resource that stands alone, and the constraints that go with it. A constraint of an
// administrator's that names it is not ours to remove.
func (c CIB) Remove(resource string) (Edit, Added, error) {
	e := Edit{from: c.version, text: c.text}
	var a Added
	parts, err := elements(c.text, "resources")
	if err != nil {
		return e, a, err
	}
	at := slices.IndexFunc(parts.children, func(x element) bool { return x.name == "primitive" && x.id == resource })
	if at < 0 {
		return e, a, fmt.Errorf("Pacemaker has no resource %q that stands alone", resource)
	}
	a.Resource = string(parts.children[at].text)
	constraints, err := elements(c.text, "constraints")
	if err != nil {
		return e, a, err
	}
	for _, x := range constraints.children {
		switch {
		case !x.about[resource]:
		case !ours(x.id, resource):
			return e, a, fmt.Errorf("the constraint %q names %s: take it out first", x.id, resource)
		default:
			a.Constraints = append(a.Constraints, string(x.text))
			if err := e.drop("constraints", x.name, x.id); err != nil {
				return e, a, err
			}
		}
	}
	return e, a, e.drop("resources", "primitive", resource)
}

// Patch is the edit in the words of `cibadmin --patch`. It holds for the version that was read and for no other.
func (e Edit) Patch() string {
	f := e.from
	return fmt.Sprintf(`<diff format="2"><version><source admin_epoch="%d" epoch="%d" num_updates="%d"/><target admin_epoch="%d" epoch="%d" num_updates="0"/></version>%s</diff>`,
		f[0], f[1], f[2], f[0], f[1]+1, strings.Join(e.changes, ""))
}

// create adds an element behind those of a section.
func (e *Edit) create(section, markup string) error {
	s, err := elements(e.text, section)
	if err != nil {
		return err
	}
	e.changes = append(e.changes, fmt.Sprintf(`<change operation="create" path="/cib/configuration/%s" position="%d">%s</change>`, section, len(s.children), markup))
	text := slices.Clone(e.text[:s.end])
	if s.empty {
		text = append(bytes.TrimSuffix(text, []byte("/>")), ">"+markup+"</"+section+">"...)
	} else {
		text = append(text, markup...)
	}
	e.text = append(text, e.text[s.end:]...)
	return nil
}

// drop removes an element of a section.
func (e *Edit) drop(section, name, id string) error {
	s, err := elements(e.text, section)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(s.children, func(x element) bool { return x.id == id })
	if at < 0 {
		return fmt.Errorf("%w: no %s %q among the %s", ErrAnswer, name, id, section)
	}
	x := s.children[at]
	e.changes = append(e.changes, fmt.Sprintf(`<change operation="delete" path="/cib/configuration/%s/%s[@id='%s']"/>`, section, name, id))
	e.text = append(slices.Clone(e.text[:x.start]), e.text[x.end:]...)
	return nil
}

// section is a part of the configuration, by the bytes of the whole.
type section struct {
	children []element
	end      int  // where the next child would stand
	empty    bool // written as <resources/>: end is behind it
}

type element struct {
	name, id   string
	start, end int
	text       []byte
	about      map[string]bool // all values of the attributes in it, its own id but for
}

// elements reads the children of /cib/configuration/NAME.
func elements(text []byte, name string) (section, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	var path []string
	var s section
	for {
		start := int(d.InputOffset())
		t, err := d.Token()
		if err != nil {
			return s, fmt.Errorf("%w: no %s in Pacemaker's configuration: %w", ErrAnswer, name, err)
		}
		switch x := t.(type) {
		case xml.StartElement:
			path = append(path, x.Name.Local)
			if within := len(path) >= 4 && path[1] == "configuration" && path[2] == name; within {
				if len(path) == 4 {
					s.children = append(s.children, element{name: x.Name.Local, start: start, about: map[string]bool{}})
				}
				c := &s.children[len(s.children)-1]
				for _, a := range x.Attr {
					if len(path) == 4 && a.Name.Local == "id" {
						c.id = a.Value
						continue
					}
					c.about[a.Value] = true
				}
			}
		case xml.EndElement:
			end := int(d.InputOffset())
			switch {
			case len(path) == 4 && path[1] == "configuration" && path[2] == name:
				c := &s.children[len(s.children)-1]
				c.end, c.text = end, text[c.start:end]
			case len(path) == 3 && path[1] == "configuration" && path[2] == name:
				s.empty = start == end // <resources/>: its end is no text of its own
				s.end = start
				return s, nil
			}
			path = path[:len(path)-1]
		}
	}
}
