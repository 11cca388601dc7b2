package balance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What was kept compiles to the same rules under the same digest. What was changed since is not passed off as what it was.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	c, _ := compile(t, "balance 101; cooldown 7m; default { algorithm { migrate() if average(res('cpu',5)) > 0.70; } }")
	for range 2 {
		if err := c.Keep(dir); err != nil {
			t.Fatal(err)
		}
	}
	f, r, err := KeptFiles(dir, c.Digest)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := NewConfig(f, r)
	if again.Digest != c.Digest || again.Default.Text != c.Default.Text || again.Rails.Cooldown != 7*time.Minute || len(again.Resources) != len(c.Resources) {
		t.Errorf("%+v", again)
	}
	for _, digest := range []string{"0123456789abcdef", "", "../../etc/x", "../" + KeptName + "/" + c.Digest} {
		if _, _, err := KeptFiles(dir, digest); !errors.Is(err, ErrNotKept) {
			t.Errorf("%q: %v", digest, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, KeptName, c.Digest+keptConf), []byte("balance 101; default { algorithm { migrate(); } }"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := KeptFiles(dir, c.Digest); err == nil || errors.Is(err, ErrNotKept) {
		t.Errorf("changed since: %v", err)
	}
}

// Where the shared storage has gone away nothing is made below its mount point.
func TestNothingIsKeptBelowAMountPoint(t *testing.T) {
	dir := t.TempDir()
	c, _ := compile(t, "balance 101; default { algorithm { migrate() if 0; } }")
	if err := c.Keep(filepath.Join(dir, "lbvm/log")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// The one of the pass at hand stays, however old it is; of the others the oldest go.
func TestKeptAreBounded(t *testing.T) {
	dir := t.TempDir()
	first, _ := compile(t, "balance 101; default { algorithm { migrate() if 0; } }")
	if err := first.Keep(dir); err != nil {
		t.Fatal(err)
	}
	for i := range mostKept {
		at := testNow.Add(time.Duration(i) * time.Minute)
		for _, end := range []string{keptResources, keptConf} {
			path := filepath.Join(dir, KeptName, fmt.Sprintf("%016x%s", i, end))
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chtimes(filepath.Join(dir, KeptName, first.Digest+keptConf), testNow, testNow.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := forgetKept(filepath.Join(dir, KeptName), first.Digest); err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(dir, KeptName, "*"))
	if err != nil || len(list) != 2*mostKept {
		t.Errorf("%d files, %v", len(list), err)
	}
	for name, want := range map[string]bool{first.Digest + keptConf: true, first.Digest + keptResources: true, fmt.Sprintf("%016x", 0) + keptConf: false, fmt.Sprintf("%016x", 0) + keptResources: false, fmt.Sprintf("%016x", 1) + keptConf: true} {
		if _, err := os.Stat(filepath.Join(dir, KeptName, name)); (err == nil) != want {
			t.Errorf("%s: %v, it is to be there: %v", name, err, want)
		}
	}
}
