package lab

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// programs is a build that holds nothing but names.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "agents"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"lbvm-lab", "lbm", "lblog", "agents/openvz.sh", "agents/xen.sh"} {
		if err := os.WriteFile(filepath.Join(dir, p), []byte("#!"+p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	l, err := Create(dir, Options{Programs: programs(t), Scale: 30})
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := Open(dir)
	if err != nil || d.Cluster != "lab" || len(d.Nodes) != 3 || d.Scale != 30 {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, node := range d.Nodes {
		h, err := host.New(l.Root(node))
		if err != nil {
			t.Fatal(err)
		}
		if name, err := h.Name(); name != node {
			t.Errorf("%s calls itself %q, %v", node, name, err)
		}
		id, err := h.Identity()
		if err != nil || id.Member != node {
			t.Errorf("%s: %+v, %v", node, id, err)
		}
		if _, err := h.SharedDir(id); err != nil {
			t.Errorf("%s: %v", node, err)
		}
		c, err := clock.FromRoot(l.Root(node))
		if s, ok := c.(clock.Scaled); !ok || s.Scale != 30 || err != nil {
			t.Errorf("%s: clock %#v, %v", node, c, err)
		}
		for _, path := range []string{"/etc/vz/conf/101.conf", "/etc/xen/web1", "/shared/private/103/etc/mtab", "/shared/images/db1.img", "/usr/sbin/vzctl",
			"/usr/sbin/clusvcadm", "/usr/sbin/lbm", "/usr/libexec/lbvm/lblog", "/usr/share/cluster/xen.sh", "/vz/root/102", "/var/run"} {
			if _, err := os.Stat(h.Path(path)); err != nil {
				t.Error(err)
			}
		}
		for _, path := range []string{"/usr/libexec/lbvm/lbmonitor", "/dev/log"} { // not built; nobody listens
			if _, err := os.Stat(h.Path(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there on %s: %v", path, node, err)
			}
		}
	}
	doc, err := ccs.Load(filepath.Join(l.Root("node2"), "etc/cluster/cluster.conf"))
	if err != nil {
		t.Fatal(err)
	}
	services := doc.Services()
	if len(services) != 6 || services[0].ID() != "service:centos1" || services[0].Children[0].Name != "101" || services[4].Domain() != "prefer-node2" {
		t.Errorf("services %+v", services)
	}
	dom, ok := doc.Domain("prefer-node2")
	if online := []string{"node1", "node2", "node3"}; !ok || dom.Score("node2", online, false, "") != ccs.Best || dom.Score("node1", online, false, "") != ccs.Better {
		t.Errorf("domain %+v", dom)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type() == fs.ModeSymlink {
			if to, err := os.Readlink(path); err != nil || filepath.IsAbs(to) {
				t.Errorf("%s leads to %s, %v: a lab's folder can be moved", path, to, err)
			}
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := Create(dir, Options{Programs: programs(t)}); err == nil {
		t.Error("a lab was made over another")
	}
}

func TestCreateBare(t *testing.T) {
	dir := t.TempDir()
	l, err := Create(dir, Options{Programs: programs(t), Bare: true, Nodes: []string{"a", "b"}, VMs: []VM{{Type: "xen", Name: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(l.Root("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Identity(); !errors.Is(err, host.ErrNoIdentity) {
		t.Errorf("a bare node has an identity: %v", err)
	}
	text, err := os.ReadFile(h.Path(host.ClusterXML))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.Contains(s, `two_node="1"`) || strings.Contains(s, "failoverdomain") {
		t.Errorf("cluster.conf of two nodes:\n%s", s)
	}
}

func TestCreateRefuses(t *testing.T) {
	for what, o := range map[string]Options{
		"a node's name":       {Nodes: []string{"a/b"}},
		"two nodes":           {Nodes: []string{"a", "A"}},
		"a scale":             {Scale: -1},
		"a long name":         {Cluster: "sixteen-letters-"},
		"a type":              {VMs: []VM{{Type: "lxc", Name: "1"}}},
		"a container's name":  {VMs: []VM{{Type: "openvz", Name: "web"}}},
		"a VM's name":         {VMs: []VM{{Type: "xen", Name: "../x"}}},
		"an unknown node":     {VMs: []VM{{Type: "xen", Name: "x", Node: "node9"}}},
		"a VM twice":          {VMs: []VM{{Type: "xen", Name: "x", Service: "a"}, {Type: "xen", Name: "x", Service: "b"}}},
		"a service twice":     {VMs: []VM{{Type: "xen", Name: "x", Service: "a"}, {Type: "openvz", Name: "1", Service: "a"}}},
		"a build that is not": {Programs: "/nonexistent"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lab")
			if o.Programs == "" {
				o.Programs = programs(t)
			}
			if _, err := Create(dir, o); err == nil {
				t.Error("made")
			}
			if _, _, err := Open(dir); err == nil {
				t.Error("a lab is there")
			}
		})
	}
}
