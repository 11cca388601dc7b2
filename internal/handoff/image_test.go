package handoff

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

// entries lists the folder without its lock.
func entries(t *testing.T, d *Dir) []string {
	t.Helper()
	names, err := d.names(func(n string) bool { return n != "lock" && n != "state" && n != "ticket.lock" })
	must(t, err)
	return names
}

func expect(t *testing.T, d *Dir, want ...string) {
	t.Helper()
	if got := entries(t, d); !slices.Equal(got, want) {
		t.Fatalf("the folder holds %q, want %q", got, want)
	}
}

func part(t *testing.T, l *Locked, txn string) {
	t.Helper()
	mem, err := l.Part(txn)
	must(t, err)
	must(t, os.WriteFile(mem, []byte("memory"), 0o600))
}

func publish(t *testing.T, l *Locked, txn, fp string) {
	t.Helper()
	part(t, l, txn)
	must(t, l.Note(txn))
	must(t, l.Publish(txn, Meta{Tool: "vzctl 4.11", Arch: "amd64", Fingerprint: fp}))
}

// What NFS remembers of a folder is asked anew only where the folder is opened.
func TestWhatIsMissingIsLookedForTwice(t *testing.T) {
	d := open(t, share(t))
	l := lock(t, d)
	events, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	defer unix.Close(events)
	_, err = unix.InotifyAddWatch(events, d.Path(), unix.IN_OPEN|unix.IN_ONLYDIR)
	must(t, err)
	for what, look := range map[string]func() (bool, error){
		"image":  func() (bool, error) { return l.HasImage(txnA) },
		"record": func() (bool, error) { st, err := l.Dir.Read(); return st.Phase != NoRecord, err },
	} {
		if ok, err := look(); ok || err != nil {
			t.Fatal(what, ok, err)
		}
		if n, err := unix.Read(events, make([]byte, 4096)); n <= 0 { // the event is there when open returns
			t.Errorf("%s: the folder was not opened (%v)", what, err)
		}
	}
}

func TestImageLife(t *testing.T) {
	l := lock(t, open(t, share(t)))
	publish(t, l, txnA, "fp1")
	expect(t, l.Dir, "image."+txnA)
	if ok, err := l.HasImage(txnA); err != nil || !ok {
		t.Fatal(ok, err)
	}
	must(t, l.Refresh(txnA, "fp2"))
	st := sample(Suspended)
	must(t, l.Usable(st, "fp2"))
	for name, err := range map[string]error{
		"old fingerprint": l.Usable(st, "fp1"), "no fingerprint": l.Usable(st, ""),
		"other phase": l.Usable(sample(Held), "fp2"),
	} {
		if !errors.Is(err, ErrBadImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, l.Claim(txnA, "node2"))
	if err := l.Usable(st, "fp2"); !errors.Is(err, ErrNoImage) {
		t.Errorf("a claimed image is usable: %v", err)
	}
	if err := l.Claim(txnA, "node3"); !errors.Is(err, ErrNoImage) {
		t.Errorf("an image was claimed twice: %v", err)
	}
	mem, err := l.CheckClaim(txnA, "node2", "fp2")
	must(t, err)
	if b, err := os.ReadFile(mem); err != nil || string(b) != "memory" {
		t.Fatalf("%q, %v", b, err)
	}
	must(t, l.Unclaim(txnA, "node2"))
	expect(t, l.Dir)
}

func TestDamagedImageIsRefused(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"dump cut":     func(dir string) error { return os.Truncate(filepath.Join(dir, MemFile), 3) },
		"dump gone":    func(dir string) error { return os.Remove(filepath.Join(dir, MemFile)) },
		"meta gone":    func(dir string) error { return os.Remove(filepath.Join(dir, metaFile)) },
		"meta damaged": func(dir string) error { return os.Truncate(filepath.Join(dir, metaFile), 20) },
		"meta of another": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, metaFile), Meta{Txn: txnB, VM: "101", Type: "openvz", Size: 6, Fingerprint: "fp"}.format(), 0o600)
		},
	} {
		l := lock(t, open(t, share(t)))
		publish(t, l, txnA, "fp")
		must(t, l.Claim(txnA, "node1"))
		must(t, harm(l.file(claimName(txnA, "node1"))))
		if _, err := l.CheckClaim(txnA, "node1", "fp"); !errors.Is(err, ErrBadImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoteIsOfThisDump(t *testing.T) {
	l := lock(t, open(t, share(t)))
	part(t, l, txnA)
	if ok, err := l.Noted(txnA); err != nil || ok {
		t.Fatalf("noted before Note: %v, %v", ok, err)
	}
	must(t, l.Note(txnA))
	if ok, err := l.Noted(txnA); err != nil || !ok {
		t.Fatalf("not noted: %v, %v", ok, err)
	}
	must(t, os.WriteFile(filepath.Join(l.file(partName(txnA)), MemFile), []byte("mem"), 0o600))
	if ok, err := l.Noted(txnA); err != nil || ok {
		t.Fatalf("a dump of another size counts as noted: %v, %v", ok, err)
	}
	if ok, err := l.Noted(txnB); err != nil || ok {
		t.Fatalf("a dump that is not there counts as noted: %v, %v", ok, err)
	}
}

func TestRetireAndPrune(t *testing.T) {
	l := lock(t, open(t, share(t)))
	publish(t, l, txnA, "fp")
	must(t, l.Claim(txnA, "node1"))
	must(t, l.Fail())
	expect(t, l.Dir, "failed."+txnA)
	part(t, l, txnB)
	if litter, err := l.Litter(); err != nil || !litter {
		t.Fatal(litter, err)
	}
	must(t, l.Discard())
	expect(t, l.Dir, "discarded."+txnB, "failed."+txnA)
	if litter, err := l.Litter(); err != nil || litter {
		t.Fatal(litter, err)
	}
	must(t, l.Prune(1))
	expect(t, l.Dir, "discarded."+txnB)
	must(t, l.Prune(0))
	expect(t, l.Dir)
	// A name that is not ours is taken out of use as well.
	must(t, os.Mkdir(l.file("image.strange.part"), 0o700))
	must(t, l.Discard())
	expect(t, l.Dir, "discarded.image.strange.part")
	// What a killed writer has left goes, whatever is kept; a ticket that is just being written is not ours to remove.
	must(t, os.WriteFile(l.file(atomicfile.TempPrefix+"state-1"), []byte("half"), 0o600))
	must(t, os.WriteFile(l.file(tempPrefix+"1"), nil, 0o600))
	expect(t, l.Dir, atomicfile.TempPrefix+"state-1", tempPrefix+"1", "discarded.image.strange.part")
	must(t, l.Prune(1))
	expect(t, l.Dir, tempPrefix+"1", "discarded.image.strange.part")
}

// Killed at every step of the life of an image: nothing is ever both claimable and claimed, what is published is
// whole, and Discard always leaves nothing to use.
func TestImageKilledAtEveryStep(t *testing.T) {
	killed := errors.New("killed")
	life := func(l *Locked) error {
		if _, err := l.Part(txnA); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(l.file(partName(txnA)), MemFile), []byte("memory"), 0o600); err != nil {
			return err
		}
		for _, do := range []func() error{
			func() error { return l.Note(txnA) },
			func() error { return l.Publish(txnA, Meta{Fingerprint: "fp"}) },
			func() error { return l.Refresh(txnA, "fp") },
			func() error { return l.Claim(txnA, "node1") },
			func() error { return l.Fail() },
			func() error { return l.Prune(0) },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
	var points []string
	l := lock(t, open(t, share(t)))
	l.At = func(p string) error { points = append(points, p); return nil }
	must(t, life(l))
	if len(points) != 18 {
		t.Fatalf("points %q", points)
	}
	for k, point := range points {
		l := lock(t, open(t, share(t)))
		n := 0
		l.At = func(string) error {
			if n++; n > k {
				return killed
			}
			return nil
		}
		if err := life(l); !errors.Is(err, killed) {
			t.Fatalf("%s: %v", point, err)
		}
		l.At = nil
		published, err := l.HasImage(txnA)
		must(t, err)
		if published {
			must(t, l.Usable(sample(Suspended), "fp"))
			if len(entries(t, l.Dir)) != 1 {
				t.Errorf("%s: beside a published image lies %q", point, entries(t, l.Dir))
			}
		}
		must(t, l.Discard())
		if litter, err := l.Litter(); err != nil || litter {
			t.Errorf("%s: discarded, and there is %q (%v)", point, entries(t, l.Dir), err)
		}
	}
}
