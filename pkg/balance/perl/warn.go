package perl

import "strings"

// Under "use warnings" the operators are compiled with their checks; without it nothing of this is there.

// warning writes what perl would write, with its place.
func (m *machine) warning(at site, text string) {
	m.step(1)
	m.write(m.opt.Warn, m.located(text, at))
}

// namer gives the name of an operand as perl's warnings have it, with a blank behind it, or nothing.
type namer func(*machine) string

func (c *compiler) operandName(n *node) namer {
	n = bare(n)
	text := ""
	switch n.kind {
	case nVar:
		if n.sigil == '$' {
			text = "$" + strings.TrimPrefix(n.name, "::") + " "
		}
	case nMy:
		if len(n.kids) == 1 {
			return c.operandName(n.kids[0])
		}
	case nAssign:
		return c.operandName(n.kids[0])
	case nCapture:
		text = "$" + n.name + " "
	case nIndex, nKey:
		return c.elementName(n)
	}
	return func(*machine) string { return text }
}

// elementName names an element of a variable whose subscript is a constant or a variable.
func (c *compiler) elementName(n *node) namer {
	base, sub := n.kids[0], bare(n.kids[1])
	if base.kind != nVar || sub.kind != nConst && !sub.isVar('$') {
		return func(*machine) string { return "" }
	}
	name, index, array := "$"+base.name, c.scalar(sub), n.kind == nIndex
	return func(m *machine) string {
		v := index(m)
		if array {
			return name + "[" + Int(v.iv()).str() + "] "
		}
		return name + "{\"" + v.str() + "\"} "
	}
}

// operand checks a value that an operator uses, as a number or as a text.
func (m *machine) operand(at site, v Value, name namer, op string, number bool) {
	switch {
	case v.k == kUndef:
		m.warning(at, "Use of uninitialized value "+name(m)+"in "+op)
	case number && v.k == kPV && !v.IsNumber():
		if op == "array element" { // perl has two names for it
			op = "array or hash lookup"
		}
		m.warning(at, "Argument \""+printable(v.p.(string))+"\" isn't numeric in "+op)
	}
}

// printable shows a text as perl's warnings do.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if b.Len() >= 56 {
			return b.String() + "..."
		}
		ch := s[i]
		if ch >= 0x80 {
			b.WriteString("M-")
			ch &^= 0x80
		}
		switch {
		case ch == '\n':
			b.WriteString(`\n`)
		case ch == '\r':
			b.WriteString(`\r`)
		case ch == '\f':
			b.WriteString(`\f`)
		case ch == '\\':
			b.WriteString(`\\`)
		case ch == 0:
			b.WriteString(`\0`)
		case ch < ' ' || ch == 0x7f:
			b.WriteByte('^')
			b.WriteByte(ch ^ 0x40)
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// checked adds the check of one operand where warnings are on.
func (c *compiler) checked(n *node, f scalarFn, op string, number bool) scalarFn {
	if !c.warns {
		return f
	}
	at, name := c.at(n), c.operandName(n)
	return func(m *machine) Value {
		v := f(m)
		m.operand(at, v, name, op, number)
		return v
	}
}

// operatorName is what perl's warnings call a binary operator; number tells what its operands are; rightFirst, which it looks at first.
func operatorName(op string) (name string, number, rightFirst bool) {
	switch op {
	case "+":
		return "addition (+)", true, true
	case "-":
		return "subtraction (-)", true, true
	case "*":
		return "multiplication (*)", true, true
	case "/":
		return "division (/)", true, true
	case "%":
		return "modulus (%)", true, true
	case "**":
		return "exponentiation (**)", true, true
	case ".":
		return "concatenation (.) or string", false, false
	case "x":
		return "repeat (x)", false, true
	case "==":
		return "numeric eq (==)", true, true
	case "!=":
		return "numeric ne (!=)", true, true
	case "<":
		return "numeric lt (<)", true, true
	case ">":
		return "numeric gt (>)", true, true
	case "<=":
		return "numeric le (<=)", true, true
	case ">=":
		return "numeric ge (>=)", true, true
	case "<=>":
		return "numeric comparison (<=>)", true, true
	case "cmp":
		return "string comparison (cmp)", false, false
	case "&":
		return "bitwise and (&)", false, false
	case "|":
		return "bitwise or (|)", false, false
	case "^":
		return "bitwise xor (^)", false, false
	case "<<":
		return "left bitshift (<<)", true, true
	case ">>":
		return "right bitshift (>>)", true, true
	}
	return "string " + op, false, false
}

// binaryChecks gives the check of both operands of an operator.
func (c *compiler) binaryChecks(n *node) func(m *machine, a, b Value) {
	op := strings.TrimSuffix(n.name, "=")
	if n.kind == nBinary {
		op = n.name
	}
	what, number, rightFirst := operatorName(op)
	at, left, right := c.at(n), c.operandName(n.kids[0]), c.operandName(n.kids[1])
	bits := op == "&" || op == "|" || op == "^"
	return func(m *machine, a, b Value) {
		numA, numB := number, number
		if bits { // texts are operands of their own right, but not beside a number
			numA, numB = b.k != kPV, a.k != kPV
		}
		if op == "x" {
			numB = true
		}
		if rightFirst {
			m.operand(at, b, right, what, numB)
			m.operand(at, a, left, what, numA)
		} else {
			m.operand(at, a, left, what, numA)
			m.operand(at, b, right, what, numB)
		}
		if op == "x" && b.k != kUndef && b.iv() < 0 {
			m.warning(at, "Negative repeat count does nothing")
		}
	}
}

// warnedBinary compiles an operator or a comparison with its checks.
func (c *compiler) warnedBinary(n *node) scalarFn {
	l, r, check, at := c.scalar(n.kids[0]), c.scalar(n.kids[1]), c.binaryChecks(n), c.at(n)
	if test := comparison(n.name); test != nil {
		tracing := c.tracing
		return func(m *machine) Value {
			a := l(m)
			b := r(m)
			check(m, a, b)
			ok := test(a, b)
			if tracing {
				m.traceCompare(n, a, b, truthText(ok))
			}
			return Bool(ok)
		}
	}
	f := operator(n.name)
	return func(m *machine) Value {
		a := l(m)
		b := r(m)
		check(m, a, b)
		return f(m, at, a, b)
	}
}

// quietLeft tells whether an undefined left side of op= is what is meant: $count += 1.
func quietLeft(op string) bool {
	switch op {
	case "+", "-", ".", "|", "^":
		return true
	}
	return false
}

// checkedItems adds the check of undefined values to a list, such as print's.
func (c *compiler) checkedItems(n *node, kids []*node, list listFn, op string) listFn {
	if !c.warns {
		return list
	}
	at := c.at(n)
	var names []namer
	if !spread(&node{kids: kids}) {
		for _, k := range kids {
			names = append(names, c.operandName(k))
		}
	}
	nameless := func(*machine) string { return "" }
	return func(m *machine) {
		base := len(m.stack)
		list(m)
		for i := base; i < len(m.stack); i++ {
			name := namer(nameless)
			if i-base < len(names) {
				name = names[i-base]
			}
			m.operand(at, m.stack[i], name, op, false)
		}
	}
}

// argumentCheck tells how a built-in function's arguments are checked: number, text, or not at all.
func argumentCheck(name string) (op string, number, any bool) {
	switch name {
	case "abs", "int", "sqrt", "sin", "cos", "exp", "log", "chr", "atan2":
		return name, true, true
	case "lc", "uc", "lcfirst", "ucfirst", "quotemeta", "ord", "hex", "oct", "index", "rindex":
		return name, false, true
	case "join":
		return "join or string", false, true
	case "sprintf":
		return "sprintf", false, true
	}
	return "", false, false
}

func (m *machine) warnHash(at site, vals []Value, anon bool) {
	switch {
	case len(vals)%2 == 0:
	case anon:
		m.warning(at, "Odd number of elements in anonymous hash")
	case len(vals) == 1 && vals[0].isRef():
		m.warning(at, "Reference found where even-sized list expected")
	default:
		m.warning(at, "Odd number of elements in hash assignment")
	}
}

func (m *machine) warnDeep(at site, name string) {
	if name == "" {
		m.warning(at, "Deep recursion on anonymous subroutine")
		return
	}
	m.warning(at, "Deep recursion on subroutine \"main::"+name+"\"")
}
