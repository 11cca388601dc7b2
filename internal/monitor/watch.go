package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/metrics"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/notify"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// watched is what a pass leaves for those who watch: people who are told, and Prometheus. Nothing of it can fail the pass.
type watched struct {
	notify  []conf.Notify
	metrics string // the folder, joined with the root; "" is none
	events  []notify.Event
	values  map[string]map[string]metrics.Value
	decided time.Duration
}

func (m Monitor) watch(o *opened) *watched {
	w := &watched{notify: o.notify}
	if dir := o.config.Paths.Metrics; dir != "" {
		w.metrics = m.Host.Path(dir)
	}
	return w
}

// metricsLimit is how long a node's own disk may take.
const metricsLimit = 5 * time.Second

// lasting finds out what of a pass is to be told. It runs under the lock of passes: what was told is kept for the next pass,
// wherever that is made.
func (m Monitor) lasting(o *opened, w *watched, ended []balance.Move, res Result) {
	if len(w.notify) == 0 {
		return
	}
	add := func(event string, items ...notify.Item) {
		if len(items) > 0 {
			w.events = append(w.events, notify.New(event, m.Clock.Now(), o.id.Cluster, o.id.Member, items))
		}
	}
	for _, x := range ended {
		event, item := notify.Moved(x, nil)
		add(event, item)
	}
	var made []balance.Move
	for _, x := range res.Moves {
		if errors.Is(x.Err, move.ErrRefused) { // nothing was begun; what goes on so for long is told as such
			continue
		}
		made = append(made, x.Move)
		event, item := notify.Moved(x.Move, x.Err)
		add(event, item)
	}
	wanted := func(n conf.Notify) bool { return n.Wants(notify.Nothing) || n.Wants(notify.Report) }
	if res.Pass == nil || !slices.ContainsFunc(w.notify, wanted) {
		return
	}
	path := m.log(o, notify.LastingName)
	type told struct{ nothing, reports []notify.Item }
	got, err := within(context.Background(), m.Wait, openLimit, func(ctx context.Context) (told, error) {
		l, err := notify.ReadLasting(path)
		if err != nil {
			return told{}, err
		}
		var t told
		t.nothing, t.reports = l.Step(res.Pass, made, max(o.config.Rails.Interval, conf.DefaultInterval), o.config.IsCPU)
		if err = ctx.Err(); err == nil {
			err = l.Write(path)
		}
		return t, err
	}, nil)
	if err != nil {
		m.Log.WithError(err).Error("what goes on for long cannot be told")
		return
	}
	add(notify.Nothing, got.nothing...)
	add(notify.Report, got.reports...)
}

// announce tells all who want to know. No lock is held: another pass may begin.
func (m Monitor) announce(ctx context.Context, w *watched) {
	if w == nil || len(w.events) == 0 {
		return
	}
	teller := m.Teller
	if teller == nil {
		teller = notify.Sender{Host: m.Host, Run: run.System{}, Wait: m.Wait}
	}
	notify.Deliver(ctx, teller, m.Wait, w.notify, w.events, func(_ conf.Notify, e notify.Event, err error) {
		m.Log.WithError(err).WithField("event", e.Event).Error("somebody could not be told")
	})
}

// valuesOf are the newest samples of all nodes, of logs of which a pass has read most already.
func valuesOf(logs *balance.Logs, o *opened, v balance.View, at time.Time) map[string]map[string]metrics.Value {
	out := map[string]map[string]metrics.Value{}
	stale := o.config.Rails.Stale
	for _, n := range v.Nodes {
		of := map[string]metrics.Value{}
		for _, r := range o.config.Resources {
			list, err := logs.Window(n.Name, r.Name, at.Add(-stale), at)
			var missing *balance.DataError
			switch {
			case err == nil:
				of[r.Name] = metrics.Value{At: list[0].At, Value: list[0].Value, Fresh: true}
			case errors.As(err, &missing) && missing.Age > 0:
				of[r.Name] = metrics.Value{At: at.Add(-missing.Age)}
			default:
				of[r.Name] = metrics.Value{}
			}
		}
		out[n.Name] = of
	}
	return out
}

// publish writes the metrics of a pass, if somebody wants them.
func (m Monitor) publish(res Result, took time.Duration) {
	w := res.watched
	if w == nil || w.metrics == "" {
		return
	}
	in := metrics.Input{Version: host.Version(), At: res.Record.At, Outcome: res.Record.Outcome, Took: took, Decided: w.decided, Pass: res.Pass, Values: w.values, Balanced: count(res.Pass),
		Rails: slices.Sorted(slices.Values(append(conf.Rails(), conf.FixedRails()...)))}
	for _, x := range res.Moves {
		in.Moves = append(in.Moves, metricOf(x))
	}
	path := filepath.Join(w.metrics, metrics.FileName)
	_, err := within(context.Background(), m.Wait, metricsLimit, func(ctx context.Context) (struct{}, error) {
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return struct{}{}, fmt.Errorf("reading the earlier metrics: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, atomicfile.Write(path, metrics.Update(old, in), atomicfile.Options{Mode: 0o644})
	}, nil)
	if err != nil {
		m.Log.WithError(err).Warn("metrics not written")
	}
}

func metricOf(x Made) metrics.Move {
	if errors.Is(x.Err, move.ErrRefused) {
		return metrics.Move{Outcome: metrics.Refused}
	}
	out := metrics.Move{Outcome: string(x.Outcome)}
	if !x.End.IsZero() {
		out.Took = x.End.Sub(x.Begin)
	}
	switch {
	case out.Outcome == "" && errors.Is(x.Err, move.ErrFailed):
		out.Outcome = string(balance.OutcomeFailed)
	case out.Outcome == "" || out.Outcome == string(balance.OutcomeMoved) && x.Err != nil:
		out.Outcome = string(balance.OutcomeUnknown)
	}
	return out
}
