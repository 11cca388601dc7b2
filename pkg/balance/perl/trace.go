package perl

import "strings"

// maxTraceText bounds the text of one step.
const maxTraceText = 200

func (m *machine) trace(n *node, text, result string) {
	p := m.prog.src.position(n.off)
	src := strings.Join(strings.Fields(m.prog.src.text[n.off:min(n.end, len(m.prog.src.text))]), " ")
	m.opt.Trace.Steps = append(m.opt.Trace.Steps, Step{Line: p.Line, Col: p.Col, Source: shorten(src), Text: shorten(text), Result: shorten(result)})
	m.step(1)
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

func (m *machine) traceCompare(n *node, a, b Value, result string) {
	left, right := a.str(), b.str()
	if !a.IsNumber() {
		left = show(a)
	}
	if !b.IsNumber() {
		right = show(b)
	}
	m.trace(n, left+" "+n.name+" "+right, result)
}

func (m *machine) traceMatch(n *node, s string, ok bool) {
	op := " =~ "
	if n.not {
		op = " !~ "
	}
	m.trace(n, show(String(s))+op+"/"+m.prog.src.text[n.regex.pattern.off:n.regex.pattern.end]+"/", truthText(ok))
}

// traceCall records a host call: the arguments as values, or as written where they are calls themselves.
func (m *machine) traceCall(n *node, name string, c *Call) {
	var args []string
	if len(c.args) > 3 || len(n.kids) == 1 && n.kids[0].kind != nConst {
		for _, k := range n.kids {
			args = append(args, strings.Join(strings.Fields(m.prog.src.text[k.off:k.end]), " "))
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
	m.trace(n, name+"("+strings.Join(args, ", ")+")", strings.Join(ret, " "))
}
