package vm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

func fp(t *testing.T, root string, tree bool, ws ...hypervisor.Witness) string {
	t.Helper()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Fingerprint(h, hypervisor.Guest{Name: "v", Witnesses: ws}, tree)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFingerprintOfFiles(t *testing.T) {
	dir := t.TempDir()
	img := filepath.Join(dir, "a.img")
	write := func(text string) {
		if err := os.WriteFile(img, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := hypervisor.Witness{Path: img}
	write("x")
	first := fp(t, dir, false, w)
	if first != fp(t, dir, false, w) {
		t.Error("the fingerprint of a file that nobody touched changes")
	}
	// Another node sees it below another root.
	other := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(other, "shared")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "shared")); err != nil {
		t.Fatal(err)
	}
	there := fp(t, other, false, hypervisor.Witness{Path: filepath.Join(other, "shared/a.img")})
	if here := fp(t, dir, false, hypervisor.Witness{Path: filepath.Join(dir, "shared/a.img")}); here != there {
		t.Error("two nodes see two fingerprints")
	}
	if err := os.Chtimes(img, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if fp(t, dir, false, w) == first {
		t.Error("another time is not seen")
	}
	if _, err := Fingerprint(host.Host{}, hypervisor.Guest{Name: "v"}, false); err == nil {
		t.Error("a guest without a disk has a fingerprint")
	}
}

// What NFS remembers of a file is asked anew only where the file is opened.
func TestFingerprintOpensFiles(t *testing.T) {
	dir := t.TempDir()
	img := filepath.Join(dir, "a.img")
	if err := os.WriteFile(img, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(events)
	if _, err := unix.InotifyAddWatch(events, img, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	for _, tree := range []bool{false, true} {
		fp(t, dir, tree, hypervisor.Witness{Path: img})
		if n, err := unix.Read(events, make([]byte, 4096)); n <= 0 { // the event is there when open returns
			t.Errorf("tree %v: it was not opened (%v)", tree, err)
		}
	}
}

// A guest's own links lead into this node's files if they are followed.
func TestFingerprintOfATree(t *testing.T) {
	dir := t.TempDir()
	private := filepath.Join(dir, "private/101")
	for _, d := range []string{"private/101/etc", "private/101/var", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "run"), filepath.Join(private, "var/run")); err != nil {
		t.Fatal(err)
	}
	ws := []hypervisor.Witness{{Path: filepath.Join(private, "etc/mtab")}, {Path: filepath.Join(private, "var/run/utmp")}}
	if got := commonDir(ws); got != private {
		t.Fatalf("the tree is %s", got)
	}
	first := fp(t, dir, true, ws...)
	if err := os.WriteFile(filepath.Join(dir, "run/utmp"), []byte("this node's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fp(t, dir, true, ws...) != first {
		t.Error("a file of the node counts as the guest's")
	}
	if err := os.WriteFile(filepath.Join(private, "etc/mtab"), []byte("/"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fp(t, dir, true, ws...) == first {
		t.Error("a file of the guest does not count")
	}
}

func TestFingerprintOfADevice(t *testing.T) {
	disk := make([]byte, 8*mib)
	disk[510], disk[511] = 0x55, 0xaa
	disk[446+4] = 0x83
	binary.LittleEndian.PutUint32(disk[446+8:], uint32(4*mib/512))
	path := filepath.Join(t.TempDir(), "disk")
	sum := func() string {
		if err := os.WriteFile(path, disk, 0o600); err != nil {
			t.Fatal(err)
		}
		return fp(t, "", false, hypervisor.Witness{Path: path, Block: true})
	}
	first := sum()
	for _, c := range []struct {
		name string
		at   int
		seen bool
	}{{"superblock of the partition", 4*mib + 1024, true}, {"first MiB", 2048, true}, {"data", 6 * mib, false}} {
		disk[c.at] ^= 1
		if (sum() != first) != c.seen {
			t.Errorf("%s: seen %v", c.name, !c.seen)
		}
		disk[c.at] ^= 1
	}
	if sum() != first {
		t.Error("the same disk has two fingerprints")
	}
	disk = disk[:100] // too short for a label
	sum()
	if _, err := Fingerprint(host.Host{}, hypervisor.Guest{Witnesses: []hypervisor.Witness{{Path: path + "x", Block: true}}}, false); err == nil {
		t.Error("a device that is not there has a fingerprint")
	}
}
