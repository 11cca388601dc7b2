package rgmanager

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// configuration is cluster.conf as the manager sees it.
type configuration struct {
	version uint64
	cluster string
	text    []byte
	doc     *ccs.Document
	nodes   []nodeConf
	rm      map[string]string
	domains map[string]ccs.Domain // by name, in lower case
	twoNode bool
}

type nodeConf struct {
	name      string
	id, votes int
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
	c := &configuration{cluster: d.ClusterName(), text: src, doc: d, rm: d.RM(), domains: map[string]ccs.Domain{}, twoNode: atoi(d.CMAN()["two_node"]) != 0}
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
		c.domains[strings.ToLower(dom.Name)] = dom
	}
	return c, nil
}

// score is the node's score for a group with that domain. online is who counts as a member.
func (c *configuration) score(domain, node string, online []string, started bool, owner string) int {
	return int(c.domains[strings.ToLower(domain)].Score(node, online, started, owner))
}
