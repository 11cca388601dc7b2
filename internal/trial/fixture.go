// Package trial runs pieces of the rule language over made-up data: a Fixture holds the
// values of one source and one target node and the instant. Batch answers many programs.
//
// The functions are those of the manual as perl had them, so that answers can be compared
// with perl's: res gives the values as the fixture writes them, an unknown resource is an
// error that eval {} catches, and without values there are none. The balancer is stricter;
// balance.Config.Try is what runs code as it does.
package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Fixture is the data that programs are tried on. It may be used by many goroutines.
type Fixture struct {
	Now  time.Time // in its zone
	data [2]map[string][]perl.Value
}

// ParseFixture reads {"now": UNIXSECONDS, "tz": ZONE, "data": {"1": {NAME: [VALUE, ...]}, "2": {...}}}: the values of
// res and of res2, newest first. Other keys are passed over. A number that is written as text keeps its digits.
func ParseFixture(src []byte) (*Fixture, error) {
	var in struct {
		Now  *int64
		TZ   string
		Data map[string]map[string][]json.RawMessage
	}
	if err := json.Unmarshal(src, &in); err != nil {
		return nil, fmt.Errorf("reading a fixture: %w", err)
	}
	if in.Now == nil {
		return nil, errors.New(`reading a fixture: it has no "now", the instant in seconds since 1970`)
	}
	zone, err := time.LoadLocation(in.TZ) // "" is UTC
	if err != nil || in.TZ == "Local" {
		return nil, fmt.Errorf("reading a fixture: tz %q is no zone that this machine knows", in.TZ)
	}
	f := &Fixture{Now: time.Unix(*in.Now, 0).In(zone)}
	for i := range f.data {
		f.data[i] = map[string][]perl.Value{}
	}
	for which, resources := range in.Data {
		if which != "1" && which != "2" {
			return nil, fmt.Errorf(`reading a fixture: data has "1" for res and "2" for res2, not %q`, which)
		}
		for name, list := range resources {
			values := []perl.Value{}
			for _, raw := range list {
				v, err := value(raw)
				if err != nil {
					return nil, fmt.Errorf("reading a fixture: %s of data %s: %w", name, which, err)
				}
				values = append(values, v)
			}
			f.data[which[0]-'1'][name] = values
		}
	}
	return f, nil
}

func value(raw json.RawMessage) (perl.Value, error) {
	text := string(bytes.TrimSpace(raw))
	if strings.HasPrefix(text, `"`) {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return perl.Value{}, err
		}
		return perl.String(s), nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return perl.Int(i), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return perl.Value{}, fmt.Errorf("%s is not a number", text)
	}
	return perl.Float(n), nil
}

// Result is what a program did.
type Result struct {
	Values  []perl.Value
	Output  string
	Warned  string   // what warn said
	Actions []string // migrate, report: each call, in order
	Err     error
}

// Name is what errors call code that comes from no file.
const Name = "algorithm"

// Compile reads code with the functions that a fixture serves. name is what errors call it.
func Compile(code, name string) (*perl.Program, []perl.Diagnostic) {
	return perl.Compile([]byte(code), perl.Position{File: name}, funcs())
}

// Run runs a program of Compile.
func (f *Fixture) Run(ctx context.Context, p *perl.Program, trace *perl.Trace) Result {
	return f.run(ctx, p, &trial{fixture: f}, trace)
}

// trial is the host of one run.
type trial struct {
	fixture   *Fixture
	funcs     []perl.Func
	actions   []string
	out, warn bytes.Buffer
}

func (f *Fixture) run(ctx context.Context, p *perl.Program, t *trial, trace *perl.Trace) Result {
	t.actions = t.actions[:0]
	t.out.Reset()
	t.warn.Reset()
	values, err := p.RunList(ctx, perl.Options{Host: t, Now: f.Now, Zone: f.Now.Location(), Out: &t.out, Warn: &t.warn, Trace: trace})
	return Result{Values: values, Output: t.out.String(), Warned: t.warn.String(), Actions: t.actions, Err: err}
}
