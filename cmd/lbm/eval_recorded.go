package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// evalRecorded runs the code over the samples that lblog has written.
func (w world) evalRecorded(ctx context.Context, q evalQuery) error {
	cfg, err := w.ruleConfig(q)
	if err != nil {
		return err
	}
	now := w.clock.Now()
	shown := evaluation{At: now}
	if q.at != "" {
		if shown.At, err = q.instant(now.Location()); err != nil {
			return err
		}
	}
	var svc cluster.Service
	if q.vm != "" {
		if svc, err = w.machine(ctx, q); err != nil {
			return err
		}
		id := svc.VMType + ":" + svc.VM
		shown.VM = &id
	}
	owner, err := w.evalOwner(q, svc, shown.At)
	if err != nil {
		return err
	}
	code, name, given, err := w.program(q)
	if err != nil {
		return err
	}
	vm := ""
	if shown.VM != nil {
		vm = *shown.VM
	}
	at := perl.Position{File: name, VM: vm}
	if !given {
		rule := cfg.RuleOf(balance.VM{Name: svc.VM, Type: svc.VMType, Service: svc.ID}, q.vm)
		if rule == nil {
			return fmt.Errorf("%s:%s has no rule: lbvm.conf has no block for it and no default. Write one, or give the code: lbm eval --vm %s 'CODE'", svc.VMType, svc.VM, q.vm)
		}
		if _, ok := rule.Program.(balance.Relief); ok {
			return fmt.Errorf("%s:%s has the built-in rule relief, which looks at all nodes and VMs at once: lbm explain %s shows what it says, lbm eval --vm %s 'CODE' tries code of your own", svc.VMType, svc.VM, q.vm, q.vm)
		}
		code, at = rule.Text, rule.At
	}
	program, diags := cfg.Compile(code, at)
	src := []byte(code)
	if !given {
		if src, err = os.ReadFile(w.confPath(q)); err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
	}
	shown.found(string(src), diags, q.isExpression())
	if program == nil {
		return w.showEvaluation(shown, q, string(src))
	}
	logs := cfg.Logs(w.host.Path(cfg.Paths.LogDir))
	for _, target := range targets(q, svc, owner) {
		a := cfg.Try(ctx, program, balance.Trial{At: shown.At, VM: vm, Owner: owner, Target: target, Samples: logs, Trace: q.trace || q.asJSON})
		t := tried{Node: &owner, values: a.Values, Stdout: a.Output, err: a.Err, trace: a.Trace, reads: a.Reads}
		if a.AskedTarget && target != "" {
			t.Target = &target
		}
		for _, s := range a.Actions {
			t.Actions = append(t.Actions, s.String())
		}
		if a.Said == balance.SaidMigrate {
			t.Weight = &a.Weight
		}
		if errors.Is(a.Err, balance.ErrNoTarget) {
			t.err = fmt.Errorf("%w; name it with --target", a.Err)
		}
		shown.add(t)
		if !a.AskedTarget { // another one would get the same answer
			break
		}
	}
	return w.showEvaluation(shown, q, string(src))
}

func (w world) confPath(q evalQuery) string {
	if q.config != "" {
		return q.config
	}
	return w.host.Path(host.ConfFile)
}

// ruleConfig reads lbvm.conf and lbresources.conf. Broken algorithms are lbm check's business, unless one is asked for.
func (w world) ruleConfig(q evalQuery) (*balance.Config, error) {
	file, res, err := w.ruleFiles(q)
	if err != nil {
		return nil, err
	}
	cfg, _ := balance.NewConfig(file, res)
	return cfg, nil
}

// lateConfig is ruleConfig for who asks for the rule of one VM.
func (w world) lateConfig(q evalQuery) (*balance.Config, error) {
	file, res, err := w.ruleFiles(q)
	if err != nil {
		return nil, err
	}
	return balance.LateConfig(file, res), nil
}

func (w world) ruleFiles(q evalQuery) (*conf.File, *conf.Resources, error) {
	file, res, diags, err := conf.Load(func(p string) ([]byte, error) {
		if p == q.config {
			return os.ReadFile(p)
		}
		return os.ReadFile(w.host.Path(p))
	}, w.confName(q))
	for _, d := range diags {
		if d.Severity == conf.Error {
			fmt.Fprint(w.stderr, d.Format())
		}
	}
	switch {
	case err != nil && file == nil && q.config == "":
		return nil, nil, w.missing(err)
	case err != nil:
		return nil, nil, err
	case file == nil || res == nil:
		return nil, nil, errors.New("the configuration has errors: see lbm check")
	}
	return file, res, nil
}

func (w world) confName(q evalQuery) string {
	if q.config != "" {
		return q.config
	}
	return host.ConfFile
}

// machine finds the VM: the manager is asked for its nodes, unless they are given.
func (w world) machine(ctx context.Context, q evalQuery) (cluster.Service, error) {
	if q.node != "" {
		c, err := w.configured(ctx, "")
		if err != nil {
			return cluster.Service{}, err
		}
		return resolve(cluster.Status{Services: c.Machines}, q.vm)
	}
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	st, err := w.manager().Status(ctx)
	if err != nil {
		return cluster.Service{}, fmt.Errorf("finding the node of %q: %w", q.vm, err)
	}
	return resolve(st, q.vm)
}

// evalOwner is the node of res.
func (w world) evalOwner(q evalQuery, svc cluster.Service, at time.Time) (string, error) {
	if q.node != "" {
		return q.node, nil
	}
	id, err := w.host.Identity()
	if err != nil {
		return "", err
	}
	if q.vm == "" {
		return id.Member, nil
	}
	journal := balance.OpenJournal(filepath.Join(w.host.Path(id.LogDir), balance.JournalName))
	moves, err := journal.Since(at)
	if err != nil {
		return "", err
	}
	owner := svc.Owner
	for _, m := range slices.Backward(moves) { // the first move behind the instant tells where the VM was before it
		if m.VM == svc.VMType+":"+svc.VM {
			owner = m.From
		}
	}
	if owner == "" {
		return "", fmt.Errorf("%s:%s is on no node: name one with --node, and --target", svc.VMType, svc.VM)
	}
	return owner, nil
}

// targets are the nodes of res2, or one without a name.
func targets(q evalQuery, svc cluster.Service, owner string) []string {
	var out []string
	switch {
	case q.target != "":
		return []string{q.target}
	case q.vm != "":
		for _, p := range svc.MayRun {
			if p.Node != owner {
				out = append(out, p.Node)
			}
		}
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}
