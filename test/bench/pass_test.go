package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// passVariable makes the test program a balancer that makes one pass over the world in that folder.
const passVariable = "LBVM_BENCH_PASS"

// passWorld is a cluster on disk: logs, rules, and a view in which each VM may run on each node.
type passWorld struct {
	Nodes, VMs int
	Hot        float64 // share of the nodes that are busy
	Hours      int     // of each log
	Always     bool    // each rule asks res2 of each candidate, whatever its own node does
	Full       bool    // no node has memory for one more
	Relief     bool    // no VM has a rule: the built-in algorithm has them all
}

var passNow = time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)

func nodeName(i int) string { return fmt.Sprintf("node%03d", i) }

// write lays the world out.
func (w passWorld) write(t testing.TB, dir string) {
	t.Helper()
	for i := range w.Nodes {
		load := 0.3
		if float64(i) < w.Hot*float64(w.Nodes) {
			load = 0.9
		}
		var b []byte
		for m := w.Hours*60 - 1; m >= 0; m-- {
			b = strconv.AppendInt(b, passNow.Unix()-int64(m)*60-10, 10)
			b = append(b, ' ')
			b = strconv.AppendFloat(b, load+0.01*float64(m%7), 'f', 4, 64)
			b = append(b, '\n')
		}
		if err := os.WriteFile(filepath.Join(dir, nodeName(i)+"-cpu"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.configure(t, dir)
}

// configure writes all but the logs.
func (w passWorld) configure(t testing.TB, dir string) {
	t.Helper()
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var rules strings.Builder
	fmt.Fprintf(&rules, "logdir %s;\nresources %s/res.conf;\nbalance vm0", dir, dir)
	for i := 1; i < w.VMs; i++ {
		fmt.Fprintf(&rules, ", vm%d", i)
	}
	rules.WriteString(";\n")
	if w.Relief {
		rules.WriteString("default { algorithm relief; }\n")
	}
	for i := range w.VMs {
		if w.Relief {
			break
		}
		own, other := fmt.Sprintf("average(res('cpu', 5)) > 0.7%d", i%10), fmt.Sprintf("average(res2('cpu', 5)) < 0.4%d", i%10)
		if w.Always {
			own, other = other, own
		}
		fmt.Fprintf(&rules, "vm%d { algorithm { migrate() if %s && %s; } }\n", i, own, other)
	}
	put("lbvm.conf", []byte(rules.String()))
	put("res.conf", []byte("resource cpu { builtin cpu; }\n"))
	world, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	put("world.json", world)
}

// passCost is what one pass came to, in nanoseconds of its thread's processor time.
type passCost struct {
	Compile, Read, Evaluate, Decide, Write int64
	Bytes, Pairs, Runs, Moves              int
}

// used is the processor time that this thread has had: what runs beside it does not count, and the collector's threads neither.
func used() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// timedSamples and timedRule measure their part of Decide; of a rule's runs every sixteenth.
type timedSamples struct {
	balance.Samples
	took time.Duration
}

func (s *timedSamples) Window(node, resource string, from, to time.Time) ([]balance.Sample, error) {
	began := used()
	defer func() { s.took += used() - began }()
	return s.Samples.Window(node, resource, from, to)
}

type ruleTimes struct {
	runs   int
	took   time.Duration
	asking time.Duration // what asking for the time takes: as long as a short rule
}

// asking measures it.
func asking() time.Duration {
	const times = 10000
	began := used()
	for range times {
		used()
	}
	return (used() - began) / times
}

type timedRule struct {
	balance.Program
	t *ruleTimes
}

func (r timedRule) Run(ctx context.Context, o perl.Options) (perl.Value, error) {
	if r.t.runs++; r.t.runs%16 != 0 {
		return r.Program.Run(ctx, o)
	}
	began := used()
	v, err := r.Program.Run(ctx, o)
	r.t.took += 16 * max(0, used()-began-r.t.asking)
	return v, err
}

// view is the cluster as its manager tells of it.
func (w passWorld) view() balance.View {
	v := balance.View{Quorate: true}
	var may []balance.Placement
	for i := range w.Nodes {
		v.Nodes = append(v.Nodes, balance.Node{Name: nodeName(i), Online: true, Cores: 8, Seen: passNow})
		may = append(may, balance.Placement{Node: nodeName(i), Score: 1})
	}
	for i := range w.VMs {
		v.VMs = append(v.VMs, balance.VM{Name: fmt.Sprintf("vm%d", i), Type: "xen", Service: fmt.Sprintf("service:vm%d", i),
			Owner: nodeName(i % w.Nodes), State: balance.Started, MayRun: may})
	}
	return v
}

// onePass is what lbmonitor does between the lock and the first move.
func onePass(dir string) (passCost, error) {
	var c passCost
	var w passWorld
	b, err := os.ReadFile(filepath.Join(dir, "world.json"))
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	if err != nil {
		return c, err
	}
	runtime.LockOSThread() // used is the thread's
	defer runtime.UnlockOSThread()
	began := used()
	file, res, _, err := conf.Load(os.ReadFile, filepath.Join(dir, "lbvm.conf"))
	if err != nil {
		return c, err
	}
	if file == nil || res == nil {
		return c, errors.New("the configuration has errors")
	}
	cfg, _ := balance.NewConfig(file, res)
	c.Compile = (used() - began).Nanoseconds()
	times := &ruleTimes{asking: asking()}
	for _, r := range cfg.Rules {
		r.Program = timedRule{r.Program, times}
	}
	if cfg.Default != nil {
		cfg.Default.Program = timedRule{cfg.Default.Program, times}
	}
	v := w.view()
	logs := cfg.Logs(dir).At(passNow)
	samples := &timedSamples{Samples: logs}
	began = used()
	pass, err := balance.Decide(context.Background(), balance.Input{At: passNow, Config: cfg, View: v, Samples: samples})
	if err != nil {
		return c, err
	}
	whole := used() - began - times.asking*time.Duration(times.runs/16*2)
	times.took = min(times.took, whole-samples.took) // it is an estimate
	c.Read, c.Evaluate = samples.took.Nanoseconds(), times.took.Nanoseconds()
	c.Decide = (whole - samples.took - times.took).Nanoseconds()
	began = used()
	if err := balance.AppendPass(filepath.Join(dir, "passes.log"), pass); err != nil {
		return c, err
	}
	c.Write = (used() - began).Nanoseconds()
	c.Bytes, c.Pairs, c.Runs, c.Moves = int(logs.Cost().Bytes), w.VMs*(w.Nodes-1), times.runs, len(pass.Moves())
	return c, os.Remove(filepath.Join(dir, "passes.log"))
}

// passChild is the test program as a balancer.
func passChild(dir string) int {
	monitor.SpareGarbage() // as lbmonitor does
	c, err := onePass(dir)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// passRun is a pass in a process of its own.
type passRun struct {
	passCost
	user time.Duration
	mem  int64 // bytes, the largest that the process was
}

func runPass(t testing.TB, dir string, prefix ...string) passRun {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	argv := append(prefix, self)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), passVariable+"="+dir, "GOMAXPROCS=1") // one core
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("a pass: %v: %s", err, errs.String())
	}
	r := passRun{user: cmd.ProcessState.UserTime()}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.mem = int64(used.Maxrss) * 1024 // of 32 bit on 386
	}
	if err := json.Unmarshal(out, &r.passCost); err != nil {
		t.Fatal(err)
	}
	return r
}

// medianPass is the median of five by user time; without a table, beside other tests, it is one run.
func medianPass(t testing.TB, w passWorld) passRun {
	t.Helper()
	dir := t.TempDir()
	w.write(t, dir)
	var all []passRun
	runs := 5
	if *tableFile == "" {
		runs = 1
	}
	for range runs {
		all = append(all, runPass(t, dir))
	}
	slices.SortFunc(all, func(a, b passRun) int { return int(a.user - b.user) })
	return all[len(all)/2]
}

// The bars of a pass over 200 nodes and 5,000 VMs.
const (
	passTime   = time.Second
	passMemory = 200 << 20
)

// TestPass measures a pass with a rule of its own for each VM, over real files. Nothing is left out but asking the
// manager, reading facts, and the moves.
func TestPass(t *testing.T) {
	var b strings.Builder
	row := func(name string, r passRun) {
		total := float64(r.Compile + r.Read + r.Evaluate + r.Decide + r.Write)
		share := func(n int64) string { return fmt.Sprintf("%.0f%%", 100*float64(n)/total) }
		fmt.Fprintf(&b, "%-28s %6.2f s %5d MiB %9d pairs %9d runs %8s %8s %8s %8s %8s %7d KiB read %3d moves\n", name, r.user.Seconds(), r.mem>>20, r.Pairs, r.Runs,
			share(r.Compile), share(r.Read), share(r.Evaluate), share(r.Decide), share(r.Write), r.Bytes>>10, r.Moves)
	}
	fmt.Fprintf(&b, "%-28s %8s %9s %15s %14s %8s %8s %8s %8s %8s\n", "", "user", "memory", "", "", "compile", "read", "evaluate", "decide", "write")
	type world struct {
		name string
		w    passWorld
	}
	worlds := []world{
		{"200 x 5000, calm", passWorld{Nodes: 200, VMs: 5000, Hours: 24}},
		{"200 x 5000, 10 % hot", passWorld{Nodes: 200, VMs: 5000, Hot: 0.1, Hours: 24}},
		{"200 x 5000, each asks res2", passWorld{Nodes: 200, VMs: 5000, Hot: 0.1, Hours: 24, Always: true}},
		{"100 x 2500, each asks res2", passWorld{Nodes: 100, VMs: 2500, Hot: 0.1, Hours: 24, Always: true}},
		{"200 x 5000, relief, 10 % hot", passWorld{Nodes: 200, VMs: 5000, Hot: 0.1, Hours: 24, Relief: true}},
		{"200 x 5000, relief, half hot", passWorld{Nodes: 200, VMs: 5000, Hot: 0.5, Hours: 24, Relief: true}},
	}
	got := map[string]passRun{}
	if *tableFile != "" { // the most that relief can have to do, near the bar
		worlds = append(worlds, world{"200 x 5000, relief, 90 % hot", passWorld{Nodes: 200, VMs: 5000, Hot: 0.9, Hours: 24, Relief: true}})
	}
	for _, x := range worlds {
		got[x.name] = medianPass(t, x.w)
		row(x.name, got[x.name])
	}
	t.Log("\n" + b.String())
	slack := 1.0
	if *tableFile == "" { // beside other tests
		slack = 3
	} else if err := os.WriteFile(*tableFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range worlds {
		name, r := x.name, got[x.name]
		if r.user > time.Duration(slack*float64(passTime)) || r.mem > passMemory {
			t.Errorf("%s: %s of user time and %d MiB; at most %s and %d MiB are allowed", name, r.user, r.mem>>20, time.Duration(slack*float64(passTime)), passMemory>>20)
		}
		if r.Bytes > worlds[0].w.Nodes*64<<10 {
			t.Errorf("%s: %d bytes of logs were read", name, r.Bytes)
		}
	}
	calm, always, half := got[worlds[0].name], got[worlds[2].name], got[worlds[3].name]
	if calm.Runs != 5000 {
		t.Errorf("rules that never asked res2 were run %d times for 5000 VMs", calm.Runs)
	}
	if always.Runs < always.Pairs || half.Runs < half.Pairs {
		t.Errorf("%d runs for %d pairs", always.Runs, always.Pairs)
	}
	// Four times the pairs: what grows with their square would take sixteen times as long.
	if grown := float64(always.Evaluate+always.Decide) / float64(half.Evaluate+half.Decide); grown > 8 {
		t.Errorf("four times the pairs took %.1f times as long to decide", grown)
	}
}

var readCall = regexp.MustCompile(`(?:pread64|read)\(\d+<([^>]*)>.* = (\d+)$`)

// TestPassReadsTheEnd counts by strace what a pass reads of logs of a year: 64 KiB at most of each, by rules with one window and
// by the built-in algorithm, which reads several.
func TestPassReadsTheEnd(t *testing.T) {
	strace := real.Need(t, "strace")
	dir := t.TempDir()
	w := passWorld{Nodes: 3, VMs: 10, Hot: 0.4, Hours: 365 * 24}
	w.write(t, dir)
	fi, err := os.Stat(filepath.Join(dir, nodeName(0)+"-cpu"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w.Relief = range []bool{false, true} {
		w.configure(t, dir)
		log := filepath.Join(t.TempDir(), "trace")
		r := runPass(t, dir, strace, "-f", "-y", "-qq", "-e", "trace=read,pread64", "-o", log)
		read := readsOf(t, log)
		if len(read) != 3 {
			t.Fatalf("relief %v: strace saw reads of %v", w.Relief, read)
		}
		sum := 0
		for name, n := range read {
			sum += n
			if n > 64<<10 {
				t.Errorf("relief %v: %d bytes of %s were read", w.Relief, n, name)
			}
		}
		if sum != r.Bytes {
			t.Errorf("relief %v: strace counted %d bytes, Logs %d", w.Relief, sum, r.Bytes)
		}
		t.Logf("relief %v: of logs of %d KiB, %d bytes each were read", w.Relief, fi.Size()>>10, sum/3)
	}
}

// readsOf sums what was read of each log.
func readsOf(t testing.TB, log string) map[string]int {
	t.Helper()
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int{}
	for _, line := range strings.Split(string(trace), "\n") {
		if m := readCall.FindStringSubmatch(line); m != nil && strings.HasSuffix(m[1], "-cpu") {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			read[filepath.Base(m[1])] += n
		}
	}
	return read
}
