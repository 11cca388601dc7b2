package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrDiffers says that a copy is not what it is a copy of.
var ErrDiffers = errors.New("the copy is not equal to the original")

// Compare compares a copy with its original, in kind, mode, owner, size, time, device, hard links, target, attributes
// (access lists and capabilities are among them) and content. The content is read from the disk as far as the kernel lets
// it, and not from what was just written.
func Compare(ctx context.Context, from, to string, tree bool) error {
	c := comparison{ctx: ctx, from: from, to: to, there: map[uint64]uint64{}, back: map[uint64]uint64{}}
	c.buf[0], c.buf[1] = make([]byte, 1<<20), make([]byte, 1<<20)
	if !tree {
		if _, err := c.entry("."); err != nil {
			return err
		}
		return c.holes()
	}
	var names, copies int64
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		names++
		_, err = c.entry(below)
		return err
	})
	if err != nil {
		return err
	}
	err = filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		copies++
		return err
	})
	if err != nil {
		return err
	}
	if names != copies {
		return fmt.Errorf("%w: %s has %d names, and its copy %d", ErrDiffers, from, names, copies)
	}
	c.names = names
	return c.holes()
}

type comparison struct {
	ctx         context.Context
	from, to    string
	there, back map[uint64]uint64 // inodes with more than one name, original to copy and back
	names       int64
	blocks      [2]int64 // allocated, in units of 512 bytes
	buf         [2][]byte
}

// entry compares one name.
func (c *comparison) entry(below string) (kind uint32, err error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	a, b := filepath.Join(c.from, below), filepath.Join(c.to, below)
	var x, y unix.Stat_t
	if err := unix.Lstat(a, &x); err != nil {
		return 0, &os.PathError{Op: "lstat", Path: a, Err: err}
	}
	if err := unix.Lstat(b, &y); errors.Is(err, unix.ENOENT) {
		return 0, fmt.Errorf("%w: %q is not in the copy", ErrDiffers, a)
	} else if err != nil {
		return 0, &os.PathError{Op: "lstat", Path: b, Err: err}
	}
	kind = x.Mode & unix.S_IFMT
	differ := func(what string, is, was any) error {
		return fmt.Errorf("%w: %q: %s is %v, and %v in the original", ErrDiffers, b, what, is, was)
	}
	switch {
	case y.Mode != x.Mode:
		return kind, differ("the mode", fmt.Sprintf("%o", y.Mode), fmt.Sprintf("%o", x.Mode))
	case y.Uid != x.Uid || y.Gid != x.Gid:
		return kind, differ("the owner", fmt.Sprintf("%d:%d", y.Uid, y.Gid), fmt.Sprintf("%d:%d", x.Uid, x.Gid))
	case (kind == unix.S_IFCHR || kind == unix.S_IFBLK) && y.Rdev != x.Rdev:
		return kind, differ("the device", y.Rdev, x.Rdev)
	case kind != unix.S_IFDIR && y.Size != x.Size:
		return kind, differ("the size", y.Size, x.Size)
	case y.Mtim.Sec != x.Mtim.Sec: // rsync takes times of one second for equal, and some file systems know no parts of it
		return kind, differ("the time", y.Mtim, x.Mtim)
	}
	if kind != unix.S_IFDIR && (x.Nlink > 1 || y.Nlink > 1) {
		was, known := c.there[x.Ino]
		is, taken := c.back[y.Ino]
		if known != taken || known && (was != y.Ino || is != x.Ino) {
			return kind, fmt.Errorf("%w: %q: its hard links are others", ErrDiffers, b)
		}
		c.there[x.Ino], c.back[y.Ino] = y.Ino, x.Ino
		if known { // its content was compared by its first name
			return kind, nil
		}
	}
	c.blocks[0] += x.Blocks
	c.blocks[1] += y.Blocks
	if err := c.attributes(a, b); err != nil {
		return kind, err
	}
	switch kind {
	case unix.S_IFLNK:
		was, err := os.Readlink(a)
		is, ierr := os.Readlink(b)
		if err := errors.Join(err, ierr); err != nil {
			return kind, err
		}
		if is != was {
			return kind, differ("the target", is, was)
		}
	case unix.S_IFREG:
		return kind, c.content(a, b)
	}
	return kind, nil
}

// attributes compares the extended attributes of two names.
func (c *comparison) attributes(a, b string) error {
	was, err := attributes(a)
	if err != nil {
		return err
	}
	is, err := attributes(b)
	if err != nil {
		return err
	}
	for name, value := range was {
		if got, ok := is[name]; !ok || got != value {
			return fmt.Errorf("%w: %q: the attribute %s is %q, and %q in the original", ErrDiffers, b, name, got, value)
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok && name != "security.selinux" { // which a file system gives by itself
			return fmt.Errorf("%w: %q has the attribute %s, and the original has not", ErrDiffers, b, name)
		}
	}
	return nil
}

func attributes(path string) (map[string]string, error) {
	n, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	names := make([]byte, n+1024)
	if n, err = unix.Llistxattr(path, names); err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	out := map[string]string{}
	for _, name := range slices.DeleteFunc(strings.Split(string(names[:n]), "\x00"), func(s string) bool { return s == "" }) {
		value := make([]byte, 64<<10) // the most that the kernel takes
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		out[name] = string(value[:n])
	}
	return out, nil
}

func (c *comparison) content(a, b string) error {
	var files [2]*os.File
	for i, path := range []string{a, b} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		files[i] = os.NewFile(uintptr(fd), path)
		defer files[i].Close()
	}
	// Advice: a kernel that keeps the pages makes the comparison weaker, not wrong.
	if err := unix.Fadvise(int(files[1].Fd()), 0, 0, unix.FADV_DONTNEED); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return &os.PathError{Op: "fadvise", Path: b, Err: err}
	}
	for at := int64(0); ; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(files[0], c.buf[0])
		m, merr := io.ReadFull(files[1], c.buf[1])
		for _, e := range []error{err, merr} {
			if e != nil && !errors.Is(e, io.EOF) && !errors.Is(e, io.ErrUnexpectedEOF) {
				return e
			}
		}
		if !bytes.Equal(c.buf[0][:n], c.buf[1][:m]) {
			return fmt.Errorf("%w: %q differs in the MiB from byte %d on", ErrDiffers, b, at)
		}
		if err != nil {
			return nil
		}
		at += int64(n)
	}
}

// holes looks whether the copy takes far more than the original: a sparse image that was filled.
func (c *comparison) holes() error {
	slack := c.blocks[0]/8 + 128*max(c.names, 16) // another file system's blocks may be bigger
	if c.blocks[1] > c.blocks[0]+slack {
		return fmt.Errorf("%w: it takes %d KiB and the original %d: its holes were filled", ErrDiffers, c.blocks[1]/2, c.blocks[0]/2)
	}
	return nil
}
