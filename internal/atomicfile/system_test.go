package atomicfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// setAttribute gives a file an extended attribute, or skips the test where that cannot be done.
func setAttribute(t *testing.T, path, name string, value []byte) {
	t.Helper()
	err := unix.Setxattr(path, name, value, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		t.Skipf("skipped: %s cannot be set on %s (%v)", name, path, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	value := make([]byte, 4096)
	n, err := unix.Getxattr(path, name, value)
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return value[:n]
}

// list is an access list: the owner reads and writes, the user 1234 reads, the group may not, the mask is r.
func list() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, 4, 1234}, {4, 0, ^uint32(0)}, {0x10, 4, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func TestLabelIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, oldText(), 0o640)
	label := []byte("system_u:object_r:cluster_conf_t:s0\x00")
	setAttribute(t, path, securityLabel, label)
	if err := Write(path, newText(), Options{}); err != nil {
		t.Fatal(err)
	}
	if got := attribute(t, path, securityLabel); !bytes.Equal(got, label) {
		t.Errorf("the label is %q", got)
	}
}

// A file whose access list shuts its group out shows the list's mask where a mode has the group's rights. Without the
// list the group could read the new file.
func TestAccessListIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, oldText(), 0o600)
	setAttribute(t, path, accessList, list())
	before := attribute(t, path, accessList)
	if err := Write(path, newText(), Options{}); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if got := attribute(t, path, accessList); err != nil || !bytes.Equal(got, before) || fi.Mode() != 0o640 {
		t.Errorf("the access list is %x, want %x; %v %v", got, before, fi.Mode(), err)
	}
}

// What the folder gives every new file is not for one that replaces a private one.
func TestAccessListOfTheFolderIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	put(t, path, oldText(), 0o640)
	setAttribute(t, dir, "system.posix_acl_default", list())
	if err := Write(path, newText(), Options{}); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if got := attribute(t, path, accessList); err != nil || len(got) > 0 || fi.Mode() != 0o640 {
		t.Errorf("the access list is %x; %v %v", got, fi.Mode(), err)
	}
}

func TestLike(t *testing.T) {
	dir := t.TempDir()
	like, path := filepath.Join(dir, "like"), filepath.Join(dir, "file")
	put(t, like, nil, 0o604)
	if err := Write(path, nil, Options{Mode: 0o666, Like: like}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o604 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if err := Write(filepath.Join(dir, "other"), nil, Options{Like: filepath.Join(dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("like a file that is not there: %v", err)
	}
}

// faulty lets the n-th call that changes something fail; half says that a write then leaves half of its data.
type faulty struct {
	System
	n     *int
	fault error
	half  bool
}

func (f faulty) hit() error {
	*f.n--
	if *f.n == 0 {
		return f.fault
	}
	return nil
}

func (f faulty) CreateTemp(dir, prefix string) (File, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	file, err := f.System.CreateTemp(dir, prefix)
	return faultyFile{file, f}, err
}

func (f faulty) Rename(from, to string) error {
	if err := f.hit(); err != nil {
		return err
	}
	return f.System.Rename(from, to)
}

func (f faulty) SyncDir(dir string) error {
	if err := f.hit(); err != nil {
		return err
	}
	return f.System.SyncDir(dir)
}

type faultyFile struct {
	File
	f faulty
}

func (f faultyFile) Write(b []byte) (int, error) {
	if err := f.f.hit(); err != nil {
		if !f.f.half {
			return 0, err
		}
		n, _ := f.File.Write(b[:len(b)/2])
		return n, nil // as a full disk may: less than asked for, and no error yet
	}
	return f.File.Write(b)
}

func (f faultyFile) Chmod(m fs.FileMode) error {
	if err := f.f.hit(); err != nil {
		return err
	}
	return f.File.Chmod(m)
}

func (f faultyFile) Chown(uid, gid int) error {
	if err := f.f.hit(); err != nil {
		return err
	}
	return f.File.Chown(uid, gid)
}

func (f faultyFile) Sync() error {
	if err := f.f.hit(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f faultyFile) Close() error {
	if err := f.f.hit(); err != nil {
		return errors.Join(err, f.File.Close())
	}
	return f.File.Close()
}

// Every call fails once: the error is told, the file is the old one or, behind the rename, the new one, and no
// temporary file is left.
func TestEveryCallFails(t *testing.T) {
	calls := 0
	for _, half := range []bool{false, true} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			put(t, path, oldText(), 0o600)
			left := n
			err := Write(path, newText(), Options{System: faulty{Real(), &left, syscall.EIO, half}})
			b, rerr := os.ReadFile(path)
			if rerr != nil || !bytes.Equal(b, oldText()) && !bytes.Equal(b, newText()) {
				t.Fatalf("call %d: a third thing of %d bytes, %v", n, len(b), rerr)
			}
			if stray := temps(t, dir); len(stray) > 0 {
				t.Errorf("call %d left %q", n, stray)
			}
			if left > 0 { // there is no such call
				if err != nil || !bytes.Equal(b, newText()) {
					t.Errorf("no call failed: %v", err)
				}
				calls = n - 1
				break
			}
			if err == nil {
				t.Errorf("call %d failed and nobody was told", n)
			}
			if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
				t.Errorf("call %d: %v %v", n, fi.Mode(), err)
			}
		}
	}
	if calls < 7 {
		t.Errorf("only %d calls", calls)
	}
	t.Logf("%d calls failed, one at a time, twice", calls)
}
