package vm

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// A node that does not see the guest's disk cannot run it: it must not use up the memory that another node can use.
func TestDiskThatIsNotHere(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	w.must(x.do("stop"))
	before := stateText(w.state()) + fmt.Sprint(w.litter())
	a := y.agent()
	a.Fingerprint = func(host.Host, hypervisor.Guest, bool) (string, error) {
		return "", &fs.PathError{Op: "open", Path: "/dev/vg/web", Err: syscall.ENXIO}
	}
	if err := a.Start(context.Background(), y.call(nil)); err == nil {
		t.Error("started without its disk")
	}
	if after := stateText(w.state()) + fmt.Sprint(w.litter()); after != before {
		t.Errorf("the start that failed has changed\n%s\nto\n%s", before, after)
	}
	w.must(x.do("start"))
	if x.g.incarnation != incarnation {
		t.Error("the memory is lost")
	}
	w.ok()
}

// A file of a disk that is missing is no fingerprint: its file system is not mounted.
func TestFingerprintOfAMissingDisk(t *testing.T) {
	h, err := host.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(h.Root(), "disk.img")
	g := hypervisor.Guest{Name: "web", Witnesses: []hypervisor.Witness{{Path: disk}}}
	if sum, err := Fingerprint(h, g, false); err == nil {
		t.Errorf("a fingerprint of nothing: %s", sum)
	}
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Fingerprint(h, g, false); err != nil {
		t.Error(err)
	}
}

// A guest without a disk that would show a boot (its root comes over the network) has no image: nothing could tell later that it is
// too old. That must be known before its memory is written, since saving ends the guest.
func TestNothingIsSavedWithoutAFingerprint(t *testing.T) {
	for _, stop := range []string{"suspend", "suspend-only"} {
		w := newWorld(t, "xen", "node1", "node2")
		x := w.nodes["node1"]
		w.must(x.do("start"))
		a := x.agent()
		a.Fingerprint = func(h host.Host, g hypervisor.Guest, tree bool) (string, error) {
			g.Witnesses = nil
			return Fingerprint(h, g, tree)
		}
		x.calls = nil
		err := a.Stop(context.Background(), x.call(map[string]string{"on_stop": stop}))
		if slices.Contains(x.calls, "save") {
			t.Errorf("on_stop=%s: the tool was called: %q", stop, x.calls)
		}
		st := w.state()
		if stop == "suspend" && (err != nil || st.Phase != handoff.Down) || stop == "suspend-only" && (err == nil || st.Phase != handoff.Running) {
			t.Errorf("on_stop=%s: %v, state %+v", stop, err, st)
		}
	}
}
