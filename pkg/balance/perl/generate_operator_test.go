package perl

// operatorForms is the table of the operators and functions of one operand that the generator tries with all types.
func operatorForms() []operatorForm {
	var forms []operatorForm
	add := func(kind formKind, names ...string) {
		for _, n := range names {
			forms = append(forms, operatorForm{name: n, kind: kind})
		}
	}
	add(formBinary, "+", "-", "*", "/", "%", ".", "<<", ">>", "&", "|", "^",
		"<", ">", "<=", ">=", "==", "!=", "<=>", "lt", "gt", "le", "ge", "eq", "ne", "cmp", "xor")
	add(formAssign, "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "<<=", ">>=")
	add(formPrefix, "!", "not", "-", "~")
	add(formStep, "++x", "--x", "x++", "x--")
	add(formCond, "?:")
	add(formKey, "{}")
	add(formSet, "=")
	add(formLiteralMatch, "m//", "s///", "tr///")
	add(formCall, "abs", "int", "hex", "oct", "lc", "uc", "lcfirst", "ucfirst", "quotemeta", "length", "ord", "gmtime", "localtime")
	forms = append(forms,
		operatorForm{name: "&&", kind: formShort, value: filled, toRight: []operandType{typePrefix, typeText, typeUnsigned}},
		operatorForm{name: "and", kind: formShort, value: filled, toRight: []operandType{typePrefix, typeText, typeUnsigned}},
		operatorForm{name: "&&=", kind: formAssign, value: filled},
		operatorForm{name: "||", kind: formShort, value: untrue, toRight: []operandType{typeEmpty, typeUndef, typeFalse}},
		operatorForm{name: "or", kind: formShort, value: untrue, toRight: []operandType{typeEmpty, typeUndef, typeFalse}},
		operatorForm{name: "||=", kind: formAssign, value: untrue},
		operatorForm{name: "//", kind: formShort, toRight: []operandType{typeUndef}},
		operatorForm{name: "//=", kind: formAssign},
		operatorForm{name: "x", kind: formBinary, value: repeatCount, avoid: tooMuch},
		operatorForm{name: "(x)", kind: formBinary, text: "x", value: repeatCount, avoid: func(c cell) bool { return c.left != typeList || tooMuch(c) }},
		operatorForm{name: "x=", kind: formAssign, value: repeatCount, avoid: tooMuch},
		operatorForm{name: "..", kind: formRange, value: rangeEnd},
		operatorForm{name: "=~", kind: formMatch},
		operatorForm{name: "!~", kind: formMatch},
		operatorForm{name: "**", kind: formBinary, value: exponent},
		operatorForm{name: "**=", kind: formAssign, value: exponent},
		operatorForm{name: "[]", kind: formIndex, value: subscript},
		operatorForm{name: "chr", kind: formCall, value: oneByte},
	)
	for _, f := range []string{"sqrt", "sin", "cos", "exp", "log"} {
		forms = append(forms, operatorForm{name: f, kind: formCall, value: moderate})
	}
	for _, f := range []string{"%d", "%i", "%u", "%s", "%e", "%f", "%g", "%G", "%E", "%x", "%X", "%o", "%b", "%B", "%05d", "%+.3f", "%-6s|", "%.2s", "%v d"} {
		forms = append(forms, operatorForm{name: f, kind: formSprintf})
	}
	return forms
}

// tooMuch keeps 2**63 repetitions from texts of one byte and from lists: perl does not refuse them but ends for want of memory.
func tooMuch(c cell) bool {
	switch c.left {
	case typeText, typePrefix, typeEmpty, typeUndef, typeFalse, typeNotNum:
		return false
	}
	return c.right == typeUnsigned
}

// repeatCount keeps the right side of x small: perl kills itself where the memory does not suffice.
func repeatCount(g *generator, t operandType, right bool) string {
	if !right {
		if t == typeText { // of two bytes at least
			return g.pick("'abc'", "'-foo'", "'Hello World'", "'a,b,,c'", "\"\\xe9\\xff\"", "'zz'")
		}
		return ""
	}
	switch t {
	case typeInt:
		return g.pick("0", "1", "2", "3", "(-1)", "7", "(1 == 1)", "017", "10")
	case typeFloat:
		return g.pick("0.5", "1.5", "2.0", "(-2.25)", "0.0", "3.14159", "1e-5", "2.5", "(-1e20)")
	case typeNumeric:
		return g.pick("'3'", "' 5 '", "'0'", "'0.0'", "'-7'", "'1.50'", "'007'", "'0 but true'", "'2'")
	case typePrefix:
		return g.pick("'3abc'", "'0x10'", "'1_000'", "'-5x'", "'1.2.3'")
	case typeUnsigned:
		return g.pick("18446744073709551615", "9223372036854775808") // more than any memory: both refuse it
	}
	return ""
}

// rangeEnd keeps ranges short.
func rangeEnd(g *generator, t operandType, right bool) string {
	switch t {
	case typeInt:
		return g.pick("0", "1", "2", "3", "(-1)", "7", "(-3)", "5", "017", "10")
	case typeFloat:
		return g.pick("0.5", "1.5", "2.0", "(-2.25)", "0.0", "3.14159", "1e-5", "2.5", "1e20", "(-0.5)")
	case typeNumeric:
		return g.pick("'3'", "' 5 '", "'0'", "'0.0'", "'-7'", "'1.50'", "'007'", "'2'", "'09'", "'12'")
	case typePrefix:
		return g.pick("'3a'", "'0x'", "'1_'", "'9z'", "'5x'")
	case typeText:
		return g.pick("'ab'", "'a9'", "'Zz'", "'zz'", "'x'", "'-'", "'e5'", "'aa'", "'az'", "'.'", "' '", "'-a'")
	case typeUnsigned:
		return g.pick("18446744073709551615", "9223372036854775808") // outside of the range of ranges
	}
	return ""
}

// moderate keeps away from where Go's and glibc's functions differ in the 15th digit.
func moderate(g *generator, t operandType, right bool) string {
	switch t {
	case typeInt:
		return g.pick("0", "1", "2", "3", "4", "9", "16", "10", "(-1)")
	case typeUnsigned:
		return g.pick("18446744073709551615", "9223372036854775808")
	case typeFloat:
		return g.pick("0.5", "1.5", "0.25", "2.0", "0.0", "(-0.5)", "2.25")
	case typeNumeric:
		return g.pick("'1'", "'2'", "' 4 '", "'0.0'", "'-1'", "'0.5'")
	case typePrefix:
		return g.pick("'3abc'", "'0x10'", "'4_000'")
	}
	return ""
}

// oneByte keeps chr within bytes, which are all that strings of algorithms have.
func oneByte(g *generator, t operandType, right bool) string {
	switch t {
	case typeInt:
		return g.pick("0", "65", "97", "255", "200", "10", "0x41")
	case typeFloat:
		return g.pick("65.5", "0.5", "97.0", "1e1", "200.9")
	case typeNumeric:
		return g.pick("'65'", "' 97'", "'0.0'", "'1e1'", "'66.6'")
	case typePrefix:
		return g.pick("'65abc'", "'0x10'", "'97.x'")
	}
	return ""
}

// exponent keeps away from 2**63, where perl's test for a result that fits overflows: 7 ** 2**63 is 1 there.
func exponent(g *generator, t operandType, right bool) string {
	if right && t == typeUnsigned {
		return g.pick("18446744073709551615", "18446744073709551614", "12345678901234567890")
	}
	if right && t == typeNumeric {
		return g.pick("'10'", "'9'", "'1e3'", "' 5 '", "'0'", "'0.0'", "'-7'", "'+3'", "'.5'", "'1.50'", "'007'", "'-0'", "'0 but true'", "\"3\\n\"", "'2'", "'-1'", "'1e20'")
	}
	return ""
}

// subscript keeps away from elements so far off that perl ends for want of memory when a loop makes them.
func subscript(g *generator, t operandType, right bool) string {
	switch t {
	case typeInt:
		return g.pick("0", "1", "2", "(-1)", "(-3)", "7", "12", "017", "(1 == 1)")
	case typeUnsigned:
		return g.pick("18446744073709551615", "18446744073709551614")
	case typeFloat:
		return g.pick("0.5", "1.5", "(-2.25)", "0.1", "2.0", "(-0.0)", "1e20", "1e300", "(-0.5)", "(-7.5)")
	case typeNumeric:
		return g.pick("'1'", "'0'", "' 5 '", "'-1'", "'1.50'", "'0 but true'", "'1e20'", "'007'", "'2'")
	case typePrefix:
		return g.pick("'1abc'", "'0x10'", "'1_000'", "'-1x'", "'1.2.3'")
	}
	return ""
}

// untrue makes the left side false more often, so that || comes to its right one.
func untrue(g *generator, t operandType, right bool) string {
	if right || g.one(25) {
		return ""
	}
	switch t {
	case typeInt:
		return "0"
	case typeFloat:
		return g.pick("0.0", "(-0.0)", "0e5")
	case typeNumeric:
		return "'0'"
	case typeArray:
		return "@{[]}"
	case typeHash:
		return "%{+{}}"
	}
	return ""
}

// filled is the same for &&.
func filled(g *generator, t operandType, right bool) string {
	switch {
	case right || g.one(25):
	case t == typeArray:
		return g.pick("@{[1, 2, 3]}", "@{$rh->{l}}")
	case t == typeHash:
		return g.pick("%{+{ a => 1 }}", "%{$rh->{n}}")
	}
	return ""
}
