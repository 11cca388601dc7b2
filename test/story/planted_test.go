package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
)

// pair is a small lab: two nodes, and a guest of each technology on the first; the domain has so many MiB.
func pair(mem int) lab.Options {
	return lab.Options{Nodes: []string{"node1", "node2"}, VMs: []lab.VM{
		{Type: "openvz", Name: "101", Service: "centos1", Node: "node1"}, {Type: "xen", Name: "web1", Node: "node1", Memory: mem}}}
}

// two are the services of a pair.
func two() []service { return []service{{"centos1", "openvz", "101"}, {"web1", "xen", "web1"}} }

// hands is what an administrator types who goes past the cluster manager.
type hands struct {
	start, end []string
	restore    func(image string) []string
}

func byHand(s service) hands {
	if s.typ == "openvz" {
		return hands{[]string{"vzctl", "start", s.vm}, []string{"vzctl", "stop", s.vm, "--fast"},
			func(image string) []string { return []string{"vzctl", "restore", s.vm, "--dumpfile", image} }}
	}
	return hands{[]string{"xm", "create", s.vm}, []string{"xm", "destroy", s.vm},
		func(image string) []string { return []string{"xm", "restore", image} }}
}

// TestCheckerFindsPlanted plants each fault that the checker is there for ten times with each technology, and wants
// it found each time at the first look.
func TestCheckerFindsPlanted(t *testing.T) {
	t.Parallel()
	const runs = 10
	w := newWorld(t, pair(0))
	w.silent(0)
	for _, s := range two() {
		t.Run(s.typ, func(t *testing.T) {
			t.Parallel()
			w := w.with(t)
			image := w.copyOfAnImage(s)
			h := byHand(s)
			for _, x := range []struct {
				kind  lab.Kind
				plant func()
			}{
				{lab.DoubleRun, func() { // a second one elsewhere, while the service runs
					w.on("node2", h.start...)
					w.awaitTick(s.guest(), "node2")
					w.awaitTick(s.guest(), "node1")
				}},
				{lab.StaleImage, func() { // back to what it was long ago
					w.on("node1", h.end...)
					w.on("node1", h.restore(image)...)
					w.awaitTick(s.guest(), "node1")
				}},
				{lab.LostMemory, func() { // killed and booted again
					w.on("node1", h.end...)
					w.on("node1", h.start...)
					w.awaitTick(s.guest(), "node1")
				}},
			} {
				found := 0
				for i := 0; i < runs; i++ {
					w.forget(s)
					x.plant()
					out, code := w.try("check")
					if code == 1 && strings.Contains(out, "  "+string(x.kind)+"  "+s.guest()+"\n") {
						found++
					} else {
						t.Errorf("run %d: a planted %s of %s: exit %d: %s", i+1, x.kind, s.guest(), code, out)
					}
					if x.kind == lab.DoubleRun {
						w.on("node2", h.end...)
					}
				}
				t.Logf("%s of %s: found in %d of %d runs", x.kind, s.guest(), found, runs)
			}
		})
	}
}

// imageOf gives the one image in a hand-off folder.
func (w *world) imageOf(s service) string {
	w.t.Helper()
	images, err := filepath.Glob(w.l.Path("shared/lbvm/handoff", s.typ+"-"+s.vm, "image.*"))
	if err != nil || len(images) != 1 {
		w.t.Fatalf("the images of %s are %q, %v", s.guest(), images, err)
	}
	return images[0]
}

// copyOfAnImage disables the service, copies the image that its guest waits in, and enables it again.
func (w *world) copyOfAnImage(s service) (mem string) {
	w.t.Helper()
	w.on("node1", "clusvcadm", "-d", s.name)
	copied := w.l.Path("shared", "copy-of-"+s.vm)
	if err := os.CopyFS(copied, os.DirFS(w.imageOf(s))); err != nil {
		w.t.Fatal(err)
	}
	w.on("node1", "clusvcadm", "-e", s.name, "-m", "node1")
	w.awaitTick(s.guest(), "node1")
	return filepath.Join(copied, "mem")
}

// forget empties what the guest has written, and wants the checker to be content with what comes then.
func (w *world) forget(s service) {
	w.t.Helper()
	if err := os.Truncate(w.l.Witness(s.typ, s.vm), 0); err != nil {
		w.t.Fatal(err)
	}
	w.awaitTick(s.guest(), "node1")
	if out, _ := w.try("check"); strings.Contains(out, "  "+s.guest()+"\n") {
		w.t.Fatalf("before anything was planted: %s", out)
	}
}

// TestOldImageIsNeverUsed puts the copy of an image that was used back into the hand-off folder: no agent may believe
// it, neither at a relocation nor after the guest has died.
func TestOldImageIsNeverUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pair(0))
	putBack := map[string]func(){}
	for _, s := range two() {
		w.on("node1", "clusvcadm", "-d", s.name)
		image, kept := w.imageOf(s), w.l.Path("shared", "copy-of-"+s.vm)
		if err := os.CopyFS(kept, os.DirFS(image)); err != nil {
			t.Fatal(err)
		}
		w.on("node1", "clusvcadm", "-e", s.name, "-m", "node1")
		putBack[s.name] = func() {
			t.Helper()
			if err := os.CopyFS(image, os.DirFS(kept)); err != nil {
				t.Fatal(err)
			}
		}
		for _, target := range []string{"node2", "node1"} {
			putBack[s.name]()
			w.on("node1", "clusvcadm", "-r", s.name, "-m", target)
			w.awaitTick(s.guest(), target)
		}
	}
	w.silent(0)
	for _, s := range two() {
		putBack[s.name]()
		w.must("crash", s.guest())
		w.on("node1", "clusvcadm", "-d", s.name)
		w.on("node1", "clusvcadm", "-e", s.name, "-m", "node2")
		w.awaitTick(s.guest(), "node2")
		if n := incarnations(w.witness(s.guest())); n != 2 {
			t.Errorf("guest %s has died once and booted %d times", s.guest(), n)
		}
	}
	w.silent(1)
}
