package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/keyval"
)

func alpha() Identity {
	return Identity{Cluster: "alpha", UUID: "0a-1b", Member: "node1", Shared: "/shared", LogDir: "/shared/lbvm/log"}
}

func TestIdentityRoundTrip(t *testing.T) {
	n := newNode(t)
	if id, err := n.Identity(); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("no file: %+v, %v", id, err)
	}
	n.file("/etc/cluster/cluster.conf", "")
	alone := alpha()
	alone.Shared = ""
	for _, want := range []Identity{alpha(), alone} {
		if err := n.WriteIdentity(want); err != nil {
			t.Fatal(err)
		}
		if got, err := n.Identity(); got != want || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	unnamed := alpha()
	unnamed.Member = ""
	if err := n.WriteIdentity(unnamed); err != nil {
		t.Fatal(err)
	}
	if got, err := n.Identity(); err == nil {
		t.Errorf("no name anywhere: %+v", got)
	}
	n.file("/etc/hostname", "node7\n")
	if got, err := n.Identity(); got.Member != "node7" || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIdentityRefuses(t *testing.T) {
	good := "format=1\ncluster=alpha\nuuid=u\nmember=node1\nshared=/shared\nlogdir=/log\n"
	n := newNode(t)
	n.file(IDFile, good)
	if _, err := n.Identity(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"torn":             strings.TrimSuffix(good, "\n"),
		"empty":            "",
		"another format":   strings.Replace(good, "format=1", "format=2", 1),
		"no cluster":       strings.Replace(good, "cluster=alpha\n", "", 1),
		"no uuid":          strings.Replace(good, "uuid=u", "uuid=", 1),
		"no share":         strings.Replace(good, "shared=/shared\n", "", 1),
		"relative share":   strings.Replace(good, "/shared", "shared", 1),
		"relative log":     strings.Replace(good, "/log", "log", 1),
		"member is a path": strings.Replace(good, "node1", "../x", 1),
		"not key=value":    good + "hello\n",
	} {
		n.file(IDFile, text)
		if id, err := n.Identity(); err == nil || errors.Is(err, ErrNoIdentity) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

// An unmounted share is an empty folder; without the marker it is no share.
func TestSharedDir(t *testing.T) {
	n := newNode(t)
	id := alpha()
	share := func(want error) {
		t.Helper()
		dir, err := n.SharedDir(id)
		if !errors.Is(err, want) || (err == nil) != (dir == filepath.Join(n.root, "shared")) {
			t.Errorf("%q, %v; want %v", dir, err, want)
		}
	}
	share(ErrNoMarker) // no folder
	if err := os.Mkdir(filepath.Join(n.root, "shared"), 0o755); err != nil {
		t.Fatal(err)
	}
	share(ErrNoMarker) // empty: not mounted
	n.file("/shared/lbvm/cluster", string(id.Marker()))
	share(nil)
	other := alpha()
	other.UUID = "another"
	n.file("/shared/lbvm/cluster", string(other.Marker()))
	share(ErrNoMarker) // another cluster's
	n.file("/shared/lbvm/cluster", "")
	share(ErrNoMarker)
	n.file("/shared/lbvm/cluster", string(id.Marker())+"\n")
	share(nil)
	n.file("/proc/mounts", "rootfs / rootfs rw 0 0\n/dev/sda1 /shared gfs rw,localflocks 0 0\n")
	share(ErrLocalLocks)
	n.file("/proc/mounts", "rootfs / rootfs rw 0 0\n/dev/sda1 /shared gfs rw 0 0\n")
	share(nil)
	id.Shared = ""
	share(ErrNotShared)
	if p, err := keyval.Parse(alpha().Marker()); err != nil || p.Get("cluster") != "alpha" || p.Get("uuid") != "0a-1b" || p.Get("format") != "1" {
		t.Errorf("%v, %v", p, err)
	}
}

// The mounts name folders, not links to them.
func TestLinkToAShare(t *testing.T) {
	real, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(real, "link")
	if err := os.Symlink("/proc", link); err != nil {
		t.Fatal(err)
	}
	if err := (Host{}).checkLocks(link); err != nil {
		t.Error(err)
	}
	if err := (Host{}).checkLocks(filepath.Join(real, "away")); err == nil {
		t.Error("a folder that is away passed")
	}
}

func TestLocalLocks(t *testing.T) {
	const mounts = `rootfs / rootfs rw 0 0
/dev/sda1 / ext3 rw,data=ordered 0 0
server:/export /mnt/nfs nfs rw,vers=3,nolock,addr=192.0.2.1 0 0
server:/export2 /mnt/nfs/deep nfs rw,vers=3,local_lock=none 0 0
server:/a /mnt/flock nfs rw,local_lock=flock 0 0
server:/b /mnt/posix nfs rw,local_lock=posix 0 0
server:/c /mnt/all nfs rw,local_lock=all,soft 0 0
/dev/gfs /mnt/gfs gfs rw,localflocks,localcaching 0 0
/dev/gfs2 /mnt/single gfs2 rw,lockproto=lock_nolock 0 0
/dev/gfs3 /mnt/with\040blank gfs rw,localflocks 0 0
/dev/gfs4 /mnt/twice gfs rw,localflocks 0 0
/dev/gfs5 /mnt/twice gfs rw 0 0
broken line
`
	for dir, want := range map[string]string{
		"/shared":         "",
		"/mnt/nfs":        "nolock",
		"/mnt/nfs/x/y":    "nolock",
		"/mnt/nfs/deep":   "",
		"/mnt/nfs/deep/x": "",
		"/mnt/nfsx":       "",
		"/mnt/flock":      "local_lock=flock",
		"/mnt/posix":      "",
		"/mnt/all/x":      "local_lock=all",
		"/mnt/gfs":        "localflocks",
		"/mnt/single":     "lockproto=lock_nolock",
		"/mnt/with blank": "localflocks",
		"/mnt/twice":      "",
	} {
		_, options := mountOf([]byte(mounts), dir)
		if got := localLocks(options); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
	if typ, _ := mountOf([]byte(mounts), "/mnt/twice/x"); typ != "gfs" {
		t.Errorf("the last mount of a folder is of the type %q", typ)
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add([]byte("format=1\ncluster=alpha\nuuid=u\nmember=node1\nshared=none\nlogdir=/log\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := parseIdentity(b)
		if err != nil {
			return
		}
		if id.Cluster == "" || id.UUID == "" || id.LogDir[0] != '/' || id.Shared != "" && id.Shared[0] != '/' || id.Member != "" && CheckName(id.Member) != nil {
			t.Errorf("%+v", id)
		}
	})
}

func FuzzLocalLocks(f *testing.F) {
	f.Add([]byte("/dev/gfs /mnt/gfs gfs rw,localflocks 0 0\n"), "/mnt/gfs")
	f.Fuzz(func(t *testing.T, b []byte, dir string) {
		typ, options := mountOf(b, dir)
		if got := localLocks(options); got != "" && !strings.Contains(string(b), got) || !strings.Contains(string(b), typ) {
			t.Errorf("%q", got)
		}
	})
}
