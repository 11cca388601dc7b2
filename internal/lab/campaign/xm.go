package campaign

import (
	"os"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

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
		answer := n.push(t, a, w.node(last), how, new(bool))
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
// "undefined-lost": half a copy stays here, and the target has it or not. *term says that who leads it was told to end.
func (n *node) push(t *task, a *action, to *node, how string, term *bool) run.Result {
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
	if n.has != leaving || to.has != torso || !to.on || how == "stays" || *term {
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
