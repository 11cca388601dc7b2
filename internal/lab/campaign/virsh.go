package campaign

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// virsh, of 9.0, with libvirtd and QEMU. Nothing locks the images here, so that two guests would be seen to run; but who
// was sent away and was not told so stays paused, as locks keep it.

const (
	libvirtDown = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory"
	// A save file of libvirt begins with the first when it is whole, and with the second until then.
	saved    = "LibvirtQemudSave"
	savePart = "LibvirtQemudPart"
)

// virshWords are a call's words without the options before the command, and the node that it asks.
func (n *node) virshWords(argv []string) (words []string, at *node) {
	at = n
	for words = argv[1:]; len(words) > 0 && strings.HasPrefix(words[0], "-"); words = words[1:] {
		if words[0] == "-c" {
			if host := hostOf(words[1]); host != "" {
				at = n.w.node(host)
			}
			words = words[1:]
		}
	}
	return words, at
}

// hostOf is the host of qemu+ssh://HOST/system, "" for qemu:///system.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// virshAsks answers the commands that change nothing.
func (n *node) virshAsks(argv []string) (run.Result, bool) {
	w := n.w
	words, at := n.virshWords(argv)
	if at == nil || !at.on {
		return said(1, "error: failed to connect to the hypervisor\nerror: Cannot recv data: ssh: connect to host: No route to host: Connection reset by peer"), true
	}
	at.processes()
	if until, ok := w.silent[at.name]; ok && w.now.Before(until) {
		switch words[0] {
		case "domstate", "dominfo", "domjobinfo", "list":
			return said(1, libvirtDown), true
		}
	}
	absent := said(1, "error: failed to get domain '%s'", w.vm)
	switch words[0] {
	case "domstate":
		if at.has == none {
			return absent, true
		}
		return said(0, "%s\n", at.domstate()), true
	case "dominfo":
		if at.has == none {
			return absent, true
		}
		return said(0, "Id:             4\nName:           %s\nMax memory:     16384 KiB\nUsed memory:    16384 KiB\nPersistent:     no\nManaged save:   no\n", w.vm), true
	case "domjobinfo":
		switch {
		case at.has == none:
			return absent, true
		case at.has == torso:
			return said(1, "error: Operation not supported: migration statistics are available only on the source host"), true
		case at.doing == "":
			return said(0, "Job type:         None        \n"), true
		}
		return said(0, "Job type:         Unbounded   \nOperation:        %s\nTime elapsed:     1608         ms\n", at.doing), true
	case "list":
		rows := " Id   Name   State\n---------------------\n"
		if at.has != none {
			state, _, _ := strings.Cut(at.domstate(), " (")
			rows += fmt.Sprintf(" 4    %s    %s\n", w.vm, state)
		}
		return said(0, "%s", rows), true
	case "version":
		return said(0, "Compiled against library: libvirt 9.0.0\nUsing library: libvirt 9.0.0\nUsing API: QEMU 9.0.0\nRunning hypervisor: QEMU 7.2.22\n"), true
	}
	return run.Result{}, false
}

// domstate is what `virsh domstate --reason` says of a guest that is here.
func (n *node) domstate() string {
	switch n.has {
	case frozen:
		return "paused (user)"
	case torso, half:
		if n.has == torso && n.early {
			return "paused (starting up)"
		}
		return "paused (migrating)"
	case leaving:
		if n.doing == jobSave {
			return "paused (saving)"
		}
	}
	return "running (booted)"
}

// The jobs of libvirt.
const (
	jobSave = "Save"
	jobMove = "Outgoing migration"
)

// processes makes the node's processes show the guest's QEMU. One that was started to wait for memory keeps saying so.
func (n *node) processes() {
	dir := n.path("proc/4242")
	if n.has == none {
		n.w.must(os.RemoveAll(dir))
		return
	}
	line := "/usr/libexec/qemu-kvm\x00-name\x00guest=" + n.w.vm + ",debug-threads=on\x00"
	if n.incoming {
		line += "-incoming\x00defer\x00"
	}
	n.w.must(os.MkdirAll(dir, 0o755))
	n.w.must(os.WriteFile(dir+"/cmdline", []byte(line), 0o644))
}

// virsh changes the guest. *term says that virsh was told to end, which ends a migration and nothing else.
func (n *node) virsh(t *task, a *action, argv []string, term *bool) run.Result {
	w := n.w
	words, _ := n.virshWords(argv)
	verb, last := words[0], words[len(words)-1]
	how := n.fault(verb)
	gone := said(1, "error: failed to get domain '%s'", w.vm)
	notRunning := said(1, "error: Requested operation is not valid: domain is not running")
	slow := func() bool { n.works(t, a, verb); return true }
	defer n.processes()
	switch verb {
	case "create":
		if n.has != none {
			return said(1, "error: Failed to create domain from %s\nerror: Requested operation is not valid: domain '%s' is already active", last, w.vm)
		}
		w.judgeBoot(a)
		slow()
		if how != "" || n.has != none {
			return said(1, "error: Failed to create domain from %s\nerror: internal error: process exited while connecting to monitor", last)
		}
		n.incoming = false
		n.bootGuest("booted by " + a.String())
	case "destroy":
		if n.has == none {
			return gone
		}
		w.judgeKill(a, n)
		n.halts()
	case "shutdown":
		t.wait(func() bool { return n.doing == "" }, w.now.Add(30*time.Second)) // libvirt lets it wait for the job
		switch {
		case n.has == none:
			return gone
		case n.has != runs:
			return notRunning
		}
		w.judgeKill(a, n)
		if how == "" {
			w.spawn("guest shuts down", n, func(t *task) {
				if t.pause(step); n.has == runs {
					n.halts()
				}
			})
		}
	case "resume":
		switch n.has {
		case none:
			return gone
		case frozen:
			w.judgeThaw(a)
			n.goes(n.mem, "resumed by "+a.String())
		case runs:
			return said(1, "error: Failed to resume domain '%s'\nerror: Requested operation is not valid: domain is already running", w.vm)
		default:
			return said(1, "error: Failed to resume domain '%s'\nerror: internal error: unable to execute QEMU command 'cont': Failed to get \"write\" lock", w.vm)
		}
	case "domjobabort":
		if n.doing == "" {
			return said(1, "error: Requested operation is not valid: no job is active on the domain")
		}
		n.aborted = true
	case "save":
		return n.virshSave(t, a, last, how)
	case "restore":
		if n.has != none {
			return said(1, "error: Failed to restore domain from %s\nerror: Requested operation is not valid: domain '%s' is already active", last, w.vm)
		}
		n.incoming = true
		return n.restore(a, last, slow, how, 1)
	case "migrate":
		answer := n.virshMigrate(t, a, words, how, term)
		if answer.Code != 0 {
			a.migrations++
		}
		return answer
	default:
		return said(1, "error: unknown command: '%s'", verb)
	}
	return run.Result{}
}

// begins a job with the running guest; ends it.
func (n *node) begins(job string) { n.has, n.doing, n.aborted = leaving, job, false }

func (n *node) virshSave(t *task, a *action, file, how string) run.Result {
	if n.has != runs {
		return said(1, "error: Failed to save domain '%s' to %s\nerror: Requested operation is not valid: domain is not running", n.w.vm, file)
	}
	n.begins(jobSave)
	defer func() { n.doing = "" }()
	text := n.dump()
	err := os.WriteFile(file, []byte(savePart+text[:len(text)/2]), 0o600)
	if err == nil {
		n.works(t, a, "save")
	}
	if n.has != leaving { // destroyed meanwhile
		return said(1, "error: Failed to save domain '%s' to %s\nerror: operation failed: domain is not running", n.w.vm, file)
	}
	if err == nil && (how != "" || n.aborted) {
		err = fmt.Errorf("operation aborted: job 'domain save' canceled by client")
	}
	if err == nil {
		err = os.WriteFile(file, []byte(saved+text), 0o600)
	}
	if err != nil {
		if rerr := os.Remove(file); rerr != nil && !os.IsNotExist(rerr) {
			n.w.must(rerr)
		}
		n.goes(n.mem, "goes on, since saving failed")
		return said(1, "error: Failed to save domain '%s' to %s\nerror: %v", n.w.vm, file, err)
	}
	n.halts()
	return run.Result{}
}

// virshEnds: a virsh that led a migration has ended in the middle of it, alone or with its node. The source's libvirtd
// takes the move back at once; the target's sees somewhat later that nobody is there any more, or, before libvirt 8.5 and
// where the source lost its power, never: QEMU waits on.
func (n *node) virshEnds(to *node) {
	w := n.w
	if n.on && n.has == leaving {
		n.goes(n.mem, "goes on, since its virsh has ended")
	}
	if to.has != torso || !n.on && w.r.Intn(2) == 0 {
		return
	}
	since := to.since
	w.spawn("libvirtd of "+to.name, to, func(t *task) {
		if t.pause(time.Duration(1+w.r.Intn(30)) * time.Second); to.has == torso && to.since.Equal(since) {
			w.tell("%s: libvirtd ends what nobody sends any more", to.name)
			to.has = none
			to.processes()
		}
	})
}

// virshMigrate is a live migration that virsh leads. how it fails: "stays", "refused", "lost" (the guest dies on its way),
// "undefined" (the target's last word is lost: half a copy stays here, paused) and "undefined-lost" (and the target dies).
func (n *node) virshMigrate(t *task, a *action, words []string, how string, term *bool) run.Result {
	w := n.w
	to := (*node)(nil)
	for _, word := range words {
		if strings.HasPrefix(word, "qemu+") {
			to = w.node(hostOf(word))
		}
	}
	switch {
	case n.has != runs:
		return said(1, "error: Requested operation is not valid: domain is not running")
	case to == nil || !to.on || how == "refused":
		return said(1, "error: unable to connect to server: No route to host")
	case to.has != none:
		return said(1, "error: Requested operation is not valid: domain '%s' is already active", w.vm)
	}
	w.judgePush(n, to)
	n.begins(jobMove)
	to.has, to.since, to.incoming, to.early = torso, w.now, true, w.r.Intn(2) == 0
	to.processes()
	over := false
	defer func() {
		if n.doing = ""; !over {
			n.virshEnds(to)
		}
		to.processes()
	}()
	n.works(t, a, "migrate")
	over = true
	if n.has != leaving || to.has != torso || !to.on || how == "stays" || n.aborted || *term {
		if to.has == torso {
			to.has = none
		}
		if n.has != leaving {
			return said(1, "error: operation failed: domain is not running")
		}
		n.goes(n.mem, "goes on, since the migration was broken off")
		return said(1, "error: operation aborted: job 'migration out' canceled by client")
	}
	m := n.mem
	n.has, n.mem, w.synced = none, memory{}, w.disk
	lost := said(1, "error: End of file while reading data: Input/output error")
	switch how {
	case "lost":
		to.has, w.lossy = none, true
		return said(1, "error: operation failed: domain is not running")
	case "undefined-lost":
		n.has, to.has, w.lossy = half, none, true
		return lost
	case "undefined":
		n.has = half
	}
	to.starts()
	to.goes(m, "has migrated")
	if how == "undefined" {
		return lost
	}
	return run.Result{}
}
