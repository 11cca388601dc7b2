package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/evacuate"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// fleet is what a command on many VMs stands on.
type fleet struct {
	w      world
	id     host.Identity
	shared string // joined with the root; "" where the cluster has none
	mover  move.Mover
	// opens are nodes whose evacuation is about to be taken back: it closes them no more.
	opens map[string]bool

	mu   sync.Mutex
	told map[string]bool
}

func (w world) fleet(ctx context.Context) (*fleet, error) {
	id, shared, err := w.place(ctx)
	if err != nil {
		return nil, err
	}
	f := &fleet{w: w, id: id, shared: shared, mover: w.mover(ctx, id, shared), opens: map[string]bool{}, told: map[string]bool{}}
	f.mover.Waiting = nil // of several at a time nobody could tell who waits
	return f, nil
}

// look gives what a wish is decided on now. What could not be learned is said once.
func (f *fleet) look(ctx context.Context) (balance.Input, error) {
	m := monitor.Monitor{Host: f.w.host, Manager: f.w.manager(), Clock: f.w.clock, Wait: f.w.wait, Log: f.w.quiet()}
	in, warnings, err := m.Input(ctx, func(d conf.Diagnostic) {
		if d.Severity == conf.Error {
			f.say(strings.TrimSuffix(d.Format(), "\n"))
		}
	})
	for _, x := range warnings {
		f.say("lbm: " + x)
	}
	for i := range in.View.Nodes {
		n := &in.View.Nodes[i]
		if n.Closed == "" || !f.opens[n.Name] {
			continue
		}
		if leaves, lerr := host.IsLeaving(f.shared, n.Name); lerr == nil && !leaves {
			n.Closed = ""
		}
	}
	return in, err
}

// say says a thing once.
func (f *fleet) say(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.told[text] {
		f.told[text] = true
		fmt.Fprintln(f.w.stderr, text)
	}
}

// first is the first look of a command, on which it plans.
func (f *fleet) first(ctx context.Context) (balance.Input, error) {
	in, err := f.look(ctx)
	switch {
	case ctx.Err() != nil:
		return in, cli.Exit("interrupted: nothing was changed", exitInterrupted)
	case err != nil:
		return in, refused(err)
	case !in.View.Quorate:
		return in, refused(errors.New("the cluster has no quorum"))
	}
	return in, nil
}

// nodeNamed finds a node that a person names.
func nodeNamed(v balance.View, name string) (balance.Node, error) {
	var names []string
	for _, n := range v.Nodes {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return balance.Node{}, refused(fmt.Errorf("%q is no node of this cluster: they are %s", name, strings.Join(names, ", ")))
}

// carryOut makes the trips, and tells of each.
func (f *fleet) carryOut(ctx context.Context, plan []evacuate.Trip, w balance.Wish, o fleetOptions) []evacuate.Done {
	look := func(ctx context.Context) (balance.Input, error) {
		// What others have begun and not ended would be waited for: they may be dead.
		if err := f.end(ctx, nil); err != nil {
			return balance.Input{}, err
		}
		return f.look(ctx)
	}
	r := evacuate.Runner{Look: look, Wait: f.w.wait, Parallel: o.parallel, KeepGoing: o.keepGoing, Until: o.until, Facts: f.factsLimit(),
		Move: func(ctx context.Context, t evacuate.Trip) (balance.Move, error) {
			typ, vm, _ := strings.Cut(t.VMs[0], ":")
			return f.mover.Move(ctx, move.Request{Type: typ, VM: vm, Target: t.To, By: o.by, Why: o.why + " on " + f.id.Member, Rails: t.Rails})
		}}
	if !o.asJSON {
		r.Tell = f.tell
	}
	return r.Run(ctx, plan, w)
}

// factsLimit is how long fresh facts are waited for: a whole interval of lblog longer than facts may be old, and never less
// than three minutes.
func (f *fleet) factsLimit() time.Duration {
	return max(3*time.Minute, f.mover.Fresh*3/2)
}

// fleetOptions are what the commands on many VMs have in common.
type fleetOptions struct {
	by, why   string // for the journal
	parallel  int
	keepGoing bool
	until     time.Time
	asJSON    bool
}

// tell tells of a trip while others fly.
func (f *fleet) tell(e evacuate.Event) {
	who := strings.Join(e.Trip.VMs, " and ")
	out := f.w.stdout
	switch d := e.Done; {
	case e.Waits > 0:
		fmt.Fprintf(out, "%s %s, up to %s: %s\n", who, verb(e.Trip.VMs, "waits", "wait"), e.Waits, e.Why)
	case d == nil && e.Other != "":
		fmt.Fprintf(out, "moving %s to %s, not to %s: %s ...\n", who, e.Trip.To, e.Other, e.Why)
	case d == nil:
		fmt.Fprintf(out, "moving %s to %s ...\n", who, e.Trip.To)
	case d.Outcome == evacuate.Moved && d.Why != "":
		fmt.Fprintf(out, "%s: %s (%s)\n", who, d.Why, toGo(e))
	case d.Outcome == evacuate.Moved:
		fmt.Fprintf(out, "%s %s on %s after %s, memory %s (%s)\n", who, verb(d.VMs, "runs", "run"), d.Owner, d.Took.Round(100*time.Millisecond), d.Memory, toGo(e))
	case d.Outcome == evacuate.Stays, d.Outcome == evacuate.NotBegun:
		fmt.Fprintf(out, "%s %s: %s\n", who, verb(d.VMs, "stays", "stay"), d.Why)
	default:
		fmt.Fprintf(f.w.stderr, "lbm: %s: %s\n", who, d.Why)
	}
}

func verb(vms []string, one, many string) string {
	if len(vms) == 1 {
		return one
	}
	return many
}

func toGo(e evacuate.Event) string {
	if e.Left == 0 {
		return "the last"
	}
	return fmt.Sprintf("%d of %d to go", e.Left, e.All)
}

// planRow is a line of a plan. Unknown is null.
type planRow struct {
	VM      string  `json:"vm"`
	Service string  `json:"service"`
	From    string  `json:"from"`
	To      *string `json:"to"` // null: it stays
	Kind    *string `json:"kind"`
	Mem     *int64  `json:"mem_bytes"`
	Why     *string `json:"why"` // it stays

	waits bool // it stays only while others have it on its way
}

// rows are the lines of a plan, with how each VM would pass.
func (f *fleet) rows(ctx context.Context, plan []evacuate.Trip, in balance.Input) ([]planRow, error) {
	st, err := f.w.manager().Status(ctx)
	if err != nil {
		return nil, refused(err)
	}
	out := []planRow{}
	for _, t := range plan {
		for _, vm := range t.VMs {
			row := planRow{VM: vm, Service: t.Service, From: t.From, To: known(t.To), Why: known(t.Why), waits: t.Waits}
			for _, s := range st.Services {
				if s.VMType+":"+s.VM == vm && t.To != "" {
					row.Kind = known(f.mover.Kind(s))
				}
			}
			for _, x := range in.View.VMs {
				if x.ID() == vm && x.Mem > 0 {
					row.Mem = &x.Mem
				}
			}
			out = append(out, row)
		}
	}
	return out, nil
}

// showPlan prints a plan as a table.
func (w world) showPlan(rows []planRow) error {
	var cells [][]string
	for _, r := range rows {
		mem := ""
		if r.Mem != nil {
			mem = fmt.Sprintf("%d MiB", *r.Mem>>20)
		}
		cells = append(cells, []string{r.VM, r.From, text(r.To), text(r.Kind), mem, text(r.Why)})
	}
	return term.Table(w.stdout, []string{"VM", "FROM", "TO", "HOW", "MEMORY", "WHY IT STAYS"}, cells)
}

// counts are how many VMs go, stay, and are waited for, since others have them on their way.
func counts(rows []planRow) (going, staying, waiting int) {
	for _, r := range rows {
		switch {
		case r.To != nil:
			going++
		case r.waits:
			waiting++
		default:
			staying++
		}
	}
	return going, staying, waiting
}

// otherwise tells of the VMs of a plan that do not go.
func otherwise(staying, waiting int) string {
	text := ""
	if waiting > 0 {
		text = "; " + vms(waiting) + " on the way already, and waited for"
	}
	if staying > 0 {
		text += "; " + vms(staying) + " would stay"
	}
	return text
}

// doneRow is what became of a VM. Unknown is null.
type doneRow struct {
	VM      string   `json:"vm"`
	From    string   `json:"from"`
	To      *string  `json:"to"`
	Outcome string   `json:"outcome"`
	Owner   *string  `json:"owner"`
	Memory  *string  `json:"memory"`
	Seconds *float64 `json:"seconds"`
	Why     *string  `json:"why"`
}

func doneRows(list []evacuate.Done) []doneRow {
	out := []doneRow{}
	for _, d := range list {
		for _, vm := range d.VMs {
			r := doneRow{VM: vm, From: d.From, To: known(d.To), Outcome: strings.ReplaceAll(string(d.Outcome), " ", "_"), Owner: known(d.Owner), Why: known(d.Why)}
			if d.Memory != "" && d.Memory != balance.MemoryUnknown {
				r.Memory = known(string(d.Memory))
			}
			if s := d.Took.Seconds(); s > 0 {
				r.Seconds = &s
			}
			out = append(out, r)
		}
	}
	return out
}

// tally is what a run came to.
type tally struct{ moved, lost, failed, unknown, other int }

func sum(list []evacuate.Done) (t tally) {
	for _, d := range list {
		n := len(d.VMs)
		switch d.Outcome {
		case evacuate.Moved, evacuate.Elsewhere:
			t.moved += n
			if d.Memory == balance.MemoryLost {
				t.lost += n
			}
		case evacuate.Failed:
			t.failed += n
		case evacuate.Unknown:
			t.unknown += n
		default:
			t.other += n
		}
	}
	return t
}

// code is the exit code of a run: whole, interrupted, or how much of it is missing.
func (t tally) code(ctx context.Context) int {
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case t.failed+t.unknown+t.other == 0:
		return 0
	case t.moved > 0 || t.failed+t.unknown == 0:
		return exitPartly
	case t.failed > 0:
		return exitFailed
	}
	return exitUnknown
}

// there are the VMs that manager or record still have on a node, as TYPE:NAME (what they say).
func (f *fleet) there(ctx context.Context, node string) ([]string, error) {
	st, err := f.w.manager().Status(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, s := range st.Services {
		if s.VM == "" {
			continue
		}
		ref, says := s.VMType+":"+s.VM, ""
		if s.Owner == node {
			says = s.State.String()
			if s.Frozen {
				says += ", frozen"
			}
		}
		if f.shared != "" && s.VMType != "vm" {
			r, err := handoff.ReadState(f.shared, s.VMType, s.VM)
			if err != nil {
				return nil, err
			}
			if r.Node == node && says == "" {
				says = "by its hand-off record " + r.Phase.String()
			}
		}
		if says != "" {
			out = append(out, fmt.Sprintf("%s (%s)", ref, says))
		}
	}
	slices.Sort(out)
	return out, nil
}

// end ends the moves that were begun by one who is dead: as long as they have no end they count as under way. Of those that
// mine names the caller knows it, by the lock that he holds; of others their ticket tells.
func (f *fleet) end(ctx context.Context, mine func(balance.Move) bool) error {
	list, err := f.w.journal(f.id).Since(f.w.clock.Now().Add(-endHorizon))
	if err != nil {
		return refused(err)
	}
	for _, m := range list {
		if !m.End.IsZero() {
			continue
		}
		rec, err := f.mover.Finish(ctx, m, mine != nil && mine(m))
		switch {
		case errors.Is(err, move.ErrUnderway):
		case err != nil:
			f.say(fmt.Sprintf("lbm: %v", err))
		default:
			f.say(fmt.Sprintf("lbm: the move of %s to %s, whose %s was ended, came to: %s", m.VM, m.To, m.By, rec.Outcome))
		}
	}
	return nil
}

// endHorizon is how far back moves without an end are looked for.
const endHorizon = 7 * 24 * time.Hour

// names of members are compared as the manager spells them.
func onlineMember(st cluster.Status, node string) bool {
	return slices.ContainsFunc(st.Members, func(m cluster.Member) bool { return m.Name == node && m.Online && m.Manager })
}

// parallelFlag and the others are of the commands that move many VMs.
func fleetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the plan only"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
		&cli.IntFlag{Name: "parallel", Aliases: []string{"p"}, Value: 2, Usage: "move up to `N` at a time; a node takes one at a time"},
		&cli.BoolFlag{Name: "keep-going", Usage: "go on after a move has failed"},
		outputFlag(),
	}
}

// options reads fleetFlags.
func (w world) options(c *cli.Context, by, why string) (fleetOptions, error) {
	o := fleetOptions{by: by, why: why, parallel: c.Int("parallel"), keepGoing: c.Bool("keep-going")}
	var err error
	if o.asJSON, err = wantsJSON(c); err != nil {
		return o, err
	}
	if o.parallel < 1 {
		return o, tooMany(c, fmt.Sprintf("--parallel %d is not 1 or more", o.parallel))
	}
	if o.asJSON && !c.Bool("yes") && !c.Bool("dry-run") {
		return o, tooMany(c, "with -o json nobody can be asked: give --yes, or --dry-run")
	}
	return o, nil
}
