package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
)

// Identity is what /etc/cluster/lbvm.id says: which cluster this node belongs to and where its shared storage is.
type Identity struct {
	Cluster string
	UUID    string
	Member  string // this node's name in cluster.conf
	Shared  string // absolute; "" where the cluster has no shared file system
	LogDir  string // absolute
}

// Errors of Identity and Shared.
var (
	// ErrNoIdentity says that `lbm init` was not run on this node.
	ErrNoIdentity = errors.New("this node was not set up: run lbm init")
	// ErrNoMarker says that the shared storage does not show the cluster's marker: it is most likely not mounted.
	ErrNoMarker = errors.New("the shared storage does not hold this cluster's marker (is it mounted?)")
	// ErrNotShared says that the cluster has no shared file system.
	ErrNotShared = errors.New("this cluster has no shared file system")
	// ErrLocalLocks says that locks on the shared storage do not reach other nodes.
	ErrLocalLocks = errors.New("the shared storage is mounted with locks that do not reach other nodes")
)

// MarkerFile lies below the shared storage and proves that it is mounted.
const MarkerFile = "lbvm/cluster"

// Identity reads lbvm.id.
func (h Host) Identity() (Identity, error) {
	b, err := os.ReadFile(h.Path(IDFile))
	if errors.Is(err, os.ErrNotExist) {
		return Identity{}, fmt.Errorf("%w (%s is missing)", ErrNoIdentity, h.Path(IDFile))
	}
	if err != nil {
		return Identity{}, fmt.Errorf("reading who this node is: %w", err)
	}
	id, err := parseIdentity(b)
	if err != nil {
		return Identity{}, fmt.Errorf("reading %s: %w", h.Path(IDFile), err)
	}
	if id.Member == "" {
		if id.Member, err = h.Name(); err != nil {
			return Identity{}, err
		}
	}
	return id, nil
}

func parseIdentity(b []byte) (Identity, error) {
	p, err := keyval.Parse(b)
	if err != nil {
		return Identity{}, err
	}
	if f := p.Get("format"); f != "1" {
		return Identity{}, fmt.Errorf("format %q is not known", f)
	}
	id := Identity{Cluster: p.Get("cluster"), UUID: p.Get("uuid"), Member: p.Get("member"), Shared: p.Get("shared"), LogDir: p.Get("logdir")}
	if id.Cluster == "" || id.UUID == "" || id.Shared == "" || id.LogDir == "" {
		return Identity{}, errors.New("it needs cluster=, uuid=, shared= and logdir=")
	}
	if id.Member != "" {
		if err := CheckName(id.Member); err != nil {
			return Identity{}, err
		}
	}
	if id.Shared == "none" {
		id.Shared = ""
	} else if !strings.HasPrefix(id.Shared, "/") {
		return Identity{}, fmt.Errorf("shared=%q is not an absolute path", id.Shared)
	}
	if !strings.HasPrefix(id.LogDir, "/") {
		return Identity{}, fmt.Errorf("logdir=%q is not an absolute path", id.LogDir)
	}
	return id, nil
}

// WriteIdentity writes lbvm.id.
func (h Host) WriteIdentity(id Identity) error {
	shared := id.Shared
	if shared == "" {
		shared = "none"
	}
	p := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "cluster", Value: id.Cluster}, {Key: "uuid", Value: id.UUID},
		{Key: "member", Value: id.Member}, {Key: "shared", Value: shared}, {Key: "logdir", Value: id.LogDir}}
	return atomicfile.Write(h.Path(IDFile), p.Format(), atomicfile.Options{Mode: 0o644})
}

// Marker is the text of the marker file of that cluster.
func (id Identity) Marker() []byte {
	return keyval.Pairs{{Key: "format", Value: "1"}, {Key: "cluster", Value: id.Cluster}, {Key: "uuid", Value: id.UUID}}.Format()
}

// SharedDir is the shared storage, joined with the root, after its marker was seen. An unmounted share is an
// empty folder: without the marker it is ErrNoMarker, never an empty share.
func (h Host) SharedDir(id Identity) (string, error) {
	if id.Shared == "" {
		return "", ErrNotShared
	}
	dir := h.Path(id.Shared)
	b, err := os.ReadFile(dir + "/" + MarkerFile)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%w: %s", ErrNoMarker, dir)
		}
		return "", fmt.Errorf("reading the marker of the shared storage: %w", err)
	}
	if !bytes.Equal(bytes.TrimSpace(b), bytes.TrimSpace(id.Marker())) {
		return "", fmt.Errorf("%w: %s/%s names another cluster", ErrNoMarker, dir, MarkerFile)
	}
	if err := h.checkLocks(id.Shared); err != nil {
		return "", err
	}
	return dir, nil
}

// checkLocks looks at the mount that holds dir. A flock that stays on one node protects nothing.
func (h Host) checkLocks(dir string) error {
	_, options, err := h.mount(dir)
	if err != nil {
		return err
	}
	if bad := localLocks(options); bad != "" {
		return fmt.Errorf("%w: %s has the mount option %s", ErrLocalLocks, dir, bad)
	}
	return nil
}

// FileSystem is the type of the file system that holds a folder: "ext4"; "" where the node has no mounts (a lab's).
func (h Host) FileSystem(dir string) (string, error) {
	typ, _, err := h.mount(dir)
	return typ, err
}

// mount gives type and options of the mount that holds dir.
func (h Host) mount(dir string) (typ, options string, err error) {
	b, err := os.ReadFile(h.Path("/proc/mounts"))
	if errors.Is(err, os.ErrNotExist) && h.root != "" {
		return "", "", nil // a lab node has no mounts
	}
	if err != nil {
		return "", "", fmt.Errorf("reading the mounts: %w", err)
	}
	mounted := dir
	if h.root == "" { // the mounts name the folder itself, not a link to it
		if mounted, err = filepath.EvalSymlinks(dir); err != nil {
			return "", "", fmt.Errorf("finding the mount of %s: %w", dir, err)
		}
	}
	typ, options = mountOf(b, mounted)
	return typ, options, nil
}

// MountsBelow gives what is mounted within a folder, or on it, by the names of the mount points: a bind mount too, which lies on the same
// file system as the rest. nil where the node has no mounts (a lab's).
func (h Host) MountsBelow(dir string) ([]string, error) {
	b, err := os.ReadFile(h.Path("/proc/mounts"))
	if errors.Is(err, os.ErrNotExist) && h.root != "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	if h.root == "" {
		mounted, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, fmt.Errorf("finding the mounts below %s: %w", dir, err)
		}
		dir = mounted
	}
	var out []string
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		if point := unescapeMount(f[1]); point == dir || strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") {
			out = append(out, point)
		}
	}
	return out, nil
}

// mountOf finds the mount that holds dir: the last of the longest.
func mountOf(mounts []byte, dir string) (typ, options string) {
	best := ""
	for _, line := range strings.Split(string(mounts), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		point := unescapeMount(f[1])
		if (dir == point || point == "/" || strings.HasPrefix(dir, point+"/")) && len(point) >= len(best) {
			best, typ, options = point, f[2], f[3]
		}
	}
	return typ, options
}

// localLocks is the option of a mount that keeps its locks on one node, or "".
func localLocks(options string) string {
	for _, o := range strings.Split(options, ",") {
		switch o {
		case "nolock", "local_lock=flock", "local_lock=all", "localflocks", "lockproto=lock_nolock":
			return o
		}
	}
	return ""
}

// unescapeMount undoes the kernel's escapes in /proc/mounts.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
