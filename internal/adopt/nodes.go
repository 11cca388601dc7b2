package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// Join makes this node's links to a VM that another node has adopted, or is adopting. That it begins is noted on the
// shared storage first: an undo must know of links that a killed run has asked for.
func (a Adopter) Join(ctx context.Context, p Plan) (err error) {
	lock, err := lockfile.Acquire(ctx, a.Wait, filepath.Join(a.Shared, joinLock), "lbm add --join "+p.Ref()+" on "+a.ID.Member)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	file := a.joinedFile(p, a.ID.Member)
	// What was read before the lock may be taken back by now.
	if _, err := readPlan(filepath.Dir(file)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if back, err := exists(filepath.Join(filepath.Dir(file), backFile)); err != nil || back {
		return errors.Join(fmt.Errorf("%w: the adoption of %s is being taken back", ErrRefused, p.Ref()), err)
	}
	there, err := a.linked(p)
	if err != nil {
		return err
	}
	if !there {
		d, err := hypervisor.New(p.Type, a.Driver)
		if err != nil {
			return err
		}
		begun, err := exists(file)
		if err != nil {
			return err
		}
		if x, err := hypervisor.DetailOf(ctx, d, p.VM); !begun && (err != nil || x.State != hypervisor.Absent) {
			return errors.Join(fmt.Errorf("%w: this node has a %s of its own, which is %s", ErrRefused, p.Ref(), x.State), err)
		}
	}
	if err := removeTemps(file); err != nil { // of a run that was killed here
		return err
	}
	if err := atomicfile.Write(file, nil, atomicfile.Options{Mode: 0o600}); err != nil {
		return err
	}
	if err := a.makeLinks(p, func(string) error { return nil }); err != nil {
		return err
	}
	return atomicfile.Write(file, []byte(hasLinks), atomicfile.Options{Mode: 0o600})
}

// Leave removes this node's links.
func (a Adopter) Leave(ctx context.Context, p Plan) (err error) {
	lock, err := lockfile.Acquire(ctx, a.Wait, filepath.Join(a.Shared, joinLock), "lbm add --leave "+p.Ref()+" on "+a.ID.Member)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	d, err := hypervisor.New(p.Type, a.Driver)
	if err != nil {
		return err
	}
	if x, err := hypervisor.DetailOf(ctx, d, p.VM); err == nil && !x.State.Clean() { // started by hand, by those links
		return fmt.Errorf("%w: %s is %s on %s: shut it down first", ErrRefused, p.Ref(), x.State, a.ID.Member)
	}
	if err := a.removeLinks(p, func(string) error { return nil }); err != nil {
		return err
	}
	if err := os.Remove(a.joinedFile(p, a.ID.Member)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// noCommand is the exit code of a shell that knows no lbm.
const noCommand = 127

const (
	joinLock = "lbvm/lock/adopt-join" // held while a node makes or removes its links
	hasLinks = "linked\n"             // what a node has noted when its links are there
	backFile = "undo"                 // beside the plan: it is being taken back, no node makes links any more
)

// hasJoined tells whether a node has noted that its links are there.
func (w *work) hasJoined(member string) (bool, error) {
	b, err := os.ReadFile(w.joinedFile(w.p, member))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return string(b) == hasLinks, err
}

// joinedFile notes on the shared storage that a node has its links.
func (a Adopter) joinedFile(p Plan, member string) string {
	for _, dir := range []string{Unfinished, Finished} {
		if path := filepath.Join(a.Shared, dir, p.key()); dir == Finished || isPlan(path) {
			return filepath.Join(path, "joined."+member)
		}
	}
	return ""
}

// isPlan: a folder without a plan is of a run that has not begun, or was taken back.
func isPlan(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "plan"))
	return err == nil
}

func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}

// peers are the other nodes that need links.
func (w *work) peers() ([]string, error) {
	if len(w.p.Links) == 0 || w.p.Type != "openvz" {
		return nil, nil
	}
	nodes, err := w.registry().nodes(context.Background())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(nodes, func(n string) bool { return n == w.ID.Member }), nil
}

// joined is never taken for granted: each run asks once more, those that have said so are left alone.
func (w *work) joined() (bool, error) {
	peers, err := w.peers()
	if err != nil {
		return false, err
	}
	for _, n := range peers {
		if there, err := w.hasJoined(n); err != nil || !there && !slices.Contains(w.left, w.lacks(n)) {
			return false, err
		}
	}
	return true, nil
}

func (w *work) lacks(member string) string {
	return fmt.Sprintf("%s has no link yet: run there lbm add --join %s", member, w.p.Ref())
}

func (w *work) joinAll(ctx context.Context) error {
	peers, err := w.peers()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(w.dir, backFile)); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an undo that was broken off
		return err
	}
	for _, n := range peers {
		if there, err := w.hasJoined(n); err != nil {
			return err
		} else if there {
			continue
		}
		if err := w.at("nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil && !slices.Contains(w.p.Vouched, n) {
			if r, err := w.Peer(ctx, n, "add", "--join", "--", w.p.Ref()); err == nil && r.Code == 0 {
				if there, err := w.hasJoined(n); err != nil {
					return err
				} else if there {
					continue
				}
			}
		}
		w.left = append(w.left, w.lacks(n)) // a start there fails, and the manager tries another node
	}
	return nil
}

// leaveAll removes the links of the nodes that have told of theirs.
func (w *work) leaveAll(ctx context.Context) error {
	peers, err := w.peers()
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		return nil
	}
	if err := w.noMoreJoins(ctx); err != nil {
		return err
	}
	for _, n := range peers {
		file := w.joinedFile(w.p, n)
		if there, err := exists(file); err != nil {
			return err
		} else if !there {
			continue
		}
		if err := w.at("undo:nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil {
			if r, err := w.Peer(ctx, n, "add", "--leave", "--", w.p.Ref()); err == nil && r.Code == 0 {
				continue
			} else if err == nil && r.Code != noCommand {
				return fmt.Errorf("%s: %s", n, lastLines(r.Stderr))
			}
		}
		// A link that leads nowhere starts nothing.
		var paths []string
		for _, l := range w.p.Links {
			paths = append(paths, l.Path)
		}
		w.left = append(w.left, fmt.Sprintf("%s could not be asked to remove its links, which lead nowhere now: run there rm %s", n, strings.Join(paths, " ")))
	}
	return nil
}

// noMoreJoins waits for a node that makes its links at this moment, asked by a run that was killed, and lets none begin.
func (w *work) noMoreJoins(ctx context.Context) error {
	if err := w.at("undo:nodes/mark"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.dir, backFile), nil, 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	lock, err := lockfile.Acquire(ctx, w.Wait, filepath.Join(w.Shared, joinLock), "lbm add --undo "+w.p.Ref()+" on "+w.ID.Member)
	if err != nil {
		return err
	}
	return lock.Close()
}
