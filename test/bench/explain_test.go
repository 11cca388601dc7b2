package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// root lays the same world out as a node sees it: below a root, with a cluster.conf, the facts of all nodes, a clock that shows
// passNow, and a clustat that prints what it would print.
func (w passWorld) root(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	put := func(name string, mode os.FileMode, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	logs := filepath.Join(root, "shared/lbvm/log")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(t, logs)
	rules, err := os.ReadFile(filepath.Join(logs, "lbvm.conf"))
	if err != nil {
		t.Fatal(err)
	}
	put("etc/cluster/lbvm.conf", 0o644, strings.ReplaceAll(string(rules), logs, "/shared/lbvm/log"))
	free := int64(64 << 30)
	if w.Full {
		free = 1 << 30
	}
	put("etc/hostname", 0o644, nodeName(0)+"\n")
	id := host.Identity{Cluster: "bench", UUID: "11111111-2222-4333-8444-555555555555", Member: nodeName(0), Shared: "/shared", LogDir: "/shared/lbvm/log"}
	put("shared/lbvm/cluster", 0o644, string(id.Marker()))
	h, err := host.New(root)
	if err == nil {
		err = h.WriteIdentity(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	put(strings.TrimPrefix(clock.File, "/"), 0o644, string(clock.Scaled{Start: time.Now(), Epoch: passNow, Scale: 1e-6}.Format()))
	var xml, answer strings.Builder
	xml.WriteString("<?xml version=\"1.0\"?>\n<cluster name=\"bench\" config_version=\"1\">\n <clusternodes>\n")
	answer.WriteString("<?xml version=\"1.0\"?>\n<clustat version=\"4.1.1\">\n  <cluster name=\"bench\" id=\"1\" generation=\"8\"/>\n  <quorum quorate=\"1\" groupmember=\"1\"/>\n  <nodes>\n")
	if err := os.MkdirAll(filepath.Join(root, "shared", host.NodesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range w.Nodes {
		fmt.Fprintf(&xml, "  <clusternode name=\"%s\" nodeid=\"%d\"/>\n", nodeName(i), i+1)
		local := 0
		if i == 0 {
			local = 1
		}
		fmt.Fprintf(&answer, "    <node name=\"%s\" state=\"1\" local=\"%d\" estranged=\"0\" rgmanager=\"1\" rgmanager_master=\"0\" qdisk=\"0\" nodeid=\"0x%08x\"/>\n", nodeName(i), local, i+1)
		f := host.Facts{Member: nodeName(i), Boot: fmt.Sprintf("boot-%d", i), At: passNow.Add(-10 * time.Second), Cores: 8, MemTotal: 256 << 30, MemFree: free,
			Arch: "x86_64", Kernel: "2.6.32", CPUFlags: strings.Fields("fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat"), Lists: []string{"xen"}, Restores: []string{"xen"}, Tools: map[string]string{"xm": "3.1"}}
		for vm := i; vm < w.VMs; vm += w.Nodes {
			f.Guests = append(f.Guests, host.GuestFact{Type: "xen", Name: fmt.Sprintf("vm%d", vm), State: "running", Mem: 4 << 30, CPU: 0.03})
		}
		for vm := range w.VMs { // each node could start each
			f.VMs = append(f.VMs, host.VMFact{Type: "xen", Name: fmt.Sprintf("vm%d", vm), Mem: 4 << 30})
		}
		if err := host.WriteFacts(filepath.Join(root, "shared"), f); err != nil {
			t.Fatal(err)
		}
	}
	xml.WriteString(" </clusternodes>\n <rm>\n")
	answer.WriteString("  </nodes>\n  <groups>\n")
	for vm := range w.VMs {
		fmt.Fprintf(&xml, "  <service name=\"vm%d\"><xen name=\"vm%d\"/></service>\n", vm, vm)
		fmt.Fprintf(&answer, "    <group name=\"service:vm%d\" state=\"112\" state_str=\"started\" flags=\"0\" flags_str=\"\" owner=\"%s\" last_owner=\"none\" restarts=\"0\" last_transition=\"1200000000\" last_transition_str=\"Thu Jan 10 21:20:00 2008\"/>\n", vm, nodeName(vm%w.Nodes))
	}
	xml.WriteString(" </rm>\n</cluster>\n")
	answer.WriteString("  </groups>\n</clustat>\n")
	put("etc/cluster/cluster.conf", 0o644, xml.String())
	put("answer.xml", 0o644, answer.String())
	put("usr/sbin/clustat", 0o755, "#!/bin/sh\nexec /bin/cat "+filepath.Join(root, "answer.xml")+"\n")
	return root
}

// passed adds the last pass to the root, as lbmonitor would have made it.
func (w passWorld) passed(t testing.TB, root string) {
	t.Helper()
	logs := filepath.Join(root, "shared/lbvm/log")
	file, res, _, err := conf.Load(os.ReadFile, filepath.Join(logs, "lbvm.conf"))
	if err != nil || file == nil || res == nil {
		t.Fatal(err)
	}
	cfg, _ := balance.NewConfig(file, res)
	in := balance.Input{Config: cfg, View: w.view(), Samples: cfg.Logs(logs)}
	for i := range in.View.VMs {
		in.View.VMs[i].Cores, in.View.VMs[i].Mem = 0.25, 4<<30
	}
	in.At = passNow.Add(-time.Minute)
	pass, err := balance.Decide(context.Background(), in)
	if err == nil {
		err = balance.AppendPass(filepath.Join(logs, balance.PassesName), pass)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// explainTime is what lbm explain may cost in a cluster of 200 nodes, in user time: also where the VM's own rule wants a move and rails hold all
// VMs of the whole cluster that would go before it.
const explainTime = 100 * time.Millisecond

// TestExplain measures lbm explain in a cluster of 200 nodes and 5,000 VMs, each with a rule of its own: the program as it is
// installed, real files, a clustat that prints at once. The time of clustat is in it.
func TestExplain(t *testing.T) {
	lbm := filepath.Join(t.TempDir(), "lbm")
	build(t, lbm, "./cmd/lbm")
	w := passWorld{Nodes: 200, VMs: 5000, Hot: 0.1, Hours: 2}
	root := w.root(t)
	w.passed(t, root)
	type asked struct {
		name, root string
		args       []string
		says       string
		limit      time.Duration
	}
	list := []asked{
		{"its rule is silent", root, []string{"vm177"}, "xen:vm177 on node177", explainTime},
		{"the first to move", root, []string{"vm0"}, "migrate to node", explainTime},
		{"another moves instead", root, []string{"vm17"}, "moves-per-pass", explainTime},
		{"a recorded pass", root, []string{"vm17", "--at", passNow.Format(time.RFC3339)}, "at 2008-01-15 14:29:00", explainTime},
	}
	runs, slack := 11, 1.0
	if *tableFile == "" { // beside other tests
		runs, slack = 3, 3
	} else {
		w.Full = true
		crowded := w.root(t)
		w.passed(t, crowded)
		list = append(list, asked{"4,800 before it are held", crowded, []string{"vm4817"}, "memory-headroom", explainTime})
	}
	var b strings.Builder
	for _, x := range list {
		var took []time.Duration
		for range runs {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			cmd := exec.CommandContext(ctx, lbm, append([]string{"explain"}, x.args...)...)
			cmd.Env = []string{"LBVM_ROOT=" + x.root}
			out, err := cmd.CombinedOutput()
			cancel()
			if err != nil || !strings.Contains(string(out), x.says) {
				t.Fatalf("%s: %v, and no %q in:\n%.2000s", x.name, err, x.says, out)
			}
			took = append(took, cmd.ProcessState.UserTime())
		}
		slices.Sort(took)
		median := took[len(took)/2]
		fmt.Fprintf(&b, "explain, 200 x 5000, %-26s %6.3f s user (%.3f to %.3f)\n", x.name, median.Seconds(), took[0].Seconds(), took[len(took)-1].Seconds())
		if most := time.Duration(slack * float64(x.limit)); median > most {
			t.Errorf("%s: %s of user time; at most %s are allowed", x.name, median, most)
		}
	}
	t.Log("\n" + b.String())
	if *tableFile != "" {
		if err := os.WriteFile(*tableFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
