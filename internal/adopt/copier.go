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
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// copier is the tool that copies.
type copier struct {
	path  string
	rsync bool // goes on with what is there already; cp begins anew
}

// copier prefers rsync, if it is one that keeps access lists and attributes, and takes cp else. Whether either has kept
// everything is for Compare to say.
func (a Adopter) copier(ctx context.Context) (copier, error) {
	if path, ok := a.Host.Has("rsync"); ok {
		r, err := a.Query.Run(ctx, run.Command{Argv: []string{path, "--version"}, Env: a.Host.Environ()})
		if err == nil && r.Code == 0 && hasWord(r.Stdout, "ACLs") && hasWord(r.Stdout, "xattrs") {
			return copier{path, true}, nil
		}
	}
	if path, ok := a.Host.Has("cp"); ok {
		return copier{path, false}, nil
	}
	return copier{}, errors.New("neither rsync nor cp is installed here")
}

// hasWord looks for a capability that is not negated: "ACLs", and not "no ACLs".
func hasWord(text []byte, word string) bool {
	for _, f := range bytes.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if strings.TrimSpace(string(f)) == word {
			return true
		}
	}
	return false
}

func (c copier) argv(from, to string, tree bool) []string {
	switch {
	case c.rsync && tree:
		return []string{c.path, "-aHAXS", "--numeric-ids", "--one-file-system", "--delete", "--", from + "/", to}
	case c.rsync:
		return []string{c.path, "-aAXS", "--numeric-ids", "--", from, to}
	}
	return []string{c.path, "-a", "--sparse=always", "--one-file-system", "-T", "--", from, to}
}

// copyOne copies one tree or image, and returns when it is on disk.
func (w *work) copyOne(ctx context.Context, c Copy, from, part string) error {
	tool, err := w.copier(ctx)
	if err != nil {
		return err
	}
	if !tool.rsync {
		if err := w.removeTree(c.To + partSuffix); err != nil {
			return err
		}
	}
	if err := removeRsyncTemps(part); err != nil {
		return err
	}
	defer w.watch(c, part)()
	r, err := w.Keep(w.lock.File()).Run(ctx, run.Command{Argv: tool.argv(from, part, c.Tree), Env: w.Host.Environ()})
	switch {
	case err != nil:
		return err
	case r.Code != 0:
		return fmt.Errorf("%s: exit %d: %s", filepath.Base(tool.path), r.Code, lastLines(r.Stderr))
	}
	if c.Tree {
		if err := sockets(from, part); err != nil {
			return err
		}
	}
	return syncFS(filepath.Dir(part))
}

// removeRsyncTemps removes what an rsync that died with its node has left of an image: `.NAME.` and six characters, beside it.
func removeRsyncTemps(part string) error {
	dir, err := os.ReadDir(filepath.Dir(part))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range dir {
		if rest, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(part)+"."); ok && len(rest) == 6 {
			err = errors.Join(err, os.RemoveAll(filepath.Join(filepath.Dir(part), e.Name())))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lastLines is the end of what a tool has said, on one line.
func lastLines(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

// watch tells how far a copy is, until it is stopped. It looks at the copy itself: what the file system has less room for
// may be other nodes' doing. A look at a big tree takes long, so the next one waits ten times as long.
func (w *work) watch(c Copy, part string) (stop func()) {
	if w.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for pause := time.Second; w.Wait.Sleep(ctx, pause) == nil; {
			began := w.Wait.Now()
			if m, err := Measure(ctx, part, false); err == nil {
				w.Progress(c.From, m.Bytes, c.Bytes)
			}
			pause = max(time.Second, 10*w.Wait.Now().Sub(began))
		}
	}()
	return func() {
		cancel()
		all.Wait()
	}
}

// sockets makes those that the tool has left out: rsync does where their path is too long for it.
func sockets(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSocket == 0 {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		copied := filepath.Join(to, below)
		if there, err := exists(copied); err != nil || there {
			return err
		}
		var st, dir unix.Stat_t
		if err := errors.Join(unix.Lstat(path, &st), unix.Lstat(filepath.Dir(copied), &dir)); err != nil {
			return err
		}
		if err := unix.Mknod(copied, unix.S_IFSOCK|st.Mode&0o7777, 0); err != nil {
			return err
		}
		if err := errors.Join(os.Lchown(copied, int(st.Uid), int(st.Gid)), unix.Chmod(copied, st.Mode&0o7777)); err != nil {
			return err
		}
		times := func(s unix.Stat_t) []unix.Timespec { return []unix.Timespec{s.Atim, s.Mtim} }
		return errors.Join(unix.UtimesNanoAt(unix.AT_FDCWD, copied, times(st), unix.AT_SYMLINK_NOFOLLOW),
			unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Dir(copied), times(dir), unix.AT_SYMLINK_NOFOLLOW))
	})
}

func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.Syncfs(int(f.Fd()))
	if errors.Is(err, unix.ENOSYS) { // before Linux 2.6.39
		unix.Sync()
		return nil
	}
	return err
}

// down is nil if nothing of the VM is here.
func (a Adopter) down(ctx context.Context, p Plan) error {
	d, err := hypervisor.New(p.Type, a.Driver)
	if err != nil {
		return err
	}
	x, err := hypervisor.DetailOf(ctx, d, p.VM)
	switch {
	// The tool does not know a VM whose configuration is retired, and an OpenVZ link to it that leads nowhere is ours.
	case err != nil && !errors.Is(err, hypervisor.ErrDown):
		return err
	case err == nil && !x.State.Clean():
		return fmt.Errorf("%s is %s on this node: shut it down first", p.Ref(), x.State)
	case x.Foreign:
		return fmt.Errorf("the memory of %s lies in a dump of its tool: start it and shut it down, so that nothing is lost", p.Ref())
	case x.NoProgram:
		return fmt.Errorf("%w on this node", hypervisor.ErrNoProgram)
	}
	return nil
}

func (w *work) down(ctx context.Context) error { return w.Adopter.down(ctx, w.p) }
