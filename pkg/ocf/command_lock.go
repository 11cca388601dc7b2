package ocf

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// hold is the lock of a resource on this node, taken once in an action and kept to its end.
type hold struct {
	mu    sync.Mutex
	taken bool // asked for: held, or the node has no place for one
	lock  *lockfile.Lock
	over  atomic.Bool // the action has answered; what it left behind may change nothing any more
}

// take takes the lock, waiting for who has it as long as ctx lasts, and gives the descriptor that bears it. Where the
// node has no place for a lock (a file system that was remounted read-only) the action goes on without, and the
// descriptor is nil: a stop that fails would cost more.
func (h *hold) take(ctx context.Context, c *Call) (*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over.Load() {
		return nil, errors.New("the action is over: nothing is changed any more")
	}
	if !h.taken {
		lock, err := acquire(ctx, c)
		if errors.Is(err, lockfile.ErrHeld) {
			return nil, fmt.Errorf("an earlier action of %s still works: %w", c.Instance, err)
		}
		if err != nil {
			c.Log.Log(LevelWarning, "going on without a lock: "+err.Error())
		}
		h.taken, h.lock = true, lock
	}
	if h.lock == nil {
		return nil, nil
	}
	return h.lock.File(), nil
}

func acquire(ctx context.Context, c *Call) (*lockfile.Lock, error) {
	dir := c.World.Path("/var/run/lbvm")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName(c))
	holder := fmt.Sprintf("%s, pid %d", c.Action, os.Getpid())
	lock, err := lockfile.Try(path, holder)
	if !errors.Is(err, lockfile.ErrHeld) {
		return lock, err
	}
	c.Log.Log(LevelNotice, fmt.Sprintf("%s of %s waits for an earlier action: %v", c.Action, c.Instance, err))
	return lockfile.Acquire(ctx, clock.System(), path, holder)
}

// lockName is the file of a resource's lock: a name that no other resource has and that every file system takes.
func lockName(c *Call) string {
	name := url.PathEscape(c.Type + "/" + c.Name)
	if len(name) > 200 {
		sum := fnv.New64a()
		fmt.Fprint(sum, c.Type, "/", c.Name)
		name = fmt.Sprintf("%.180s~%016x", name, sum.Sum64())
	}
	return "ocf-" + name + ".lock"
}

// end lets the lock go.
func (h *hold) end(c *Call) {
	h.over.Store(true)
	if !h.mu.TryLock() {
		return // somebody whom the action left behind still waits for it; the process ends now
	}
	defer h.mu.Unlock()
	if h.lock == nil {
		return
	}
	if err := h.lock.Close(); err != nil {
		c.Log.Log(LevelDebug, "letting the lock go: "+err.Error())
	}
	h.lock = nil
}
