package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// explainable is a bench on which centos1 is about to leave a hot node, and a pass of that is recorded.
func explainable(t *testing.T) *bench {
	t.Helper()
	b := recorded(t)
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nrail projected-load off;\nbalance centos1;\ndefault { algorithm { migrate() if average(res('cpu', 5)) > 0.70 && average(res2('cpu', 2)) < 0.40; } }\n")
	file, res, _, err := conf.Load(func(p string) ([]byte, error) { return os.ReadFile(filepath.Join(b.root, p)) }, "/gfs/lbvm.conf")
	if err != nil || file == nil || res == nil {
		t.Fatal(err)
	}
	cfg, _ := balance.NewConfig(file, res)
	v := balance.View{Quorate: true, Nodes: []balance.Node{{Name: x1, Online: true}, {Name: x2, Online: true}, {Name: x3, Online: true}},
		VMs: []balance.VM{{Name: "centos1", Type: "xen", Service: "service:centos1", Owner: x1, State: balance.Started, MayRun: []balance.Placement{{Node: x2}, {Node: x3}}}}}
	logs := filepath.Join(b.root, "gfs/lbvm/log")
	for _, minutes := range []int{50, 20, 0} {
		pass, err := balance.Decide(context.Background(), balance.Input{At: time.Unix(1290000600-int64(minutes)*60, 0), Config: cfg, View: v, Samples: cfg.Logs(logs)})
		if err != nil {
			t.Fatal(err)
		}
		if err := balance.AppendPass(filepath.Join(logs, balance.PassesName), pass); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestExplainThen(t *testing.T) {
	b := explainable(t)
	at := func(minutes int) string { return time.Unix(1290000600-int64(minutes)*60, 0).Format(time.RFC3339) }
	for _, c := range []struct {
		name  string
		args  []string
		code  int
		parts []string
	}{
		{"it moved", []string{"centos1", "--at", at(20)}, 0, []string{"xen:centos1 on " + x1, "migrate to " + x2, "average(res('cpu', 5)) > 0.70", "(0.9 > 0.70)", x3 + ": the rule said nothing", "false"}},
		{"it stayed, half an hour before", []string{"centos1", "--at", at(49)}, 0, []string{": stay", "its rule said nothing", "false"}},
		{"one target", []string{"xen:centos1", "--at", at(20), "--target", x3}, 0, []string{x3 + ": the rule said nothing"}},
		{"nothing was recorded then", []string{"centos1", "--at", at(200)}, exitFailed, nil},
		{"no such VM", []string{"centos9", "--at", at(20)}, exitFailed, nil},
		{"no such target", []string{"centos1", "--at", at(20), "--target", "xen9"}, exitFailed, []string{`no node of the cluster is named "xen9": there are ` + x1 + ", " + x2 + ", " + x3}},
		{"no time", []string{"centos1", "--at", "yesterday"}, exitUsage, nil},
		{"no VM", nil, exitUsage, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := b.lbm(append([]string{"explain"}, c.args...)...)
			out := b.out.String()
			if code != c.code {
				t.Fatalf("exit code %d, want %d: %s%s", code, c.code, out, b.errors.String())
			}
			for _, p := range c.parts {
				if !strings.Contains(out+b.errors.String(), p) {
					t.Errorf("no %q in:\n%s", p, out)
				}
			}
			if code == exitFailed && b.errors.Len() == 0 {
				t.Error("no reason is told")
			}
		})
	}
	if code := b.lbm("explain", "centos1", "--at", at(20), "-o", "json"); code != 0 {
		t.Fatal(b.errors.String())
	}
	var e explanation
	if err := json.Unmarshal(b.out.Bytes(), &e); err != nil || e.Verdict != "migrate" || e.Target == nil || *e.Target != x2 || len(e.Candidates) != 2 || len(e.Candidates[0].Steps) == 0 {
		t.Errorf("%+v %v", e, err)
	}
	// Another rule than then: told, and the recorded verdict is held against it.
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance centos1;\ndefault { algorithm { migrate() if 0; } }\n")
	if code := b.lbm("explain", "centos1", "--at", at(20)); code != exitUnknown || !strings.Contains(b.errors.String(), "has changed since") || !strings.Contains(b.errors.String(), "migrate to "+x2) {
		t.Errorf("exit code %d: %s", code, b.errors.String())
	}
}

// Where lbmonitor has kept the rules of then, these decide, whatever lbvm.conf says now, and also where it cannot be read.
func TestThenByTheRulesOfThen(t *testing.T) {
	b := explainable(t)
	file, res, _, err := conf.Load(func(p string) ([]byte, error) { return os.ReadFile(filepath.Join(b.root, p)) }, "/gfs/lbvm.conf")
	if err != nil {
		t.Fatal(err)
	}
	then, _ := balance.NewConfig(file, res)
	if err := then.Keep(filepath.Join(b.root, "gfs/lbvm/log")); err != nil {
		t.Fatal(err)
	}
	at, from := time.Unix(1290000600-20*60, 0).Format(time.RFC3339), time.Unix(1290000600-50*60, 0).Format(time.RFC3339)
	for name, today := range map[string]string{"another rule": "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance centos1;\ndefault { algorithm { migrate() if 0; } }\n",
		"broken": "balance centos1\n"} {
		b.write(t, "gfs/lbvm.conf", today)
		if code := b.lbm("explain", "centos1", "--at", at); code != 0 || !strings.Contains(b.out.String(), "migrate to "+x2) || !strings.Contains(b.errors.String(), "has changed since: these are the rules of then") {
			t.Errorf("%s: exit code %d: %s%s", name, code, b.out.String(), b.errors.String())
		}
	}
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance centos1;\ndefault { algorithm { migrate() if 0; } }\n")
	if code := b.lbm("replay", "--from", from, "--decisions"); code != 0 || b.out.String() != "3 passes, 3 decisions: decided again all are the same; 3 of the passes by the rules of then, which have changed since and were kept\n" {
		t.Errorf("exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
	if err := os.RemoveAll(filepath.Join(b.root, "gfs/lbvm/log", balance.KeptName)); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("replay", "--from", from, "--decisions"); code != exitUnknown || !strings.Contains(b.out.String(), "; 3 of the passes were made with another configuration, which was not kept: they are decided by that of today") {
		t.Errorf("not kept: exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
}

func TestReplayCommand(t *testing.T) {
	b := explainable(t)
	trace := filepath.Join(t.TempDir(), "trace.csv")
	hot, idle := strings.Repeat(", 95", 24), strings.Repeat(", 1", 24)
	if err := os.WriteFile(trace, []byte("a, 4, 1024"+hot+"\nx, 4, 1024"+idle+"\nb, 4, 1024"+hot+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("replay", "--trace", trace, "--nodes", "2", "--cores", "6", "-o", "json"); code != 0 {
		t.Fatal(b.errors.String())
	}
	var r replayed
	if err := json.Unmarshal(b.out.Bytes(), &r); err != nil || r.Minutes != 120 || len(r.Policies) != 2 || r.Policies[0].Overload != 120 || r.Policies[1].Moves != 1 || r.Policies[1].Overload > 20 {
		t.Errorf("%+v %v", r, err)
	}
	from, to := time.Unix(1290000600-50*60, 0).Format(time.RFC3339), time.Unix(1290000600, 0).Format(time.RFC3339)
	b.write(t, "new.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance centos1;\ndefault { algorithm relief; }\n")
	if code := b.lbm("replay", "--from", from, "--to", to, "--conf", filepath.Join(b.root, "new.conf")); code != 0 || !strings.Contains(b.out.String(), "recorded: 3 nodes, 1 VM, 50 minutes") || !strings.Contains(b.out.String(), "new.conf (new)") {
		t.Errorf("exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
	long := time.Unix(1290000600-500*60, 0).Format(time.RFC3339)
	for _, args := range [][]string{{"replay", "--from", long, "--to", to}, {"replay", "--from", long, "--to", long, "--decisions"}, {"explain", "centos1", "--at", long}} {
		if code := b.lbm(args...); code != exitFailed || !strings.Contains(b.errors.String(), "those of passes.log are from "+from+" to "+to) {
			t.Errorf("%q of a time without a pass: exit code %d: %s", args, code, b.errors.String())
		}
	}
	for _, args := range [][]string{{}, {"--trace", trace, "--from", from}, {"--trace", trace, "--record", b.root}, {"--trace", trace, "--decisions"}, {"--from", "yesterday"}} {
		if code := b.lbm(append([]string{"replay"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

// A record is replayed without a cluster: on a machine that has nothing but the copy. What lbmonitor decided is decided again.
func TestReplayOfARecord(t *testing.T) {
	b := explainable(t)
	dir := t.TempDir()
	for _, name := range []string{"lbvm.conf", "lbresources.conf"} {
		copyFile(t, filepath.Join(b.root, "gfs", name), filepath.Join(dir, name))
	}
	logs, err := filepath.Glob(filepath.Join(b.root, "gfs/lbvm/log/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range logs {
		copyFile(t, f, filepath.Join(dir, filepath.Base(f)))
	}
	from := time.Unix(1290000600-50*60, 0).Format(time.RFC3339)
	if code := b.lbm("replay", "--from", from, "--decisions"); code != 0 || b.out.String() != "3 passes, 3 decisions: decided again all are the same\n" {
		t.Errorf("on the node: exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
	alone := newBench(t, nil) // lbm init was not run here
	if code := alone.lbm("replay", "--record", dir); code != 0 || !strings.Contains(alone.out.String(), "recorded: 3 nodes, 1 VM, 50 minutes") {
		t.Errorf("exit code %d: %s%s", code, alone.out.String(), alone.errors.String())
	}
	if code := alone.lbm("replay", "--record", dir, "--decisions"); code != 0 || alone.out.String() != "3 passes, 3 decisions: decided again all are the same\n" {
		t.Errorf("decided again: exit code %d: %s%s", code, alone.out.String(), alone.errors.String())
	}
	changed := filepath.Join(t.TempDir(), "new.conf")
	if err := os.WriteFile(changed, []byte("resources /elsewhere/lbresources.conf;\nbalance centos1;\ndefault { algorithm { report() if average(res('cpu', 5)) > 0.70; } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := alone.lbm("replay", "--record", dir, "--conf", changed, "--decisions", "-o", "json"); code != exitUnknown {
		t.Fatalf("another configuration: exit code %d: %s%s", code, alone.out.String(), alone.errors.String())
	}
	var d decidedAgain
	if err := json.Unmarshal(alone.out.Bytes(), &d); err != nil || d.Passes != 3 || d.Other != 3 || len(d.Different) == 0 || d.Different[0].Recorded != "migrate to "+x2 || !strings.HasPrefix(d.Different[0].Again, "report to ") {
		t.Errorf("%+v %v", d, err)
	}
	later := time.Unix(1290000600-40*60, 0).Format(time.RFC3339)
	if code := alone.lbm("replay", "--record", dir, "--from", later, "--to", later, "--decisions"); code != exitFailed || !strings.Contains(alone.errors.String(), "no pass was recorded then") {
		t.Errorf("nothing in that time: exit code %d: %s%s", code, alone.out.String(), alone.errors.String())
	}
	// A folder of traces, each with some of the VMs.
	traces := t.TempDir()
	for name, text := range map[string]string{"a.csv": "a, 4, 1024" + strings.Repeat(", 95", 24) + "\n", "b.csv": "b, 4, 1024" + strings.Repeat(", 5", 24) + "\n"} {
		if err := os.WriteFile(filepath.Join(traces, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code := alone.lbm("replay", "--record", traces, "--nodes", "2", "--conf", filepath.Join(dir, "lbvm.conf")); code != exitFailed { // it names a file of resources that is not here
		t.Errorf("traces: exit code %d: %s%s", code, alone.out.String(), alone.errors.String())
	}
	if code := b.lbm("replay", "--record", traces, "--nodes", "2"); code != 0 || !strings.Contains(b.out.String(), "a.csv: 2 nodes, 2 VMs, 120 minutes") {
		t.Errorf("traces: exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
	if code := alone.lbm("replay", "--record", t.TempDir()); code != exitFailed || !strings.Contains(alone.errors.String(), "it is no record") {
		t.Errorf("an empty folder: exit code %d: %s", code, alone.errors.String())
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestExplainNow(t *testing.T) {
	b := explainable(t)
	if code := b.lbm("explain", "centos1"); code != 0 || !strings.Contains(b.out.String(), "xen:centos1 on "+x1) || !strings.Contains(b.out.String(), "average(res('cpu', 5)) > 0.70") {
		t.Errorf("exit code %d: %s%s", code, b.out.String(), b.errors.String())
	}
	if code := b.lbm("explain", "101"); code != exitFailed || !strings.Contains(b.errors.String(), "is not balanced") {
		t.Errorf("exit code %d: %s", code, b.errors.String())
	}
}
