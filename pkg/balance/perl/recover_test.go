package perl

import (
	"fmt"
	"strings"
	"testing"
)

// errorsIn gives the places and the begins of the errors' texts.
func errorsIn(code string) []string {
	_, diags := Compile([]byte(code), Position{File: "f"}, testFuncs())
	var all []string
	for _, d := range diags {
		if d.Severity == Error {
			all = append(all, fmt.Sprintf("%d:%d %s", d.Pos.Line, d.Pos.Col, d.Text))
		}
	}
	return all
}

// TestAllErrors: each broken statement is told once, and what follows an error only because of it is not.
func TestAllErrors(t *testing.T) {
	for _, c := range []struct {
		code string
		want []string // places
	}{
		{"my $x = ;\nmy $y = 5 5;\nmy $z = 1;\nmigrate() if nosuch(1);", []string{"1:9", "2:11", "4:14"}},
		{"if ((average(res('cpu',5)) > 0.70)\n{\n  my $x = ;\n  migrate();\n}\nreport( ;\nmigrate();", []string{"1:4", "3:11", "6:9"}},
		{"if ($x > 5 { my $y = 1 +; migrate() }\nmy $z = 2 2;", []string{"1:4", "1:25", "2:11"}},
		{"my ($h) = (localtime)[2];\nif ($h >= 0800 && && ) { migrate( } ; }\nreport() if 1 1;", []string{"2:11", "2:19", "2:35", "3:15"}},
		{"if (1) { 1 } else if (2) { my $x = ; } elsif (3) { 5 5 } else { 6 6 }", []string{"1:19", "1:36", "1:54", "1:67"}},
		{"migrate( my $x = 1;\nfor (1; 2 { 3 3 }\nreport(;", []string{"1:8", "2:11", "2:15", "3:8"}},
		{"if (1) { 1 } elseif (2) { ) }", []string{"1:14", "1:27"}},
		{"my $x = 1\nmy $y = 2\nif ($y) { 7 7 }", []string{"2:1", "3:9"}},
		{"for (my $i = 0; $i < ; $i++) { 1 1 }\nmy $x = 5 5;", []string{"1:22", "1:34", "2:11"}},
		{"while ($x =< 5) { 1 1 }\nfor my $i (1..3 { 2 2 }\n;;", []string{"1:12", "1:21", "2:11", "2:21"}},
		{"sub broken { my $x = ; return $x }\nmy $y = broken(1) + 1 1;\nbroken(3);", []string{"1:22", "2:23"}},
		{"sub lost ( { 1 }\nlost(1);", []string{"1:10"}},
		{"use strict; my ($x = 5; $x = 2; my $q = 1 1;", []string{"1:16", "1:43"}},
		{"`id`; system('x'); my $f = <STDIN>; package Foo; sleep 1;", []string{"1:1", "1:7", "1:28", "1:37", "1:50"}},
		{"{ { { migrate(); ", []string{"1:5"}},
		{"my $x = 'abc;\nmy $y = ;\n", []string{"1:9"}},
		{"my $x = 5; }\n}\nmy $y = 6 6;", []string{"1:12", "3:11"}},
		{"my %h = (a => 1, b => );\nmy @l = map { $_ + } 1..3;\nmy $s = \"@{[ 1 + ]}\"; my $t = $h{;\nmy $u = 1 1;", []string{"2:20", "3:18", "3:34"}},
		{"my $r = sub { 1 1; 2 2; };\n$r->(;", []string{"1:17", "1:22", "2:6"}},
		{"s/a/1 1/e; my $x = 2 2;", []string{"1:7", "1:22"}},
	} {
		got := errorsIn(c.code)
		var places []string
		for _, g := range got {
			p, _, _ := strings.Cut(g, " ")
			places = append(places, p)
		}
		if strings.Join(places, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s\n got %s\nwant %s", c.code, strings.Join(got, "\n     "), c.want)
		}
	}
	for _, code := range []string{"my $x = ;\nmy $z = $y;", "my $y = 1 +;\nif ($y) { 1 1 }", "sub f { ; report( }\nuse strict; $q = 1;"} {
		if got := findings(code); strings.Contains(got, "never set") || strings.Contains(got, "neither") || strings.Contains(got, "Global symbol") {
			t.Errorf("%s: a follower in\n%s", code, got)
		}
	}
	if got := errorsIn(strings.Repeat("my $x = ;\n", 1000)); len(got) != maxErrors {
		t.Errorf("%d errors are told of 1000", len(got))
	}
}

// TestHeredocs: all forms, with what perl says of a line that begins otherwise.
func TestHeredocs(t *testing.T) {
	for code, want := range map[string]string{
		"my $x = 'V'; my @l = (1, 2); print <<A . <<\"B\" . <<'C';\na $x\nA\n@l\nB\n$x\nC\n":               "a V\n1 2\n$x\n",
		"my $x = 'V'; print <<~A, <<~'B';\n    a $x\n      b @{[1 +\n    1]}\n\n    A\n\t$x\n\t  y\n\tB\n": "a V\n  b 2\n\n$x\n  y\n",
		"print <<~A;\n  x\n   A\n":                      "error: Indentation on line 1 of here-doc doesn't match delimiter",
		"print <<A;\nx\n":                               "error: Can't find string terminator \"A\" anywhere before EOF",
		"print <<\"A B\";\r\nx\r\nA B\r\nprint 1 << 2;": "x\r\n4",
	} {
		got := evaluateOut(code)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}

// evaluateOut gives what a program printed, or its error.
func evaluateOut(code string) string {
	o := scalarOutcome(code)
	if o.err != "" {
		return "error: " + strings.TrimPrefix(o.err[strings.Index(o.err, "error: ")+1:], "rror: ")
	}
	return o.stdout
}

// TestSymbolic: a variable that holds nothing but texts is refused as a reference when the rule is loaded; others say so when they run.
func TestSymbolic(t *testing.T) {
	for code, want := range map[string]string{
		"my $f = 'migrate'; &$f();":                       "compile: algorithm:1:20: error: a symbolic reference is not available in algorithms (the variable holds a text: write the function itself",
		"$f = 'migrate'; $f->(1);":                        "a symbolic reference is not available",
		"my $n = 'cpu'; my @l = @$n;":                     "a symbolic reference is not available in algorithms (the variable holds a text: write the variable",
		"my $n; $n = 'cpu'; $n = \"a$n[0]\"; $$n[0] = 1;": "a symbolic reference is not available",
		"my $n = 'cpu'; $n = [1] if !time; @$n":           "Can't use string (\"cpu\") as an ARRAY ref: symbolic references are not available in algorithms",
		"my $n = 'cpu'; my $x = $n . 1; %$n":              "Can't use string (\"cpu\") as a HASH ref",
		"my $n = 'cpu'; my $x = $n . 1; $$n":              "Can't use string (\"cpu\") as a SCALAR ref",
		"my $n = 'migrate'; my $x = $n . 1; &$n()":        "Can't use string (\"migrate\") as a subroutine ref",
		"my $n = [1]; $n->()":                             "Not a CODE reference", "my $n = {}; @$n": "Not an ARRAY reference",
		"my $n; my $r = sub { 1 }; $n = 'x'; $n = $r; $n->()": "", "my $x; $x->[0] = 1; $x = 'text'; 1": "", "for (1, 2) { $x = 'a' if $_ > 1; @$x = (1) if $_ < 2 }": "",
	} {
		if got := scalarOutcome(code).err; !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
}
