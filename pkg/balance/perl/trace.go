package perl

import "strings"

// The bounds of a trace: the text of one step, and the steps.
const (
	maxTraceText  = 200
	maxTraceSteps = 10_000
)

// trace adds a step.
func (m *machine) trace(kind StepKind, n *node, operands []string, text, result string) {
	m.step(1)
	t := m.opt.Trace
	if len(t.Steps) >= maxTraceSteps {
		t.Dropped++
		return
	}
	p, end := m.prog.src.position(n.off), m.prog.src.position(n.end)
	for i, o := range operands {
		operands[i] = shorten(o)
	}
	t.Steps = append(t.Steps, Step{Kind: kind, Line: p.Line, Col: p.Col, EndLine: end.Line, EndCol: end.Col,
		Source: shorten(m.written(n)), Operands: operands, Text: shorten(text), Result: shorten(result)})
}

// written is a piece of the source in one line.
func (m *machine) written(n *node) string {
	return strings.Join(strings.Fields(m.prog.src.text[n.off:min(n.end, len(m.prog.src.text))]), " ")
}

func shorten(s string) string {
	if len(s) > maxTraceText {
		return s[:maxTraceText] + "..."
	}
	return s
}

// show writes a value as a literal.
func show(v Value) string {
	switch v.k {
	case kUndef:
		return "undef"
	case kPV:
		return "'" + v.p.(string) + "'"
	case kNo:
		return "''"
	}
	return v.str()
}

// literal is how a trace shows an operand: numbers bare, all else in quotes.
func literal(v Value) string {
	if v.IsNumber() {
		return v.str()
	}
	return show(v)
}

// sideText shows what was compared; a plain number stays as its author wrote it: 0.70.
func (m *machine) sideText(n *node, v Value) string {
	if !n.isConst() || !v.IsNumber() {
		return literal(v)
	}
	text := m.written(n)
	if x, whole := grok(text); !whole || x.str() != v.str() { // 0x10, 1_000, 010, '5'
		return literal(v)
	}
	return text
}

func (m *machine) traceCompare(n *node, a, b Value, result string) {
	left, right := m.sideText(n.kids[0], a), m.sideText(n.kids[1], b)
	m.trace(Compared, n, []string{left, right}, left+" "+n.name+" "+right, result)
}

// matchTracer gives what adds the step of a match; nil without a trace.
func (c *compiler) matchTracer(n *node) func(m *machine, subject Value, ok bool) {
	if !c.tracing {
		return nil
	}
	op := " =~ "
	if n.not {
		op = " !~ "
	}
	pattern := c.p.src[n.regex.pattern.off:n.regex.pattern.end]
	return func(m *machine, subject Value, ok bool) {
		left := show(subject)
		m.trace(Matched, n, []string{left, pattern}, left+op+pattern, truthText(ok))
	}
}

// tracedLogic compiles a logical operator whose truth is asked for, or gives nil for another node.
func (c *compiler) tracedLogic(n *node) condFn {
	switch n.kind {
	case nAnd, nOr:
		a, b, and := c.cond(n.kids[0]), c.cond(n.kids[1]), n.kind == nAnd
		return func(m *machine) bool {
			x := a(m)
			if x != and {
				m.traceLogic(n, x, truthText(x), "")
				return x
			}
			y := b(m)
			m.traceLogic(n, y, truthText(x), truthText(y))
			return y
		}
	case nNot:
		f := c.cond(n.kids[0])
		return func(m *machine) bool {
			x := f(m)
			m.trace(Decided, n, []string{truthText(x)}, "not "+truthText(x), truthText(!x))
			return !x
		}
	case nXor:
		sides := c.bothSides(n)
		return func(m *machine) bool {
			x, y := sides(m)
			m.traceLogic(n, x != y, truthText(x), truthText(y))
			return x != y
		}
	}
	return nil
}

// traceLogic adds the step of an operator with two sides; the right one is empty where nobody looked at it.
func (m *machine) traceLogic(n *node, result bool, left, right string) {
	m.traceValue(n, truthText(result), left, right)
}

func (m *machine) traceValue(n *node, result, left, right string) {
	operands := []string{left, right}
	if right == "" {
		operands, right = operands[:1], "..."
	}
	m.trace(Decided, n, operands, left+" "+n.name+" "+right, result)
}

// tracedEither compiles && || and // whose value is asked for.
func (c *compiler) tracedEither(n *node) scalarFn {
	left, right, kind := c.scalar(n.kids[0]), c.scalar(n.kids[1]), n.kind
	showLeft, showRight := wording(n.kids[0]), wording(n.kids[1])
	return func(m *machine) Value {
		v := left(m)
		if !goesRight(kind, v) {
			m.traceValue(n, showLeft(v), showLeft(v), "")
			return v
		}
		w := right(m)
		m.traceValue(n, showRight(w), showLeft(v), showRight(w))
		return w
	}
}

// wording is how the value of n is shown: what can only be true or false in these words.
func wording(n *node) func(Value) string {
	n = bare(n)
	truth := false
	switch n.kind {
	case nBinary:
		truth = comparison(n.name) != nil
	case nChain, nNot, nXor:
		truth = true
	case nMatch:
		truth = n.name != "qr"
	case nAnd, nOr:
		a, b := wording(n.kids[0]), wording(n.kids[1])
		truth = a(valYes) == "true" && b(valYes) == "true"
	}
	if truth {
		return func(v Value) string { return truthText(v.Bool()) }
	}
	return literal
}

// traceCall records a host call: the arguments as values, or as written where they are calls themselves.
func (m *machine) traceCall(n *node, name string, c *Call) {
	var args []string
	if len(c.args) > 3 || len(n.kids) == 1 && n.kids[0].kind != nConst {
		for _, k := range n.kids {
			args = append(args, m.written(k))
		}
	} else {
		for _, a := range c.args {
			args = append(args, show(a))
		}
	}
	var ret []string
	for i, v := range c.ret {
		if i == 20 {
			ret = append(ret, "...")
			break
		}
		ret = append(ret, v.str())
	}
	m.trace(Called, n, args, name+"("+strings.Join(args, ", ")+")", strings.Join(ret, " "))
}
