package perl

// literal writes a value of a type.
func (g *generator) literal(t operandType) string {
	switch t {
	case typeInt:
		return g.pick("0", "1", "2", "3", "5", "7", "(-1)", "(-3)", "10", "12", "100", "255", "1000", "(-128)", "65536", "4294967295", "4294967296", "9223372036854775807", "(-9223372036854775808)", "0x1f", "017", "0b101", "1_000", "(1 == 1)", "63", "64")
	case typeUnsigned:
		return g.pick("9223372036854775808", "18446744073709551615", "18446744073709551614", "0xffffffffffffffff", "12345678901234567890", "(~0)", "(9223372036854775807 + 1)", "(~5)")
	case typeFloat:
		return g.pick("0.5", "1.5", "(-2.25)", "0.1", "3.14159", "1e-5", "1e20", "(-1e20)", "1e300", "2.0", "1.0", "(-0.0)", "1e3", "99.99", "0.0", "(-7.5)", "1e-300", "1e19", "(-3.0)", "(1 / 3)", "(0.1 + 0.2)", "2.5", "(-0.5)", "1e100")
	case typeNumeric:
		return g.pick("'10'", "'9'", "'1e3'", "' 5 '", "'0'", "'0.0'", "'-7'", "'+3'", "'.5'", "'5.'", "'1.50'", "'007'", "'0e0'", "'-0'", "'00'", "'18446744073709551615'", "'9223372036854775808'", "'-9223372036854775809'", "'0 but true'", "\"\\t7\"", "\"3\\n\"", "'2'", "'-1'", "'1e20'", "'12'", "'3.75'")
	case typePrefix:
		return g.pick("'3abc'", "'12 monkeys'", "'0x10'", "'1_000'", "'1e'", "'-5x'", "'1.2.3'", "'+7up'", "'0b1'", "'9z'", "'2007-11-21'", "'.5.'")
	case typeText:
		return g.pick("'abc'", "'a9'", "'Zz'", "'zz'", "'-foo'", "'Hello World'", "'node1.example'", "'a,b,,c'", "'x y'", "\"a\\nb\"", "\"\\xe9\\xff\"", "'.'", "'-'", "'e5'", "'%d'", "'z'", "'A-Z'", "'az'", "' '", "'xyz'", "\"\\0\"", "'_'", "'aZ9'")
	case typeEmpty:
		return g.pick("''", "\"\"", "q()", "('' . '')")
	case typeUndef:
		return g.pick("undef()", "undef()", "(undef)", "$nothing")
	case typeFalse:
		return g.pick("!1", "(1 == 2)", "('a' eq 'b')", "(2 < 1)", "!!0", "(not 1)", "scalar('abc' =~ /z/)", "defined(undef)")
	case typeNotNum:
		return g.pick("(9**9**9)", "(-9**9**9)", "('inf' + 0)", "('nan' + 0)", "(1e308 * 10)")
	case typeArray:
		return g.pick("@l", "@m", "@{[1, 2, 3]}", "@{[]}", "@$ra", "@{$rh->{l}}", "@g")
	case typeList:
		return "(" + g.literal(operandType(g.r.Intn(int(typeArray)))) + ", " + g.literal(operandType(g.r.Intn(int(typeNotNum)))) + ")"
	case typeHash:
		return g.pick("%h", "%$rh", "%{+{ a => 1 }}", "%{$rh->{n}}", "%g")
	}
	return "''"
}

func (g *generator) anyOf(types ...operandType) operandType { return types[g.r.Intn(len(types))] }

// operand writes an operand of a type: a literal, or a variable, element, dereference or call that gives it.
// The second text is what must stand before.
func (g *generator) operand(t operandType) (text, before string) {
	return g.operandOf(t, g.literal(t))
}

func (g *generator) operandOf(t operandType, lit string) (text, before string) {
	n := g.fresh()
	switch t {
	case typeArray:
		if g.one(5) {
			return "@" + n, "my @" + n + " = (" + g.items(3) + "); "
		}
		return lit, ""
	case typeHash:
		if g.one(5) {
			return "%" + n, "my %" + n + " = (" + g.pick("", "q => 1", "q => 1, r => 2") + "); "
		}
		return lit, ""
	case typeList:
		if g.one(4) {
			return "@" + n + "[0, 1]", "my @" + n + " = " + lit + "; "
		}
		return lit, ""
	}
	switch g.r.Intn(14) {
	case 0, 1, 2:
		return "$" + n, "my $" + n + " = " + lit + "; "
	case 3:
		return "$" + n + g.pick("[0]", "[-1]", "[$#"+n+"]"), "my @" + n + " = (" + lit + "); "
	case 4:
		return "$" + n + g.pick("{k}", "{'k'}", "{\"k\"}"), "my %" + n + " = (k => " + lit + "); "
	case 5:
		return g.pick("$"+n+"->[0]", "$$"+n+"[0]", "${$"+n+"}[0]"), "my $" + n + " = [" + lit + "]; "
	case 6:
		return "sub { " + g.pick("", "return ") + lit + " }->()", ""
	case 7:
		return "(" + lit + ")[0]", ""
	case 8:
		return "do { " + g.pick("my $v = ", "$i; ") + lit + " }", ""
	case 9:
		return g.pick("$$"+n, "${$"+n+"}"), "my $" + n + " = \\(my $v" + n + " = " + lit + "); "
	case 10:
		return "($nothing ? 0 : " + lit + ")", ""
	}
	return lit, ""
}
