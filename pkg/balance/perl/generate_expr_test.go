package perl

import "strings"

// expr writes an expression; some change variables.
func (g *generator) expr() string {
	if g.depth++; g.depth > 4 {
		g.depth--
		return g.pick(g.number(), g.str(), g.scalarVar())
	}
	defer func() { g.depth-- }()
	e := g.expr
	switch g.r.Intn(30) {
	case 0, 1, 2:
		return g.scalarVar()
	case 3:
		return g.number()
	case 4:
		return g.str()
	case 5, 6, 7:
		return "(" + e() + " " + g.pick("+", "-", "*", "/", "%", ".", "x 3 .", ".", "+") + " " + e() + ")"
	case 8, 9:
		return "(" + e() + " " + g.pick("<", ">", "<=", ">=", "==", "!=", "<=>", "lt", "gt", "le", "ge", "eq", "ne", "cmp") + " " + e() + ")"
	case 10:
		return "(" + e() + " " + g.pick("&&", "||", "//", "and", "or", "xor") + " " + e() + ")"
	case 11:
		return "(" + e() + " ? " + e() + " : " + e() + ")"
	case 12:
		return g.pick("!", "-", "- -", "+", "not ", "~int", "-+", "!!") + "(" + e() + ")"
	case 13:
		return g.pick("abs", "int", "length", "lc", "uc", "ucfirst", "lcfirst", "ord", "hex", "oct", "defined", "quotemeta", "scalar reverse ", "chr(65) . length") + "(" + e() + ")"
	case 14:
		return "join(" + g.str() + ", " + g.list() + ")"
	case 15:
		return g.pick("scalar(@l)", "$#l", "(0 + keys %h)", "(@l)[1]", "(sort @l)[0]", "((sort { $a <=> $b || $a cmp $b } grep { $_ == $_ } @l)[-1] // '') . ''", "(reverse @m)[0]", "scalar(() = "+g.list()+")", "\"@l[0..1]\"", "(f1(@l))[0]", "scalar(f1(@m))", "f1($x, @l) . ''", "f2("+e()+", "+e()+") . ''", "(f2($x))[0]", "&f2($y, 1) . ''", "$rc->("+e()+") . ''", "&$rc($x) . ''", "&{$rc}(1) . ''", "main::f1(4) . ''", "$#{$ra}", "$#$ra", "${\\ scalar @m}")
	case 16:
		return "sprintf('" + g.format() + "', " + e() + ", " + e() + ")"
	case 17:
		return "substr(" + e() + ", " + g.pick("-3", "-2", "-1", "0", "1", "2", "3", "length($y) - 1") + g.pick("", ", 2", ", -1", ", 0") + ")"
	case 18:
		return g.pick("index", "rindex") + "(" + e() + ", " + g.pick("'a'", "'b'", "''", "'o'", "$y") + g.pick("", ", 1", ", -1", ", 20") + ")"
	case 19:
		return "(" + e() + " " + g.pick("=~", "=~", "!~") + " " + g.regex() + g.pick("", " ? 'm' : 'n'", " ? \"$&|$1\" : 'n'", " ? ($1 // 'u') . ($+ // 'v') . \"$`-$'\" : ''", " ? \"@-/@+\" : ''") + ")"
	case 20:
		return g.pick("scalar(grep { $_ } @l)", "join('|', map { $_ . 'm' } @l)", "join('|', grep { defined && length } @l, @m)", "join('|', map { ($_, 1) } @m)", "scalar(map { ($_) x 2 } @l)",
			"join(',', split(/,/, $y))", "join('|', split(' ', $y))", "join('|', split(//, $y, 3))", "scalar(my @t = split /(b)|,/, $y)", "join('/', split(/b*/, $y))", "join('|', ('a'..'e')[1,2])", "join(',', 'a8'..'b2')",
			"join('|', map { defined $_ ? $_ : 'u' } split(/"+g.pattern()+"/, $y"+g.pick("", ", -1", ", 2", ", 0")+"))", "join(',', map +($_ => 1), @l)", "scalar(grep /"+g.pattern()+"/, @l)", "join('', map { lc } @m)", "join(',', map { my $q = $_; $q =~ tr/a/b/; $q } @m)")
	case 21:
		return "do { " + takesNothing(e()) + "; " + g.scalarVar() + " }" // a constant here makes perl drop the block
	case 22:
		return "(eval { " + g.pick("die 'oops'", "1 / ($x - $x)", "die \"a\\n\"", takesNothing(e()), "die 'k'; 1", "die", "f1() / 0", "$u = $y % 0", "my @t = (1) x -1; sqrt(-1)", "$rc->{q}") + " } // " + g.pick("\"$@\"", "(substr($@, 0, 3) || $@)", "'died'") + ")"
	case 23:
		return g.function()
	case 24:
		return g.listUtil()
	case 25:
		return g.aggregate()
	case 26:
		return "(" + g.pick("("+e()+" . '')", "int("+g.number()+")", "(3 . '')", "('ab' . $i)") + " " + g.pick("&", "|", "^", "<<", ">>") + " " + g.pick("("+g.str()+" . '')", "int(abs("+g.number()+")) % 70", "3", "5.5") + ")"
	case 27:
		first, second := g.pick("<", "<=", "lt", "ge"), g.pick("<", ">=", "gt", "le")
		if g.one(3) {
			first, second = g.pick("==", "ne"), g.pick("!=", "eq", "==")
		}
		return "(" + g.pick("1", "$x", "'5'", "$i") + " " + first + " " + g.scalarVar() + " " + second + " " + e() + ")"
	}
	return g.pick("\"$x-$y\"", "\"${x}y\"", "\"@l\"", "\"$h{b}[$x]\"", "\"\\U$y\\E$y\"", "\"\\u$y\"", "\"@{[ $x + 1 ]}\"", "$x ** 2", "2 ** $i", "($x = "+e()+")", "($z += 1.5)", "exists($h{c})", "(delete $h{c})", "($y .= 'k')", "$i++", "++$j",
		"($x, $y)[1]", "(my $t = $y) . 't'", "($y = 'a9', $y++, \"$y\")[2]", "\"$rh->{d}[1][0]|@$ra[0,1]|@{$rh->{l}}\"", "\"\\Q$y\\E\"", "wantarray", "do { local $_ = 5; $_ . 'l' }", "__LINE__", "\"\\l$y\\L$y\"", "time - 1195668661", "average(res('cpu', "+g.num(9)+"))", "max(res('ram', 3), res2('ram', 2))", "(res('cpu', 3))[1]", "scalar(res2('load', 2))", "min(@m) // 'none'", "meridian(res('cpu', "+g.num(6)+")) // 'none'")
}

// takesNothing rewrites an expression that is worked out in a block of its own, so that it takes no element out of its
// array. Perl's stack does not keep alive what lies on it: if the block is the right side of an operator, the left one could
// be an element that is gone when the block ends, and perl reads memory that was freed.
func takesNothing(e string) string {
	return strings.NewReplacer("(pop @l)", "($l[-1])", "(shift @m)", "($m[0])", "(shift(@m) // 'e')", "($m[0] // 'e')", "pop(@$ra)", "$$ra[-1]").Replace(e)
}

func (g *generator) format() string {
	return g.pick("%d", "%s", "%.2f", "%5s|", "%-5s|", "%05d", "%x", "%o", "%e", "%g", "%3d%%", "%+d", "%.3s", "%s-%s", "%b", "%03.1f", "%.0f", "%#x", "%u", "% d", "%G", "%.15g", "%s %s %s", "%2$s %1$s", "%v d", "%5.1f", "%i",
		"%-08.3f|", "%+s", "%#o", "%#b", "%X", "%E", "%.0e", "%#.3g", "%10.4s|", "%+.1e", "%z", "%", "%5", "%-+5d|", "%012.3e", "%vd", "%ld", "%3$s", "% .3f", "%#X", "%.10d", "%+05i")
}

// function calls what does not fit elsewhere.
func (g *generator) function() string {
	e := g.expr
	return g.pick("sprintf('%.10g', sqrt(abs("+e()+")))", "sprintf('%.10g', sin("+g.number()+"))", "sprintf('%.9g', exp("+g.pick("1", "0.5", "-2", "$i || 0")+"))", "sprintf('%.10g', log(abs("+g.number()+") + 1))",
		"sprintf('%.10g', atan2("+g.number()+", "+g.number()+"))", "sprintf('%.10g', cos("+g.number()+"))", "do { srand("+g.num(50)+"); int(rand(1000)) }", "int(rand(1))", "srand("+g.num(50)+")",
		"join(':', (gmtime("+g.num(2000000000)+"))[0 .. 7])", "scalar(localtime("+g.num(2000000000)+"))", "(localtime)[2]", "join('', map { chr } 65 .. 70)", "ucfirst(lc("+e()+"))", "ref("+g.pick("$ra", "$rh", "$rc", "$rs", "$x", "qr/a/", "\\$x", "\\@l", "\\&f1", "[]", "{}", "sub { 1 }")+")",
		"join(',', reverse(1 .. "+g.num(5)+"))", "(lc . uc)", "defined($h{"+g.pick("a", "zz", "'x y'")+"})", "exists($ra->["+g.num(4)+"])", "exists($rh->{n}{m})", "defined(&f1)", "defined(&nosuch)", "scalar(%h) + 0", "(each @{[7, 8]})[1]", "join(',', each @{[5]})", "join(',', %{+{ a => 2, a => 1 }})", "join('', splice(@{[1 .. 5]}, "+g.pick("1, 2", "-2", "1, -1", "0, 0, 9", "2")+"))",
		"join(',', delete @{+{ a => 1, b => 2 }}{'a', 'b'})", "scalar(my %t = %h{'b'})", "join(',', map { $_ // 'u' } (%m[0, 0])[0, 1])", "join('', sort { $b cmp $a } 'b', 'c', "+g.str()+")", "join(' ', map { $_ // 'u' } @h{qw(a b zz)})", "join(',', @$ra[0, 1])", "join(',', map { $_ // 'u' } @{$rh}{'k', 'q'})", "lcfirst(\"ABC$x\")",
		"(sub { wantarray ? 'l' : 's' })->()", "(sub { my ($q) = @_; return $q unless $q; \"q$q\" })->("+e()+")", "join('|', map { sprintf '%02d', $_ } 1 .. 3)", "join(',', sort { $a <=> $b } 10, 9, "+g.num(100)+")", "join(',', reverse sort { $a <=> $b } 10, 9, 2)", "join('', map { $_->[0] } sort { $a->[0] cmp $b->[0] } map { [$_] } qw(c a b))",
		"(print '') . ''", "join('', (1, 2, 3)[1, 2], (qw(a b c))[-1])", "chop(my $t = "+g.str()+")", "chomp(my $t = \"a\\n\")", "do { my $t = 'hello'; substr($t, 1, 2, "+g.str()+") . $t }", "do { my $t = 'hello'; substr($t, "+g.pick("0", "-1", "1", "9")+", 1) = 'J'; $t }", "do { my @t = (3, 1, 2); @t = sort { $a <=> $b } @t; \"@t\" }", "do { no strict; undefined_word . '' }", "do { my %s; $s{$_}++ for @m; join ',', map { \"$_$s{$_}\" } sort keys %s }", "do { my @t = (1) x 3; $#t }", "do { local $, = '-'; local $\" = '+'; \"@m\" }", "do { my ($p, undef, $q) = (1, 2, "+e()+"); $q }", "do { my $s = sub { $_[0] * 2 }; $s->(4) + &$s(1) }")
}

// listUtil calls the modules that are built in.
func (g *generator) listUtil() string {
	e := g.expr
	s := g.pick("List::Util::sum(0.5, "+g.list()+")", "List::Util::sum0(map { length } @m)", "List::Util::max(1, "+e()+")", "List::Util::min(3, "+e()+")", "List::Util::product(2.5, "+g.number()+")", "List::Util::minstr('m', @l)", "List::Util::maxstr('', @m)",
		"join(',', List::Util::uniq(@l, @m))", "scalar(List::Util::uniq(1, 1, 2))", "join(',', sort(List::Util::shuffle(1 .. 4)))", "(List::Util::first { $_ } @l) // 'none'", "(List::Util::any { $_ eq 'abc' } @l) ? 'any' : 'no'", "(List::Util::all { defined } @l) ? 'all' : 'no'", "(List::Util::none { $_ } @m) ? 'none' : 'no'", "(List::Util::notall { $_ } @m) ? 'n' : 'y'", "(List::Util::reduce { $a . $b } @l) // 'none'", "(List::Util::reduce { $a + $b } 1 .. 4)",
		"POSIX::floor("+g.number()+")", "POSIX::ceil("+g.number()+")", "sprintf('%.10g', POSIX::fmod("+g.number()+", 7))", "POSIX::strftime('%Y-%m-%d %H:%M:%S %j %a %b', gmtime("+g.num(2000000000)+"))", "Scalar::Util::looks_like_number("+e()+") ? 'num' : 'not'")
	return "(" + s + ")"
}

// aggregate reads and changes arrays and hashes within an expression.
func (g *generator) aggregate() string {
	return g.pick("(push @l, "+g.expr()+")", "(unshift @m, 'u')", "(pop @l)", "(shift @m)", "(shift(@m) // 'e')", "pop(@$ra)", "scalar(@{$rh->{l}})", "push(@{$rh->{l}}, 6)", "(my @t = "+g.list()+")", "scalar(my ($p, $q) = "+g.list()+")", "join(',', (@m) x 2)", "do { my @t = @m; ($#t = 1) + 0 }", "(our @q = "+g.list()+") + 0", "keys(%$rh) + 0", "join(',', map { \"$_=$g{$_}\" } sort keys %g)", "(undef $u, 1)[-1]", "delete($rh->{q}) // 'u'", "join('', %{+{}})", "(exists $g{q})", "\"@g[0,1]\"", "@{[ @l, @m ]} + 0", "values(%h) + 0", "wantarray() ? 'L' : 'S'")
}

func (g *generator) list() string {
	return g.pick("@l", "@m", "(@l, @m)", "reverse(@l)", "sort(@l)", "(1..4)", "values(%h) ? 1 : 0", "@l[0,1]", "@h{'a','b'}", "map({ $_ * 2 } @m)", "grep({ $_ ne '' } @l)", "(1, "+g.expr()+")", "f1(@l)", "splice(@{[@l]}, 1)",
		"f2(@m)", "@$ra[0, 1]", "@{$rh->{l}}", "map({; \"$_\" => 1 } @m)", "('a' .. 'd')", "(f1(2), f2($x, 3))", "res('cpu', 3)", "(split /,/, $y)", "($x) x 2", "(my ($p, $q) = (1, 2))", "@g", "qw(x y z)", "('-k' => 1, -w => 2)", "$x ? @l : @m", "@l || @m", "()", "map { ($_) } @l", "(sort { $b cmp $a } @m)", "do { @m }", "eval { @l }", "@l[grep { $_ < 2 } 0 .. $#l]", "(1 .. 3)[1, 2]", "'b=1' =~ /(\\w)=(\\d)/")
}
