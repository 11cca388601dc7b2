package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/handoff"
)

func nothing(context.Context) error { return nil }

// steps are the adoption of w's plan, in their order. The package's description tells what each leaves on disk.
func (w *work) steps() []step {
	if w.p.Removal != nil {
		return w.removalSteps()
	}
	return []step{
		{"retire", "take it from this node's own tool", w.retired, w.retire, w.unretire},
		{"copy", "copy to the shared storage", w.copied, w.copy, w.uncopy},
		{"verify", "compare with the original", w.placed, w.verify, w.unplace},
		{"configs", "write the configuration there", w.written, w.writeTexts, w.unwriteTexts},
		{"switch", "link to it", w.linked, w.link, w.unlink},
		{"originals", "rename the original", w.originalsAway, w.renameOriginals, w.originalsBack},
		{"nodes", "link on the other nodes", w.joined, w.joinAll, w.leaveAll},
		{"lbvm.conf", "update lbvm.conf", w.balanced, w.balance, w.unbalance},
		{"cluster", "update cluster.conf", w.registered, w.register, w.unregister},
		{"finish", "close the journal", w.finished, w.finish, nothing},
	}
}

// exists looks at the name itself and not behind a link.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// rename is a rename that lasts, onto a name that must be free.
func (w *work) rename(step, from, to string) error {
	if err := w.at(step + "/rename:" + filepath.Base(from)); err != nil {
		return err
	}
	// Not os.Rename, which would put it over what somebody has made meanwhile.
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) { // before Linux 3.15, and file systems that cannot
		if there, lerr := exists(to); lerr != nil || there {
			return errors.Join(fmt.Errorf("%s is there already", to), lerr)
		}
		err = os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return w.syncDirs(filepath.Dir(from), filepath.Dir(to))
}

func (w *work) syncDirs(dirs ...string) error {
	for i, d := range dirs {
		if i > 0 && d == dirs[i-1] {
			continue
		}
		if err := atomicfile.FsyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// retired: each file bears its other name. What stands in its old place by then is our link.
func (w *work) retired() (bool, error) {
	if done, err := w.undefined(); err != nil || !done {
		return false, err
	}
	for _, f := range w.p.Retire {
		if there, err := exists(w.Host.Path(f.to())); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

func (w *work) retire(ctx context.Context) error {
	if err := w.undefine(ctx); err != nil {
		return err
	}
	for _, f := range w.p.Retire {
		path := w.Host.Path(f.Path)
		if there, err := exists(w.Host.Path(f.to())); err != nil {
			return err
		} else if there {
			continue
		}
		if err := w.asPlanned(f); err != nil {
			return err
		}
		if err := w.rename("retire", path, w.Host.Path(f.to())); err != nil {
			return err
		}
	}
	// Nobody can start it from here on. Somebody may have before.
	return w.down(ctx)
}

// asPlanned looks whether a file is still what was looked at.
func (a Adopter) asPlanned(f File) error {
	b, err := os.ReadFile(a.Host.Path(f.Path))
	if err == nil && sum(b) != f.Sum {
		err = fmt.Errorf("%s was edited since it was looked at", f.Path)
	}
	return err
}

func (w *work) unretire(ctx context.Context) error {
	for i := len(w.p.Retire) - 1; i >= 0; i-- {
		f := w.p.Retire[i]
		if there, err := exists(w.Host.Path(f.to())); err != nil {
			return err
		} else if !there {
			if _, err := os.Lstat(w.Host.Path(f.Path)); err != nil {
				return fmt.Errorf("%s is gone, too: %w", f.to(), err)
			}
			continue
		}
		if err := w.rename("undo:retire", w.Host.Path(f.to()), w.Host.Path(f.Path)); err != nil {
			return err
		}
	}
	return w.define(ctx)
}

// each goes over the copies.
func (w *work) each(do func(c Copy, from, to, part string) error) error {
	for _, c := range w.p.Copies {
		to := w.Host.Path(c.To)
		if err := do(c, w.Host.Path(c.From), to, to+partSuffix); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) copied() (bool, error) {
	if there, err := exists(filepath.Join(w.dir, "copied")); err != nil || there {
		return there, err
	}
	return w.placed()
}

func (w *work) copy(ctx context.Context) error {
	err := w.each(func(c Copy, from, to, part string) error {
		if there, err := exists(to); err != nil || there {
			return err
		}
		if _, err := os.Lstat(from); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := w.at("copy/tool:" + filepath.Base(to)); err != nil {
			return err
		}
		return w.copyOne(ctx, c, from, part)
	})
	if err != nil {
		return err
	}
	if err := w.at("copy/note"); err != nil {
		return err
	}
	note := filepath.Join(w.dir, "copied")
	if err := removeTemps(note); err != nil {
		return err
	}
	return atomicfile.Write(note, nil, atomicfile.Options{Mode: 0o600})
}

func (w *work) uncopy(context.Context) error {
	if err := os.Remove(filepath.Join(w.dir, "copied")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.each(func(_ Copy, _, to, part string) error {
		if err := w.at("undo:copy/remove:" + filepath.Base(to)); err != nil {
			return err
		}
		return errors.Join(os.RemoveAll(part), removeRsyncTemps(part))
	})
}

// placed: what was verified bears its name.
func (w *work) placed() (bool, error) {
	all := true
	err := w.each(func(_ Copy, _, to, _ string) error {
		there, err := exists(to)
		all = all && there
		return err
	})
	return all && err == nil, err
}

func (w *work) verify(ctx context.Context) error {
	return w.each(func(c Copy, from, to, part string) error {
		if there, err := exists(to); err != nil || there {
			return err
		}
		if err := w.at("verify/compare:" + filepath.Base(to)); err != nil {
			return err
		}
		if err := Compare(ctx, from, part, c.Tree); err != nil {
			return err
		}
		if err := w.down(ctx); err != nil { // a start that had begun when the configuration was retired shows by now
			return err
		}
		return w.rename("verify", part, to)
	})
}

func (w *work) unplace(ctx context.Context) error {
	// No configuration leads there any more: an agent has begun before, and then its record is there, or cannot begin.
	if err := w.unused(ctx); err != nil {
		return err
	}
	return w.each(func(_ Copy, from, to, part string) error {
		there, err := exists(to)
		if err != nil || !there {
			return err
		}
		// The original must be somewhere before the copy goes.
		here, err := exists(from)
		if err == nil && !here {
			here, err = exists(from + origSuffix)
		}
		if err != nil || !here {
			return errors.Join(fmt.Errorf("%s is gone: the copy %s is kept", from, to), err)
		}
		return w.rename("undo:verify", to, part)
	})
}

func (w *work) written() (bool, error) {
	for _, t := range w.p.Texts {
		if there, err := exists(w.Host.Path(t.Path)); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

func (w *work) writeTexts(context.Context) error {
	for _, t := range w.p.Texts {
		path := w.Host.Path(t.Path)
		if err := removeTemps(path); err != nil {
			return err
		}
		if there, err := exists(path); err != nil {
			return err
		} else if there {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		like := w.Host.Path(t.Like)
		if there, err := exists(like + origSuffix); err != nil {
			return err
		} else if there {
			like += origSuffix
		}
		err := atomicfile.Write(path, t.Body, atomicfile.Options{Like: like, At: func(x atomicfile.Point) error {
			return w.at("configs/" + filepath.Base(path) + "/" + string(x))
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// unwriteTexts keeps what a person has changed since.
func (w *work) unwriteTexts(context.Context) error {
	for _, t := range w.p.Texts {
		path := w.Host.Path(t.Path)
		if err := removeTemps(path); err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(b, t.Body) {
			if err := w.rename("undo:configs", path, path+editedSuffix); err != nil {
				return err
			}
			continue
		}
		if err := w.at("undo:configs/remove:" + filepath.Base(path)); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		if err := atomicfile.FsyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// removeTemps removes what a killed write of path has left beside it.
func removeTemps(path string) error {
	dir, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range dir {
		if strings.HasPrefix(e.Name(), atomicfile.TempPrefix+filepath.Base(path)+"-") {
			if err := os.Remove(filepath.Join(filepath.Dir(path), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

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

func (w *work) originalsAway() (bool, error) {
	all := true
	err := w.each(func(_ Copy, from, _, _ string) error {
		there, err := exists(from + origSuffix)
		all = all && there
		return err
	})
	return all && err == nil, err
}

func (w *work) renameOriginals(context.Context) error {
	return w.each(func(_ Copy, from, _, _ string) error {
		if there, err := exists(from + origSuffix); err != nil || there {
			return err
		}
		return w.rename("originals", from, from+origSuffix)
	})
}

func (w *work) originalsBack(context.Context) error {
	return w.each(func(_ Copy, from, _, _ string) error {
		if there, err := exists(from + origSuffix); err != nil || !there {
			return err
		}
		return w.rename("undo:originals", from+origSuffix, from)
	})
}

func (w *work) finished() (bool, error) {
	if _, err := readPlan(w.dir); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	} else {
		return false, err
	}
}

// finish renames the folder: from here on it is an adopted VM, and nothing is left to resume.
func (w *work) finish(context.Context) error {
	if err := w.log("done", "finish", ""); err != nil {
		return err
	}
	to := filepath.Join(w.Shared, Finished, w.p.key())
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil { // of a VM that was removed from the cluster since
		return err
	}
	return w.rename("finish", w.dir, to)
}

// unused refuses to take back what an agent has started from its new place.
func (w *work) unused(ctx context.Context) error {
	if w.p.Removal != nil { // it may have been started by hand: the cluster could start it too
		return w.down(ctx)
	}
	d, err := handoff.Open(w.Shared, w.p.Type, w.p.VM)
	if err != nil {
		return err
	}
	st, err := d.Read()
	if err != nil {
		return err
	}
	if st.Phase != handoff.NoRecord {
		return fmt.Errorf("the hand-off record of %s says %s: an agent has started it from its new place, and what it has written since would be lost; lbm add --resume %s, then lbm remove %s", w.p.Ref(), st.Phase, w.p.VM, w.p.VM)
	}
	// While nothing leads to the new place, nobody can have started it there.
	if there, err := w.linked(); err != nil || !there {
		return err
	}
	return w.down(ctx)
}

// sharedPath is the node's path of something below the shared storage.
func (a Adopter) sharedPath(below ...string) string {
	return filepath.Join(append([]string{a.ID.Shared}, below...)...)
}

// onShared gives the path by which every node knows what lies on the shared storage: this node may reach it by a link
// that another one has not, or that leads elsewhere there. "" is elsewhere than on the shared storage.
func (a Adopter) onShared(path string) (string, error) {
	if shared, err := a.isShared(path); err != nil || !shared || strings.HasPrefix(path, a.ID.Shared+"/") {
		return map[bool]string{true: path}[shared], err
	}
	real, err := filepath.EvalSymlinks(a.Host.Path(path))
	shared, serr := filepath.EvalSymlinks(a.Shared)
	below, rerr := filepath.Rel(shared, real)
	return a.sharedPath(below), errors.Join(err, serr, rerr)
}

// isShared tells whether a path of the node really lies on the shared storage.
func (a Adopter) isShared(path string) (bool, error) {
	real, err := filepath.EvalSymlinks(a.Host.Path(path))
	if err != nil {
		return false, err
	}
	shared, err := filepath.EvalSymlinks(a.Shared)
	if err != nil {
		return false, err
	}
	return strings.HasPrefix(real+"/", strings.TrimSuffix(shared, "/")+"/"), nil
}
