package check

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Sight is how this node sees the folder of the logs, in which lbmonitor, wherever it runs, must find those of all nodes.
type Sight struct {
	Dir    func(logdir string) string            // where a folder of the node lies
	Type   func(logdir string) string            // of the file system that holds it: "ext4"; "" is not known
	Common func(logdir string) bool              // whether it lies on the cluster's shared storage; may be nil
	Shared error                                 // why the shared storage cannot be seen; nil: it can, or there is none
	Nodes  int                                   // of the cluster's configuration
	Peers  []string                              // the other members that are up; nil: nobody knows
	Facts  func(member string) (time.Time, bool) // when lblog published them last; false: never
	Now    time.Time
}

// local are file systems that one node alone sees.
func local() []string {
	return []string{"btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "xfs", "zfs"}
}

// common are file systems that several nodes see at once.
func common() []string {
	return []string{"beegfs", "ceph", "cifs", "fuse.glusterfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "ocfs2"}
}

// sight looks whether all nodes see one folder of logs.
func (in Input) sight(f *conf.File, r *conf.Resources) []conf.Diagnostic {
	s, dir := in.Sight, f.Paths.LogDir
	if s == nil || s.Nodes < 2 || dir == "" || r == nil || len(f.Balance) == 0 {
		return nil
	}
	fail := func(hint, format string, args ...any) conf.Diagnostic {
		return at(f, "logdir", conf.Error, hint, format, args...)
	}
	if s.Shared != nil {
		return []conf.Diagnostic{fail("mount it on this node, then run lbm check again", "logdir %s: %v", dir, s.Shared)}
	}
	cure := "put it on the shared storage"
	if in.LogDir != "" && strings.TrimRight(in.LogDir, "/") != strings.TrimRight(dir, "/") {
		cure += ": logdir " + in.LogDir + ";"
	}
	if typ := s.Type(dir); slices.Contains(local(), typ) && !f.Push {
		return []conf.Diagnostic{fail(cure+", or send them by ssh: logs push;",
			"logdir %s lies on %s, which no other node sees: the balancer on another node would find none of this node's values", dir, typ)}
	}
	var out []conf.Diagnostic
	if typ := s.Type(dir); f.Push && (slices.Contains(common(), typ) || s.Common != nil && s.Common(dir) && !slices.Contains(local(), typ)) {
		out = append(out, at(f, "logs", conf.Warning, "take logs push; out, or write a logdir of each node's own",
			"logs push; sends what all nodes see already: logdir %s is shared", dir))
	}
	for _, peer := range s.Peers {
		if why := s.unseen(f, r, peer); why != "" {
			hint := "look whether cron runs lblog there, and whether it sees this folder; else " + cure + ", or logs push;"
			if f.Push {
				hint = "look into the system log there, where lblog says why it cannot push: root must reach this node by ssh without a question"
			}
			out = append(out, fail(hint, "%s is up, and %s", peer, why))
		}
	}
	return out
}

// unseen says why what a peer measures cannot be seen here, or "".
func (s *Sight) unseen(f *conf.File, r *conf.Resources, peer string) string {
	names := map[string]string{}
	for _, x := range r.List {
		names[x.Name] = x.Log()
	}
	logs := balance.NewLogs(s.Dir(f.Paths.LogDir), names, f.Stale)
	var why []string
	for _, x := range r.List {
		_, err := logs.Window(peer, x.Name, s.Now.Add(-f.Stale), s.Now)
		if err == nil { // one that cannot be measured there is another matter
			why = nil
			break
		}
		text := err.Error()
		if errors.Is(err, balance.ErrNoData) {
			text = "there is no " + peer + "-" + x.Log()
		}
		why = append(why, text)
	}
	if len(why) > 0 {
		if len(why) > 2 {
			why = append(why[:2], "and so on")
		}
		return "its logs in " + f.Paths.LogDir + " do not come in: " + strings.Join(why, "; ")
	}
	if s.Facts == nil {
		return ""
	}
	switch seen, ok := s.Facts(peer); {
	case !ok:
		return "its facts are not here"
	case s.Now.Sub(seen) >= f.Stale:
		return "its facts are " + s.Now.Sub(seen).Round(time.Second).String() + " old"
	}
	return ""
}
