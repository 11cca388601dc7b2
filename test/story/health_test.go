package story

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// patient is a guest whose check a test answers: by files on the shared storage, which say how many checks are to fail
// yet and how many were made.
type patient struct {
	*world
	service
	node string
	// with is what stands in cluster.conf beside its check.
	with string
}

// checkScript is the administrator's check of all of them.
const checkScript = `#!/bin/sh
cd "$LBVM_ROOT/shared/answers" || exit 127
fails=$(cat "$LBVM_VM.fails")
echo "$fails" >>"$LBVM_VM.made"
[ "$fails" != 0 ] || exit 0
[ "$fails" != ever ] || exit 1
echo $((fails - 1)) >"$LBVM_VM.new" && mv "$LBVM_VM.new" "$LBVM_VM.fails"
echo "it does not answer" >&2
exit 1
`

// conf is the guest's element: looked at each second, by the deeper check alone.
func (p patient) conf() string {
	return fmt.Sprintf(`<%s name="%s" check="exec:/usr/local/bin/answers" %s><action name="status" depth="0" interval="0"/><action name="status" depth="10" interval="1s"/></%s>`,
		p.typ, p.vm, p.with, p.typ)
}

func (p patient) file(name string) string { return p.l.Path("shared/answers", p.vm+"."+name) }

// fail has the next n checks fail. Only a check that fails writes the file too, and the last one of them has.
func (p patient) fail(n int) { p.t.Helper(); p.answer(strconv.Itoa(n)) }

func (p patient) answer(fails string) {
	p.t.Helper()
	text := fails + "\n"
	if err := os.WriteFile(p.file("test"), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(p.file("test"), p.file("fails")); err != nil {
		p.t.Fatal(err)
	}
}

// made are the checks that were made: how many were to fail at each.
func (p patient) made() []string {
	b, err := os.ReadFile(p.file("made"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// awaitWell waits until so many more checks were made than before, the last of them well.
func (p patient) awaitWell(before, more int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d checks of %s more, the last of them well", more, p.vm), limit, func() bool {
		made := p.made()
		return len(made) >= before+more && made[len(made)-1] == "0"
	})
}

func (p patient) boots() int { p.t.Helper(); return incarnations(p.witness(p.guest())) }

// TestHealth has guests that run and do not answer, under the lab's cluster manager: what is tolerated, what is
// restarted, what goes to the other node, what is only told of, and a start that waits.
func TestHealth(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	restart := patient{w, service{"web1", "kvm", "web1"}, "node1", `check_limit="2" check_action="restart"`}
	failover := patient{w, service{"web2", "xen", "web2"}, "node1", `check_limit="0" check_action="failover"`}
	report := patient{w, service{"centos1", "openvz", "101"}, "node1", `check_limit="0" check_action="report"`}
	ready := patient{w, service{"web3", "xen", "web3"}, "node2", `wait_ready="80"`}
	all := []patient{restart, failover, report, ready}

	o := lab.Options{Nodes: []string{"node1", "node2"}}
	for _, p := range all {
		o.VMs = append(o.VMs, lab.VM{Type: p.typ, Name: p.vm, Service: p.name, Node: p.node})
	}
	*w = *newWorld(t, o, func(l lab.Layout) {
		w.l = l
		if err := os.MkdirAll(l.Path("shared/answers"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			p.fail(0)
		}
		for _, n := range o.Nodes {
			conf := filepath.Join(l.Root(n), host.ClusterXML)
			b, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(b), "<rm>", `<rm status_poll_interval="1">`, 1)
			for _, p := range all {
				text = strings.Replace(text, fmt.Sprintf("<%s name=%q/>", p.typ, p.vm), p.conf(), 1)
			}
			if strings.Count(text, "exec:/usr/local/bin/answers") != len(all) {
				t.Fatalf("not all have a check: %s", text)
			}
			script := filepath.Join(l.Root(n), "usr/local/bin/answers")
			for _, err := range []error{os.WriteFile(conf, []byte(text), 0o640), os.MkdirAll(filepath.Dir(script), 0o755), os.WriteFile(script, []byte(checkScript), 0o755)} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	for _, p := range all {
		w.awaitTick(p.guest(), p.node)
		p.awaitWell(0, 1)
	}
	of := func(node string, p patient, outcome string) int {
		return count(w.journal(), "node", node, "vm", p.guest(), "outcome", outcome)
	}

	// As many as are tolerated, and one more: booted anew where it is.
	began := len(restart.made())
	restart.fail(2)
	restart.awaitWell(began, 3)
	if n := restart.boots(); n != 1 {
		t.Errorf("two failed checks of two that are tolerated: booted %d times", n)
	}
	restart.fail(3)
	w.until("web1 is booted anew", limit, func() bool { return restart.boots() == 2 })
	w.awaitTick(restart.guest(), "node1")
	// What counted before the boot does not count after it.
	began = len(restart.made())
	restart.fail(2)
	restart.awaitWell(began, 3)
	if n := restart.boots(); n != 2 {
		t.Errorf("after the boot two failed checks more: booted %d times", n)
	}

	// None is tolerated, and this node's start is refused once.
	failover.fail(1)
	w.awaitTick(failover.guest(), "node2")
	if n, refused := failover.boots(), of("node1", failover, "failed"); n != 2 || refused != 1 {
		t.Errorf("a failover: booted %d times, its start on the old node refused %d times", n, refused)
	}
	w.until("web2 is started on node2", limit, func() bool {
		state, owner := w.status().service("web2")
		return state == "started" && owner == "node2"
	})

	// Five of none that is tolerated: only told of.
	began = len(report.made())
	report.fail(5)
	report.awaitWell(began, 6)
	w.awaitTick(report.guest(), "node1")
	if n := report.boots(); n != 1 {
		t.Errorf("a guest that is only told of was booted %d times", n)
	}

	// A start that waits is over when the guest answers.
	w.on("node2", "clusvcadm", "-d", "web3")
	began = len(ready.made())
	ready.answer("ever")
	started := make(chan string, 1)
	go func() {
		out, code := w.tryOn("node2", "clusvcadm", "-e", "web3", "-m", "node2")
		started <- fmt.Sprintf("%d %s", code, out)
	}()
	w.until("web3 is asked whether it is ready", limit, func() bool { return len(ready.made()) >= began+2 })
	select {
	case out := <-started:
		t.Errorf("the start did not wait: %s", out)
	default:
	}
	if state, _ := w.status().service("web3"); state != "starting" {
		t.Errorf("a start that waits: the service is %s", state)
	}
	if err := os.WriteFile(ready.file("made"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ready.fail(0)
	out := <-started
	if made := ready.made(); !strings.HasPrefix(out, "0 ") || len(made) == 0 || made[len(made)-1] != "0" {
		t.Errorf("a start of a guest that answers: %s after %q", out, made)
	}
	if n := of("node2", ready, "not ready"); n != 0 {
		t.Errorf("a guest that answered was not ready %d times", n)
	}
	w.silent(1)
}
