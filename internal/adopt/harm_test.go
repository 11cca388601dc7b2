package adopt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// killedAt runs an adoption that ends at a point.
func (b bench) killedAt(t *testing.T, at string) (Adopter, Plan) {
	t.Helper()
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	a.At = func(point string) error {
		if point == at {
			return errKilled
		}
		return nil
	}
	if err := a.Add(context.Background(), p); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.At = nil
	return a, p
}

// A VM that somebody has started after its configuration was retired, of which a resume takes that step for done, is not
// given to the cluster.
func TestStartedByHand(t *testing.T) {
	for _, at := range []string{"copy", "cluster"} {
		b := newBench(t, openvzKind())
		a, p := b.killedAt(t, at)
		put(t, filepath.Join(b.dir, "node1/run.101"), "")
		if err := a.Resume(context.Background(), p); !errors.Is(err, ErrHalf) || !strings.Contains(err.Error(), "is running") {
			t.Errorf("%s: %v", at, err)
		}
		if there, err := exists(filepath.Join(b.dir, "node1", b.k.tree)); err != nil || there != (at == "copy") {
			t.Errorf("%s: the original: %v %v", at, there, err)
		}
		must(t, os.Remove(filepath.Join(b.dir, "node1/run.101")))
		must(t, a.Resume(context.Background(), p))
		if wrong := b.wholeNew(t); len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}
	}
	b := newBench(t, openvzKind()) // on another node, while the question stands
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	put(t, filepath.Join(b.dir, "node2/run.101"), "")
	if err := a.Add(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "which is running") {
		t.Errorf("%v", err)
	}
}

// Another node, or this one, would start the domain when it boots.
func TestXendomains(t *testing.T) {
	k := xenKind()
	for path, want := range map[string]string{"node2/etc/xen/auto/10-web": "from /etc/xen/auto/10-web", "node1/var/lib/xen/save/web1": "xendomains restores it", "node2/var/lib/xen/save/web1": "xendomains restores it"} {
		b := newBench(t, k)
		put(t, filepath.Join(b.dir, path), k.files["etc/xen/auto/web1"])
		if _, err := b.adopter("node1").Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What this node reaches on the shared storage by a link of its own is written as every node reaches it.
func TestSharedByALink(t *testing.T) {
	for _, k := range []kind{openvzKind(), xenKind()} {
		b := newBench(t, k)
		local := filepath.Join(b.dir, "node1", k.tree+k.image)
		must(t, os.MkdirAll(filepath.Join(b.dir, "shared/old"), 0o755))
		must(t, os.Rename(local, filepath.Join(b.dir, "shared/old", filepath.Base(local))))
		must(t, os.Remove(filepath.Dir(local)))
		must(t, os.Symlink(filepath.Join(b.dir, "shared/old"), filepath.Dir(local)))
		p, err := b.adopter("node1").Look(context.Background(), b.request())
		must(t, err)
		if want := "/gfs/old/" + filepath.Base(local); len(p.Copies) != 0 || !strings.Contains(string(p.Texts[0].Body), want) {
			t.Errorf("%s: %q", p.Texts[0].Body, want)
		}
	}
}

// The originals of a VM that was given back and is adopted again are those of the new adoption.
func TestPurgeOfAnUnfinishedAdoption(t *testing.T) {
	k := xenKind()
	b, a := adopted(t, k)
	must(t, b.giveBack(t, a))
	found, err := a.Originals(context.Background())
	must(t, err)
	if len(found) < 2 {
		t.Fatalf("%+v", found)
	}
	for _, o := range found {
		must(t, a.Purge(o))
	}
	a, p := b.killedAt(t, "cluster")
	if found, err := a.Originals(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("unfinished: %+v, %v", found, err)
	}
	kept := filepath.Join(b.dir, "node1", k.config) + origSuffix
	must(t, os.Rename(kept, kept+".away"))
	if err := a.Undo(context.Background(), p); !errors.Is(err, ErrHalf) || !strings.Contains(err.Error(), "is gone, too") {
		t.Errorf("an undo without the original: %v", err)
	}
	must(t, os.Rename(kept+".away", kept))
	must(t, a.Resume(context.Background(), p))
	found, err = a.Originals(context.Background())
	must(t, err)
	for _, o := range found {
		if o.Unproved == "" {
			t.Errorf("never started, and to be deleted: %+v", o)
		}
	}
	if len(found) == 0 {
		t.Error("no originals")
	}
}

// An agent, or a person on another node, starts the VM from its new place while it is taken back: the copy is kept.
func TestStartedDuringAnUndo(t *testing.T) {
	b := newBench(t, openvzKind())
	a, p := b.killedAt(t, "finish")
	put(t, filepath.Join(b.dir, "node2/run.101"), "")
	if err := a.Undo(context.Background(), p); !errors.Is(err, ErrHalf) || !strings.Contains(err.Error(), "is running on node2") {
		t.Errorf("%v", err)
	}
	must(t, os.Remove(filepath.Join(b.dir, "node2/run.101")))
	a.At = func(point string) error {
		if point == "undo:switch" {
			b.ran(t, handoff.Starting)
		}
		return nil
	}
	if err := a.Undo(context.Background(), p); !errors.Is(err, ErrHalf) || !strings.Contains(err.Error(), "starting") {
		t.Errorf("%v", err)
	}
	if there, err := exists(filepath.Join(b.dir, "shared/openvz/private/101")); err != nil || !there {
		t.Errorf("what runs was renamed: %v", err)
	}
	a.At = nil
	must(t, a.Resume(context.Background(), p))
	if wrong := b.wholeNew(t); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}

// A removal that was cut off is not gone on with once the cluster has started the VM.
func TestRemovalResumedWhileItRuns(t *testing.T) {
	b, a := adopted(t, openvzKind())
	a.At = func(point string) error {
		if point == "nodes" {
			return errKilled
		}
		return nil
	}
	if err := b.giveBack(t, a); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.At = nil
	b.ran(t, handoff.Running)
	p, err := a.Find("")
	must(t, err)
	if err := a.Resume(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "running node2") {
		t.Errorf("%v", err)
	}
	if there, err := exists(filepath.Join(b.dir, "node2", b.k.config)); err != nil || !there {
		t.Errorf("the link of the node that runs it is gone: %v", err)
	}
}

// A folder without a plan hides nothing: the other nodes are asked to remove their links.
func TestRemovalAfterAPlanThatWasNotWritten(t *testing.T) {
	b, a := adopted(t, openvzKind())
	must(t, os.MkdirAll(filepath.Join(a.Shared, Unfinished, "openvz-101"), 0o700))
	p, err := a.LookRemoval(context.Background(), "openvz", b.k.vm)
	must(t, err)
	if len(p.Removal.Asked) != 1 {
		t.Errorf("asked are %q", p.Removal.Asked)
	}
}

// What rsync has left of an image when its node died goes with the copy.
func TestRsyncsRest(t *testing.T) {
	b := newBench(t, xenKind())
	a, p := b.killedAt(t, "copy/note")
	rest := filepath.Join(b.dir, "shared/xen/images/web1/.web1.img.lbvm-part.Ab3dEf")
	put(t, rest, "half")
	must(t, a.Undo(context.Background(), p))
	if there, err := exists(rest); err != nil || there {
		t.Errorf("it is there: %v", err)
	}
}

// An image that is no more than the difference from a file of this node is refused; from one that all nodes see it is not.
func TestImageOnAnotherImage(t *testing.T) {
	head := func(base string) string {
		return "QFI\xfb\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00" + string(rune(len(base))) + strings.Repeat("\x00", 12) + base
	}
	b := newBench(t, kvmKind())
	image := filepath.Join(b.dir, "node1/srv/web2.img")
	for base, want := range map[string]string{"/srv/base.img": "base.img", "base.img": "base.img", "": "", "/gfs/base.img": "base.img"} {
		put(t, filepath.Join(b.dir, "node1/srv/base.img"), "base")
		put(t, filepath.Join(b.dir, "shared/base.img"), "base")
		must(t, os.WriteFile(image, []byte(head(base)), 0o600))
		_, err := b.adopter("node1").Look(context.Background(), b.request())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), "differs from") {
			t.Errorf("%q: %v", base, err)
		}
	}
	b.k.files["root/web2.xml"] = strings.ReplaceAll(kvmXML, "/srv/", "/gfs/")
	put(t, filepath.Join(b.dir, "node1/root/web2.xml"), b.k.files["root/web2.xml"])
	put(t, filepath.Join(b.dir, "shared/web2.img"), head("/gfs/base.img"))
	if _, err := b.adopter("node1").Look(context.Background(), b.request()); err != nil {
		t.Errorf("both on the shared storage: %v", err)
	}
}

// A node that was off when the VM was given back removes its links later, as it is told to.
func TestLeaveAfterTheRemoval(t *testing.T) {
	b, a := adopted(t, openvzKind())
	a.Peer = nil
	if err := b.giveBack(t, a); !errors.Is(err, ErrPeers) || !strings.Contains(err.Error(), "--leave openvz:101") {
		t.Fatal(err)
	}
	other := b.adopter("node2")
	p, err := other.Known("openvz:101")
	must(t, err)
	must(t, other.Leave(context.Background(), p))
	if there, err := exists(filepath.Join(b.dir, "node2", b.k.config)); err != nil || there {
		t.Errorf("the link is there: %v", err)
	}
	if err := other.Join(context.Background(), p); !errors.Is(err, ErrRefused) {
		t.Errorf("a link to what was given back: %v", err)
	}
	if _, err := a.LookRemoval(context.Background(), "openvz", "101"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was given back to node1") {
		t.Errorf("a second removal: %v", err)
	}
}
