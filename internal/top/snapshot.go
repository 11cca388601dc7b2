// Package top shows a cluster at work: nodes with bars and sparklines of their resources, VMs with the last decision about
// each, moves.
//
// A Reader takes a Snapshot of what lies on the shared storage: the last pass, the facts, the logs, the journal. Frame draws one as
// lines of text; it is a pure function. Run shows frames on a terminal and follows the keys. Whoever shows a snapshot does not
// read it himself, since a shared storage that is away holds its readers for ever: a process of its own reads (Feed) and the
// screen shows how old its last word is.
package top

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Snapshot is a cluster at an instant. Lists are never null; what is unknown is null.
type Snapshot struct {
	At        time.Time  `json:"at"`
	Cluster   string     `json:"cluster"`
	Pass      *Pass      `json:"pass"` // the last one of this day; null: none
	Resources []Resource `json:"resources"`
	Nodes     []Node     `json:"nodes"`
	VMs       []VM       `json:"vms"`
	Moves     []Move     `json:"moves"` // of this day: those in flight, then the last that ended, newest first
	Warnings  []string   `json:"warnings"`
}

// Pass is the last pass.
type Pass struct {
	At       time.Time      `json:"at"`
	Quorate  bool           `json:"quorate"`
	Balanced int            `json:"balanced_vms"`
	Wanting  int            `json:"wanting_vms"` // whose rule asked for a move
	Rails    map[string]int `json:"rails"`
}

// Resource is a column. Full is the value of a full bar, 0 where only the highest value seen can be.
type Resource struct {
	Name string  `json:"name"`
	Full float64 `json:"full"`
	Free bool    `json:"free"` // more is better
}

// Node is a member. Values are by the resource's name.
type Node struct {
	Name     string            `json:"name"`
	Online   *bool             `json:"online"` // as of the last pass
	Guests   int               `json:"guests"`
	Cores    *float64          `json:"cores"`
	MemFree  *int64            `json:"mem_free_bytes"`
	MemTotal *int64            `json:"mem_total_bytes"`
	Seen     *time.Time        `json:"seen"` // when it published its facts
	Values   map[string]Series `json:"values"`
}

// Series is the newest value, and the means of the last half hour in Points pieces, the oldest first.
type Series struct {
	Newest *float64   `json:"newest"`
	At     *time.Time `json:"at"`
	Fresh  bool       `json:"fresh"` // young enough for the balancer
	Means  []*float64 `json:"means"`
}

// VM is a virtual machine with the last decision about it.
type VM struct {
	VM      string   `json:"vm"` // TYPE:NAME
	Node    *string  `json:"node"`
	State   string   `json:"state"`
	Frozen  bool     `json:"frozen"`
	Cores   *float64 `json:"cpu_cores"`
	Mem     *int64   `json:"mem_bytes"`
	Verdict *string  `json:"verdict"` // null: it is not balanced
	Target  *string  `json:"target"`
	Held    []string `json:"held"` // the rails that keep it from a move that its rule wants
	Why     string   `json:"why"`
}

// Move is a move by whomever.
type Move struct {
	VM      string     `json:"vm"`
	Source  string     `json:"source"`
	Target  string     `json:"target"`
	Begin   time.Time  `json:"begin"`
	End     *time.Time `json:"end"` // null: in flight
	Outcome string     `json:"outcome"`
	By      string     `json:"by"`
	Why     string     `json:"why"`
}

// Points is the number of pieces in which the last half hour is drawn.
const Points = 15

const (
	span     = 30 * time.Minute
	day      = 24 * time.Hour
	inFlight = time.Hour // what has no end for longer was left behind
	maxEnded = 20
)

// Reader takes snapshots. Of what comes once a minute it keeps what it read, so that a screen costs the shared storage little; the
// journal it reads each time. It is not for several goroutines.
type Reader struct {
	Host host.Host

	slow   Snapshot // what the last look at passes, facts and logs gave
	passes fs.FileInfo
}

// keep is for how long facts and logs are not read again, while no pass was made.
const keep = 30 * time.Second

// Read takes a snapshot at an instant.
func (r *Reader) Read(now time.Time) (Snapshot, error) {
	id, err := r.Host.Identity()
	if err != nil {
		return Snapshot{}, err
	}
	shared, err := r.Host.SharedDir(id)
	if err != nil {
		return Snapshot{}, err
	}
	dir := r.Host.Path(id.LogDir)
	passes, err := os.Stat(filepath.Join(dir, balance.PassesName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Snapshot{}, fmt.Errorf("looking for passes: %w", err)
	}
	if !same(passes, r.passes) || now.Sub(r.slow.At).Abs() >= keep {
		slow, err := r.look(id, shared, now)
		if err != nil {
			return Snapshot{}, err
		}
		r.slow, r.passes = slow, passes
	}
	s := r.slow
	s.At, s.Nodes, s.VMs = now, slices.Clone(s.Nodes), slices.Clone(s.VMs) // the journal changes them
	moves, err := balance.OpenJournal(filepath.Join(dir, balance.JournalName)).Since(now.Add(-day))
	if err != nil {
		return Snapshot{}, err
	}
	s.moves(moves)
	return s, nil
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// look reads the last pass, the facts and the logs.
func (r *Reader) look(id host.Identity, shared string, now time.Time) (Snapshot, error) {
	s := Snapshot{At: now, Cluster: id.Cluster, Resources: []Resource{}, Nodes: []Node{}, VMs: []VM{}, Moves: []Move{}, Warnings: []string{}}
	dir := r.Host.Path(id.LogDir)
	pass, err := balance.PassAt(filepath.Join(dir, balance.PassesName), now, day)
	switch {
	case errors.Is(err, balance.ErrNoPass):
		s.Warnings = append(s.Warnings, "no pass of the balancer in 24 hours: does the lbvm service run?")
	case err != nil:
		return Snapshot{}, err
	default:
		s.pass(pass)
	}
	if err := s.nodes(shared, pass); err != nil {
		return Snapshot{}, err
	}
	s.values(r.Host, dir)
	return s, nil
}

func (s *Snapshot) pass(p *balance.Pass) {
	s.Pass = &Pass{At: p.At, Quorate: p.View.Quorate, Balanced: len(p.Decisions), Rails: p.Rails}
	decisions := map[string]*balance.Decision{}
	for i := range p.Decisions {
		decisions[p.Decisions[i].VM] = &p.Decisions[i]
	}
	for _, x := range p.View.VMs {
		vm := VM{VM: x.ID(), Node: known(x.Owner), State: x.State.String(), Frozen: x.Frozen, Cores: known(x.Cores), Mem: known(x.Mem), Held: []string{}}
		if d := decisions[vm.VM]; d != nil {
			verdict := d.Verdict.String()
			vm.Verdict, vm.Target, vm.Why = &verdict, known(d.Target), d.Why
			wants := false
			wants, vm.Held = held(d)
			if wants {
				s.Pass.Wanting++
			}
		}
		s.VMs = append(s.VMs, vm)
	}
}

// held tells whether the rule wants a move, and which rails stand in its way.
func held(d *balance.Decision) (wants bool, rails []string) {
	rails = []string{}
	add := func(list []balance.Veto) {
		for _, v := range list {
			if !slices.Contains(rails, v.Rail) {
				rails = append(rails, v.Rail)
			}
		}
	}
	for i := range d.Candidates {
		if c := &d.Candidates[i]; c.Said == balance.SaidMigrate {
			wants = true
			add(c.Vetoes)
		}
	}
	if wants {
		add(d.Vetoes)
	}
	if !wants || d.Verdict == balance.Migrate {
		rails = []string{}
	}
	return wants, rails
}

// nodes are those of the last pass; without one those that have published facts.
func (s *Snapshot) nodes(shared string, p *balance.Pass) error {
	if p != nil {
		for _, n := range p.View.Nodes {
			s.Nodes = append(s.Nodes, Node{Name: n.Name, Online: &n.Online, Cores: known(n.Cores), Seen: known(n.Seen)})
		}
	} else {
		files, err := os.ReadDir(filepath.Join(shared, host.NodesDir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for nodes: %w", err)
		}
		for _, f := range files {
			if host.CheckName(f.Name()) == nil && !strings.HasPrefix(f.Name(), ".") {
				s.Nodes = append(s.Nodes, Node{Name: f.Name()})
			}
		}
	}
	slices.SortFunc(s.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	for i := range s.Nodes {
		n := &s.Nodes[i]
		f, err := host.ReadFacts(shared, n.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Warnings = append(s.Warnings, "lblog has not run on node "+n.Name+" yet")
		case err != nil:
			s.Warnings = append(s.Warnings, err.Error())
		case !f.At.IsZero():
			n.Seen = &f.At
			if f.Cores > 0 {
				n.Cores = known(float64(f.Cores))
			}
			if f.MemTotal > 0 {
				n.MemTotal, n.MemFree = &f.MemTotal, &f.MemFree
			}
		}
	}
	return nil
}

// moves takes the journal in: what has ended since the last pass is where it was moved to.
func (s *Snapshot) moves(list []balance.Move) {
	at := map[string]*VM{}
	for i := range s.VMs {
		at[s.VMs[i].VM] = &s.VMs[i]
	}
	var ended []Move
	for _, m := range list {
		x := Move{VM: m.VM, Source: m.From, Target: m.To, Begin: m.Begin, Outcome: string(m.Outcome), By: m.By, Why: m.Why}
		if m.End.IsZero() {
			if s.At.Sub(m.Begin) < inFlight {
				x.Outcome = "in flight"
				s.Moves = append(s.Moves, x)
			}
			continue
		}
		x.End = &m.End
		ended = append(ended, x)
		if vm := at[m.VM]; vm != nil && s.Pass != nil && m.Owner != "" && m.End.After(s.Pass.At) {
			vm.Node = &m.Owner
		}
	}
	slices.SortStableFunc(ended, func(a, b Move) int { return b.End.Compare(*a.End) })
	s.Moves = append(s.Moves, ended[:min(len(ended), maxEnded)]...)
	guests := map[string]int{}
	for _, vm := range s.VMs {
		if vm.Node != nil {
			guests[*vm.Node]++
		}
	}
	for i := range s.Nodes {
		s.Nodes[i].Guests = guests[s.Nodes[i].Name]
	}
}

// values reads the logs of all nodes.
func (s *Snapshot) values(h host.Host, dir string) {
	file, res, _, err := conf.Load(func(p string) ([]byte, error) { return os.ReadFile(h.Path(p)) }, host.ConfFile)
	if err != nil || file == nil || res == nil {
		s.Warnings = append(s.Warnings, "lbvm.conf cannot be used, and no resources are shown: lbm check tells why")
		return
	}
	names := map[string]string{}
	for _, r := range res.List {
		names[r.Name] = r.Log()
		c := Resource{Name: r.Name}
		switch {
		case r.Builtin != nil && (r.Builtin[0] == "cpu" || r.Builtin[0] == "psi") || r.Builtin == nil && r.Name == "cpu":
			c.Full = 1
		case r.Builtin != nil && r.Builtin[0] == "ram":
			c.Free = true
		}
		s.Resources = append(s.Resources, c)
	}
	logs := balance.NewLogs(dir, names, file.Stale)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		n.Values = map[string]Series{}
		for _, r := range s.Resources {
			n.Values[r.Name] = series(logs, n.Name, r.Name, s.At, file.Stale)
		}
	}
}

// series cuts the last half hour into pieces.
func series(logs *balance.Logs, node, resource string, now time.Time, stale time.Duration) Series {
	s := Series{Means: make([]*float64, Points)}
	list, err := logs.Window(node, resource, now.Add(-span), now)
	var missing *balance.DataError
	if errors.As(err, &missing) && missing.Age > 0 { // what it had until it fell silent
		list, err = logs.Window(node, resource, now.Add(-span), now.Add(-missing.Age))
	}
	if err != nil || len(list) == 0 {
		return s
	}
	s.Newest, s.At, s.Fresh = &list[0].Value, &list[0].At, now.Sub(list[0].At) < stale
	sums, counts := [Points]float64{}, [Points]float64{}
	for _, x := range list {
		i := Points - 1 - int(now.Sub(x.At)*Points/span)
		if i >= 0 && i < Points {
			sums[i], counts[i] = sums[i]+x.Value, counts[i]+1
		}
	}
	for i := range sums {
		if counts[i] > 0 {
			s.Means[i] = known(sums[i] / counts[i])
			if sums[i] == 0 {
				s.Means[i] = new(float64)
			}
		}
	}
	return s
}

// known is nil for the zero value.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
