package perl

import "strings"

// use reads use and no statements: pragmas are honoured, two modules are built in.
func (p *parser) use(t token) {
	m := *p.peek(true)
	if m.kind == tNum || m.kind == tIdent && len(m.text) > 1 && m.text[0] == 'v' && isDigit(m.text[1]) {
		p.version(m)
		return
	}
	if m.kind != tIdent {
		p.syntax(&m, "use NAME;")
	}
	p.take()
	var args []string
	known := true
	if !p.isOp(true, ";") && !p.isOp(true, "}") && p.peek(true).kind != tEOF {
		args, known = p.constList(p.expr())
	}
	if !p.accept(false, ";") && !p.isOp(false, "}") && p.peek(false).kind != tEOF {
		p.syntax(p.peek(false), "a ; is missing")
	}
	if !known {
		if refused, hint := refusedModule(m.text); refused {
			p.refuse(m.off, "use "+m.text, hint)
		} else {
			p.err(m.off, "the list of use "+m.text+" must be made of plain words", "write use "+m.text+" qw(...);")
		}
		return
	}
	on := t.text == "use"
	switch m.text {
	case "strict":
		if len(args) == 0 || contains(args, "vars") {
			p.strict = on
		}
	case "warnings", "feature", "vars", "utf8", "bytes", "diagnostics":
		if m.text == "warnings" && (on || len(args) == 0) {
			p.warns = on
			p.warned = p.warned || on
		}
		if m.text == "utf8" {
			p.refuse(m.off, "use utf8", "strings are bytes")
		}
		if m.text == "vars" && on {
			for _, a := range args {
				p.imported(a, "our")
			}
		}
	case "List::Util", "POSIX", "Scalar::Util":
		if on {
			p.module(m, args)
		}
	default:
		_, hint := refusedModule(m.text)
		p.refuse(m.off, "use "+m.text, hint)
	}
}

// refusedModule tells whether a module or pragma is not built in, and what to write instead.
func refusedModule(name string) (refused bool, hint string) {
	switch name {
	case "strict", "warnings", "feature", "vars", "utf8", "bytes", "diagnostics", "List::Util", "POSIX", "Scalar::Util":
		return false, ""
	case "integer", "bigint", "bignum", "bigrat":
		return true, "use int() where a whole number is needed"
	case "constant":
		return true, "use a variable: my $limit = 0.70;"
	}
	return true, "only strict, warnings, feature, List::Util and POSIX are built in"
}

func (p *parser) imported(name, full string) {
	if p.imports == nil {
		p.imports = map[string]string{}
	}
	p.imports[name] = full
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// module imports functions of a built-in module.
func (p *parser) module(m token, names []string) {
	if m.text == "POSIX" && len(names) == 0 {
		names = []string{"floor", "ceil", "fmod", "strftime"}
	}
	for _, name := range names {
		full := m.text + "::" + name
		if strings.HasPrefix(name, ":") {
			continue
		}
		if builtinFor(full) == nil && blockFunction(full) == "" {
			p.refuse(m.off, full, "write a sub of your own for it")
			continue
		}
		if _, host := p.host(name); !host {
			p.imported(name, full)
		}
	}
}

// constList gives the strings of a constant list.
func (p *parser) constList(n *node) ([]string, bool) {
	switch n.kind {
	case nConst:
		return []string{n.val.str()}, true
	case nList:
		var all []string
		for _, k := range n.kids {
			s, ok := p.constList(k)
			if !ok {
				return nil, false
			}
			all = append(all, s...)
		}
		return all, true
	}
	return nil, false
}

// version reads the number of use VERSION; up to 5.36 is served.
func (p *parser) version(m token) {
	p.take()
	start := m.off
	for p.pos < p.end && (isDigit(p.src[p.pos]) || p.src[p.pos] == '.' || p.src[p.pos] == '_') {
		p.pos++
	}
	text := strings.TrimPrefix(p.src[start:p.pos], "v")
	parts := strings.Split(text, ".")
	major, _ := grok(parts[0])
	minor := int64(0)
	if len(parts) > 1 {
		s := strings.ReplaceAll(parts[1], "_", "")
		if len(parts) == 2 && p.src[start] != 'v' { // 5.010 is 5.10
			s = (s + "000")[:3]
		}
		v, _ := grok(s)
		minor = v.iv()
	}
	if major.iv() > 5 || major.iv() == 5 && minor > 36 {
		p.err(start, "Perl v"+text+" required--this is only v5.36", "")
	}
	if major.iv() == 5 && minor >= 12 {
		p.strict = true
	}
	if major.iv() == 5 && minor >= 35 {
		p.warns, p.warned = true, true
	}
	if !p.accept(false, ";") && !p.isOp(false, "}") && p.peek(false).kind != tEOF {
		p.syntax(p.peek(false), "a ; is missing")
	}
}
