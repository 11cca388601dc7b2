// Package atomicfile replaces a file whole: after a crash at any point a reader finds
// the old bytes or the new ones, never a third thing.
//
// Write makes a temporary file beside the target, gives it the target's mode, owner,
// access list and security label, syncs it, renames it over the target and syncs the
// folder. A symbolic link stays a link: its target is replaced.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
	Mode   fs.FileMode       // of a new file; 0 is 0640
	Like   string            // a file whose mode, owner, access list and label a new one takes, instead of Mode
	At     func(Point) error // called before each step; its error is as if the step had failed
	System System            // nil: the real one
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
	w := writer{target: target, dir: filepath.Dir(target), data: data, o: o, sys: o.System}
	if w.sys == nil {
		w.sys = Real()
	}
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
	sys         System
	temp        File // nil once it is renamed or gone
}

func (w *writer) create() (err error) {
	w.temp, err = w.sys.CreateTemp(w.dir, TempPrefix+filepath.Base(w.target)+"-")
	return err
}

func (w *writer) fill() error {
	n, err := w.temp.Write(w.data)
	if err == nil && n < len(w.data) {
		return io.ErrShortWrite
	}
	return err
}

// label gives the new file what the old one has: a fence password must not become readable.
func (w *writer) label() error {
	from := w.target
	old, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) && w.o.Like != "" {
		from = w.o.Like
		old, err = os.Stat(from)
	} else if errors.Is(err, fs.ErrNotExist) {
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
		return fmt.Errorf("%s is not a plain file", from)
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := w.temp.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	for _, name := range [...]string{securityLabel, accessList} {
		if err := copyAttribute(name, from, w.temp); err != nil {
			return err
		}
	}
	// Last: chown clears bits, and until here nobody but the owner could read.
	return w.temp.Chmod(old.Mode().Perm())
}

// sync also closes: what a network file system has kept back fails here, and not behind the rename.
func (w *writer) sync() error {
	if err := w.temp.Sync(); err != nil {
		return err
	}
	return w.temp.Close()
}

func (w *writer) rename() error {
	if err := w.sys.Rename(w.temp.Name(), w.target); err != nil {
		return err
	}
	w.temp = nil
	return nil
}

func (w *writer) syncDir() error { return w.sys.SyncDir(w.dir) }

func (w *writer) abandon() error {
	if w.temp == nil {
		return nil
	}
	err := w.sys.Remove(w.temp.Name())
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
