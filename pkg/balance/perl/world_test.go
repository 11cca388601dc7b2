package perl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
	"time"
)

// world is a host for the tests: the functions of the balancer over fixed data.
type world struct {
	data    map[string]map[string][]Value // "1" is res, "2" is res2
	actions []string
}

func hostWorld(h Host) *world { return h.(*world) }

func testFuncs() []Func {
	res := func(which string) func(Host, *Call) error {
		return func(h Host, c *Call) error {
			a := c.Args()
			d, ok := hostWorld(h).data[which][a[0].String()]
			if !ok {
				return fmt.Errorf("unknown resource %q", a[0].String())
			}
			c.Return(d[:min(int(a[1].Int64()), len(d))]...)
			return nil
		}
	}
	act := func(name string) func(Host, *Call) error {
		return func(h Host, c *Call) error {
			w := hostWorld(h)
			w.actions = append(w.actions, name)
			c.Return(Int(1))
			return nil
		}
	}
	return []Func{
		{Name: "res", Min: 2, Max: 2, Role: Series, Call: res("1")},
		{Name: "res2", Min: 2, Max: 2, Role: Series, Call: res("2")},
		{Name: "min", Max: -1, Role: Aggregate, Call: pick(func(a, b float64) bool { return a < b })},
		{Name: "max", Max: -1, Role: Aggregate, Call: pick(func(a, b float64) bool { return a > b })},
		{Name: "average", Max: -1, Role: Aggregate, Call: average},
		{Name: "meridian", Max: -1, Role: Aggregate, Call: meridian},
		{Name: "migrate", Max: -1, Role: Verdict, Call: act("migrate")},
		{Name: "report", Max: -1, Role: Verdict, Call: act("report")},
	}
}

func pick(better func(a, b float64) bool) func(Host, *Call) error {
	return func(_ Host, c *Call) error {
		a := c.Args()
		if len(a) == 0 {
			c.Return(Undef())
			return nil
		}
		best := a[0]
		for _, v := range a[1:] {
			if better(v.Float64(), best.Float64()) {
				best = v
			}
		}
		c.Return(best)
		return nil
	}
}

func average(_ Host, c *Call) error {
	a := c.Args()
	if len(a) == 0 {
		c.Return(Undef())
		return nil
	}
	s := 0.0
	for _, v := range a {
		s += v.Float64()
	}
	c.Return(Float(s / float64(len(a))))
	return nil
}

func meridian(_ Host, c *Call) error {
	s := append([]Value(nil), c.Args()...)
	if len(s) == 0 {
		c.Return(Undef())
		return nil
	}
	sort.SliceStable(s, func(i, j int) bool { return s[i].Float64() < s[j].Float64() })
	if k := len(s); k%2 == 1 {
		c.Return(s[k/2])
	} else {
		c.Return(Float((s[k/2-1].Float64() + s[k/2].Float64()) / 2))
	}
	return nil
}

type oracleCase struct {
	ID, Group, Level, Code, Note string
	Value                        []*string
	Stdout                       string
	Actions                      []string
	Error                        *string
}

type oracleFile struct {
	Now   int64
	TZ    string
	Perl  string
	Data  map[string]map[string][]json.RawMessage
	Cases []oracleCase
}

func readOracle(t testing.TB) *oracleFile {
	t.Helper()
	b, err := os.ReadFile("testdata/oracle.json")
	if err != nil {
		t.Fatal(err)
	}
	var f oracleFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

func (f *oracleFile) world() *world {
	w := &world{data: map[string]map[string][]Value{}}
	for which, m := range f.Data {
		w.data[which] = map[string][]Value{}
		for name, raw := range m {
			for _, r := range raw {
				v := String(strings.Trim(string(r), `"`))
				if r[0] != '"' {
					n, _ := grok(string(r))
					v = n
				}
				w.data[which][name] = append(w.data[which][name], v)
			}
		}
	}
	return w
}

// outcome is what a program did.
type outcome struct {
	values  []string // "<undef>" for undef
	stdout  string
	actions []string
	err     string
}

func evaluate(code string, w *world, now time.Time, zone *time.Location, lim Limits) outcome {
	var o outcome
	prog, diags := Compile([]byte(code), Position{File: "algorithm", Line: 1}, testFuncs())
	if prog == nil {
		for _, d := range diags {
			if d.Severity == Error {
				o.err += "compile: " + d.String() + "\n"
			}
		}
		return o
	}
	var out, warn strings.Builder
	w.actions = nil
	list, err := prog.RunList(context.Background(), Options{Host: w, Now: now, Zone: zone, Out: &out, Warn: &warn, Limits: lim})
	for _, v := range list {
		switch {
		case v.IsUndef():
			o.values = append(o.values, "<undef>")
		case v.isRef():
			o.values = append(o.values, v.refName())
		default:
			o.values = append(o.values, v.String())
		}
	}
	o.stdout, o.actions = out.String(), w.actions
	var re *RuntimeError
	if errors.As(err, &re) {
		o.err = re.Text
	}
	return o
}

// scalarOutcome runs a program for one value, far from any data.
func scalarOutcome(code string) outcome {
	prog, diags := Compile([]byte(code), Position{File: "algorithm", Line: 1}, testFuncs())
	if prog == nil {
		for _, d := range diags {
			if d.Severity == Error {
				return outcome{err: "compile: " + d.String()}
			}
		}
		return outcome{err: "compile: no word why"}
	}
	var out strings.Builder
	v, err := prog.Run(context.Background(), Options{Host: &world{}, Now: time.Unix(1195668661, 0), Out: &out})
	o := outcome{values: []string{v.String()}, stdout: out.String()}
	if v.IsUndef() {
		o.values[0] = "<undef>"
	}
	if err != nil {
		o.err = err.Error()
	}
	return o
}
