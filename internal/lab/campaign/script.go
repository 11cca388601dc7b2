package campaign

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lab"
)

// Run is one run of the drive: all that happens in it follows from these values.
type Run struct {
	Type  string   // openvz or xen
	Seed  int64    // who goes next
	Steps []string // what is asked for, and what goes wrong
}

// String is the run as the command line takes it.
func (r Run) String() string {
	return fmt.Sprintf("%s %d %s", r.Type, r.Seed, strings.Join(r.Steps, "; "))
}

// ParseRun reads what String wrote.
func ParseRun(text string) (Run, error) {
	w := strings.SplitN(text, " ", 3)
	if len(w) < 3 || w[0] != "openvz" && w[0] != "xen" {
		return Run{}, fmt.Errorf("run %q is not of the form TYPE SEED STEP; STEP", text)
	}
	seed, err := strconv.ParseInt(w[1], 10, 64)
	if err != nil {
		return Run{}, fmt.Errorf("run %q: the seed is not a number", text)
	}
	r := Run{Type: w[0], Seed: seed}
	for _, s := range strings.Split(w[2], ";") {
		s = strings.TrimSpace(s)
		if _, known := deeds()[strings.TrimPrefix(first(s), "+")]; !known {
			return Run{}, fmt.Errorf("step %q is not known", s)
		}
		r.Steps = append(r.Steps, s)
	}
	return r, nil
}

func first(s string) string { w, _, _ := strings.Cut(s, " "); return w }

// Random is the run of a seed.
func Random(seed int64) Run {
	r := rand.New(rand.NewSource(seed))
	run := Run{Type: pick(r, []string{"openvz", "xen"}), Seed: seed, Steps: []string{"enable node1"}}
	anyNode := func() string { return pick(r, members[:]) }
	soon := func() string { return fmt.Sprint(r.Intn(pick(r, []int{6, 40}))) }
	for range 1 + r.Intn(4) {
		if r.Intn(5) > 0 {
			fault := pick(r, faults[:])(r, run.Type)
			run.Steps = append(run.Steps, fault)
			if w := strings.Fields(fault); (w[0] == "die" || w[0] == "isolate") && r.Intn(2) == 0 { // it comes back, maybe before it is fenced
				run.Steps = append(run.Steps, "wait "+soon(), fmt.Sprintf("join %s %d", w[1], r.Intn(3)*20))
			}
		}
		ask := pick(r, []string{"relocate ", "relocate ", "relocate ", "relocate restart", "relocate M-", "move ", "migrate ", "disable", "status", "inquire ", "rginit ", "start ", "enable "})
		if strings.HasSuffix(ask, " ") {
			ask += anyNode()
		}
		if r.Intn(3) > 0 { // something else happens meanwhile
			ask = "+" + ask
		}
		run.Steps = append(run.Steps, ask)
		if r.Intn(2) == 0 {
			run.Steps = append(run.Steps, "wait "+soon())
		}
	}
	return run
}

// points are where agents and relocators can be struck; a random run strikes at some k-th point as well.
var points = [...]string{"lock", "lock:done", "boot", "state:starting", "state:starting:done", "state:running", "state:running:done", "state:suspending:done",
	"state:held", "state:held:done", "state:suspended", "state:suspended:done", "state:resuming", "state:resuming:done", "state:sending", "state:sending:done",
	"state:sent", "state:sent:done", "state:down", "part:done", "note:done", "sync", "meta:done", "publish", "publish:done", "claim", "claim:done", "unclaim",
	"refresh", "discarded", "discarded:done", "tool:start", "tool:suspend", "tool:dump", "tool:kill", "tool:unmount", "tool:save", "tool:restore", "tool:migrate",
	"tool:migrate:done", "tool:save:done", "tool:restore:done", "tool:start:done", "tool:thaw", "ticket", "ticket:done", "ticket.used", "ticket.used:done", "asked", "answered", "disks:done",
	"during:start", "during:restore", "during:dump", "during:create", "during:save", "during:migrate"}

// faults are what can go wrong in a random run.
var faults = [...]func(r *rand.Rand, typ string) string{
	strikes("kill"), strikes("kill"), strikes("kill"), strikes("die"), strikes("isolate"), strikes("guest"),
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("%s %s %d", pick(r, []string{"die", "isolate"}), pick(r, members[:]), r.Intn(90))
	},
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("join %s %d", pick(r, members[:]), r.Intn(3)*20)
	},
	func(r *rand.Rand, typ string) string {
		tool := pick(r, []string{"start", "stop", "suspend", "dump", "kill", "umount", "resume", "restore"})
		if typ == "xen" {
			tool = pick(r, []string{"create", "shutdown", "save", "restore"})
		}
		return "fail " + pick(r, members[:]) + " " + tool + " fails"
	},
	func(r *rand.Rand, typ string) string {
		if typ == "openvz" {
			return "fail " + pick(r, members[:]) + " " + pick(r, []string{"kill", "umount"}) + " busy"
		}
		return "fail " + pick(r, members[:]) + " migrate " + pick(r, []string{"stays", "stays", "refused", "lost", "undefined", "undefined-lost"})
	},
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("silent %s %d", pick(r, members[:]), 1+r.Intn(30))
	},
	func(*rand.Rand, string) string { return "guest" },
	func(*rand.Rand, string) string { return "sick" },
	func(r *rand.Rand, _ string) string { return "elsewhere" },
	func(r *rand.Rand, _ string) string {
		return pick(r, []string{"hand ", "handrun ", "double "}) + pick(r, members[:])
	},
	func(r *rand.Rand, _ string) string {
		return "full " + pick(r, []string{"part", "note", "meta", "publish", "state:held", "state:suspended", "state:down", "state:sent", "state:running", "claim", "refresh"})
	},
	func(r *rand.Rand, _ string) string {
		return pick(r, []string{"unmount ", "nolock ", "leave "}) + pick(r, members[:])
	},
	func(r *rand.Rand, _ string) string { return pick(r, []string{"damage", "lazy", "lazy"}) },
}

func strikes(what string) func(r *rand.Rand, _ string) string {
	return func(r *rand.Rand, _ string) string {
		at := fmt.Sprintf("*#%d", 1+r.Intn(120))
		if r.Intn(3) > 0 {
			at = pick(r, points[:])
		}
		if what == "die" || what == "isolate" {
			return fmt.Sprintf("at %s %s %d", at, what, r.Intn(90))
		}
		return "at " + at + " " + what
	}
}

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
		"silent":  at(func(w *world, n *node, a []string) { w.silent[n.name] = w.now.Add(seconds(a[1])); w.lossy = true }),
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
	switch args[1] {
	case "kill":
		g.do = func(w *world, t *task) {
			if strings.HasPrefix(t.name, "relocator") {
				w.relocatorDied = w.now
			} else {
				w.lossy = true
			}
			w.tell("%s is killed", t.name)
			t.kill()
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

func (w *world) crashGuest() {
	for _, n := range w.nodes {
		if n.has == runs && n.on {
			w.lossy = true
			w.tell("%s: the guest crashes", n.name)
			n.halts()
		}
	}
}

// byHand boots the guest behind everybody's back, where it runs nowhere; and halts it again, or not.
func (w *world) byHand(n *node, stays bool) {
	for _, o := range w.nodes {
		if o.has != none || o.mounted {
			return
		}
	}
	st := w.state()
	if w.manager.owner != "" || w.manager.busy || !n.on || st.Phase == handoff.Sent || st.Phase == handoff.Sending || st.Names("node1") || st.Names("node2") || st.Names("node3") {
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

// play runs a script to its end, then an administrator's patience, and gives what was found.
func (r Run) play(base string, tracing bool) (w *world, err error) {
	if w, err = newWorld(base, r.Type, r.Seed); err != nil {
		return nil, err
	}
	w.tracing = tracing
	defer w.end()
	known := deeds()
	script := w.spawn("script", nil, func(t *task) {
		for _, s := range r.Steps {
			words := append(strings.Fields(s), "", "")
			w.tell("-- %s", s)
			w.stale = true
			known[strings.TrimPrefix(words[0], "+")](w, t, words[1:], !strings.HasPrefix(s, "+"))
		}
	})
	if err := w.run(func() bool { return script.done || len(w.findings) > 0 }); err != nil {
		w.find("I10 %v", err)
	}
	if len(w.findings) == 0 && !script.done {
		w.find("I10 everybody waits for ever")
	}
	if len(w.findings) == 0 {
		w.heals()
	}
	w.witness()
	return w, nil
}

// heals ends every misfortune; then the service is enabled until it runs, as an administrator does it.
func (w *world) heals() {
	healer := w.spawn("administrator", nil, func(t *task) {
		w.tell("-- all faults end")
		w.record, w.stale = false, true
		t.wait(func() bool { return w.quiet(t) }, w.now.Add(20*time.Minute))
		w.triggers, w.noSpace, w.fails, w.silent, w.manager.elsewhere = nil, nil, map[string]string{}, map[string]time.Time{}, false
		for _, n := range w.nodes {
			n.nolock = false
			w.must(n.mount(true))
			if n.victim {
				t.wait(func() bool { return !n.victim }, w.now.Add(10*time.Minute))
			}
			if !n.member {
				n.joins(0)
			}
		}
		w.oneOfTwo()
		for round := range 6 {
			t.wait(func() bool { return w.quiet(t) }, w.now.Add(time.Hour))
			if w.settled() {
				return
			}
			w.manager.disable().await(t) //nolint:errcheck // what came of it the next look tells
			for i := range w.nodes {
				if w.manager.state == cluster.Disabled || w.manager.state == cluster.Stopped {
					w.manager.enable(w.nodes[(round+i)%3].name).await(t) //nolint:errcheck // likewise
				}
			}
		}
		st := w.state()
		w.find("I10 the VM does not come back: the service is %s %s, the record says %s %s %s", w.manager.state, w.manager.owner, st.Phase, st.Node, st.To)
	})
	if err := w.run(func() bool { return healer.done || len(w.findings) > 0 }); err != nil {
		w.find("I10 %v", err)
	}
	if len(w.findings) > 0 {
		return
	}
	if !healer.done {
		w.find("I10 everybody waits for ever")
		return
	}
}

// oneOfTwo is what people do of two guests of which one was started by hand, and of a record that nobody can read.
func (w *world) oneOfTwo() {
	for _, n := range w.nodes {
		if (w.doubleByHand && w.state().Node != n.name || w.damaged) && n.has != none {
			n.halts()
			n.mounted = false
		}
	}
	if w.damaged {
		if w.stale = true; os.Remove(w.h("state")) == nil {
			w.seq = 0
		}
	}
}

// atWork: an action or a tool goes on on that node.
func (w *world) atWork(n *node) bool {
	for _, t := range w.tasks {
		if t.node == n && !t.done {
			return true
		}
	}
	return false
}

// quiet: nothing goes on but what waits for requests.
func (w *world) quiet(me *task) bool {
	for _, t := range w.tasks {
		if !t.done && t != me && t.name != "rgmanager" {
			return false
		}
	}
	return len(w.manager.queue) == 0 && !w.manager.busy
}

// settled: the service is started, and the guest runs there and nowhere else, as the record says.
func (w *world) settled() bool {
	n, st := w.node(w.manager.owner), w.state()
	if w.manager.state != cluster.Started || n == nil || n.has != runs || st.Phase != handoff.Running || st.Node != n.name {
		return false
	}
	for _, o := range w.nodes {
		if o != n && o.has != none && o.has != half {
			return false
		}
	}
	return true
}

// witness lets the lab's checker judge what the guest itself wrote.
func (w *world) witness() {
	if w.doubleByHand || w.damaged {
		return
	}
	var b strings.Builder
	for _, l := range w.lines {
		b.WriteString(l.String())
	}
	for _, f := range lab.Check(w.String(), strings.NewReader(b.String()), lab.CheckOptions{ColdAllowed: 1 << 20}) {
		w.find("the guest's own log: %s: %v", f.Kind, f.Evidence)
	}
}
