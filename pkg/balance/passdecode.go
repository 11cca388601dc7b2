package balance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// DecodePass reads a line. Errors come back as their text.
func DecodePass(line []byte) (*Pass, error) { return decodePass(line, nil) }

// decodePass leaves out the decisions that keep does not want; they are most of a line. nil wants all.
func decodePass(line []byte, keep func(vm, service string) bool) (*Pass, error) {
	var in struct {
		jsonPass
		Decisions json.RawMessage `json:"decisions"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, fmt.Errorf("reading a pass: %w", err)
	}
	decisions, err := decodeDecisions(in.Decisions, keep)
	if err != nil {
		return nil, fmt.Errorf("reading a pass: %w", err)
	}
	if in.At.IsZero() {
		return nil, errors.New("reading a pass: it has no time")
	}
	p := &Pass{At: in.At, Config: in.Config, View: View{Quorate: in.Quorate}, Rails: in.Rails}
	for node, of := range in.Newest {
		if p.Newest == nil {
			p.Newest = map[string]map[string]time.Time{}
		}
		stamps := map[string]time.Time{}
		for resource, seconds := range of {
			stamps[resource] = time.Time{}
			if seconds != nil {
				stamps[resource] = time.Unix(*seconds, 0)
			}
		}
		p.Newest[node] = stamps
	}
	for _, n := range in.Nodes {
		p.View.Nodes = append(p.View.Nodes, Node{Name: n.Name, Online: n.Online, Cores: value(n.Cores), MemFree: value(n.MemFree), MemTotal: value(n.MemTotal), Seen: value(n.Seen), Closed: value(n.Closed)})
	}
	for _, x := range in.Refused {
		p.Refused = append(p.Refused, Refusal(x))
	}
	lists := make([][]Placement, len(in.Placements))
	for i, list := range in.Placements {
		for _, x := range list {
			lists[i] = append(lists[i], Placement(x))
		}
	}
	for _, vm := range in.VMs {
		if vm.MayRun < 0 || vm.MayRun >= len(lists) {
			return nil, fmt.Errorf("reading a pass: VM %q has no placements", vm.Name)
		}
		p.View.VMs = append(p.View.VMs, vm.vm(lists[vm.MayRun]))
	}
	for i := range decisions {
		p.Decisions = append(p.Decisions, decodeDecision(&decisions[i]))
	}
	return p, nil
}

func decodeDecisions(raw json.RawMessage, keep func(vm, service string) bool) ([]jsonDecision, error) {
	var out []jsonDecision
	if keep == nil && len(raw) > 0 {
		return out, json.Unmarshal(raw, &out)
	}
	for rest := []byte(raw); ; {
		// A quote in a text has a backslash before it: this begins a decision.
		i := bytes.Index(rest, []byte(`{"vm":"`))
		if i < 0 {
			return out, nil
		}
		rest = rest[i:]
		var head struct {
			VM      string  `json:"vm"`
			Service *string `json:"service"`
		}
		if end := bytes.Index(rest, []byte(`,"owner":`)); end > 0 {
			if err := json.Unmarshal(append(rest[:end:end], '}'), &head); err != nil {
				return nil, err
			}
		}
		if head.VM == "" || keep(head.VM, value(head.Service)) {
			var d jsonDecision
			if err := json.NewDecoder(bytes.NewReader(rest)).Decode(&d); err != nil {
				return nil, err
			}
			if keep(d.VM, value(d.Service)) {
				out = append(out, d)
			}
		}
		rest = rest[1:]
	}
}

func (j *jsonVM) vm(may []Placement) VM {
	return VM{Name: j.Name, Type: j.Type, Service: value(j.Service), Owner: value(j.Owner), LastOwner: value(j.LastOwner),
		State: j.State, Frozen: j.Frozen, MayRun: may, Since: value(j.Since), Cores: value(j.Cores), Mem: value(j.Mem), Uses: j.Uses}
}

func decodeDecision(j *jsonDecision) Decision {
	d := Decision{VM: j.VM, Service: value(j.Service), Owner: value(j.Owner), Rule: value(j.Rule), Verdict: j.Verdict, Target: value(j.Target),
		Why: j.Why, Err: textError(j.Error), Line: (*Line)(j.Line), Reads: decodeReads(j.Reads), Considered: j.Considered, Vetoes: decodeVetoes(j.Vetoes)}
	for _, c := range j.Candidates {
		x := Candidate{Node: c.Node, Said: c.Said, Weight: c.Weight, Line: (*Line)(c.Line), Err: textError(c.Error), Reads: decodeReads(c.Reads),
			Output: c.Output, Score: c.Score, Guests: c.Guests, Projected: c.Projected, Vetoes: decodeVetoes(c.Vetoes), Rank: c.Rank}
		if c.Measured != nil {
			x.Measured = decodeRead(c.Measured)
		}
		if len(c.Steps) > 0 {
			x.Trace = &perl.Trace{}
			for _, s := range c.Steps {
				x.Trace.Steps = append(x.Trace.Steps, perl.Step{Line: s.Line, Col: s.Col, Source: s.Source, Text: s.Text, Result: s.Result})
			}
		}
		d.Candidates = append(d.Candidates, x)
	}
	return d
}

func decodeReads(list []jsonRead) []*Read {
	var out []*Read
	for i := range list {
		out = append(out, decodeRead(&list[i]))
	}
	return out
}

func decodeRead(j *jsonRead) *Read {
	return &Read{Resource: j.Resource, Node: j.Node, Minutes: j.Minutes, Count: j.Count, Newest: value(j.Newest), Min: value(j.Min),
		Max: value(j.Max), Average: value(j.Average), Meridian: value(j.Meridian), Err: value(j.Error)}
}

func decodeVetoes(list []jsonVeto) []Veto {
	var out []Veto
	for _, v := range list {
		out = append(out, Veto(v))
	}
	return out
}

func textError(text *string) error {
	if text == nil {
		return nil
	}
	return errors.New(*text)
}

// value is the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
