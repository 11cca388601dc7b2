package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
		{"cluster", w.registering(), w.registered, w.register, w.unregister},
		{"finish", "close the journal", w.finished, w.finish, nothing},
	}
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
	return w.each(func(c Copy, _, to, part string) error {
		if err := w.at("undo:copy/remove:" + filepath.Base(to)); err != nil {
			return err
		}
		return errors.Join(w.removeTree(c.To+partSuffix), removeRsyncTemps(part))
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
