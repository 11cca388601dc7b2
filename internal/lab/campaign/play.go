package campaign

import (
	"os"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lab"
)

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
