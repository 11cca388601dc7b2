package move

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// plan is what a preflight has found.
type plan struct {
	service cluster.Service
	source  string
	state   handoff.State
	kind    handoff.Kind
	known   bool              // service and state are from before the move
	others  []cluster.Service // the VMs beside it in its service

	byManager bool // by the manager's own migration
	restart   bool // in place, cold
	repair    bool // anywhere is right
}

// stockVM is the type of the cluster suite's own agent for virtual machines (vm.sh). It knows no record and no ticket: a
// VM of it that stands directly below <rm> moves live by the manager, any other boots anew where its service goes.
const stockVM = "vm"

// Kind says how a move would pass the VM: live, image or cold.
func (m Mover) Kind(svc cluster.Service) string { return string(m.kindOf(svc)) }

// kindOf says how a VM passes. What a technology of the administrator's can do its node says.
func (m Mover) kindOf(svc cluster.Service) handoff.Kind {
	kind := kindOf(svc, m.Shared != "")
	if svc.VMType != vmexec || kind != handoff.Image {
		return kind
	}
	f, err := m.readFacts(svc.Owner)
	if err != nil { // the checks will say so
		return kind
	}
	switch t, ok := f.Technologies[svc.Params["type"]]; {
	case ok && t.Migrates:
		return handoff.Live
	case ok && !t.Saves:
		return handoff.Cold
	}
	return kind
}

// kindOf says how a VM passes. Xen's and KVM's run on while they move.
func kindOf(svc cluster.Service, shared bool) handoff.Kind {
	switch {
	case svc.Params["on_stop"] == "shutdown":
		return handoff.Cold
	case (svc.VMType == "xen" || svc.VMType == "kvm") && (shared || svc.Live):
		return handoff.Live
	case svc.VMType == stockVM: // its own agent moves it, or it boots anew
		if svc.Live {
			return handoff.Live
		}
		return handoff.Cold
	case !shared: // nothing could keep its memory
		return handoff.Cold
	}
	return handoff.Image
}

// Check is one question of the preflight and its answer.
type Check struct {
	Name string
	OK   bool
	// Text is what was found: where OK is false, why the move is refused, with its cure.
	Text string
	// Skipped says that it was not asked: it does not matter here, or what it needs is not known.
	Skipped bool
}

// Check looks whether the move can succeed, and changes nothing. Its error is ErrRefused with the reason.
func (m Mover) Check(ctx context.Context, r Request) error {
	_, err := m.checked(ctx, r)
	return err
}

// Checks is Check that goes on behind a refusal as far as it can, and gives every question with its answer.
func (m Mover) Checks(ctx context.Context, r Request) ([]Check, error) {
	c := &checks{all: true}
	_, err := m.preflight(ctx, r, c)
	if err != nil {
		err = fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return c.list, err
}

func (m Mover) checked(ctx context.Context, r Request) (plan, error) {
	p, err := m.preflight(ctx, r, &checks{})
	if err != nil {
		return p, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return p, nil
}

// checks collects answers. Without all the first refusal ends them.
type checks struct {
	all  bool
	list []Check
	err  error // the first refusal
}

// over tells whether nothing is asked any more.
func (c *checks) over() bool { return c.err != nil && !c.all }

// ask asks, unless it is over, and tells whether the answer was yes.
func (c *checks) ask(name string, question func() (found string, err error)) bool {
	if c.over() {
		return false
	}
	text, err := question()
	if err != nil {
		text = err.Error()
		if c.err == nil {
			c.err = err
		}
	}
	c.list = append(c.list, Check{Name: name, OK: err == nil, Text: text})
	return err == nil
}

func (c *checks) skip(why string, names ...string) {
	for _, n := range names {
		c.list = append(c.list, Check{Name: n, Skipped: true, Text: why})
	}
}

func (m Mover) preflight(ctx context.Context, r Request, c *checks) (plan, error) {
	var st cluster.Status
	var p plan
	if !c.ask("names", func() (string, error) {
		return r.Type + ":" + r.VM + " to " + r.Target, errors.Join(host.CheckName(r.VM), host.CheckName(r.Target))
	}) {
		return p, c.err
	}
	if !c.ask("cluster manager", func() (_ string, err error) {
		if st, err = m.Manager.Status(ctx); err == nil && !st.Quorate {
			err = errors.New("the cluster has no quorum")
		}
		return "answers, with quorum", err
	}) {
		return p, c.err
	}
	if !c.ask("service", func() (_ string, err error) {
		p, err = m.owned(ctx, st, r)
		if err == nil && p.service.Owner == r.Target {
			err = fmt.Errorf("%s is on %s already", p.service.ID, r.Target)
		}
		return fmt.Sprintf("%s is started on %s", p.service.ID, p.source), err
	}) && p.service.ID == "" {
		return p, c.err
	}
	c.ask("method", func() (string, error) { return p.method(r.Method, m.Shared != "") })
	if node, why := m.notLive(r, p); why != "" {
		c.ask("replication", func() (string, error) { return p.goesOtherwise(node, why) })
	}
	c.ask("target", func() (string, error) {
		return r.Target + " is online, runs the cluster manager, and its failover domain allows it", errors.Join(targetFit(st, p.service, r.Target), m.open(r.Target))
	})
	if m.Shared == "" {
		c.skip("there is no shared storage on which it could be told", "relocation", "record", "facts")
		return p, c.err
	}
	if r.Type == stockVM {
		c.skip("the cluster suite's own agent (vm.sh) drives it", "relocation", "record", "facts")
		return p, c.err
	}
	c.ask("relocation", func() (string, error) {
		busy, err := handoff.Relocating(m.Shared, r.Type, r.VM)
		if err == nil && busy {
			err = fmt.Errorf("%w: wait for its end (lbm history %s)", handoff.ErrBusy, r.VM)
		}
		return "nobody else is moving it", err
	})
	p.others = others(st, p.service, r)
	m.askFacts(ctx, r, p.source, p.kind, m.together(st, p.service, r), c)
	c.ask("record", func() (_ string, err error) {
		p.state, err = m.recordOf(r, p.source)
		return "its hand-off record says " + words(p.state), err
	})
	return p, c.err
}

// owned finds the VM's service, started and whole on a node.
func (m Mover) owned(ctx context.Context, st cluster.Status, r Request) (plan, error) {
	svc, ok := find(st, r)
	if !ok {
		return plan{}, fmt.Errorf("no service of the cluster holds %s:%s", r.Type, r.VM)
	}
	p := plan{service: svc, source: svc.Owner, kind: m.kindOf(svc), known: true}
	switch {
	case !st.Quorate:
		return p, errors.New("the cluster has no quorum")
	case holds(svc) && !online(st, svc.Owner):
		return p, m.lost(ctx, st, svc, r)
	case svc.State != cluster.Started || svc.Owner == "":
		return p, fmt.Errorf("%s is %s, not started (lbm repair %s may help)", svc.ID, svc.State, r.VM)
	case svc.Frozen:
		return p, fmt.Errorf("%s is frozen (clusvcadm -U %s lets it go)", svc.ID, svc.ID)
	case svc.Partial:
		return p, fmt.Errorf("a part of %s is stopped, maybe %s:%s", svc.ID, r.Type, r.VM)
	}
	for _, s := range others(st, svc, r) { // they go with it; rgmanager has one state for all, Pacemaker one for each
		if s.State != cluster.Started || s.Owner != svc.Owner || s.Frozen {
			return p, fmt.Errorf("%s:%s of the same service is %s on %q: it would be stopped with it", s.VMType, s.VM, s.State, s.Owner)
		}
	}
	return p, nil
}

// recordOf is the record of a VM that runs on source, or is started there and has none.
func (m Mover) recordOf(r Request, source string) (handoff.State, error) {
	st, err := m.record(r)
	if err != nil {
		return st, err
	}
	switch ph := st.Phase; {
	case ph == handoff.NoRecord: // it was started before LBVM came: its stop hands it over all the same
	case ph != handoff.Running:
		return st, fmt.Errorf("its hand-off record says %s, not running", ph)
	case st.Node != source:
		return st, fmt.Errorf("its hand-off record says that it runs on %s, the cluster manager says %s", st.Node, source)
	}
	return st, nil
}

// method decides how the manager is asked, and says why.
func (p *plan) method(want Method, shared bool) (string, error) {
	if want == Auto {
		want = ByTicket
		if p.service.Live && p.kind == handoff.Live && (!shared || p.service.VMType == stockVM) || p.service.LiveOnly {
			want = ByManager
		}
	}
	switch {
	case want != ByManager && p.service.LiveOnly:
		return "", fmt.Errorf("the cluster manager migrates %s whatever it is asked, and reads no ticket; use --method=manager", p.service.ID)
	case want != ByManager && p.service.VMType == stockVM && p.service.Live:
		return "", fmt.Errorf("vm.sh reads no ticket, and a relocation would boot %s anew; use --method=manager", p.service.ID)
	case want != ByManager && p.service.VMType == stockVM:
		return "relocation; vm.sh shuts it down, and its memory is lost", nil
	case want != ByManager && shared:
		return fmt.Sprintf("relocation with a ticket, %s", p.kindText()), nil
	case want != ByManager:
		return "relocation; without shared storage its memory is lost", nil
	case !p.service.Live:
		return "", fmt.Errorf("%s cannot be migrated by the cluster manager: only a VM that stands directly below <rm>, alone, and whose agent can migrate; use --method=ticket", p.service.ID)
	}
	p.byManager, p.kind = true, handoff.Live
	return "live migration by the cluster manager (clusvcadm -M)", nil
}

func (p *plan) kindText() string {
	switch p.kind {
	case handoff.Live:
		return "live"
	case handoff.Image:
		return "with its memory in an image"
	}
	if p.service.Params["on_stop"] != "shutdown" {
		return "cold: its technology keeps no memory"
	}
	return "cold: on_stop says shutdown"
}

func find(st cluster.Status, r Request) (cluster.Service, bool) {
	for _, s := range st.Services {
		if s.VM == r.VM && s.VMType == r.Type {
			return s, true
		}
	}
	return cluster.Service{}, false
}

// together are the VMs of one service, the one that was asked for first.
func (m Mover) together(st cluster.Status, svc cluster.Service, r Request) []Request {
	r.technology = svc.Params["type"]
	out := []Request{r}
	for _, s := range others(st, svc, r) {
		out = append(out, Request{Type: s.VMType, VM: s.VM, Target: r.Target, technology: s.Params["type"], kind: m.kindOf(s)})
	}
	return out
}

// open is nil if that node is neither evacuated nor about to leave the cluster.
func (m Mover) open(target string) error {
	if m.Shared == "" {
		return nil
	}
	why, err := host.Closed(m.Shared, target)
	if err == nil && why != "" {
		err = errors.New(why)
	}
	return err
}

func targetFit(st cluster.Status, svc cluster.Service, target string) error {
	var names []string
	for _, n := range st.Members {
		names = append(names, n.Name)
		if n.Name != target {
			continue
		}
		if !n.Online {
			return fmt.Errorf("node %s is offline", target)
		}
		if !n.Manager {
			return fmt.Errorf("node %s does not run the cluster manager", target)
		}
		for _, may := range svc.MayRun {
			if may.Node == target {
				return nil
			}
		}
		return fmt.Errorf("the failover domain of %s does not allow node %s", svc.ID, target)
	}
	return fmt.Errorf("%q is no node of this cluster: they are %s", target, strings.Join(names, ", "))
}
