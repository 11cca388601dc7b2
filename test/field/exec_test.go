package field

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// definition is the lab's Xen as an administrator defines it, with a program of his own to look and one to save.
const definition = `config /etc/xen/%{name};
disk /shared/images/%{name}.img;
memory 16M;
status {
    run xstate %{name};
    running output "^up$";
    leaving output "^leaving$";
    stopped output "^down$";
}
start   xm create %{config};
stop    xm shutdown %{name};
destroy xm destroy %{name};
save    xsave %{name} %{image};
restore xm restore %{image};
migrate xm migrate --live %{name} %{target};
`

// newExec is a cluster whose VM is of that technology.
func newExec(t *testing.T) *world {
	w := newWorld(t, "vmexec", "xm")
	w.own = map[string]func(string, []string) run.Result{
		"xstate": func(node string, args []string) run.Result {
			for name, says := range map[string]string{args[0]: "up\n", "migrating-" + args[0]: "leaving\n"} {
				r := w.tool(node, "xm", "list", name)
				if r.Code == 0 {
					return run.Result{Stdout: []byte(says)}
				}
				if !strings.Contains(string(r.Stderr), "does not exist") {
					return run.Result{Code: 2, Stderr: r.Stderr}
				}
			}
			return run.Result{Stdout: []byte("down\n")}
		},
		"xsave": func(node string, args []string) run.Result { return w.tool(node, "xm", "save", args[0], args[1]) },
	}
	return w
}

// tool runs a program of the lab, as one of the administrator's own does.
func (w *world) tool(node string, argv ...string) run.Result {
	r, err := lab.Call(context.Background(), w.NodeSocket(node), lab.Request{Node: node, Argv: argv, Dir: w.Root(node)})
	if err != nil {
		return run.Result{Code: 1, Stderr: []byte(err.Error())}
	}
	return r
}

// failed are the images that were put aside.
func (w *world) failed() (names []string) {
	w.T.Helper()
	entries, err := os.ReadDir(w.Shared() + "/lbvm/handoff/" + w.typ + "-" + w.vm)
	w.must(err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "failed.") {
			names = append(names, e.Name())
		}
	}
	return names
}

// A definition of one's own goes through what the drivers with a name go through.
func TestExecHandsOver(t *testing.T) {
	w := newExec(t)
	w.wants(7, "a", "status")
	w.wants(0, "a", "stop")
	w.wants(0, "a", "start")
	w.wants(7, "b", "status")
	w.wants(1, "b", "start")
	w.wants(0, "a", "stop")
	w.wantRecord("suspended")
	w.wants(0, "b", "start")
	w.wants(0, "b", "migrate a")
	w.wants(0, "a", "status")
	w.wantRecord("running a")
	w.wants(7, "b", "status")
	w.wants(0, "b", "stop")
	w.AwaitLines("xen", "vm1", 2)
	w.alone(0)
	if got := w.failed(); len(got) > 0 {
		t.Errorf("put aside: %q", got)
	}
}

// The program says that it has saved, the guest is gone, and half of its memory is in the image: nobody can see that of a
// technology that nobody knows. What restores it does; then the guest is booted, once, and the image stays out of use.
func TestExecSavesHalf(t *testing.T) {
	w := newExec(t)
	save := w.own["xsave"]
	w.own["xsave"] = func(node string, args []string) run.Result {
		r := save(node, args)
		fi, err := os.Stat(args[1])
		w.must(err)
		w.must(os.Truncate(args[1], fi.Size()/2))
		return r
	}
	w.wants(0, "a", "start")
	w.AwaitLines("xen", "vm1", 1)
	w.wants(0, "a", "stop")
	w.wantRecord("suspended")
	w.own["xsave"] = save
	w.wants(0, "b", "start")
	w.wantRecord("running b")
	if got := w.failed(); len(got) != 1 {
		t.Errorf("put aside: %q", got)
	}
	// What follows is as ever, and nothing of that image comes back.
	w.AwaitLines("xen", "vm1", 2)
	w.wants(0, "b", "stop")
	w.wants(0, "a", "start")
	w.AwaitLines("xen", "vm1", 2)
	w.wants(0, "a", "status")
	w.alone(1)
}

// Saving fails with half an image written, and the guest runs on: it is shut down, or, where its memory must be kept, stays.
func TestExecSaveFails(t *testing.T) {
	w := newExec(t)
	w.wants(0, "a", "start")
	w.AwaitLines("xen", "vm1", 1)
	w.Want(0, "", "a", "lab fault xm save-fails vm1 1 2")
	w.wants(1, "a", "stop", "OCF_RESKEY_on_stop=suspend-only")
	w.wants(0, "a", "status")
	w.wantRecord("running a")
	w.wants(0, "a", "stop")
	w.wantRecord("down")
	w.wants(0, "b", "start")
	w.AwaitLines("xen", "vm1", 2)
	w.alone(1)
}

// An image that cannot be restored is tried once. The guest is booted where it was to go on.
func TestExecRestoreRefuses(t *testing.T) {
	w := newExec(t)
	w.wants(0, "a", "start")
	w.AwaitLines("xen", "vm1", 1)
	w.wants(0, "a", "stop")
	w.Want(0, "", "b", "lab fault xm restore-fails vm1 1 1")
	w.wants(0, "b", "start")
	w.wantRecord("running b")
	restores := 0
	for _, r := range w.ran {
		if strings.Contains(r, " restore ") {
			restores++
		}
	}
	if got := w.failed(); restores != 1 || len(got) != 1 {
		t.Errorf("restored %d times, put aside: %q", restores, got)
	}
	w.AwaitLines("xen", "vm1", 2)
	w.wants(0, "b", "stop")
	w.wantRecord("suspended")
	w.wants(0, "a", "start")
	w.AwaitLines("xen", "vm1", 2)
	w.alone(1)
}

// Who cannot be asked has not stopped: a program of one's own that fails keeps a start off and fails a stop.
func TestExecThatDoesNotAnswer(t *testing.T) {
	w := newExec(t)
	w.wants(0, "a", "start")
	state := w.own["xstate"]
	for _, answer := range []run.Result{{Code: 1}, {Stdout: []byte("what?\n")}, {Stdout: []byte("up\ndown\n")}} {
		w.own["xstate"] = func(string, []string) run.Result { return answer }
		w.wants(1, "a", "stop")
		w.wants(1, "b", "start")
	}
	w.own["xstate"] = state
	w.wants(0, "a", "status")
	w.wantRecord("running a")
	w.alone(0)
}
