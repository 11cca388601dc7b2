package monitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/metrics"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance"
)

// decided is what a pass has decided, before anything was done.
type decided struct {
	pass     *balance.Pass
	warnings []string
	values   map[string]map[string]metrics.Value // nil: nobody wants them
}

// look asks the manager once, reads the facts and decides at one instant. write says whether the decision is
// recorded. refused are the moves of an earlier look of the same pass that could not be made.
func (m Monitor) look(ctx context.Context, o *opened, write bool, refused []balance.Refusal) (decided, error) {
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return decided{}, interrupted(ctx, fail(causeOf(err), err))
	}
	at := m.Clock.Now()
	v, warnings := view(st, func(member string) (host.Facts, error) {
		f, err := o.facts(member)
		forgetOld(&f, at, o.config.Rails.Stale)
		return f, err
	}, o.closed)
	recent, err := o.journal.Since(at.Add(-o.config.Rails.Horizon()))
	if err != nil {
		return decided{}, fail(lbvmagent.CauseNode, err)
	}
	seen, before, err := balance.LastView(m.log(o, balance.PassesName), at)
	if err != nil {
		return decided{}, fail(lbvmagent.CauseNode, err)
	}
	smooth(&v, at, o.config.Rails.Stale, seen, before)
	decide := m.decide
	if decide == nil {
		decide = balance.Decide
	}
	logs := o.config.Logs(m.Host.Path(o.config.Paths.LogDir)).At(at)
	pass, err := decide(ctx, balance.Input{At: at, Config: o.config, View: v, Samples: logs, Recent: recent, Refused: refused, Only: m.Only})
	if err != nil {
		return decided{}, interrupted(ctx, fail(lbvmagent.CauseCluster, err)) // rules that take so long would do so on every node
	}
	d := decided{pass: pass, warnings: append(slices.Clone(o.warnings), warnings...)}
	for _, x := range pass.Decisions {
		err := x.Err
		if err == nil {
			err = x.Stopped()
		}
		if err != nil {
			d.warnings = append(d.warnings, x.VM+": "+err.Error())
		}
	}
	for _, skew := range logs.Skews(at) {
		d.warnings = append(d.warnings, skew.String())
	}
	if garbage := logs.Garbage(); !write { // it stays in the logs for hours: who asks is told
		for _, file := range slices.Sorted(maps.Keys(garbage)) {
			d.warnings = append(d.warnings, fmt.Sprintf("%d of the last lines of %s are no samples and are passed over", garbage[file], file))
		}
	}
	if !st.Quorate {
		d.warnings = append(d.warnings, "the cluster has no quorum")
	}
	if write && o.config.Paths.Metrics != "" {
		d.values = valuesOf(logs, o, v, at)
	}
	if write {
		err = m.writeDown(o, pass, len(refused) == 0)
	}
	return d, err
}

// causeOf tells whether another node could ask the manager where this one cannot.
func causeOf(err error) string {
	if errors.Is(err, run.ErrNotFound) {
		return lbvmagent.CauseNode
	}
	return lbvmagent.CauseCluster
}

// writeDown keeps the configuration, adds the pass to passes.log, and what rules only report to report.log (reports). What was decided but could not be
// written down is not done: nobody could explain it.
func (m Monitor) writeDown(o *opened, pass *balance.Pass, reports bool) error {
	if err := o.config.Keep(m.Host.Path(o.id.LogDir)); err != nil { // the pass holds each rule's line and values all the same
		m.Log.WithError(err).Warn("later nobody can decide this pass again by its rules")
	}
	if err := balance.AppendPass(m.log(o, balance.PassesName), pass); err != nil {
		return fail(lbvmagent.CauseNode, err)
	}
	for _, d := range pass.Decisions {
		if d.Verdict != balance.ReportOnly || !reports {
			continue
		}
		m.Log.WithField("vm", d.VM).WithField("source", d.Owner).WithField("target", d.Target).WithField("rule", d.Why).Info("rule reports a target")
		r := balance.Report{At: pass.At, VM: d.VM, From: d.Owner, To: d.Target, Why: d.Why, Rails: d.RailsText()}
		if err := balance.AppendReport(m.log(o, balance.ReportName), r); err != nil {
			return fail(lbvmagent.CauseNode, err)
		}
	}
	return nil
}

// Plan decides and changes nothing: no lock is taken and nothing is written. tell is given what is wrong with the
// configuration.
func (m Monitor) Plan(ctx context.Context, tell Tell) (Result, error) {
	d, err := within(ctx, m.Wait, lookLimit, func(ctx context.Context) (decided, error) {
		o, err := m.openUnlocked()
		if err != nil {
			return decided{}, err
		}
		if o.config, err = m.configuration(o, tell); err != nil {
			return decided{}, err
		}
		return m.look(ctx, o, false, nil)
	}, nil)
	return Result{Pass: d.pass, Warnings: d.warnings}, err
}
