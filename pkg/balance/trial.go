package balance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Trial is where and when a piece of code is tried, outside of a pass.
type Trial struct {
	At      time.Time // in the zone that rules see
	VM      string    // whose rule it is, for the error of a limit; may be empty
	Owner   string    // the node of res
	Target  string    // the node of res2; "" is none
	Samples Samples
	Trace   bool
}

// Attempt is what one run of a piece of code came to.
type Attempt struct {
	Values      []perl.Value // of its last statement
	Output      string
	Actions     []Said  // each call of migrate and report, in order
	Said        Said    // what they come to
	Weight      float64 // of migrate
	Reads       []*Read
	AskedTarget bool // it called res2: another target may give another answer
	Trace       *perl.Trace
	Err         error // whatever was said is void
}

// ErrNoTarget says that a trial without a target called res2.
var ErrNoTarget = errors.New("res2 asks for a node that the VM could go to, and none is named")

// Compile reads code as the algorithm of a rule: with the functions and the warnings that algorithms have.
func (c *Config) Compile(code string, at perl.Position) (*perl.Program, []perl.Diagnostic) {
	return perl.Compile([]byte(code), at, hostFuncs(c))
}

// Try runs a program as a pass runs a rule, and decides nothing.
func (c *Config) Try(ctx context.Context, p *perl.Program, t Trial) Attempt {
	in := Input{At: t.At, Config: c, Samples: t.Samples, View: View{Nodes: []Node{{Name: t.Owner}, {Name: t.Target}}}}
	if t.Target == "" {
		in.Samples = noTarget{t.Samples}
	}
	r := newRound(in, nil)
	e := &evaluation{r: r}
	e.start(r.nodes[t.Owner], r.nodes[t.Target])
	var a Attempt
	e.each = func(s Said) { a.Actions = append(a.Actions, s) }
	o := perl.Options{Host: e, Now: t.At, Zone: t.At.Location(), Out: &e.out, VM: t.VM, Node: t.Target}
	if t.Trace {
		a.Trace = &perl.Trace{}
		o.Trace = a.Trace
	}
	a.Values, a.Err = p.RunList(ctx, o)
	if e.err != nil { // also where the code caught it
		a.Err = e.err
	}
	if a.Err == nil {
		a.Said, a.Weight = e.said, e.weight
	}
	a.Output, a.AskedTarget = e.out.String(), e.askedTarget
	a.Reads = slices.Concat(e.reads, e.targetReads)
	return a
}

// noTarget has samples of every node but the one without a name.
type noTarget struct{ Samples }

func (s noTarget) Window(node, resource string, from, to time.Time) ([]Sample, error) {
	if node == "" {
		return nil, ErrNoTarget
	}
	return s.Samples.Window(node, resource, from, to)
}

// Check tells what is wrong with the algorithms, as NewConfig does. f may be what conf.Examine gave of a file with
// errors. Where r is nil nobody knows the resources, and none is missed.
func Check(f *conf.File, r *conf.Resources) []conf.Diagnostic {
	if r != nil {
		_, diags := NewConfig(f, r)
		return diags
	}
	funcs := hostFuncs(&Config{})
	for i := range funcs {
		check := funcs[i].Check
		if check == nil {
			continue
		}
		funcs[i].Check = func(literals []perl.Value) string {
			literals = slices.Clone(literals)
			if len(literals) > 0 {
				literals[0] = perl.Undef() // as if it were no literal
			}
			return check(literals)
		}
	}
	var diags []conf.Diagnostic
	check := func(b *conf.Block, name string) {
		if rule := newRule(f, b, name); rule.Program == nil {
			diags = append(diags, rule.compile(f, funcs)...)
		}
	}
	if f.Default != nil {
		check(f.Default, "default")
	}
	for _, b := range f.Blocks {
		check(b, b.VM)
	}
	conf.Sort(diags)
	return diags
}

// RuleOf is the rule by which a VM is balanced, or nil. written is what balance calls it.
func (c *Config) RuleOf(vm VM, written string) *Rule { return c.rule(&vm, written) }
