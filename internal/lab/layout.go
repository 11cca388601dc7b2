package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Layout is where things lie in a lab folder.
//
//	lab.json         Description
//	bin/             copies of our programs; bin/lbvm-lab is what emulated tools link to
//	shared/          the shared file system; every node sees it as /shared
//	witness/         what guests wrote: TYPE-NAME.log
//	log/             output of daemons
//	manager.sock     the emulated cluster manager
//	nodes/NODE/      the root of a node; its daemon listens on var/run/lab.sock
type Layout struct{ Dir string }

// SharedMount is where every node sees the shared file system.
const SharedMount = "/shared"

// Description is what a lab was made with.
type Description struct {
	Cluster string
	Nodes   []string
	Scale   float64   // lab seconds in a real second
	Start   time.Time // real
	Epoch   time.Time // lab time at Start
}

// Open finds the lab in dir.
func Open(dir string) (Layout, Description, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, Description{}, err
	}
	l := Layout{abs}
	b, err := os.ReadFile(l.Path("lab.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Layout{}, Description{}, fmt.Errorf("%s holds no lab: make one with lbvm-lab up", abs)
	}
	if err != nil {
		return Layout{}, Description{}, err
	}
	var d Description
	if err := json.Unmarshal(b, &d); err != nil {
		return Layout{}, Description{}, fmt.Errorf("reading %s: %w", l.Path("lab.json"), err)
	}
	return l, d, nil
}

// OfRoot finds the lab that a node's root belongs to, and the node's name.
func OfRoot(root string) (Layout, string, error) {
	nodes := filepath.Dir(root)
	if filepath.Base(nodes) != "nodes" {
		return Layout{}, "", fmt.Errorf("%s is not a lab node's root", root)
	}
	return Layout{filepath.Dir(nodes)}, filepath.Base(root), nil
}

// Path joins elements below the lab's folder.
func (l Layout) Path(elem ...string) string {
	return filepath.Join(append([]string{l.Dir}, elem...)...)
}

// Root is the root of a node.
func (l Layout) Root(node string) string { return l.Path("nodes", node) }

// NodeSocket is where a node's daemon listens.
func (l Layout) NodeSocket(node string) string {
	return filepath.Join(l.Root(node), "var/run/lab.sock")
}

// ManagerSocket is where the emulated cluster manager listens.
func (l Layout) ManagerSocket() string { return l.Path("manager.sock") }

// Shared is the shared file system.
func (l Layout) Shared() string { return l.Path("shared") }

// Witness is the witness log of a VM.
func (l Layout) Witness(typ, vm string) string { return l.Path("witness", typ+"-"+vm+".log") }

// VMs are the names of the VMs of a technology that have a configuration on the shared storage.
func (l Layout) VMs(typ string) ([]string, error) {
	dir, suffix := map[string]string{"openvz": "conf", "xen": "xen", "kvm": "kvm"}[typ], map[string]string{"openvz": ".conf", "kvm": ".xml"}[typ]
	entries, err := os.ReadDir(l.Path("shared", dir))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	names := []string{}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), suffix)
		if is && !e.IsDir() && !strings.HasSuffix(name, ".sxp") && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, err
}
