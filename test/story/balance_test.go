package story

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// What was only just enabled has moved, for the balancer: the shorter cool-down does not make the story wait for it.
const balanced = `sharedstorage /shared;
resources /shared/lbresources.conf;
logdir /shared/lbvm/log;
balance 101, web1, 102, db1;
cooldown 2m;
`

const shedding = `
default {
    info the node is hot and another one is cool;
    algorithm {
        if (average(res('cpu', 3)) > 0.70 && average(res2('cpu', 2)) < 0.40)
        {
            migrate();
        }
    }
}
`

// minutes is how many samples and passes a story waits for before it believes that nothing happens.
const minutes = 5

// TestHotNodeShedsAVM makes a cluster ready from nothing with lbm init, as an administrator does, and heats a node.
// Without a rule nothing moves; with it the balancer hands one guest over by itself.
func TestHotNodeShedsAVM(t *testing.T) {
	t.Parallel()
	services := []service{{"centos1", "openvz", "101"}, {"web1", "xen", "web1"}, {"centos2", "openvz", "102"}, {"db1", "xen", "db1"}}
	homes := []string{"node1", "node1", "node2", "node3"}
	o := lab.Options{Bare: true, Scale: 60, Nodes: []string{"node1", "node2", "node3"}}
	for i, s := range services {
		o.VMs = append(o.VMs, lab.VM{Type: s.typ, Name: s.vm, Service: s.name, Node: homes[i]})
	}
	w := newWorld(t, o)
	for i, n := range o.Nodes {
		argv := []string{"lbm", "init", "--shared", lab.SharedMount}
		if i > 0 {
			argv = append(argv, "--join")
		}
		w.on(n, argv...)
	}
	w.configure(balanced)
	w.on("node1", "ccs_tool", "update", "/etc/cluster/cluster.conf")
	for i, s := range services {
		w.on(homes[i], "clusvcadm", "-e", s.name, "-m", homes[i])
		w.awaitTick(s.guest(), homes[i])
	}
	w.until("the balancer's service is started", limit, func() bool {
		state, _ := w.status().service("monitoring")
		return state == "started"
	})
	w.must("load", "openvz:101", "0.45")
	w.must("load", "xen:web1", "0.40")

	t.Run("no rule, no move", func(t *testing.T) {
		w := w.with(t)
		passes := w.passes()
		w.until("node1 is measured hot and the others cool for some minutes", limit, func() bool {
			return w.cpu("node1", func(v float64) bool { return v > 0.7 }) && w.cpu("node2", func(v float64) bool { return v < 0.4 }) &&
				w.cpu("node3", func(v float64) bool { return v < 0.4 })
		})
		w.until("the balancer has made its passes", limit, func() bool { return w.passes() >= passes+minutes })
		if n := count(w.journal(), "event", "begin"); n != 0 {
			t.Errorf("without a rule %d moves were begun", n)
		}
		st := w.status()
		for i, s := range services {
			if on := st.on(s.guest()); !slices.Equal(on, []string{homes[i]}) {
				t.Errorf("without a rule guest %s has gone from %s to %q", s.guest(), homes[i], on)
			}
		}
	})
	t.Run("the rule moves one", func(t *testing.T) {
		w := w.with(t)
		w.configure(balanced + shedding)
		var end record
		w.until("a move of the balancer has ended", limit, func() bool {
			for _, r := range w.journal() {
				if r.Get("event") == "end" {
					end = r
					return true
				}
			}
			return false
		})
		guest, target := end.Get("vm"), end.Get("to")
		t.Logf("%s moved from %s to %s in %s lab seconds", guest, end.Get("from"), target, end.Get("seconds"))
		if end.Get("from") != "node1" || end.Get("outcome") != string(balance.OutcomeMoved) || end.Get("memory") != string(balance.MemoryKept) || end.Get("owner") != target {
			t.Errorf("the journal says %v", end)
		}
		if n := count(w.journal(), "event", "begin", "txn", end.Get("txn"), "by", "lbmonitor", "vm", guest); n != 1 {
			t.Errorf("the move was begun %d times by lbmonitor", n)
		}
		if rails := end.Get("rails"); !strings.HasPrefix(rails, "pass stale-data not-started settling") || !strings.Contains(rails, "cpu of "+target+" would be ") || !strings.Contains(end.Get("why"), "said migrate as average(") {
			t.Errorf("the journal tells of the rule %q and of the rails %q", end.Get("why"), rails)
		}
		w.awaitTick(guest, target)
		st := w.status()
		for _, s := range services {
			on := st.on(s.guest())
			if _, owner := st.service(s.name); !slices.Equal(on, []string{owner}) {
				t.Errorf("guest %s is on %q, its service on %s", s.guest(), on, owner)
			}
			if s.guest() == guest && !slices.Equal(on, []string{target}) {
				t.Errorf("guest %s is on %q and was moved to %s", guest, on, target)
			}
		}
		if out := w.on("node2", "lbm", "history"); !strings.Contains(out, strings.TrimPrefix(guest[strings.Index(guest, ":"):], ":")) || !strings.Contains(out, target) {
			t.Errorf("lbm history does not speak of the move of %s to %s:\n%s", guest, target, out)
		}
		out := w.on("node3", "lbm", "-l")
		for _, s := range services {
			if !strings.Contains(out, s.vm) {
				t.Errorf("lbm -l does not list %s:\n%s", s.vm, out)
			}
		}
	})
	passes := w.passes()
	w.until("the balancer has made some passes more", limit, func() bool { return w.passes() >= passes+minutes })
	t.Run("what was decided is decided again", func(t *testing.T) {
		w := w.with(t)
		w.remodelled(w.again("node2", time.Time{}))
	})
	for _, s := range services {
		if n := incarnations(w.witness(s.guest())); n != 1 {
			t.Errorf("guest %s has booted %d times", s.guest(), n)
		}
	}
	w.silent(0)
	if t.Failed() {
		w.tell("shared/lbvm/log/passes.log", 2)
	}
}

// again decides every pass since a time again, as lbm explain --at does, and wants the same of each VM. On a node lbm explain tells one of
// each pass, and all that are more than a stay. What the balancer has done is what it had decided.
func (w *world) again(node string, since time.Time) []*balance.Pass {
	w.t.Helper()
	read := func(p string) ([]byte, error) { return os.ReadFile(w.l.Path(p)) }
	file, res, _, err := conf.Load(read, "/shared/lbvm.conf")
	if err != nil || file == nil || res == nil {
		w.t.Fatalf("the configuration: %v", err)
	}
	cfg, _ := balance.NewConfig(file, res)
	logs := w.l.Path("shared/lbvm/log")
	all, _, err := balance.ReadPasses(filepath.Join(logs, balance.PassesName), since)
	if err != nil {
		w.t.Fatal(err)
	}
	moves, err := balance.OpenJournal(filepath.Join(logs, balance.JournalName)).Since(time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	var passes []*balance.Pass
	decisions, told, earlier := 0, 0, 0
	for n, old := range all {
		by, today := cfg, old.Config == cfg.Digest
		if today {
			passes = append(passes, old)
		} else { // of before there was a rule: lbmonitor has kept what there was
			f, r, err := balance.KeptFiles(logs, old.Config)
			if err != nil {
				w.t.Fatalf("the configuration of the pass of %s: %v", old.At, err)
			}
			by, _ = balance.NewConfig(f, r)
			if earlier++; earlier <= 2 && len(old.Decisions) > 0 {
				out, code := w.tryOn(node, "lbm", "explain", old.Decisions[0].VM, "--at", old.At.Format(time.RFC3339Nano))
				if code != 0 || !strings.Contains(out, "has changed since: these are the rules of then") {
					w.t.Errorf("lbm explain of %s, by earlier rules: exit %d: %s", old.At, code, out)
				}
			}
		}
		p, err := balance.Again(context.Background(), old, by, by.Logs(logs), moves, time.UTC, nil)
		if err != nil || len(p.Decisions) != len(old.Decisions) {
			w.t.Fatalf("the pass of %s: %v", old.At, err)
		}
		for i, d := range p.Decisions {
			was := old.Decisions[i]
			if decisions++; d.VM != was.VM || d.Verdict != was.Verdict || d.Target != was.Target || d.Why != was.Why {
				w.t.Errorf("of %s at %s lbmonitor decided %s %s: %s; and again: %s %s: %s", was.VM, old.At, was.Verdict, was.Target, was.Why, d.Verdict, d.Target, d.Why)
			}
			if !today || d.Verdict == balance.Stay && i != n%len(p.Decisions) {
				continue
			}
			told++
			out, code := w.tryOn(node, "lbm", "explain", d.VM, "--at", old.At.Format(time.RFC3339Nano))
			if code != 0 || !strings.Contains(out, "why:     "+was.Why) {
				w.t.Errorf("lbm explain of %s at %s: exit %d, recorded was %s:\n%s", d.VM, old.At, code, was.Why, out)
			}
		}
	}
	w.t.Logf("%d decisions of %d passes, %d of them by earlier rules, were the same again, %d of them told by lbm explain", decisions, len(passes)+earlier, earlier, told)
	w.replayed(node, passes)
	if earlier > 0 {
		out, code := w.tryOn(node, "lbm", "replay", "--from", all[0].At.Format(time.RFC3339Nano), "--to", all[len(all)-1].At.Format(time.RFC3339Nano), "--decisions")
		if want := fmt.Sprintf("decided again all are the same; %d of the passes by the rules of then, ", earlier); code != 0 || !strings.Contains(out, want) {
			w.t.Errorf("lbm replay --decisions over all: exit %d, %q, want %q", code, out, want)
		}
	}
	w.did(passes, moves)
	if decisions == 0 || told == 0 {
		w.t.Error("nothing was compared")
	}
	return passes
}

// did compares what was decided with what was begun: each move of the balancer is one that the newest pass had decided for the same
// reason, and each decision to move was carried out, or refused before the next look of that pass.
func (w *world) did(passes []*balance.Pass, moves []balance.Move) {
	w.t.Helper()
	first := passes[0].At
	used := map[string]bool{}
	key := func(p *balance.Pass, d balance.Decision) string { return p.At.String() + d.VM }
	for _, m := range moves {
		if m.By != "lbmonitor" || m.Begin.Before(first) {
			continue
		}
		var by *balance.Pass
		for _, p := range passes {
			if !p.At.After(m.Begin) {
				by = p
			}
		}
		i := slices.IndexFunc(by.Decisions, func(d balance.Decision) bool {
			return d.Verdict == balance.Migrate && d.VM == m.VM && d.Owner == m.From && d.Target == m.To && !used[key(by, d)]
		})
		if i < 0 {
			w.t.Errorf("lbmonitor has moved %s from %s to %s at %s, and its pass of %s had not decided that", m.VM, m.From, m.To, m.Begin, by.At)
			continue
		}
		used[key(by, by.Decisions[i])] = true
	}
	for i, p := range passes {
		for _, d := range p.Moves() {
			refused := i+1 < len(passes) && slices.ContainsFunc(passes[i+1].Refused, func(r balance.Refusal) bool { return r.VM == d.VM && r.Node == d.Target })
			if !used[key(p, d)] && !refused {
				w.t.Errorf("lbmonitor has decided to move %s to %s at %s, and the journal knows nothing of it", d.VM, d.Target, p.At)
			}
		}
	}
	if len(used) == 0 {
		w.t.Error("no move was compared with its decision")
	}
}

// replayed lets lbm replay decide passes again that follow each other: it must come to what lbmonitor came to, each time.
func (w *world) replayed(node string, of []*balance.Pass) {
	w.t.Helper()
	decisions, moves := 0, 0
	for _, p := range of {
		decisions += len(p.Decisions)
		moves += len(p.Moves())
	}
	if len(of) == 0 || moves == 0 {
		w.t.Fatalf("%d passes of this configuration, %d moves: there is nothing to compare", len(of), moves)
	}
	first, last := of[0].At.Format(time.RFC3339Nano), of[len(of)-1].At.Format(time.RFC3339Nano)
	out, code := w.tryOn(node, "lbm", "replay", "--from", first, "--to", last, "--decisions")
	if want := fmt.Sprintf("%d passes, %d decisions: decided again all are the same\n", len(of), decisions); code != 0 || out != want {
		w.t.Errorf("lbm replay --decisions: exit %d, %q, want %q", code, out, want)
	}
}

// modelNear is how far from the real move its model may begin: a pass a minute on either side, and the first minute, of which the
// model has to see a sample. Each minute in which a busy machine has kept lblog from measuring comes to it.
const modelNear = 3 * time.Minute

// remodelled compares what lbm replay models with what lbmonitor really did in that time: the same VMs go, in the same order, from the
// same nodes, and at about the same time.
func (w *world) remodelled(passes []*balance.Pass) {
	w.t.Helper()
	first, last := passes[0].At.Format(time.RFC3339Nano), passes[len(passes)-1].At.Format(time.RFC3339Nano)
	real := balance.OpenJournal(w.l.Path("shared/lbvm/log", balance.JournalName))
	begin, err := time.Parse(time.RFC3339Nano, first)
	if err != nil {
		w.t.Fatal(err)
	}
	moves, err := real.Since(begin.Add(-time.Second))
	if err != nil || len(moves) == 0 {
		w.t.Fatalf("%d real moves: %v", len(moves), err)
	}
	out, code := w.tryOn("node2", "lbm", "replay", "--from", first, "--to", last, "-o", "json")
	var told struct {
		Policies []struct {
			Policy  string
			Journal []struct {
				VM, From, To string
				Begin        time.Time
				End          *time.Time
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &told); code != 0 || err != nil || len(told.Policies) != 2 {
		w.t.Fatalf("lbm replay: exit %d, %v:\n%s", code, err, out)
	}
	model := told.Policies[1].Journal
	end, err := time.Parse(time.RFC3339Nano, last)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(model) == 0 {
		w.t.Fatalf("%d moves were made, the model makes none:\n%s", len(moves), out)
	}
	near := modelNear
	log, err := os.ReadFile(w.l.Path("shared/lbvm/log", model[0].From+"-cpu"))
	if err != nil {
		w.t.Fatal(err)
	}
	for at := begin.Truncate(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		measured := false
		for _, line := range strings.Split(string(log), "\n") {
			stamp, _, _ := strings.Cut(line, " ")
			n, err := strconv.ParseInt(stamp, 10, 64)
			measured = measured || err == nil && n > at.Unix() && n <= at.Unix()+60
		}
		if !measured {
			near += time.Minute
		}
	}
	if len(model) != len(moves) {
		w.t.Fatalf("%d moves were made, the model makes %d:\n%s", len(moves), len(model), out)
	}
	for i, m := range moves {
		x := model[i]
		took := "no end"
		if x.End != nil {
			took = x.End.Sub(x.Begin).Round(time.Second).String()
		}
		late := x.Begin.Sub(m.Begin)
		w.t.Logf("%s really went from %s to %s in %s; in the model to %s in %s, begun %s later (at most %s)", m.VM, m.From, m.To, m.End.Sub(m.Begin).Round(time.Second), x.To, took, late.Round(time.Second), near)
		if x.VM != m.VM || x.From != m.From || late.Abs() > near {
			w.t.Errorf("move %d was that of %s from %s at %s, in the model that of %s from %s at %s", i+1, m.VM, m.From, m.Begin, x.VM, x.From, x.Begin)
		}
	}
}

// configure writes lbvm.conf. It is replaced at once, as an editor does.
func (w *world) configure(text string) {
	w.t.Helper()
	file := w.l.Path("shared/lbvm.conf")
	if err := os.WriteFile(file+".new", []byte(text), 0o640); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		w.t.Fatal(err)
	}
}

// passes counts the passes that were written down whole.
func (w *world) passes() int {
	b, err := os.ReadFile(w.l.Path("shared/lbvm/log", balance.PassesName))
	if err != nil {
		return 0
	}
	n := 0
	for _, line := range strings.Split(string(b), "\n") {
		if json.Valid([]byte(line)) {
			n++
		}
	}
	return n
}

// cpu tells whether the last values of a node's processor, one for each minute, all are as wanted.
func (w *world) cpu(node string, want func(float64) bool) bool {
	b, err := os.ReadFile(w.l.Path("shared/lbvm/log", node+"-cpu"))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2*minutes {
		return false
	}
	for i := len(fields) - 2*minutes; i < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i+1], 64)
		if err != nil || !want(v) {
			return false
		}
	}
	return true
}
