package perl

// leavesLoop tells whether a next or last below n is meant for a loop outside of it.
func leavesLoop(n *node, labels []string, inLoop bool) (out bool) {
	switch n.kind {
	case nNext, nLast:
		return n.name == "" && !inLoop || n.name != "" && !contains(labels, n.name)
	case nAnonSub, nSub:
		return false
	case nWhile, nFor, nForeach:
		labels, inLoop = append(labels[:len(labels):len(labels)], n.name), true
	}
	n.each(func(k *node) {
		if n.kind == nBlock && k.kind == nBlock { // a bare block
			out = out || leavesLoop(k, append(labels[:len(labels):len(labels)], k.name), true)
			return
		}
		out = out || leavesLoop(k, labels, inLoop)
	})
	return out
}

// spread tells whether the number of arguments is known only at run time.
func spread(n *node) bool {
	if n.post && n.sigil == '&' {
		return true
	}
	for _, k := range n.kids {
		switch k.kind {
		case nConst, nInterp, nIndex, nKey, nCapture, nBinary, nNot, nWord, nArrayLen:
		case nVar, nDeref:
			if k.sigil != '$' {
				return true
			}
		default:
			return true
		}
	}
	return false
}
