package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/handoff"
)

// Original is what an adoption has renamed and left on this node.
type Original struct {
	Ref   string
	Path  string // of the node
	Bytes int64
	// Unproved says why it may still be needed; "" is nothing.
	Unproved string
}

// Originals gives what is left on this node of VMs that were adopted, also if they were given back since.
func (a Adopter) Originals(ctx context.Context) ([]Original, error) {
	all, err := a.Adopted()
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob(filepath.Join(a.Shared, Removed, "*", "adopted"))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		more, err := plans(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	var out []Original
	for _, p := range all {
		// What an adoption that has begun anew has retired bears the same names.
		if p.Member != a.ID.Member || isPlan(filepath.Join(a.Shared, Unfinished, p.key())) {
			continue
		}
		why, err := a.unproved(p)
		if err == nil && why == "" {
			why, err = a.onlyCopy(p)
		}
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, c := range p.Copies {
			paths = append(paths, c.From+origSuffix)
		}
		for _, f := range p.Retire {
			paths = append(paths, f.to())
		}
		if p.Defined != nil {
			paths = append(paths, p.Defined.to())
		}
		for _, path := range paths {
			m, err := Measure(ctx, a.Host.Path(path), false)
			if errors.Is(err, fs.ErrNotExist) || err == nil && m.Entries == 0 {
				continue // purged before
			}
			if err != nil {
				return nil, err
			}
			out = append(out, Original{p.Ref(), path, m.Bytes, why})
		}
	}
	return out, nil
}

// unproved says that nothing has shown yet that the VM runs from its new place.
func (a Adopter) unproved(p Plan) (string, error) {
	if isDir(filepath.Join(a.Shared, Removed, p.key())) && !isPlan(filepath.Join(a.Shared, Finished, p.key())) {
		return "", nil
	}
	d, err := handoff.Open(a.Shared, p.Type, p.VM)
	if err != nil {
		return "", err
	}
	st, err := d.Read()
	if err != nil {
		return "", err
	}
	if st.Phase == handoff.NoRecord {
		return p.Ref() + " was never started by the cluster", nil
	}
	return "", nil
}

// onlyCopy says that what was copied is not where it was put: the original may be all that there is.
func (a Adopter) onlyCopy(p Plan) (string, error) {
	for _, c := range p.Copies {
		if there, err := exists(a.Host.Path(c.To)); err != nil || !there {
			return fmt.Sprintf("%s is not there, of which this is the original", c.To), err
		}
	}
	return "", nil
}

// Purge deletes an original. It follows no link, and deletes nothing where something is mounted within.
func (a Adopter) Purge(o Original) error {
	if filepath.Ext(o.Path) != origSuffix {
		return fmt.Errorf("%s is no original", o.Path)
	}
	if err := a.removeTree(o.Path); err != nil {
		return err
	}
	return atomicfile.FsyncDir(filepath.Dir(a.Host.Path(o.Path)))
}

// removeTree removes a file or a tree of the node. What is mounted within is somebody else's, by a bind mount too.
func (a Adopter) removeTree(path string) error {
	if err := a.unmounted(path); err != nil {
		return err
	}
	return os.RemoveAll(a.Host.Path(path))
}

// unmounted is an error where something is mounted within a tree of the node, or on it. A file that is mounted upon cannot be removed.
func (a Adopter) unmounted(path string) error {
	if !isDir(a.Host.Path(path)) {
		return nil
	}
	points, err := a.Host.MountsBelow(path)
	if err == nil && len(points) > 0 {
		err = fmt.Errorf("%s is mounted within %s: umount it first", strings.Join(points, ", "), path)
	}
	return err
}
