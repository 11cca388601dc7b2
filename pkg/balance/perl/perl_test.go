package perl

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// driver evaluates programs that come in hex, one a line, and answers each in hex: values, error, output, warnings, actions
// and whether the program was refused. Each begins with the package as it was.
const driver = `
use strict; no warnings;
use IO::Handle (); use List::Util (); use Scalar::Util (); use POSIX ();
BEGIN {
    *CORE::GLOBAL::time = sub () { 1195668661 };
    *CORE::GLOBAL::localtime = sub (;$) { CORE::localtime(@_ ? $_[0] : 1195668661) };
    *CORE::GLOBAL::gmtime = sub (;$) { CORE::gmtime(@_ ? $_[0] : 1195668661) };
}
sub Driver::code { package main; no strict; no warnings; eval shift }
package Driver;
my %DATA = (
    1 => { cpu => [0.91, 0.85, 0.72, 0.66, 0.61, 0.4], ram => [256, 300, 310], load => ['1.50', '1.25'] },
    2 => { cpu => [0.1, 0.12, 0.4], ram => [2048, 1900, 700], load => ['0.10', '0.05', '0.00'] },
);
my @actions;
sub series {
    my ($n, $name, $k) = @_;
    die "unknown resource \"$name\"" unless $DATA{$n}{$name};
    my @d = @{$DATA{$n}{$name}};
    $k = @d if $k > @d;
    return @d[0 .. $k - 1];
}
{
    no strict; no warnings;
    sub main::res { series(1, @_) }
    sub main::res2 { series(2, @_) }
    sub main::min { my $b = shift; for (@_) { my ($x, $y) = ($_, $b); $b = $_ if $x < $y } $b }
    sub main::max { my $b = shift; for (@_) { my ($x, $y) = ($_, $b); $b = $_ if $x > $y } $b }
    sub main::average { return undef unless @_; my $s = 0; $s += $_ for @_; $s / @_ }
    sub main::meridian { my @s = sort { $a <=> $b } @_; return undef unless @s; @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2 }
    sub main::migrate { push @actions, 'migrate'; 1 }
    sub main::report { push @actions, 'report'; 1 }
}
my %keep = map { $_ => 1 } keys %main::;
my $kept = keys %keep;
my ($out, $err) = ('', '');
open(my $stdout, '>&', \*STDOUT) or die; $stdout->autoflush(1); close STDERR; open(STDERR, '>', \$err) or die;
while (defined(my $line = <STDIN>)) {
    chomp $line;
    my $code = pack('H*', $line);
    ($out, $err, @actions) = ('', '');
    close STDOUT; open(STDOUT, '>', \$out) or die; seek(STDERR, 0, 0); select(STDOUT);
    my ($e, $refused, @r);
    {
        local ($_, $main::a, $main::b, $, , $\, $@); local $" = ' '; local $SIG{ALRM} = sub { die "TIMEOUT\n" };
        our $ran = 0;
        alarm 2;
        @r = Driver::code("package main; no strict; no warnings; use feature qw(say state); \$Driver::ran = 1;\n#line 1 \"algorithm\"\n$code");
        $e = $@; alarm 0; $refused = !$ran;
    }
    if (keys %main:: > $kept) {
        no strict 'refs';
        for (grep { !$keep{$_} && !/::$/ } keys %main::) { delete $main::{$_} }
    }
    print $stdout join('|', map { defined $_ ? 'v' . unpack('H*', ref $_ ? ref $_ : "$_") : 'u' } @r), "\t", unpack('H*', ref $e ? ref $e : $e),
        "\t", unpack('H*', $out), "\t", unpack('H*', $err), "\t", join(',', @actions), "\t", $refused ? 1 : 0, "\n";
}
`

// patience is how long one program may take in perl, whose alarm does not come through everywhere.
const patience = 2 * time.Minute

// perlEnv is all that the child gets: the seed of the hashes, the zone and the locale are pinned.
func perlEnv() []string {
	return []string{"PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0", "TZ=UTC", "LC_ALL=C"}
}

func perlVersion(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command(path, "-e", `printf "perl %vd", $^V`)
	cmd.Env = perlEnv()
	version, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(version)
}

// perlProcess is a perl that evaluates batches of programs.
type perlProcess struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	cancel context.CancelFunc
	asked  int
}

func startPerl(path string) (*perlProcess, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `ulimit -v 1000000; exec "$0" -e "$1"`, path, driver)
	cmd.Env = perlEnv()
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return &perlProcess{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20), cancel: cancel}, nil
}

// close ends the child. It has answered all it was asked, so that its way to end does not matter.
func (p *perlProcess) close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
	p.cancel()
}

// send hands a batch to the child, which works on it while the caller does something else. The function gives the answers.
func (p *perlProcess) send(codes []string) func() ([]answer, error) {
	p.asked += len(codes)
	wrote := make(chan error, 1)
	type result struct {
		answers []answer
		err     error
	}
	read := make(chan result, 1)
	go func() {
		var b strings.Builder
		for _, code := range codes {
			fmt.Fprintf(&b, "%x\n", code)
		}
		_, err := io.WriteString(p.in, b.String())
		wrote <- err
	}()
	go func() {
		var answers []answer
		for i := range codes {
			stuck := time.AfterFunc(patience, p.cancel)
			line, err := p.out.ReadString('\n')
			stuck.Stop()
			if err != nil {
				read <- result{nil, fmt.Errorf("perl ended at the program\n%s\n%w", codes[i], err)}
				return
			}
			a, err := parseAnswer(strings.TrimSuffix(line, "\n"))
			if err != nil {
				read <- result{nil, err}
				return
			}
			answers = append(answers, a)
		}
		read <- result{answers, nil}
	}()
	return func() ([]answer, error) {
		r := <-read
		if r.err != nil {
			return nil, r.err
		}
		return r.answers, <-wrote
	}
}

func parseAnswer(line string) (answer, error) {
	var a answer
	f := strings.Split(line, "\t")
	if len(f) != 6 {
		return a, fmt.Errorf("reading perl's answer %q: %d fields", line, len(f))
	}
	var text [4]string
	for i := 1; i < 4; i++ {
		b, err := hex.DecodeString(f[i])
		if err != nil {
			return a, fmt.Errorf("reading perl's answer: %w", err)
		}
		text[i] = string(b)
	}
	a.err, a.out, a.warned, a.actions, a.refused = errorClass(text[1]), text[2], text[3], f[4], f[5] == "1"
	if f[0] == "" {
		return a, nil
	}
	for _, v := range strings.Split(f[0], "|") {
		if v == "u" {
			a.values = append(a.values, "<undef>")
			continue
		}
		b, err := hex.DecodeString(v[1:])
		if err != nil {
			return a, fmt.Errorf("reading perl's answer: %w", err)
		}
		a.values = append(a.values, string(b))
	}
	return a, nil
}

// askPerl evaluates programs in the real perl.
func askPerl(t *testing.T, path string, codes []string) []answer {
	t.Helper()
	p, err := startPerl(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	answers, err := p.send(codes)()
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
