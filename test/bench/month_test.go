package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// monthWorld is a month of a cluster as it lies in a folder of logs: a sample a minute of each node, and the passes that
// lbm replay reads of a month, one in half an hour.
type monthWorld struct {
	Nodes, VMs, Days int
	Rule             func(vm int) string // of a VM; nil is relief for all
}

var monthStart = time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)

// monthStep is how many minutes lie between two passes.
const monthStep = 30

// record writes it. The VMs' loads have a daily wave, noise, and now and then an hour in which one wants nearly all that it has.
func (w monthWorld) record(t testing.TB, dir string) {
	t.Helper()
	const cores, guestCores = 16, 2
	rnd := rand.New(rand.NewSource(1))
	minutes := w.Days * 24 * 60
	mean, phase, busy := make([]float64, w.VMs), make([]float64, w.VMs), make([]int, w.VMs)
	for i := range mean {
		mean[i], phase[i], busy[i] = 0.02+0.4*rnd.Float64(), rnd.Float64()*4-2, -1
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "logdir %s;\nresources %s/lbresources.conf;\nbalance vm0", dir, dir)
	for i := 1; i < w.VMs; i++ {
		fmt.Fprintf(&conf, ", vm%d", i)
	}
	conf.WriteString(";\n")
	if w.Rule == nil {
		conf.WriteString("default { algorithm relief; }\n")
	} else {
		for i := range w.VMs {
			fmt.Fprintf(&conf, "vm%d { algorithm { %s } }\n", i, w.Rule(i))
		}
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("lbvm.conf", conf.String())
	put("lbresources.conf", "resource cpu { builtin cpu; }\n")
	cfg := monthConfig(t, dir)
	logs := make([][]byte, w.Nodes)
	load, sum := make([]float64, w.VMs), make([]float64, w.Nodes)
	view := passWorld{Nodes: w.Nodes, VMs: w.VMs}.view()
	for i := range view.Nodes {
		view.Nodes[i].Cores, view.Nodes[i].MemTotal, view.Nodes[i].MemFree = cores, 128<<30, 64<<30
	}
	samples := balance.NewMemorySamples(3 * time.Minute)
	for m := range minutes {
		day := math.Sin(2 * math.Pi * (float64(m)/60 - 8) / 24)
		at := monthStart.Add(time.Duration(m+1) * time.Minute)
		for i := range sum {
			sum[i] = 0
		}
		for i := range load {
			if rnd.Intn(7*24*60) == 0 { // once a week
				busy[i] = m + 60
			}
			load[i] = guestCores * mean[i] * (0.8 + 0.2*rnd.Float64() + 0.3*math.Sin(2*math.Pi*phase[i]/24)*day)
			if m < busy[i] {
				load[i] = 0.95 * guestCores
			}
			sum[i%w.Nodes] += load[i]
		}
		for i := range sum {
			value := math.Min(1, sum[i]/cores)
			logs[i] = strconv.AppendInt(logs[i], at.Unix(), 10)
			logs[i] = append(logs[i], ' ')
			logs[i] = strconv.AppendFloat(logs[i], value, 'f', 4, 64)
			logs[i] = append(logs[i], '\n')
			if m%monthStep == monthStep-1 {
				samples.Add(nodeName(i), "cpu", balance.Sample{At: at, Value: value})
			}
		}
		if m%monthStep != monthStep-1 && m > 0 {
			continue
		}
		for i := range view.Nodes {
			view.Nodes[i].Seen = at
		}
		for i := range view.VMs {
			view.VMs[i].Cores, view.VMs[i].Mem = load[i], 4<<30
		}
		pass, err := balance.Decide(context.Background(), balance.Input{At: at, Config: cfg, View: view, Samples: samples})
		if err == nil {
			err = balance.AppendPass(filepath.Join(dir, balance.PassesName), pass)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range logs {
		put(nodeName(i)+"-cpu", string(b))
	}
}

func monthConfig(t testing.TB, dir string) *balance.Config {
	t.Helper()
	file, res, _, err := conf.Load(os.ReadFile, filepath.Join(dir, "lbvm.conf"))
	if err != nil || file == nil || res == nil {
		t.Fatal("the configuration has errors", err)
	}
	cfg, _ := balance.NewConfig(file, res)
	return cfg
}

// What lbm replay may take for a month, in processor time.
const (
	monthOfRelief = 10 * time.Second
	monthOfRules  = 20 * time.Second
)

// TestMonth measures lbm replay of a month of 20 nodes and 400 VMs, a pass a minute: the program as it is installed, real files.
func TestMonth(t *testing.T) {
	if *tableFile == "" {
		t.Skip("skipped: it is for make bench-balance, and takes a minute (-table=FILE runs it); pkg/balance/replay has tests of its own")
	}
	lbm := filepath.Join(t.TempDir(), "lbm")
	build(t, lbm, "./cmd/lbm")
	var b strings.Builder
	for _, x := range []struct {
		name  string
		rule  func(vm int) string
		limit time.Duration
		runs  int
	}{
		{"relief", nil, monthOfRelief, 3},
		{"a rule for each VM", func(vm int) string {
			return fmt.Sprintf("migrate() if average(res('cpu', 5)) > 0.7%d && average(res2('cpu', 2)) < 0.4%d;", vm%10, vm%10)
		}, monthOfRules, 3},
	} {
		w := monthWorld{Nodes: 20, VMs: 400, Days: 30, Rule: x.rule}
		dir, err := os.MkdirTemp(t.TempDir(), "month")
		if err != nil {
			t.Fatal(err)
		}
		w.record(t, dir)
		var took []time.Duration
		text := ""
		for range x.runs {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			cmd := exec.CommandContext(ctx, lbm, "replay", "--record", dir, "--from", monthStart.Format(time.RFC3339), "--to", monthStart.AddDate(0, 0, w.Days).Format(time.RFC3339))
			cmd.Env = []string{}
			out, err := cmd.CombinedOutput()
			cancel()
			if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d nodes, %d VMs, %d minutes", w.Nodes, w.VMs, w.Days*24*60)) {
				t.Fatalf("%v\n%.2000s", err, out)
			}
			took, text = append(took, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()), string(out)
		}
		if err := os.RemoveAll(dir); err != nil { // it is large
			t.Fatal(err)
		}
		slices.Sort(took)
		fmt.Fprintf(&b, "replay, %d days, 20 x 400, %-20s %6.2f s of processor time (%.2f to %.2f)\n", w.Days, x.name, took[len(took)/2].Seconds(), took[0].Seconds(), took[len(took)-1].Seconds())
		t.Logf("%s\n%s", b.String(), text)
		if took[len(took)/2] > x.limit {
			t.Errorf("%s: %s of processor time; at most %s are allowed", x.name, took[len(took)/2], x.limit)
		}
	}
	if err := os.WriteFile(*tableFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
