package perl

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// refusedTexts are texts with something wrong or left out, and what is said of it.
func refusedTexts() map[string]string {
	return map[string]string{
		// perl's own errors
		"0b12":                              "Illegal binary digit '2'",
		"my $x = 1; $x = ($x;":              "is not closed",
		"1 ? 2;":                            "the ? needs its : behind the first value",
		"1 .. 2 .. 3":                       "syntax error",
		"if 1 { }":                          "a condition stands in parentheses",
		"if () { }":                         "the condition is empty",
		"for my @x (1) { }":                 "a loop variable is a scalar",
		"for my $x 1 { }":                   "the list of a loop stands in parentheses",
		"migrate());":                       "this ) has no (",
		"1 = 2":                             "is no variable; equal is written ==",
		"(1, $x) = 2":                       "is no variable",
		"++5":                               "Can't modify this with ++",
		"5++":                               "Can't modify this with ++",
		"5 =~ s/a/b/":                       "Can't modify this in substitution or transliteration",
		"'a' !~ tr/a/b/r":                   "Using !~ with tr/a/b/r"[:16],
		"undef 5":                           "Can't modify this in undef operator",
		"exists 5":                          "exists argument is not a HASH or ARRAY element",
		"exists @h{1}":                      "exists argument is not a HASH or ARRAY element",
		"delete $x":                         "delete argument is not a HASH or ARRAY element or slice",
		"keys 5":                            "must be a hash or an array",
		"my 5":                              "a variable belongs behind my",
		"my $main::x":                       "Can't use global $x in \"my\"",
		"my Foo $x":                         "a typed declaration",
		"map { 1 }, 2":                      "no comma stands behind the block",
		"map 1 2":                           "map EXPRESSION needs a comma",
		"map()":                             "syntax error",
		"use List::Util qw(first); first 1": "a { block } belongs behind first",
		"use;":                              "use NAME;",
		"use strict 1 2;":                   "a ; is missing",
		"use 5.38.0; 1":                     "Perl v5.38.0 required--this is only v5.36",
		"use 5.010 1;":                      "a ; is missing",
		"use List::Util ($x);":              "must be made of plain words",
		"use List::Util qw(nosuch);":        "List::Util::nosuch is not available",
		"use POSIX qw(:math); use POSIX; floor(1) + nosuch(1)": "Undefined subroutine &main::nosuch",
		"$x = \"${\";":            "Missing right curly",
		"tr/z-a//":                "Invalid range \"z-a\" in transliteration operator",
		"/a/k":                    "Unknown regexp modifier \"/k\"",
		"/a/gc":                   "the modifier /c is not available",
		"/a":                      "Search pattern not terminated",
		"s/a/}/e":                 "syntax error",
		"my @l = (1); @l += 1":    "Can't modify a list with +=",
		"sort nosuch 1, 2":        "Undefined subroutine &main::nosuch",
		"sqrt(1, 2)":              "Too many arguments for sqrt",
		"use strict; my $x = @y;": "Global symbol \"@y\" requires explicit package name",
		"\"$#$ \"":                "a variable's name is missing", "@{": "Missing right curly", "@$5x": "is missing", "$$": "",
		// what is left out
		"sub Foo::f { 1 }": "a sub of another package is not available", "sub f : lvalue { 1 }": "attributes of subs are not available", "sub f;": "a forward declaration",
		"print {*STDOUT} 1": "print to a file handle is not available", "getpwnam('x')": "out of reach", "crypt('a', 'b')": "the function crypt is not available",
		"$x = ${^TAINT}": "the variable $^ is not available", "&CORE::exit()": "&CORE::exit is not available", "shmread(1)": "not available",
		"use bigint;": "use bigint is not available",
		`/\b{wb}/`:    `\b{...} in a pattern is not available`, `/a\Kb/`: `\K in a pattern`, `/\pL/`: `\p in a pattern`, `/\X/`: `\X in a pattern`, `/(a)\g1/`: "a back reference", `/(?<n>a)\k<n>/`: "a back reference",
		`/(*FAIL)/`: "a backtracking verb", `/(?#x/`: "Sequence (?#... not terminated", `/(?>a)/`: "an atomic group", `/(?|a|b)/`: "a branch reset", `/(?(1)a)/`: "a condition", `/(?<1>a)/`: "Group name must start",
		`/(?y)/`: "Sequence (?y...) not recognized", `/(?i/`: "Sequence (? incomplete", `/[\pL]/`: `\p in a class`, `/[\x{100}]/`: "a character beyond", `/[z-a]/`: "Invalid [] range", `/[a\`: "Search pattern not terminated",
		`m'a\'`: "Search pattern not terminated", `/[[:nope:]]/`: "POSIX class [:nope:] unknown", `split("(", $x)`: "Unmatched (", `/a{2}{3}/`: "Nested quantifiers", `/a{1001}/`: "bigger than 1000",
		`/(a{900}){900}/`: "bigger than 1000",
		// hints
		"migrate() if 1 <> 2": "not equal is written !=", "migrate() if $x = > 5": "is the operator written >=", "migrate() if NOT 1": "small letters: not", "my $x = 5 =! 6": "",
		"$hash{a}} = 1;": "Unmatched right curly", "my $x = 1 +;": "a value is missing", "if ($x) { 1 } else { 2 ": "Missing right curly", "while ($x { 1 }": "is not closed",
	}
}

// TestLoad: what else is wrong in a text, or left out, and what is said of it.
func TestLoad(t *testing.T) {
	for code, want := range refusedTexts() {
		got := findings(code)
		if !strings.Contains(got, want) {
			t.Errorf("%q: no %q in\n%s", code, want, got)
		}
		if want != "" && !strings.Contains(got, "error:") || strings.Contains(got, "internal error") {
			t.Errorf("%q: no error in\n%s", code, got)
		}
	}
}

// TestMoreWarnings: those that the host's Check gives (W13 and W14), the hints of W17, and the finer points of the others.
func TestMoreWarnings(t *testing.T) {
	funcs := testFuncs()
	funcs[0].Check = func(lit []Value) string {
		if !lit[0].IsUndef() && lit[0].String() != "cpu" {
			return "unknown resource \"" + lit[0].String() + "\""
		}
		if v := lit[1]; !v.IsUndef() && (!v.IsNumber() || v.Float64() != float64(v.Int64()) || v.Int64() < 1) {
			return "the interval must be a whole number of minutes"
		}
		return ""
	}
	for code, want := range map[string]string{
		"migrate() if max(res('cpux', 5)) > 1":                       `error: unknown resource "cpux"`,                        // W13
		"migrate() if max(res('cpu', 2.5)) > 1":                      "error: the interval must be a whole number of minutes", // W14
		"migrate() if max(res('cpu', 'x')) > 1":                      "error: the interval must be",
		"migrate() if max(res('cpu', 0)) > 1":                        "error: the interval must be",
		"migrate() if 1 OR 2":                                        "small letters: or", // W17
		"migrate() if 5 =< 6":                                        "less or equal is written <=",
		"if (1) { 1 } else if (2) { migrate() }":                     "write elsif",
		"migrate() if $x > 40%;":                                     "write 0.40 or 40 for 40%",
		"if (min(1, 2), max(3)) { migrate() }":                       "[W3] the comma makes a list: only its last part is the condition",
		"my @load = (1); migrate() if $load > 1":                     "[W9] $load is never set (@load is an array: one value of it is $load[0]",
		"my $load = 1; migrate() if @load > 1":                       "[W9] @load is never set ($load is one value, not an array",
		"my %load = (); migrate() if $load > 1":                      "[W9] $load is never set (there is %load",
		"print \"admin@example.com\"; migrate()":                     "[W9] @example is never set (in a string an @ begins an array",
		"my $n = 1; print \"$n's\"; migrate()":                       "[W9] $n::s is never set (in a string the ' belongs to the name: write ${n}'s",
		"my $h; $h = (localtime)[2]; migrate() if $h > 30":           "[W6] $h can never be 30",
		"my (my $s, my $m) = localtime; migrate()":                   "",
		"my ($s, $i) = (localtime)[0, 20]; migrate() if $s > 70":     "",
		"my $i = 1; my ($s) = (localtime)[$i]; migrate() if $s > 70": "",
		"migrate() if 500 < (localtime)[5]":                          "", "migrate() if 2000 <= (localtime)[5]": "[W6]",
		"my $b = 1; my @l = sort { $a <=> $b } 2, 1; migrate()": "[W19]",
	} {
		_, diags := Compile([]byte(code), Position{File: "lbvm.conf"}, funcs)
		text := ""
		for _, d := range diags {
			if d.Code != "" {
				text += "[" + d.Code + "] "
			} else {
				text += d.Severity.String() + ": "
			}
			text += d.Text + " (" + d.Hint + ")\n"
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", code, want, text)
		}
	}
}

// TestHostCalls: how host functions are called, also through references, and what they are told.
func TestHostCalls(t *testing.T) {
	var wants []Want
	var places []string
	funcs := append(testFuncs(), Func{Name: "tell", Max: -1, Call: func(_ Host, c *Call) error {
		wants, places = append(wants, c.Want()), append(places, c.Pos().String())
		c.Return(c.Args()...)
		return nil
	}}, Func{Name: "two", Min: 2, Max: 2, Call: func(_ Host, c *Call) error { c.Return(Int(2)); return nil }})
	run := func(code string) (string, error) {
		prog, diags := Compile([]byte(code), Position{Line: 3, Col: 2}, funcs)
		if prog == nil {
			return "", errors.New(diags[0].String())
		}
		v, err := prog.RunList(context.Background(), Options{Host: &world{}})
		var s []string
		for _, x := range v {
			s = append(s, x.String())
		}
		return strings.Join(s, " "), err
	}
	got, err := run("my $r = \\&tell; my @l = $r->(1, 2); my $s = &$r(3, 4); sub f { &tell } tell(5); (@l, $s, f(6, 7), defined &tell ? 1 : 0, ref $r)")
	if err != nil || got != "1 2 4 6 7 1 CODE" {
		t.Errorf("%q %v", got, err)
	}
	if len(wants) != 4 || wants[0] != WantList || wants[1] != WantScalar || wants[3] != WantList || places[2] != "algorithm:3:73" {
		t.Errorf("%v %v", wants, places)
	}
	for code, want := range map[string]string{
		"my @a = (1); two(@a)": "Not enough arguments for two", "my @a = (1, 2, 3); two(@a)": "Too many arguments for two", "my @a = (1, 2); two(@a)": "",
		"my $r = \\&two; $r->(1)": "Not enough arguments for two", "last; die 'not reached'": "", "sub f { next } f(); die 'not reached'": "", "my $x = (1 and return 5); die": "",
	} {
		_, err := run(code)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestPrint: the separators, the handles, warn and die without a text.
func TestPrint(t *testing.T) {
	for code, want := range map[string]string{
		`local $, = '-'; local $\ = "!"; print 1, 2; print STDOUT 3;`:                                       "1-2!3!",
		`print; print for 1 .. 2; say 'x'; printf("%s|%d\n", 'a', 2); printf STDOUT "%s", 'b'; print(1, 2)`: "12x\na|2\nb12",
		`warn; eval { die "x\n" }; warn; warn "a", "b\n"; print STDERR 'e'`:                                 "Warning: something's wrong at algorithm line 1.\nx\n\t...caught at algorithm line 1.\nab\ne",
		"sub f { f(@_) if $_[0]-- } 1":                                                                      "",
	} {
		if got := evaluateOut(code); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	for code, limit := range map[string]string{
		"print 'x' x 1000000, 'y' x 1000000": "bytes", "my @l = ('x' x 600000) x 2; my $s = \"@l\"": "bytes", "die 'x' x 600000, 'y' x 600000": "bytes",
		"POSIX::strftime('%c' x 100000, localtime)": "bytes", "my @a; unshift @a, 1, 2, 3 while 1": "steps", "my @a = (1) x 60000; splice(@a, 0, 0, @a)": "elements", "my @b; $b[99999] = 1; push @b, 1": "elements",
	} {
		err := evaluateErr(code, Limits{})
		var re *RuntimeError
		if !errors.As(err, &re) || re.Limit != limit {
			t.Errorf("%s: %v, want limit %s", code, err, limit)
		}
	}
}
