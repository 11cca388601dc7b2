package balance

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// maxMinutes is the longest window that a rule may ask for: 30 days.
const maxMinutes = 30 * 24 * 60

// hostFuncs are what a rule can call besides perl's own: the manual's functions.
func hostFuncs(c *Config) []perl.Func {
	return []perl.Func{
		{Name: "res", Min: 2, Max: 2, Role: perl.Series, Check: checkWindow(c), Call: func(h perl.Host, call *perl.Call) error {
			return h.(*evaluation).res(call, false)
		}},
		{Name: "res2", Min: 2, Max: 2, Role: perl.Series, Check: checkWindow(c), Call: func(h perl.Host, call *perl.Call) error {
			return h.(*evaluation).res(call, true)
		}},
		{Name: "min", Min: 0, Max: -1, Role: perl.Aggregate, Call: aggregate(slices.Min[[]float64])},
		{Name: "max", Min: 0, Max: -1, Role: perl.Aggregate, Call: aggregate(slices.Max[[]float64])},
		{Name: "average", Min: 0, Max: -1, Role: perl.Aggregate, Call: aggregate(average)},
		{Name: "meridian", Min: 0, Max: -1, Role: perl.Aggregate, Call: aggregate(median)},
		{Name: "migrate", Min: 0, Max: 1, Role: perl.Verdict, Call: func(h perl.Host, call *perl.Call) error {
			return h.(*evaluation).migrate(call)
		}},
		{Name: "report", Min: 0, Max: 0, Role: perl.Verdict, Call: func(h perl.Host, call *perl.Call) error {
			h.(*evaluation).say(SaidReport, 0, call.Pos())
			call.Return(perl.Int(1))
			return nil
		}},
	}
}

// checkWindow looks at the literals of res('cpu', 5) when the rule is loaded.
func checkWindow(c *Config) func([]perl.Value) string {
	return func(literals []perl.Value) string {
		if len(literals) > 0 && !literals[0].IsUndef() {
			if _, ok := c.resource(literals[0].String()); !ok {
				return unknownResource(c, literals[0].String())
			}
		}
		if len(literals) > 1 && !literals[1].IsUndef() {
			if _, err := minutes(literals[1]); err != nil {
				return err.Error()
			}
		}
		return ""
	}
}

func unknownResource(c *Config, name string) string {
	known := ""
	for _, r := range c.Resources {
		known += " " + r.Name
	}
	if known == "" {
		known = " none"
	}
	return fmt.Sprintf("unknown resource %q (lbresources.conf has:%s)", name, known)
}

func minutes(v perl.Value) (int, error) {
	f := v.Float64()
	if !v.IsNumber() || f != math.Trunc(f) || f < 1 || f > maxMinutes {
		return 0, fmt.Errorf("the interval must be a whole number of minutes from 1 to %d, not %q", maxMinutes, v.String())
	}
	return int(f), nil
}

// aggregate makes a function over all its arguments. Without any it gives undef, as a mean of nothing is.
func aggregate(f func([]float64) float64) func(perl.Host, *perl.Call) error {
	return func(h perl.Host, call *perl.Call) error {
		args := call.Args()
		if len(args) == 0 {
			call.Return(perl.Undef())
			return nil
		}
		e := h.(*evaluation)
		e.numbers = e.numbers[:0]
		for _, a := range args {
			e.numbers = append(e.numbers, a.Float64())
		}
		call.Return(perl.Float(f(e.numbers)))
		return nil
	}
}

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// median is the manual's meridian. It sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

var (
	errWeight    = errors.New("the weight of migrate() must be a number")
	errArguments = errors.New("res and res2 take a resource and a number of minutes")
)
