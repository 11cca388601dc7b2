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
		if term = true; argv[0] == "xm" { // xend does not notice
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

// query answers what only asks.
func (n *node) query(argv []string) (run.Result, bool) {
	w := n.w
	words := strings.Join(argv, " ")
	guestTool := argv[0] == "vzctl" || argv[0] == "xm"
	if until, ok := w.silent[n.name]; ok && w.now.Before(until) && guestTool && (strings.HasPrefix(words, "vzctl status") || words == "xm list") {
		return said(1, "Error: Unable to connect to xend: Connection refused. Is xend running?"), true
	}
	switch {
	case strings.HasPrefix(words, "vzctl status"):
		mounted, running := "unmounted", "down"
		if n.mounted {
			mounted = "mounted"
		}
		if n.has.alive() {
			running = "running"
		}
		exist := "exist"
		if n.away {
			exist = "exist" // the old copy below the mount point
		}
		return said(0, "VEID %s %s %s %s", w.vm, exist, mounted, running), true
	case words == "vzctl --version":
		return said(0, "vzctl version 3.0.22"), true
	case words == "xm info":
		return said(0, "xen_major : 3\nxen_minor : 0\nxen_extra : .3\nfree_memory : 4096"), true
	case words == "xm list":
		rows := "Name                                      ID Mem(MiB) VCPUs State   Time(s)\nDomain-0                                   0      512     2 r-----   100.0"
		row := func(name, letters, seconds string) {
			rows += fmt.Sprintf("\n%-40s %4d %8d %5d %s %6s", name, 4+n.joined, 16, 1, letters, seconds)
		}
		switch n.has {
		case runs:
			row(w.vm, "-b----", "4.2")
		case frozen:
			row(w.vm, "--p---", "4.2")
		case leaving:
			row("migrating-"+w.vm, "-b----", "4.2")
		case half:
			row("migrating-"+w.vm, "---s--", "4.2")
		case torso, arriving:
			row(w.vm, "--p---", "0.0")
		}
		return said(0, "%s", rows), true
	case argv[0] == "cman_tool" || argv[0] == "fence_tool":
		return n.cman(words), true
	}
	return run.Result{}, false
}

// cman answers for the membership.
func (n *node) cman(words string) run.Result {
	w := n.w
	if !n.member {
		return said(1, "cman_tool: Cannot open connection to cman, is it running ?")
	}
	var b strings.Builder
	switch words {
	case "cman_tool nodes":
		b.WriteString("Node  Sts   Inc   Joined               Name\n")
		for _, o := range w.nodes {
			sts, at := "X", ""
			if o.member {
				sts, at = "M", "2008-01-10 12:00:00"
			}
			fmt.Fprintf(&b, "%4d   %s  %5d   %19s  %s\n", o.id, sts, o.joined, at, o.name)
		}
	case "cman_tool status":
		up := 0
		for _, o := range w.nodes {
			if o.member {
				up++
			}
		}
		blocked := ""
		if up < 2 {
			blocked = " Activity blocked"
		}
		fmt.Fprintf(&b, "Cluster Member: Yes\nMembership state: Cluster-Member\nQuorum: 2 %s\nNode name: %s\n", blocked, n.name)
	case "fence_tool ls -n":
		b.WriteString("fence domain\nmember count  3\nvictim count  0\n\nall nodes\n")
		for _, o := range w.nodes {
			is := func(b bool) int { return map[bool]int{true: 1}[b] }
			fmt.Fprintf(&b, "nodeid %d member %d victim %d last fence master 1 how %s\n", o.id, is(o.member), is(o.victim), o.how)
		}
	default:
		return said(1, "unknown: %s", words)
	}
	return run.Result{Stdout: []byte(b.String())}
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
	t.wait(func() bool { return n.w.frozenFor == 0 }, time.Time{})
	if argv[0] == "vzctl" {
		if n.locked != nil && !n.locked.done {
			return said(9, "Container already locked")
		}
		n.locked = t
		defer func() { n.locked = nil }()
		return n.vzctl(t, a, argv, term)
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

func (n *node) vzctl(t *task, a *action, argv []string, term *bool) run.Result {
	w := n.w
	verb, last := argv[1], argv[len(argv)-1]
	if verb == "chkpnt" {
		verb = argv[3]
	}
	how := n.fault(strings.TrimPrefix(verb, "--"))
	slow := func() bool { n.works(t, a, strings.TrimPrefix(verb, "--")); return !*term }
	switch verb {
	case "start":
		if n.has != none {
			return said(32, "Container is already running")
		}
		w.judgeBoot(a)
		n.mounted, n.since = true, w.now
		if !slow() || how != "" {
			return said(4, "Container start failed")
		}
		n.bootGuest("booted by " + a.String())
	case "stop":
		if n.has == none {
			return said(0, "Unable to stop: container is not running")
		}
		w.judgeKill(a, n)
		if n.has == frozen && last != "--fast" {
			t.pause(time.Minute)
			return said(31, "Unable to stop container: operation timed out")
		}
		if !slow() || how != "" && last != "--fast" {
			return said(31, "Unable to stop container: operation timed out")
		}
		n.halts()
		n.mounted = n.fault("umount") != ""
	case "umount":
		if n.has != none {
			return said(32, "Container is running - stop it first")
		}
		if !n.mounted {
			return said(40, "CT is not mounted")
		}
		if t.pause(step); how == "" {
			n.mounted = false
		}
	case "--suspend":
		if n.has != runs || how != "" {
			return said(17, "Can not suspend container: Device or resource busy")
		}
		if !slow() {
			return said(17, "Can not suspend container")
		}
		if n.has == runs {
			n.has = frozen
		}
	case "--dump":
		if n.has != frozen {
			return said(17, "can not join cpt context 101: No such file or directory")
		}
		text := n.dump()
		if err := os.WriteFile(last, []byte(text[:len(text)/2]), 0o600); err != nil {
			return said(17, "Can not create dump file %s: %v", last, err)
		}
		if !slow() || how != "" || n.has != frozen {
			return said(17, "Can not dump container: Invalid argument")
		}
		if err := os.WriteFile(last, []byte(text), 0o600); err != nil {
			return said(17, "Can not dump container: %v", err)
		}
	case "--kill":
		if n.has != frozen {
			return said(17, "can not join cpt context 101: No such file or directory")
		}
		if how != "" {
			return said(17, "Can not kill container: Device or resource busy")
		}
		w.judgeFrozenKill(a)
		n.halts()
	case "--resume":
		if n.has != frozen {
			return said(17, "can not join cpt context 101: No such file or directory")
		}
		if how != "" {
			return said(17, "Can not resume container: Device or resource busy")
		}
		w.judgeThaw(a)
		n.goes(n.mem, "thawed by "+a.String())
	case "restore":
		if n.has != none {
			return said(32, "Container is already running")
		}
		return n.restore(a, last, slow, how, 17)
	default:
		return said(2, "Usage: vzctl")
	}
	return run.Result{}
}

func (n *node) restore(a *action, file string, slow func() bool, how string, code int) run.Result {
	n.w.judgeRestore(a, file)
	text, err := os.ReadFile(file)
	if err != nil {
		return said(code, "Unable to open %s: %v", file, err)
	}
	n.mounted, n.since = n.w.typ == "openvz", n.w.now
	if !slow() || how != "" {
		n.mounted = false
		n.w.lossy = true
		return said(code, "Container restore failed")
	}
	if n.has != none || n.undump(string(text)) != nil {
		n.mounted = n.has != none && n.mounted
		return said(code, "Container restore failed: Invalid argument")
	}
	return run.Result{}
}

func (n *node) xm(t *task, a *action, argv []string) run.Result {
	w := n.w
	verb, last := argv[1], argv[len(argv)-1]
	how := n.fault(verb)
	gone := said(1, "Error: Domain '%s' does not exist.", w.vm)
	slow := func() bool { n.works(t, a, verb); return true }
	switch verb {
	case "create":
		if n.has != none {
			return said(1, "Error: VM name '%s' already exists", w.vm)
		}
		w.judgeBoot(a)
		slow()
		if how != "" || n.has != none {
			return said(1, "Error: create failed")
		}
		n.bootGuest("booted by " + a.String())
	case "destroy":
		if n.has == none {
			return gone
		}
		w.judgeKill(a, n)
		n.halts()
	case "shutdown":
		if n.has == none {
			return gone
		}
		w.judgeKill(a, n)
		if n.has == runs && how == "" {
			w.spawn("guest shuts down", n, func(t *task) {
				if t.pause(step); n.has == runs {
					n.halts()
				}
			})
		}
	case "unpause":
		if n.has == frozen {
			w.judgeThaw(a)
			n.goes(n.mem, "unpaused by "+a.String())
		}
	case "save":
		if n.has != runs {
			return gone
		}
		n.has = leaving
		text := n.dump()
		if err := os.WriteFile(last, []byte(text[:len(text)/2]), 0o600); err != nil {
			n.has = runs
			return said(1, "Error: %v", err)
		}
		slow()
		if n.has != leaving {
			return gone
		}
		if how != "" {
			n.goes(n.mem, "goes on, since saving failed")
			return said(1, "Error: /usr/lib/xen/bin/xc_save failed")
		}
		if err := os.WriteFile(last, []byte(text), 0o600); err != nil {
			n.goes(n.mem, "goes on, since saving failed")
			return said(1, "Error: %v", err)
		}
		n.halts()
	case "restore":
		if n.has != none {
			return said(1, "Error: VM name '%s' already exists", w.vm)
		}
		return n.restore(a, last, slow, how, 1)
	case "migrate":
		answer := n.push(t, a, w.node(last), how)
		if answer.Code != 0 {
			a.migrations++
		}
		return answer
	default:
		return said(1, "Error: unknown subcommand")
	}
	return run.Result{}
}

// push is a live migration. how it fails: "stays", "lost" (rc 0, and the target loses it), "undefined" and
// "undefined-lost": half a copy stays here, and the target has it or not.
func (n *node) push(t *task, a *action, to *node, how string) run.Result {
	w := n.w
	if n.has != runs {
		return said(1, "Error: Domain '%s' does not exist.", w.vm)
	}
	if to == nil || !to.on || to.has != none || how == "refused" {
		return said(1, "Error: can't connect: Connection refused")
	}
	w.judgePush(n, to)
	n.has, to.has, to.since = leaving, torso, w.now
	n.works(t, a, "migrate")
	if n.has != leaving || to.has != torso || !to.on || how == "stays" {
		if to.has == torso {
			to.has = none
		}
		if n.has == leaving {
			n.goes(n.mem, "goes on, since the push failed")
		}
		return said(1, "Error: /usr/lib/xen/bin/xc_save 22 failed")
	}
	m := n.mem
	n.has, n.mem, w.synced = none, memory{}, w.disk
	failed := said(1, "Error: /usr/lib/xen/bin/xc_save failed: timed out")
	switch how {
	case "lost":
		to.has, w.lossy = none, true
		return run.Result{}
	case "undefined-lost":
		n.has, to.has, w.lossy = half, none, true
		return failed
	case "undefined":
		n.has = half
	}
	to.has, to.mem = arriving, m
	w.spawn("arrival", to, func(t *task) {
		t.pause(time.Duration(w.r.Intn(8)) * time.Second)
		if to.has == arriving {
			to.starts()
			to.goes(m, "has arrived")
		}
	})
	if how == "undefined" {
		return failed
	}
	return run.Result{}
}
