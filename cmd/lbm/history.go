package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) historyCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "show what happened to the virtual machines", ArgsUsage: "[VM...]",
		Description: "Reads the journals (migrate.log, report.log, and what was rotated of them): moves and restarts with their outcome, what the\n" +
			"balancer would have moved, and what agents had to say out loud. Times are this machine's; in a lab they are the lab's.\n" +
			"What the rails said of a move is in -o json.\n\n" +
			"   lbm history\n   lbm history 101 web1\n   lbm history --since 24h --node node2 --kind moves\n" +
			"   lbm history --outcome failed --outcome elsewhere --limit 20 -o json\n   lbm history --since '2026-11-21 22:00' --until '2026-11-22 06:00'\n\n" +
			"Exit codes: 0 shown, 1 failed, 2 usage, 4 the shared storage, where the journals are, does not answer.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringSliceFlag{Name: "vm", Usage: "only this `VM`, as VM or TYPE:VM; may be repeated"},
			&cli.StringSliceFlag{Name: "node", Usage: "only what came from this `NODE`, went to it, or ended there; may be repeated"},
			&cli.StringSliceFlag{Name: "outcome", Usage: "only what ended as `OUTCOME`: moved, failed, elsewhere, unknown, restarted, 'in flight', or an agent's; may be repeated"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only `KIND`: moves (restarts among them), reports or agents; may be repeated"},
			&cli.StringFlag{Name: "since", Usage: "only from `TIME` on: 30m, 24h or 7d ago, or a time as '2026-11-22 06:00'"},
			&cli.StringFlag{Name: "until", Usage: "only up to `TIME`, written in the same ways"},
			&cli.IntFlag{Name: "limit", Usage: "only the last `N`"},
		},
		Action: func(c *cli.Context) error {
			q := historyQuery{vms: append(c.StringSlice("vm"), c.Args().Slice()...), nodes: c.StringSlice("node"), outcomes: c.StringSlice("outcome"), limit: c.Int("limit")}
			now := w.clock.Now()
			var err error
			if q.since, err = moment("since", c.String("since"), now); err != nil {
				return err
			}
			if q.until, err = moment("until", c.String("until"), now); err != nil {
				return err
			}
			if q.limit < 0 || c.IsSet("limit") && q.limit == 0 {
				return tooMany(c, "--limit is a number above 0")
			}
			for _, k := range c.StringSlice("kind") {
				events, ok := kinds()[k]
				if !ok {
					return tooMany(c, fmt.Sprintf("--kind %q is none of moves, reports and agents", k))
				}
				q.events = append(q.events, events...)
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.history(c.Context, q, asJSON)
		},
	}
}

// kinds are the words of --kind with the events that they mean.
func kinds() map[string][]string {
	return map[string][]string{"moves": {moveEvent, restartEvent}, "reports": {"report"}, "agents": {"agent"}}
}

// moment reads a time that may be written as how long ago; "" is the zero time.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	short, days := strings.CutSuffix(text, "d")
	if days {
		short += "h"
	}
	if ago, err := time.ParseDuration(short); err == nil && ago >= 0 {
		if days {
			ago *= 24
		}
		return now.Add(-ago), nil
	}
	at, err := instant(flag, text, time.Local)
	if err != nil {
		return at, cli.Exit(fmt.Sprintf("--%s %q is no time: write how long ago (30m, 24h, 7d), 2008-01-10T14:00:00+01:00 or '2008-01-10 14:00'", flag, text), exitUsage)
	}
	return at, nil
}

// historyQuery is what of the history is wanted; an empty list is all.
type historyQuery struct {
	vms, nodes, outcomes, events []string
	since, until                 time.Time // zero: no bound
	limit                        int       // 0: all
}

// wants tells whether a line is asked for.
func (q historyQuery) wants(h happening) bool {
	one := func(list []string, of ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(x string) bool { return slices.Contains(of, x) })
	}
	_, name, _ := strings.Cut(h.VM, ":")
	nodes := slices.DeleteFunc([]string{h.From, h.To, h.Owner}, func(n string) bool { return n == "" })
	return one(q.vms, h.VM, name) && one(q.nodes, nodes...) && one(q.outcomes, h.Outcome) && one(q.events, h.Event) &&
		(h.last.IsZero() || !h.last.Before(q.since)) && (q.until.IsZero() || !h.At.After(q.until))
}

// happening is one line of the history: a move is one, from its begin to its end.
type happening struct {
	At      time.Time `json:"at"`
	Event   string    `json:"event"` // move, restart, report, agent
	VM      string    `json:"vm"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Owner   string    `json:"owner"` // where it was found to be at the end of a move
	Kind    string    `json:"kind"`
	Outcome string    `json:"outcome"` // "in flight" for a move without an end
	Memory  string    `json:"memory"`
	Seconds *float64  `json:"seconds"`
	By      string    `json:"by"`
	Why     string    `json:"why"`   // of a move that was not made as asked: what came of it
	Asked   string    `json:"asked"` // why it was asked for: the rule's line with its values
	Rails   *string   `json:"rails"` // what the rails said; null where nobody wrote it down

	last time.Time // when it was over; zero: it is not
}

func (w world) history(ctx context.Context, q historyQuery, asJSON bool) error {
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	_, err = w.sharedDir(ctx, id)
	switch {
	case errors.Is(err, errHangs):
		return cli.Exit(fmt.Sprintf("%v: the journals are there; lbm blackbox tells what this node's agents did", err), exitUnknown)
	case err != nil && !errors.Is(err, host.ErrNotShared):
		return err // an empty history would be a false one
	}
	rec, err := balance.ReadRecords(w.host.Path(id.LogDir), q.since)
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(happenings(rec), func(h happening) bool { return !q.wants(h) })
	if q.limit > 0 && len(all) > q.limit {
		all = all[len(all)-q.limit:]
	}
	if rec.Skipped > 0 {
		fmt.Fprintf(w.stderr, "lbm: %d lines of the journals cannot be read and are left out\n", rec.Skipped)
	}
	if asJSON {
		return term.JSON(w.stdout, struct {
			History []happening `json:"history"`
		}{all})
	}
	if len(all) == 0 && len(q.vms) > 0 {
		fmt.Fprintf(w.stderr, "lbm: the journals tell nothing of %q\n", strings.Join(q.vms, " "))
	}
	var rows [][]string
	for _, h := range all {
		rows = append(rows, h.row())
	}
	return term.Table(w.stdout, []string{"TIME", "VM", "EVENT", "FROM", "TO", "OUTCOME", "MEMORY", "TOOK", "BY", "WHY"}, rows)
}

func (h happening) row() []string {
	took := ""
	if h.Seconds != nil {
		took = (time.Duration(*h.Seconds * float64(time.Second))).Round(100 * time.Millisecond).String()
	}
	event := h.Event
	if h.Kind != "" {
		event += " " + h.Kind
	}
	return []string{h.At.Local().Format("2006-01-02 15:04:05"), h.VM, event, h.From, h.To, h.Outcome, h.Memory, took, h.By, h.Why}
}

// The events that a move is. A restart is a move to where the VM was: it was to boot anew.
const (
	moveEvent    = "move"
	restartEvent = "restart"
)

// happenings are the records in the order of their time.
func happenings(rec balance.Records) []happening {
	all := []happening{}
	for _, m := range rec.Moves {
		all = append(all, ofMove(m))
	}
	for _, n := range rec.Notes {
		all = append(all, happening{At: n.At, last: n.At, Event: "agent", VM: n.VM, From: n.Node, Outcome: n.Outcome, By: n.Action, Why: n.Why})
	}
	for _, r := range rec.Reports {
		all = append(all, happening{At: r.At, last: r.At, Event: "report", VM: r.VM, From: r.From, To: r.To, Why: r.Why, Asked: r.Why, Rails: orNull(r.Rails)})
	}
	slices.SortStableFunc(all, func(a, b happening) int { return a.At.Compare(b.At) })
	return all
}

// ofMove is a move, or a restart.
func ofMove(m balance.Move) happening {
	h := happening{At: m.Begin, last: m.End, Event: moveEvent, VM: m.VM, From: m.From, To: m.To, Owner: m.Owner, Kind: m.Kind, Outcome: string(m.Outcome), Memory: string(m.Memory),
		By: m.By, Why: m.Why, Asked: m.Why, Rails: orNull(m.Rails)}
	if m.From != "" && m.From == m.To {
		h.Event, h.Kind = restartEvent, ""
	}
	if m.Asked != "" {
		h.Asked = m.Asked
	}
	switch {
	case m.End.IsZero():
		h.Outcome = "in flight"
		return h
	case m.Outcome == balance.OutcomeMoved:
		h.Why = h.Asked
		if h.Event == restartEvent { // it was asked to boot: nothing is lost
			h.Outcome, h.Memory = "restarted", ""
		}
	}
	if m.End.After(m.Begin) { // else nobody knows when it began
		took := m.End.Sub(m.Begin).Seconds()
		h.Seconds = &took
	}
	return h
}
