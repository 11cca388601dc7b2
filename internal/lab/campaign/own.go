package campaign

import (
	"errors"
	"os"
	"time"

	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/run"
)

// A technology that an administrator has defined (docs/exec.md). Its program says in a word of its own what a guest is,
// and leads what it begins: a save or a move ends with it.

const (
	ownTechnology = "own"
	ownTool       = "owntool"
	ownStatus     = `config /etc/own/%{name}.conf;
disk /shared/web.img;
memory 16M;
status {
    run owntool status %{name};
    timeout 10s;
    running  exit 0 output "^up$";
    paused   exit 0 output "^frozen$";
    leaving  exit 0 output "^leaving$";
    arriving exit 0 output "^arriving$";
    remains  exit 0 output "^half$";
    stopped  exit 0 output "^down$";
    stopped  exit 3 error "^no %{name} here$";
}
start   owntool start %{name} %{config};
stop    { run owntool stop %{name}; timeout 60s; }
destroy owntool destroy %{name};
thaw    owntool thaw %{name};
`
	ownSave = `save    owntool save %{name} %{image};
restore owntool restore %{name} %{image};
`
	ownMove = `migrate { run owntool migrate %{name} %{target}; failed output "^not there$"; }
`
)

// defined gives a node the definition of that kind, or one that is only half written ("").
func (n *node) defined(kind string) error {
	text := map[string]string{"": ownStatus[:len(ownStatus)/2], "plain": ownStatus, "saves": ownStatus + ownSave, "moves": ownStatus + ownSave + ownMove}[kind]
	return os.WriteFile(n.path(vmexec.Dir+"/"+ownTechnology), []byte(text), 0o644)
}

// define gives every node that definition.
func (w *world) define(kind string) {
	if w.typ != vmexec.Type {
		return
	}
	w.lossy = w.lossy || kind == "plain"
	w.kind = kind
	for _, n := range w.nodes {
		w.must(n.defined(kind))
	}
}

// The ways in which the program of a technology does not say what a guest is.
const (
	muteWords = iota // none that the definition knows
	muteBoth         // two that contradict each other
	muteCut          // more than anybody reads
	muteCode         // a known word, with an exit code that says something else
	muteHalf         // the definition is only half written
	muteKinds
)

// mutes makes the technology of a node silent, in one of the ways, as long as w.silent says.
func (n *node) mutes(d time.Duration) {
	w := n.w
	if w.typ != vmexec.Type {
		return
	}
	if n.mute = w.r.Intn(muteKinds); n.mute != muteHalf {
		return
	}
	w.must(n.defined(""))
	w.spawn("editor on "+n.name, nil, func(t *task) {
		t.pause(d)
		w.must(n.defined(w.kind))
	})
}

// ownAnswers is owntool status.
func (n *node) ownAnswers(silent bool) run.Result {
	word := map[presence]string{none: "down", runs: "up", frozen: "frozen", leaving: "leaving", torso: "arriving", arriving: "arriving", half: "half"}[n.has]
	if silent {
		switch n.mute {
		case muteBoth:
			return said(0, "%s\ndown\nup", word)
		case muteCut:
			answer := said(0, "down")
			answer.Truncated = true
			return answer
		case muteCode:
			answer := said(0, "down")
			answer.Code = 4
			return answer
		}
		return said(1, "the server does not answer")
	}
	if n.has == none && n.w.r.Intn(2) == 0 {
		return said(3, "no %s here", n.w.vm)
	}
	return said(0, "%s", word)
}

// own changes the guest. *term says that the program was told to end.
func (n *node) own(t *task, a *action, argv []string, term *bool) run.Result {
	w := n.w
	verb, last := argv[1], argv[len(argv)-1]
	how := n.fault(verb)
	slow := func() bool { n.works(t, a, verb); return !*term }
	switch verb {
	case "start":
		if n.has != none {
			return said(1, "it is here")
		}
		w.judgeBoot(a)
		if !slow() || how != "" || n.has != none {
			return said(1, "it does not start")
		}
		n.bootGuest("booted by " + a.String())
	case "stop", "destroy":
		if n.has == none {
			return said(0, "it is not here")
		}
		if w.judgeKill(a, n); verb == "destroy" {
			n.halts()
			break
		}
		if n.has != runs || how != "" {
			return said(1, "it does not hear")
		}
		w.spawn("guest shuts down", n, func(t *task) { // nobody waits for it
			if t.pause(step); n.has == runs {
				n.halts()
			}
		})
	case "thaw":
		if n.has != frozen || how != "" {
			return said(1, "it is not frozen")
		}
		w.judgeThaw(a)
		n.goes(n.mem, "thawed by "+a.String())
	case "save":
		return n.ownSaves(a, last, how, slow)
	case "restore":
		if n.has != none {
			return said(1, "it is here")
		}
		return n.restore(a, last, slow, how, 1)
	case "migrate":
		answer := n.push(t, a, w.node(last), how, term)
		if answer.Code != 0 {
			a.migrations++
			answer = said(0, "not there") // it ends with 0 whatever comes of it: its words count
		}
		return answer
	default:
		return said(2, "usage")
	}
	return run.Result{}
}

// ownSaves writes the memory and ends the guest. how it fails: "busy" leaves the guest frozen, what else lets it go on.
func (n *node) ownSaves(a *action, file, how string, slow func() bool) run.Result {
	if n.has != runs {
		return said(1, "it does not run")
	}
	n.has = leaving
	text := n.dump()
	err := os.WriteFile(file, []byte(text[:len(text)/2]), 0o600)
	if err == nil && !slow() {
		err = errors.New("broken off")
	}
	if n.has != leaving {
		return said(1, "it has gone")
	}
	if err == nil && how != "" {
		err = errors.New("it cannot be saved")
	}
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	switch {
	case err != nil && how == "busy":
		n.has = frozen
	case err != nil:
		n.goes(n.mem, "goes on, since saving failed")
	default:
		n.halts()
		return run.Result{}
	}
	return said(1, "%v", err)
}
