// Package setup makes a cluster ready for LBVM: what `lbm init` does.
//
// Init runs once per cluster, on a node that has the shared storage mounted: it makes
// the marker that proves that the storage is there, the folders below it, samples of the
// two configuration files, and adds the monitoring service to cluster.conf. Join runs on
// each further node. Both write the node-local lbvm.id, and can be run again: what is
// there already stays as it is.
package setup

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

//go:embed samples
var samples embed.FS

// Options of Init and Join.
type Options struct {
	Shared  string // where the shared storage is mounted, as a path of the node; "" finds it in lbvm.id
	Member  string // this node's name in cluster.conf; "" finds it
	Service bool   // Init: add the monitoring service to cluster.conf
	// NotShared: the cluster has no shared file system (pairs on DRBD, CLVM). Init and Join do the same then, and only for
	// this node.
	NotShared bool
	DryRun    bool
	// Run asks Pacemaker, where the node has that instead of cluster.conf.
	Run run.Runner
}

// Step is one thing that was done, or would be.
type Step struct {
	What string // "marker", "folder", "file", "link", "cluster.conf", "CIB"
	Path string
	Done bool   // false: it was there already, or this is a dry run
	Note string // a diff, or why nothing was done
}

// Errors.
var (
	// ErrOtherCluster says that the storage bears another cluster's marker.
	ErrOtherCluster = errors.New("the shared storage belongs to another cluster")
	// ErrNotInit says that no marker is there to join.
	ErrNotInit = errors.New("no marker is there: run lbm init on one node first, and mount the shared storage here")
)

type setup struct {
	ctx   context.Context
	h     host.Host
	o     Options
	steps []Step
}

// Init makes a cluster ready and this node a part of it. The steps tell what was done, also beside an error.
func Init(ctx context.Context, h host.Host, o Options) ([]Step, error) {
	s := &setup{ctx: ctx, h: h, o: o}
	err := s.init()
	return s.steps, err
}

// Join makes this node a part of a cluster that Init has made ready.
func Join(ctx context.Context, h host.Host, o Options) ([]Step, error) {
	s := &setup{ctx: ctx, h: h, o: o}
	err := s.join()
	return s.steps, err
}

// logDir is where a node logs that shares no file system with others.
const logDir = "/var/log/lb"

// alone makes a node ready that shares no file system with others: it only has to know its name, and that there is nothing.
func (s *setup) alone() error {
	if s.o.Shared != "" {
		return errors.New("--shared and --no-shared exclude each other")
	}
	if old, err := s.h.Identity(); err == nil && old.Shared != "" {
		return fmt.Errorf("%s says that the shared storage is at %s: without it nothing but the manager keeps a VM from running twice; if it is gone for good, on all nodes, remove %s first", host.IDFile, old.Shared, host.IDFile)
	}
	_, id, err := s.who()
	if err != nil {
		return err
	}
	if old, err := s.h.Identity(); err == nil && old.Cluster == id.Cluster {
		id.UUID = old.UUID
	} else if id.UUID, err = newUUID(); err != nil {
		return err
	}
	if err := s.folder(id.LogDir, 0o750); err != nil {
		return err
	}
	return s.node(id)
}

func (s *setup) init() error {
	if s.o.NotShared {
		return s.alone()
	}
	conf, id, err := s.who()
	if err != nil {
		return err
	}
	shared := s.h.Path(id.Shared)
	if fi, err := os.Stat(shared); err != nil || !fi.IsDir() {
		return fmt.Errorf("%s is not a folder: mount the shared storage there, or name its place with --shared", id.Shared)
	}
	found, err := s.marker(id)
	if err != nil && !errors.Is(err, ErrNotInit) {
		return err
	}
	// A storage that this node knew with a marker and that shows none is not mounted: one more marker, below the
	// mount point, would make an empty storage of it.
	if old, oerr := s.h.Identity(); err != nil && oerr == nil && old.Cluster == id.Cluster && old.Shared == id.Shared {
		return fmt.Errorf("%w: %s says that %s bears one (if that storage is gone for good, remove %s first)", host.ErrNoMarker, host.IDFile, id.Shared, host.IDFile)
	}
	if found != "" {
		id.UUID = found
	} else if id.UUID, err = newUUID(); err != nil {
		return err
	}
	for _, dir := range []struct {
		path string
		mode fs.FileMode
	}{
		{"lbvm", 0o750}, {"lbvm/nodes", 0o750}, {"lbvm/handoff", 0o700}, {"lbvm/lock", 0o750}, {"lbvm/log", 0o750},
	} {
		if err := s.folder(path.Join(id.Shared, dir.path), dir.mode); err != nil {
			return err
		}
	}
	for _, file := range []struct{ name, sample string }{{"lbresources.conf", "samples/lbresources.conf"}, {"lbvm.conf", "samples/lbvm.conf.tmpl"}} {
		text, err := samples.ReadFile(file.sample)
		if err != nil {
			return err
		}
		text = []byte(strings.NewReplacer("@SHARED@", id.Shared, "@LOGDIR@", id.LogDir).Replace(string(text)))
		if err := s.file(path.Join(id.Shared, file.name), text, 0o640); err != nil {
			return err
		}
	}
	// The marker comes last on the storage: with it, the folders are there.
	if found == "" {
		if err := s.file(path.Join(id.Shared, host.MarkerFile), id.Marker(), 0o644); err != nil {
			return err
		}
	}
	if err := s.node(id); err != nil {
		return err
	}
	if s.o.Service {
		return s.service(conf)
	}
	return nil
}

func (s *setup) join() error {
	if s.o.NotShared {
		return s.alone()
	}
	_, id, err := s.who()
	if err != nil {
		return err
	}
	if id.UUID, err = s.marker(id); err != nil {
		return err
	}
	return s.node(id)
}

// who finds out what this node is called and where the storage lies.
func (s *setup) who() (cluster.Configuration, host.Identity, error) {
	conf, err := cluster.Configured(s.ctx, s.h, s.o.Run, "")
	if err != nil {
		return conf, host.Identity{}, fmt.Errorf("%w (LBVM works on a configured cluster)", err)
	}
	if conf.Name == "" {
		return conf, host.Identity{}, errors.New("the cluster has no name: give it one (crm_attribute --name cluster-name --update NAME)")
	}
	id := host.Identity{Cluster: conf.Name, Shared: s.o.Shared, Member: s.o.Member}
	old, err := s.h.Identity()
	switch {
	case err == nil && old.Cluster == id.Cluster:
		if id.Shared == "" {
			id.Shared = old.Shared
		}
		if id.Member == "" {
			id.Member = old.Member
		}
	case err != nil && !errors.Is(err, host.ErrNoIdentity):
		return conf, id, err
	}
	switch {
	case s.o.NotShared:
		id.Shared, id.LogDir = "", logDir
	case id.Shared == "":
		return conf, id, errors.New("where is the shared storage mounted? Say --shared DIR, or --no-shared if the cluster has none")
	case !path.IsAbs(id.Shared) || path.Clean(id.Shared) == "/":
		return conf, id, fmt.Errorf("--shared %q is not the absolute path of a mount", id.Shared)
	default:
		id.Shared = path.Clean(id.Shared)
		id.LogDir = path.Join(id.Shared, "lbvm/log")
	}
	if id.Member == "" {
		if id.Member, err = s.member(conf); err != nil {
			return conf, id, err
		}
	}
	if slices.Contains(conf.Nodes, id.Member) {
		return conf, id, nil
	}
	return conf, id, fmt.Errorf("the cluster's configuration names no node %q: say --member NAME", id.Member)
}

// member is the cluster's node that bears this node's name, in full or up to the first dot.
func (s *setup) member(conf cluster.Configuration) (string, error) {
	name, err := s.h.Name()
	if err != nil {
		return "", err
	}
	short := func(n string) string { before, _, _ := strings.Cut(n, "."); return before }
	var match []string
	for _, n := range conf.Nodes {
		if strings.EqualFold(n, name) {
			return n, nil
		}
		if strings.EqualFold(short(n), short(name)) {
			match = append(match, n)
		}
	}
	if len(match) != 1 {
		return "", fmt.Errorf("this node is called %q, and the cluster's configuration names no such node: say --member NAME", name)
	}
	return match[0], nil
}

// marker is the uuid that the storage bears, or ErrNotInit.
func (s *setup) marker(id host.Identity) (string, error) {
	b, err := os.ReadFile(s.h.Path(path.Join(id.Shared, host.MarkerFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w (%s)", ErrNotInit, path.Join(id.Shared, host.MarkerFile))
	}
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if uuid, ok := strings.CutPrefix(line, "uuid="); ok {
			id.UUID = uuid
		}
	}
	if !bytes.Equal(bytes.TrimSpace(b), bytes.TrimSpace(id.Marker())) {
		return "", fmt.Errorf("%w: %s says\n%s", ErrOtherCluster, path.Join(id.Shared, host.MarkerFile), b)
	}
	return id.UUID, nil
}

// node writes what every node has for itself.
func (s *setup) node(id host.Identity) error {
	old, err := s.h.Identity()
	if err != nil || old != id {
		if !s.o.DryRun {
			if err := s.h.WriteIdentity(id); err != nil {
				return err
			}
		}
		s.did("file", host.IDFile, "")
	} else {
		s.there("file", host.IDFile)
	}
	if id.Shared == "" { // the balancer reads what all nodes measure, and there is no place for that
		return nil
	}
	return s.link(host.ConfFile, path.Join(id.Shared, "lbvm.conf"))
}

func (s *setup) folder(p string, mode fs.FileMode) error {
	if fi, err := os.Stat(s.h.Path(p)); err == nil && fi.IsDir() {
		s.there("folder", p)
		return nil
	}
	if !s.o.DryRun {
		if err := os.MkdirAll(filepath.Dir(s.h.Path(p)), 0o755); err != nil {
			return err
		}
		if err := os.Mkdir(s.h.Path(p), mode); err != nil {
			return err
		}
		if err := os.Chmod(s.h.Path(p), mode); err != nil { // whatever the umask
			return err
		}
	}
	s.did("folder", p, "")
	return nil
}

func (s *setup) file(p string, text []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(s.h.Path(p)); err == nil {
		s.there("file", p)
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !s.o.DryRun {
		if err := atomicfile.Write(s.h.Path(p), text, atomicfile.Options{Mode: mode}); err != nil {
			return err
		}
	}
	s.did("file", p, "")
	return nil
}

// link makes p a relative link to target, unless something is there.
func (s *setup) link(p, target string) error {
	if _, err := os.Lstat(s.h.Path(p)); err == nil {
		s.there("link", p)
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rel, err := filepath.Rel(path.Dir(p), target)
	if err != nil {
		return err
	}
	if !s.o.DryRun {
		if err := os.Symlink(rel, s.h.Path(p)); err != nil {
			return err
		}
	}
	s.did("link", p, "")
	return nil
}

func (s *setup) did(what, p, note string) {
	s.steps = append(s.steps, Step{What: what, Path: p, Done: !s.o.DryRun, Note: note})
}

func (s *setup) there(what, p string) {
	s.steps = append(s.steps, Step{What: what, Path: p, Note: "is there already"})
}

func newUUID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making a uuid: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-"), nil
}
