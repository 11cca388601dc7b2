package ccs

import (
	"fmt"
	"strings"
)

// Rename gives a service another name, and writes it wherever the document speaks of the service: depend="service:OLD"
// of other groups, service="service:OLD" of an event, service_name="OLD" within the service itself, and ref="OLD". The
// element is any group below <rm> (service, vm, openvz, ...) or a definition in <resources>. Comments stay as they are,
// and so do other files: lbvm.conf names VMs, the cluster manager keeps states under the old name.
//
// A name that another element of the type has is ErrTaken.
type Rename struct {
	Element Element
	Name    string
}

// Mention is one value that a Rename changes.
type Mention struct {
	Element  Element
	Attr     string
	Old, New string
}

func (m Mention) String() string {
	line, _ := m.Element.Position()
	return fmt.Sprintf("line %d: <%s> %s=%q becomes %q", line, m.Element.Tag(), m.Attr, m.Old, m.New)
}

// Mentions gives all that the edit changes: the name itself, then what refers to it in the order of the file.
func (x Rename) Mentions() ([]Mention, error) {
	if x.Element.IsZero() {
		return nil, ErrForeign
	}
	e, d := x.Element, x.Element.d
	old, ok := e.Attr("name")
	if ref, is := e.Attr("ref"); is && !ok {
		return nil, fmt.Errorf("<%s ref=%q> has no name of its own: rename what it refers to", e.Tag(), ref)
	}
	if !ok {
		return nil, fmt.Errorf("<%s>: %w: %q", e.Tag(), ErrNoAttr, "name")
	}
	if x.Name == "" {
		return nil, fmt.Errorf("<%s name=%q>: the new name is empty", e.Tag(), old)
	}
	rm := d.rm()
	definitions := rm.child("resources")
	if p := e.Parent(); rm.IsZero() || p != rm && (definitions.IsZero() || p != definitions) {
		return nil, fmt.Errorf("<%s name=%q> is no service: it stands neither in <rm> nor in <resources>", e.Tag(), old)
	}
	if old == x.Name {
		return nil, nil
	}
	for _, other := range append(rm.Children(), definitions.Children()...) {
		if name, ok := other.Attr("name"); ok && name == x.Name && sameType(other, e) {
			line, _ := other.Position()
			return nil, fmt.Errorf("%w: <%s name=%q> stands in line %d", ErrTaken, other.Tag(), name, line)
		}
	}
	m := mentions{of: e, old: old, next: x.Name, definition: e}
	if e.Parent() == rm {
		for _, def := range definitions.Children() { // then a ref means the definition
			if name, ok := def.Attr("name"); ok && name == old && sameType(def, e) {
				m.definition = Element{}
			}
		}
	}
	m.add(e, "name", old, x.Name)
	m.walk(rm, false)
	return m.found, nil
}

func sameType(a, b Element) bool { return strings.EqualFold(a.Tag(), b.Tag()) }

type mentions struct {
	of         Element
	definition Element // what a ref of the type and name leads to
	old, next  string
	found      []Mention
}

func (m *mentions) add(e Element, attr, old, next string) {
	m.found = append(m.found, Mention{e, attr, old, next})
}

// walk looks at an element and all within it; inside says that it is part of what is renamed.
func (m *mentions) walk(e Element, inside bool) {
	inside = inside || e == m.of
	for _, a := range e.Attrs() {
		switch {
		case a.Name == "ref" && sameType(e, m.of) && a.Value == m.old && !m.definition.IsZero():
			m.add(e, a.Name, a.Value, m.next)
		case a.Name == "depend", a.Name == "service" && e.Tag() == "event":
			m.group(e, a)
		case a.Name == "service_name" && inside && e != m.of && a.Value == m.old:
			m.add(e, a.Name, a.Value, m.next)
		}
	}
	for _, c := range e.Children() {
		m.walk(c, inside)
	}
}

// group looks at a value that names a group: TYPE:NAME, or the bare name of a service.
func (m *mentions) group(e Element, a Attr) {
	typ, name, full := strings.Cut(a.Value, ":")
	switch {
	case full && strings.EqualFold(typ, m.of.Tag()) && name == m.old:
		m.add(e, a.Name, a.Value, typ+":"+m.next)
	case a.Value == m.old && strings.EqualFold(m.of.Tag(), "service"):
		m.add(e, a.Name, a.Value, m.next)
	}
}

func (x Rename) plan(p *plan) error {
	if _, err := p.own(x.Element); err != nil {
		return err
	}
	all, err := x.Mentions()
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := (SetAttr{m.Element, m.Attr, m.New}).plan(p); err != nil {
			return err
		}
	}
	return nil
}
