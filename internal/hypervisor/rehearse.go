package hypervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

// Rehearsal plays one VM's tools where nothing may be changed (Tools.Rehearsal). What only asks is asked as ever, until
// the first change. A change is told and not made; from then on the tool is answered for, as if every change had
// succeeded at once. So a driver goes the way that it really would, and the commands that are told are its own.
type Rehearsal struct {
	VM  string
	Say func(argv []string) // is told each change

	changed bool
	running bool // the guest, after the changes
	mounted bool // OpenVZ
	frozen  bool // OpenVZ, where nobody can see it
}

// Play takes a change in for a driver that answers by itself from then on: the guest runs after it, or is gone.
func (r *Rehearsal) Play(argv []string, running bool) {
	if r.Say != nil {
		r.Say(argv)
	}
	r.changed, r.running = true, running
}

// Played tells whether there was a change, and whether the guest runs after it.
func (r *Rehearsal) Played() (running, changed bool) { return r.running, r.changed }

// player answers for a technology's tool after a change, and takes changes in. It gives false where it does not know
// the question.
type player func(r *Rehearsal, argv []string) (run.Result, bool)

// played are the tools of a driver: p answers for them in a rehearsal.
func (t Tools) played(p player) Tools {
	if t.Rehearsal == nil {
		return t
	}
	return t.rehearsed(p)
}

// rehearsed are the tools for a driver that rehearses.
func (t Tools) rehearsed(p player) Tools {
	ask := t.Query
	t.Query = runnerFunc(func(ctx context.Context, c run.Command) (run.Result, error) {
		if t.Rehearsal.changed {
			if answer, ok := p(t.Rehearsal, program(c)); ok {
				return answer, nil
			}
		}
		return ask.Run(ctx, c)
	})
	t.Change = runnerFunc(func(ctx context.Context, c run.Command) (run.Result, error) {
		if t.Rehearsal.Say != nil {
			t.Rehearsal.Say(c.Argv)
		}
		t.Rehearsal.changed = true
		answer, ok := p(t.Rehearsal, program(c))
		if !ok {
			return run.Result{}, fmt.Errorf("%q: nobody knows how that would end", c.Argv)
		}
		return answer, nil
	})
	return t
}

type runnerFunc func(context.Context, run.Command) (run.Result, error)

func (f runnerFunc) Run(ctx context.Context, c run.Command) (run.Result, error) { return f(ctx, c) }

// program is a command without the way to its program.
func program(c run.Command) []string {
	return append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...)
}

// imageThere is nil if a memory image exists; a rehearsal has moved none to where it would be.
func (t Tools) imageThere(path string) error {
	if t.Rehearsal != nil {
		return nil
	}
	_, err := os.Stat(path)
	return err
}

// playVZ answers as vzctl does.
func playVZ(r *Rehearsal, argv []string) (run.Result, bool) {
	has := func(arg string) bool { return slices.Contains(argv, arg) }
	if argv[0] == vzquota && len(argv) > 2 && argv[2] == r.VM {
		return run.Result{}, true
	}
	if argv[0] != vzctl || len(argv) < 3 || argv[2] != r.VM {
		return run.Result{}, false
	}
	switch argv[1] {
	case "status":
		mounted, running := "unmounted", "down"
		if r.mounted {
			mounted = "mounted"
		}
		if r.running {
			running = "running"
		}
		return told(fmt.Sprintf("CTID %s exist %s %s\n", r.VM, mounted, running)), true
	case "start", "restore":
		r.running, r.mounted, r.frozen = true, true, false
	case "stop":
		r.running, r.mounted, r.frozen = false, false, false
	case "umount":
		r.running, r.mounted = false, false
	case "chkpnt":
		switch {
		case has("--kill") && !r.frozen: // only a running guest is killed so, and it refuses where it is not frozen
			r.running, r.mounted = true, true
			return run.Result{Code: 16, Stderr: []byte("Can not join cpt context: No such file or directory\n")}, true
		case has("--kill"):
			r.running, r.mounted, r.frozen = false, true, false
		default:
			r.running, r.mounted, r.frozen = true, true, !has("--resume")
		}
	default:
		return run.Result{}, false
	}
	return run.Result{}, true
}

// playXen answers as xm and xl do.
func playXen(r *Rehearsal, argv []string) (run.Result, bool) {
	if argv[0] != xm && argv[0] != xl || len(argv) < 2 {
		return run.Result{}, false
	}
	switch argv[1] {
	case "list":
		out := "Name                                      ID Mem(MiB) VCPUs State   Time(s)\n" +
			"Domain-0                                   0      512     1 r-----     99.0\n"
		if r.running {
			out += fmt.Sprintf("%-40s   1      256     1 -b----      9.0\n", r.VM)
		}
		return told(out), true
	case "create", "restore", "unpause":
		r.running = true
	case "shutdown", "destroy", "save", "migrate":
		r.running = false
	default:
		return run.Result{}, false
	}
	return run.Result{}, true
}

// playKVM answers as virsh does.
func playKVM(r *Rehearsal, argv []string) (run.Result, bool) {
	if argv[0] != virsh {
		return run.Result{}, false
	}
	argv = argv[1:]
	for len(argv) > 0 && strings.HasPrefix(argv[0], "-") { // -r, -c URI
		if argv[0] == "-c" {
			argv = argv[1:]
		}
		argv = argv[min(1, len(argv)):]
	}
	if len(argv) == 0 {
		return run.Result{}, false
	}
	switch argv[0] {
	case "domstate", "dominfo", "domjobinfo":
		switch {
		case !r.running:
			return run.Result{Code: 1, Stderr: []byte("error: failed to get domain '" + r.VM + "'\n")}, true
		case argv[0] == "domstate":
			return told("running (booted)\n\n"), true
		case argv[0] == "dominfo":
			return told("Managed save:   no\n"), true
		}
		return told("Job type:         None\n"), true
	case "create", "restore", "resume", "dompmwakeup", "domjobabort":
		r.running = true
	case "shutdown", "destroy", "save", "migrate":
		r.running = false
	default:
		return run.Result{}, false
	}
	return run.Result{}, true
}

func told(out string) run.Result { return run.Result{Stdout: []byte(out)} }
