package balance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// passes.log holds one JSON object a line: a Pass. Lists are never null, what is unknown is. Where many VMs may run on
// the same nodes the list of these stands once, in "placements", and each VM gives its number. In a large cluster only
// the best candidates of a VM are written; what the rule read of the others is in the logs.

// AppendPass adds a pass to passes.log at path.
func AppendPass(path string, p *Pass) error {
	line, err := EncodePass(p)
	if err == nil {
		err = appendLine(path, line)
	}
	if err != nil {
		return fmt.Errorf("recording the pass: %w", err)
	}
	return nil
}

// ReadPasses gives the passes from t on, in their order, and how many lines could not be read. It reads from the end.
func ReadPasses(path string, t time.Time) (passes []*Pass, skipped int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the passes: %w", err)
	}
	defer f.Close()
	text, _, err := tailOf(f, 256<<10, 1<<40, func(text []byte) bool {
		line, _, whole := bytes.Cut(text, []byte("\n"))
		var first struct{ At time.Time }
		return whole && json.Unmarshal(line, &first) == nil && first.At.Before(t)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading the passes: %w", err)
	}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) == 0 {
			continue
		}
		p, err := DecodePass(line)
		switch {
		case !whole || err != nil:
			skipped++
		case !p.At.Before(t):
			passes = append(passes, p)
		}
	}
	return passes, skipped, nil
}

// Up to fewCandidates of a pass all are written. Of more, keptCandidates of each VM are, and none of which the rule
// said nothing.
const (
	fewCandidates  = 2000
	keptCandidates = 8
)

type jsonPass struct {
	At         time.Time         `json:"at"`
	Config     string            `json:"config"`
	Quorate    bool              `json:"quorate"`
	Nodes      []jsonNode        `json:"nodes"`
	Placements [][]jsonPlacement `json:"placements"`
	VMs        []jsonVM          `json:"vms"`
	Refused    []jsonRefusal     `json:"refused"`
	Decisions  []jsonDecision    `json:"decisions"`
	Rails      map[string]int    `json:"rails"`
	// Newest is in Unix seconds: the newest sample read, by node and resource; null where there was none.
	Newest map[string]map[string]*int64 `json:"newest"`

	key []byte // of the last list of placements
}

type jsonRefusal struct {
	VM   string `json:"vm"`
	Node string `json:"node"`
	Why  string `json:"why"`
}

type jsonNode struct {
	Name     string     `json:"name"`
	Online   bool       `json:"online"`
	Cores    *float64   `json:"cores"`
	MemFree  *int64     `json:"mem_free_bytes"`
	MemTotal *int64     `json:"mem_total_bytes"`
	Seen     *time.Time `json:"seen"`
	Closed   *string    `json:"closed"`
}

type jsonPlacement struct {
	Node  string `json:"node"`
	Score int    `json:"score"`
}

type jsonVM struct {
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	Service   *string    `json:"service"`
	Owner     *string    `json:"owner"`
	LastOwner *string    `json:"last_owner"`
	State     State      `json:"state"`
	Frozen    bool       `json:"frozen"`
	MayRun    int        `json:"may_run"` // index into placements
	Since     *time.Time `json:"since"`
	Cores     *float64   `json:"cpu_cores"`
	Mem       *int64     `json:"mem_bytes"`
	// Uses is by the name of a resource, in its unit; left out where nothing of it is known.
	Uses map[string]float64 `json:"uses,omitempty"`
}

type jsonDecision struct {
	VM         string          `json:"vm"`
	Service    *string         `json:"service"`
	Owner      *string         `json:"owner"`
	Rule       *string         `json:"rule"`
	Verdict    Verdict         `json:"verdict"`
	Target     *string         `json:"target"`
	Why        string          `json:"why"`
	Error      *string         `json:"error"`
	Line       *jsonLine       `json:"line"`
	Reads      []jsonRead      `json:"reads"`
	Candidates []jsonCandidate `json:"candidates"`
	Considered int             `json:"considered"`
	Vetoes     []jsonVeto      `json:"vetoes"`
}

type jsonCandidate struct {
	Node      string     `json:"node"`
	Said      Said       `json:"said"`
	Weight    float64    `json:"weight"`
	Line      *jsonLine  `json:"line"`
	Error     *string    `json:"error"`
	Reads     []jsonRead `json:"reads"`
	Output    string     `json:"output"`
	Steps     []jsonStep `json:"steps"`
	Score     int        `json:"score"`
	Guests    int        `json:"guests"`
	Measured  *jsonRead  `json:"measured"`
	Projected *float64   `json:"projected"`
	Vetoes    []jsonVeto `json:"vetoes"`
	Rank      int        `json:"rank"`
}

type jsonLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

type jsonRead struct {
	Resource string   `json:"resource"`
	Node     string   `json:"node"`
	Minutes  int      `json:"minutes"`
	Count    int      `json:"count"`
	Newest   *float64 `json:"newest"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	Average  *float64 `json:"average"`
	Meridian *float64 `json:"meridian"`
	Error    *string  `json:"error"`
}

type jsonStep struct {
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Source string `json:"source"`
	Text   string `json:"text"`
	Result string `json:"result"`
}

type jsonVeto struct {
	Rail string `json:"rail"`
	Text string `json:"text"`
}

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

// value is the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func errorText(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

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
