package perl

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMemory: whatever a program makes and keeps, the process holds no more than the limit says, and some room for the machine.
func TestMemory(t *testing.T) {
	const limit, room = 16 << 20, 8 << 20
	var base, most uint64
	turns := 0
	look := func() {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		if held := s.HeapAlloc - min(base, s.HeapAlloc); held > most {
			most = held
		}
	}
	var names []string
	for i := 0; i < 60; i++ {
		names = append(names, fmt.Sprint("$v", i))
	}
	manyVars := strings.Join(names, ", ")
	funcs := append(testFuncs(), Func{Name: "turn", Max: 1, Call: func(Host, *Call) error {
		if turns++; turns&(turns-1) == 0 || turns%20000 == 0 {
			look()
		}
		return nil
	}})
	for _, code := range []string{
		"my @l; while (1) { turn(); push @l, 'x' x 10000 }",
		"my @l; while (1) { turn(); push @l, [1..10] }",
		"my $x; while (1) { turn(); $x = [$x, $x] }",
		"my %h; while (1) { turn(); $h{rand()} = {a => 1} }",
		"my (%h, $i); while (1) { turn(); $h{$i++ . 'x' x 5000} = 1 }",
		"my @l; while (1) { turn(); my $n = 1; push @l, sub { $n++ } }",
		"my (@l, $s); $s = 'a' x 100000; while (1) { turn(); $s++; push @l, $s }",
		"my (@l, $s, $z); $s = 'a' x 100000; $z = 'b' x 10; while (1) { turn(); push @l, $s | $z, ~$s, -$s }",
		"my (@l, $s); $s = 'a' x 100000; while (1) { turn(); push @l, uc $s, ucfirst $s, scalar reverse($s), quotemeta $s }",
		"my (@l, $s); $s = 'a' x 100000; while (1) { turn(); (my $c = $s) =~ tr/a/b/; (my $d = $s) =~ s/a$/b/; push @l, $c, $d, \"$s$s\", $s . 'x', join('', $s, 1), sprintf('%s', $s) }",
		"my (@l, $s); while (1) { turn(); my $c = 'y' x 1000; $c .= 'x' x 100 for 1..20; push @l, $c }",
		"my (@l, $s); $s = 'a' x 900; while (1) { turn(); push @l, [$s . 'aa' .. $s . 'zz'] }",
		"my @l; while (1) { turn(); my $r = rand(); push @l, qr/a$r(b|c){9}/ }",
		"my @l; my $f = 'x' x 9000; while (1) { turn(); push @l, POSIX::strftime($f, localtime), scalar localtime }",
		"sub f { turn(); my @a = (1) x 50; my %h = (a => 1); f(@_, 1) } f()",
		"sub f { turn(); return ('x' x 100000) . f() } f()",
		"my @l; while (1) { turn(); my $s = 'ab' x 10; $s =~ /b/g; push @l, \\$s }",
		"my @l; while (1) { turn(); 'abc' =~ /(?<n>b)/; push @l, {%+}, [@-] }",
		"my @l; while (1) { turn(); $#l += 100 }",
		"my (%h, $i); while (1) { turn(); $h{$i++} = 1 }",
		"my (@l, $s, $z); $s = 'a' x 100000; $z = 'b' x 100000; while (1) { turn(); push @l, $s | $z }",
		"my (@l, $s); $s = 'a' x 100000; while (1) { turn(); push @l, ++$s }",
		"my (@l, $p); $p = 'y' x 1000; while (1) { turn(); my $c = 'x' x 200; $c .= $p for 1..100; push @l, $c }",
		"my @l; my (" + manyVars + ") = 1; while (1) { turn(); push @l, sub { (" + manyVars + ") } }",
		"my @l; sub g { my (" + manyVars + ") = @_; \\$v1 } while (1) { turn(); push @l, g() }",
		"my @l; while (1) { turn(); my ($q, $r, @s, %t); push @l, \\$q, \\@s, \\%t }",
		"my @l; while (1) { turn(); unshift @l, map { $_ } 1..20; splice(@l, 3, 1, 'a', 'b') }",
	} {
		prog, diags := Compile([]byte(code), Position{}, funcs)
		if prog == nil {
			t.Fatal(code, diags)
		}
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		base, most, turns = s.HeapAlloc, 0, 0
		_, err := prog.Run(context.Background(), Options{Now: time.Unix(1195668661, 0), Limits: Limits{Memory: limit, Steps: 100_000_000, Elements: 10_000_000, Time: 10 * time.Minute}})
		var re *RuntimeError
		if !errors.As(err, &re) || re.Limit != "memory" && re.Limit != "depth" && !strings.Contains(code, "unshift") {
			t.Errorf("%s: %v", code, err)
		}
		if most > limit+room {
			t.Errorf("%s: held %d MiB of %d", code, most>>20, limit>>20)
		}
	}
}

// TestNesting: deep expressions in deep recursion are stopped before the calls alone would be.
func TestNesting(t *testing.T) {
	calls := 0
	funcs := append(testFuncs(), Func{Name: "turn", Call: func(Host, *Call) error { calls++; return nil }})
	prog, diags := Compile([]byte("sub f { turn(); "+strings.Repeat("1+", 1900)+"f() } f()"), Position{}, funcs)
	if prog == nil {
		t.Fatal(diags)
	}
	var re *RuntimeError
	if _, err := prog.Run(context.Background(), Options{}); !errors.As(err, &re) || re.Limit != "depth" || calls > 50 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestSourceLimits: a hostile text does not exhaust the compiler either.
func TestSourceLimits(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{strings.Repeat("1+", 100_000) + "1", "nested too deeply"},
		{"my $x = 1; " + strings.Repeat("$x or ", 30_000) + "1", "nested too deeply"},
		{"my $x = 1; $x" + strings.Repeat("[0]", 50_000), "nested too deeply"},
		{"my $x = 1; $x" + strings.Repeat("->{a}", 40_000), "nested too deeply"},
		{"if (1) { } " + strings.Repeat("elsif (2) { } ", 10_000), ""},
		{"my $x = \"$x" + strings.Repeat("[0]", 50_000) + "\"", "nested too deeply"},
		{strings.Repeat("sub { ", 1000), "nested too deeply"}, {strings.Repeat("[", 1000), "nested too deeply"}, {strings.Repeat("{;", 1000), "nested too deeply"},
		{strings.Repeat("my $x = [", 1000), "nested too deeply"}, {strings.Repeat("!", 1000) + "1", "nested too deeply"}, {strings.Repeat("$", 1000) + "x", "nested too deeply"},
		{strings.Repeat("\"@{[", 300) + strings.Repeat("]}\"", 300), ""}, {strings.Repeat("1 ? 2 : ", 1000) + "3", "nested too deeply"}, {strings.Repeat("2**", 1000) + "3", "nested too deeply"},
		{strings.Repeat("$x = ", 1000) + "3", "nested too deeply"}, {strings.Repeat("not ", 1000) + "3", "nested too deeply"}, {strings.Repeat("- ", 1000) + "3", "nested too deeply"},
		{"my $x; " + strings.Repeat("++(", 60) + "$x" + strings.Repeat(")", 60), "too involved"},
		{"my $x; " + strings.Repeat("(", 25) + "$x" + strings.Repeat(" = 1)", 25) + " = 2", "too involved"},
		{strings.Repeat("x", 300<<10), "limit: an algorithm of more than"}, {"/((a{30}){30}){30}/", "bigger than 1000"}, {"/" + strings.Repeat("[a-z]{1000}", 30) + "/", "counts or keeps too much"},
		{"/" + strings.Repeat("(a)*", 900) + "/", "counts or keeps too much"}, {strings.Repeat("/[a-z]{900}(x)(y)(z)/;", 900), "too large together"},
	} {
		before := processorTime(t)
		prog, diags := Compile([]byte(c.code), Position{}, testFuncs())
		text := ""
		for _, d := range diags {
			text += d.Text + "\n"
		}
		if !strings.Contains(text, c.want) || c.want != "" && prog != nil || strings.Contains(text, "internal") {
			t.Errorf("%.40s: no %q in %.300s", c.code, c.want, text)
		}
		if d := processorTime(t) - before; d > 5*time.Second {
			t.Errorf("%.40s: %v", c.code, d)
		}
	}
	// what is as deep as it may be compiles and runs
	if err := evaluateErr("my $x = 1; $x = "+strings.Repeat("$x+", maxHeight-20)+"1; my $y = "+strings.Repeat("(", 35)+"1"+strings.Repeat(")", 35), Limits{}); err != nil {
		t.Error(err)
	}
}
