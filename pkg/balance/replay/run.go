package replay

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// State is what a policy may know at an instant.
type State struct {
	At      time.Time
	Tick    int
	View    balance.View    // the same slices in each pass
	Samples balance.Samples // that age as in a cluster
	Newest  balance.Samples // the last lines, whatever their age
	Journal []balance.Move  // all, in order
	World   *World          // sizes; a policy does not look at loads that are to come
	Owner   []int           // the node of each VM
	// Usage is the mean of a VM's use over the last minutes, of those that were recorded: of a VM on a node that is mute nothing is. Where
	// none was, it is the mean as of the last that was.
	Usage func(vm, minutes int) float64
}

// Want is a move that a policy asks for.
type Want struct {
	VM, To int
	Why    string
}

// Policy says what moves. It is asked once a minute.
type Policy interface {
	Name() string
	// Serial tells that no pass is made while a move is on its way, and moves are made one after the other.
	Serial() bool
	Pass(ctx context.Context, s *State) ([]Want, error)
}

// Wild is a Policy whose moves know nothing of each other.
type Wild interface{ Wild() }

// footprintMinutes is over how long a VM's use is averaged, as lbmonitor does.
const footprintMinutes = 5

// running is a move under way or one that waits for its turn.
type running struct {
	vm, from, to int
	begin, end   float64 // minutes; begin < 0 waits
	move         int     // index in the journal
}

// runner is a world while it runs.
type runner struct {
	w       *World
	model   Model
	policy  Policy
	samples *samples
	owner   []int
	since   []time.Time
	last    []int // the node before
	active  []running
	waiting []running
	journal []balance.Move
	score   Score
	usage   []float64  // of the nodes in this minute
	used    []float64  // running sums of the VMs' use: those of all VMs up to a minute, then up to the next
	unheard [][][2]int // of each VM the minutes [from, to) of which nothing was recorded
	nodes   []balance.Node
	vms     []balance.VM // as the cluster sees them: the same slice in each pass
	free    []int64
}

// Run lets a policy balance a world, and scores it.
func Run(ctx context.Context, w *World, p Policy, m Model) (*Score, error) {
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("replaying %s: %w", w.Name, err)
	}
	r := &runner{w: w, model: m, policy: p, samples: newSamples(w, 3*Tick), owner: make([]int, len(w.VMs)), since: make([]time.Time, len(w.VMs)),
		last: make([]int, len(w.VMs)), usage: make([]float64, len(w.Nodes)), used: make([]float64, len(w.VMs)*(w.Ticks+1)), nodes: make([]balance.Node, len(w.Nodes)),
		unheard: make([][][2]int, len(w.VMs)), vms: make([]balance.VM, len(w.VMs)), free: make([]int64, len(w.Nodes))}
	r.score = Score{World: w.Name, Policy: p.Name(), Minutes: w.Ticks, Rails: map[string]int{}}
	var all []balance.Placement
	for _, n := range w.Nodes {
		all = append(all, balance.Placement{Node: n.Name})
	}
	lists := map[string][]balance.Placement{}
	for i, v := range w.VMs {
		r.owner[i], r.last[i] = v.Node, v.Node
		may := all
		if v.MayRun != nil { // one list for all that may run on the same nodes
			key := fmt.Sprint(v.MayRun, v.Scores)
			if may = lists[key]; may == nil {
				for k, n := range v.MayRun {
					p := all[n]
					if v.Scores != nil {
						p.Score = v.Scores[k]
					}
					may = append(may, p)
				}
				lists[key] = may
			}
		}
		r.vms[i] = balance.VM{Name: v.Name, Type: v.Type, Service: v.Service, State: balance.Started, Frozen: v.Frozen, MayRun: may, Mem: v.Mem}
	}
	for tick := range w.Ticks {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("replaying %s: %w", w.Name, err)
		}
		r.minute(tick)
		if err := r.pass(ctx, tick); err != nil {
			return nil, fmt.Errorf("replaying %s with %s: %w", w.Name, p.Name(), err)
		}
	}
	r.score.finish(w, r.journal)
	if b, ok := p.(interface{ rails() map[string]int }); ok {
		r.score.Rails = b.rails()
	}
	if b, ok := p.(interface {
		others() (taken, missing []string)
	}); ok {
		r.score.Taken, r.score.Missing = b.others()
	}
	return &r.score, nil
}

// at is the instant at which a minute is over.
func (r *runner) at(tick int) time.Time { return r.w.Start.Add(time.Duration(tick+1) * Tick) }

// minute lets the VMs work for a minute, and measures it.
func (r *runner) minute(tick int) {
	for i := range r.usage {
		r.usage[i] = 0
		if b := r.w.Nodes[i].Base; tick < len(b) {
			r.usage[i] = float64(b[tick])
		}
	}
	r.moves(float64(tick))
	n := len(r.w.VMs)
	before, after := r.used[tick*n:(tick+1)*n], r.used[(tick+1)*n:(tick+2)*n]
	for i := range r.w.VMs {
		load := float64(r.w.VMs[i].Load[tick])
		r.usage[r.owner[i]] += load
		after[i] = before[i] + load
	}
	r.score.minute(r.w, r.model, r.usage, r.owner)
	at := r.at(tick)
	for i := range r.w.Nodes {
		n := &r.w.Nodes[i]
		if n.muted(tick) {
			r.silent(i, tick)
		} else {
			r.samples.add(n.Name, balance.Sample{At: at, Value: math.Min(1, r.usage[i]/n.Cores)})
		}
	}
}

// moves lets moves begin and end in the minute that begins now, and charges for them.
func (r *runner) moves(now float64) {
	for t := now; ; {
		next, ends := now+1, -1
		for i, x := range r.active {
			if x.end <= next {
				next, ends = x.end, i
			}
		}
		for _, x := range r.active {
			r.usage[x.from] += r.model.Cores * (next - t)
			r.usage[x.to] += r.model.Cores * (next - t)
		}
		if t = next; ends < 0 {
			return
		}
		r.arrive(r.active[ends])
		r.active = slices.Delete(r.active, ends, ends+1)
		r.begin(t)
	}
}

func (r *runner) arrive(x running) {
	at := r.w.Start.Add(time.Duration(x.end * float64(Tick)))
	for _, vm := range r.w.service(x.vm) {
		r.last[vm], r.owner[vm], r.since[vm] = x.from, x.to, at
	}
	m := &r.journal[x.move]
	m.End, m.Outcome, m.Owner = at, balance.OutcomeMoved, m.To
}

// begin begins what waits and has its turn: one after the other, or one in and one out of each node.
func (r *runner) begin(now float64) {
	for i := 0; i < len(r.waiting); i++ {
		x := r.waiting[i]
		busy := r.policy.Serial() && len(r.active) > 0
		for _, a := range r.active {
			shares := a.from == x.from || a.to == x.to || a.from == x.to || a.to == x.from || a.vm == x.vm
			if _, ok := r.policy.(Wild); ok {
				shares = a.vm == x.vm
			}
			busy = busy || shares
		}
		if busy {
			continue
		}
		v := &r.w.VMs[x.vm]
		x.from, x.begin, x.end = r.owner[x.vm], now, now+float64(r.model.Took(r.w.memory(x.vm)))/float64(Tick)
		r.waiting = slices.Delete(r.waiting, i, i+1)
		i--
		if x.from == x.to {
			continue
		}
		x.move = len(r.journal)
		at := r.w.Start.Add(time.Duration(now * float64(Tick)))
		r.journal = append(r.journal, balance.Move{Txn: fmt.Sprint(x.move), VM: v.Type + ":" + v.Name, From: r.w.Nodes[x.from].Name, To: r.w.Nodes[x.to].Name, Begin: at, By: r.policy.Name()})
		r.active = append(r.active, x)
	}
}

// pass asks the policy, unless it waits for its moves.
func (r *runner) pass(ctx context.Context, tick int) error {
	if len(r.waiting) > 0 || r.policy.Serial() && len(r.active) > 0 {
		return nil
	}
	wants, err := r.policy.Pass(ctx, r.state(tick))
	if err != nil {
		return err
	}
	r.score.Passes++
	inflow := map[int]int{}
	for _, x := range wants {
		if x.VM < 0 || x.VM >= len(r.w.VMs) || x.To < 0 || x.To >= len(r.w.Nodes) || x.To == r.owner[x.VM] {
			continue
		}
		inflow[x.To]++
		r.score.Inflow = max(r.score.Inflow, inflow[x.To])
		r.waiting = append(r.waiting, running{vm: x.VM, from: r.owner[x.VM], to: x.To, begin: -1})
	}
	r.begin(float64(tick + 1))
	return nil
}

// state is the cluster as a policy sees it.
func (r *runner) state(tick int) *State {
	s := &State{At: r.at(tick), Tick: tick, Samples: r.samples, Newest: newest{r.samples}, Journal: r.journal, World: r.w, Owner: r.owner,
		View: balance.View{Quorate: true, Nodes: r.nodes, VMs: r.vms}}
	s.Usage = func(vm, minutes int) float64 { return r.lastKnown(vm, tick+1, minutes) }
	for i, n := range r.w.Nodes {
		r.free[i] = n.Mem
	}
	for i := range r.vms { // whatever a policy has written there
		v := &r.vms[i]
		v.Owner, v.LastOwner, v.Since = r.w.Nodes[r.owner[i]].Name, r.w.Nodes[r.last[i]].Name, r.since[i]
		v.Cores, _ = r.recorded(i, tick+1, footprintMinutes) // 0 is unknown
		r.free[r.owner[i]] -= v.Mem
	}
	for _, x := range r.active {
		r.free[x.to] -= r.w.memory(x.vm)
	}
	for i, n := range r.w.Nodes {
		r.nodes[i] = balance.Node{Name: n.Name, Online: true, Cores: n.Cores, MemTotal: n.Mem, MemFree: max(r.free[i], 0), Seen: s.At}
		if n.muted(tick) { // its facts are as old as its samples
			r.nodes[i].Seen = time.Time{}
		}
	}
	return s
}
