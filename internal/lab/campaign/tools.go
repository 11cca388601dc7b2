package campaign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// The emulated tools. They speak the words of vzctl 3.0.22 and xm 3.0.3 as far as the drivers read them, over guests
// that are a few fields. (The lab's own tools play guests that are processes, and xend's calls between nodes by
// sockets: no seed could order them.) Each goes in steps, and other tasks go on between them.

// runner is what an agent runs its commands by.
type runner struct {
	a    *action
	real run.Runner // run.System, or the run.Keeper that shows the locks to be held
}

func said(code int, format string, args ...any) run.Result {
	text := []byte(fmt.Sprintf(format, args...) + "\n")
	if code != 0 {
		return run.Result{Code: code, Stderr: text}
	}
	return run.Result{Stdout: text}
}

// Run answers a question at once. A change is a task of its own, which lives on when the agent is killed, and with it
// the locks that a keeper would hold.
func (r runner) Run(ctx context.Context, c run.Command) (run.Result, error) {
	a, t := r.a, r.a.task
	w, n := a.w, a.node
	if c.Argv[0] == selfProgram { // status looks at the share in a process of its own
		a.asked = true
		return run.Result{}, nil
	}
	if t.dying {
		return run.Result{}, errKilled
	}
	if ctx.Err() != nil {
		return run.Result{}, run.ErrDeadline
	}
	argv := append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...)
	w.passes(t, "ask:"+argv[0])
	if answer, is := n.query(argv); is {
		return answer, nil
	}
	var held []int
	if k, ok := r.real.(run.Keeper); ok {
		for _, f := range []*os.File{k.Lock, k.Also} {
			if f != nil {
				fd, err := syscall.Dup(int(f.Fd()))
				w.must(err)
				held = append(held, fd)
			}
		}
	}
	var answer run.Result
	end := func() {
		for _, fd := range held {
			w.must(syscall.Close(fd))
		}
		held = nil
	}
	term := false
	tool := w.spawn("tool of "+a.String(), n, func(t *task) {
		w.tell("%s: %s begins", n.name, strings.Join(argv, " "))
		answer = n.change(t, a, argv, &term)
		w.tell("%s: %s: %d %s", n.name, strings.Join(argv, " "), answer.Code, strings.TrimSpace(string(answer.Stderr)))
	})
	tool.ends, a.tool = end, tool
	t.wait(func() bool { return tool.done || ctx.Err() != nil }, time.Time{})
	if !tool.done {
		if term = true; argv[0] != "vzctl" && argv[0] != ownTool { // xend does not notice, nor libvirtd that is not told to break off
			end()
		}
		a.tool = nil
		a.failed++
		return run.Result{}, fmt.Errorf("%s: %w", argv[0], run.ErrDeadline)
	}
	if answer.Code != 0 {
		a.failed++
	}
	return answer, nil
}

// fault is how a tool fails this time, "" if it does not.
func (n *node) fault(tool string) string {
	how := n.w.fails[n.name+" "+tool]
	delete(n.w.fails, n.name+" "+tool)
	if how != "" {
		n.w.tell("%s: %s is made to fail: %s", n.name, tool, how)
		if tool != "migrate" && tool != "umount" && tool != "kill" {
			n.w.lossy = true
		}
	}
	return how
}

// change is a tool that changes the guest. *term says that it was told to end.
func (n *node) change(t *task, a *action, argv []string, term *bool) run.Result {
	t.wait(n.w.goesOn, time.Time{})
	if argv[0] == "vzctl" {
		if n.locked != nil && !n.locked.done {
			return said(9, "Container already locked")
		}
		n.locked = t
		defer func() { n.locked = nil }()
		return n.vzctl(t, a, argv, term)
	}
	switch argv[0] {
	case "virsh":
		return n.virsh(t, a, argv, term)
	case ownTool:
		return n.own(t, a, argv, term)
	}
	return n.xm(t, a, argv)
}

// step is what a part of a tool's work takes at least.
const step = 300 * time.Millisecond

// works lets time go by while a tool is at it, and the agent that called it be struck meanwhile.
func (n *node) works(t *task, a *action, verb string) {
	w := n.w
	d := step * time.Duration(1+w.r.Intn(pick(w.r, []int{20, 20, 100})))
	t.pause(d / 2)
	w.strike(a.task, "during:"+verb)
	t.pause(d / 2)
}
