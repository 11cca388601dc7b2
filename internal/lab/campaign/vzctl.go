package campaign

import (
	"os"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

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
