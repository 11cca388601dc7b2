package campaign

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// selfProgram stands for the agent itself, as whose child a status looks at the share.
const selfProgram = "/agent"

// inquiry marks that child; internal/vm names it so.
const inquiry = "LBVM_INQUIRY=1"

// action is one action of the real agent, as a task.
type action struct {
	w            *world
	node         *node
	verb, target string
	task         *task
	tool         *task // that works for it
	locked       bool  // it has got the VM's lock
	asked        bool  // a status wants to look at the share
	bystander    bool  // of a stop: when it began, the guest was not here and the record did not name the node
	remains      bool  // when it began, nothing but remains were here
	failed       int   // tools
	migrations   int   // pushes that left a healthy guest where it was
	first        bool  // it was when it began
	began        time.Time
	away, nolock bool // how its node's share was when it began
	err          error
}

func (a *action) String() string {
	return strings.Join(strings.Fields(a.verb+" "+a.target+" on "+a.node.name), " ")
}

// await waits for the end and is the exit code as the manager sees it: -1 for a death by a signal.
func (a *action) await(t *task) int {
	t.wait(func() bool { return a.task.done }, time.Time{})
	return a.code()
}

func (a *action) code() int {
	var e *ocf.Error
	switch {
	case a.task.killed:
		return -1
	case a.err == nil:
		return 0
	case errors.As(a.err, &e):
		return int(e.Code)
	}
	return 1
}

// agent begins an action.
func (w *world) agent(n *node, verb, target string) *action {
	a := &action{w: w, node: n, verb: verb, target: target}
	w.actions = append(w.actions, a)
	a.task = w.spawn(a.String(), n, func(t *task) {
		a.task = t
		t.wait(w.goesOn, time.Time{})
		if !n.on {
			t.killed = true
			return
		}
		st := w.state()
		a.bystander = n.has == none && !n.mounted && !st.Names(n.name)
		a.first = a.bystander
		a.began, a.remains = w.now, n.has == half || n.has == none && n.mounted
		w.tell("%s begins", a)
		before := n.has
		a.away, a.nolock = n.away, n.nolock
		a.err = a.do(false)
		if a.asked && a.err == nil {
			a.err = a.do(true)
		}
		w.tell("%s: %s", a, ended(a.err))
		w.judgeEnd(a, before)
	})
	a.task.ends = func() {
		if a.tool == nil || a.tool.done || a.tool.killed || !a.locked || !a.task.killed {
			return
		}
		if held, err := lockfile.Held(w.h("lock")); err == nil && !held {
			w.find("R4 %s was killed, its tool works on, and nobody holds the lock", a)
		}
	}
	return a
}

func ended(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

func (a *action) do(child bool) error {
	w := a.w
	agent := &vm.Agent{Type: w.typ, Clock: simClock{a.task}, Self: selfProgram,
		At: a.at, Within: a.at, Runner: func(r run.Runner) run.Runner { return runner{a, r} },
		Txn: func() (string, error) {
			w.txns++
			return fmt.Sprintf("%032x", w.txns), nil
		},
		Room: func(string) (int64, error) { return 1 << 40, nil },
	}
	params := map[string]string{}
	if w.typ == vmexec.Type {
		agent.Driver, params["type"] = vmexec.New, ownTechnology
	}
	env := []string{host.RootVariable + "=" + a.node.root}
	limit := map[string]time.Duration{"status": 20 * time.Second, "migrate": 600 * time.Second}[a.verb]
	if limit == 0 {
		limit = 300 * time.Second
	}
	if child {
		env = append(env, inquiry)
	}
	c := &ocf.Call{Action: a.verb, Name: w.vm, Type: w.typ, Timeout: limit, Params: ocf.NewParams(params), World: ocf.World{Env: env}}
	if w.tracing {
		c.Log = a
	}
	ctx, cancel := simClock{a.task}.WithTimeout(context.Background(), limit)
	defer cancel()
	switch a.verb {
	case "start":
		return agent.Start(ctx, c)
	case "stop":
		return agent.Stop(ctx, c)
	case "status":
		return agent.Status(ctx, c)
	}
	return agent.Migrate(ctx, c, a.target)
}

func (a *action) Log(level ocf.Level, msg string, kv ...any) {
	for i := 0; i+1 < len(kv); i += 2 {
		if v := fmt.Sprint(kv[i+1]); v != "" && kv[i] != "vm" {
			msg += fmt.Sprintf(" %v=%s", kv[i], v)
		}
	}
	a.w.tell("   %s: %s", a, msg)
}

// at is told of every crash point of an agent.
func (a *action) at(point string) error {
	w, t := a.w, a.task
	if t.dying {
		return errKilled
	}
	if !strings.HasPrefix(point, "tool:") { // a file on the share, or beside it
		t.wait(w.goesOn, time.Time{})
	}
	w.judgePoint(a, point)
	w.passes(t, point)
	if w.noSpace[point] {
		w.lossy = true
		return fmt.Errorf("%s: %w", point, syscall.ENOSPC)
	}
	return nil
}

// passes lets others go on at a crash point, and lets what was prepared strike there.
func (w *world) passes(t *task, point string) {
	w.tell("   %s: at %s", t.name, point)
	if w.record && !strings.HasPrefix(point, "ask:") {
		w.passed = append(w.passed, point)
	}
	w.strike(t, point)
	if w.r.Intn(16) == 0 { // a slow one
		t.pause(time.Duration(1+w.r.Intn(20)) * time.Second / 2)
		return
	}
	t.yield()
}

// strike lets what was prepared for a crash point happen to a task.
func (w *world) strike(t *task, point string) {
	if t.done {
		return
	}
	for i := 0; i < len(w.triggers); i++ {
		g := w.triggers[i]
		if g.point != "*" && g.point != point || g.node != "" && (t.node == nil || g.node != t.node.name) {
			continue
		}
		if g.left--; g.left > 0 {
			continue
		}
		w.triggers = append(w.triggers[:i:i], w.triggers[i+1:]...)
		w.tell("at %s of %s it strikes", point, t.name)
		g.do(w, t)
		return
	}
}
