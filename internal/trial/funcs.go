package trial

import (
	"fmt"
	"slices"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// funcs are the manual's functions over a fixture.
func funcs() []perl.Func {
	return []perl.Func{
		{Name: "res", Min: 2, Max: 2, Role: perl.Series, Call: res(0)},
		{Name: "res2", Min: 2, Max: 2, Role: perl.Series, Call: res(1)},
		{Name: "min", Max: -1, Role: perl.Aggregate, Call: pick(func(a, b float64) bool { return a < b })},
		{Name: "max", Max: -1, Role: perl.Aggregate, Call: pick(func(a, b float64) bool { return a > b })},
		{Name: "average", Max: -1, Role: perl.Aggregate, Call: average},
		{Name: "meridian", Max: -1, Role: perl.Aggregate, Call: meridian},
		{Name: "migrate", Max: -1, Role: perl.Verdict, Call: act("migrate")},
		{Name: "report", Max: -1, Role: perl.Verdict, Call: act("report")},
	}
}

func res(which int) func(perl.Host, *perl.Call) error {
	return func(h perl.Host, c *perl.Call) error {
		args := c.Args()
		if len(args) < 2 {
			return fmt.Errorf("res and res2 take a resource and a number of minutes")
		}
		list, ok := h.(*trial).fixture.data[which][args[0].String()]
		if !ok {
			return fmt.Errorf("unknown resource %q", args[0].String())
		}
		c.Return(list[:min(max(args[1].Int64(), 0), int64(len(list)))]...)
		return nil
	}
}

func act(name string) func(perl.Host, *perl.Call) error {
	return func(h perl.Host, c *perl.Call) error {
		t := h.(*trial)
		t.actions = append(t.actions, name)
		c.Return(perl.Int(1))
		return nil
	}
}

// pick gives back one of its arguments as it is: '1.50' stays '1.50'.
func pick(better func(a, b float64) bool) func(perl.Host, *perl.Call) error {
	return func(_ perl.Host, c *perl.Call) error {
		args := c.Args()
		if len(args) == 0 {
			c.Return(perl.Undef())
			return nil
		}
		best := args[0]
		for _, v := range args[1:] {
			if better(v.Float64(), best.Float64()) {
				best = v
			}
		}
		c.Return(best)
		return nil
	}
}

func average(_ perl.Host, c *perl.Call) error {
	args := c.Args()
	if len(args) == 0 {
		c.Return(perl.Undef())
		return nil
	}
	sum := 0.0
	for _, v := range args {
		sum += v.Float64()
	}
	c.Return(perl.Float(sum / float64(len(args))))
	return nil
}

func meridian(_ perl.Host, c *perl.Call) error {
	sorted := slices.Clone(c.Args())
	if len(sorted) == 0 {
		c.Return(perl.Undef())
		return nil
	}
	slices.SortStableFunc(sorted, func(a, b perl.Value) int {
		switch x, y := a.Float64(), b.Float64(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	k := len(sorted)
	if k%2 == 1 {
		c.Return(sorted[k/2])
	} else {
		c.Return(perl.Float((sorted[k/2-1].Float64() + sorted[k/2].Float64()) / 2))
	}
	return nil
}
