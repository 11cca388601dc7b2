package ccs

import (
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a finding stops a write.
type Severity int

// The severities.
const (
	Warning Severity = iota
	Fatal            // the document is not written
)

func (s Severity) String() string {
	if s == Fatal {
		return "error"
	}
	return "warning"
}

// Finding is one thing that is wrong with a document, where, and why it matters.
type Finding struct {
	Severity  Severity
	File      string
	Line, Col int
	Text, Why string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s (%s)", f.File, f.Line, f.Col, f.Severity, f.Text, f.Why)
}

// Check judges the document by what the cluster manager does with it. nil rules are DefaultRules.
func (d *Document) Check(r Rules) []Finding {
	if r == nil {
		r = DefaultRules()
	}
	c := checker{d: d, rules: r, seen: map[[3]string]int{}, refs: map[[2]string]bool{}}
	c.cluster()
	c.domains()
	if rm := d.rm(); !rm.IsZero() {
		for _, e := range rm.child("resources").Children() {
			c.define(e)
		}
		for _, e := range rm.Children() {
			if !notGroup(e.Tag()) {
				c.group(e)
			}
		}
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return c.found
}

type checker struct {
	d     *Document
	rules Rules
	found []Finding
	seen  map[[3]string]int  // type, attribute, value -> line
	refs  map[[2]string]bool // type, name of the definitions in <resources>
}

func (c *checker) add(s Severity, e Element, why, format string, args ...any) {
	line, col := e.Position()
	c.found = append(c.found, Finding{s, c.d.name, line, col, fmt.Sprintf(format, args...), why})
}

func (c *checker) cluster() {
	root := c.d.Root()
	if root.Tag() != "cluster" {
		c.add(Fatal, root, "every program of the cluster looks for <cluster>", "the root element is <%s>", root.Tag())
	}
	if c.d.ClusterName() == "" {
		c.add(Fatal, root, "a node without it joins no cluster", "<%s> has no name", root.Tag())
	} else if n := len(c.d.ClusterName()); n > 15 {
		c.add(Warning, root, "cman keeps 15 characters", "the cluster's name has %d characters", n)
	}
	if _, err := c.d.Version(); err != nil {
		text, _ := root.Attr("config_version")
		c.add(Fatal, root, "the version is how the nodes know which file is newer", "config_version=%q is no version", text)
	}
	for _, tag := range []string{"rm", "clusternodes"} {
		if all := root.named(tag); len(all) > 1 {
			c.add(Warning, all[1], "only the first one is read here", "<%s> stands more than once", tag)
		}
	}
	nodes := map[string]bool{}
	for _, e := range root.child("clusternodes").named("clusternode") {
		name, _ := e.Attr("name")
		switch {
		case name == "":
			c.add(Fatal, e, "cman does not start with it", "<clusternode> has no name")
		case nodes[strings.ToLower(name)]:
			c.add(Fatal, e, "names of members are compared without their case", "the node %q stands twice", name)
		}
		nodes[strings.ToLower(name)] = true
	}
}

func (c *checker) domains() {
	const drops = "the manager ignores it and all behind it"
	members := c.d.Nodes()
	names := map[string]bool{}
	for _, e := range c.d.domainElements() {
		name, _ := e.Attr("name")
		if name == "" {
			c.add(Fatal, e, drops, "<failoverdomain> has no name")
		} else if names[strings.ToLower(name)] {
			c.add(Fatal, e, drops, "the failover domain %q stands twice", name)
		}
		names[strings.ToLower(name)] = true
		for _, a := range []string{"ordered", "restricted", "nofailback"} {
			if v, ok := e.Attr(a); ok && v != "0" && v != "1" {
				c.add(Warning, e, "it is read as a number: write 1 or 0", "%s=%q means %v", a, v, isOn(e, a))
			}
		}
		in := map[string]bool{}
		for _, m := range e.named("failoverdomainnode") {
			node, _ := m.Attr("name")
			if node == "" {
				c.add(Fatal, m, drops, "<failoverdomainnode> has no name")
			} else if in[strings.ToLower(node)] {
				c.add(Fatal, m, drops, "the node %q stands twice in the domain %q", node, name)
			} else if !slices.ContainsFunc(members, func(n Node) bool { return n.Name == node }) {
				c.add(Warning, m, "the manager compares the name letter by letter", "the node %q of the domain %q is no node of the cluster", node, name)
			}
			in[strings.ToLower(node)] = true
			if p, ok := m.Attr("priority"); ok && isOn(e, "ordered") && (atoi(p) < 1 || atoi(p) > 100) {
				c.add(Warning, m, "1 to 100 is valid, all else is read as 0 and preferred to 1", "priority=%q", p)
			}
		}
	}
}

// define checks an element of <resources>.
func (c *checker) define(e Element) {
	t, known := c.rules.find(e.Tag())
	if !known {
		return
	}
	if c.complete(e, t) {
		c.unique(e, t)
		name, _ := e.Attr(t.Primary)
		c.refs[[2]string{strings.ToLower(e.Tag()), name}] = true
	}
}

// group checks an element directly below <rm> and all within it.
func (c *checker) group(e Element) {
	if _, known := c.rules.find(e.Tag()); !known {
		c.add(Warning, e, "the manager passes over types that no agent defines", "the type <%s> is not known here", e.Tag())
	}
	if v, ok := e.Attr("autostart"); ok && v != "0" && v != "1" && v != "no" {
		c.add(Warning, e, "it is read as a number: write 1 or 0", "autostart=%q means %v", v, atoi(v) != 0)
	}
	if name, ok := e.Attr("domain"); ok && name != "" {
		if _, found := c.d.Domain(name); !found {
			c.add(Warning, e, "the manager then lets it run on every node", "the failover domain %q does not exist", name)
		}
	}
	c.resource(e)
}

func (c *checker) resource(e Element) {
	if t, known := c.rules.find(e.Tag()); known {
		if ref, ok := e.Attr("ref"); ok {
			if !c.refs[[2]string{strings.ToLower(e.Tag()), ref}] {
				c.add(Fatal, e, "the manager leaves it out of its service", "<%s ref=%q> names nothing in <resources>", e.Tag(), ref)
			}
		} else if c.complete(e, t) {
			c.unique(e, t)
		}
	}
	for _, child := range e.Children() {
		if child.Tag() != "action" {
			c.resource(child)
		}
	}
}

// complete reports the attributes without which the manager ends its list of siblings.
func (c *checker) complete(e Element, t Type) bool {
	ok := true
	need := t.Required
	if t.Primary != "" && !slices.Contains(need, t.Primary) {
		need = append([]string{t.Primary}, need...)
	}
	for _, a := range need {
		if v, has := e.Attr(a); !has || v == "" && a == t.Primary {
			c.add(Fatal, e, "the manager would drop it and everything behind it, and STOP what it dropped", "<%s> has no %s", e.Tag(), a)
			ok = false
		}
	}
	return ok
}

func (c *checker) unique(e Element, t Type) {
	for _, a := range append([]string{t.Primary}, t.Unique...) {
		v, ok := e.Attr(a)
		if !ok || a == "" {
			continue
		}
		key := [3]string{strings.ToLower(e.Tag()), a, v}
		line, _ := e.Position()
		if first, again := c.seen[key]; again {
			c.add(Fatal, e, "the manager keeps the first and drops this one", "<%s %s=%q> stands in line %d already", e.Tag(), a, v, first)
		} else {
			c.seen[key] = line
		}
		if a == t.Primary {
			c.name(e, v)
		}
	}
}

func (c *checker) name(e Element, v string) {
	if strings.ContainsAny(v, `&<"`) {
		c.add(Warning, e, "clustat and ccs_config_dump print it unescaped", "the name %q holds one of & < \"", v)
	}
	if n := len(e.Tag()) + 1 + len(v); n > 63 {
		c.add(Warning, e, "the manager keeps 63 bytes of TYPE:NAME", "%s:%s has %d bytes", e.Tag(), v, n)
	}
}
