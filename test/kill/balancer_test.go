package kill

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// The balancer's agent keeps no record: a file of its node says that it was started. An episode of it is shorter.

// started tells whether the balancer's note of its start is there, and whole.
func (v *vm) started(node string) bool {
	text, err := os.ReadFile(filepath.Join(v.c.l.Root(node), host.RunDir, "lbvm-"+v.name+".started"))
	return err == nil && strings.Contains(string(text), "name="+v.name+"\n") && strings.HasSuffix(string(text), "\n")
}

// playBalancer kills a start or a stop of the balancer.
func (e *episode) playBalancer() bool {
	e.t.Helper()
	for try := 0; try < 60 && len(e.findings) == 0; try++ {
		c := e.call(e.k.name, e.anywhere())
		dir := filepath.Join(e.v.c.l.Root(c.node), host.RunDir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			e.t.Fatal(err)
		}
		for _, a := range []string{"start", "stop"} { // from the other state
			if before := e.call(a, c.node); a != c.action {
				e.wantBalancer(before)
			}
		}
		p, length := e.plan(try)
		tr := &trap{plan: p, group: c.dialect == ocf.Pacemaker, wrote: func() bool { return false }}
		killed, code, took := tr.spring(e.t, c, length, dir, func(name string) bool { return strings.Contains(name, e.v.name) })
		if !killed {
			e.learn(took, tr.events, 0)
			e.answered(c, code)
			continue
		}
		e.tell("KILLED %s %s (%s)", c, p, tr.last)
		next := e.call([]string{"start", "stop"}[e.r.Intn(2)], c.node)
		code = e.wantBalancer(next)
		e.count(tally{kind: e.k, byTime: p.event == 0, group: tr.group, next: next, same: true, code: code, seen: true, dialect: c.dialect})
		e.wantBalancer(e.call("start", c.node))
		e.wantBalancer(e.call("stop", c.node))
		return true
	}
	return false
}

func (e *episode) wantBalancer(c call) int {
	e.t.Helper()
	code := c.run(e.t)
	e.answered(c, code)
	return code
}

// answered: start and stop succeed, and the note says the same.
func (e *episode) answered(c call, code int) {
	e.t.Helper()
	is := e.v.started(c.node)
	e.tell("%s: exit %d", c, code)
	if code != 0 || is != slices.Contains([]string{"start"}, c.action) {
		e.find("%s: exit %d, and started is %v", c, code, is)
	}
}
