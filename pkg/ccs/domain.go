package ccs

import "strings"

// Score is how well a node suits a service. The zero value is Illegal: it may not run there.
type Score int

// The scores, from worst to best, as the cluster manager orders them.
const (
	Illegal Score = iota // offline, or outside a restricted domain
	Good                 // outside the domain while a member of it is online
	Better               // in the domain, but another is preferred
	Best
)

func (s Score) String() string {
	switch s {
	case Good:
		return "good"
	case Better:
		return "better"
	case Best:
		return "best"
	}
	return "illegal"
}

// Domain is a failover domain as the cluster manager reads it. The zero Domain is none: every online node is Best.
type Domain struct {
	Name       string
	Ordered    bool
	Restricted bool
	NoFailback bool
	Nodes      []DomainNode
	Line       int
}

// DomainNode is a member of a domain. Priority is 1 to 100 in an ordered domain, lower is better; 0 is none, which beats 1.
type DomainNode struct {
	Name     string
	Priority int
}

// Score is the cluster manager's answer for one node. online are the members that are up, started and owner say
// where the service runs now ("" nowhere); they matter only in a domain without failback.
//
// One surprise is kept: a domain's member counts as online whatever the case of its name, but a node is found
// in its domain only if the case is the same.
func (d Domain) Score(node string, online []string, started bool, owner string) Score {
	if !isOnline(online, node) {
		return Illegal
	}
	if d.Name == "" {
		return Best
	}
	anyOnline, member := false, false
	mine, best := 0, 100
	for _, n := range d.Nodes {
		if !isOnline(online, n.Name) {
			continue
		}
		anyOnline = true
		if n.Name == node {
			member, mine = true, n.Priority
		}
		best = min(best, n.Priority)
	}
	stays := d.NoFailback && started && isOnline(online, owner)
	owns := strings.EqualFold(node, owner)
	switch {
	case !member && d.Restricted:
		return Illegal
	case !member && !anyOnline:
		return Best
	case !member:
		return Good
	case mine <= best: // one of the most preferred
		if stays && !owns {
			return Better
		}
		return Best
	case d.Ordered && !(stays && owns):
		return Better
	}
	return Best
}

func isOnline(online []string, node string) bool {
	if node == "" {
		return false
	}
	for _, o := range online {
		if strings.EqualFold(o, node) {
			return true
		}
	}
	return false
}

// Domains gives the failover domains that the cluster manager knows. It stops reading at a domain whose name is
// missing or was there before, and a domain's members at a member whose name is.
func (d *Document) Domains() []Domain {
	var out []Domain
	for _, e := range d.domainElements() {
		name, ok := e.Attr("name")
		if _, again := findDomain(out, name); !ok || again {
			break
		}
		out = append(out, readDomain(e, name))
	}
	return out
}

// Domain finds a domain by its name, whose case does not matter.
func (d *Document) Domain(name string) (Domain, bool) { return findDomain(d.Domains(), name) }

func (d *Document) domainElements() []Element {
	return d.rm().child("failoverdomains").named("failoverdomain")
}

func findDomain(all []Domain, name string) (Domain, bool) {
	for _, x := range all {
		if strings.EqualFold(x.Name, name) {
			return x, true
		}
	}
	return Domain{}, false
}

func readDomain(e Element, name string) Domain {
	out := Domain{Name: name, Ordered: isOn(e, "ordered"), Restricted: isOn(e, "restricted"), NoFailback: isOn(e, "nofailback")}
	out.Line, _ = e.Position()
	for _, m := range e.named("failoverdomainnode") {
		name, ok := m.Attr("name")
		if !ok || out.has(name) {
			break
		}
		n := DomainNode{Name: name}
		if out.Ordered {
			text, _ := m.Attr("priority") // missing is none
			if n.Priority = atoi(text); n.Priority < 1 || n.Priority > 100 {
				n.Priority = 0
			}
		}
		out.Nodes = append(out.Nodes, n)
	}
	return out
}

func (d Domain) has(node string) bool {
	for _, n := range d.Nodes {
		if strings.EqualFold(n.Name, node) {
			return true
		}
	}
	return false
}

// isOn reads a boolean of a failover domain: a number other than 0. "yes" is off.
func isOn(e Element, attr string) bool {
	v, _ := e.Attr(attr) // missing is off
	return atoi(v) != 0
}

// atoi reads a number as C does: leading white space and a sign, then digits up to the first other character.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' {
			break
		}
		if n = n*10 + int(r-'0'); n > 1<<30 {
			n = 1 << 30 // out of an int's range C promises nothing
			break
		}
	}
	return sign * n
}
