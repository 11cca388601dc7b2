package perl

import (
	"fmt"
	"math/rand"
	"strings"
	"sync"
)

// The generator writes random programs of the subset for the engine and the real perl: statements, loops, subs, closures,
// references, regexes, formats, and cells, which are the pairs of an operator and the types of its operands
// (generate_cell_test.go). Program i of a seed is always the same. Loops are bounded, and nothing depends on addresses,
// time or the order of hashes.
//
// Left out is where perl 5.36 itself answers by what happened to a value before, or by the way it optimises; knownQuirks
// in differential_test.go is the table of it.
type generator struct {
	r     *rand.Rand
	cells []cell
	index int // of the program
	depth int
	names int // of fresh variables
	loops int // around the place at hand
	subs  int // bodies around the place at hand
}

// splitMix is a source of random numbers that costs nothing to seed.
type splitMix uint64

func (s *splitMix) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *splitMix) Int63() int64 { return int64(s.Uint64() >> 1) }
func (s *splitMix) Seed(v int64) { *s = splitMix(v) }

// randomProgram writes program index of a seed. cells are those of allCells.
func randomProgram(cells []cell, seed int64, index int) string {
	mix := splitMix(seed)
	mix = splitMix(mix.Uint64() + uint64(index)*0x632be59bd9b4e019)
	g := &generator{r: rand.New(&mix), cells: cells, index: index}
	return g.program()
}

// rareCells are the cells of operators whose operands are often of another type, or not worked out at all: every third
// program walks through one more of them.
var rareCells = sync.OnceValue(func() []int {
	var rare []int
	for k, c := range allCells() {
		switch c.op.name {
		case ">=", ">>", "<=", "<<", "oct", "?:", "/=":
			rare = append(rare, k)
		}
	}
	return rare
})

// cellsPerProgram is how many cells each program walks through, so that all are reached again and again in turn.
const cellsPerProgram = 5

func (g *generator) pick(list ...string) string { return list[g.r.Intn(len(list))] }
func (g *generator) one(n int) bool             { return g.r.Intn(n) == 0 }
func (g *generator) num(n int) string           { return fmt.Sprint(g.r.Intn(n)) }

// fresh is a name that no other variable of the program has.
func (g *generator) fresh() string {
	g.names++
	return fmt.Sprintf("p%d", g.names)
}

func (g *generator) program() string {
	var b strings.Builder
	strict := g.one(8)
	if strict {
		b.WriteString("use strict; ")
	}
	if g.one(6) {
		b.WriteString(g.pick("use feature 'say'; ", "use List::Util qw(sum first reduce uniq); ", "use POSIX qw(floor ceil); ", "no warnings; ", "use 5.010; "))
	}
	b.WriteString("my ($o, $nothing) = (''); my ($x, $y, $z, $u, @l, @m, %h, $i, $j, $k, $ra, $rh, $rs, $rc); our ($g, @g, %g) = (4); ($ra, $rh) = ([], {}); ($x, $y, $z, $u) = (" + g.number() + ", " + g.str() + ", " + g.number() + "); @l = (" + g.items(4) + "); @m = (" + g.items(3) +
		"); %h = (a => " + g.number() + ", b => " + g.str() + ", " + g.pick("c", "'x y'", "1.0", "01", "-d") + " => 3);\n")
	b.WriteString("$ra = [1, " + g.str() + ", 23]; $rh = { k => " + g.number() + ", l => [4, 5], d => [0, [2, 3]], n => { m => 6 } }; $rs = \\$z;" +
		" $rc = sub { my $v = shift; " + g.pick("$v", "$k += 1; $k", "$v . 'c'", "($v, 2)", "@_ + 0", "wantarray ? 'l' : 's'") + " };\n")
	g.subs++
	b.WriteString("sub f1 { my ($p, @r) = @_; $p = 0 unless defined $p; return " + g.pick("$p + @r", "@r", "wantarray ? @r : $p", "$r[-1]", "($p, 2, 3)", "") + " }\n")
	if g.one(2) {
		b.WriteString("sub f2 { my ($p, $q) = @_; " + g.subBody() + " }\n")
	} else {
		b.WriteString("sub f2 { " + g.pick("scalar @_", "$_[0]", "pop", "shift", "my $c = $_[0] . ''; $c++; $c", "return unless @_; $_[0] . $_[-1]", "my %o = (k => 1, @_ % 2 ? () : @_); join ',', map { $_ . ($o{$_} // 'u') } sort keys %o",
			"use feature 'state'; state $s = 5; $s++", "our $g; $g .= 'g'; $g", "local $_ = $_[0]; tr/a-z//; $_", "$_[0] > 0 ? f2($_[0] > 3 ? 3 - 1 : int($_[0]) - 1) : 'end'", "@_ = (1, 2); @_") + " }\n")
	}
	g.subs--
	for n := 1 + g.r.Intn(4); n > 0; n-- {
		b.WriteString(g.statement() + "\n")
	}
	if g.cells == nil {
		g.cells = allCells()
	}
	var last []int
	for k := g.index * cellsPerProgram; k < (g.index+1)*cellsPerProgram; k++ {
		if c := g.cells[k%len(g.cells)]; c.right == typeUnsigned && strings.Contains(c.op.name, "x") && c.op.name != "xor" { // it ends at a limit
			last = append(last, k)
			continue
		}
		b.WriteString(g.cellStatement(k) + "\n")
	}
	if rare := rareCells(); g.index%3 == 0 && len(g.cells) > rare[len(rare)-1] {
		b.WriteString(g.cellStatement(rare[g.index/3%len(rare)]) + "\n")
	}
	for _, k := range last {
		b.WriteString(g.cellStatement(k) + "\n")
	}
	b.WriteString("($o, $x, $y, $z, $u, \"@l\", \"@m\", join(',', map { \"$_=\" . (defined $h{$_} ? $h{$_} : 'u') } sort keys %h), $k, $g, \"@g\", " + g.expr() + ")")
	if strict { // a text in place of a reference dies there when it is read, too
		return strings.ReplaceAll(b.String(), "$h{b}[$x]", "$h{b}-[$x]")
	}
	return b.String()
}

// subBody is what stands in a sub behind its arguments $p and $q.
func (g *generator) subBody() string {
	g.depth += 2
	defer func() { g.depth -= 2 }()
	body := g.pick("", "$p = '' unless defined $p; ", "return $q if defined $q && $q eq 'x'; ", "for my $e (1 .. 3) { return $e if $e == 2 } ", "my $in = sub { $p }; $p = $in->(); ", "wantarray or return 'sc'; ") +
		g.pick("return "+g.expr(), g.expr(), "if ($p) { "+g.expr()+" } else { 'else' }", "unless ($p) { 'u' } else { "+g.expr()+" }", "($p, "+g.expr()+")", "my @t = ("+g.list()+"); @t", "return ("+g.list()+")", "return", "eval { return "+g.expr()+"; 5 }")
	// a sub that calls itself would never end
	return strings.NewReplacer("(1..4)", "(1, 2, 3, 4)", "('a' .. 'd')", "('a', 'd')", "f2(", "f1(", "$rc->(", "f1(", "&$rc(", "f1(", "&{$rc}(", "f1(").Replace(takesNothing(body))
}

func (g *generator) number() string {
	switch g.r.Intn(6) {
	case 0:
		return fmt.Sprint(g.r.Intn(20) - 5)
	case 1:
		return fmt.Sprintf("%.*f", g.r.Intn(4)+1, g.r.Float64()*100-30)
	case 2:
		return g.literal(operandType(g.r.Intn(int(typeFloat) + 1)))
	case 3:
		return fmt.Sprint(g.r.Intn(1000))
	}
	return fmt.Sprint(g.r.Intn(10))
}

func (g *generator) str() string {
	switch g.r.Intn(4) {
	case 0:
		return g.literal(g.anyOf(typeNumeric, typePrefix, typeText, typeEmpty))
	case 1:
		return g.pick("\"v$x\"", "\"@l[0,1]-$l[0]\"", "\"$h{a}$y\"", "\"$ra->[1]$$rh{k}\"", "\"${x}y\"", "\"@{[ $x ]}\"", "\"\\U$y\\E$y\"", "\"\\x41\\t$x\\n\"", "qq{<$y>}", "\"$#l\"", "\"$l[-1]$l[$#l]\"", "\"$rh->{l}[1]\"")
	}
	return g.pick("'abc'", "'3abc'", "''", "'0'", "'0.0'", "'1e3'", "' 5 '", "'a9'", "'Zz'", "'zz'", "'10'", "'9'", "'-foo'", "'0 but true'", "'0x10'", "q(it's)", "'aabb'",
		"'node1.example'", "\"a b  c\"", "\"x\\ty\"", "'a,b,,c,,'", "'Hello World'", "\"line\\n\"", "\"l1\\nl2\\n\"", "'a=1; b=22'")
}

func (g *generator) items(n int) string {
	var s []string
	for i := g.r.Intn(n + 1); i > 0; i-- {
		if g.one(2) {
			s = append(s, g.number())
		} else {
			s = append(s, g.str())
		}
	}
	return strings.Join(s, ", ")
}

func (g *generator) scalarVar() string {
	return g.pick("$x", "$y", "$z", "$u", "$l[0]", "$l[1]", "$l[-1]", "$h{a}", "$h{b}", "$h{zz}", "$m[$i || 0]", "$$rs", "$ra->[0]", "$rh->{d}[1][1]", "$rh->{k}", "$$rh{l}[0]", "$rh->{n}{m}", "$g", "$g[0]", "$main::g", "$k", "${$ra}[1]", "@$ra[1]", "$l[$#l]")
}

// target is a variable to assign to.
func (g *generator) target() string {
	return g.pick("$x", "$y", "$z", "$u", "$l[0]", "$l[2]", "$h{a}", "$h{n}", "$$rs", "$ra->[0]", "$rh->{k}", "$g", "$g[1]", "$g{q}", "${$rs}", "$l[-1 - $#l]", "$h{'x y'}")
}
