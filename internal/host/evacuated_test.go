package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The note of an evacuation closes its node until it is taken back, or for one boot. What cannot be read is an error.
func TestEvacuation(t *testing.T) {
	dir := shared(t)
	closed := func(want, when string) {
		t.Helper()
		got, err := Closed(dir, "node1")
		if err != nil || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, %v", when, got, err)
		}
	}
	closed("", "nothing was said")
	e := Evacuation{Member: "node1", Since: time.Date(2008, 1, 15, 14, 0, 0, 0, time.UTC), By: "lbm on node2", VMs: []string{"openvz:101", "xen:web1"}}
	write := func() {
		t.Helper()
		if err := WriteEvacuation(dir, e); err != nil {
			t.Fatal(err)
		}
	}
	write()
	closed("is evacuated since 2008-01-15T14:00:00Z: lbm failback node1", "evacuated")
	got, there, err := ReadEvacuation(dir, "node1")
	if err != nil || !there || got.By != e.By || !got.Since.Equal(e.Since) || !slices.Equal(got.VMs, e.VMs) {
		t.Errorf("%+v %v %v", got, there, err)
	}
	if all, err := Evacuations(dir); err != nil || len(all) != 1 || all[0].Member != "node1" {
		t.Errorf("%+v %v", all, err)
	}
	e.Open = true
	write()
	closed("", "open, with VMs that have not come home")
	e.Open, e.Boot = false, "b1"
	write()
	closed("is evacuated", "for a boot, and which it is nobody knows")
	for boot, want := range map[string]string{"b1": "is evacuated", "b2": ""} {
		if err := WriteFacts(dir, Facts{Member: "node1", Boot: boot}); err != nil {
			t.Fatal(err)
		}
		closed(want, "in boot "+boot)
	}
	for range 2 {
		if err := DropEvacuation(dir, "node1"); err != nil {
			t.Fatal(err)
		}
	}
	closed("", "taken away")
	if err := os.WriteFile(evacuationPath(dir, "node1"), []byte("no note\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if why, err := Closed(dir, "node1"); err == nil {
		t.Errorf("a note that is none: %q", why)
	}
	if all, err := Evacuations(dir); err == nil {
		t.Errorf("a note that is none: %v", all)
	}
	if err := WriteEvacuation(t.TempDir(), e); err == nil { // a mount point that has lost its share
		t.Error("noted without a share")
	}
	for _, bad := range []string{"", "../x"} {
		if _, err := Closed(dir, bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
		if err := WriteEvacuation(dir, Evacuation{Member: bad}); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, EvacuatedDir)); err != nil {
		t.Error(err)
	}
}
