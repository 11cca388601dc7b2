package handoff

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLeave(t *testing.T) {
	shared := t.TempDir()
	if err := os.MkdirAll(filepath.Join(shared, "lbvm"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := Open(shared, "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if _, err := l.Leave("node1", "a", "", ""); !errors.Is(err, ErrTransition) {
		t.Errorf("without a record: %v", err)
	}
	before, err := l.Write(State{Phase: Running, Node: "node1", Boot: "a", Txn: "abababababababababababababababab"})
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][2]string{{"node2", "a"}, {"node1", "b"}} {
		if _, err := l.Leave(other[0], other[1], "", ""); !errors.Is(err, ErrTransition) {
			t.Errorf("by %q: %v", other, err)
		}
	}
	want := before
	want.Left, want.Seq, want.Why, want.Agent = true, before.Seq+1, "it leaves", "test"
	got, err := l.Leave("node1", "a", "it leaves", "test")
	if read, rerr := d.Read(); err != nil || rerr != nil || got != want || read != want {
		t.Errorf("%+v, read %+v: %v, %v", got, read, err, rerr)
	}
	// The next record is without it.
	if next, err := l.Write(State{Phase: Running, Node: "node1", Boot: "a"}); err != nil || next.Left {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestRecords(t *testing.T) {
	shared := t.TempDir()
	if all, err := Records(shared); err != nil || len(all) != 0 {
		t.Errorf("nothing: %v, %v", all, err)
	}
	if err := os.MkdirAll(filepath.Join(shared, "lbvm"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, vm := range []string{"101", "102"} {
		d, err := Open(shared, "openvz", vm)
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.TryLock("test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write(State{Phase: Running, Node: "node1", Boot: "a"}); err != nil {
			t.Fatal(err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	// A copy of a record speaks of another VM, and a folder may hold none.
	text, err := os.ReadFile(filepath.Join(shared, Folder, "openvz-101", "state"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(shared, Folder, "openvz-103"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(shared, Folder, "openvz-103", "state"), text, 0o600)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(shared, Folder, "xen-web1"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := Records(shared)
	if !errors.Is(err, ErrState) || len(all) != 2 || all[0].VM != "101" || all[1].VM != "102" {
		t.Errorf("%+v, %v", all, err)
	}
}
