package adopt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

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

// sharedPath is the node's path of something below the shared storage.
func (a Adopter) sharedPath(below ...string) string {
	return filepath.Join(append([]string{a.ID.Shared}, below...)...)
}

// onShared gives the path by which every node knows what lies on the shared storage: this node may reach it by a link
// that another one has not, or that leads elsewhere there. "" is elsewhere than on the shared storage.
func (a Adopter) onShared(path string) (string, error) {
	is, err := a.isShared(path)
	if err != nil || !is {
		return "", err
	}
	if strings.HasPrefix(path, a.ID.Shared+"/") {
		return path, nil
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
