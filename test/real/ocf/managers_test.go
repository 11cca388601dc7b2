package ocf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/real"
)

// call is one call of an agent by Pacemaker, on a node of the lab.
type call struct {
	node, action, interval, target string
	want                           int
	reason                         string // a part of it; "" none is given
}

// TestMigration calls the agents as Pacemaker does when it looks for a resource, starts it, watches it, moves it, fails
// to move it and stops it.
func TestMigration(t *testing.T) {
	t.Parallel()
	real.NeedRoot(t)
	provider := install(t)
	b := newTestbed(t, lab.VM{Type: "openvz", Name: "101", Service: "a"}, lab.VM{Type: "xen", Name: "web1", Service: "b"})
	play := func(t *testing.T, agent, name string, calls []call) {
		t.Helper()
		for i, c := range calls {
			env := b.on(c.node, "OCF_ROOT="+ocfRoot, "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1", "OCF_EXIT_REASON_PREFIX=ocf-exit-reason:",
				"OCF_RESOURCE_INSTANCE=rsc", "OCF_RESOURCE_TYPE="+agent, "OCF_RESOURCE_PROVIDER="+provider,
				"OCF_RESKEY_CRM_meta_timeout=60000", "OCF_RESKEY_CRM_meta_on_node="+c.node, "OCF_RESKEY_name="+name)
			if c.interval != "" {
				env = append(env, "OCF_RESKEY_CRM_meta_interval="+c.interval)
			}
			if c.target != "" {
				env = append(env, "OCF_RESKEY_CRM_meta_migrate_source=node1", "OCF_RESKEY_CRM_meta_migrate_target="+c.target)
			}
			out, code := run(t, env, filepath.Join(ocfRoot, "resource.d", provider, agent), c.action)
			reason, told := strings.CutPrefix(out, "ocf-exit-reason:")
			if code != c.want || told != (c.reason != "") || !strings.Contains(reason, c.reason) || !told && out != "" {
				t.Fatalf("call %d, %s on %s: exit %d, want %d with %q; it printed %q", i+1, c.action, c.node, code, c.want, c.reason, out)
			}
		}
	}
	found := []call{{"node1", "monitor", "", "", 7, ""}, {"node2", "monitor", "", "", 7, ""}, {"node1", "validate-all", "", "", 0, ""},
		{"node1", "start", "", "", 0, ""}, {"node1", "monitor", "30000", "", 0, ""}, {"node2", "monitor", "", "", 7, ""}}
	t.Run("xen", func(t *testing.T) {
		play(t, "xen", "web1", append(found,
			call{"node1", "migrate_to", "", "node2", 0, ""}, call{"node2", "migrate_from", "", "node2", 0, ""}, call{"node1", "stop", "", "", 0, ""},
			call{"node2", "monitor", "30000", "", 0, ""}, call{"node1", "monitor", "", "", 7, ""}))
		b.want("node1")
		b.want("node2", "xen:web1")
		// A target that cannot be: Pacemaker stops it on both and starts it on one.
		play(t, "xen", "web1", []call{{"node2", "migrate_to", "", "nosuch", 1, "nosuch"}, {"node2", "monitor", "30000", "", 0, ""},
			{"node2", "stop", "", "", 0, ""}, {"node1", "stop", "", "", 0, ""}, {"node1", "start", "", "", 0, ""}, {"node1", "monitor", "30000", "", 0, ""},
			{"node1", "reload-agent", "", "", 0, ""}, {"node1", "reload", "", "", 3, ""}, {"node1", "notify", "", "", 3, ""},
			{"node1", "stop", "", "", 0, ""}, {"node1", "stop", "", "", 0, ""}})
	})
	t.Run("openvz", func(t *testing.T) { // it moves with its memory in an image
		play(t, "openvz", "101", append(found,
			call{"node1", "migrate_to", "", "node2", 3, ""}, call{"node2", "migrate_from", "", "node2", 3, ""},
			call{"node1", "stop", "", "", 0, ""}, call{"node2", "start", "", "", 0, ""}, call{"node2", "monitor", "30000", "", 0, ""},
			call{"node2", "reload", "", "", 0, ""}, call{"node2", "reload-agent", "", "", 0, ""}, call{"node2", "promote", "", "", 3, ""},
			call{"node2", "stop", "", "", 0, ""}, call{"node1", "monitor", "", "", 7, ""}))
	})
	b.want("node1")
	b.want("node2")
	b.silent("0")
}

// TestHeartbeat plays Heartbeat with two nodes and one group of both kinds of guests.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	sh := real.Need(t, "sh")
	b := newTestbed(t, lab.VM{Type: "openvz", Name: "101", Service: "a"}, lab.VM{Type: "xen", Name: "web1", Service: "b"})
	manager, err := filepath.Abs("testdata/resourcemanager.sh")
	if err != nil {
		t.Fatal(err)
	}
	scripts := filepath.Join(t.TempDir(), "etc/ha.d/resource.d")
	if err := os.MkdirAll(scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		put(t, filepath.Join(bin(t), "agents", a+".sh"), filepath.Join(scripts, a))
	}
	haresources := []string{"openvz::101", "xen::name=web1::on_stop=suspend"}
	does := func(node, verb string, want int, printed ...string) {
		t.Helper()
		out, code := run(t, b.on(node), sh, append([]string{manager, scripts, verb}, haresources...)...)
		if got := strings.Split(strings.TrimSpace(out), "\n"); code != want || strings.Join(got, "; ") != strings.Join(printed, "; ") {
			t.Fatalf("%s on %s: exit %d, want %d; it printed %q, want %q", verb, node, code, want, got, printed)
		}
	}
	up, down := []string{"openvz::101 up", "xen::name=web1::on_stop=suspend up"}, []string{"openvz::101 down", "xen::name=web1::on_stop=suspend down"}
	started := []string{"openvz::101 started", "xen::name=web1::on_stop=suspend started"}
	stopped := []string{"xen::name=web1::on_stop=suspend stopped", "openvz::101 stopped"}
	for _, node := range []string{"node1", "node2"} {
		does(node, "status", 0, down...)
		does(node, "givegroup", 0, stopped...) // of what never ran
	}
	does("node1", "takegroup", 0, started...)
	does("node1", "status", 0, up...)
	does("node2", "status", 0, down...)
	does("node1", "takegroup", 0, "openvz::101 up already", "xen::name=web1::on_stop=suspend up already")
	does("node2", "takegroup", 1, "") // the record says that node1 has it, and it lives
	b.want("node1", "openvz:101", "xen:web1")
	b.want("node2")
	does("node1", "givegroup", 0, stopped...)
	does("node1", "status", 0, down...)
	does("node2", "takegroup", 0, started...)
	does("node2", "status", 0, up...)
	b.want("node1")
	b.want("node2", "openvz:101", "xen:web1")
	does("node2", "givegroup", 0, stopped...)

	// A node without any tool cannot tell, so nothing is started there on its word.
	if out, code := run(t, []string{"LBVM_ROOT=" + t.TempDir()}, filepath.Join(scripts, "xen"), "web1", "status"); out != "running\n" || code == 0 {
		t.Errorf("without a tool: exit %d, printed %q", code, out)
	}
	// Heartbeat calls the balancer too, which says what it is.
	if out, code := run(t, b.on("node1"), filepath.Join(scripts, "lbvm"), "balancer", "status"); out != "stopped\n" || code != 7 {
		t.Errorf("the balancer: exit %d, printed %q", code, out)
	}
	b.silent("0")
}
