package membership

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// node is a row of `cman_tool nodes`, with what -f adds below it.
type node struct {
	id          int
	member      bool
	incarnation string
	name        string
	fenced      bool // "Last fenced:"; it may speak of an earlier time
	owed        bool // "has not been fenced since it went down"
}

// affirms: away, and "Last fenced" without the sentence that it was before. cman_tool leaves that sentence out where
// the incarnation is 0, of a node that was never a member since cman started here: of that one it may speak of a time
// before it came back and left in order.
func (n node) affirms() bool { return !n.member && n.fenced && !n.owed && n.incarnation != "0" }

// parseNodes reads `cman_tool nodes [-f]`. Text before the header is passed over (the NOTE of disallowed nodes: their
// rows have a `d` and make the answer useless), and so is the row of a quorum disk.
func parseNodes(out []byte) ([]node, error) {
	bad := func(line string) error { return fmt.Errorf("%w: cman_tool nodes: %s", ErrAnswer, quoteStart(line)) }
	var nodes []node
	header, last := false, -1 // last: whose lines the indented ones are
	if len(out) > 0 && out[len(out)-1] != '\n' {
		return nil, bad(string(out)) // cut off
	}
	for _, line := range strings.Split(string(out), "\n") {
		w := strings.Fields(line)
		switch {
		case len(w) == 0:
		case !header:
			header = slices.Equal(w, []string{"Node", "Sts", "Inc", "Joined", "Name"})
		case strings.HasPrefix(line, "       ") && strings.Contains(line, "fenced"): // what -f adds
			if last < 0 {
				continue
			}
			switch {
			case strings.Contains(line, "has not been fenced"):
				nodes[last].owed = true
			case w[0] == "Last" && w[1] == "fenced:" && len(w) > 2:
				nodes[last].fenced = true
			default:
				return nil, bad(line)
			}
		case w[0] == "Addresses:":
		default:
			n, err := parseNode(w)
			if err != nil {
				return nil, bad(line)
			}
			last = -1
			if n.id != 0 {
				nodes, last = append(nodes, n), len(nodes)
			}
		}
	}
	if !header || len(nodes) == 0 {
		return nil, bad(string(out))
	}
	return nodes, nil
}

// parseNode reads `1   M   12   2008-01-10 12:00:00  node1`; who never joined has no time.
func parseNode(w []string) (node, error) {
	if len(w) != 4 && len(w) != 6 {
		return node{}, ErrAnswer
	}
	id, err := strconv.Atoi(w[0])
	if err != nil || id < 0 {
		return node{}, ErrAnswer
	}
	incarnation, err := strconv.ParseInt(w[2], 10, 64)
	if err != nil {
		return node{}, ErrAnswer
	}
	n := node{id: id, incarnation: strconv.FormatInt(incarnation, 10), name: w[len(w)-1]}
	switch w[1] {
	case "M":
		n.member = true
	case "X":
	default: // d: a part of the cluster that is split off and not yet killed
		return node{}, ErrAnswer
	}
	return n, nil
}

// checkStatus reads `cman_tool status`: nil if this node is a member of a quorate cluster.
func checkStatus(out []byte) error {
	quorate, member := false, false
	for _, line := range strings.Split(string(out), "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Quorum":
			number, rest, _ := strings.Cut(value, " ")
			if strings.TrimSpace(rest) == "Activity blocked" {
				return ErrInquorate
			}
			if n, err := strconv.Atoi(number); err != nil || n < 1 || strings.TrimSpace(rest) != "" {
				return fmt.Errorf("%w: cman_tool status: %s", ErrAnswer, quoteStart(line))
			}
			quorate = true
		case "Membership state":
			if value != "Cluster-Member" {
				return fmt.Errorf("%w: this node is %s", ErrInquorate, quoteStart(value))
			}
			member = true
		case "Cluster Member":
			if value != "Yes" {
				return fmt.Errorf("%w: this node is not a member", ErrInquorate)
			}
		}
	}
	if !quorate || !member {
		return fmt.Errorf("%w: cman_tool status: %s", ErrAnswer, quoteStart(string(out)))
	}
	return nil
}

// fencing is a row of `fence_tool ls -n`.
type fencing struct {
	member, victim bool
	how            string
}

// affirms: away, nothing owed, and somebody or something made sure. An agent fenced it, an administrator said so
// (override), or another program did (external). "member" is a node that came back by itself, "none" and "unknown"
// say nothing.
func (f fencing) affirms() bool {
	return !f.member && !f.victim && slices.Contains([]string{"agent", "override", "external"}, f.how)
}

// parseFenceLs reads the rows `nodeid 2 member 0 victim 0 last fence master 1 how agent` behind "all nodes".
func parseFenceLs(out []byte) (map[int]fencing, error) {
	all := map[int]fencing{}
	bad := func(line string) error { return fmt.Errorf("%w: fence_tool ls: %s", ErrAnswer, quoteStart(line)) }
	begun := false
	if len(out) > 0 && out[len(out)-1] != '\n' {
		return nil, bad(string(out)) // cut off
	}
	for _, line := range strings.Split(string(out), "\n") {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if !begun {
			begun = slices.Equal(w, []string{"all", "nodes"})
			continue
		}
		// nodeid 2 member 0 victim 0 last fence master 1 how agent
		if len(w) != 12 || w[0] != "nodeid" || w[2] != "member" || w[4] != "victim" || w[10] != "how" ||
			!slices.Equal(w[6:9], []string{"last", "fence", "master"}) {
			return nil, bad(line)
		}
		id, err := strconv.Atoi(w[1])
		if _, twice := all[id]; err != nil || twice {
			return nil, bad(line)
		}
		f := fencing{how: w[len(w)-1]}
		for _, flag := range []struct {
			word string
			to   *bool
		}{{w[3], &f.member}, {w[5], &f.victim}} {
			if flag.word != "0" && flag.word != "1" {
				return nil, bad(line)
			}
			*flag.to = flag.word == "1"
		}
		all[id] = f
	}
	if !begun {
		return nil, bad(string(out))
	}
	return all, nil
}

func quoteStart(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 160 {
		s = s[:160] + "..."
	}
	return strconv.Quote(s)
}
