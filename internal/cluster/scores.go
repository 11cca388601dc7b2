package cluster

import (
	"fmt"
	"strings"
)

// scores are what crm_simulate says how much a resource likes a node, by resource and node.
type scores map[[2]string]int

func (s scores) of(resource, node string) (int, bool) {
	n, ok := s[[2]string{resource, node}]
	return n, ok
}

// parseScores reads `crm_simulate -s`: lines such as "native_color: web allocation score on n1: 100" (Pacemaker 1.1 to 2.0.3;
// then pcmk__native_allocate, and since 2.1.5 pcmk__primitive_assign, with the same words). Groups have lines of their own
// under the names of their resources; those of the resource itself hold what its group and its neighbours add.
func parseScores(text string) (scores, error) {
	s := scores{}
	found := false
	for _, line := range strings.Split(text, "\n") {
		by, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "* "), ": ")
		if !ok || by != "native_color" && by != "native_assign_node" && !strings.HasSuffix(by, "native_allocate") && !strings.HasSuffix(by, "primitive_assign") {
			continue
		}
		resource, rest, ok := strings.Cut(rest, " allocation score on ")
		node, value, ok2 := strings.Cut(rest, ": ")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%w: %q", ErrAnswer, line)
		}
		s[[2]string{resource, node}] = score(strings.TrimSpace(value))
		found = true
	}
	if !found {
		return nil, fmt.Errorf("%w: no scores in %s", ErrAnswer, quoteStart(text))
	}
	return s, nil
}
