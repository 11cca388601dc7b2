package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func (w world) explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "tell why a virtual machine would move now or not, or did then", ArgsUsage: "VM",
		Description: "Decides as lbmonitor does, moves nothing, and prints for each node that the VM could go to what its rule\n" +
			"compared, which rails stand in the way, and its rank. With --at the pass that was made then is decided again\n" +
			"from what was recorded: the cluster as it was seen, the logs, the journal, and the rules that were in force.\n\n" +
			"   lbm explain 101\n   lbm explain 101 --target node2\n   lbm explain web1 --at '2008-01-10 14:00' -o json\n\n" +
			"Exit codes: 0 explained, 1 it cannot be, 2 usage, 4 explained, but with --at another verdict was recorded.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "target", Usage: "only this `NODE`"},
			&cli.StringFlag{Name: "at", Usage: "the pass at that `TIME`, or the last one in the hour before it"},
		},
		Action: func(c *cli.Context) error {
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			if c.NArg() != 1 {
				return tooMany(c, "lbm explain takes one VM")
			}
			return w.explain(c.Context, explainQuery{c.Args().First(), c.String("target"), c.String("at"), asJSON})
		},
	}
}

type explainQuery struct {
	vm, target, at string
	asJSON         bool
}

// passWithin is how long before the time that is asked for a pass may have been made.
const passWithin = time.Hour

func (w world) explain(ctx context.Context, q explainQuery) error {
	monitor.HoldGarbage() // it ends soon
	var pass, old *balance.Pass
	var notes []string
	var err error
	if q.at == "" {
		pass, notes, err = w.explainNow(ctx, q)
	} else {
		pass, old, notes, err = w.explainThen(ctx, q)
	}
	if err != nil {
		return err
	}
	d, err := decisionOn(pass, q.vm)
	if err != nil {
		return err
	}
	if q.target != "" {
		if d, err = onlyTarget(pass.View, d, q.target); err != nil {
			return err
		}
	}
	if q.asJSON {
		err = term.JSON(w.stdout, explained(pass, d, notes))
	} else {
		err = explainer{w.paint}.write(w.stdout, pass, d)
		for _, n := range notes {
			fmt.Fprintln(w.stderr, "lbm:", n)
		}
	}
	if err != nil || old == nil {
		return err
	}
	return differs(old, d, q)
}

// asks tells whether the VM is the one that is asked for: by TYPE:NAME, its name or its service. Of all others as little
// as possible is looked at.
func (q explainQuery) asks(vm balance.VM) bool {
	return q.vm == vm.Name || q.names(vm.ID(), vm.Service)
}

func (q explainQuery) names(id, service string) bool {
	_, bare, _ := strings.Cut(id, ":")
	_, name, _ := strings.Cut(service, ":")
	return q.vm == id || q.vm == bare || service != "" && (q.vm == service || q.vm == name)
}

// explainNow is a pass of lbmonitor that changes nothing, for one VM.
func (w world) explainNow(ctx context.Context, q explainQuery) (*balance.Pass, []string, error) {
	log := logrus.New()
	log.SetOutput(w.stderr)
	log.SetLevel(logrus.ErrorLevel)
	m := monitor.Monitor{Host: w.host, Manager: w.manager(), Clock: w.clock, Wait: w.wait, Log: log, Only: q.asks}
	res, err := m.Plan(ctx, func(d conf.Diagnostic) {
		if d.Severity == conf.Error {
			fmt.Fprint(w.stderr, d.Format())
		}
	})
	return res.Pass, res.Warnings, err
}

// explainThen decides a recorded pass again. old is as it was recorded.
func (w world) explainThen(ctx context.Context, q explainQuery) (pass, old *balance.Pass, notes []string, err error) {
	at, err := instant("at", q.at, w.clock.Now().Location())
	if err != nil {
		return nil, nil, nil, err
	}
	id, err := w.host.Identity()
	if err != nil {
		return nil, nil, nil, err
	}
	dir := w.host.Path(id.LogDir)
	if old, err = balance.PassOf(filepath.Join(dir, balance.PassesName), at, passWithin, q.names); err != nil {
		if errors.Is(err, balance.ErrNoPass) {
			err = noPassIn(dir, err)
		}
		return nil, nil, nil, err
	}
	today, broken := w.lateConfig(evalQuery{})
	rules, err := rulesThen(dir, old.Config, today, broken, balance.LateConfig)
	if err != nil {
		return nil, nil, nil, err
	}
	if note := rules.note(); note != "" {
		notes = append(notes, note)
	}
	moves, err := rules.moves(dir, old.At)
	if err != nil {
		return nil, nil, nil, err
	}
	pass, err = balance.Again(ctx, old, rules.Config, rules.Logs(w.host.Path(rules.Paths.LogDir)), moves, w.clock.Now().Location(), q.asks)
	return pass, old, notes, err
}

// differs compares with the verdict that was recorded then.
func differs(old *balance.Pass, d balance.Decision, q explainQuery) error {
	was, err := decisionOn(old, d.VM)
	if err != nil || was.Verdict == d.Verdict && (was.Target == d.Target || q.target != "") {
		return nil // it was not balanced then: there is nothing to compare with
	}
	return cli.Exit(fmt.Sprintf("recorded then was another verdict: %s: %s", verdict(was), was.Why), exitUnknown)
}

// decisionOn finds the decision on a VM: TYPE:NAME, NAME or its service.
func decisionOn(p *balance.Pass, name string) (balance.Decision, error) {
	var found []balance.Decision
	for _, d := range p.Decisions {
		_, bare, _ := strings.Cut(d.VM, ":")
		_, service, _ := strings.Cut(d.Service, ":")
		if name == d.VM || name == bare || name == d.Service || d.Service != "" && name == service {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return balance.Decision{}, fmt.Errorf("VM %q is not balanced: it does not stand in balance of lbvm.conf", name)
	}
	return balance.Decision{}, fmt.Errorf("%q may be %s or %s: name one of them", name, found[0].VM, found[1].VM)
}

func onlyTarget(v balance.View, d balance.Decision, target string) (balance.Decision, error) {
	for _, c := range d.Candidates {
		if c.Node == target {
			d.Candidates = []balance.Candidate{c}
			return d, nil
		}
	}
	if d.Owner == target {
		return d, fmt.Errorf("%s is on %s already", d.VM, target)
	}
	at := slices.IndexFunc(v.Nodes, func(n balance.Node) bool { return n.Name == target })
	switch {
	case at < 0:
		var names []string
		for _, n := range v.Nodes {
			names = append(names, n.Name)
		}
		return d, fmt.Errorf("no node of the cluster is named %q: there are %s", target, strings.Join(names, ", "))
	case !v.Nodes[at].Online:
		return d, fmt.Errorf("%s cannot go to %s: the node is not online, or the cluster manager does not run there", d.VM, target)
	}
	if len(d.Candidates) == 0 && d.Why != "" {
		return d, nil // the rule was not asked, and the reason holds for every node
	}
	return d, fmt.Errorf("%s cannot go to %s: the cluster manager would not let it run there (its failover domain or constraints)", d.VM, target)
}
