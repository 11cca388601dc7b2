package adopt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

func (w *work) linked() (bool, error) { return w.Adopter.linked(w.p) }

// linked tells whether this node has all links, and where the VM is mounted.
func (a Adopter) linked(p Plan) (bool, error) {
	for _, l := range p.Links {
		is, err := a.isOurs(l)
		if err != nil || !is {
			return false, err
		}
	}
	if p.Root == "" {
		return true, nil
	}
	fi, err := os.Stat(a.Host.Path(p.Root))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && fi.IsDir(), err
}

// isOurs tells whether the link is there and leads where it should.
func (a Adopter) isOurs(l Link) (bool, error) {
	to, err := os.Readlink(a.Host.Path(l.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EINVAL): // it is no link
		return false, nil
	case err != nil:
		return false, err
	}
	want, err := a.target(l)
	return to == want, err
}

// target is the text of a link: relative, so that a node is a folder in a test as well.
func (a Adopter) target(l Link) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(a.Host.Path(l.Path)))
	if err != nil {
		return "", err
	}
	root := "/"
	if a.Host.Root() != "" {
		if root, err = filepath.EvalSymlinks(a.Host.Root()); err != nil {
			return "", err
		}
	}
	return filepath.Rel(dir, filepath.Join(root, l.To))
}

func (w *work) link(context.Context) error {
	return w.Adopter.makeLinks(w.p, func(point string) error { return w.at("switch/" + point) })
}

// makeLinks makes what a node needs. What stands in the place of a link and is not ours is an error.
func (a Adopter) makeLinks(p Plan, at func(string) error) error {
	for _, l := range p.Links {
		path := a.Host.Path(l.Path)
		if is, err := a.isOurs(l); err != nil {
			return err
		} else if is {
			continue
		}
		if _, err := os.Stat(a.Host.Path(l.To)); err != nil { // no link to nothing
			return err
		}
		to, err := a.target(l)
		if err != nil {
			return err
		}
		if err := at("link:" + filepath.Base(path)); err != nil {
			return err
		}
		if err := os.Symlink(to, path); err != nil {
			return err
		}
		if err := atomicfile.FsyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	if p.Root == "" {
		return nil
	}
	if err := at("root"); err != nil {
		return err
	}
	return os.MkdirAll(a.Host.Path(p.Root), 0o755)
}

func (w *work) unlink(context.Context) error {
	return w.Adopter.removeLinks(w.p, func(point string) error { return w.at("undo:switch/" + point) })
}

func (a Adopter) removeLinks(p Plan, at func(string) error) error {
	for i := len(p.Links) - 1; i >= 0; i-- {
		l := p.Links[i]
		is, err := a.isOurs(l)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		if err := at("unlink:" + filepath.Base(l.Path)); err != nil {
			return err
		}
		if err := os.Remove(a.Host.Path(l.Path)); err != nil {
			return err
		}
		if err := atomicfile.FsyncDir(filepath.Dir(a.Host.Path(l.Path))); err != nil {
			return err
		}
	}
	return nil
}
