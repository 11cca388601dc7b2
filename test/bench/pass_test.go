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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
}

var passNow = time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)

func nodeName(i int) string { return fmt.Sprintf("node%03d", i) }

// write lays the world out.
func (w passWorld) write(t testing.TB, dir string) {
	t.Helper()
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
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
		put(nodeName(i)+"-cpu", b)
	}
	var rules strings.Builder
	fmt.Fprintf(&rules, "logdir %s;\nresources %s/res.conf;\nbalance vm0", dir, dir)
	for i := 1; i < w.VMs; i++ {
		fmt.Fprintf(&rules, ", vm%d", i)
	}
	rules.WriteString(";\n")
	for i := range w.VMs {
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

// passCost is what one pass came to, in nanoseconds of user time, measured within the process.
type passCost struct {
	Compile, Read, Evaluate, Decide, Write int64
	Bytes, Pairs, Runs, Moves              int
}

// timedSamples and timedRule measure their part of Decide; of a rule's runs every sixteenth.
type timedSamples struct {
	balance.Samples
	took time.Duration
}

func (s *timedSamples) Window(node, resource string, from, to time.Time) ([]balance.Sample, error) {
	began := time.Now()
	defer func() { s.took += time.Since(began) }()
	return s.Samples.Window(node, resource, from, to)
}

type ruleTimes struct {
	runs int
	took time.Duration
}

type timedRule struct {
	balance.Program
	t *ruleTimes
}

func (r timedRule) Run(ctx context.Context, o perl.Options) (perl.Value, error) {
	if r.t.runs++; r.t.runs%16 != 0 {
		return r.Program.Run(ctx, o)
	}
	began := time.Now()
	v, err := r.Program.Run(ctx, o)
	r.t.took += 16 * time.Since(began)
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
	began := time.Now()
	file, res, _, err := conf.Load(os.ReadFile, filepath.Join(dir, "lbvm.conf"))
	if err != nil {
		return c, err
	}
	if file == nil || res == nil {
		return c, errors.New("the configuration has errors")
	}
	cfg, _ := balance.NewConfig(file, res)
	c.Compile = time.Since(began).Nanoseconds()
	times := &ruleTimes{}
	for _, r := range cfg.Rules {
		r.Program = timedRule{r.Program, times}
	}
	v := w.view()
	logs := cfg.Logs(dir).At(passNow)
	samples := &timedSamples{Samples: logs}
	began = time.Now()
	pass, err := balance.Decide(context.Background(), balance.Input{At: passNow, Config: cfg, View: v, Samples: samples})
	if err != nil {
		return c, err
	}
	whole := time.Since(began)
	c.Read, c.Evaluate = samples.took.Nanoseconds(), times.took.Nanoseconds()
	c.Decide = (whole - samples.took - times.took).Nanoseconds()
	began = time.Now()
	if err := balance.AppendPass(filepath.Join(dir, "passes.log"), pass); err != nil {
		return c, err
	}
	c.Write = time.Since(began).Nanoseconds()
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
	worlds := []struct {
		name string
		w    passWorld
	}{
		{"200 x 5000, calm", passWorld{200, 5000, 0, 24, false, false}},
		{"200 x 5000, 10 % hot", passWorld{200, 5000, 0.1, 24, false, false}},
		{"200 x 5000, each asks res2", passWorld{200, 5000, 0.1, 24, true, false}},
		{"100 x 2500, each asks res2", passWorld{100, 2500, 0.1, 24, true, false}},
	}
	got := map[string]passRun{}
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

// TestPassReadsTheEnd counts by strace what a pass reads of logs of a year: 64 KiB at most of each.
func TestPassReadsTheEnd(t *testing.T) {
	strace := real.Need(t, "strace")
	dir := t.TempDir()
	passWorld{3, 10, 0.4, 365 * 24, false, false}.write(t, dir)
	log := filepath.Join(t.TempDir(), "trace")
	r := runPass(t, dir, strace, "-f", "-y", "-qq", "-e", "trace=read,pread64", "-o", log)
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
	if len(read) != 3 {
		t.Fatalf("strace saw reads of %v", read)
	}
	sum := 0
	for name, n := range read {
		sum += n
		if n > 64<<10 {
			t.Errorf("%d bytes of %s were read", n, name)
		}
	}
	if sum != r.Bytes {
		t.Errorf("strace counted %d bytes, Logs %d", sum, r.Bytes)
	}
	fi, err := os.Stat(filepath.Join(dir, nodeName(0)+"-cpu"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("of logs of %d KiB, %d bytes each were read", fi.Size()>>10, sum/3)
}
