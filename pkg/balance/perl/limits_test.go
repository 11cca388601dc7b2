package perl

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestLimits: what would never end, or would fill the machine, is stopped, and no eval hides it.
func TestLimits(t *testing.T) {
	for code, limit := range map[string]string{
		"while (1) { }": "steps", "1 while 1": "steps", "for (;;) { }": "steps", "eval { while (1) { } } while 1": "steps",
		"do { } while 1": "steps", "L: { next L while 0; } my $i = 0; until ($i < 0) { $i++ }": "steps",
		"sub f { f() } f()": "depth", "my $f; $f = sub { $f->() }; $f->()": "depth", "sub f { eval { f() } } f()": "depth",
		"my $s = 'x' x 1e9": "bytes", "my $s = 'x'; $s .= $s while 1": "bytes", "my $s = 'ab'; $s = \"$s$s\" for 1..100": "bytes",
		"my $s = sprintf('%2000000d', 1)": "bytes", "my $s = join('x' x 1000, 1..10000)": "bytes", "my $s = 'a' x 1000000; $s =~ s/a/aaaa/g": "bytes",
		"my @a = 1..1e9": "elements", "my @a = (1) x 1e7": "elements", "my @a; $a[1e9] = 1": "elements", "my @a; $#a = 1e9": "elements",
		"my @a = (1, 2); @a = (@a, @a) while 1": "elements", "my @a; push @a, 1, 2, 3 while 1": "elements", "my %h; my $i = 0; $h{$i++} = 1 while 1": "elements",
		"my @a = map { ($_) x 1000 } 1..1000": "elements", "my @x; for my $i (1..1000) { push @x, [1..1000] }": "steps",
		"print 'x' x 100 for 1..1000": "output", "my @a = split(//, 'x' x 200000)": "elements",
		"my @l; push @l, 'x' x 1000000 while 1": "memory", "my $x; $x = [$x, [1..50]] while 1": "steps", "my $s = ''; $s .= 'x' while 1": "steps",
		"my $s = 'x' x 1000; $s .= $s while 1": "bytes", "sprintf('%.2000000f', 1/3)": "bytes", "sprintf('%*d', 1 << 40, 1)": "bytes", "sprintf('%vd' x 100, ('x' x 1000000) x 100)": "bytes",
		"my @a; push @a, \\my @b while 1": "elements", "my $x; $x = \\my $y and $$x = $x while 1": "steps",
		"my @l = map { substr('a' x 1000000, $_) } 1..100": "memory", "my $s = 'a' x 1000000; my @l = map { substr($s, $_) } 1..50000; @l = sort @l": "steps",
		"sub f { return (" + strings.Repeat("1,", 2000) + " f()) } my @l = f()":             "elements",
		"sub f { " + strings.Repeat("1+(", 35) + "f()" + strings.Repeat(")", 35) + " } f()": "depth",
		"sub f { " + strings.Repeat("1+", 1900) + "f() } f()":                               "depth", "my @a = sort { f() } 1, 2; sub f { my @b = sort { f() } 1, 2; 1 }": "depth",
	} {
		before := processorTime(t)
		got := evaluateErr(code, Limits{Time: time.Minute}) // on a busy machine, too, it is the other limit that ends it
		var re *RuntimeError
		if !errors.As(got, &re) || re.Limit != limit {
			t.Errorf("%s: %v, want limit %s", code, got, limit)
		}
		if d := processorTime(t) - before; d > 8*time.Second {
			t.Errorf("%s: took %v", code, d)
		}
	}
}

// TestHardPattern: RE2 needs no backtracking, and the clock is looked at between searches.
func TestHardPattern(t *testing.T) {
	before := processorTime(t)
	err := evaluateErr("my $s = 'a' x 1000000; $s =~ /(a*)*(b*)*(c?a?)*d/ for 1..1000", Limits{})
	if d := processorTime(t) - before; err == nil || d > 8*time.Second {
		t.Errorf("%v after %v", err, d)
	}
	if err := evaluateErr("('x' x 900000) =~ /"+strings.Repeat("(a|b|c)*", 200)+"d/", Limits{}); err == nil {
		t.Error("a large pattern on a large text is not limited")
	}
}

// TestTimeIsKept: where one operator reads a long text, the clock is looked at often enough, and a pattern that would
// hold the machine for longer than a rule may run is not begun. Measured is the processor's time: others may use it, too.
func TestTimeIsKept(t *testing.T) {
	const limit, late = 200 * time.Millisecond, 800 * time.Millisecond
	for _, code := range []string{
		"my $s = '1' x 900000; while (1) { my $n = $s + 1 }",
		"my $s = '9' x 900000; while (1) { my $n = $s == 1 }",
		"my $s = '0.' . '1' x 900000; while (1) { my $n = int($s) }",
		"my $s = ''; $s .= '1' x 1000 for 1..900; 1 while $s + 1",
		"my $s = '" + strings.Repeat("1", 200_000) + "'; while (1) { my $n = $s + 1 }",
		"my $s = 'x' x 900000; while (1) { my $n = index($s, 'xy') }",
		"('a' x 900000) =~ /" + strings.Repeat("(a|b|c)*", 65) + "d/",
		"('a' x 900000) =~ /" + strings.Repeat("a*", 200) + "d/",
		"('a' x 900000) =~ /(a{1,100}){1,8}d/",
		"('a' x 300000) =~ /(?:a?){900}d/",
		"my $s = 'a' x 900000; $s =~ s/(?:a?){300}d//g",
		"my @l = split /(?:a?){300}d/, 'a' x 900000",
		"my $s = 'a' x 100000; $s =~ /(a+)+(a+)+(a+)+b/ while 1",
		"my $s = 'a' x 1000; $s =~ /(a|b|ab)*c/ while 1",
		"my $s = 'a' x 300000; my $n = () = $s =~ /a(.*z)?/g",
		"my $x = 2; $x = 1.0000001 ** 1.5 ** 1.000003 while 1",
	} {
		before := processorTime(t)
		err := evaluateErr(code, Limits{Time: limit})
		if took := processorTime(t) - before; err == nil || took > limit+late {
			t.Errorf("%.70s: %v after %v", code, err, took)
		}
	}
}

// processorTime is what the tests have used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func evaluateErr(code string, lim Limits) error {
	prog, diags := Compile([]byte(code), Position{}, testFuncs())
	if prog == nil {
		return errors.New(diags[0].String())
	}
	_, err := prog.Run(context.Background(), Options{Host: &world{}, Limits: lim})
	return err
}

func TestLimitsAreSet(t *testing.T) {
	if err := evaluateErr("my $i = 0; $i++ while $i < 50; $i", Limits{Steps: 100}); err != nil {
		t.Error(err)
	}
	if err := evaluateErr("my $i = 0; $i++ while $i < 150; $i", Limits{Steps: 100}); err == nil || !strings.Contains(err.Error(), "more than 100 steps") {
		t.Error(err)
	}
	err := evaluateErr("while (1) { }", Limits{Steps: 1 << 30, Time: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "out of time") {
		t.Error(err)
	}
}

// TestWhoseLimit: the error of a limit names the VM, the node and the loop or call that was under way; eval does not catch it.
func TestWhoseLimit(t *testing.T) {
	for code, want := range map[string]string{
		"my $i = 0;\n\n  while (1) { $i++ }":            "lbvm.conf:12:3: algorithm of VM xen:web on node n2: limit: more than 1000 steps",
		"sub f {\n f() }\neval { f() }; migrate()":      "lbvm.conf:11:2: algorithm of VM xen:web on node n2: limit: more than 20 nested calls",
		"my $s = 'x';\n$s .= $s for 1..100; 1":          "lbvm.conf:11:1: algorithm of VM xen:web on node n2: limit: more than 5000 bytes in one string",
		"my @l; for (;;) { push @l, 'x' x 1000 }":       "lbvm.conf:10:8: algorithm of VM xen:web on node n2: limit: more than 100000 bytes of values made",
		"for (1..10) {\n print 'x' x 1000 }":            "lbvm.conf:10:1: algorithm of VM xen:web on node n2: limit: more than 4000 bytes of output",
		"my @l = map { migrate(); (1) x 100 } 1..3; 1;": "lbvm.conf:10:15: algorithm of VM xen:web on node n2: limit: more than 200 elements in one list",
	} {
		prog, diags := Compile([]byte(code), Position{File: "lbvm.conf", Line: 10, VM: "default"}, testFuncs())
		if prog == nil {
			t.Fatal(code, diags)
		}
		o := Options{Host: &world{}, VM: "xen:web", Node: "n2", Limits: Limits{Steps: 1000, Bytes: 5000, Memory: 100_000, Elements: 200, Depth: 20, Output: 4000}}
		if _, err := prog.Run(context.Background(), o); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", code, err, want)
		}
	}
	prog, _ := Compile([]byte("while (1) { }"), Position{File: "lbvm.conf", VM: "web"}, nil)
	if _, err := prog.Run(context.Background(), Options{}); err == nil || err.Error() != "lbvm.conf:1:1: algorithm of VM web: limit: more than 1000000 steps" {
		t.Error(err)
	}
}

func TestContext(t *testing.T) {
	prog, _ := Compile([]byte("while (1) { }"), Position{}, testFuncs())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := prog.Run(ctx, Options{}); err == nil {
		t.Error("a cancelled context is not seen at the begin")
	}
	ctx, cancel = context.WithCancel(context.Background())
	seen := 0
	funcs := append(testFuncs(), Func{Name: "stop", Call: func(Host, *Call) error { seen++; cancel(); return nil }})
	prog, diags := Compile([]byte("stop(); while (1) { }"), Position{}, funcs)
	if prog == nil {
		t.Fatal(diags)
	}
	if _, err := prog.Run(ctx, Options{Limits: Limits{Steps: 1 << 30}}); err == nil || seen != 1 {
		t.Errorf("%v, %d", err, seen)
	}
}

// TestParallel: one program, many goroutines, each with its own data.
func TestParallel(t *testing.T) {
	prog, diags := Compile([]byte(`my @l = res('cpu', 3); my %h; $h{$_}++ for @l; our $n; $n += $_ for @l; $n =~ /(\d+)/; "$1 " . join(",", sort keys %h)`),
		Position{}, testFuncs())
	if prog == nil {
		t.Fatal(diags)
	}
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := int64(g)
			w := &world{data: map[string]map[string][]Value{"1": {"cpu": {Int(x), Int(x + 1), Int(x + 2)}}}}
			want := Int(3*x+3).String() + " " + Int(x).String() + "," + Int(x+1).String() + "," + Int(x+2).String()
			for i := 0; i < 500; i++ {
				v, err := prog.Run(context.Background(), Options{Host: w})
				if g := v.String(); err != nil || x < 8 && g != want {
					t.Errorf("%d: %q %v, want %q", x, g, err, want)
					return
				}
			}
		}()
	}
	wg.Wait()
}

// TestFreshRuns: nothing of a run is left for the next, also after one that died.
func TestFreshRuns(t *testing.T) {
	for _, code := range []string{
		"our $n; $n++; my $m; $m++; my @a; push @a, 1; our %h; $h{x}++; our @g; push @g, 1; \"$n$m@a$h{x}@g\"",
		"my $x if 0; our $n; my $r = defined $x || defined $n ? 'old' : 'new'; $x = 1; $n = 1; for my $y (1) { $y; die 'x' if $_ } $r",
		"my $s = sub { my $k = shift; $k + 1 }; our $z; $z .= $s->(1); $z",
		"sub f { my $k; $k++; my @l = (@_, $k); \"@l\" } our $q; $q .= f(1) . f(2); $q",
	} {
		prog, diags := Compile([]byte(code), Position{}, testFuncs())
		if prog == nil {
			t.Fatal(code, diags)
		}
		first, err := prog.Run(context.Background(), Options{Host: &world{}})
		for i := 0; i < 5; i++ {
			again, err2 := prog.Run(context.Background(), Options{Host: &world{}})
			if err != nil || err2 != nil || again.String() != first.String() {
				t.Errorf("%s: %v %v, then %v %v", code, first, err, again, err2)
			}
		}
	}
}

func TestTrace(t *testing.T) {
	f := readOracle(t)
	prog, diags := Compile([]byte("if (average(res('cpu',5)) > 0.70 && 1 < 2)\n{ migrate() }"), Position{File: "lbvm.conf", Line: 7, Col: 3}, testFuncs())
	if prog == nil {
		t.Fatal(diags)
	}
	var tr Trace
	if _, err := prog.Run(context.Background(), Options{Host: f.world(), Trace: &tr}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range tr.Steps {
		b.WriteString(s.Source + " | " + s.Text + " | " + s.Result + "\n")
	}
	want := `res('cpu',5) | res('cpu', 5) | 0.91 0.85 0.72 0.66 0.61
average(res('cpu',5)) | average(res('cpu',5)) | 0.75
average(res('cpu',5)) > 0.70 | 0.75 > 0.70 | true
1 < 2 | 1 < 2 | true
average(res('cpu',5)) > 0.70 && 1 < 2 | true && true | true
migrate() | migrate() | 1
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if s := tr.Steps[0]; s.Line != 7 || s.Col != 15 || s.EndLine != 7 || s.EndCol != 27 || s.Kind != Called {
		t.Errorf("step at %d:%d to %d:%d", s.Line, s.Col, s.EndLine, s.EndCol)
	}
	if s := tr.Steps[2]; s.Kind != Compared || strings.Join(s.Operands, "|") != "0.75|0.70" {
		t.Errorf("%+v", s)
	}
}

// TestTraceSteps: each comparison, match and logical operator leaves its operands and its result, wherever it stands.
func TestTraceSteps(t *testing.T) {
	for code, want := range map[string]string{
		"my $h = 9; if (8 <= $h && $h < 18 || !$h) { 1 }":                                         "8 <= 9 → true; 9 < 18 → true; true && true → true; true || ... → true",
		"my $h = 9; if ($h < 8 and $h < 18) { 1 } 2":                                              "9 < 8 → false; false and ... → false",
		"my ($x, $y) = (0, 'a'); my $z = $x || $y; my $u = $y && $x; 3":                           "0 || 'a' → 'a'; 'a' && 0 → 0",
		"my $x; my $z = $x // 5; my $w = ($z xor 1); 3":                                           "undef // 5 → 5; true xor true → false",
		"my $h = 3; if (1 < $h < 5) { 1 } my $c = 2 <=> $h; my $d = 'a' cmp 'b'; 1":               "1 < 3 → true; 3 < 5 → true; 2 <=> 3 → -1; 'a' cmp 'b' → -1",
		"my $s = 'node1'; if ($s =~ /^n(\\w+)/ and $s !~ /x/) { 1 } 2":                            "'node1' =~ /^n(\\w+)/ → true; 'node1' !~ /x/ → true; true and true → true",
		"my $i = 1; if ($i == $i++) { 1 } 2":                                                      "2 == 1 → false",
		"my $i = 1; $i == 1 or return 5; $i == 2 and return 6; 7":                                 "1 == 1 → true; true or ... → true; 1 == 2 → false; false and ... → false",
		"my $i = 1; my @l = ($i == 1 && (1, 2)); 1":                                               "1 == 1 → true; true && ... → true",
		"my $i = 'a'; sub f { $_[0] eq 'a' or return 1; } unless (f($i)) { 1 } $i ne 'b' ? 1 : 2": "'a' eq 'a' → true; true or ... → true; not true → false; 'a' ne 'b' → true",
		"my $n = 5; 0.70 < $n; $n < 1e3; $n != 010; $n < 0x10; $n < 1_000; $n == '5.0'; -1.50 < $n; 1": "0.70 < 5 → true; 5 < 1e3 → true; 5 != 8 → true; 5 < 16 → true; 5 < 1000 → true; " +
			"5 == 5.0 → true; -1.50 < 5 → true",
		"sub f { shift =~ /^a/ ? \"@_\" : 'no' } f('a', 'b')": "'a' =~ /^a/ → true",
		"my $s = 'aa'; my $n = 0; $n++ while $s =~ /a/g; 1":   "'aa' =~ /a/g → true; 'aa' =~ /a/g → true; 'aa' =~ /a/g → false",
	} {
		prog, diags := Compile([]byte(code), Position{}, testFuncs())
		if prog == nil {
			t.Fatal(code, diags)
		}
		var tr Trace
		v, err := prog.Run(context.Background(), Options{Host: &world{}, Trace: &tr})
		plain, plainErr := prog.Run(context.Background(), Options{Host: &world{}})
		if err != nil || plainErr != nil || v.String() != plain.String() {
			t.Errorf("%s: %v %v with a trace, %v %v without", code, v, err, plain, plainErr)
		}
		var got []string
		for _, s := range tr.Steps {
			got = append(got, s.Text+" → "+s.Result)
			if s.EndCol <= s.Col || s.Line != 1 || s.EndLine != 1 || len(s.Operands) == 0 {
				t.Errorf("%s: %+v", code, s)
			}
		}
		if g := strings.Join(got, "; "); g != want {
			t.Errorf("%s\n got %s\nwant %s", code, g, want)
		}
	}
	prog, _ := Compile([]byte("my $i = 0; 1 while $i++ < 20000; my $s = 'x' x 1000; $s eq $s"), Position{}, testFuncs())
	var tr Trace
	if _, err := prog.Run(context.Background(), Options{Trace: &tr}); err != nil || len(tr.Steps) != maxTraceSteps || tr.Dropped != 10_002 {
		t.Errorf("%v, %d steps, %d dropped", err, len(tr.Steps), tr.Dropped)
	}
}

func TestDeterministic(t *testing.T) {
	for code, want := range map[string]bool{
		"migrate() if 1": true, "my $x = rand(5)": false, "print 1": false, "warn 'x'": false, "srand(1)": false, "sub f { rand } 1": false,
		"use List::Util qw(shuffle); my @x = shuffle(1,2)": false,
	} {
		prog, diags := Compile([]byte(code), Position{}, testFuncs())
		if prog == nil || prog.Deterministic() != want {
			t.Errorf("%s: want %v %v", code, want, diags)
		}
	}
}

func TestRuntimeError(t *testing.T) {
	prog, _ := Compile([]byte("my $n = 0;\nmy $x = 1 +\n   5 / $n;"), Position{File: "lbvm.conf", Line: 20, Col: 5}, testFuncs())
	_, err := prog.Run(context.Background(), Options{})
	var re *RuntimeError
	if !errors.As(err, &re) || re.Pos.Line != 22 || re.Pos.Col != 4 || re.Text != "Illegal division by zero at lbvm.conf line 21.\n" {
		t.Errorf("%#v", err)
	}
	cause := errors.New("no data for cpu on n2")
	funcs := []Func{{Name: "res", Min: 0, Max: -1, Call: func(Host, *Call) error { return cause }}}
	prog, _ = Compile([]byte("res('cpu')"), Position{}, funcs)
	if _, err = prog.Run(context.Background(), Options{}); !errors.Is(err, cause) || !strings.Contains(err.Error(), "no data for cpu on n2") {
		t.Errorf("%v", err)
	}
	funcs[0].Call = func(Host, *Call) error { panic("broken host") }
	prog, _ = Compile([]byte("res('cpu')"), Position{}, funcs)
	if _, err = prog.Run(context.Background(), Options{}); err == nil || !strings.Contains(err.Error(), "internal error: broken host") {
		t.Errorf("%v", err)
	}
}
