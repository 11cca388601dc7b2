package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// manager is rgmanager as far as one service knows it: one request at a time, a stop that fails makes the service
// failed, a start that fails is stopped again and tried elsewhere, a dead owner's service is started elsewhere once the
// node is fenced. The stops of a node that joins run beside all of it.
type manager struct {
	w         *world
	state     cluster.State
	owner     string
	since     int
	queue     []*request
	asked     int // requests so far
	busy      bool
	elsewhere bool // the next relocation lands where nobody asked for
	lazy      bool // the disable of a failed service runs no stop
	lastOwner string
}

type request struct {
	do   func(t *task) error
	what string
	done bool
	err  error
}

func newManager(w *world) *manager {
	m := &manager{w: w, state: cluster.Disabled}
	w.spawn("rgmanager", nil, func(t *task) {
		for {
			t.wait(func() bool { return len(m.queue) > 0 }, time.Time{})
			q := m.queue[0]
			m.queue, m.busy = m.queue[1:], true
			w.tell("rgmanager: %s", q.what)
			q.err = q.do(t)
			w.tell("rgmanager: %s: %s; the service is %s", q.what, ended(q.err), strings.TrimSpace(m.state.String()+" "+m.owner))
			q.done, m.busy = true, false
		}
	})
	return m
}

// ask queues a request.
func (m *manager) ask(what string, do func(t *task) error) *request {
	q := &request{do: do, what: what}
	m.queue, m.asked = append(m.queue, q), m.asked+1
	return q
}

func (q *request) await(t *task) error {
	t.wait(func() bool { return q.done }, time.Time{})
	return q.err
}

func (m *manager) set(s cluster.State, owner string) {
	if owner != "" && s == cluster.Started {
		m.lastOwner = owner
	}
	m.state, m.owner, m.since = s, owner, m.since+1
}

var errRefused = errors.New("refused")

// ready are the nodes where the manager works.
func (m *manager) ready() (out []*node) {
	for _, n := range m.w.nodes {
		if n.rg {
			out = append(out, n)
		}
	}
	return out
}

// stop runs a stop; what fails makes the service failed. A node that dies meanwhile is waited for.
func (m *manager) stop(t *task, n *node) bool {
	boot := n.boot
	if n.on && !n.rg && !n.victim { // it leaves, and its manager with it
		t.wait(func() bool { return !n.member }, m.w.now.Add(10*time.Minute))
		return true
	}
	if m.w.agent(n, "stop", "").await(t) == 0 {
		return true
	}
	if n.boot != boot || !n.rg { // it is gone: what counts is its fencing
		t.wait(func() bool { return !n.victim }, time.Time{})
		return true
	}
	m.set(cluster.Failed, "")
	return false
}

// start tries a node, then the others, the last owner last.
func (m *manager) start(t *task, first *node) error {
	tried := map[*node]bool{}
	for n := first; n != nil; {
		tried[n] = true
		m.set(cluster.Starting, n.name)
		boot := n.boot
		if m.w.agent(n, "start", "").await(t) == 0 && n.boot == boot && n.rg {
			m.set(cluster.Started, n.name)
			return nil
		}
		if !m.stop(t, n) {
			return errRefused
		}
		n = nil
		for _, o := range m.ready() {
			if !tried[o] && (n == nil || n.name == m.lastOwner) {
				n = o
			}
		}
	}
	m.set(cluster.Stopped, "")
	return errors.New("it could not be started anywhere")
}

func (m *manager) target(name string) *node {
	up := m.ready()
	for _, n := range up {
		if n.name == name {
			return n
		}
	}
	if len(up) == 0 {
		return nil
	}
	return pick(m.w.r, up)
}

// relocate is clusvcadm -r: stopped on the owner, started on the target, or wherever it lands.
func (m *manager) relocate(target string) *request {
	return m.ask("-r -m "+target, func(t *task) error {
		o := m.w.node(m.owner)
		if m.state != cluster.Started || o == nil {
			return errRefused
		}
		m.set(cluster.Stopping, m.owner)
		if !m.stop(t, o) {
			return errRefused
		}
		m.set(cluster.Stopped, "")
		if m.elsewhere {
			m.elsewhere = false
			for _, n := range m.ready() {
				if n != o && n.name != target {
					target = n.name
				}
			}
		}
		n := m.target(target)
		if n == nil {
			return errRefused
		}
		return m.start(t, n)
	})
}

func (m *manager) enable(target string) *request {
	return m.ask("-e -m "+target, func(t *task) error {
		if m.state != cluster.Disabled && m.state != cluster.Stopped {
			return errRefused
		}
		if n := m.target(target); n != nil {
			return m.start(t, n)
		}
		return errRefused
	})
}

// restart is clusvcadm -R: stop and start in place.
func (m *manager) restart() *request {
	return m.ask("-R", func(t *task) error {
		o := m.w.node(m.owner)
		if m.state != cluster.Started || o == nil || !m.stop(t, o) {
			return errRefused
		}
		return m.start(t, m.target(o.name))
	})
}

// disable is clusvcadm -d. What it runs for a failed service is not sure: stop on some node, or on none.
func (m *manager) disable() *request {
	return m.ask("-d", func(t *task) error {
		switch n := m.w.node(m.owner); {
		case m.state == cluster.Started && n != nil:
			if !m.stop(t, n) {
				return errRefused
			}
		case m.state == cluster.Failed && !m.lazy && m.w.r.Intn(3) > 0:
			if n := m.target(""); n != nil {
				m.w.agent(n, "stop", "").await(t)
			}
		}
		m.set(cluster.Disabled, "")
		return nil
	})
}

// migrate is clusvcadm -M.
func (m *manager) migrate(target string) *request {
	return m.ask("-M -m "+target, func(t *task) error {
		o, to := m.w.node(m.owner), m.w.node(target)
		if m.state != cluster.Started || o == nil || o == to || !to.rg || m.w.typ == "openvz" {
			return errRefused
		}
		boot := o.boot
		switch code := m.w.agent(o, "migrate", target).await(t); {
		case o.boot != boot || !o.rg:
			return errRefused
		case code == 0:
			m.set(cluster.Started, target)
			m.w.spawn("next status", nil, func(t *task) {
				t.pause(10 * time.Second)
				m.status()
			})
			return nil
		case code == int(ocf.CodeStillHere), code == int(ocf.CodeNotRunning), code == 6:
			return errRefused
		}
		m.set(cluster.Failed, "")
		return errRefused
	})
}

// status is one check of the owner, and what follows from a failed one.
func (m *manager) status() *request {
	return m.ask("status", func(t *task) error {
		o := m.w.node(m.owner)
		if m.state != cluster.Started || o == nil || !o.rg || m.w.agent(o, "status", "").await(t) == 0 || !o.rg {
			return nil
		}
		if m.w.typ != "openvz" { // the others are asked whether it is theirs
			for _, n := range m.ready() {
				if n != o && m.w.agent(n, "status", "").await(t) == 0 {
					m.set(cluster.Started, n.name)
					return nil
				}
			}
		}
		m.set(cluster.Recovering, "")
		if !m.stop(t, o) {
			return errRefused
		}
		return m.start(t, m.target(o.name))
	})
}

// lost: a node is no member any more. Nothing is begun for it before it is fenced.
func (m *manager) lost(*node) {}

// gone: it is fenced, or came back by itself.
func (m *manager) gone(n *node) {
	m.ask(n.name+" is gone", func(t *task) error {
		if m.owner != n.name || m.state != cluster.Started {
			return nil
		}
		m.set(cluster.Stopped, "")
		for m.target("") == nil {
			t.pause(time.Second)
		}
		return m.start(t, m.target(""))
	})
}

// left: it left in order, with the service frozen.
func (m *manager) left(n *node) { m.gone(n) }

// Status, Move, Enable and Disable are what a relocator sees of the manager.
type tools struct {
	m *manager
	t *task
}

func (c tools) Status(context.Context) (cluster.Status, error) {
	m := c.m
	s := cluster.Status{Quorate: true}
	svc := cluster.Service{ID: "service:vm", VM: m.w.vm, VMType: m.w.typ, Owner: m.owner, State: m.state, Live: true, Since: time.Unix(int64(m.since), 0), Params: map[string]string{"type": ownTechnology}}
	for _, n := range m.w.nodes {
		s.Members = append(s.Members, cluster.Member{Name: n.name, Online: n.member, Manager: n.rg, Local: n.id == 1})
		if n.rg {
			svc.MayRun = append(svc.MayRun, cluster.Placement{Node: n.name})
		}
	}
	s.Services = []cluster.Service{svc}
	if c.t.dying {
		return s, errKilled
	}
	return s, nil
}

func (c tools) wait(q *request) error {
	c.m.w.passes(c.t, "asked")
	err := q.await(c.t)
	c.m.w.passes(c.t, "answered")
	return err
}

func (c tools) Move(_ context.Context, _, target string, live bool) error {
	if live {
		return c.wait(c.m.migrate(target))
	}
	return c.wait(c.m.relocate(target))
}
func (c tools) Enable(_ context.Context, _, target string) error { return c.wait(c.m.enable(target)) }
func (c tools) Restart(context.Context, string) error            { return c.wait(c.m.restart()) }
func (c tools) Disable(context.Context, string) error            { return c.wait(c.m.disable()) }

// journal forgets.
type journal struct{}

func (journal) Append(balance.Move) error               { return nil }
func (journal) Since(time.Time) ([]balance.Move, error) { return nil, nil }
func quiet() logrus.FieldLogger                         { l := logrus.New(); l.SetOutput(io.Discard); return l }
func (w *world) String() string                         { return fmt.Sprintf("%s:%s", w.typ, w.vm) }

// relocator is lbm or lbmonitor, moving the VM. It is killed only where a relocator can be told from its ticket.
func (w *world) relocator(target string) *task {
	return w.spawn("relocator to "+target, nil, func(t *task) {
		restarts := target == "restart"
		t.wait(w.goesOn, time.Time{})
		for _, n := range w.nodes {
			if n.member && n.on && !n.booting {
				w.must(n.publish())
			}
		}
		m := move.Mover{Manager: tools{w.manager, t}, Shared: w.shared, Clock: simClock{t}, Wait: simClock{t}, Journal: journal{}, Log: quiet(),
			Dial: func(context.Context, string, string) (net.Conn, error) { c, _ := net.Pipe(); return c, nil },
			At: func(point string) error {
				if t.dying {
					return errKilled
				}
				t.wait(w.goesOn, time.Time{})
				w.passes(t, point)
				return nil
			}}
		ask := move.Request{Type: w.typ, VM: w.vm, Target: target, By: "lbm", Why: "asked for", Method: move.ByTicket}
		if name, byManager := strings.CutPrefix(target, "M-"); byManager && w.typ != "openvz" {
			target, ask.Target, ask.Method = name, name, move.ByManager
		} else if byManager {
			target, ask.Target = name, name
		}
		if restarts {
			w.lossy = true
			_, err := m.Restart(context.Background(), ask)
			w.tell("relocator: %s", ended(err))
			return
		}
		before := w.manager.asked
		_, err := m.Move(context.Background(), ask)
		w.tell("relocator: %s", ended(err))
		if st := w.state(); err == nil && (w.manager.owner != target || st.Node != target) && w.manager.asked == before+1 && !w.lossy {
			w.find("R31 the relocator calls the move to %s done: the service is on %s, the record says %s %s", target, w.manager.owner, st.Phase, st.Node)
		}
	})
}
