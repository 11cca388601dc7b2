package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// The bars of the rule engine. The examples are those of the manual of 2008, corrected where they are no Perl.
const (
	mostCompile = 50     // compiling example 3, in runs of it
	leastBatch  = 20_000 // programs that lbm eval --batch answers in a second of processor time

	// The same beside the other tests of `make test`: what asks for much memory costs twice as much processor time while
	// others fill the caches.
	mostCompileBusy = 120
	leastBatchBusy  = 10_000

	ruleSeries = 4     // so many series are tried before a bar counts as broken: the machine may be busy
	turnTime   = 15e6  // nanoseconds that one measurement takes, about
	batchLines = 20000 // programs of one measurement
)

// ruleCase is a rule that both engines run.
type ruleCase struct {
	name, code string
	most       float64 // of perl's time
	free       bool    // it must not allocate
	asks       int     // how often a run calls migrate
}

const example3 = `my ($sec,$min,$hour,$mday,$mon,$year,$wday,$yday,$isdst) = localtime(time);
if ((average(res('cpu',5)) > 0.60 && min(res2('ram',2)) > 512) &&
    ($hour >= 8 && $hour <= 18))
{
   migrate();
}`

func ruleCases() []ruleCase {
	return []ruleCase{
		{"example-1", "if (average(res('cpu',5)) > 0.70)\n{\n   migrate();\n}", 0.5, true, 1},
		{"example-2", "if ((average(res('cpu',5)) > 0.70) && average(res2('cpu',2)) < 0.40)\n{\n   migrate();\n}", 1, true, 1},
		{"example-3", example3, 1, true, 1},
		{"rising", "my @cpu = res('cpu', 3);\nif ( average(@cpu) > 0.50 && $cpu[0] > $cpu[1] && $cpu[1] > $cpu[2] ) {\n    migrate();\n}", 1, true, 1},
		{"loop-1000", "my $s = 0; for (my $i = 0; $i < 1000; $i++) { $s += $i * 2 if $i % 3 }", 1.2, true, 0},
	}
}

// ruleRow is one measured line.
type ruleRow struct {
	name        string
	ours, peers time.Duration // of one run; peers 0: no peer
	value, most float64       // the ratio and its bar
	least       bool          // the bar is a least value
	allocs      float64
	free        bool
	unit        string
}

func (r ruleRow) broken() bool {
	if r.least {
		return r.value < r.most
	}
	return r.value > r.most || r.free && r.allocs > 0
}

// TestRules measures the rule engine beside perl, prints the table and fails where a bar is broken.
func TestRules(t *testing.T) {
	path := ""
	t.Run("perl", func(t *testing.T) { path = real.Need(t, "perl") })
	cases := ruleCases()
	var peer *perlPeer
	if path != "" {
		peer = startPerl(t, path, cases)
	}
	lbm := builtTool(t, "lbm")
	fixture, lines := batchInput(t)
	rounds, compileBar, batchBar := 5, float64(mostCompileBusy), float64(leastBatchBusy)
	if *tableFile != "" {
		rounds, compileBar, batchBar = 25, mostCompile, leastBatch
	}
	for try := 1; ; try++ {
		rows := measureRules(t, peer, cases, rounds, compileBar)
		rows = append(rows, batchRow(t, lbm, fixture, lines, rounds/4, batchBar))
		var broken []string
		for _, r := range rows {
			if r.broken() {
				broken = append(broken, strings.TrimSpace(r.String()))
			}
		}
		text := rulesTable(rows, rounds, peer != nil)
		if len(broken) > 0 && try < ruleSeries {
			t.Logf("series %d: %s", try, strings.Join(broken, "; "))
			continue
		}
		t.Logf("series %d of at most %d\n%s", try, ruleSeries, text)
		if *tableFile != "" {
			if err := os.WriteFile(*tableFile, []byte(text), 0o644); err != nil {
				t.Error(err)
			}
		}
		for _, b := range broken {
			t.Errorf("beyond its bar: %s", b)
		}
		return
	}
}

// measureRules runs each rule in both engines, in turns.
func measureRules(t *testing.T, peer *perlPeer, cases []ruleCase, rounds int, compileBar float64) []ruleRow {
	t.Helper()
	host, funcs := newRulesHost(), rulesFuncs()
	zone, err := time.LoadLocation(rulesZone)
	if err != nil {
		t.Fatal(err)
	}
	o := perl.Options{Host: host, Now: time.Unix(rulesNow, 0), Zone: zone}
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(p *perl.Program, turns int) func() {
		return func() {
			for range turns {
				if _, err := p.Run(ctx, o); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	compile := func(turns int) func() {
		return func() {
			for range turns {
				if p, diags := perl.Compile([]byte(example3), perl.Position{}, funcs); p == nil {
					t.Fatal(diags)
				}
			}
		}
	}
	programs := make([]*perl.Program, len(cases))
	for i, c := range cases {
		var diags []perl.Diagnostic
		if programs[i], diags = perl.Compile([]byte(c.code), perl.Position{}, funcs); programs[i] == nil {
			t.Fatal(diags)
		}
	}
	ours, peers := make([][]time.Duration, len(cases)+1), make([][]time.Duration, len(cases))
	turns := make([]int, len(cases)+1)
	for i := range turns {
		sample := compile(100)
		if i < len(cases) {
			sample = run(programs[i], 100)
		}
		sample()
		used, err := cpuOf(sample)
		must(err)
		turns[i] = int(turnTime/max(used/100, 10)) + 1
	}
	for range rounds {
		for i, c := range cases {
			host.asked = 0
			used, err := cpuOf(run(programs[i], turns[i]))
			must(err)
			if host.asked != c.asks*turns[i] {
				t.Fatalf("%s asked to migrate %d times in %d runs", c.name, host.asked, turns[i])
			}
			ours[i] = append(ours[i], used/time.Duration(turns[i]))
			if peer == nil {
				continue
			}
			used, asked, err := peer.ask(fmt.Sprintf("%s %d\n", c.name, turns[i]))
			must(err)
			if asked != c.asks*turns[i] {
				t.Fatalf("perl: %s asked to migrate %d times in %d runs", c.name, asked, turns[i])
			}
			peers[i] = append(peers[i], used/time.Duration(turns[i]))
		}
		last := len(cases)
		used, err := cpuOf(compile(turns[last]))
		must(err)
		ours[last] = append(ours[last], used/time.Duration(turns[last]))
	}
	var rows []ruleRow
	var third time.Duration
	for i, c := range cases {
		r := ruleRow{name: c.name, ours: median(ours[i]), most: c.most, free: c.free, unit: "of perl's"}
		if peer != nil {
			r.peers = median(peers[i])
			r.value = float64(r.ours) / float64(r.peers)
		}
		r.allocs = testing.AllocsPerRun(1000, run(programs[i], 1))
		if c.code == example3 {
			third = r.ours
		}
		rows = append(rows, r)
	}
	c := ruleRow{name: "compile example-3", ours: median(ours[len(cases)]), most: compileBar, unit: "runs of it"}
	c.value, c.allocs = float64(c.ours)/float64(third), testing.AllocsPerRun(100, compile(1))
	return append(rows, c)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// batchRow has lbm eval --batch answer all lines, some times.
func batchRow(t *testing.T, lbm, fixture, lines string, rounds int, bar float64) ruleRow {
	t.Helper()
	var used []time.Duration
	for range max(rounds, 1) {
		in, err := os.Open(lines)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(lbm, "eval", "--batch", "--fixture", fixture)
		cmd.Stdin, cmd.Stderr = in, os.Stderr
		out, err := cmd.Output()
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatalf("lbm eval --batch: %v", err)
		}
		if n := bytes.Count(out, []byte("\n")); n != batchLines {
			t.Fatalf("%d answers to %d programs", n, batchLines)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		used = append(used, time.Duration(usage.Utime.Nano()+usage.Stime.Nano()))
	}
	one := median(used) / batchLines
	return ruleRow{name: "lbm eval --batch", ours: one, value: float64(time.Second) / float64(max(one, 1)), most: bar, least: true, unit: "programs a second"}
}

// batchInput writes the must programs of the oracle, over and over, and its data. Two that loop until the limit stops them are
// left out: a million steps are no measure of a program.
func batchInput(t *testing.T) (fixture, lines string) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(moduleRoot, "pkg/balance/perl/testdata/oracle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Cases []struct{ ID, Level, Code string }
	}
	if err := json.Unmarshal(src, &oracle); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, c := range oracle.Cases {
		if c.Level != "must" || c.ID == "infinite" || c.ID == "infinite2" {
			continue
		}
		b, err := json.Marshal(map[string]string{"code": c.Code})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, append(b, '\n'))
	}
	if len(all) < 200 {
		t.Fatalf("only %d programs", len(all))
	}
	var text bytes.Buffer
	for i := range batchLines {
		text.Write(all[i%len(all)])
	}
	dir := t.TempDir()
	fixture, lines = filepath.Join(dir, "fixture.json"), filepath.Join(dir, "lines")
	for name, b := range map[string][]byte{fixture: src, lines: text.Bytes()} { // a fixture has the shape of the oracle's header
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fixture, lines
}

func (r ruleRow) String() string {
	peers, ratio := "", ""
	if r.peers > 0 {
		peers = fmt.Sprint(r.peers.Nanoseconds())
	}
	switch {
	case r.least:
		ratio = thousands(int64(r.value))
	case r.value > 0:
		ratio = fmt.Sprintf("%.2f", r.value)
	}
	bar, allocs, ok := fmt.Sprintf("at most %g", r.most), "", "yes"
	if r.least {
		bar = "at least " + thousands(int64(r.most))
	} else {
		allocs = fmt.Sprint(r.allocs)
	}
	if r.free {
		allocs += " of 0"
	}
	switch {
	case ratio == "":
		ok = "?"
	case r.broken():
		ok = "NO"
	}
	return fmt.Sprintf("%-18s %9d %9s %8s %-18s %-16s %7s %4s", r.name, r.ours.Nanoseconds(), peers, ratio, r.unit, bar, allocs, ok)
}

// rulesTable shows all rows, for humans.
func rulesTable(rows []ruleRow, rounds int, peer bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %9s %9s %8s %-18s %-16s %7s %4s\n", "", "ours ns", "perl ns", "ratio", "", "bar", "allocs", "ok")
	for _, r := range rows {
		fmt.Fprintln(&b, r)
	}
	fmt.Fprintf(&b, "%d rounds in turns; medians of processor time; perl is a compiled sub, run in a loop\n", rounds)
	if !peer {
		b.WriteString("perl is not here: its column is empty\n")
	}
	return b.String()
}

// builtTool gives the path of one of our tools: that of LBVM_BIN, else a new one.
func builtTool(t *testing.T, name string) string {
	t.Helper()
	if dir, ok := os.LookupEnv(binVariable); ok && dir != "" {
		return filepath.Join(dir, name)
	}
	out := filepath.Join(t.TempDir(), name)
	build(t, out, "./cmd/"+name)
	return out
}
