package perl

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The limits of a run of FuzzRun, and the bounds that are measured.
const (
	fuzzSteps    = 20_000
	fuzzBytes    = 1 << 16
	fuzzElements = 5_000
	fuzzDepth    = 50
	fuzzOutput   = 4096
	fuzzMemory   = 1 << 20
	fuzzTime     = 500 * time.Millisecond

	// One piece of work is counted before it is done: the run ends at the limit, or with the piece that passes it.
	maxPiece = fuzzBytes + 2*fuzzElements*cellBytes
	// All that a run allocates, also what it drops at once. Steps bound what Memory does not count.
	maxAllocated = 64 << 20
	// Beyond the limit of time there may be one piece of work, on a machine that does other things, too.
	maxLate = 4 * time.Second
	// hung is when a run is taken for one without an end.
	hung = 5 * time.Minute
)

func fuzzLimits() Limits {
	return Limits{Steps: fuzzSteps, Bytes: fuzzBytes, Elements: fuzzElements, Depth: fuzzDepth, Output: fuzzOutput, Memory: fuzzMemory, Time: fuzzTime}
}

// ran is what one run came to.
type ran struct {
	values, out, warned, actions string
	err                          string
	limit                        string
	took                         time.Duration // of the processor, where that is less than on the wall
	allocated                    uint64
	m                            *machine
}

func (r *ran) sameAs(s *ran) bool {
	return r.values == s.values && r.out == s.out && r.warned == s.warned && r.actions == s.actions && r.err == s.err
}

// cpu is what this process has used of the processor.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// runFuzzed runs a program; m is nil, or the machine to look at afterwards.
func runFuzzed(prog *Program, data map[string]map[string][]Value, m *machine, trace *Trace) *ran {
	host := &world{data: data}
	var out, warned strings.Builder
	o := Options{Host: host, Now: time.Unix(1195668661, 0), Limits: fuzzLimits(), Out: &out, Warn: &warned, Trace: trace}
	r := &ran{m: m}
	var list []Value
	var err error
	start, used := time.Now(), cpu()
	if m != nil {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, list, err = m.run(context.Background(), o, WantList)
		runtime.ReadMemStats(&after)
		r.allocated = after.TotalAlloc - before.TotalAlloc
	} else {
		list, err = prog.RunList(context.Background(), o)
	}
	r.took = min(time.Since(start), cpu()-used)
	var b strings.Builder
	for _, v := range list {
		switch {
		case v.isRef():
			b.WriteString("r" + v.refName() + "\x00")
		case v.IsUndef():
			b.WriteString("u\x00")
		default:
			b.WriteString("v" + v.str() + "\x00")
		}
	}
	r.values, r.out, r.warned, r.actions = b.String(), out.String(), warned.String(), strings.Join(host.actions, " ")
	var re *RuntimeError
	if errors.As(err, &re) {
		r.err, r.limit = re.Error(), re.Limit
	}
	return r
}

// within checks the first run against its limits.
func (r *ran) within(t *testing.T) {
	t.Helper()
	if strings.Contains(r.err, "internal error: ") {
		t.Error(r.err)
	}
	if r.took > fuzzTime+maxLate {
		t.Errorf("it ran for %v", r.took)
	}
	if n := len(r.out) + len(r.warned); n > fuzzOutput {
		t.Errorf("%d bytes of output", n)
	}
	if r.allocated > maxAllocated {
		t.Errorf("%d bytes were allocated", r.allocated)
	}
	most := func(what string, n, limit int) {
		if r.limit == "" && n > limit || n > limit+maxPiece {
			t.Errorf("%d %s of %d, limit %q", n, what, limit, r.limit)
		}
	}
	most("steps", r.m.steps, fuzzSteps)
	most("bytes of memory", r.m.memory, fuzzMemory)
	most("bytes of output", r.m.output, fuzzOutput)
	if r.limit == "" && (r.m.depth != 0 || r.m.nest != 0 || len(r.m.saves) != 0) && r.err == "" {
		t.Errorf("left behind: depth %d, nest %d, %d saved", r.m.depth, r.m.nest, len(r.m.saves))
	}
}

// FuzzRun compiles and runs any text: no panic, no run beyond its limits, and the same answer again, also from two runs
// at once, and with a trace.
func FuzzRun(f *testing.F) {
	addSeeds(f)
	funcs := testFuncs()
	data := readOracle(f).world().data
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > maxFuzzed {
			return
		}
		prog, _ := Compile([]byte(code), Position{File: "f"}, funcs)
		if prog == nil {
			return
		}
		watch := time.AfterFunc(hung, func() { panic("it does not end: " + code) })
		defer watch.Stop()
		first := runFuzzed(prog, data, newMachine(prog), nil)
		first.within(t)
		if first.limit != "" { // where a limit strikes depends on what an earlier run left to be used again
			return
		}
		addresses := prog.usesRefs || strings.Contains(code, "qr") // that of a reference is another each time
		other := make(chan *ran)
		go func() { other <- runFuzzed(prog, data, nil, nil) }()
		for _, again := range []*ran{runFuzzed(prog, data, nil, new(Trace)), runFuzzed(prog, data, nil, nil), <-other} {
			if again.limit == "" && !again.sameAs(first) && !addresses {
				t.Errorf("first %q %q %q %q %q\nagain %q %q %q %q %q", first.values, first.out, first.warned, first.actions, first.err,
					again.values, again.out, again.warned, again.actions, again.err)
			}
		}
	})
}
