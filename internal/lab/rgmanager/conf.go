package rgmanager

import (
	"fmt"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// configuration is cluster.conf as the manager sees it.
type configuration struct {
	version uint64
	cluster string
	text    []byte
	nodes   []nodeConf
	groups  []element // below <rm>, references resolved
	rm      map[string]string
	domains map[string]ccs.Domain
	twoNode bool
}

type nodeConf struct {
	name      string
	id, votes int
}

// element is a resource as it stands in the file; <action> elements are among its children.
type element struct {
	typ      string
	attrs    map[string]string
	isRef    bool
	children []element
}

// Scores of a node for a group.
const (
	illegal = int(ccs.Illegal)
	good    = int(ccs.Good)
	best    = int(ccs.Best)
)

func parseConfiguration(name string, src []byte) (*configuration, error) {
	d, err := ccs.Parse(name, src)
	if err != nil {
		return nil, err
	}
	c := &configuration{cluster: d.ClusterName(), text: src, rm: d.RM(), domains: map[string]ccs.Domain{}}
	if c.version, err = d.Version(); err != nil {
		return nil, err
	}
	if c.cluster == "" {
		return nil, fmt.Errorf("%s: the cluster has no name", name)
	}
	for _, n := range d.Nodes() {
		c.nodes = append(c.nodes, nodeConf{n.Name, n.ID, n.Votes})
	}
	for _, dom := range d.Domains() {
		c.domains[dom.Name] = dom
	}
	var groups []ccs.Element
	for _, e := range d.Root().Children() {
		switch e.Tag() {
		case "cman":
			v, _ := e.Attr("two_node") // missing is off
			c.twoNode = atoi(v) != 0
		case "rm":
			groups = e.Children()
		}
	}
	services := d.Services()
	for _, e := range groups {
		if len(services) > 0 && lineOf(e) == services[0].Line && e.Tag() == services[0].Type {
			s := services[0]
			c.groups = append(c.groups, toElement(e, ccs.Resource{Type: s.Type, Name: s.Name, Attrs: s.Attrs, Children: s.Children}))
			services = services[1:]
		}
	}
	return c, nil
}

// toElement joins a resolved view with its element: the view leaves out the <action> elements.
func toElement(e ccs.Element, r ccs.Resource) element {
	out := element{typ: r.Type, attrs: r.Attrs, isRef: r.Ref != ""}
	rest := r.Children
	for _, c := range e.Children() {
		if c.Tag() == "action" {
			a := element{typ: "action", attrs: map[string]string{}}
			for _, x := range c.Attrs() {
				a.attrs[x.Name] = x.Value
			}
			out.children = append(out.children, a)
			continue
		}
		if len(rest) > 0 {
			out.children = append(out.children, toElement(c, rest[0]))
			rest = rest[1:]
		}
	}
	return out
}

func lineOf(e ccs.Element) int {
	line, _ := e.Position()
	return line
}

// score is the node's score for a group with that domain. online is who counts as a member.
func (c *configuration) score(domain, node string, online []string, started bool, owner string) int {
	return int(c.domains[domain].Score(node, online, started, owner))
}
