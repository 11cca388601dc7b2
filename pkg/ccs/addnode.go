package ccs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// NewNode is a member to be added.
type NewNode struct {
	Name  string
	ID    int    // 0: the next free one
	Votes int    // 0: the file says none, which is 1
	Fence []Attr // of the device of its one fence method; the first is its name. nil: none
}

// NextNodeID is the least nodeid above 0 that no member has.
func (d *Document) NextNodeID() int {
	var used []int
	for _, n := range d.Nodes() {
		used = append(used, n.ID)
	}
	id := 1
	for slices.Contains(used, id) {
		id++
	}
	return id
}

// AddNode gives the edits that add a member, and what the administrator must know besides. A cluster that ran in the
// mode for two nodes leaves it when the third comes: cman refuses two_node with more (reference: cman-preconfig.c).
func (d *Document) AddNode(n NewNode) ([]Edit, []string, error) {
	if err := checkMember(n.Name); err != nil {
		return nil, nil, err
	}
	parent := d.Root().child("clusternodes")
	if parent.IsZero() {
		return nil, nil, errors.New("the document has no <clusternodes>")
	}
	nodes := d.Nodes()
	for _, old := range nodes {
		if strings.EqualFold(old.Name, n.Name) {
			return nil, nil, fmt.Errorf("node %s is there already, in line %d", old.Name, old.Line)
		}
		if n.ID != 0 && old.ID == n.ID {
			return nil, nil, fmt.Errorf("nodeid %d belongs to %s, in line %d", n.ID, old.Name, old.Line)
		}
	}
	if n.ID == 0 {
		n.ID = d.NextNodeID()
	}
	if n.ID < 1 || n.Votes < 0 {
		return nil, nil, fmt.Errorf("nodeid %d with %d votes: both are above 0", n.ID, n.Votes)
	}
	warnings, fence := []string{}, []string(nil)
	if len(n.Fence) > 0 {
		name := n.Fence[0].Value
		if !slices.ContainsFunc(d.Root().child("fencedevices").Children(), func(e Element) bool { v, _ := e.Attr("name"); return v == name }) {
			return nil, nil, fmt.Errorf("there is no fence device %q", name)
		}
		fence = []string{Markup("fence", nil, Markup("method", []Attr{{"name", "1"}}, Markup("device", n.Fence)))}
	} else {
		warnings = append(warnings, n.Name+" has no fence device: while it cannot be fenced, no service of it is started elsewhere when it dies")
	}
	attrs := []Attr{{"name", n.Name}, {"nodeid", strconv.Itoa(n.ID)}}
	if n.Votes > 0 {
		attrs = append(attrs, Attr{"votes", strconv.Itoa(n.Votes)})
	}
	edits := []Edit{Insert{At: parent, Where: Into, XML: Markup("clusternode", attrs, fence...)}}
	votes := max(n.Votes, 1)
	for _, old := range nodes {
		votes += old.Votes
	}
	more, told := d.expect(len(nodes)+1, votes)
	return append(edits, more...), append(warnings, told...), nil
}

// DelNode gives the edits that remove a member and its places in failover domains, and what the administrator must
// know besides.
func (d *Document) DelNode(name string) ([]Edit, []string, error) {
	var edits []Edit
	var warnings []string
	votes, left := 0, 0
	for _, e := range d.Root().child("clusternodes").named("clusternode") {
		if v, _ := e.Attr("name"); v == name {
			edits = append(edits, RemoveElement{e})
			continue
		}
		left++
		if v, ok := e.Attr("votes"); ok {
			votes += atoi(v)
		} else {
			votes++
		}
	}
	if len(edits) == 0 {
		return nil, nil, fmt.Errorf("there is no node %q", name)
	}
	for _, domain := range d.rm().child("failoverdomains").named("failoverdomain") {
		in := domain.named("failoverdomainnode")
		for _, e := range in {
			v, _ := e.Attr("name")
			if !strings.EqualFold(v, name) {
				continue
			}
			edits = append(edits, RemoveElement{e})
			if label, _ := domain.Attr("name"); len(in) == 1 {
				warnings = append(warnings, fmt.Sprintf("failover domain %s is empty then: if it is restricted, its services run nowhere", label))
			}
		}
	}
	more, told := d.expect(left, votes)
	return append(edits, more...), append(warnings, told...), nil
}

// expect adapts two_node and expected_votes to a number of nodes.
func (d *Document) expect(nodes, votes int) (edits []Edit, warnings []string) {
	cman := d.Root().child("cman")
	two, expected, has := "", "", false
	if !cman.IsZero() {
		two, _ = cman.Attr("two_node")
		expected, has = cman.Attr("expected_votes")
	}
	switch {
	case atoi(two) != 0 && nodes != 2:
		edits = append(edits, SetAttr{cman, "two_node", "0"})
		if has {
			edits = append(edits, SetAttr{cman, "expected_votes", strconv.Itoa(votes)})
		}
		warnings = append(warnings, fmt.Sprintf("two_node is turned off, since there are %d nodes then: cman takes that up only when it is restarted on every node", nodes))
	case atoi(two) == 0 && nodes == 2:
		warnings = append(warnings, `with two nodes the cluster loses its quorum when one dies, unless <cman two_node="1" expected_votes="1"/> or a quorum disk is set`)
		fallthrough
	default:
		if has && atoi(expected) != votes && atoi(two) == 0 {
			warnings = append(warnings, fmt.Sprintf("expected_votes says %s and the nodes have %d: set it, or remove it so that cman counts", expected, votes))
		}
	}
	return edits, warnings
}

func checkMember(name string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") != "" || name[0] == '-' || name[0] == '.' {
		return fmt.Errorf("%q cannot be the name of a node", name)
	}
	return nil
}
