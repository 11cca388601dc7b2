package campaign

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
)

// deeds are the steps of a script. wait says that what was asked for is awaited.
func deeds() map[string]func(w *world, t *task, args []string, wait bool) {
	type deed = func(w *world, t *task, args []string, wait bool)
	ask := func(q func(m *manager, target string) *request) deed {
		return func(w *world, t *task, args []string, wait bool) {
			if r := q(w.manager, args[0]); wait {
				r.await(t) //nolint:errcheck // what came of it the judge sees
			}
		}
	}
	direct := func(verb string) deed {
		return func(w *world, t *task, args []string, wait bool) {
			n := w.node(args[0])
			if !n.rg {
				return
			}
			if a := w.agent(n, verb, ""); wait {
				a.await(t)
			}
		}
	}
	at := func(do func(w *world, n *node, args []string)) deed {
		return func(w *world, _ *task, args []string, _ bool) { do(w, w.node(args[0]), args) }
	}
	return map[string]deed{
		"enable":  ask((*manager).enable),
		"move":    ask((*manager).relocate),
		"migrate": ask((*manager).migrate),
		"disable": ask(func(m *manager, _ string) *request { return m.disable() }),
		"status":  ask(func(m *manager, _ string) *request { return m.status() }),
		"inquire": direct("status"),
		"rginit":  direct("stop"), // a new group, or rgmanager's start: stop runs on that node too
		"start":   direct("start"),
		"stop":    direct("stop"),
		"relocate": func(w *world, t *task, args []string, wait bool) {
			if r := w.relocator(args[0]); wait {
				t.wait(func() bool { return r.done }, time.Time{})
			}
		},
		"wait":    func(_ *world, t *task, args []string, _ bool) { t.pause(seconds(args[0])) },
		"at":      func(w *world, _ *task, args []string, _ bool) { w.triggers = append(w.triggers, newTrigger(args)) },
		"die":     at(func(_ *world, n *node, a []string) { n.dies(seconds(a[1]), false) }),
		"isolate": at(func(_ *world, n *node, a []string) { n.dies(seconds(a[1]), true) }),
		"join":    at(func(_ *world, n *node, a []string) { n.joins(seconds(a[1])) }),
		"leave":   at(func(_ *world, n *node, _ []string) { n.leaves() }),
		"fail":    at(func(w *world, n *node, a []string) { w.fails[n.name+" "+a[1]] = a[2] }),
		"silent": at(func(w *world, n *node, a []string) {
			w.silent[n.name], w.lossy = w.now.Add(seconds(a[1])), true
			n.mutes(seconds(a[1]))
		}),
		"unmount": at(func(w *world, n *node, _ []string) {
			if !w.atWork(n) { // else it is busy
				w.lossy = true
				w.must(n.mount(false))
			}
		}),
		"nolock":  at(func(w *world, n *node, _ []string) { w.lossy, n.nolock = true, true; w.must(n.mounts()) }),
		"hand":    at(func(w *world, n *node, _ []string) { w.byHand(n, false) }),
		"handrun": at(func(w *world, n *node, _ []string) { w.byHand(n, true) }),
		"double": at(func(w *world, n *node, _ []string) {
			for _, o := range w.nodes {
				if o != n && o.has == runs && n.has == none && n.on && w.state().Node == o.name {
					w.doubleByHand, w.lossy = true, true
					n.bootGuest("booted by hand beside the other")
					return
				}
			}
		}),
		"guest": func(w *world, _ *task, _ []string, _ bool) { w.crashGuest() },
		"sick": func(w *world, _ *task, _ []string, _ bool) {
			for _, n := range w.nodes {
				if n.has == runs && w.state().Node == n.name && !w.atWork(n) { // a status never runs beside a stop
					w.lossy = true
					w.must(errors.Join(os.MkdirAll(n.path("var/run/lbvm"), 0o755), os.WriteFile(n.path("var/run/lbvm/"+w.typ+"-"+w.vm+".sick"), nil, 0o644)))
				}
			}
		},
		"full":      func(w *world, _ *task, args []string, _ bool) { w.noSpace[args[0]] = true },
		"elsewhere": func(w *world, _ *task, _ []string, _ bool) { w.manager.elsewhere = true },
		"define":    func(w *world, _ *task, args []string, _ bool) { w.define(args[0]) },
		"loose":     func(w *world, _ *task, _ []string, _ bool) { w.loose = true },
		"record":    func(w *world, _ *task, _ []string, _ bool) { w.record = true },
		"lazy":      func(w *world, _ *task, _ []string, _ bool) { w.manager.lazy = true },
		"damage": func(w *world, _ *task, _ []string, _ bool) {
			if text, err := os.ReadFile(w.h("state")); err == nil && !slices.ContainsFunc(w.nodes, w.atWork) {
				w.lossy, w.damaged = true, true
				w.must(os.WriteFile(w.h("state"), text[:len(text)-3], 0o600))
			}
		},
	}
}

func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil {
		n = 1
	}
	return time.Duration(n) * time.Second
}

// newTrigger reads POINT[@NODE][#K] WHAT [SECONDS].
func newTrigger(args []string) *trigger {
	g := &trigger{left: 1}
	rest, k, ok := strings.Cut(args[0], "#")
	if n, err := strconv.Atoi(k); ok && err == nil {
		g.left = n
	}
	g.point, g.node, _ = strings.Cut(rest, "@")
	after := seconds(args[len(args)-1])
	if node, leaves := strings.CutPrefix(args[1], leaveBlow); leaves {
		g.do = func(w *world, _ *task) { w.node(node).leaves() }
		return g
	}
	switch args[1] {
	case "kill", "killall":
		g.do = func(w *world, t *task) {
			if args[1] == "killall" {
				w.killVirsh(t)
			}
			if strings.HasPrefix(t.name, "relocator") {
				w.relocatorDied = w.now
			} else {
				w.lossy = true
			}
			w.tell("%s is killed", t.name)
			t.kill()
		}
	case "look":
		g.do = func(w *world, t *task) {
			if t.node != nil && t.node.rg {
				w.agent(t.node, "status", "")
			}
		}
	case "guest":
		g.do = func(w *world, _ *task) { w.crashGuest() }
	default:
		g.do = func(w *world, t *task) {
			if t.node != nil {
				t.node.dies(after, args[1] == "isolate")
			} else {
				w.relocatorDied = w.now
				t.kill()
			}
		}
	}
	return g
}

// killVirsh kills the virsh that moves the guest for an agent, and so its keeper's lock is free. What another tool was asked
// for goes on in its daemon.
func (w *world) killVirsh(agent *task) {
	for _, a := range w.actions {
		if a.task == agent && a.tool != nil && !a.tool.done && a.node.doing == jobMove {
			w.tell("the virsh of %s is killed", a)
			a.tool.kill()
		}
	}
}

func (w *world) crashGuest() {
	for _, n := range w.nodes {
		if n.has == runs && n.on {
			w.lossy = true
			w.tell("%s: the guest crashes", n.name)
			n.halts()
		}
	}
}

// byHand boots the guest behind everybody's back, where it runs nowhere and no agent is at work (then the guard alone is in the way:
// docs/guards.md); and halts it again, or not.
func (w *world) byHand(n *node, stays bool) {
	for _, o := range w.nodes {
		if o.has != none || o.mounted {
			return
		}
	}
	st := w.state()
	if w.manager.owner != "" || w.manager.busy || slices.ContainsFunc(w.nodes, w.atWork) || !n.on || st.Phase == handoff.Sent || st.Phase == handoff.Sending || st.Names("node1") || st.Names("node2") || st.Names("node3") {
		return
	}
	w.lossy = true
	if d, err := handoff.Open(w.shared, w.typ, w.vm); stays { // lbm take comes before such a boot
		w.must(err)
		l, err := d.TryLock("lbm take")
		if err != nil {
			return
		}
		_, taken := l.Write(handoff.State{Phase: handoff.Running, Node: n.name, Boot: n.boot, Why: "taken by hand"})
		w.must(errors.Join(l.Discard(), n.publish(), l.Unlock()))
		if taken != nil { // refused: the record cannot be read
			return
		}
		w.seq = w.state().Seq
	}
	w.tell("%s: booted by hand", n.name)
	if n.bootGuest("booted by hand"); !stays {
		n.halts()
		n.mounted = false
	}
	w.touch()
}
