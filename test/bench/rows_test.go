package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// guest is a technology: our agent, the tool that it asks, and the peer.
type guest struct {
	agent, vm  string
	tool, says string // what the tool answers of the running guest
	peer       peer
}

// peer is an agent of Debian's resource-agents.
type peer struct {
	name   string
	tool   string // its tool, where it is not ours; says is what that answers
	says   string
	params func(dir, vm string) (env []string, file, text string) // its parameters, and a configuration that it reads
}

// guests are the technologies whose agents were built.
func guests(t testing.TB) []guest {
	t.Helper()
	all := []guest{
		{"openvz", "101", "vzctl", "CTID 101 exist mounted running\n", peer{"ManageVE", "", "", func(_, vm string) ([]string, string, string) {
			return []string{"OCF_RESKEY_veid=" + vm}, "", ""
		}}},
		{"xen", "web1", "xm", xmList, peer{"Xen", "xl", xmList, func(dir, vm string) ([]string, string, string) {
			file := filepath.Join(dir, vm+".cfg")
			return []string{"OCF_RESKEY_xmfile=" + file}, file, "name = \"" + vm + "\"\nmemory = 256\n"
		}}},
		{"kvm", "web1", "virsh", "running (booted)\n\n", peer{"VirtualDomain", "virsh", "running\n\n", func(dir, vm string) ([]string, string, string) {
			file := filepath.Join(dir, vm+".xml")
			return []string{"OCF_RESKEY_config=" + file, "OCF_RESKEY_hypervisor=qemu:///system", "HA_RSCTMP=" + dir}, file, "<domain type='kvm'>\n<name>" + vm + "</name>\n</domain>\n"
		}}},
	}
	have := agents(t)
	return slices.DeleteFunc(all, func(g guest) bool { return !slices.Contains(have, g.agent) })
}

const xmList = `Name                                      ID Mem(MiB) VCPUs State  Time(s)
Domain-0                                   0      512     2 r-----   1234.5
web1                                       3      256     1 -b----     67.8
`

// root makes a node on which the guest runs and is known to be this node's.
func (g guest) root(t testing.TB) (root, tool string) {
	t.Helper()
	root = t.TempDir()
	mark := filepath.Join(root, "var/run/lbvm", g.agent+"-"+g.vm+".here") // internal/vm: marks.go
	box := filepath.Join(root, "var/lib/lbvm")
	for _, dir := range []string{filepath.Dir(mark), box} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return root, newTool(t, filepath.Join(root, "usr/sbin"), g.tool, g.says)
}

// asRGManager and asPacemaker are whole environments of a status check.
func (g guest) asRGManager(root string) []string {
	return append(real.Env(g.agent, []real.Param{{Name: "name", Value: g.vm}}, 20), "LBVM_ROOT="+root)
}

func (g guest) asPacemaker(root string) []string {
	return append(pacemaker(g.agent), "OCF_RESKEY_name="+g.vm, "LBVM_ROOT="+root)
}

func pacemaker(typ string) []string {
	return []string{
		"OCF_ROOT=/usr/lib/ocf", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0", "OCF_RESOURCE_INSTANCE=vm", "OCF_RESOURCE_TYPE=" + typ,
		"OCF_RESOURCE_PROVIDER=bench", "OCF_CHECK_LEVEL=0", "OCF_RESKEY_CRM_meta_interval=10000", "OCF_RESKEY_CRM_meta_timeout=20000",
		"OCF_RESKEY_CRM_meta_name=monitor", "OCF_RESKEY_crm_feature_set=3.16.2", "HA_LOGFACILITY=none", "HA_debug=0", "LC_ALL=C",
	}
}

// row is one line of the table.
type row struct {
	program
	tool    string // name of the program that is its tool; "" asks none
	ours    bool
	forks   int // as they must be, of ours
	exec    int
	counted bool // forks and exec were counted
}

// rows are all programs: the yardsticks, ours, and the peers that are here.
func rows(t testing.TB) []row {
	t.Helper()
	out := []row{{program: program{emptyName, []string{installed(t, emptyProgram(t))}, nil}}}
	paths := built(t)
	for name, path := range paths {
		paths[name] = installed(t, path)
	}
	var peers []row
	for _, g := range guests(t) {
		root, tool := g.root(t)
		out = append(out,
			row{program: program{g.tool, []string{tool}, nil}},
			row{program{g.agent + " status", []string{paths[g.agent], "status"}, g.asRGManager(root)}, g.tool, true, 1, 1, false},
			row{program{g.agent + " monitor", []string{paths[g.agent], "monitor"}, g.asPacemaker(root)}, g.tool, true, 1, 1, false})
		peers = append(peers, g.peers(t)...)
	}
	for _, a := range agents(t) {
		out = append(out, row{program{a + " meta-data", []string{paths[a], "meta-data"}, []string{}}, "", true, 0, 0, false})
	}
	return append(out, peers...)
}

const emptyName = "empty Go program"
