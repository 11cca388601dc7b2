package perl

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

var (
	programs = flag.Int("perl.programs", 10000, "random programs to compare with perl; in 2,000,000 every cell of the table of reach must be met 1,000 times")
	seed     = flag.Int64("perl.seed", 20261121, "seed of the random programs")
	first    = flag.Int("perl.first", 0, "the program of the seed to begin with; 0: all")
	keep     = flag.Bool("perl.keep", false, "write what differs, made small, to testdata/cases.pl")
	longest  = flag.Duration("perl.time", 0, "begin no more programs after this time; 0: no bound")
	showAll  = flag.Bool("perl.reach", false, "print the table of reach")
	only     = flag.String("perl.only", "", "compare: leave out the count of what is reached; count: leave out perl. The two halves of a long run on a busy machine")
	shrunk   = flag.Int("perl.shrink", 3, "how many of the programs that differ to make small")
)

const (
	batchSize = 500
	longRun   = 1_000_000
)

// tally is what the workers found.
type tally struct {
	mu       sync.Mutex
	compared int
	counted  int // without perl
	died     int
	refused  int
	limited  int
	quirks   map[string]int
	differ   []difference
	reach    *reach
}

// difference is a program that was answered differently.
type difference struct {
	index     int
	code      string
	got, want answer
}

func (d difference) String() string {
	return fmt.Sprintf("%d differs:\n%s\n  got %s\n perl %s", d.index, d.code, d.got, d.want)
}

// TestAgainstPerl runs random programs through the engine and through the real perl.
func TestAgainstPerl(t *testing.T) {
	path := real.Need(t, "perl")
	cells := allCells()
	t.Logf("%s; %d programs over %d cells; repeat with: go test ./pkg/balance/perl -run TestAgainstPerl -perl.seed=%d -perl.programs=%d",
		perlVersion(t, path), *programs, len(cells), *seed, *programs)
	t.Logf("pinned for perl: %s", strings.Join(perlEnv(), " "))
	sum := compareAll(t, path, cells, *seed, *programs, engineAnswer)
	for i, d := range sum.differ {
		if i == *shrunk {
			for _, d := range sum.differ[i:] {
				t.Errorf("program %s", d)
			}
			break
		}
		reportDifference(t, path, d, engineAnswer)
	}
	t.Logf("%d programs compared, %d differ; %d died on both sides, %d refused by both, %d stopped by a limit", sum.compared, len(sum.differ), sum.died, sum.refused, sum.limited)
	for _, q := range knownQuirks() {
		n := sum.quirks[q.reason]
		if n > 0 {
			t.Logf("known difference, %d times: %s", n, q.reason)
		}
		if q.fits != nil && n > 1+sum.compared/q.among {
			t.Errorf("%d of %d programs had the known difference, which is met once in %d: is this another one? %s", n, sum.compared, q.among, q.reason)
		}
	}
	if *showAll || sum.compared+sum.counted >= longRun {
		var b strings.Builder
		sum.reach.print(&b, cells)
		t.Log(b.String())
	}
	least, seen := 1, sum.compared+sum.counted
	if seen >= 100_000 { // 1,000 times in the 2,000,000 of the long run, and less in proportion
		least = min(1000, seen/2000)
	}
	if missing := sum.reach.missing(cells, least); len(missing) > 0 && seen >= 10000 && *only != "compare" {
		t.Errorf("%d kinds and cells were reached less than %d times:\n%s", len(missing), least, strings.Join(missing[:min(len(missing), 40)], "\n"))
	}
	if sum.died > sum.compared/4 || sum.refused+sum.limited > sum.compared/50 {
		t.Errorf("%d of %d programs died, %d were refused, %d ran into limits: the generator tests too little", sum.died, sum.compared, sum.refused, sum.limited)
	}
}

// compareAll makes count programs and compares the answers of the engine with perl's, in parallel.
func compareAll(t *testing.T, path string, cells []cell, seed int64, count int, engine func(string) answer) *tally {
	t.Helper()
	sum := &tally{quirks: map[string]int{}, reach: newReach()}
	workers := max(2, runtime.GOMAXPROCS(0))
	starts := make(chan int)
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for w := 0; w < workers; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := compareWorker(path, cells, seed, count, starts, sum, engine); err != nil {
				errs <- err
				for range starts { // let the others come to their end
				}
			}
		}()
	}
	begun, told := time.Now(), 0
	for i := *first; i < count && (*longest == 0 || time.Since(begun) < *longest); i += batchSize {
		starts <- i
		if i > *first && i%50_000 == 0 {
			sum.mu.Lock()
			t.Logf("%d programs compared, %d differ", sum.compared, len(sum.differ))
			for ; told < len(sum.differ); told++ { // a long run tells at once
				t.Logf("program %s", sum.differ[told])
			}
			sum.mu.Unlock()
		}
	}
	close(starts)
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	return sum
}

func compareWorker(path string, cells []cell, seed int64, count int, starts <-chan int, sum *tally, engine func(string) answer) error {
	var p *perlProcess
	defer func() {
		if p != nil {
			p.close()
		}
	}()
	own := newReach()
	funcs := differentialFuncs()
	for start := range starts {
		if p == nil {
			var err error
			if p, err = startPerl(path); err != nil {
				return err
			}
		}
		var codes []string
		for i := start; i < min(start+batchSize, count); i++ {
			codes = append(codes, randomProgram(cells, seed, i))
		}
		if *only == "count" {
			for _, code := range codes {
				own.program(code, funcs)
			}
			sum.count(len(codes))
			continue
		}
		wait := p.send(codes)
		got := make([]answer, len(codes))
		for i, code := range codes {
			got[i] = engine(code)
			if *only != "compare" {
				own.program(code, funcs)
			}
		}
		want, err := wait()
		if err != nil { // the system may have taken it away, or a program has ended it: once more, one by one
			p.close()
			if p, want, err = askSingly(path, codes); err != nil {
				return fmt.Errorf("programs %d to %d: %w", start, start+len(codes)-1, err)
			}
		}
		for i := range want {
			if !strings.Contains(want[i].String(), perlTimeout) { // on a machine that does other things
				continue
			}
			p.close()
			var again []answer
			if p, again, err = askSingly(path, codes[i:i+1]); err != nil {
				return fmt.Errorf("program %d: %w", start+i, err)
			}
			want[i] = again[0]
		}
		sum.add(start, codes, got, want)
		if p.asked > 20000 { // perl never gives back all memory
			p.close()
			p = nil
		}
	}
	sum.mu.Lock()
	defer sum.mu.Unlock()
	sum.reach.merge(own)
	return nil
}

// perlTimeout is what the driver answers to a program that took longer than its alarm.
const perlTimeout = "TIMEOUT"

// perlEnded is the answer to a program that ends perl itself. If the engine does not end it by a limit, it is a difference.
const perlEnded = "perl ended"

// askSingly asks for one program after the other. One that ends perl twice has that for its answer.
func askSingly(path string, codes []string) (*perlProcess, []answer, error) {
	p, err := startPerl(path)
	if err != nil {
		return nil, nil, err
	}
	var all []answer
	for _, code := range codes {
		var a []answer
		for try := 0; a == nil && try < 2; try++ {
			if a, err = p.send([]string{code})(); err == nil {
				break
			}
			p.close()
			if p, err = startPerl(path); err != nil {
				return nil, nil, err
			}
		}
		if a == nil {
			a = []answer{{err: perlEnded}}
		}
		all = append(all, a...)
	}
	return p, all, nil
}

func (s *tally) count(programs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted += programs
}

func (s *tally) add(start int, codes []string, got, want []answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, code := range codes {
		s.compared++
		switch v := compareAnswers(got[i], want[i]); {
		case v == differ:
			if why := quirkOf(code, got[i], want[i]); why != "" {
				s.quirks[why]++
			} else {
				s.differ = append(s.differ, difference{start + i, code, got[i], want[i]})
			}
		case v == bothRefuse:
			s.refused++
		case v == limit:
			s.limited++
		case want[i].err != "":
			s.died++
		}
	}
}

type verdict int

const (
	agree verdict = iota
	bothRefuse
	limit
	differ
)

func compareAnswers(got, want answer) verdict {
	switch {
	case strings.HasPrefix(got.err, "limit:"):
		return limit
	case strings.HasPrefix(got.err, "compile:") && want.refused:
		return bothRefuse // each in its own words
	case errorClass(got.err) != want.err, strings.Join(got.values, "\x00") != strings.Join(want.values, "\x00"), len(got.values) != len(want.values),
		got.out != want.out, got.warned != want.warned, got.actions != want.actions:
		return differ
	}
	return agree
}

// answer is what a program did.
type answer struct {
	values  []string // "<undef>" for undef
	err     string   // of perl without its place
	out     string
	warned  string
	actions string
	refused bool // by perl, when it read the program
}

func (a answer) String() string {
	s := fmt.Sprintf("%q", a.values)
	if a.err != "" {
		s += fmt.Sprintf(" error %q", a.err)
	}
	if a.out != "" {
		s += fmt.Sprintf(" output %q", a.out)
	}
	if a.warned != "" {
		s += fmt.Sprintf(" warnings %q", a.warned)
	}
	if a.actions != "" {
		s += " actions " + a.actions
	}
	return s
}

// differentialNow is the instant of all programs: 2007-11-21 18:11:01 UTC.
const differentialNow = 1195668661

func differentialFuncs() []Func { return testFuncs() }
