package setup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// Part is what a node that is to join says of itself.
type Part struct {
	Release   string   `json:"release"`
	ISCSI     bool     `json:"iscsi"`     // an initiator is installed
	Initiator string   `json:"initiator"` // its name; "" none
	Modules   []string `json:"modules"`   // loaded, of those that a cluster uses
	Cluster   string   `json:"cluster"`   // of its cluster.conf; "" it has none
	Version   uint64   `json:"config_version"`
	Digest    string   `json:"digest"` // of its cluster.conf
	Joined    bool     `json:"joined"` // lbm init was run here, for this cluster
	Share     bool     `json:"share"`  // the marker is seen below the folder that was named
	Member    string   `json:"member"` // as lbvm.id says
}

// initiatorFile names this node to iSCSI targets.
const initiatorFile = "/etc/iscsi/initiatorname.iscsi"

// clusterModules are the modules of the kernel without which a node is none of a cluster: those that are loaded on the
// others are loaded on a new one. Some are built in, or of one release only.
func clusterModules() []string {
	return []string{"configfs", "dlm", "lock_dlm", "gfs", "gfs2", "cman", "ocfs2", "vzcpt", "vzrst", "vzdev", "xen_evtchn", "xen_gntdev", "kvm", "kvm_intel", "kvm_amd", "drbd"}
}

// Look tells what a node has, for a cluster whose shared storage lies at shared.
func Look(h host.Host, shared string) (Part, error) {
	p := Part{Release: host.Version(), Modules: []string{}}
	_, p.ISCSI = h.Has("iscsiadm")
	text, err := os.ReadFile(h.Path(initiatorFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p.Initiator = initiatorOf(text)
	loaded, err := os.ReadFile(h.Path("/proc/modules"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	for _, line := range strings.Split(string(loaded), "\n") {
		if name, _, _ := strings.Cut(line, " "); slices.Contains(clusterModules(), name) {
			p.Modules = append(p.Modules, name)
		}
	}
	slices.Sort(p.Modules)
	switch b, err := os.ReadFile(h.Path(host.ClusterXML)); {
	case err == nil:
		d, err := ccs.Parse(host.ClusterXML, b)
		if err != nil {
			return p, err
		}
		p.Cluster, p.Digest = d.ClusterName(), Digest(b)
		if p.Version, err = d.Version(); err != nil {
			return p, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return p, err
	}
	if id, err := h.Identity(); err == nil {
		p.Member = id.Member
		_, err = h.SharedDir(id)
		p.Joined = err == nil || errors.Is(err, host.ErrNotShared)
	}
	if shared != "" {
		_, err := os.Stat(h.Path(shared + "/" + host.MarkerFile))
		p.Share = err == nil
	}
	return p, nil
}

// Digest is a short sum of a file.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func initiatorOf(text []byte) string {
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "InitiatorName="); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// TakeInitiator gives this node an iSCSI name that none of taken is. A name of its own it keeps. The file before is kept
// beside it.
func TakeInitiator(ctx context.Context, h host.Host, r run.Runner, taken []string) (name string, changed bool, err error) {
	old, err := os.ReadFile(h.Path(initiatorFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	if name := initiatorOf(old); name != "" && !slices.Contains(taken, name) {
		return name, false, nil
	}
	out, err := tool(ctx, h, r, []string{"iscsi-iname"})
	if err != nil {
		return "", false, err
	}
	name = strings.TrimSpace(out)
	if !strings.HasPrefix(name, "iqn.") || strings.ContainsAny(name, " \n") || slices.Contains(taken, name) {
		return "", false, fmt.Errorf("iscsi-iname gives %q, which is no new name", name)
	}
	if len(old) > 0 {
		if err := atomicfile.Write(h.Path(initiatorFile+".lbvm-orig"), old, atomicfile.Options{Mode: 0o600}); err != nil {
			return "", false, err
		}
	}
	if err := os.MkdirAll(h.Path("/etc/iscsi"), 0o755); err != nil {
		return "", false, err
	}
	return name, true, atomicfile.Write(h.Path(initiatorFile), []byte("InitiatorName="+name+"\n"), atomicfile.Options{Mode: 0o600})
}

// LoadModules loads what is not loaded yet of those modules. One that the kernel does not have as a module may be built in:
// that it could not be loaded is told, and is no reason to stop.
func LoadModules(ctx context.Context, h host.Host, r run.Runner, modules []string) (loaded, failed []string, err error) {
	p, err := Look(h, "")
	if err != nil {
		return nil, nil, err
	}
	for _, m := range modules {
		switch {
		case !slices.Contains(clusterModules(), m):
			return loaded, failed, fmt.Errorf("%q is no module that a cluster uses", m)
		case slices.Contains(p.Modules, m):
			continue
		}
		if _, err := tool(ctx, h, r, []string{"modprobe", m}); err != nil {
			failed = append(failed, fmt.Sprintf("%s (%v)", m, err))
			continue
		}
		loaded = append(loaded, m)
	}
	return loaded, failed, nil
}

// TakeClusterConf puts cluster.conf in place on a node that joins, before cman is started there. It must name this node;
// one of another cluster, or of a higher version, is left as it is, and is an error.
func TakeClusterConf(h host.Host, text []byte, name string) (changed bool, err error) {
	d, err := ccs.Parse("the file that was sent", text)
	if err != nil {
		return false, err
	}
	version, err := d.Version()
	if err != nil {
		return false, err
	}
	for _, f := range d.Check(nil) {
		if f.Severity == ccs.Fatal {
			return false, errors.New(f.String())
		}
	}
	if !slices.ContainsFunc(d.Nodes(), func(n ccs.Node) bool { return n.Name == name }) {
		return false, fmt.Errorf("the file that was sent has no clusternode %q", name)
	}
	path := h.Path(host.ClusterXML)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(h.Path("/etc/cluster"), 0o755); err != nil {
			return false, err
		}
	case err != nil:
		return false, err
	case bytes.Equal(b, text):
		return false, nil
	default:
		old, err := ccs.Parse(host.ClusterXML, b)
		if err != nil {
			return false, err
		}
		has, err := old.Version()
		if err != nil {
			return false, err
		}
		if old.ClusterName() != d.ClusterName() {
			return false, fmt.Errorf("this node has a cluster.conf of the cluster %q: move it away if it is to join %q", old.ClusterName(), d.ClusterName())
		}
		if has >= version {
			return false, fmt.Errorf("this node has version %d of cluster.conf, and was sent %d: see which is right", has, version)
		}
		if err := atomicfile.Write(fmt.Sprintf("%s.lbvm-%d", path, has), b, atomicfile.Options{Mode: 0o640}); err != nil {
			return false, err
		}
	}
	return true, atomicfile.Write(path, text, atomicfile.Options{Mode: 0o640})
}
