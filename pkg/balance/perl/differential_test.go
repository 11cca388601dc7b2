package perl

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

var (
	programs = flag.Int("perl.programs", 10000, "random programs to compare with perl")
	seed     = flag.Int64("perl.seed", 20261121, "seed of the random programs")
)

// driver evaluates programs that come in hex, one a line, and answers in hex: values, then the error.
const driver = `
use strict; no warnings; $| = 1;
my @lines = <STDIN>; close STDIN; my $n = 0;
while (defined(my $line = shift @lines)) {
    chomp $line; $n++;
    my $code = pack('H*', $line);
    my @r; my $err;
    { no strict; local $SIG{ALRM} = sub { die "TIMEOUT\n" }; alarm 2;
      $code =~ s/\bf1\b/"f1_$n"/ge;
      @r = eval "package main; no strict; no warnings;\n#line 1 \"algorithm\"\n$code"; $err = $@; alarm 0; }
    print join('|', map { defined $_ ? 'v' . unpack('H*', ref $_ ? ref $_ : "$_") : 'u' } @r), "\t", unpack('H*', $err), "\n";
}
`

// TestAgainstPerl runs random programs through the engine and through the real perl.
func TestAgainstPerl(t *testing.T) {
	path := real.Need(t, "perl")
	version, err := exec.Command(path, "-e", `printf "perl %vd\n", $^V`).Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s%d programs; repeat with: go test ./pkg/balance/perl -run TestAgainstPerl -perl.seed=%d -perl.programs=%d", version, *programs, *seed, *programs)
	t.Logf("pinned: PERL_HASH_SEED=0, TZ=UTC, LC_ALL=C")
	g := &generator{r: rand.New(rand.NewSource(*seed))}
	var codes []string
	for i := 0; i < *programs; i++ {
		codes = append(codes, g.program())
	}
	answers := askPerl(t, path, codes)
	bad, failed := 0, 0
	for i, code := range codes {
		want, wantErr := answers[i].values, answers[i].err
		got := evaluate(code, &world{}, time.Unix(0, 0), time.UTC, Limits{})
		if got.err != "" {
			failed++
		}
		if strings.HasPrefix(got.err, "limit:") {
			continue
		}
		if strings.HasPrefix(got.err, "compile:") && wantErr != "" {
			continue // both refuse it, each in its own words
		}
		if errorClass(got.err) == wantErr && strings.Join(got.values, "\x00") == strings.Join(want, "\x00") {
			continue
		}
		if bad++; bad <= 15 {
			t.Errorf("program %d:\n%s\n  got %q %q\n perl %q %q", i, code, got.values, got.err, want, wantErr)
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d differ", bad, len(codes))
	}
	if failed > len(codes)/2 {
		t.Errorf("%d of %d programs died: the generator tests too little", failed, len(codes))
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// answer is what perl made of a program.
type answer struct {
	values []string // "<undef>" for undef
	err    string   // without its place
}

// askPerl evaluates programs in the real perl.
func askPerl(t *testing.T, path string, codes []string) []answer {
	t.Helper()
	var in bytes.Buffer
	for _, code := range codes {
		fmt.Fprintf(&in, "%x\n", code)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-e", driver)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PERL_HASH_SEED=0"}
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(codes) {
		t.Fatalf("%d answers to %d programs", len(lines), len(codes))
	}
	answers := make([]answer, len(lines))
	for i, line := range lines {
		values, perlErr, _ := strings.Cut(line, "\t")
		answers[i].err = errorClass(unhex(t, perlErr))
		if values == "" {
			continue
		}
		for _, v := range strings.Split(values, "|") {
			if v == "u" {
				answers[i].values = append(answers[i].values, "<undef>")
			} else {
				answers[i].values = append(answers[i].values, unhex(t, v[1:]))
			}
		}
	}
	return answers
}
