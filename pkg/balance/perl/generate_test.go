package perl

import (
	"fmt"
	"math/rand"
	"strings"
)

// generator writes random programs of the subset. All variables are lexical,
// loops are bounded, and nothing depends on addresses, time or the order of hashes.
//
// Left out is where perl's answer depends on how a value was used before: whole floats
// from 1e15 on print otherwise once they were used in a sum, ~ of a string works on
// a number once it was used as one, as ++ and - do, and a list holds $@ itself, not its value.
// So is $z .= ($x = f() . ”), which perl 5.36 makes one concatenation of and forgets to assign to $x.
// So is %c of numbers beyond all characters, which kills perl.
type generator struct {
	r     *rand.Rand
	depth int
}

func (g *generator) pick(list ...string) string { return list[g.r.Intn(len(list))] }

func (g *generator) program() string {
	var b strings.Builder
	b.WriteString("my ($x, $y, $z, $u) = (" + g.number() + ", " + g.str() + ", " + g.number() + "); my @l = (" + g.items(4) + "); my @m = (" + g.items(3) +
		"); my %h = (a => " + g.number() + ", b => " + g.str() + ", " + g.pick("c", "'x y'", "1.0", "01") + " => 3); my ($i, $j, $k);\n")
	b.WriteString("sub f1 { my ($p, @r) = @_; $p = 0 unless defined $p; return " + g.pick("$p + @r", "@r", "wantarray ? @r : $p", "$r[-1]", "($p, 2, 3)", "") + " }\n")
	for n := 1 + g.r.Intn(5); n > 0; n-- {
		b.WriteString(g.statement() + "\n")
	}
	b.WriteString("($x, $y, $z, $u, \"@l\", \"@m\", join(',', map { \"$_=\" . (defined $h{$_} ? $h{$_} : 'u') } sort keys %h), " + g.expr() + ")")
	return b.String()
}

func (g *generator) number() string {
	switch g.r.Intn(6) {
	case 0:
		return fmt.Sprint(g.r.Intn(20) - 5)
	case 1:
		return fmt.Sprintf("%.*f", g.r.Intn(4)+1, g.r.Float64()*100-30)
	case 2:
		return g.pick("9223372036854775807", "18446744073709551615", "-9223372036854775808", "4294967296", "1e14", "1e20", "0.1", "1e-5", "-0.0", "1.50", "0x1f", "017", "1_000")
	case 3:
		return fmt.Sprint(g.r.Intn(1000))
	}
	return fmt.Sprint(g.r.Intn(10))
}

func (g *generator) str() string {
	return g.pick("'abc'", "'3abc'", "''", "'0'", "'0.0'", "'1e3'", "' 5 '", "'a9'", "'Zz'", "'zz'", "'10'", "'9'", "'-foo'", "'0 but true'", "'0x10'",
		"'node1.example'", "\"a b  c\"", "\"x\\ty\"", "'a,b,,c,,'", "\"v$x\"", "\"@l[0,1]-$l[0]\"", "\"$h{a}$y\"", "'Hello World'", "\"line\\n\"")
}

func (g *generator) items(n int) string {
	var s []string
	for i := g.r.Intn(n + 1); i > 0; i-- {
		if g.r.Intn(2) == 0 {
			s = append(s, g.number())
		} else {
			s = append(s, g.str())
		}
	}
	return strings.Join(s, ", ")
}

func (g *generator) scalarVar() string {
	return g.pick("$x", "$y", "$z", "$u", "$l[0]", "$l[1]", "$l[-1]", "$h{a}", "$h{b}", "$h{zz}", "$m[$i || 0]")
}

func (g *generator) target() string {
	return g.pick("$x", "$y", "$z", "$u", "$l[0]", "$l[2]", "$h{a}", "$h{n}")
}

func (g *generator) expr() string {
	if g.depth++; g.depth > 4 {
		g.depth--
		return g.pick(g.number(), g.str(), g.scalarVar())
	}
	defer func() { g.depth-- }()
	e := g.expr
	switch g.r.Intn(24) {
	case 0, 1, 2:
		return g.scalarVar()
	case 3:
		return g.number()
	case 4:
		return g.str()
	case 5, 6, 7:
		return "(" + e() + " " + g.pick("+", "-", "*", "/", "%", ".", "x 3 .") + " " + e() + ")"
	case 8, 9:
		return "(" + e() + " " + g.pick("<", ">", "<=", ">=", "==", "!=", "<=>", "lt", "gt", "le", "ge", "eq", "ne", "cmp") + " " + e() + ")"
	case 10:
		return "(" + e() + " " + g.pick("&&", "||", "//", "and", "or", "xor") + " " + e() + ")"
	case 11:
		return "(" + e() + " ? " + e() + " : " + e() + ")"
	case 12:
		return g.pick("!", "-", "- -", "+", "not ", "~int", "-+") + "(" + e() + ")"
	case 13:
		return g.pick("abs", "int", "length", "lc", "uc", "ucfirst", "lcfirst", "ord", "hex", "oct", "defined", "quotemeta", "scalar reverse ", "chr(65) . length") + "(" + e() + ")"
	case 14:
		return "join(" + g.str() + ", " + g.list() + ")"
	case 15:
		return g.pick("scalar(@l)", "$#l", "scalar(keys %h)", "(@l)[1]", "(sort @l)[0]", "(sort { $a <=> $b || $a cmp $b } @l)[-1]", "(reverse @m)[0]", "scalar(() = "+g.list()+")", "\"@l[0..1]\"", "(f1(@l))[0]", "scalar(f1(@m))", "f1($x, @l) . ''")
	case 16:
		return "sprintf('" + g.pick("%d", "%s", "%.2f", "%5s|", "%-5s|", "%05d", "%x", "%o", "%e", "%g", "%3d%%", "%+d", "%.3s", "%s-%s", "%b", "%03.1f", "%.0f", "%#x", "%u", "% d", "%G", "%.15g", "%s %s %s", "%2$s %1$s", "%v d", "%5.1f", "%i") + "', " + e() + ", " + e() + ")"
	case 17:
		return "substr(" + e() + ", " + fmt.Sprint(g.r.Intn(7)-3) + g.pick("", ", 2", ", -1", ", 0") + ")"
	case 18:
		return g.pick("index", "rindex") + "(" + e() + ", " + g.pick("'a'", "'b'", "''", "'o'", "$y") + g.pick("", ", 1", ", -1", ", 20") + ")"
	case 19:
		return "(" + e() + " =~ " + g.regex() + g.pick("", " ? 'm' : 'n'") + ")"
	case 20:
		return g.pick("scalar(grep { $_ } @l)", "join('|', map { $_ . 'm' } @l)", "join('|', grep { defined && length } @l, @m)", "join('|', map { ($_, 1) } @m)", "scalar(map { ($_) x 2 } @l)",
			"join(',', split(/,/, $y))", "join('|', split(' ', $y))", "join('|', split(//, $y, 3))", "scalar(my @t = split /(b)|,/, $y)", "join('/', split(/b*/, $y))", "join('|', ('a'..'e')[1,2])", "join(',', 'a8'..'b2')")
	case 21:
		return "do { " + e() + "; " + g.scalarVar() + " }" // a constant here makes perl drop the block
	case 22:
		return "(eval { " + g.pick("die 'oops'", "1 / ($x - $x)", "die \"a\\n\"", e()) + " } // \"$@\")"
	}
	return g.pick("\"$x-$y\"", "\"${x}y\"", "\"@l\"", "\"$h{b}[$x]\"", "\"\\U$y\\E$y\"", "\"\\u$y\"", "\"@{[ $x + 1 ]}\"", "$x ** 2", "2 ** $i", "($x = "+e()+")", "($z += 1.5)", "exists($h{c})", "(delete $h{c})", "($y .= 'k')", "$i++", "++$j")
}

func (g *generator) list() string {
	return g.pick("@l", "@m", "(@l, @m)", "reverse(@l)", "sort(@l)", "(1..4)", "values(%h) ? 1 : 0", "@l[0,1]", "@h{'a','b'}", "map({ $_ * 2 } @m)", "grep({ $_ ne '' } @l)", "(1, "+g.expr()+")", "f1(@l)", "splice(@{[@l]}, 1)")
}

func (g *generator) regex() string {
	return g.pick("/a/", "/^\\d+/", "/(\\w)(\\d)?/", "/b.*c/", "/\\s+/", "/o|l/i", "/^[a-c]+$/", "/(\\d+)\\.?(\\d*)/", "/$/", "/\\bb/", "/x*/", "/\\./", "/[^a-z]/", "/^.{2,3}$/", "m{e+}", "/(?:a|b)+?/", "/\\W/", "/A/i")
}

func (g *generator) statement() string {
	if g.depth++; g.depth > 3 {
		g.depth--
		return g.target() + " = " + g.expr() + ";"
	}
	defer func() { g.depth-- }()
	s := g.statement
	switch g.r.Intn(20) {
	case 0, 1, 2:
		target, op, value := g.target(), g.pick("=", "+=", "-=", "*=", ".=", "||=", "&&=", "//=", "="), g.expr()
		if op == ".=" && strings.HasPrefix(value, "($x = ") {
			op = "="
		}
		return target + " " + op + " " + value + ";"
	case 3:
		return "if (" + g.expr() + ") { " + s() + " } elsif (" + g.expr() + ") { " + s() + " } else { " + s() + " }"
	case 4:
		return "unless (" + g.expr() + ") { " + s() + " }"
	case 5:
		return g.target() + " = " + g.expr() + " " + g.pick("if", "unless") + " " + g.expr() + ";"
	case 6:
		return "for my $e (@{[" + g.list() + "]}) { " + g.pick("next if $e eq 'x';", "last unless $e;", "", "$x .= $e;", "$z += $e;") + " " + s() + " }"
	case 7:
		return "for (my $i = 0; $i < " + fmt.Sprint(1+g.r.Intn(4)) + "; $i++) { " + s() + " " + g.pick("", "last if $i > 1;", "next;", "$u = $i;") + " }"
	case 8:
		return "{ my $k = 0; while ($k < " + fmt.Sprint(1+g.r.Intn(4)) + ") { $k++; " + g.pick("next if $k == 2;", "last if $k == 3;", "") + " " + s() + " } }"
	case 9:
		return "push @l, " + g.expr() + ";"
	case 10:
		return g.pick("pop @l;", "shift @l;", "unshift @m, 7;", "splice(@l, 1, 1, 'q', 'r');", "@m = sort @l;", "@l = reverse @l;", "$#m = 1;", "@l = @l[0,0,1];", "$#l = 5 if $#l > 5;", "($x, $y) = ($y, $x);", "my ($q, @w) = @l; $u = $q;", "$x++;", "$z--;",
			"%h = (%h, q => 1);", "delete $h{a};", "@h{'p','q'} = (1, 2);", "$_ .= 'e' for @m;", "chop $y;", "chomp $y;", "$z = () = @l;", "undef $u;", "$h{k}{v} = 2; delete $h{k};", "@l = map { $_ + 1 } @l;", "my @c = @l; $c[0]++;")
	case 11:
		return "$y =~ s" + g.pick("/a/X/", "/\\d/#/g", "/(\\w)/<$1>/", "/\\s+//g", "/b*/-/g", "/^/>/", "/$/</", "/(.)(.)/$2$1/g", "/o/0/gi") + ";"
	case 12:
		return "$y =~ tr" + g.pick("/a-c/A-C/", "/a-z//d", "/0-9/x/", "/a-zA-Z//cd", "/a-y/b-z/", "/b//s", "/ab/xy/") + ";"
	case 13:
		return "{ my $x = " + g.expr() + "; " + s() + " }"
	case 14:
		return "$u = " + g.pick("$1", "$&", "defined $2 ? $2 : 'none'") + " if " + g.pick("$y", "$x") + " =~ " + g.regex() + ";"
	case 15:
		return "eval { " + s() + " " + g.pick("die 'no';", "", "$x = 1 / 0;") + " }; $u = $@ ? 'died' : 'ok';"
	}
	return g.target() + " = " + g.expr() + ";"
}
