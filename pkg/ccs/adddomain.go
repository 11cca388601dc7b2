package ccs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// AddDomain gives the edits that add a failover domain. Its nodes must be members; priorities count only in an
// ordered one.
func (d *Document) AddDomain(n Domain) ([]Edit, error) {
	if n.Name == "" || len(n.Nodes) == 0 {
		return nil, errors.New("a failover domain has a name and nodes")
	}
	if old, ok := d.Domain(n.Name); ok {
		return nil, fmt.Errorf("failover domain %s is there already, in line %d", old.Name, old.Line)
	}
	rm := d.rm()
	if rm.IsZero() {
		return nil, errors.New("the document has no <rm>: rgmanager manages nothing here")
	}
	seen := map[string]bool{}
	var nodes []string
	for _, in := range n.Nodes {
		member, ok := d.member(in.Name)
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is no node of this cluster", in.Name)
		case member != in.Name:
			return nil, fmt.Errorf("the node is called %s, and a domain finds it only by exactly that name", member)
		case seen[in.Name]:
			return nil, fmt.Errorf("%s stands twice: the manager would not read what follows", in.Name)
		case in.Priority != 0 && !n.Ordered:
			return nil, fmt.Errorf("the priority of %s counts only in an ordered domain", in.Name)
		case in.Priority < 0 || in.Priority > 100:
			return nil, fmt.Errorf("priority %d of %s: it is 1 to 100, and 1 is best", in.Priority, in.Name)
		}
		seen[in.Name] = true
		attrs := []Attr{{"name", in.Name}}
		if in.Priority > 0 {
			attrs = append(attrs, Attr{"priority", strconv.Itoa(in.Priority)})
		}
		nodes = append(nodes, Markup("failoverdomainnode", attrs))
	}
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return "0"
	}
	text := Markup("failoverdomain", []Attr{{"name", n.Name}, {"ordered", flag(n.Ordered)}, {"restricted", flag(n.Restricted)}, {"nofailback", flag(n.NoFailback)}}, nodes...)
	domains := rm.child("failoverdomains")
	if !domains.IsZero() {
		return []Edit{Insert{At: domains, Where: Into, XML: text}}, nil
	}
	text = Markup("failoverdomains", nil, text)
	if children := rm.Children(); len(children) > 0 {
		return []Edit{Insert{At: children[0], Where: Before, XML: text}}, nil
	}
	return []Edit{Insert{At: rm, Where: Into, XML: text}}, nil
}

// member finds a node whatever the case of its name.
func (d *Document) member(name string) (string, bool) {
	for _, n := range d.Nodes() {
		if strings.EqualFold(n.Name, name) {
			return n.Name, true
		}
	}
	return "", false
}
