package story

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// mutant is one fault put into the sources: a text that stands there exactly once, and what stands there instead.
type mutant struct {
	name, file, text, instead string
	builds                    [][2]string // program below the build's folder, its folder in the module
	scenario                  func(*world) error
	wants                     []string // what the scenario must complain of
}

func mutants() []mutant {
	openvz, xen, lbm := [2]string{"agents/openvz.sh", "agents/openvz"}, [2]string{"agents/xen.sh", "agents/xen"}, [2]string{"lbm", "cmd/lbm"}
	return []mutant{
		{"restore boots instead", "internal/hypervisor/openvz_checkpoint.go",
			`return o.retryLocked(ctx, "restore", g.Name, "--dumpfile", image)`, `return o.retryLocked(ctx, "start", g.Name)`,
			[][2]string{openvz}, imageStory, []string{"lost memory  openvz:101"}},
		{"lbm lays no ticket", "internal/move/move.go",
			`issued, err := m.ticket(p, r, txn)`, `issued, err := (*handoff.Issued)(nil), error(nil)`,
			[][2]string{lbm}, liveStory, []string{"was not pushed", "was silent for"}},
		{"stop looks at no ticket", "internal/handoff/protocol/stop.go",
			`return v.Ticket == LiveTicket`, `return false`,
			[][2]string{xen}, liveStory, []string{"was not pushed", "was silent for"}},
		{"start trusts no record", "internal/handoff/protocol/start.go",
			`handoff.Suspending, handoff.Resuming) && v.NodeGone`, `handoff.Suspending, handoff.Resuming)`,
			[][2]string{openvz, xen}, secondStory, []string{"double run  openvz:101", "double run  xen:web1"}},
	}
}

// bigGuest is so many MiB that the lab needs 1.7 s for a hand-off by image; longest is a long pause of a live one.
const (
	bigGuest = 4096
	longest  = 1200 * time.Millisecond
)

// TestMutants shows that the stories would notice: each passes with the programs as they are, and fails with one
// line of them changed.
func TestMutants(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		w := newMutantWorld(t, bin(t))
		for _, story := range []func(*world) error{imageStory, liveStory, secondStory} {
			if err := story(w); err != nil {
				t.Error(err)
			}
		}
	})
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newMutantWorld(t, m.build(t))
			err := m.scenario(w)
			if err == nil {
				t.Fatalf("the story did not notice that %s has %q for %q", m.file, m.instead, m.text)
			}
			for _, want := range m.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the story does not speak of %q, but says: %v", want, err)
				}
			}
		})
	}
}

func newMutantWorld(t *testing.T, programs string) *world {
	t.Helper()
	o := pair(bigGuest)
	o.Programs, o.Scale = programs, 30
	w := newWorld(t, o)
	w.setUp("node1", "node2")
	return w
}

// build makes the programs with the fault in a folder, beside the others as they are.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	dir, source := t.TempDir(), filepath.Join(moduleRoot, m.file)
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.text); n != 1 {
		t.Fatalf("%q stands %d times in %s: the mutant must follow the source", m.text, n, m.file)
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.text, m.instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if source, err = filepath.Abs(source); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	all := filepath.Join(dir, "bin")
	if err := os.MkdirAll(filepath.Join(all, "agents"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, b := range m.builds {
		if err := build(filepath.Join(all, b[0]), b[1], overlay); err != nil {
			t.Fatal(err)
		}
	}
	var rest []string
	for _, p := range programs {
		rest = append(rest, p)
	}
	for _, a := range agents {
		rest = append(rest, "agents/"+a+".sh")
	}
	for _, p := range rest {
		if err := os.Symlink(filepath.Join(bin(t), p), filepath.Join(all, p)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	return all
}

// imageStory: a container goes to the other node and back, and keeps its memory.
func imageStory(w *world) error {
	for _, target := range []string{"node2", "node1"} {
		if out, code := w.tryOn("node1", "clusvcadm", "-r", "centos1", "-m", target); code != 0 {
			return fmt.Errorf("clusvcadm: exit %d: %s", code, out)
		}
		w.awaitTick("openvz:101", target)
	}
	return w.verdict(0)
}

// liveStory: lbm moves a big domain, and it is away for a moment only. A busy machine may make that long, but not each time.
func liveStory(w *world) error {
	var errs []error
	silent := errors.New("not moved")
	for try := 0; try < 3 && silent != nil; try++ {
		from, target := "node1", "node2"
		if try%2 == 1 {
			from, target = target, from
		}
		before, mark := count(w.journal(), "event", "agent", "vm", "xen:web1", "outcome", "sent"), len(w.witness("xen:web1"))
		if out, code, _ := w.migrate(two()[1], from, target); code != 0 {
			return fmt.Errorf("lbm migrate: exit %d: %s", code, out)
		}
		w.awaitTick("xen:web1", target)
		if count(w.journal(), "event", "agent", "vm", "xen:web1", "outcome", "sent") != before+1 {
			errs = append(errs, errors.New("xen:web1 was not pushed live"))
		}
		silent = nil
		if g := gap(w.witness("xen:web1")[max(mark-1, 0):]); g > longest {
			silent = fmt.Errorf("xen:web1 was silent for %s on its way", g)
		}
	}
	return errors.Join(append(errs, silent, w.verdict(0))...)
}

// secondStory: the start on a node where the VM does not run, while it runs on the other, must be refused.
func secondStory(w *world) error {
	var errs []error
	for _, s := range two() {
		_, owner := w.status().service(s.name)
		other := map[string]string{"node1": "node2", "node2": "node1"}[owner]
		if code := real.ActionClosed(w.t, w.conditions(other, s.typ, s.vm, "start"), w.agent(other, s.typ), "start"); code != 1 {
			errs = append(errs, fmt.Errorf("start of %s on %s, while it runs on %s: exit %d", s.guest(), other, owner, code))
			w.awaitTick(s.guest(), other)
		}
		w.awaitTick(s.guest(), owner)
	}
	return errors.Join(append(errs, w.verdict(0))...)
}
