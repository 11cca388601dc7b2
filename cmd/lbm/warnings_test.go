package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
)

// TestWarningsByNumber: each trap of the rule language is told by lbm check, where a rule is put in place, and by lbm eval,
// where it is tried. W13, W14 and W17 are errors: with them a rule could never do what was meant.
func TestWarningsByNumber(t *testing.T) {
	const hour = "my ($sec, $min, $hour, $mday, $mon, $year, $wday) = localtime(time); "
	b := recorded(t)
	b.write(t, "gfs/lbresources.conf", "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\n")
	for _, n := range []string{x2, x3} { // lbm check looks whether they are heard of
		if err := host.WriteFacts(filepath.Join(b.root, "gfs"), host.Facts{Member: n, Boot: "boot", At: b.clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, c := range []struct{ number, code, want string }{
		{"W1", "migrate() if min(res('cpu', 5) > 0.50);", "write min(res('cpu', 5)) > 0.50"},
		{"W2", "migrate() if (average(res('cpu', 5)) => 0.70);", "greater or equal is written >="},
		{"W3", "migrate() if max(res('cpu', 5)) > 0,7;", "a decimal point is a point"},
		{"W4", "my $h = 1; migrate() if ($h = 8);", "equal is written =="},
		{"W5", "migrate() if res('cpu', 5) > 0.70;", "the oldest, is compared"},
		{"W5", "my @c = res('cpu', 5); migrate() if @c > 0.7;", "@c counts its values"},
		{"W6", hour + "migrate() if $hour >= 800;", "$hour can never be 800"},
		{"W6", hour + "migrate() if $min > 60;", "$min can never be 60"},
		{"W6", hour + "migrate() if $sec == 75;", "$sec can never be 75"},
		{"W6", hour + "migrate() if $mday == 32;", "$mday can never be 32"},
		{"W6", hour + "migrate() if $mon == 12;", "$mon can never be 12"},
		{"W6", hour + "migrate() if $wday == 7;", "$wday can never be 7"},
		{"W6", hour + "migrate() if $year == 2026;", "counted from 1900"},
		{"W7", "migrate() if average(res('ram', 5)) > 01000;", "01000 is octal: it means 512"},
		{"W8", "my $cpu = 1; migrate() if cpu > 0.5;", "cpu"},
		{"W9", "my $load = 1; migrate() if $laod > 0.5;", "$laod is never set"},
		{"W10", "my $h = 9; migrate() if $h > 8 & $h < 18;", "write &&"},
		{"W10", "my $h = 9; migrate() if $h < 8 | $h > 18;", "write ||"},
		{"W11", "my @c = res('cpu', 5); migrate() if @c[0] > 0.7;", "write $c[0]"},
		{"W12", "my $x = average(res('cpu', 5));", "neither migrate() nor report() occurs"},
		{"W13", "migrate() if max(res('cpus', 5)) > 0.5;", `unknown resource "cpus" (lbresources.conf has: cpu ram)`},
		{"W14", "migrate() if max(res('cpu', 0)) > 0.5;", "minutes"},
		{"W14", "migrate() if max(res('cpu', 2.5)) > 0.5;", "minutes"},
		{"W14", "migrate() if max(res2('cpu', 'x')) > 0.5;", "minutes"},
		{"W15", "migrate() if 'on' == 1;", "strings are compared with eq"},
		{"W15", "my $n = 1; migrate() if $n eq 1;", "numbers are compared with =="},
		{"W16", "my $h = 9; migrate() if 8 <= $h <= 18;", "write 8 <= $h && $h <= 18"},
		{"W17", "migrate() if 1 AND 2;", "small letters: and"},
		{"W17", "migrate() if 1 OR 2;", "small letters: or"},
		{"W17", "migrate() if max(res('cpu', 5)) =< 1;", "<="},
		{"W17", "migrate() if max(res('cpu', 5)) <> 1;", "!="},
		{"W17", "if (1) { report() } else if (2) { migrate() }", "elsif"},
		{"W17", "if (1) { report() } elseif (2) { migrate() }", "elsif"},
		{"W17", "migrate() if max(res('cpu', 5)) > 40%;", "write 0.40 or 40 for 40%"},
		{"W18", "my @s = sort(res('cpu', 5)); migrate() if $s[0] > 9;", "10 comes before 9"},
		{"W19", "my $a = 1; my @s = sort { $a <=> $b } 3, 2; migrate() if $s[0];", "hides it"},
	} {
		seen[c.number] = true
		mark, fails, checked := "["+c.number+"]", 0, exitWarnings
		switch c.number {
		case "W13", "W14", "W17":
			mark, fails, checked = "error: ", exitFailed, exitFailed
		}
		told := func(tool, text string) {
			t.Helper()
			for _, want := range []string{mark, c.want, ":", "^\n"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s %s: %s\nno %q in\n%s", tool, c.number, c.code, want, text)
				}
			}
		}
		b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance 101;\ndefault {\n    algorithm {\n        "+c.code+"\n    }\n}\n")
		if code := b.lbm("check"); code != checked {
			t.Errorf("lbm check ends with %d, not %d: %s", code, checked, c.code)
		}
		told("lbm check", b.out.String())
		code := b.lbm("eval", "--target", x2, c.code)
		if fails != 0 && code != fails {
			t.Errorf("lbm eval ends with %d, not %d: %s", code, fails, c.code)
		}
		told("lbm eval", b.errors.String())
	}
	if len(seen) < 19 {
		t.Errorf("only %d of the 19 numbers are tried", len(seen))
	}
}

// An expression on the command line is no rule: nobody expects it to ask for anything.
func TestExpressionsAskForNothing(t *testing.T) {
	b := newBench(t, nil)
	f := fixtureFile(t)
	if code := b.lbm("eval", "--fixture", f, "average(res('cpu', 5))"); code != 0 || b.errors.Len() > 0 {
		t.Errorf("%d %s", code, b.errors.String())
	}
	b.stdin = strings.NewReader("average(res('cpu', 5))")
	if code := b.lbm("eval", "--fixture", f, "-"); code != 0 || !strings.Contains(b.errors.String(), "[W12]") {
		t.Errorf("%d %s", code, b.errors.String())
	}
}
