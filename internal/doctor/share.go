package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
)

func shareChecks() []Check {
	return []Check{
		{Name: "share", About: "the shared storage is mounted, shows the marker, has room, is a cluster file system, and so are those of /etc/fstab", idle: noShare, do: checkShare},
		{Name: "flock", About: "locks on the shared storage reach the other nodes (with --all; alone, only the mount's options tell)", idle: alone, share: true, do: checkFlock},
	}
}

// noShare: nothing is said of a node that was not set up, which is a finding of its own.
func noShare(n *node) string {
	switch {
	case n.idErr != nil:
		return "this node was not set up"
	case n.id.Shared == "":
		return "this cluster has no shared file system"
	}
	return ""
}

func alone(n *node) string {
	if why := noShare(n); why != "" {
		return why
	}
	if n.d.Held == "" {
		return "it takes two nodes: lbm doctor --all"
	}
	return ""
}

func checkShare(_ context.Context, n *node) {
	words := []string{"DIR", n.id.Shared}
	switch {
	case n.away != "":
		n.say("share.hangs", words, "%s", n.away)
		return
	case errors.Is(n.shErr, host.ErrLocalLocks):
		n.say("share.locks", words, "%v", n.shErr)
	case errors.Is(n.shErr, host.ErrNoMarker):
		n.say("share.absent", words, "%v", n.shErr)
	case n.shErr != nil:
		n.unknown("%v", n.shErr)
	default:
		n.room(words)
	}
	text, there, err := n.read("/proc/mounts")
	if !there && err == nil && n.h.Root() != "" {
		return // a lab node has no mounts
	}
	if err != nil || !there {
		n.unknown("the mounts cannot be read: %v", err)
		return
	}
	mounts := parseMounts(text)
	if m, ok := covering(mounts, n.real(n.id.Shared)); ok && n.shErr == nil && !slices.Contains(clustered(), m.kind) {
		n.say("share.local", words, "%s lies on %s, which is %s (%s)", n.id.Shared, m.point, m.kind, m.device)
	}
	table, _, err := n.read("/etc/fstab")
	if err != nil {
		n.unknown("%v", err)
	}
	for _, m := range parseMounts(table) {
		if !slices.Contains([]string{"gfs", "gfs2", "ocfs2"}, m.kind) || slices.Contains(strings.Split(m.options, ","), "noauto") {
			continue
		}
		if !slices.ContainsFunc(mounts, func(x mount) bool { return x.point == m.point && slices.Contains(clustered(), x.kind) }) {
			n.say("share.fstab", []string{"DIR", m.point}, "%s (%s, %s) is not mounted", m.point, m.kind, m.device)
		}
	}
}

// LeastRoom is how many bytes must be free on the shared storage: records are small, and many are written anew at a time.
const LeastRoom = 16 << 20

func (n *node) room(words []string) {
	ask := n.d.Room
	if ask == nil {
		ask = Free
	}
	switch bytes, err := ask(n.shared); {
	case err != nil:
		n.unknown("how much is free on the shared storage: %v", err)
	case bytes < LeastRoom:
		n.say("share.full", words, "%d KiB are free on %s", bytes>>10, n.id.Shared)
	}
}

// Free is how many bytes the file system of dir has free; of one that tells no size it is the most that can be.
func Free(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	if st.Blocks == 0 { // FUSE file systems that have no size
		return math.MaxInt64, nil
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// real is a path as the kernel's table of mounts names it.
func (n *node) real(path string) string {
	if n.h.Root() == "" {
		if p, err := filepath.EvalSymlinks(path); err == nil {
			return p
		}
	}
	return path
}

// covering is the mount that a path lies on: of two at one place the later.
func covering(mounts []mount, path string) (mount, bool) {
	var best mount
	for _, m := range mounts {
		if (path == m.point || m.point == "/" || strings.HasPrefix(path, m.point+"/")) && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best, best.point != ""
}

// heldFile is the lock by which two nodes try whether locks reach from one to the other.
func heldFile(shared, member string) string {
	return filepath.Join(shared, "lbvm/lock", "doctor."+member)
}

// Hold takes a lock on the shared storage that other nodes then find held, if locks reach them.
func Hold(shared, member string) (release func() error, err error) {
	if err := host.CheckName(member); err != nil {
		return nil, err
	}
	l, err := lockfile.Try(heldFile(shared, member), "lbm doctor --all on "+member)
	if err != nil {
		return nil, fmt.Errorf("holding a lock for the other nodes: %w", err)
	}
	return l.Close, nil
}

func checkFlock(_ context.Context, n *node) {
	if err := host.CheckName(n.d.Held); err != nil || n.shErr != nil {
		n.unknown("%v", errors.Join(err, n.shErr))
		return
	}
	l, err := lockfile.Try(heldFile(n.shared, n.d.Held), "lbm doctor on "+n.name)
	switch {
	case errors.Is(err, lockfile.ErrHeld):
	case err != nil:
		n.unknown("%v", err)
	default:
		n.say("share.flock", nil, "%s holds %s, and this node could take it", n.d.Held, filepath.Base(heldFile(n.shared, n.d.Held)))
		if err := l.Close(); err != nil {
			n.unknown("%v", err)
		}
	}
}
