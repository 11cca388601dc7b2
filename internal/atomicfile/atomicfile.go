// Package atomicfile replaces a file whole: after a crash at any point a reader finds
// the old bytes or the new ones, never a third thing.
//
// Write makes a temporary file beside the target, gives it the target's mode, owner
// and security label, syncs it, renames it over the target and syncs the folder. A
// symbolic link stays a link: its target is replaced.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Point names a step of Write. A test's hook is told of each before it happens.
type Point string

// The points of Write, in their order.
const (
	Create  Point = "create"
	Fill    Point = "fill"
	Label   Point = "label"
	Sync    Point = "sync"
	Rename  Point = "rename"
	SyncDir Point = "syncdir"
)

// Points gives every point in its order, for tests that stop at each.
func Points() []Point { return []Point{Create, Fill, Label, Sync, Rename, SyncDir} }

// Options of Write. The zero value keeps mode and owner of the file that is replaced and gives a new one 0640.
type Options struct {
	Mode fs.FileMode       // of a new file; 0 is 0640
	At   func(Point) error // called before each step; its error is as if the step had failed
}

// TempPrefix begins the name of every temporary file of ours, so that a stray one can be known.
const TempPrefix = ".lbvm-tmp-"

// Write replaces path by data. After an error of any point but SyncDir the old file is whole and the temporary
// one is gone; after an error of SyncDir the new one is in place but may not outlive a power cut.
func Write(path string, data []byte, o Options) error {
	target, err := resolve(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	w := writer{target: target, dir: filepath.Dir(target), data: data, o: o}
	for _, step := range []struct {
		point Point
		do    func() error
	}{
		{Create, w.create}, {Fill, w.fill}, {Label, w.label}, {Sync, w.sync}, {Rename, w.rename}, {SyncDir, w.syncDir},
	} {
		err := error(nil)
		if o.At != nil {
			err = o.At(step.point)
		}
		if err == nil {
			err = step.do()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("writing %s: %s: %w", path, step.point, err), w.abandon())
		}
	}
	return nil
}

type writer struct {
	target, dir string
	data        []byte
	o           Options
	temp        *os.File // nil once it is renamed or gone
}

func (w *writer) create() (err error) {
	w.temp, err = os.CreateTemp(w.dir, TempPrefix+filepath.Base(w.target)+"-")
	return err
}

func (w *writer) fill() error {
	_, err := w.temp.Write(w.data)
	return err
}

// label gives the new file what the old one has: a fence password must not become readable.
func (w *writer) label() error {
	old, err := os.Stat(w.target)
	if errors.Is(err, fs.ErrNotExist) {
		mode := w.o.Mode
		if mode == 0 {
			mode = 0o640
		}
		return w.temp.Chmod(mode)
	}
	if err != nil {
		return err
	}
	if !old.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file", w.target)
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := w.temp.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := w.temp.Chmod(old.Mode().Perm()); err != nil { // after chown, which clears bits
		return err
	}
	return copyLabel(w.target, w.temp)
}

func copyLabel(from string, to *os.File) error {
	const name = "security.selinux"
	label := make([]byte, 4096)
	n, err := unix.Getxattr(from, name, label)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
		return nil
	case err != nil:
		return fmt.Errorf("reading the security label: %w", err)
	}
	if err := unix.Fsetxattr(int(to.Fd()), name, label[:n], 0); err != nil {
		return fmt.Errorf("keeping the security label: %w", err)
	}
	return nil
}

// sync also closes: what a network file system has kept back fails here, and not behind the rename.
func (w *writer) sync() error {
	if err := w.temp.Sync(); err != nil {
		return err
	}
	return w.temp.Close()
}

func (w *writer) rename() error {
	if err := os.Rename(w.temp.Name(), w.target); err != nil {
		return err
	}
	w.temp = nil
	return nil
}

func (w *writer) syncDir() error { return FsyncDir(w.dir) }

func (w *writer) abandon() error {
	if w.temp == nil {
		return nil
	}
	err := os.Remove(w.temp.Name())
	if closed := w.temp.Close(); !errors.Is(closed, os.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// FsyncDir makes the names in dir durable. File systems that cannot sync a folder are not an error.
func FsyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	return nil
}

// Append adds line to path by one O_APPEND write, so that writers on one file do not mix, and makes it durable if sync is set.
func Append(path string, line []byte, mode fs.FileMode, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(line); err != nil {
		return errors.Join(fmt.Errorf("appending to %s: %w", path, err), f.Close())
	}
	if sync {
		if err := f.Sync(); err != nil {
			return errors.Join(fmt.Errorf("appending to %s: %w", path, err), f.Close())
		}
	}
	return f.Close()
}

// resolve follows symbolic links, so that what they lead to is replaced; a link to nothing leads to a new file.
func resolve(path string) (string, error) {
	for i := 0; i < 40; i++ {
		fi, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && fi.Mode()&fs.ModeSymlink == 0) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", syscall.ELOOP
}
