package balance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Input is all that a pass rests on.
type Input struct {
	At      time.Time // the instant of the pass, in the zone that rules see
	Config  *Config
	View    View
	Samples Samples
	Recent  []Move               // the journal, back to At - RailSettings.Horizon
	Refused []Refusal            // moves of an earlier look of this pass that the mover would not make
	Trace   func(vm string) bool // asked with TYPE:NAME: keep every step of the rule; may be nil
	// Only says which VMs are asked for; nil is all. Of a VM that the cluster does not have it is given the name alone. The
	// Pass then holds the decisions on these alone, the same as if all were asked for (see alone.go), and counts no rails of
	// others. Every step of their rules is kept.
	Only func(VM) bool
	// Terse says that only the moves count, as in a replay of a month: Pass holds no decision on a VM whose rule asked for nothing and that no
	// rail holds, of the others no reasons, and no Newest. The verdicts, their targets and Pass.Rails are the same.
	Terse bool
}

// Refusal says that a move was refused before anything was changed: the target is too small, or silent.
type Refusal struct {
	VM, Node string // VM is TYPE:NAME
	Why      string
}

// Decide goes through the VMs that are balanced, in their order, and says what is to be done with each. It is the
// only place where a move is chosen. The same input gives the same Pass.
func Decide(ctx context.Context, in Input) (*Pass, error) {
	return new(Decider).Decide(ctx, in)
}

// Decider is Decide for pass after pass over one cluster: it keeps who the VMs are and whose rule is whose, as long as Input.Config
// is the same and View.VMs is the same slice, whatever of their places and loads has changed in it. A Pass is
// the same as Decide's. It is not for several goroutines.
type Decider struct{ cast *cast }

// Decide is Decide.
func (d *Decider) Decide(ctx context.Context, in Input) (*Pass, error) {
	return d.decide(ctx, in, Rails())
}

func decide(ctx context.Context, in Input, rails []Rail) (*Pass, error) {
	return new(Decider).decide(ctx, in, rails)
}

func (d *Decider) decide(ctx context.Context, in Input, rails []Rail) (*Pass, error) {
	if in.Config == nil || in.At.IsZero() {
		return nil, errors.New("deciding: a configuration and an instant are needed")
	}
	if !d.cast.fits(in) {
		d.cast = newCast(in)
	}
	r := d.cast.round(in, rails)
	pass := &Pass{At: in.At, Config: in.Config.Digest, View: in.View, Refused: in.Refused, Rails: make(map[string]int, len(rails))}
	for _, rail := range rails {
		pass.Rails[rail.Name] = 0
	}
	list := r.balanced()
	if in.Only == nil {
		pass.Decisions = r.all(ctx, list, nil)
	} else {
		pass.Decisions = r.alone(ctx, list)
	}
	pass.Newest = r.newest
	for i := range pass.Decisions {
		d := &pass.Decisions[i]
		if d.held == 0 {
			for rail := range d.heldBy() {
				pass.Rails[rail]++
			}
			continue
		}
		for k, rail := range rails {
			if d.held&(1<<k) != 0 {
				pass.Rails[rail.Name]++
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("deciding: %w", err)
	}
	return pass, nil
}

// all decides on all VMs: first every rule is asked, then those get their turn that asked for something. Where asked is given
// only the decisions that it says are good. A context that has ended shows in ctx.
func (r *round) all(ctx context.Context, list []balanced, asked []bool) []Decision {
	var out []Decision
	if !r.in.Terse {
		out = make([]Decision, 0, len(list))
	}
	var asks []ask
	for i := range list {
		b := &list[i]
		if r.in.Terse && r.silent(b) {
			continue
		}
		a, d := r.first(ctx, b)
		if ctx.Err() != nil {
			return nil
		}
		if r.in.Terse && a.vm == nil && len(d.Vetoes) == 0 {
			continue
		}
		a.index = len(out)
		out = append(out, d)
		if a.vm != nil {
			asks = append(asks, a)
		}
	}
	for _, a := range inTurn(asks) {
		r.brief = asked != nil && !asked[a.index]
		r.settle(ctx, a, &out[a.index])
	}
	r.brief = false
	return out
}

// first asks the rule of a VM.
func (r *round) first(ctx context.Context, b *balanced) (ask, Decision) {
	if b.vm == nil {
		return ask{}, Decision{VM: b.name, Err: b.err, Why: b.err.Error()}
	}
	return r.byRule(ctx, b)
}

// ask is a VM whose rule asked for a move or a report.
type ask struct {
	vm    *VM
	rule  *Rule
	index int     // of its decision
	need  int     // how urgent a built-in algorithm finds it
	gain  float64 // what it expects of the move; 0 of other rules
}

// inTurn is the order in which moves are given: that of balance. The VMs of which a built-in algorithm tells what it
// expects share the turns that they have together: those come first of which it expects most.
func inTurn(asks []ask) []ask {
	var gains []ask
	for _, a := range asks {
		if a.gain > 0 {
			gains = append(gains, a)
		}
	}
	slices.SortStableFunc(gains, func(a, b ask) int { return cmp.Or(cmp.Compare(b.need, a.need), cmp.Compare(b.gain, a.gain)) })
	for i := range asks {
		if asks[i].gain > 0 {
			asks[i], gains = gains[0], gains[1:]
		}
	}
	return asks
}

// Best says where a VM would best go if somebody wants it to go: Decide's rails and rank without a rule. It is for
// people who ask; they may overrule a veto.
func Best(ctx context.Context, in Input, name string) (Decision, error) {
	if in.Config == nil || in.At.IsZero() {
		return Decision{}, errors.New("looking for the best node: a configuration and an instant are needed")
	}
	r := newRound(in, Rails())
	vm, err := r.index.find(name)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{VM: vm.ID(), Service: vm.Service, Owner: vm.Owner}
	list, _ := r.candidates(vm)
	d.Candidates = slices.Clone(list)
	d.Considered = len(d.Candidates)
	r.rule = in.Config.rule(vm, name)
	for _, x := range in.Config.Resources { // none was read: compare by the first load that there is
		if x.Load {
			r.reads = []*Read{{Resource: x.Name, Minutes: bestMinutes}}
			break
		}
	}
	for i := range d.Candidates {
		d.Candidates[i].Said = SaidMigrate
	}
	all := said(d.Candidates, SaidMigrate)
	r.measure(vm, d.Candidates, all)
	r.reads = nil
	r.conclude(vm, &d, all)
	return d, ctx.Err()
}

// bestMinutes is the window by which Best compares nodes.
const bestMinutes = 5

// byRule decides on one VM.
func (r *round) byRule(ctx context.Context, b *balanced) (ask, Decision) {
	vm, rule := b.vm, b.rule
	d := Decision{VM: b.id, Service: vm.Service, Owner: vm.Owner}
	if rule == nil {
		d.Why = "it has no algorithm, and there is no default"
		return ask{}, d
	}
	rule.ready()
	d.Rule = rule.Name
	if rule.Program == nil {
		d.Err = rule.Err
		if d.Err == nil {
			d.Err = errors.New("the algorithm was not compiled")
		}
		d.Why = "its algorithm is broken: " + d.Err.Error()
		return ask{}, d
	}
	r.rule = rule
	owner := r.owners[b.at]
	if vm.State != Started || owner == nil || !owner.Online {
		d.Vetoes, d.asked, d.off = r.vetoes(vm), true, r.switchedOff(vm)
		d.Why = "its rule was not asked: it is " + vm.State.String() + " on " + orNone(vm.Owner)
		if g := r.group(vm); g != nil && g.moving != "" {
			d.Why += "; " + g.moving
		}
		return ask{}, d
	}
	gain := r.evaluate(ctx, b, owner, &d)
	if len(said(d.Candidates, SaidMigrate)) == 0 && len(said(d.Candidates, SaidReport)) == 0 {
		d.Why = silence(&d)
		return ask{}, d
	}
	return ask{vm: vm, rule: rule, need: r.eval.need, gain: gain}, d
}

// settle makes a verdict of what a rule asked for.
func (r *round) settle(ctx context.Context, a ask, d *Decision) {
	r.rule, r.reads = a.rule, d.Reads
	if r.in.Terse || r.brief {
		r.settleTersely(a.vm, d)
		return
	}
	migrate, report := said(d.Candidates, SaidMigrate), said(d.Candidates, SaidReport)
	switch {
	case len(migrate) > 0:
		r.measure(a.vm, d.Candidates, migrate)
		r.conclude(a.vm, d, migrate)
	default:
		r.measure(a.vm, d.Candidates, report)
		rank(d.Candidates, report)
		d.Verdict, d.Target, d.Line = ReportOnly, d.Candidates[report[0]].Node, d.Candidates[report[0]].Line
	}
	r.explain(ctx, a.vm, a.rule, r.nodes[a.vm.Owner], d)
}

// conclude puts the rails between the candidates that are wanted and a move.
func (r *round) conclude(vm *VM, d *Decision, wanted []int) {
	d.Vetoes, d.asked, d.off = r.vetoes(vm), true, r.switchedOff(vm)
	free := make([]int, 0, len(wanted))
	for _, i := range wanted {
		c := &d.Candidates[i]
		for _, rail := range r.rails {
			if rail.target == nil || !rail.asked && !r.on(rail.Name) {
				continue
			}
			if text := rail.target(r, vm, c); text != "" {
				c.Vetoes = append(c.Vetoes, Veto{rail.Name, text})
			}
		}
		if len(c.Vetoes) == 0 {
			free = append(free, i)
		}
	}
	rank(d.Candidates, free)
	switch {
	case len(wanted) == 0:
		d.Why = "there is no other node that could take it"
	case len(d.Vetoes) > 0:
		d.Why = "held back by " + d.Vetoes[0].Rail + ": " + d.Vetoes[0].Text
	case len(free) == 0:
		v := d.Candidates[wanted[0]].Vetoes[0]
		d.Why = "held back by " + v.Rail + ": " + v.Text
		if n := len(wanted) - 1; n > 0 {
			d.Why += fmt.Sprintf(" (and %d more)", n)
		}
	default:
		best := &d.Candidates[free[0]]
		d.Verdict, d.Target, d.Line = Migrate, best.Node, best.Line
		r.goes(vm, r.nodes[vm.Owner], r.nodes[best.Node])
		return
	}
	if len(wanted) > 0 {
		d.Line = d.Candidates[wanted[0]].Line
	}
}

func (r *round) vetoes(vm *VM) []Veto {
	var out []Veto
	for _, rail := range r.rails {
		if rail.vm == nil || !rail.asked && !r.on(rail.Name) {
			continue
		}
		if text := rail.vm(r, vm); text != "" {
			out = append(out, Veto{rail.Name, text})
		}
	}
	return out
}

// explain finds the values behind what the rule said, and says it in a sentence.
func (r *round) explain(ctx context.Context, vm *VM, rule *Rule, owner *node, d *Decision) {
	if d.Line == nil {
		return
	}
	c := d.chosen()
	if c != nil && c.Trace == nil && rule.Program.Deterministic() {
		again, steps := Candidate{Node: c.Node}, evaluation{r: r, vm: vm.ID(), of: vm}
		r.again = true
		steps.run(ctx, rule, owner, r.nodes[c.Node], &again, true)
		r.again = false
		c.Trace = again.Trace
	}
	said := "migrate"
	if d.Verdict == ReportOnly {
		said = "report"
	}
	text := fmt.Sprintf("%s:%d said %s", path.Base(d.Line.File), d.Line.Line, said)
	if c != nil {
		if values := comparisons(c.Trace); values != "" {
			text += " as " + values
		}
	}
	if d.Why != "" {
		text += "; " + d.Why
	}
	d.Why = text
}

// chosen is the candidate that the verdict names, or the best of those that were wanted, or nil.
func (d *Decision) chosen() *Candidate {
	var best *Candidate
	for i := range d.Candidates {
		c := &d.Candidates[i]
		if d.Target != "" && c.Node == d.Target {
			return c
		}
		if c.Said == SaidMigrate && best == nil {
			best = c
		}
	}
	return best
}

// comparisons gives the last few comparisons of a trace that were true.
func comparisons(t *perl.Trace) string {
	if t == nil {
		return ""
	}
	var out []string
	for _, s := range t.Steps {
		if s.Result == "true" && s.Kind != perl.Decided { // what && joins is told already
			out = append(out, s.Source+" ("+Shorten(s.Text)+")")
		}
	}
	if n := len(out) - 4; n > 0 {
		out = out[n:]
	}
	return strings.Join(out, ", ")
}

// silence says why nothing was said.
func silence(d *Decision) string {
	switch {
	case d.Err != nil:
		return d.Err.Error()
	case d.Considered == 0:
		return "there is no other node that could take it"
	}
	failed := 0
	var first error
	for i := range d.Candidates {
		if err := d.Candidates[i].Err; err != nil {
			if failed++; first == nil {
				first = err
			}
		}
	}
	if failed == 0 {
		return "its rule said nothing"
	}
	text := first.Error()
	if failed > 1 {
		text += fmt.Sprintf(" (and %d more)", failed-1)
	}
	if n := d.Considered - failed; n > 0 {
		text += fmt.Sprintf("; its rule said nothing of the other %d", n)
	}
	return text
}

func said(list []Candidate, what Said) []int {
	var out []int
	for i := range list {
		if list[i].Said == what && list[i].Err == nil {
			out = append(out, i)
		}
	}
	return out
}

// heldBy gives the rails that stand in the VM's way, or in that of one of its targets.
func (d *Decision) heldBy() map[string]bool {
	out := map[string]bool{}
	for _, v := range d.Vetoes {
		out[v.Rail] = true
	}
	for i := range d.Candidates {
		for _, v := range d.Candidates[i].Vetoes {
			out[v.Rail] = true
		}
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "no node"
	}
	return s
}
