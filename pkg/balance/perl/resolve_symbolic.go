package perl

// textUse is what is known of a scalar from where it was first set to a text: refused is only what is certain.
type textUse struct {
	uses, plain int // all uses; those that are an assigned text or a dereference
	at          *node
}

// use counts a use of a scalar variable.
func (r *resolver) use(n *node) {
	if r.texts == nil || n.sigil != '$' {
		return
	}
	if u := r.texts[textKey(n)]; u != nil {
		u.uses++
	}
}

func textKey(n *node) any {
	if n.sym == nil {
		return n.slot
	}
	return n.sym
}

// assignsText notes $x = 'text', behind which $x refers to nothing.
func (r *resolver) assignsText(n *node) {
	left, right := n.kids[0], bare(n.kids[1])
	if n.name != "=" || right.kind != nInterp && (right.kind != nConst || right.val.k != kPV) {
		return
	}
	declared := left.kind == nMy && !left.paren
	if declared {
		left = left.kids[0]
	}
	if left.kind != nVar || left.sigil != '$' {
		return
	}
	u := r.texts[textKey(left)]
	if u == nil {
		if !declared && n != r.top { // it may come behind another value
			return
		}
		if r.texts == nil {
			r.texts = map[any]*textUse{}
		}
		r.texts[textKey(left)] = new(textUse)
		return
	}
	u.plain++
}

// dereferences notes @$x, $x->[0], &$x and their kin.
func (r *resolver) dereferences(n *node) {
	if x := n.kids[0]; x.kind == nVar && x.sigil == '$' {
		if u := r.texts[textKey(x)]; u != nil {
			u.plain++
			if u.at == nil {
				u.at = n
			}
		}
	}
}

// symbolic refuses references by name where a variable holds nothing but texts.
func (r *resolver) symbolic() {
	for _, u := range r.texts {
		if u.at != nil && u.uses == u.plain {
			hint := "the variable holds a text: write the variable or hash that is meant, or a reference \\@name"
			if u.at.kind == nDynCall {
				hint = "the variable holds a text: write the function itself, or take a reference to it: \\&name"
			}
			r.p.refuse(u.at.off, "a symbolic reference", hint)
		}
	}
}
