package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/pkg/balance"
)

// The sample of docs/explain.md is what lbm explain prints (UPDATE=1 rewrites it).
func TestExplainPage(t *testing.T) {
	const file = "../../docs/explain.md"
	b := explainable(t)
	b.clock = clock.NewFake(time.Unix(1290000600, 0).UTC())
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nrail projected-load off;\nbalance centos1;\ndefault {\n    algorithm {\n        migrate() if average(res('cpu', 5)) > 0.70 && average(res2('cpu', 2)) < 0.40;\n    }\n}\n")
	cfg, err := b.ruleConfig(evalQuery{})
	if err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(b.root, "gfs/lbvm/log")
	old, err := balance.PassAt(filepath.Join(logs, balance.PassesName), time.Unix(1290000600, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1290000600, 0).UTC()
	move := balance.Move{Txn: strings.Repeat("ab", 16), VM: "xen:centos1", From: x3, To: x1, Kind: "live", By: "lbm", Why: "asked for", Begin: at.Add(-5 * time.Minute)}
	ended := move
	ended.End, ended.Outcome, ended.Owner, ended.Memory = at.Add(-250*time.Second), balance.OutcomeMoved, x1, balance.MemoryKept
	journal := balance.OpenJournal(filepath.Join(logs, balance.JournalName))
	for _, m := range []balance.Move{move, ended} {
		if err := journal.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	pass, err := balance.Decide(context.Background(), balance.Input{At: at, Config: cfg, View: old.View, Samples: cfg.Logs(logs), Recent: []balance.Move{ended}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(logs, balance.PassesName)); err != nil {
		t.Fatal(err)
	}
	if err := balance.AppendPass(filepath.Join(logs, balance.PassesName), pass); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("explain", "centos1", "--at", at.Format(time.RFC3339)); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.errors.String())
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile("(?ms)^```\n(.*?)^```$")
	m := sample.FindSubmatch(page)
	if m == nil {
		t.Fatal("the page has no sample")
	}
	if string(m[1]) == b.out.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the page's sample is not what lbm prints (UPDATE=1 rewrites it):\n%s", b.out.String())
	}
	first := true
	now := sample.ReplaceAllStringFunc(string(page), func(was string) string {
		if !first {
			return was
		}
		first = false
		return "```\n" + b.out.String() + "```"
	})
	if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The rules of docs/good-rules.md do what the page says: in a cluster with one hot node each asks for a move, in one where
// no node is busy none does. The ones that it warns of ask for one there, too.
func TestGoodRulesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/good-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	world := func(owner, target float64) string {
		series := func(v float64) []float64 {
			out := make([]float64, 40)
			for i := range out {
				out[i] = v
			}
			return out
		}
		text, err := json.Marshal(map[string]any{"now": 1199916000, "tz": "UTC", // 22:00
			"data": map[string]any{"1": map[string]any{"cpu": series(owner)}, "2": map[string]any{"cpu": series(target), "io": series(0.05)}}})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "world.json")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	hot, calm := world(0.9, 0.1), world(0.4, 0.1)
	b := newBench(t, nil)
	asks := func(rule, world string) bool {
		if code := b.lbm("eval", "--fixture", world, rule); code != 0 {
			t.Errorf("%s: exit code %d: %s", rule, code, b.errors.String())
		}
		return strings.Contains(b.out.String(), "actions: migrate") || strings.Contains(b.out.String(), "actions: report")
	}
	good, bad := 0, 0
	for _, m := range regexp.MustCompile("(?ms)^```perl( bad)?\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		rule, isBad := m[2], m[1] != ""
		if isBad {
			bad++
		} else {
			good++
		}
		if !asks(rule, hot) || asks(rule, calm) != isBad {
			t.Errorf("with a hot node it asks: %v; where none is busy: %v\n%s", asks(rule, hot), asks(rule, calm), rule)
		}
	}
	if good < 5 || bad < 1 {
		t.Errorf("%d good rules, %d bad ones", good, bad)
	}
	if left := regexp.MustCompile("(?m)^```$\n[^`]").FindAllString(string(page), -1); len(left) > good+bad {
		t.Errorf("%d blocks of the page are no rules", len(left)-good-bad)
	}
}
