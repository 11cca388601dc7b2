package perl

import (
	"strings"
	"testing"
)

func findings(code string) string {
	_, diags := Compile([]byte(code), Position{File: "lbvm.conf", Line: 10, Col: 1, VM: "201"}, testFuncs())
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.Format())
	}
	return b.String()
}

// TestManual: the original manual prints broken examples. Each must get a diagnosis a tired administrator can act on.
func TestManual(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       []string
	}{
		{"example 1, one ) short", "if ((average(res('cpu',5)) > 0.70)\n{\n   migrate();\n}",
			[]string{"lbvm.conf:10:4: error: syntax error: the ( opened in line 10, column 4 is not closed", `near "{" in line 11`, "    if ((average(res('cpu',5)) > 0.70)\n       ^\n"}},
		{"1.3.1, misplaced )", "if ( min(res('cpu', 5) > 0.50 ) {\n    # x\n}",
			[]string{"lbvm.conf:10:4: error: syntax error: the ( opened in line 10, column 4 is not closed"}},
		{"example 3, 0800", "my ($sec,$min,$hour) = localtime(time);\nif ($hour >= 0800 && $hour <= 1800)\n{\n   migrate();\n}",
			[]string{"lbvm.conf:11:14: error: Illegal octal digit '8' in 0800", "a leading 0 means octal in Perl, and $hour is 0..23: write $hour >= 8, or ($hour*100+$min) >= 800",
				"lbvm.conf:11:31: warning: $hour can never be 1800"}},
		{"1.2.1, lost arguments", "if ( $hour >= 0800 && $hour <= 1800 &&  &&  )\n{\n    migrate();\n}",
			[]string{"lbvm.conf:10:15: error: Illegal octal digit '8'", "lbvm.conf:10:41: error: syntax error near \"&&  )\"", "a value is missing before this"}},
	} {
		got := findings(c.code)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", c.name, w, got)
			}
		}
	}
}

// TestErrors: what is no program, and what the message must say.
func TestErrors(t *testing.T) {
	for code, want := range map[string]string{
		"migrate( ;":                             "syntax error",
		"if ($x > 5 { migrate(); }":              "the ( opened in line 10, column 4 is not closed",
		"my $x = ; ":                             "a value is missing",
		"my $x = \"abc; migrate();":              "Can't find string terminator '\"' anywhere before EOF",
		"if (1) { migrate();":                    "Missing right curly",
		"migrate(); }":                           "Unmatched right curly bracket",
		"my $x = 5 5;":                           "an operator or a ; is missing",
		"my $x = 1\nmy $y = 2;":                  "is a ; missing at the end of the line before?",
		"elseif (1) { }":                         "elsif",
		"if (1) { 1 } elseif (2) { 3 }":          "write elsif",
		"if (1) { 1 } else if (2) { 3 }":         "write elsif",
		"if (1 > 0) migrate();":                  "braces are required",
		"my $h = 5; if ($h =< 7) { migrate(); }": "less or equal is written <=",
		"my $h = 5; if ($h <> 7) { migrate(); }": "not equal is written != for numbers",
		"my $x = 50; migrate() if $x > 40% ;":    "write 0.40 or 40 for 40%",
		"migrate() if 1 AND 1;":                  "small letters: and",
		"1 <=> 2 <=> 3":                          "two comparisons in a row",
		"nosuch(1)":                              "Undefined subroutine &main::nosuch called",
		"use strict; $y = 1;":                    "Global symbol \"$y\" requires explicit package name",
		"use strict; my $x = foo;":               "Bareword \"foo\" not allowed",
		"'a' =~ /(/":                             "Unmatched (",
		"'a' =~ /[a/":                            "Unmatched [",
		"'a' =~ /a**/":                           "Nested quantifiers",
		"'a' =~ /*a/":                            "Quantifier follows nothing",
		"0x":                                     "No digits found for hexadecimal literal",
		"res('cpu')":                             "Not enough arguments for res",
		"res('cpu', 5, 6)":                       "Too many arguments for res",
		"push 5, 6":                              "must be an array",
		"my ($x = 5":                             "is not closed",
		"5 = 6":                                  "the left side of = is no variable",
		"sub average { 1 }":                      "would replace the balancer's own function",
		strings.Repeat("(", 300):                 "nested too deeply",
		strings.Repeat("- ", 500) + "1":          "nested too deeply",
		strings.Repeat("if (1) {", 300):          "nested too deeply",
		"'" + strings.Repeat("x", 10) + "' =~ m/" + strings.Repeat("a", 5000) + "/": "a pattern of more than 4096 bytes",
	} {
		got := findings(code)
		if !strings.Contains(got, want) || !strings.Contains(got, "error:") {
			t.Errorf("%.60q: no %q in\n%s", code, want, got)
		}
	}
}

// TestRefused: what reaches out of the rule, and what is left out, is named.
func TestRefused(t *testing.T) {
	for code, what := range map[string]string{
		"`id`": "running a command", "qx(echo hi)": "running a command", "system('true')": "the function system", "exec 'x'": "the function exec",
		"fork": "the function fork", "open(my $f, '<', 'x')": "the function open", "my $l = <STDIN>": "reading a file", "my @f = </etc/*>": "reading a file",
		"-e '/etc/passwd'": "the file test -e", "$ENV{TZ}": "the variable %ENV", "$SIG{ALRM} = 1": "the variable %SIG", "@INC": "the variable @INC",
		"unlink('x')": "the function unlink", "kill(0, 1)": "the function kill", "sleep(1)": "the function sleep", "exit 0;": "the function exit",
		"eval \"1\"": "eval of a string", "do 'x.pl'": "do FILE", "require Foo;": "the function require", "use Socket;": "use Socket", "use integer;": "use integer",
		"package Foo;": "package", "BEGIN { 1 }": "BEGIN blocks", "sub f(\\@) { 1 }": "prototypes and signatures", "goto X;": "the function goto", "redo;": "the function redo",
		"1 ~~ 2": "the smart match", "my $x = 'a'; $x->foo": "the method call", "Foo->bar": "the method call", "bless {}": "the function bless", "tie my $x, 'X'": "the function tie",
		"pack('A', 1)": "the function pack", "pos($x)": "the function pos", "local $x = 1": "local", "&{'report'}()": "a symbolic reference",
		"$x->@*": "postfix dereference", "*foo = 1": "a glob", "1..3 if 2..4": "flip-flop", "'aa' =~ /(.)\\1/": "a back reference", "/a(?=b)/": "a look-ahead",
		"/(?<=a)b/": "a look-behind", "/a++/": "a possessive quantifier", "/\\Ga/": "\\G", "/(?{1})/": "code (?{...})", "/(?R)/": "a recursion", "s/a/b/ee": "s///ee",
		"(1 ? $a : $b) = 9": "?: on the left", "print FH 1": "the file handle FH", "use utf8;": "use utf8", "given (1) { }": "given", "format STDOUT =": "format",
		"my $x = sort 3, 1": "sort where one value is wanted", "1 if sort(3, 1) > 2": "sort where one value is wanted", "use constant A => 1;": "use constant", "use constant { A => 1 };": "use constant",
		"$x->%*": "postfix dereference", "$x->$#*": "postfix dereference", "/\\p{L}/": "\\p", "caller": "the function caller", "tie my %h, 'X'": "the function tie", "fc('x')": "the function fc",
		"sub f :lvalue { 1 }": "attributes of subs", "dbmopen(%h, 'x', 0)": "the function dbmopen", "s/a/b/ee;": "s///ee", "@ARGV": "the variable @ARGV", "$/": "the variable $/",
		"$! + 1": "the variable $!", "select(undef,undef,undef,1)": "the function select", "alarm 5": "the function alarm", "syscall(1)": "the function syscall",
	} {
		got := findings(code)
		if !strings.Contains(got, what) || !strings.Contains(got, "not available in algorithms") || !strings.Contains(got, "lbvm.conf:10:") {
			t.Errorf("%q: no %q in\n%s", code, what, got)
		}
		_, diags := Compile([]byte(code), Position{}, testFuncs())
		for _, d := range diags {
			if strings.Contains(d.Text, "not available in algorithms") && d.Hint == "" {
				t.Errorf("%q: nobody says what to write instead: %s", code, d)
			}
		}
	}
}

// TestRefusedFunctions: all that the language leaves out is known by name, and none is refused without a word of advice.
func TestRefusedFunctions(t *testing.T) {
	for _, name := range strings.Fields("system exec fork wait waitpid kill alarm sleep times syscall open close opendir readdir read sysread write stat lstat unlink rename " +
		"mkdir rmdir chmod chown link symlink chdir chroot umask utime glob fcntl ioctl pipe select socket connect accept exit require dbmopen tie tied untie bless dump reset " +
		"study vec prototype lock caller evalbytes pack unpack pos redo goto crypt fc msgget semget shmget getpwnam gethostbyname getlogin") {
		if hint, refused := refusedFunctions(name); !refused || hint == "" {
			t.Errorf("%s: refused %v, %q", name, refused, hint)
		}
		if prog, _ := Compile([]byte(name+"(1)"), Position{}, testFuncs()); prog != nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestSortedLists: a sub that gives what it has sorted may be called for a list.
func TestSortedLists(t *testing.T) {
	for code, want := range map[string]string{
		"sub f { sort { $b <=> $a } @_ } join ',', f(1, 3, 2)":                                  "3,2,1",
		"sub f { return wantarray ? sort(@_) : 5 } my $x = f(2, 1); \"$x\" . join ',', f(2, 1)": "51,2",
		"(sort 3, 1)[0] + (my ($y) = sort 5, 4)":                                                "3",
		"scalar(my @s = sort 3, 1, 2)":                                                          "3",
	} {
		if o := scalarOutcome(code); len(o.values) != 1 || o.values[0] != want {
			t.Errorf("%s: %v", code, o)
		}
	}
}

// TestWarnings: one trap for each of the warnings, and a rule that has none.
func TestWarnings(t *testing.T) {
	hours := "my ($sec,$min,$hour,$mday,$mon,$year,$wday) = localtime(time);\n"
	for _, c := range []struct{ code, id, text string }{
		{"migrate() if min(res('cpu',5) > 0.5)", "W1", "write min(res('cpu',5)) > 0.5"},
		{"if (average(res('cpu',5)) => 0.7) { migrate() }", "W2", "greater or equal is written >="},
		{"migrate() if average(res('cpu',5)) > 0,7", "W3", "a decimal point is a point"},
		{"my $x = 1; if ($x = 5) { migrate() }", "W4", "equal is written =="},
		{"migrate() if res('cpu',5) > 0.5", "W5", "the oldest"},
		{"my @cpu = res('cpu',5); migrate() if @cpu > 0.5", "W5", "@cpu counts its values"},
		{hours + "migrate() if $hour >= 800", "W6", "$hour can never be 800"},
		{hours + "migrate() if $min > 59 || $wday == 7", "W6", "the day of the week is 0..6, Sunday is 0"},
		{hours + "migrate() if $year == 2026", "W6", "counted from 1900"},
		{"migrate() if (localtime)[2] > 24", "W6", "the hour is 0..23"},
		{"my ($h, $w) = (localtime)[2,6]; migrate() if 1800 <= $h", "W6", "$h can never be 1800"},
		{"migrate() if average(res('ram',5)) > 01000", "W7", "01000 is octal: it means 512"},
		{"my $cpu = 1; migrate() if cpu > 0.5", "W8", "write $cpu"[6:]},
		{"my $limit = 1; migrate() if $limits > 0.5", "W9", "$limits is never set"},
		{"my $h = 9; migrate() if $h > 8 & $h < 18", "W10", "write &&"},
		{"my @cpu = res('cpu',3); migrate() if @cpu[0] > 1", "W11", "write $cpu[0]"},
		{"my $x = 5;", "W12", "neither migrate() nor report() occurs"},
		{"my $n = 'x'; migrate() if $n == 'node1'", "W15", "strings are compared with eq"},
		{"my $n = 1; migrate() if $n eq 1", "W15", "numbers are compared with =="},
		{"my $h = 9; migrate() if 8 <= $h <= 18", "W16", "write 8 <= $h && $h <= 18"},
		{"my @s = sort(res('cpu',5)); migrate()", "W18", "10 comes before 9"},
		{"my $a = 1; my @s = sort { $a <=> $b } 3, 2; migrate()", "W19", "hides it"},
	} {
		prog, diags := Compile([]byte(c.code), Position{File: "lbvm.conf"}, testFuncs())
		found := false
		for _, d := range diags {
			if d.Severity == Warning && d.Code == c.id && strings.Contains(d.String(), c.text) {
				found = true
			}
		}
		if !found || prog == nil {
			t.Errorf("%s: no %s %q in %v", c.code, c.id, c.text, diags)
		}
	}
	if _, diags := Compile([]byte("migrate() if min(res('cpu',5) > 0.5)"), Position{}, testFuncs()); len(diags) != 1 {
		t.Errorf("one mistake has one warning: %v", diags)
	}
	for _, clean := range []string{
		"if (average(res('cpu',5)) > 0.70)\n{\n   migrate();\n}",
		hours + "if ((average(res('cpu',5)) > 0.60 && min(res2('ram',2)) > 512) &&\n    ($hour >= 8 && $hour <= 20))\n{\n   migrate();\n}",
		"my @cpu = res('cpu', 3);\nmigrate() if @cpu >= 3 && average(@cpu) > 0.50 && $cpu[0] > $cpu[1];",
		"our $limit; migrate() if defined $limit;",
		"our $n; $n++; my %h = (a => 1); for my $k (sort keys %h) { report() if $h{$k} == 1 }",
		hours + "migrate() if $hour < 24 && $mon == 11;",
	} {
		if _, diags := Compile([]byte(clean), Position{File: "lbvm.conf"}, testFuncs()); len(diags) > 0 {
			t.Errorf("%s: %v", clean, diags)
		}
	}
}

// TestCheck: the host looks at the literal arguments; inside eval its word is a warning.
func TestCheck(t *testing.T) {
	funcs := testFuncs()
	funcs[0].Check = func(lit []Value) string {
		if !lit[0].IsUndef() && lit[0].String() != "cpu" {
			return "unknown resource \"" + lit[0].String() + "\""
		}
		return ""
	}
	prog, diags := Compile([]byte("migrate() if max(res('cpux', 5)) > 1"), Position{}, funcs)
	if prog != nil || len(diags) != 1 || diags[0].Severity != Error || diags[0].Text != `unknown resource "cpux"` {
		t.Errorf("%v %v", prog, diags)
	}
	prog, diags = Compile([]byte("migrate() if eval { max(res('cpux', 5)) }"), Position{}, funcs)
	if prog == nil || len(diags) != 1 || diags[0].Severity != Warning {
		t.Errorf("in eval: %v %v", prog, diags)
	}
	if prog, diags = Compile([]byte("my $r = 'x'; migrate() if max(res($r, 5))"), Position{}, funcs); prog == nil || len(diags) > 0 {
		t.Errorf("no literal: %v", diags)
	}
}

func TestSprintfWritesNothing(t *testing.T) {
	if o := scalarOutcome("my $x; sprintf('ab%n', $x)"); !strings.Contains(o.err, "%n in sprintf is not available in algorithms") {
		t.Errorf("%v", o)
	}
}
