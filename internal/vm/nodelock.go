package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Beside its lock on the shared storage a VM has one on each node. It tells nothing of other nodes. But a cluster may
// have no shared storage, or it may be away when a stop comes: the tool that a killed agent left behind is then waited
// for all the same, and no stop takes "not here" for its answer while a boot goes on.

// nodeLock is the lock's file, among the marks; toolNote is where the keeper says what works under it.
const (
	nodeLock = ".lock"
	toolNote = ".tool"
)

// lockNode waits for this node's lock until ctx ends, and gives the driver a keeper that holds it, and the shared lock
// where there is one.
// Where the node has no place for it (a file system that was remounted read-only) the action goes on without: a stop
// that fails costs more.
func (l *life) lockNode(ctx context.Context, shared *os.File) error {
	err := os.MkdirAll(l.host.Path(host.RunDir), 0o755)
	if err == nil {
		l.node, err = lockfile.Acquire(ctx, l.clock, l.mark(nodeLock), fmt.Sprintf("%s, pid %d", l.action, os.Getpid()))
	}
	if errors.Is(err, lockfile.ErrHeld) {
		return fmt.Errorf("an earlier action on %s still works here: %w", l.vm, err)
	}
	if err != nil {
		l.log(ocf.LevelWarning, "going on without this node's lock", "error", err)
	}
	keeper := run.Keeper{Lock: shared, Grace: grace}
	if l.node != nil {
		keeper.Also, keeper.Note = l.node.File(), l.mark(toolNote)
		if err := l.endOrphans(keeper.Note); err != nil {
			return err
		}
	}
	return l.equip(keeper)
}

// endOrphans ends what the tool of a killed keeper has left behind, before anything is looked at.
func (l *life) endOrphans(note string) error {
	found, err := run.EndOrphans(note)
	if len(found.PIDs) > 0 {
		l.log(ocf.LevelError, "an earlier tool had lost its keeper: what it left behind was killed", "tool", found.Tool, "processes", found.PIDs)
	}
	if err != nil {
		return fmt.Errorf("an earlier action on %s still works here: %w", l.vm, err)
	}
	return nil
}

// idle tells whether no action works on the VM on this node, nor a tool that one has left behind.
func (l *life) idle() bool {
	held, err := lockfile.Held(l.mark(nodeLock))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log(ocf.LevelWarning, "whether something works on the VM here is not known", "error", err)
		return false
	}
	return !held
}

// lockAlone is lock where there is no shared storage to use.
func (l *life) lockAlone(ctx context.Context) error {
	if l.explains != nil {
		l.say("it takes the VM's lock on this node, for which it would wait %s", l.left(1, 3).Round(time.Second))
		return nil
	}
	wait, cancel := l.clock.WithTimeout(ctx, l.left(1, 3))
	defer cancel()
	return l.lockNode(wait, nil)
}
