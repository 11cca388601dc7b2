package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Measured is what a tree or an image takes.
type Measured struct {
	Bytes   int64 // allocated
	Entries int64
}

// Measure walks over a tree, without following a link. judge: what cannot be copied whole is an error: another file system
// mounted within, a file that chattr keeps as it is.
func Measure(ctx context.Context, root string, judge bool) (Measured, error) {
	var m Measured
	var top unix.Stat_t
	seen := map[uint64]bool{} // inodes with more than one name
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		if err != nil {
			if !judge && errors.Is(err, fs.ErrNotExist) { // somebody is at work there
				return nil
			}
			return err
		}
		if m.Entries++; path == root {
			top = st
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
			if seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		m.Bytes += st.Blocks * 512
		if !judge {
			return nil
		}
		if st.Dev != top.Dev {
			return fmt.Errorf("%q is another file system, mounted within: unmount it first", path)
		}
		return freeToMove(path, st)
	})
	return m, err
}

// freeToMove looks at chattr's attributes that no tool copies and that stop a rename.
func freeToMove(path string, st unix.Stat_t) error {
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return nil
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
	if err != nil { // this file system has none
		return nil
	}
	const immutable, appendOnly = 0x10, 0x20
	if flags&(immutable|appendOnly) != 0 {
		return fmt.Errorf("%q has the attribute i or a (lsattr), which no tool copies: chattr -ia it first", path)
	}
	return nil
}

func sameFS(a, b string) (bool, error) {
	var x, y unix.Stat_t
	if err := errors.Join(unix.Lstat(a, &x), unix.Lstat(b, &y)); err != nil {
		return false, err
	}
	return x.Dev == y.Dev, nil
}

// room is what a file system has free for root, in bytes.
func room(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
