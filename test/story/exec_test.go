package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// domains defines the lab's Xen as an administrator could who has no agent for it.
const domains = `# domains of xm, as a technology of our own
config /etc/xen/%{name};
disk /shared/images/%{name}.img;
memory 256M;
status {
    # While a domain leaves or is saved it bears another name.
    sh 'xm list "$VM_NAME" || xm list "migrating-$VM_NAME"';
    running exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +[r-][b-]---- ";
    paused  exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +..p... ";
    leaving exit 0 output "^migrating-%{name} ";
    stopped exit 1 3 error "^Error: Domain 'migrating-%{name}' does not exist";
}
start { run xm create %{config}; timeout 1m; }
stop xm shutdown %{name};
destroy xm destroy %{name};
save xm save %{name} %{image};
restore xm restore %{image};
`

// measure has nodes publish what they are now.
func (w *world) measure(nodes ...string) {
	w.t.Helper()
	for _, n := range nodes {
		var out string
		var code int
		ok := poll(limit, func() bool {
			out, code = w.tryOn(n, "/usr/libexec/lbvm/lblog")
			// Cron's own may run just now, and on a loaded machine the hypervisors may not answer within lblog's 15 s.
			again := strings.Contains(out, "the last run has not ended yet") || code == 5 && strings.Contains(out, "did not end in time")
			return !again
		})
		// 5: a resource was not measured; this is about the facts.
		if !ok || code != 0 && (code != 5 || strings.Contains(out, "facts")) {
			w.t.Fatalf("lblog on %s: exit %d: %s", n, code, out)
		}
	}
}

// lbmMigrate is lbm migrate. Where it is refused since a node's facts lack something it does what the refusal says: on a
// loaded machine cron's lblog may have published half of them since they were last whole.
func (w *world) lbmMigrate(vm, target string, nodes ...string) string {
	w.t.Helper()
	var out string
	var code int
	ok := poll(limit, func() bool {
		out, code = w.tryOn("node1", "lbm", "migrate", "--yes", vm, target)
		if code != 3 || !strings.Contains(out, "run lblog there") {
			return true
		}
		w.measure(nodes...)
		return false
	})
	if !ok || code != 0 {
		w.t.Fatalf("lbm migrate %s %s: exit %d: %s", vm, target, code, out)
	}
	return out
}

// A technology that an administrator defines, from its file to a guest that has kept its memory: handed over by image,
// then live when the definition can do that, refused while the nodes' definitions differ.
func TestOwnTechnology(t *testing.T) {
	t.Parallel()
	define := func(l lab.Layout, node, text string) {
		path := filepath.Join(l.Root(node), "etc/cluster/lbvm.d/domain")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, lab.Options{Nodes: []string{"node1", "node2"}, VMs: []lab.VM{{Type: "xen", Name: "web1", Node: "node1"}}}, func(l lab.Layout) {
		for _, n := range []string{"node1", "node2"} {
			conf := filepath.Join(l.Root(n), host.ClusterXML)
			text, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			own := strings.Replace(string(text), `<xen name="web1"/>`, `<vmexec name="web1" type="domain"/>`, 1)
			if own == string(text) {
				t.Fatalf("no xen in %s", text)
			}
			if err := os.WriteFile(conf, []byte(own), 0o640); err != nil {
				t.Fatal(err)
			}
			define(l, n, domains)
		}
	})
	w.setUp("node1", "node2")
	const guest = "xen:web1" // as the checker knows it
	w.awaitTick(guest, "node1")
	moved := func(by, to string) {
		t.Helper()
		w.measure("node1", "node2")
		out := w.on("node1", "lbm", "migrate", "--yes", "web1", to)
		if !strings.Contains(out, "memory kept") {
			t.Errorf("moved %s: %s", by, out)
		}
		w.awaitTick(guest, to)
	}

	if out := w.on("node1", "lbm", "list"); !strings.Contains(out, "vmexec (domain)") {
		t.Errorf("lbm list: %s", out)
	}
	if out := w.on("node1", "lbm", "exec", "check", "domain", "web1"); !strings.Contains(out, "with its memory in an image") || !strings.Contains(out, "web1 is running here") {
		t.Errorf("lbm exec check: %s", out)
	}
	moved("by image", "node2")

	live := domains + "migrate xm migrate --live %{name} %{target};\n"
	define(w.l, "node1", live)
	w.measure("node1", "node2")
	if out, code := w.tryOn("node1", "lbm", "migrate", "web1", "node1"); code != 3 || !strings.Contains(out, "is defined in another way") {
		t.Errorf("a move between two definitions: exit %d: %s", code, out)
	}
	define(w.l, "node2", live)
	moved("live", "node1")

	// Disabled here and enabled there: its memory goes by image again, and no older image comes back.
	w.on("node1", "clusvcadm", "-d", "web1")
	w.on("node1", "clusvcadm", "-e", "web1", "-m", "node2")
	w.awaitTick(guest, "node2")
	w.silent(0)
}
