package balance

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Up to fewCandidates of a pass all are written. Of more, keptCandidates of each VM are, and none of which the rule
// said nothing.
const (
	fewCandidates  = 2000
	keptCandidates = 8
)

// EncodePass gives the line of a pass, with its line break.
func EncodePass(p *Pass) ([]byte, error) {
	out := jsonPass{At: p.At, Config: p.Config, Quorate: p.View.Quorate, Nodes: []jsonNode{}, Placements: [][]jsonPlacement{},
		VMs: []jsonVM{}, Refused: []jsonRefusal{}, Decisions: []jsonDecision{}, Rails: map[string]int{}, Newest: map[string]map[string]*int64{}}
	for node, of := range p.Newest {
		stamps := map[string]*int64{}
		for resource, at := range of {
			stamps[resource] = nil
			if !at.IsZero() {
				seconds := at.Unix()
				stamps[resource] = &seconds
			}
		}
		out.Newest[node] = stamps
	}
	for _, x := range p.Refused {
		out.Refused = append(out.Refused, jsonRefusal(x))
	}
	for name, n := range p.Rails {
		out.Rails[name] = n
	}
	for _, n := range p.View.Nodes {
		j := jsonNode{Name: n.Name, Online: n.Online, Cores: known(n.Cores), Seen: known(n.Seen), Closed: known(n.Closed)}
		if n.MemTotal > 0 {
			j.MemFree, j.MemTotal = &n.MemFree, &n.MemTotal
		}
		out.Nodes = append(out.Nodes, j)
	}
	lists := map[string]int{}
	for _, vm := range p.View.VMs {
		out.VMs = append(out.VMs, jsonVM{Name: vm.Name, Type: vm.Type, Service: known(vm.Service), Owner: known(vm.Owner),
			LastOwner: known(vm.LastOwner), State: vm.State, Frozen: vm.Frozen, MayRun: out.placement(lists, vm.MayRun), Since: known(vm.Since), Cores: known(vm.Cores), Mem: known(vm.Mem), Uses: vm.Uses})
	}
	total := 0
	for i := range p.Decisions {
		total += len(p.Decisions[i].Candidates)
	}
	for i := range p.Decisions {
		out.Decisions = append(out.Decisions, encodeDecision(&p.Decisions[i], total <= fewCandidates))
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false) // people grep for > and <
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	return line.Bytes(), nil
}

// placement gives the number of a list of placements, which is added if it is new.
func (p *jsonPass) placement(lists map[string]int, list []Placement) int {
	key := p.key[:0]
	for _, x := range list {
		key = append(append(key, x.Node...), ' ')
		key = append(strconv.AppendInt(key, int64(x.Score), 10), ',')
	}
	p.key = key
	if i, ok := lists[string(key)]; ok {
		return i
	}
	out := make([]jsonPlacement, 0, len(list))
	for _, x := range list {
		out = append(out, jsonPlacement(x))
	}
	p.Placements = append(p.Placements, out)
	lists[string(key)] = len(p.Placements) - 1
	return len(p.Placements) - 1
}

func encodeDecision(d *Decision, all bool) jsonDecision {
	j := jsonDecision{VM: d.VM, Service: known(d.Service), Owner: known(d.Owner), Rule: known(d.Rule), Verdict: d.Verdict,
		Target: known(d.Target), Why: d.Why, Error: errorText(d.Err), Line: (*jsonLine)(d.Line), Reads: encodeReads(d.Reads),
		Candidates: []jsonCandidate{}, Considered: d.Considered, Vetoes: encodeVetoes(d.Vetoes)}
	for i := range d.Candidates {
		c := &d.Candidates[i]
		if !all && (c.Said == SaidNothing || c.Rank > keptCandidates || (c.Rank == 0 && len(j.Candidates) >= keptCandidates)) {
			continue
		}
		x := jsonCandidate{Node: c.Node, Said: c.Said, Weight: c.Weight, Line: (*jsonLine)(c.Line), Error: errorText(c.Err),
			Reads: encodeReads(c.Reads), Output: c.Output, Steps: []jsonStep{}, Score: c.Score, Guests: c.Guests, Projected: c.Projected, Vetoes: encodeVetoes(c.Vetoes), Rank: c.Rank}
		if c.Measured != nil {
			m := encodeRead(c.Measured)
			x.Measured = &m
		}
		if c.Trace != nil {
			for _, s := range c.Trace.Steps {
				x.Steps = append(x.Steps, jsonStep{s.Line, s.Col, s.Source, s.Text, s.Result})
			}
		}
		j.Candidates = append(j.Candidates, x)
	}
	return j
}

func encodeReads(list []*Read) []jsonRead {
	out := make([]jsonRead, 0, len(list))
	for _, r := range list {
		out = append(out, encodeRead(r))
	}
	return out
}

func encodeRead(r *Read) jsonRead {
	j := jsonRead{Resource: r.Resource, Node: r.Node, Minutes: r.Minutes, Count: r.Count, Error: known(r.Err)}
	if r.Count > 0 {
		j.Newest, j.Min, j.Max, j.Average, j.Meridian = &r.Newest, &r.Min, &r.Max, &r.Average, &r.Meridian
	}
	return j
}

func encodeVetoes(list []Veto) []jsonVeto {
	out := make([]jsonVeto, 0, len(list))
	for _, v := range list {
		out = append(out, jsonVeto(v))
	}
	return out
}

// known is nil for the zero value.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func errorText(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}
