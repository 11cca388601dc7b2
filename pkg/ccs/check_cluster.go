package ccs

import (
	"bytes"
	"slices"
	"strings"
)

// maxDatagram is what one UDP datagram carries: RHEL 5's ccsd hands the whole file to a joining node in one.
const maxDatagram = 65507

// carried looks for values that RHEL 6 cannot carry. It does not show them: one may be a password.
func (c *checker) carried() {
	if !slices.Contains(c.on, RHEL6) {
		return
	}
	for _, n := range c.d.all {
		for _, a := range n.attrs {
			raw := c.d.src[a.value.start:a.value.end]
			if !bytes.ContainsAny(raw, `&<"`) { // escaped or not, it shows
				continue
			}
			t := c.of(n.tag)
			if named := t != nil && t.Primary() == a.name || n.tag == "clusternode" && a.name == "name"; named {
				continue // that is told on every release
			}
			if v := decodeValue(raw, c.d.latin1); strings.ContainsAny(v, `&<"`) {
				c.add(Warning, Element{c.d, n}, "RHEL 6 hands it on unescaped: ccs_config_dump and the validation of cman_tool version -r break", "%s of <%s> holds one of & < \"", a.name, n.tag)
			}
		}
	}
}

func (c *checker) file() {
	if n := len(c.d.src); n > maxDatagram && slices.Contains(c.on, RHEL5) {
		c.add(Warning, c.d.Root(), "ccsd hands it to joining nodes in one datagram of at most 65507 bytes, so they could not join", "the file has %d bytes", n)
	}
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
			c.add(doubled(tag), all[1], "the cluster's programs mix what stands in both", "<%s> stands more than once", tag)
		}
	}
	if rm := c.d.rm(); !rm.IsZero() {
		for _, tag := range []string{"resources", "failoverdomains"} {
			if all := rm.named(tag); len(all) > 1 {
				c.add(doubled(tag), all[1], "the manager counts what stands in both together, and drops some of it", "<%s> stands more than once", tag)
			}
		}
	}
}

// doubled is how grave a second element is: what rgmanager makes of a second <rm> or <resources> nobody foresees.
func doubled(tag string) Severity {
	if tag == "rm" || tag == "resources" {
		return Fatal
	}
	return Warning
}

func (c *checker) nodes() {
	names := map[string]bool{}
	ids := map[int]string{}
	for _, e := range c.d.Root().child("clusternodes").named("clusternode") {
		name, _ := e.Attr("name")
		switch {
		case name == "":
			c.add(Fatal, e, "cman does not start with it", "<clusternode> has no name")
		case names[strings.ToLower(name)]:
			c.add(Fatal, e, "names of members are compared without their case", "the node %q stands twice", name)
		default:
			c.text(e, "node", name)
		}
		names[strings.ToLower(name)] = true
		if text, ok := e.Attr("nodeid"); ok {
			id := atoi(text)
			if id <= 0 || strings.Trim(text, "0123456789") != "" {
				c.add(Warning, e, "the id is a whole number from 1 on", "nodeid=%q of the node %q is no id", text, name)
			} else if first, again := ids[id]; again {
				c.add(Fatal, e, "the second of them cannot join", "nodeid=%q of the node %q is that of %q already", text, name, first)
			} else {
				ids[id] = name
			}
		}
		if text, ok := e.Attr("votes"); ok && (text == "" || strings.Trim(text, "0123456789") != "") {
			c.add(Warning, e, "the quorum is counted with it", "votes=%q of the node %q is no number", text, name)
		}
	}
	c.votes(len(names))
}

// votes looks at the two-node mode, in which one vote is a quorum.
func (c *checker) votes(nodes int) {
	cman := c.d.Root().child("cman")
	if cman.IsZero() {
		return
	}
	two, _ := cman.Attr("two_node") // missing is no
	expected, given := cman.Attr("expected_votes")
	switch {
	case atoi(two) == 0:
	case nodes != 2:
		c.add(Warning, cman, "cman wants exactly two nodes with one vote each then", "two_node=%q in a cluster of %d nodes", two, nodes)
	case !given || atoi(expected) != 1:
		c.add(Warning, cman, "cman wants two nodes with one vote each and expected_votes=\"1\" then", "two_node=%q without expected_votes=\"1\"", two)
	}
}

// fencing looks whether the devices that nodes name exist.
func (c *checker) fencing() {
	devices := map[string]bool{}
	for _, e := range c.d.Root().child("fencedevices").named("fencedevice") {
		name, _ := e.Attr("name")
		if name != "" && devices[name] {
			c.add(Warning, e, "a node that names it can mean only one", "the fence device %q stands twice", name)
		}
		devices[name] = true
	}
	for _, n := range c.d.Root().child("clusternodes").named("clusternode") {
		for _, m := range n.child("fence").named("method") {
			for _, e := range m.named("device") {
				if name, _ := e.Attr("name"); !devices[name] {
					c.add(Warning, e, "fencing by it fails, and what ran on a dead node starts nowhere", "the fence device %q is not in <fencedevices>", name)
				}
			}
		}
	}
}

func (c *checker) domains() {
	const drops = "the manager ignores it and all behind it"
	members := map[string]bool{}
	folded := map[string]string{}
	for _, n := range c.d.Nodes() {
		members[n.Name] = true
		folded[strings.ToLower(n.Name)] = n.Name
	}
	for _, e := range c.d.domainElements() {
		name, _ := e.Attr("name")
		if name == "" {
			c.add(Fatal, e, drops, "<failoverdomain> has no name")
		} else if c.domainNames[strings.ToLower(name)] {
			c.add(Fatal, e, drops, "the failover domain %q stands twice", name)
		}
		c.domainNames[strings.ToLower(name)] = true
		flags := true
		for _, a := range []string{"ordered", "restricted", "nofailback"} {
			if v, ok := e.Attr(a); ok && v != "0" && v != "1" {
				c.add(Warning, e, "it is read as a number: write 1 or 0", "%s=%q means %v", a, v, isOn(e, a))
				flags = false
			}
		}
		in := map[string]bool{}
		for _, m := range e.named("failoverdomainnode") {
			node, _ := m.Attr("name")
			low := strings.ToLower(node)
			if node == "" {
				c.add(Fatal, m, drops, "<failoverdomainnode> has no name")
			} else if in[low] {
				c.add(Fatal, m, drops, "the node %q stands twice in the domain %q", node, name)
			} else if other, ok := folded[low]; ok && !members[node] {
				c.add(Warning, m, "the manager compares the name letter by letter, and takes the node as one outside of the domain", "the node %q of the domain %q is written %q in <clusternodes>", node, name, other)
			} else if !members[node] {
				c.add(Warning, m, "the manager compares the name letter by letter", "the node %q of the domain %q is no node of the cluster", node, name)
			}
			in[low] = true
			p, ok := m.Attr("priority")
			switch on := isOn(e, "ordered"); {
			case ok && on && (atoi(p) < 1 || atoi(p) > 100):
				c.add(Warning, m, "1 to 100 is valid, all else is read as 0 and preferred to 1", "priority=%q", p)
			case !ok && on:
				c.add(Warning, m, "none is preferred to 1: the service goes there first", "the node %q of the ordered domain %q has no priority", node, name)
			case ok && !on && flags && p != "" && p != "0" && p != "1":
				c.add(Warning, m, "only a domain with ordered=\"1\" has an order", "priority=%q is not read: the domain %q is not ordered", p, name)
			}
		}
		if len(in) == 0 && isOn(e, "restricted") {
			c.add(Warning, e, "a service with it may run nowhere", "the failover domain %q is restricted and holds no node", name)
		}
	}
}

// manager looks at the attributes of <rm>.
func (c *checker) manager() {
	rm := c.d.rm()
	if rm.IsZero() {
		return
	}
	if v, ok := rm.Attr("status_poll_interval"); ok && atoi(v) < 1 {
		c.add(Warning, rm, "it is a number of seconds of at least 1; the manager goes on with 10", "status_poll_interval=%q", v)
	}
}

// schema looks at what RHEL 6's schema allows directly below <rm>.
func (c *checker) schema(rm Element) {
	if !slices.Contains(c.on, RHEL6) {
		return
	}
	counts := map[string]int{}
	for _, e := range rm.Children() {
		switch tag := e.Tag(); tag {
		case "service", "vm":
		case "failoverdomains", "events", "resources", "resource-defaults":
			if counts[tag]++; counts[tag] == 2 {
				c.add(Warning, e, "the schema of RHEL 6 refuses the file: cman_tool version -r says that it is not valid", "<%s> stands more than once", tag)
			}
		default:
			if counts[tag]++; counts[tag] == 1 {
				c.add(Warning, e, "the schema of RHEL 6 refuses the whole file (\"Extra element rm in interleave\"): only service and vm stand there; use <service>, or cman_tool version -r -D none", "<%s> stands directly below <rm>", tag)
			}
		}
	}
}
