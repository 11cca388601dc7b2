package perl

import (
	"fmt"
	"strings"
)

// statement writes a statement.
func (g *generator) statement() string {
	if g.depth++; g.depth > 3 {
		g.depth--
		return g.target() + " = " + g.expr() + ";"
	}
	defer func() { g.depth-- }()
	s := g.statement
	switch g.r.Intn(26) {
	case 0, 1, 2:
		target, op, value := g.target(), g.pick("=", "+=", "-=", "*=", ".=", "||=", "&&=", "//=", "="), g.expr()
		if op == ".=" && strings.HasPrefix(value, "($x = ") {
			op = "="
		}
		return target + " " + op + " " + value + ";"
	case 3:
		return "if (" + g.expr() + ") { " + s() + " } elsif (" + g.expr() + ") { " + s() + " } else { " + s() + " }"
	case 4:
		return "unless (" + g.expr() + ") { " + s() + " }" + g.pick("", " else { "+g.target()+" = 1 }", " elsif ($x) { $k .= 'e' }")
	case 5:
		return g.target() + " = " + g.expr() + " " + g.pick("if", "unless") + " " + g.expr() + ";"
	case 6, 7, 8:
		return g.loop()
	case 9:
		return g.pick("push @l, ", "push @l, ", "unshift @m, ", "push @$ra, ", "push @{$rh->{l}}, ") + g.expr() + ";"
	case 10, 11:
		return g.change()
	case 12:
		return g.pick("$y", "$y", "$u", "$l[0]", "$h{b}", "$$rs", "$ra->[1]") + " =~ " + g.substitution("") + ";"
	case 13:
		return g.pick("$y", "$y", "$u", "$h{a}") + " =~ " + g.transliteration("") + ";"
	case 14:
		return "{ my $x = " + g.expr() + "; " + s() + " }"
	case 15:
		return "$u = " + g.pick("$1", "$&", "defined $2 ? $2 : 'none'", "$+", "\"$`|$'\"", "$+{n}", "$-[0]", "\"@+\"") + " if " + g.pick("$y", "$x", "$l[0]") + " =~ " + g.regex() + ";"
	case 16:
		return "eval { " + s() + " " + g.pick("die 'no';", "", "$x = 1 / 0;", "die 'one' . 1;", "die \"x$x\\n\" if $x;", "return 5;") + " }; $u = $@ ? 'died' : 'ok';"
	case 17:
		return g.output()
	case 18:
		return g.closure()
	case 19:
		return g.here()
	}
	return g.target() + " = " + g.expr() + ";"
}

// body is what stands in a loop.
func (g *generator) body() string {
	g.loops++
	defer func() { g.loops-- }()
	return g.statement()
}

func (g *generator) loop() string {
	n := fmt.Sprint(1 + g.r.Intn(4))
	v := "$" + g.fresh() // the body must not change it
	label, to := "", ""
	if g.one(3) {
		l := strings.ToUpper(g.fresh())
		label, to = l+": ", " "+l
	}
	switch g.r.Intn(9) {
	case 0, 1:
		return label + "for my $e (@{[" + g.list() + "]}) { " + g.pick("next"+to+" if $e eq 'x';", "last"+to+" unless $e;", "", "$x .= $e;", "$z += $e;", "$e .= 'q';") + " " + g.body() + " }" + g.pick("", "", " continue { $k .= 'c' }")
	case 2, 3:
		return label + "for (my $i = 0; $i < " + n + "; $i++) { " + g.body() + " " + g.pick("", "last"+to+" if $i > 1;", "next"+to+";", "$u = $i;") + " }"
	case 4:
		return "{ my " + v + " = 0; " + label + "while (" + v + " < " + n + ") { " + v + "++; " + g.pick("next"+to+" if "+v+" == 2;", "last"+to+" if "+v+" == 3;", "", v+" > 1 and next"+to+";") + " " + g.body() + " }" + g.pick("", " continue { $u .= "+v+" }") + " }"
	case 5:
		return "{ my " + v + " = " + n + "; " + label + "until (" + v + " <= 0) { " + g.body() + " " + v + "-- } $x = " + v + " }"
	case 6:
		return "{ my " + v + " = 0; do { " + v + "++; " + g.body() + " } " + g.pick("while ("+v+" < "+n+")", "until ("+v+" >= "+n+")") + "; $k = " + v + " . 'w' }"
	case 7:
		return g.pick("$_ .= 'e' for @m;", "$k .= $_ for reverse 1 .. "+n+";", "{ my $n = 0; $n++ while $n < "+n+"; $u = $n }", "{ my $n = 9; $n -= 2 until $n < "+n+"; $u = $n }", "for (@l[0, 1]) { $_ = 'z' unless defined }", "for our $g (1, 2) { $k .= $g }", "for $j (1 .. "+n+") { $k .= $j }", "foreach my $e (sort keys %h) { $k .= $e; last"+" if $e eq 'b' }", "{ my $n = 0; while (my ($p, $q) = each @m) { last if $n++ > 5; $k .= $p } keys @m; }", "{ my "+v+" = 0; for (;;) { last if ++"+v+" > 2; "+g.body()+" } }", "for (my ($p, $q) = (0, 3); $p < $q; $p++, $q--) { $k .= \"$p$q\" }", "$_++ for values %{$rh->{n}};", "{ my $t = $y; my $n = 0; while ($t =~ /(\\w)/g) { $k .= $1; last if $n++ > 3 } }", "for my $e (map { $_ } 1 .. 2) { for my $f ('a', 'b') { next if $f eq 'a'; $k .= \"$e$f\" } }", "O: for my $e (1 .. 3) { for my $f (1 .. 3) { next O if $f == 2; last O if $e == 3; $k .= \"$e$f\" } }")
	}
	return label + "{ " + g.pick("last"+to+" if $x;", "next"+to+" unless $y;", "$k .= 'b';") + " " + g.body() + " }"
}

// change changes arrays and hashes.
func (g *generator) change() string {
	return g.pick("pop @l;", "shift @l;", "unshift @m, 7;", "splice(@l, 1, 1, 'q', 'r');", "@m = sort @l;", "@l = reverse @l;", "$#m = 1;", "@l = @l[0,0,1];", "$#l = 5 if $#l > 5;", "($x, $y) = ($y, $x);", "my ($q, @w) = @l; $u = $q;", "$x++;", "$z--;",
		"%h = (%h, q => 1);", "delete $h{a};", "@h{'p','q'} = (1, 2);", "$_ .= 'e' for @m;", "chop $y;", "chomp $y;", "$z = () = @l;", "undef $u;", "$h{k}{v} = 2; delete $h{k};", "@l = map { $_ + 1 } @l;", "my @c = @l; $c[0]++;",
		"@l = ("+g.list()+");", "@m = ("+g.list()+");", "($x, @m) = ("+g.list()+");", "($y, $z) = @m[0, 1];", "@l[0, 1] = @l[1, 0];", "my %c = %h; delete $c{a}; $k = keys %c;", "%g = (a => 1, q => 2);", "@g = (1, @m);", "delete @h{'a', 'zz'};", "undef @m;", "undef %g;", "@$ra = (3, 4, 5);", "%$rh = (k => 1, l => [7], d => [1, [2]], n => { m => 8 });", "$rh->{n} = { m => "+g.expr()+" };", "$rh->{d}[1] = ["+g.items(3)+"];", "$#{$ra} = 2;", "$rc = sub { \"n@_\" };", "$rc = \\&f2;", "splice(@m, "+g.pick("0, 1", "1", "-1", "0, 0, 5, 6", "0, 2, @l")+") if @m;", "our @g = (9, 8);", "my ($p, $q) = (1); $k = defined $q ? 1 : 0;", "substr($y, 0, 1) = 'S' if length $y;", "substr($y, -1) .= 't' if length $y;", "$l[-1] = 'last' if @l;", "my ($e) = $y =~ /(\\w+)/; $k = $e;", "my $n = () = $y =~ /a/g; $k = $n;", "(my $t = $y) =~ s/a/b/; $k = $t;", "$k = my $t = "+g.expr()+";", "$x += $y -= 1;", "$x = $y = $z;", "($x += 2) *= 3;", "$x **= 2 if abs($x) < 100;", "$x %= 7;", "$x /= 4;", "$y x= 2 if length($y) < 50;", "$x |= 5;", "$x ^= 3;", "$x &= 0xff;", "$x <<= 2 if $x < 1000;", "$x >>= 1;", "if (my $t = $l[0]) { $k = $t }", "our $g; $g++;", "$main::g = 'm';", ";;", "1;", "$x;", "f1(1, 2);", "$rc->(1);", "migrate() if $x;", "report('x') unless $y;", "return ($x, 'early') if defined $u && $u eq 'never';", "use warnings; no warnings;", "wantarray;", "sub { $k = 'v' }->();", "use feature 'state'; state $st = 3; $k = $st++;", "my ($a1, $b1, @c1) = f1(@l); $k = @c1;")
}

// output prints; nothing is printed with a number that perl and the engine would not both call the same.
func (g *generator) output() string {
	return g.pick("print '', "+g.expr()+", \"\\n\";", "print;", "printf '%s|%d', $x, $z;", "printf(\"%s\\n\", "+g.expr()+");", "print STDERR 'err';", "print STDOUT \"out$x\";", "{ local $, = '-'; local $\\ = '!'; print 1, 2, $y }", "warn \"w$x\\n\";", "warn 'at';", "print(1, 2) . 'x';", "use feature 'say'; say 'said', $x;", "use feature 'say'; say for @m;", "print \"@l\\n\" if @l;", "print sort(@m), \"\\n\";", "print map { \"$_,\" } @m;")
}

// closure makes and calls subs without a name.
func (g *generator) closure() string {
	return g.pick("{ my $n = 0; my $c = sub { $n += shift // 1; $n }; $c->(); $c->(2); $k = $c->($n) }", "{ my @s = map { my $n = $_; sub { $n++ } } 1, 5; $k = $s[0]->() . $s[0]->() . $s[1]->() }", "{ my $f; $f = sub { my $n = shift; $n < 2 ? 1 : $n * $f->($n - 1) }; $k = $f->(5) }",
		"{ my %d = (a => sub { \"a@_\" }, b => sub { scalar @_ }); $k = $d{a}->(1) . $d{b}->(1, 2) }", "{ my ($get, $set) = do { my $v = 1; (sub { $v }, sub { $v = shift }) }; $set->("+g.expr()+"); $k = $get->() }", "{ my $s = sub { return wantarray ? 'list' : defined(wantarray) ? 'scalar' : 'void' }; my @t = $s->(); $s->(); $k = $s->() . $t[0] }", "{ my $s = sub { $_[0] .= 'mod'; return }; $s->($y); $s->($l[0]) }", "{ my $s = sub { my ($p, %o) = @_; $p . ($o{k} // 'none') }; $k = $s->("+g.expr()+", k => 1) }", "{ my @c; for my $e (1 .. 3) { push @c, sub { $e * $_[0] } } $k = join ',', map { $_->(2) } @c }", "{ my $s = sub { @_ = (7, @_); &f2 }; $k = join ',', map { $_ // 'u' } $s->(1) }", "{ my $s = sub { for my $e (@_) { return $e if $e } 'none' }; $k = $s->(0, "+g.expr()+") }")
}

// here writes texts of several lines and other quotes.
func (g *generator) here() string {
	return g.pick("$y = <<\"E\" . 'x';\n$x and @l\nE\n", "$y = <<'E';\n$x\nE\n", "$y = <<~E;\n    in $x\n      deep\n    E\n", "$y = q{a{b}c} . qq<d$x>; # comment { ' \"\n", "$y = join ' ', qw[a b c];", "$y = \"\\x{41}\\102\\cA\\e\\0\" . '\\n\\'';", "\n=pod\n\ntext {\n\n=cut\n\n$y = 'pod';", "$y = \"$h{a} $h{'b'} @h{'a','b'} $$rh{k} @{[1, 2]} $x->[0] \" if 0;", "$y = \"mail\\@x.org 50% $l[0] $l[-1] $l[$#l] ${x}[0]${x}{a} @{$ra}[0,1] $rh->{l}[0] $rh->{d}->[1]->[1] $x-1 $x->\" . '';", "$y = \"\\LABC\\E\\Udef\\E\\Qa.b\\E\\ughi\";")
}
