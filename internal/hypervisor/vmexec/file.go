package vmexec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// Dir holds the definitions, a file for each technology.
const Dir = "/etc/cluster/lbvm.d"

// mostBytes is the longest file that is read.
const mostBytes = 64 << 10

// ErrDefinition says that a technology's definition cannot be used. Nobody knows what its guests are then.
var ErrDefinition = errors.New("the definition cannot be used")

// Load reads the definition of a technology on this node, as an agent needs it: whole and trusted, or not at all.
func Load(h host.Host, name string) (*Definition, error) {
	src, err := Read(h, name)
	if err != nil {
		return nil, err
	}
	d, diags := Parse(name, filepath.Join(Dir, name), src)
	if d == nil {
		for _, x := range diags {
			if x.Severity == syntax.Error {
				return nil, fmt.Errorf("%w: %w", ErrDefinition, x)
			}
		}
	}
	return d, nil
}

// Read gives the bytes of a definition if they can be trusted: the file is a plain file of root's that nobody else may
// write, and so is its folder. A missing one is hypervisor.ErrNoProgram as well: nothing of the technology is here.
//
// Below a root of its own (a lab, a test) the files may belong to whoever runs this process instead.
func Read(h host.Host, name string) (_ []byte, err error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("%w: type: %w", ErrDefinition, err)
	}
	dir := h.Path(Dir)
	path := filepath.Join(dir, name)
	defer func() {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: technology %q is not defined here: there is no %s", hypervisor.ErrNoProgram, name, filepath.Join(Dir, name))
		} else if err != nil {
			err = fmt.Errorf("%w: %w", ErrDefinition, err)
		}
	}()
	folder, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if err := trusted(h, dir, folder); err != nil {
		return nil, err
	}
	// A link may lead to the shared storage, for which a status check must not wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link: copy the file to every node", path)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", path)
	}
	if err := trusted(h, path, info); err != nil {
		return nil, err
	}
	src, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(src) > mostBytes {
		err = fmt.Errorf("%s is longer than %d bytes", path, mostBytes)
	}
	return src, err
}

// trusted: what stands in the file is run as root.
func trusted(h host.Host, path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s has no owner", path)
	}
	if st.Uid != 0 && (h.Root() == "" || int(st.Uid) != os.Geteuid()) {
		return fmt.Errorf("%s belongs to user %d, not to root: what stands in it is run as root (chown root)", path, st.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s may be written by others (%s): what stands in it is run as root (chmod go-w)", path, info.Mode().Perm())
	}
	return nil
}

// Defined are the names of the technologies that this node has a file for, be it good or bad. None is no error.
func Defined(h host.Host) ([]string, error) {
	entries, err := os.ReadDir(h.Path(Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		// What an editor or a package manager leaves beside it is none.
		if CheckName(e.Name()) == nil && !slices.ContainsFunc([]string{".sample", ".rpmnew", ".rpmsave", ".bak", ".orig"}, func(s string) bool { return strings.HasSuffix(e.Name(), s) }) {
			out = append(out, e.Name())
		}
	}
	return out, err
}
