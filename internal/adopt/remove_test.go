package adopt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// adopted is a bench with a VM that the cluster has, and has run.
func adopted(t *testing.T, k kind) (bench, Adopter) {
	t.Helper()
	b := newBench(t, k)
	a := b.adopter("node1")
	a.Keep = func(*os.File) run.Runner { return run.System{} }
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	must(t, a.Add(context.Background(), p))
	b.ran(t, handoff.Down)
	return b, a
}

// ran writes a hand-off record.
func (b bench) ran(t *testing.T, phase handoff.Phase) {
	t.Helper()
	d, err := handoff.Open(filepath.Join(b.dir, "shared"), b.k.name, b.k.vm)
	must(t, err)
	l, err := d.TryLock("test")
	must(t, err)
	for _, s := range []handoff.State{{Phase: handoff.Starting, Node: "node2", Boot: "b"}, {Phase: handoff.Running, Node: "node2", Boot: "b"}, {Phase: handoff.Down}} {
		_, err = l.Write(s)
		must(t, err)
		if s.Phase == phase {
			break
		}
	}
	must(t, l.Unlock())
}

// wholeGone says what is not as it should be of a VM that was given back to node1.
func (b bench) wholeGone(t *testing.T) (wrong []string) {
	t.Helper()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	at := func(p string) string { return filepath.Join(b.dir, "node1", p) }
	if b.k.defined {
		b.k.config = "/etc/kvm/web2.xml"
	}
	if fi, err := os.Lstat(at(b.k.config)); err != nil || !fi.Mode().IsRegular() {
		say("%s is no file of this node: %v", b.k.config, err)
	} else if text, err := os.ReadFile(at(b.k.config)); err != nil || string(text) != b.k.want {
		say("%s: %v %q", b.k.config, err, text)
	}
	for _, gone := range []string{at(b.k.conf), filepath.Join(b.dir, "node2", b.k.config), at(b.k.config) + partSuffix,
		filepath.Join(b.dir, "shared", handoff.Folder, b.k.name+"-"+b.k.vm), filepath.Join(b.dir, "shared", Finished, b.k.name+"-"+b.k.vm)} {
		if there, err := exists(gone); err != nil || there {
			say("%s is there: %v", gone, err)
		}
	}
	if there, err := exists(at(b.k.arrived)); err != nil || !there {
		say("its disks are gone: %v", err)
	}
	d, err := ccs.Load(at("etc/cluster/cluster.conf"))
	must(t, err)
	if _, there := group(d, b.k.name, b.k.vm); there {
		say("cluster.conf has it")
	}
	if text, err := os.ReadFile(at("etc/cluster/lbvm.conf")); err != nil || string(text) != lbvmConf {
		say("lbvm.conf: %v %q", err, text)
	}
	return wrong
}

func (b bench) giveBack(t *testing.T, a Adopter) error {
	t.Helper()
	p, err := a.LookRemoval(context.Background(), b.k.name, b.k.vm)
	must(t, err)
	return a.Remove(context.Background(), p)
}

func TestRemovalOfADefinedGuest(t *testing.T) {
	b, a := adopted(t, definedKind())
	must(t, b.giveBack(t, a))
	if wrong := b.wholeGone(t); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}

// A removal that ends at any point is resumed to the end or taken back, whole.
func TestRemovalEndedAtEveryPoint(t *testing.T) {
	for n, k := range []kind{openvzKind(), xenKind()} {
		b, a := adopted(t, k)
		var points []string
		a.At = func(point string) error { points = append(points, point); return nil }
		must(t, b.giveBack(t, a))
		if wrong := b.wholeGone(t); len(wrong) > 0 || len(points) < 25 {
			t.Fatalf("%d points\n%s", len(points), strings.Join(wrong, "\n"))
		}
		for at := range points {
			if os.Getenv("LBVM_ADOPT_KILLS") == "" && at%3 != n {
				continue
			}
			for _, undo := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d %s/%v", k.name, at, strings.ReplaceAll(points[at], "/", "-"), undo), func(t *testing.T) {
					b, a := adopted(t, k)
					left := at
					a.At = func(string) error {
						if left--; left < 0 {
							return errKilled
						}
						return nil
					}
					if err := b.giveBack(t, a); !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
					a.At = nil
					p, err := a.Find(k.vm)
					if errors.Is(err, ErrRefused) { // it had not begun, or was finished
						if given, err := exists(filepath.Join(a.Shared, Removed, k.name+"-"+k.vm)); err != nil || !given {
							if wrong := b.wholeNew(t); len(wrong) > 0 {
								t.Error(strings.Join(wrong, "\n"))
							}
							return
						}
						undo = false
					} else if undo {
						must(t, err)
						must(t, a.Undo(context.Background(), p))
					} else {
						must(t, err)
						must(t, a.Resume(context.Background(), p))
					}
					wrong := b.wholeGone
					if undo {
						wrong = func(t *testing.T) []string { return b.wholeNew(t) }
					}
					if w := wrong(t); len(w) > 0 {
						t.Error(strings.Join(w, "\n"))
					}
				})
			}
		}
	}
}

func TestRemovalRefuses(t *testing.T) {
	b := newBench(t, openvzKind())
	if _, err := b.adopter("node1").LookRemoval(context.Background(), "openvz", "900"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was not adopted") {
		t.Errorf("%v", err)
	}
	b, a := adopted(t, openvzKind())
	must(t, os.RemoveAll(filepath.Join(b.dir, "shared", handoff.Folder)))
	must(t, os.MkdirAll(filepath.Join(b.dir, "shared", handoff.Folder), 0o700))
	b.ran(t, handoff.Running)
	if _, err := a.LookRemoval(context.Background(), "openvz", "101"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "says running node2") {
		t.Errorf("%v", err)
	}
	b, a = adopted(t, openvzKind())
	put(t, filepath.Join(b.dir, "node1/run.101"), "")
	if _, err := a.LookRemoval(context.Background(), "openvz", "101"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "is running") {
		t.Errorf("%v", err)
	}
}

// Originals go when they are asked to, and what they are copies of stays.
func TestPurge(t *testing.T) {
	for _, k := range kinds() {
		b, a := adopted(t, k)
		found, err := a.Originals(context.Background())
		must(t, err)
		if len(found) < 2 {
			t.Fatalf("%+v", found)
		}
		for _, o := range found {
			if o.Unproved != "" {
				t.Errorf("%+v", o)
			}
			must(t, a.Purge(o))
		}
		for _, line := range listing(t, b.dir) {
			if strings.Contains(strings.Fields(line)[0], origSuffix) {
				t.Errorf("left: %s", line)
			}
		}
		if again, err := a.Originals(context.Background()); err != nil || len(again) != 0 {
			t.Errorf("%+v, %v", again, err)
		}
		if there, err := exists(filepath.Join(b.dir, "node1", k.arrived)); err != nil || !there {
			t.Errorf("the copy is gone: %v", err)
		}
		if err := a.Purge(Original{Path: k.arrived}); err == nil {
			t.Error("what is no original was deleted")
		}
		must(t, os.RemoveAll(filepath.Join(b.dir, "shared", handoff.Folder)))
		put(t, filepath.Join(b.dir, "node1", k.config)+origSuffix, "")
		if found, err := a.Originals(context.Background()); err != nil || len(found) != 1 || !strings.Contains(found[0].Unproved, "never started") {
			t.Errorf("%+v, %v", found, err)
		}
	}
}

// What is mounted within an original is somebody's own, by a bind mount too; and an original whose copy is gone is all that there is.
func TestPurgeKeeps(t *testing.T) {
	k := openvzKind()
	b, a := adopted(t, k)
	within := filepath.Join(b.dir, "node1", k.tree+origSuffix, "var/data mine")
	put(t, filepath.Join(within, "precious"), "x")
	put(t, filepath.Join(b.dir, "node1/proc/mounts"), "/dev/sda1 / ext3 rw 0 0\n/dev/sda1 "+k.tree+origSuffix+"/var/data\\040mine ext3 rw,bind 0 0\n")
	o := Original{Path: k.tree + origSuffix}
	if err := a.Purge(o); err == nil || !strings.Contains(err.Error(), "data mine is mounted within") {
		t.Errorf("%v", err)
	}
	if there, err := exists(filepath.Join(within, "precious")); err != nil || !there {
		t.Fatalf("what is mounted within was deleted: %v", err)
	}
	put(t, filepath.Join(b.dir, "node1/proc/mounts"), "/dev/sda1 / ext3 rw 0 0\n/dev/sda1 "+k.tree+origSuffix+"-other ext3 rw 0 0\n")
	must(t, os.Rename(filepath.Join(b.dir, "node1", k.arrived), filepath.Join(b.dir, "node1", k.arrived)+".away"))
	found, err := a.Originals(context.Background())
	must(t, err)
	if len(found) < 2 {
		t.Fatalf("%+v", found)
	}
	for _, o := range found {
		if !strings.Contains(o.Unproved, k.arrived+" is not there") {
			t.Errorf("%+v", o)
		}
	}
	must(t, a.Purge(o))
}

// A bind mount of the same file system has its device number: copied, its content would be the VM's, and purged with the original.
func TestLookRefusesWhatIsMountedWithin(t *testing.T) {
	k := openvzKind()
	b := newBench(t, k)
	put(t, filepath.Join(b.dir, "node1/proc/mounts"), "/dev/sda1 / ext3 rw 0 0\n/dev/sda1 "+k.tree+"/var ext3 rw,bind 0 0\n")
	if _, err := b.adopter("node1").Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "/var is mounted within "+k.tree) {
		t.Errorf("%v", err)
	}
}
