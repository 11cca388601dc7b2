package ccs

// store hands out what a scan keeps, in pieces that grow: a big file costs some dozen allocations instead of
// one for each element, attribute and name.
type store struct {
	nodes []node
	attrs []attr
	kids  []*node // children of all open elements
	marks []int   // where in kids those of each open element begin
	lists []*node // finished lists of children
	names [256]string
}

const smallestPiece, largestPiece = 64, 4096

// nextPiece is the size of the piece that follows one of size n.
func nextPiece(n int) int { return min(max(2*n, smallestPiece), largestPiece) }

func (s *store) newNode() *node {
	if len(s.nodes) == cap(s.nodes) {
		s.nodes = make([]node, 0, nextPiece(cap(s.nodes)))
	}
	s.nodes = append(s.nodes, node{})
	return &s.nodes[len(s.nodes)-1]
}

// roomForAttr makes room for one more attribute of the tag whose attributes begin at mark, and gives mark anew: the
// next piece begins with those of this tag.
func (s *store) roomForAttr(mark int) int {
	if len(s.attrs) < cap(s.attrs) {
		return mark
	}
	n := len(s.attrs) - mark
	s.attrs = append(make([]attr, 0, max(nextPiece(cap(s.attrs)), 2*n)), s.attrs[mark:]...)
	return 0
}

// endAttrs gives the attributes that were put in since mark. Nobody can append to them.
func (s *store) endAttrs(mark int) []attr {
	if mark == len(s.attrs) {
		return nil
	}
	return s.attrs[mark:len(s.attrs):len(s.attrs)]
}

// endKids gives the children of the element that ends.
func (s *store) endKids() []*node {
	mark := s.marks[len(s.marks)-1]
	s.marks = s.marks[:len(s.marks)-1]
	n := len(s.kids) - mark
	if n == 0 {
		return nil
	}
	if cap(s.lists)-len(s.lists) < n {
		s.lists = make([]*node, 0, max(n, nextPiece(cap(s.lists))))
	}
	at := len(s.lists)
	s.lists = append(s.lists, s.kids[mark:]...)
	s.kids = s.kids[:mark]
	return s.lists[at : at+n : at+n]
}

// intern gives the name as a string. Of the few names that a document has each is made once, most times.
func (s *store) intern(name []byte) string {
	hash := uint32(len(name))
	for _, b := range name {
		hash = hash*31 + uint32(b)
	}
	slot := &s.names[hash%uint32(len(s.names))]
	if *slot != string(name) {
		*slot = string(name)
	}
	return *slot
}
