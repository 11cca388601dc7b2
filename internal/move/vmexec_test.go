package move

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// ofOwn adds a VM of a technology that an administrator has defined; each node has the technology as given.
func ofOwn(w *world, from, target *host.Technology) {
	s := *w.service("101")
	s.ID, s.VM, s.VMType, s.Params = "service:own", "own", "vmexec", map[string]string{"type": "toy"}
	w.mgr.status.Services = append(w.mgr.status.Services, s)
	w.record("vmexec", "own", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
	for node, x := range map[string]*host.Technology{"node1": from, "node2": target} {
		w.facts(node, func(f *host.Facts) {
			f.Lists = append(f.Lists, "vmexec")
			f.VMs = append(f.VMs, host.VMFact{Type: "vmexec", Name: "own", Mem: 1 << 30})
			if x != nil {
				f.Technologies = map[string]host.Technology{"toy": *x}
			}
		})
	}
}

func TestOwnTechnology(t *testing.T) {
	plain, saves := &host.Technology{Digest: "a"}, &host.Technology{Digest: "a", Saves: true}
	moves, both := &host.Technology{Digest: "a", Migrates: true}, &host.Technology{Digest: "a", Saves: true, Migrates: true}
	for _, c := range []struct {
		name         string
		from, target *host.Technology
		kind         handoff.Kind
		method       string
		refusal      string
	}{
		{"neither saves nor moves", plain, plain, handoff.Cold, "cold: its technology keeps no memory", ""},
		{"saves", saves, saves, handoff.Image, "with its memory in an image", ""},
		{"moves", moves, moves, handoff.Live, "live", ""},
		{"both", both, both, handoff.Live, "live", ""},
		{"another definition", plain, &host.Technology{Digest: "b"}, handoff.Cold, "cold", "the technology toy is defined in another way on node2 than on node1: copy /etc/cluster/lbvm.d/toy"},
		{"not defined there", plain, nil, handoff.Cold, "cold", "node node2 does not say how the technology toy is defined there"},
		{"not defined here", nil, plain, handoff.Image, "image", "node node1 does not say how the technology toy is defined there"},
	} {
		w := newWorld(t)
		ofOwn(w, c.from, c.target)
		r := request("vmexec", "own", "node2")
		p, err := w.mover.preflight(context.Background(), r, &checks{})
		if p.kind != c.kind || !strings.Contains(p.kindText(), c.method) {
			t.Errorf("%s: %s (%s), want %s", c.name, p.kind, p.kindText(), c.kind)
		}
		if (err == nil) != (c.refusal == "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refusal)
		}
	}
}

// A VM that moves along with another is asked about as well.
func TestOwnTechnologyInAService(t *testing.T) {
	w := newWorld(t)
	ofOwn(w, &host.Technology{Digest: "a"}, &host.Technology{Digest: "b"})
	w.service("own").ID = w.service("101").ID
	if err := w.mover.Check(context.Background(), request("openvz", "101", "node2")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "defined in another way") {
		t.Errorf("%v", err)
	}
}
