package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is one command line that is measured.
type program struct {
	name string
	argv []string
	env  []string
}

// cost is what one run of a program cost.
type cost struct{ wall, cpu time.Duration }

// run runs a program as a cluster manager does, with nothing open but /dev/null, and waits for it. The processor time
// is that of the program and of all children for which it waited.
func (p program) run() (cost, error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return cost{}, err
	}
	defer syscall.Close(null)
	began := time.Now()
	pid, err := syscall.ForkExec(p.argv[0], p.argv, &syscall.ProcAttr{Dir: "/", Env: p.env, Files: []uintptr{uintptr(null), uintptr(null), uintptr(null)}})
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w", p.name, err)
	}
	var status syscall.WaitStatus
	var used syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &used); err != syscall.EINTR {
			break
		}
	}
	c := cost{time.Since(began), time.Duration(used.Utime.Nano() + used.Stime.Nano())}
	if err != nil {
		return c, fmt.Errorf("%s: %w", p.name, err)
	}
	if !status.Exited() || status.ExitStatus() != 0 { // what fails is quick, and measures nothing
		return c, fmt.Errorf("%s (%s): exit %d, signal %d", p.name, strings.Join(p.argv, " "), status.ExitStatus(), status.Signal())
	}
	return c, nil
}

// figures are what a program cost in many runs.
type figures struct{ wall, cpu, sum time.Duration } // medians, and the sum of all CPU

func figuresOf(costs []cost) figures {
	var f figures
	var wall, cpu []time.Duration
	for _, c := range costs {
		wall, cpu = append(wall, c.wall), append(cpu, c.cpu)
		f.sum += c.cpu
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	f.wall, f.cpu = wall[len(wall)/2], cpu[len(cpu)/2]
	return f
}

// measure runs the programs in turns, so many rounds.
func measure(programs []program, rounds int) (map[string]figures, error) {
	all := map[string][]cost{}
	for i := 0; i < rounds; i++ {
		for _, p := range programs {
			c, err := p.run()
			if err != nil {
				return nil, err
			}
			all[p.name] = append(all[p.name], c)
		}
	}
	out := map[string]figures{}
	for name, costs := range all {
		out[name] = figuresOf(costs)
	}
	return out, nil
}

// burnVariable makes the test program burn processor time; with "child" it has a child do that.
const burnVariable = "LBVM_BENCH_BURN"

const burnt = 5 * time.Millisecond

// burn works until this process has used so much processor time.
func burn(how string) int {
	if how == "child" {
		self, err := os.Executable()
		if err != nil {
			return 1
		}
		p := program{"burn", []string{self}, []string{burnVariable + "=self"}}
		if _, err := p.run(); err != nil {
			return 1
		}
		return 0
	}
	for {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return 1
		}
		if time.Duration(used.Utime.Nano()+used.Stime.Nano()) >= burnt {
			return 0
		}
	}
}

// Linux counts a process's user and system time in ticks, but scales both so that their sum is the exact run time of
// the scheduler (kernel/sched/cputime.c:cputime_adjust). Where that is not so, nothing here can be measured: a
// program of one millisecond would cost nothing, or a whole tick.
func TestProcessorTimeIsPrecise(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tool := newTool(t, t.TempDir(), "tool", "hello\n")
	seen := map[time.Duration]bool{}
	for i := 0; i < 20; i++ {
		c, err := program{"tool", []string{tool}, nil}.run()
		if err != nil {
			t.Fatal(err)
		}
		if c.cpu <= 0 {
			t.Errorf("a run of the tool cost %s", c.cpu)
		}
		seen[c.cpu] = true
	}
	if len(seen) < 5 { // whole ticks would be one or two different values
		t.Errorf("20 runs of a small program cost only %d different times: %v", len(seen), seen)
	}
	for _, how := range []string{"self", "child"} {
		c, err := program{how, []string{self}, []string{burnVariable + "=" + how}}.run()
		if err != nil {
			t.Fatal(err)
		}
		if c.cpu < burnt { // and the child's time counts as well
			t.Errorf("%s: %s were used and %s counted", how, burnt, c.cpu)
		}
	}
}

// newTool puts a program into a folder that says a text and ends, whatever it is asked.
func newTool(t testing.TB, dir, name, says string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	text := "#!/bin/sh\nprintf '%s' '" + says + "'\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
