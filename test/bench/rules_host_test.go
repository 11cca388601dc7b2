package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// The world of the rules, the same for both engines: arrays of values that lie ready, functions over them, one instant.
const (
	rulesZone = "Europe/Vienna"
	rulesNow  = 1195649000 // 21 November 2007, 13:43 there
)

// perlHost is that world in perl, each function as cheap as perl can make it: aliases instead of copies, the XS functions of
// List::Util, and a time that is a constant to its compiler. Rules become anonymous subs, once; then each line "NAME TURNS"
// is answered with the processor time of so many calls, in nanoseconds, and how often they asked to migrate.
const perlHost = `
use List::Util (); use Time::HiRes qw(clock_gettime CLOCK_PROCESS_CPUTIME_ID);
BEGIN { *CORE::GLOBAL::time = sub () { 1195649000 } }
my %data1 = (cpu => [0.91, 0.85, 0.72, 0.66, 0.61, 0.40, 0.35, 0.30], ram => [256, 300, 310, 500, 512]);
my %data2 = (cpu => [0.10, 0.12, 0.40, 0.41, 0.20], ram => [2048, 1900, 700, 600, 513]);
my $asked = 0;
sub res     { my $d = $data1{$_[0]} or die "unknown resource\n"; $_[1] < @$d ? @$d[0 .. $_[1] - 1] : @$d }
sub res2    { my $d = $data2{$_[0]} or die "unknown resource\n"; $_[1] < @$d ? @$d[0 .. $_[1] - 1] : @$d }
sub average { @_ ? &List::Util::sum / @_ : undef }
*min = \&List::Util::min;
sub migrate { ++$asked; 1 }
my %rules;
$| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my ($name, $rest) = split / /, $line, 2;
    if ($name eq 'rule') {
        ($name, my $code) = split / /, $rest, 2;
        $rules{$name} = eval 'sub { ' . pack('H*', $code) . '}' or die $@;
        print "0 0\n";
        next;
    }
    my $rule = $rules{$name};
    $asked = 0;
    my $began = clock_gettime(CLOCK_PROCESS_CPUTIME_ID);
    $rule->() for 1 .. $rest;
    printf "%.0f %d\n", (clock_gettime(CLOCK_PROCESS_CPUTIME_ID) - $began) * 1e9, $asked;
}
`

// perlPeer is a running perl with the rules compiled.
type perlPeer struct {
	in  io.Writer
	out *bufio.Reader
}

func startPerl(t *testing.T, path string, cases []ruleCase) *perlPeer {
	t.Helper()
	cmd := exec.Command(path, "-e", perlHost)
	cmd.Env = []string{"LC_ALL=C", "PERL_HASH_SEED=0", "TZ=" + rulesZone} // with TZ unset perl would look at /etc/localtime each time
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("perl: %v", err)
		}
	})
	p := &perlPeer{in, bufio.NewReader(out)}
	for _, c := range cases {
		if _, _, err := p.ask(fmt.Sprintf("rule %s %x\n", c.name, c.code)); err != nil {
			t.Fatalf("perl does not take %s: %v", c.name, err)
		}
	}
	return p
}

func (p *perlPeer) ask(line string) (used time.Duration, asked int, err error) {
	if _, err := io.WriteString(p.in, line); err != nil {
		return 0, 0, err
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscanf(answer, "%d %d", &used, &asked)
	return used, asked, err
}

// rulesHost is the same world in Go.
type rulesHost struct {
	data  [2]map[string][]perl.Value
	asked int
}

func newRulesHost() *rulesHost {
	floats := func(f ...float64) []perl.Value {
		var v []perl.Value
		for _, x := range f {
			v = append(v, perl.Float(x))
		}
		return v
	}
	ints := func(i ...int64) []perl.Value {
		var v []perl.Value
		for _, x := range i {
			v = append(v, perl.Int(x))
		}
		return v
	}
	return &rulesHost{data: [2]map[string][]perl.Value{
		{"cpu": floats(0.91, 0.85, 0.72, 0.66, 0.61, 0.40, 0.35, 0.30), "ram": ints(256, 300, 310, 500, 512)},
		{"cpu": floats(0.10, 0.12, 0.40, 0.41, 0.20), "ram": ints(2048, 1900, 700, 600, 513)},
	}}
}

func rulesFuncs() []perl.Func {
	res := func(which int) func(perl.Host, *perl.Call) error {
		return func(h perl.Host, c *perl.Call) error {
			a := c.Args()
			d, ok := h.(*rulesHost).data[which][a[0].String()]
			if !ok {
				return fmt.Errorf("unknown resource %q", a[0].String())
			}
			c.Return(d[:min(max(int(a[1].Int64()), 0), len(d))]...)
			return nil
		}
	}
	aggregate := func(f func([]perl.Value) perl.Value) func(perl.Host, *perl.Call) error {
		return func(_ perl.Host, c *perl.Call) error {
			if len(c.Args()) == 0 {
				c.Return(perl.Undef())
				return nil
			}
			c.Return(f(c.Args()))
			return nil
		}
	}
	return []perl.Func{
		{Name: "res", Min: 2, Max: 2, Role: perl.Series, Call: res(0)},
		{Name: "res2", Min: 2, Max: 2, Role: perl.Series, Call: res(1)},
		{Name: "average", Max: -1, Role: perl.Aggregate, Call: aggregate(func(a []perl.Value) perl.Value {
			sum := 0.0
			for _, v := range a {
				sum += v.Float64()
			}
			return perl.Float(sum / float64(len(a)))
		})},
		{Name: "min", Max: -1, Role: perl.Aggregate, Call: aggregate(func(a []perl.Value) perl.Value {
			least := a[0]
			for _, v := range a[1:] {
				if v.Float64() < least.Float64() {
					least = v
				}
			}
			return least
		})},
		{Name: "migrate", Max: -1, Role: perl.Verdict, Call: func(h perl.Host, c *perl.Call) error {
			h.(*rulesHost).asked++
			c.Return(perl.Int(1))
			return nil
		}},
	}
}

// cpuOf is the processor time that f takes of this process, all its threads and the collection of garbage included.
func cpuOf(f func()) (time.Duration, error) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return 0, err
	}
	f()
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()), err
}
