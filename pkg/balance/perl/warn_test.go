package perl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// warnDriver evaluates programs in hex under use warnings and answers with the warnings of each in hex.
const warnDriver = `
use strict; no warnings; $| = 1;
my @lines = <STDIN>; close STDIN;
for my $line (@lines) {
    chomp $line;
    my $code = pack('H*', $line);
    my @w;
    { no strict; local $SIG{__WARN__} = sub { push @w, $_[0] };
      eval "package main; no strict; use warnings;\n#line 1 \"algorithm\"\n$code"; push @w, $@ if $@ }
    print unpack('H*', join('', @w)), "\n";
}
`

// TestWarningTexts compares what use warnings says at run time with the real perl, line by line and in its order.
func TestWarningTexts(t *testing.T) {
	path := real.Need(t, "perl")
	b, err := os.ReadFile("testdata/warnings.pl")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	var in bytes.Buffer
	for _, code := range regexp.MustCompile(`(?m)^#.*\n`).Split(string(b), -1) {
		if code = strings.TrimSpace(code); code != "" {
			codes = append(codes, code)
			fmt.Fprintf(&in, "%x\n", code)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-e", warnDriver)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PERL_HASH_SEED=0"}
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(codes) {
		t.Fatalf("%d answers to %d programs", len(answers), len(codes))
	}
	count := 0
	for i, code := range codes {
		var want []string
		for _, line := range strings.SplitAfter(unhex(t, answers[i]), "\n") {
			// what perl says of the text itself is the business of the warnings W1 to W19
			if line != "" && !strings.Contains(line, "in void context") && !strings.Contains(line, "better written") {
				want = append(want, line)
			}
		}
		count += len(want)
		if got := warned("use warnings;" + code); got != strings.Join(want, "") {
			t.Errorf("%s\n got %s\nperl %s", code, got, strings.Join(want, ""))
		}
		if got := warned(code); got != "" {
			t.Errorf("%s: without use warnings: %s", code, got)
		}
	}
	if count < 120 {
		t.Errorf("only %d warnings", count)
	}
	if got := warned("my $u; { use warnings; my $x = $u + 1; no warnings; $x = $u + 2; } my $y = $u + 3; use warnings;\n$y = $u + 4; sub f { $_[0] + 1 } f(); use v5.36; my $z = 1 + $u"); strings.Count(got, "addition") != 4 || !strings.Contains(got, "line 2") {
		t.Errorf("the scope of the pragma: %s", got)
	}
}

// warned gives what a program writes as warnings.
func warned(code string) string {
	prog, diags := Compile([]byte(code), Position{File: "algorithm"}, testFuncs())
	if prog == nil {
		return fmt.Sprint(diags)
	}
	var out, warn strings.Builder
	if _, err := prog.Run(context.Background(), Options{Host: &world{}, Out: &out, Warn: &warn}); err != nil {
		return err.Error()
	}
	return warn.String()
}
