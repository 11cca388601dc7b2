package perl

import (
	"regexp"
	"strings"
)

// operandType is what an operator finds as its operand, as the table of reach counts it.
type operandType int

const (
	typeInt      operandType = iota // within int64
	typeUnsigned                    // beyond int64
	typeFloat
	typeNumeric // a string that is a number from end to end
	typePrefix  // a string that begins as a number
	typeText    // any other string
	typeEmpty
	typeUndef
	typeFalse  // the false of a comparison
	typeNotNum // Inf and NaN
	typeArray  // in scalar context, as all that follow
	typeList
	typeHash
	operandTypes
	typeNone = operandTypes // no operand: a unary operator, or a side that nobody looked at
)

func (t operandType) String() string {
	return [...]string{"int", "unsigned", "float", "numstr", "3abc", "text", "empty", "undef", "false", "inf/nan", "array", "list", "hash", "-"}[t]
}

// typeOf classes a value. Of arrays, lists and hashes it sees only what they give.
func typeOf(v Value) operandType {
	switch v.k {
	case kUndef:
		return typeUndef
	case kNo:
		return typeFalse
	case kIV:
		return typeInt
	case kUV:
		return typeUnsigned
	case kNV:
		if f := v.f(); f-f != 0 {
			return typeNotNum
		}
		return typeFloat
	case kPV:
		s := v.str()
		switch {
		case s == "":
			return typeEmpty
		case v.IsNumber():
			return typeNumeric
		case startsAsNumber(s):
			return typePrefix
		}
		return typeText
	}
	return typeNone
}

func startsAsNumber(s string) bool {
	s = strings.TrimLeft(s, " \t\n\r\f\v")
	s = strings.TrimLeft(s, "+-")
	s = strings.TrimPrefix(s, ".")
	return s != "" && isDigit(s[0])
}

// cell is an operator with the types of its operands.
type cell struct {
	op          *operatorForm
	left, right operandType
}

// operatorForm is how an operator is written and which operands it is tried with.
type operatorForm struct {
	name  string // as the table of reach has it
	kind  formKind
	text  string                                     // what stands in the program, if it is not the name
	avoid func(cell) bool                            // operands that are not tried, each with its reason where the form is listed
	value func(*generator, operandType, bool) string // literals for this operator only; empty: any
	// toRight are the types of the last item of a list on the left with which && || // come to their right side.
	toRight []operandType
}

type formKind int

const (
	formBinary formKind = iota
	formShort           // the right side may not be looked at
	formAssign
	formPrefix
	formStep // ++ and --
	formCall // name(operand)
	formCond
	formIndex
	formKey
	formRange
	formMatch // the pattern is the right operand
	formLiteralMatch
	formSprintf
	formSet // plain assignment: left is what it assigns to
)

// allCells lists every pair that the generator is to reach, in an order that mixes them.
func allCells() []cell {
	var all []cell
	for _, op := range operatorForms() {
		op := op
		for l := typeInt; l < operandTypes; l++ {
			switch op.kind {
			case formBinary, formShort, formAssign, formRange, formMatch, formSet:
				for r := typeInt; r < operandTypes; r++ {
					c := cell{&op, l, r}
					if !looksRight(op.name, l) {
						c.right = typeNone
						if r > typeInt {
							break
						}
					}
					if allowed(c) {
						all = append(all, c)
					}
				}
			default:
				if c := (cell{&op, l, typeNone}); allowed(c) {
					all = append(all, c)
				}
			}
		}
	}
	const stride = 3571 // prime, so that neighbours are of different operators
	mixed := make([]cell, len(all))
	for i := range mixed {
		mixed[i] = all[i*stride%len(all)]
	}
	return mixed
}

func allowed(c cell) bool {
	switch c.op.kind {
	case formAssign, formStep: // to arrays, lists and hashes as a whole nothing is added
		if c.left >= typeArray {
			return false
		}
	case formLiteralMatch:
		if c.op.name != "m//" && c.left >= typeArray {
			return false
		}
	case formSet: // the targets are scalar, array, list and hash; the old value does not matter
		if c.left != typeInt && c.left < typeArray {
			return false
		}
	case formSprintf: // its arguments are a list
		if c.left >= typeArray {
			return false
		}
	}
	return c.op.avoid == nil || !c.op.avoid(c)
}

// looksRight tells whether && || and // can come to their right side with such a left one.
func looksRight(name string, left operandType) bool {
	switch name {
	case "&&", "and", "&&=":
		return left != typeEmpty && left != typeUndef && left != typeFalse
	case "||", "or", "||=":
		return left != typeUnsigned && left != typePrefix && left != typeText && left != typeNotNum
	case "//", "//=":
		return left == typeUndef || left == typeList
	}
	return true
}

var wordName = regexp.MustCompile(`^[a-z]`)

// cellExpr writes the expression of a cell.
func (g *generator) cellExpr(c cell) (text, before string) {
	var lit func(t operandType, right bool) string
	lit = func(t operandType, right bool) string {
		if t == typeList {
			last := operandType(g.r.Intn(int(typeNotNum)))
			if !right && c.op.toRight != nil && !g.one(25) { // else it hardly comes to the right side
				last = g.anyOf(c.op.toRight...)
			}
			if right && last == typeUnsigned && strings.Contains(c.op.name, "x") { // as in tooMuch
				last = typeInt
			}
			return "(" + lit(operandType(g.r.Intn(int(typeArray))), right) + ", " + lit(last, right) + ")"
		}
		if c.op.value != nil {
			if s := c.op.value(g, t, right); s != "" {
				return s
			}
		}
		return g.literal(t)
	}
	op := c.op.text
	if op == "" {
		op = c.op.name
	}
	var left, right, b string
	switch c.op.kind {
	case formAssign, formStep, formSet:
	default:
		if left = lit(c.left, false); c.op.toRight == nil || c.left < typeArray {
			left, before = g.operandOf(c.left, left)
		}
	}
	if c.op.name == "x" && left[0] == '(' && !strings.HasSuffix(left, ")[0]") { // in parentheses it would be a list that is repeated
		n := g.fresh()
		if c.left == typeList {
			left, before = "@"+n+"[0, 1]", before+"my @"+n+" = "+left+"; "
		} else {
			left, before = "$"+n, before+"my $"+n+" = "+left+"; "
		}
	}
	if c.op.name == "(x)" && left[0] != '(' {
		left, before = "("+g.literal(typeInt)+", "+g.literal(typeText)+")", ""
	}
	switch c.op.kind {
	case formBinary, formShort, formRange, formMatch:
		if t := c.right; t == typeNone {
			right, b = g.operand(operandType(g.r.Intn(int(typeArray))))
		} else {
			right, b = g.operandOf(t, lit(t, true))
		}
		if c.op.kind == formMatch && c.right == typeList && right[0] == '(' { // perl joins a list of constants, but no other
			n := g.fresh()
			right, b = "@"+n+"[0, 1]", b+"my @"+n+" = "+right+"; "
		}
		if c.op.kind == formShort && c.right == typeHash { // it may come out as a list, whose order is perl's secret
			right, b = g.pick("%{+{ a => 1 }}", "%{+{}}", "%{$rh->{n}}"), ""
		}
		text = left + " " + op + " " + right
		if c.op.kind == formMatch && c.left >= typeArray && left[0] != '(' {
			text = "(" + left + ") " + op + " " + right
		}
		return text, before + b
	case formAssign:
		target, set := g.lvalue(lit(c.left, false))
		if c.right == typeNone {
			right, b = g.operand(operandType(g.r.Intn(int(typeArray))))
		} else {
			right, b = g.operandOf(c.right, lit(c.right, true))
		}
		return "(" + target + " " + op + " " + right + ")", set + b
	case formStep:
		target, set := g.lvalue(lit(c.left, false))
		if strings.HasPrefix(op, "x") {
			return target + op[1:] + " . ':' . " + target, set
		}
		return strings.TrimSuffix(op, "x") + target, set
	case formSet:
		if right, before = g.operandOf(c.right, lit(c.right, true)); c.right == typeHash {
			right, before = g.pick("%{+{ a => 1 }}", "%{+{}}", "%{$rh->{n}}"), "" // of one pair: the order is perl's secret
		}
		n := g.fresh()
		switch c.left {
		case typeArray:
			return "\"@" + n + "\"", before + "my @" + n + " = " + g.inParens(right) + "; "
		case typeHash:
			return "join(',', map { \"$_=\" . ($" + n + "{$_} // 'u') } sort keys %" + n + ")", before + "my %" + n + " = (k => " + right + "); "
		case typeList:
			return "($" + n + " // 'u')", before + g.pick("my ($"+n+") = ", "my $"+n+"; ($"+n+") = ", "my ($"+n+", $q"+n+") = ") + g.inParens(right) + "; "
		}
		return "(" + g.pick("my $"+n, "$l[0]", "$h{a}", "$z") + " = " + right + ")", before
	case formPrefix:
		if wordName.MatchString(op) || g.one(3) {
			return op + "(" + left + ")", before
		}
		return op + " " + left, before
	case formCall:
		if strings.HasPrefix(left, "(") && c.left == typeList { // as arguments these would be too many
			n := g.fresh()
			left, before = "@"+n+"[0, 1]", before+"my @"+n+" = "+left+"; "
		}
		if c.op.value != nil && op != "chr" { // Go's and glibc's may differ in the last digit
			return "sprintf('%.10g', " + op + "(" + left + "))", before
		}
		return op + "(" + left + ")", before
	case formCond:
		return "(" + left + " ? 'y' : 'n')", before
	case formIndex:
		return g.pick("$l[", "$ra->[") + left + "]", before
	case formKey:
		n := g.fresh()
		if left[0] == '(' && c.left == typeList && !g.one(4) { // else it is no list but a key of several
			left, before = "@k"+n+"[0, 1]", before+"my @k"+n+" = "+left+"; "
		}
		return "$" + n + "{" + g.inParens(left) + "}", before + "my %" + n + " = ('', 1, 0, 2, abc => 3, '3abc', 4, 10, 5, 0.5, 6, 2, 7); "
	case formSprintf:
		return "sprintf('" + g.pick("", "", "<", "a ") + op + "', " + left + ")", before
	case formLiteralMatch:
		return g.literalMatch(op, left, before)
	}
	return "''", ""
}

func (g *generator) inParens(s string) string {
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") && !strings.Contains(s[1:], "(") {
		return s
	}
	return "(" + s + ")"
}

// lvalue writes a variable that holds lit.
func (g *generator) lvalue(lit string) (target, before string) {
	n := g.fresh()
	switch g.r.Intn(7) {
	case 0:
		return "$" + n + "[1]", "my @" + n + " = (0, " + lit + "); "
	case 1:
		return "$" + n + "{k}", "my %" + n + " = (k => " + lit + "); "
	case 2:
		return g.pick("$$"+n, "${$"+n+"}"), "my $v" + n + " = " + lit + "; my $" + n + " = \\$v" + n + "; "
	case 3:
		return "$" + n + "->{k}[0]", "my $" + n + " = { k => [" + lit + "] }; "
	}
	return "$" + n, "my $" + n + " = " + lit + "; "
}

func (g *generator) literalMatch(op, left, before string) (string, string) {
	switch op {
	case "m//":
		if strings.HasPrefix(left, "@") || strings.HasPrefix(left, "%") {
			left = "(" + left + ")"
		}
		return "(" + left + " " + g.pick("=~", "=~", "!~") + " " + g.regex() + g.pick(" ? \"m$&\" : 'n'", "") + ")", before
	case "s///":
		n := g.fresh()
		return g.pick("($"+n+" =~ "+g.substitution("")+") . $"+n, "($"+n+" =~ "+g.substitution("r")+")"), before + "my $" + n + " = " + left + "; "
	}
	n := g.fresh()
	return g.pick("($"+n+" =~ "+g.transliteration("")+") . $"+n, "($"+n+" =~ "+g.transliteration("r")+")"), before + "my $" + n + " = " + left + "; "
}

// cellStatement writes a statement that adds the value of a cell to $o, in one of many contexts.
func (g *generator) cellStatement(k int) string {
	c := g.cells[k%len(g.cells)]
	e, before := g.cellExpr(c)
	if c.op.kind == formRange {
		return "eval { " + before + "$o .= join('|', " + g.pick("(", "reverse(", "map({ $_ } ") + e + ")) . ';'; 1 } or $o .= $@;"
	}
	v := "(" + e + ")"
	if c.op.name == "(x)" {
		v = "((" + e + ")[-1])"
	}
	op := c.op.name
	context := g.r.Intn(12)
	if c.op.kind == formIndex && (context == 2 || context == 4 || context == 6) { // there an element far off would be made
		context = 3
	}
	switch context {
	case 0:
		before += "if " + v + " { $o .= 't' } else { $o .= 'f' }"
	case 1:
		before += "$o .= 'u' unless " + v + "; $o .= ';'"
	case 2:
		before += "$o .= join('|', map { defined $_ ? $_ : 'u' } " + g.pick("(", "scalar(", "(0, ") + v + ")) . ';'"
	case 3:
		before += "my $t = " + v + "; $o .= (defined $t ? $t : 'u') . ';'"
	case 4:
		before += "for my $e " + v + " { $o .= defined $e ? \"<$e>\" : 'u' }"
	case 5:
		before += "for (1, 2) { my $t = " + v + "; $o .= $t . ';' }"
	case 6:
		before += "my @t = " + v + "; $o .= \"@t;\""
	case 7:
		if strings.Contains(v, "\"") { // it would end the text
			before += "$o .= join ',', " + v + ", ''"
		} else {
			before += "$o .= \"@{[" + v + "]};\""
		}
	case 8:
		if wordName.MatchString(op) { // return binds tighter than and, or and xor
			e = v
		}
		before += "my $s = sub { return " + e + " }; $o .= $s->() . ';'"
	default:
		before += "$o .= (" + v + " // 'u') . ';'"
	}
	return "eval { " + before + "; 1 } or $o .= $@;"
}
