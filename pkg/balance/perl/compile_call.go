package perl

import (
	"slices"
	"strings"
)

// callForms are the two ways to run a call. Of a host function only the one for the context that was asked for is there.
type callForms struct {
	scalar scalarFn
	list   listFn
}

// call compiles the call of a host function or of a named sub.
func (c *compiler) call(n *node, want Want) callForms {
	if p, ok := c.named[n.name]; ok {
		c.mayLeave()
		args, at, i := c.aliasArgs(n), c.at(n), p.index
		return c.invocation(c.handsOut(n.kids, func(m *machine) {
			base := len(m.ptrs)
			args(m)
			m.invoke(m.codes[i], base, want, at)
		}))
	}
	i, ok := c.p.host(n.name)
	if !ok { // the resolver has complained already
		return c.invocation(func(*machine) {})
	}
	return c.hostCall(n, i, want)
}

// handsOut lets a call have elements that do not exist as arguments: one that the sub gives a value is made.
func (c *compiler) handsOut(args []*node, call func(*machine)) func(*machine) {
	elements := false
	for _, k := range args {
		elements = elements || k.kind == nIndex || k.kind == nKey
	}
	if !elements {
		return call
	}
	return func(m *machine) {
		base := len(m.loans)
		call(m)
		for _, l := range m.loans[base:] {
			l.settle(m)
		}
		m.loans = m.loans[:base]
	}
}

// loan is an element that did not exist when it was handed to a sub.
type loan struct {
	cell *Value
	arr  *array
	i    int64
	hash *hash
	key  string
}

func (l loan) settle(m *machine) {
	switch {
	case l.cell.k == kUndef:
	case l.hash != nil:
		*m.entry(l.hash, l.key) = *l.cell
	case l.i >= 0:
		*m.cell(l.arr, l.i, site{}) = *l.cell
	}
}

// lentElement is an element as an argument.
func (c *compiler) lentElement(n *node) listFn {
	if n.kind == nIndex {
		arr, idx := c.arrayToRead(n.kids[0]), c.scalar(n.kids[1])
		return func(m *machine) {
			a, i := arr(m), idx(m).iv()
			if j := a.index(i); j >= 0 && a.v[j] != nil {
				m.ptrs = append(m.ptrs, a.v[j])
				return
			}
			cell := m.newCell(Value{})
			m.loans = append(m.loans, loan{cell: cell, arr: a, i: i})
			m.ptrs = append(m.ptrs, cell)
		}
	}
	h, key := c.hashToRead(n.kids[0]), c.keyOf(n.kids[1])
	return func(m *machine) {
		x, k := h(m), key(m)
		cell := x.get(k)
		if cell == nil {
			cell = m.newCell(Value{})
			m.loans = append(m.loans, loan{cell: cell, hash: x, key: k})
		}
		m.ptrs = append(m.ptrs, cell)
	}
}

// mayLeave notes that a call may end a loop that it stands in.
func (c *compiler) mayLeave() {
	if c.r.leaves {
		c.jumps++
	}
}

// invocation makes both forms of a call that leaves its result in retv and rets.
func (c *compiler) invocation(run func(*machine)) callForms {
	return callForms{
		scalar: func(m *machine) Value {
			run(m)
			return m.retv
		},
		list: func(m *machine) {
			run(m)
			m.room(len(m.rets))
			m.stack = append(m.stack, m.rets...)
		},
	}
}

// aliasArgs are the arguments as @_ sees them.
func (c *compiler) aliasArgs(n *node) listFn {
	if n.post {
		return func(m *machine) { m.ptrs = append(m.ptrs, m.f.args.v...) }
	}
	fns := make([]listFn, len(n.kids))
	for i, k := range n.kids {
		if k.kind == nIndex || k.kind == nKey {
			fns[i] = c.lentElement(k)
		} else {
			fns[i] = c.lend(k, lendArgs)
		}
	}
	if len(fns) == 1 {
		return fns[0]
	}
	all := func(m *machine) {
		for _, f := range fns {
			f(m)
		}
	}
	for i, k := range n.kids {
		if bare(k).kind == nArrayLen && slices.ContainsFunc(n.kids[i+1:], makes) {
			return c.lateLengths(n.kids, fns)
		}
	}
	return all
}

// lateLengths are arguments of which some are $#a: the sub finds the length as it is when all have been worked out.
func (c *compiler) lateLengths(kids []*node, fns []listFn) listFn {
	arrays := make([]arrayFn, len(kids))
	for i, k := range kids {
		if k = bare(k); k.kind == nArrayLen {
			arrays[i] = c.array(k.kids[0], true)
		}
	}
	return func(m *machine) {
		var lengths []*Value
		var of []*array
		for i, f := range fns {
			if arrays[i] == nil {
				f(m)
				continue
			}
			cell := m.newCell(Value{})
			m.ptrs, lengths, of = append(m.ptrs, cell), append(lengths, cell), append(of, arrays[i](m))
		}
		for i, cell := range lengths {
			*cell = Int(int64(len(of[i].v)) - 1)
		}
	}
}

func (c *compiler) hostCall(n *node, i int, want Want) callForms {
	args := c.items(n.kids)
	if n.post && n.sigil == '&' {
		args = func(m *machine) { m.pushArray(m.f.args) }
	}
	at := c.at(n)
	if !c.tracing {
		n = nil
	}
	if want == WantList {
		return callForms{list: func(m *machine) {
			base := len(m.stack)
			args(m)
			ret := m.host(i, base, WantList, at, n)
			m.room(len(ret))
			m.stack = append(m.stack, ret...)
		}}
	}
	return callForms{scalar: func(m *machine) Value {
		base := len(m.stack)
		args(m)
		ret := m.host(i, base, want, at, n)
		if len(ret) == 0 {
			return Value{}
		}
		return ret[len(ret)-1]
	}}
}

// host calls a host function with what lies on the stack above base.
func (m *machine) host(i, base int, want Want, at site, n *node) []Value {
	m.step(1)
	m.where = at.off
	k := &m.call
	k.args, k.ret, k.want, k.off = m.stack[base:], k.ret[:0], want, at.off
	f := &m.prog.funcs[i]
	if len(k.args) < f.Min || f.Max >= 0 && len(k.args) > f.Max {
		m.die(at, wrongCount(len(k.args) < f.Min)+" arguments for "+f.Name)
	}
	if err := f.Call(m.opt.Host, k); err != nil {
		panic(&dieError{String(strings.TrimRight(err.Error(), "\n") + "\n"), at.off, err})
	}
	if n != nil {
		m.traceCall(n, f.Name, k)
	}
	m.stack = m.stack[:base]
	return k.ret
}

func wrongCount(few bool) string {
	if few {
		return "Not enough"
	}
	return "Too many"
}

// invoke runs a sub with the aliases above base as its @_.
func (m *machine) invoke(k *code, base int, want Want, at site) {
	m.step(1)
	m.where = at.off
	if m.depth++; m.depth > m.maxDepth {
		m.exceed("depth", m.maxDepth)
	}
	if k.proto == nil {
		m.invokeHost(k, base, want, at)
		m.depth--
		return
	}
	p := k.proto
	if m.depth == 100 && at.warn {
		m.warnDeep(at, p.name)
	}
	if m.nest += p.height; m.nest > m.maxDepth*nestPerCall {
		m.exceed("depth", m.maxDepth)
	}
	if len(m.stack)+len(m.ptrs) > m.maxElements { // the lists of callers that are not complete
		m.exceed("elements", m.maxElements)
	}
	f := m.newFrame(p)
	f.want = want
	m.made((len(m.ptrs) - base) * slotBytes)
	f.args.v = append(f.args.v[:0], m.ptrs[base:]...)
	m.ptrs = m.ptrs[:base]
	k.enter(f)
	outer, match := m.f, m.match
	m.f = f
	m.retv, m.rets = Value{}, m.rets[:0]
	left := p.body(m)
	m.f = outer
	if p.matches {
		m.match = match
	}
	m.depth--
	m.nest -= p.height
	m.release(p, f)
	if left == ctlNext || left == ctlLast {
		if at.warn {
			m.warning(at, "Exiting subroutine via "+map[ctl]string{ctlNext: "next", ctlLast: "last"}[left])
		}
		panic(&jump{left})
	}
}

// enter puts the captured variables into a frame.
func (k *code) enter(f *frame) {
	var n [3]int
	for _, c := range k.proto.captures {
		switch c.kind {
		case 0:
			f.s[c.inner] = k.s[n[0]]
		case 1:
			f.a[c.inner] = k.a[n[1]]
		case 2:
			f.h[c.inner] = k.h[n[2]]
		}
		n[c.kind]++
	}
}

// bind makes a sub with the variables of the frame it is made in.
func (p *proto) bind(f *frame) *code {
	k := &code{proto: p}
	for _, c := range p.captures {
		switch c.kind {
		case 0:
			k.s = append(k.s, f.s[c.outer])
		case 1:
			k.a = append(k.a, f.a[c.outer])
		case 2:
			k.h = append(k.h, f.h[c.outer])
		}
	}
	return k
}

// bindSubs makes the named subs. One inside another sub sees a frame of its own there, as perl's "will not stay shared" does.
func (m *machine) bindSubs() {
	for _, p := range m.prog.named {
		if k := m.codes[p.index]; k != nil && len(p.captures) == 0 {
			continue
		}
		f := m.f
		if p.within != nil {
			f = m.newFrame(p.within)
		}
		m.codes[p.index] = p.bind(f)
	}
}

// invokeHost calls a host function through a reference to it.
func (m *machine) invokeHost(k *code, base int, want Want, at site) {
	from := len(m.stack)
	for _, p := range m.ptrs[base:] {
		m.stack = append(m.stack, *p)
	}
	m.ptrs = m.ptrs[:base]
	ret := m.host(k.host, from, want, at, nil)
	m.rets = append(m.rets[:0], ret...)
	m.retv = Value{}
	if len(ret) > 0 {
		m.retv = ret[len(ret)-1]
	}
}

// dynCall compiles $f->(...) and &$f(...).
func (c *compiler) dynCall(n *node, want Want) callForms {
	c.mayLeave()
	f, at := c.scalar(n.kids[0]), c.at(n)
	args := c.aliasArgs(&node{post: n.post, kids: n.kids[1:]})
	return c.invocation(c.handsOut(n.kids[1:], func(m *machine) {
		base := len(m.ptrs)
		args(m)
		m.invoke(m.codeOf(f(m), at), base, want, at)
	}))
}

func (m *machine) codeOf(v Value, at site) *code {
	if v.k == kCode {
		return v.p.(*code)
	}
	m.die(at, m.notRef(v, "a CODE"))
	return nil
}
