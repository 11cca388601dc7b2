package story

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// agent is the agent of a type as it is installed on a node.
func (w *world) agent(node, typ string) string {
	return filepath.Join(w.l.Root(node), host.AgentDir, typ+".sh")
}

// conditions is the whole environment of an action: what rgmanager gives for a resource with nothing but a name, and
// the root of the node.
func (w *world) conditions(node, typ, name, action string) []string {
	w.t.Helper()
	xml := map[string][]byte{"openvz": metadata.OpenVZ(), "xen": metadata.Xen(), "lbvm": metadata.LBVM()}[typ]
	m, err := ocf.ParseMetadata(xml)
	if err != nil {
		w.t.Fatal(err)
	}
	var params []real.Param
	for _, p := range m.Params {
		switch {
		case p.Primary:
			params = append([]real.Param{{Name: p.Name, Value: name}}, params...)
		case p.HasDefault:
			params = append(params, real.Param{Name: p.Name, Value: p.Default})
		}
	}
	timeout := 0
	if a, ok := m.Action(action, 0); ok {
		timeout = int(a.Timeout.Seconds())
	}
	return append(real.Env(typ, params, timeout), host.RootVariable+"="+w.l.Root(node))
}

// call is one call of an agent and the exit code that it must give.
type call struct {
	node   string
	args   []string
	code   int
	nobody bool // without the name of the VM
}

// on and nameless make calls.
func on(node string, code int, args ...string) call { return call{node: node, args: args, code: code} }
func nameless(code int, args ...string) call {
	return call{node: "node1", args: args, code: code, nobody: true}
}

// play makes the call and gives its exit code.
func (c call) play(w *world, typ, name string) (code int) {
	w.t.Helper()
	action := ""
	if len(c.args) > 0 {
		action = c.args[0]
	}
	env := w.conditions(c.node, typ, name, action)
	if c.nobody {
		env = env[1:]
	}
	return real.ActionClosed(w.t, env, w.agent(c.node, typ), c.args...)
}

// TestEveryActionUnderRgmanagersConditions calls every action of every agent with rgmanager's environment and no other,
// all descriptors closed, in the folder /, on a node where the cluster manager keeps its hands off the VM.
func TestEveryActionUnderRgmanagersConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pair(0))
	w.setUp("node1", "node2")
	w.on("node1", "clusvcadm", "-d", "centos1")
	w.on("node1", "clusvcadm", "-d", "web1")

	common := []call{ // whatever the VM does
		on("node1", 2), on("node1", 3, "frobnicate"), on("node1", 3, "monitor"), on("node1", 3, "recover"), on("node1", 3, "reconfig"),
		on("node1", 3, "notify"), on("node1", 0, "help"),
		nameless(6, "start"), nameless(6, "status"), nameless(6, "validate-all"), nameless(0, "stop"),
	}
	// Disabled, so its memory is in an image; it is started, asked, moved, and stopped by hand.
	life := func(migrates bool) []call {
		calls := []call{
			on("node1", 0, "validate-all"), on("node1", 7, "status"), on("node2", 7, "status"),
			on("node1", 0, "stop"), // nothing runs, and the image stays
			on("node1", 0, "start"), on("node1", 0, "status"), on("node1", 0, "start"), on("node2", 1, "start"), on("node2", 0, "stop"),
			on("node2", 7, "status"), on("node1", 0, "status"),
		}
		if migrates {
			calls = append(calls, on("node1", 6, "migrate"), on("node1", 6, "migrate", "--live"), on("node1", 150, "migrate", "nosuchnode"),
				on("node1", 150, "migrate", "node1"), on("node1", 0, "status"),
				on("node1", 0, "migrate", "node2"), on("node1", 7, "status"), on("node2", 0, "status"), on("node1", 1, "start"),
				on("node2", 0, "start"), on("node1", 0, "stop"), on("node2", 0, "status"),
				on("node2", 0, "migrate", "node1"), on("node1", 0, "start"), on("node2", 7, "status"))
		} else {
			calls = append(calls, on("node1", 3, "migrate", "node2"), on("node1", 3, "migrate"))
		}
		calls = append(calls, on("node1", 0, "stop"), on("node1", 0, "stop"), on("node1", 7, "status"))
		if migrates {
			calls = append(calls, on("node1", 150, "migrate", "node2")) // it is not here
		}
		return append(calls, on("node2", 0, "start"), on("node2", 0, "status"), on("node1", 1, "start"), on("node2", 0, "stop"), on("node2", 7, "status"))
	}
	balancer := []call{on("node1", 0, "validate-all"), on("node1", 7, "status"), on("node1", 0, "stop"), on("node1", 3, "migrate", "node2"),
		on("node1", 0, "start"), on("node1", 0, "start"), on("node1", 0, "status"), on("node2", 7, "status"), on("node1", 0, "stop"), on("node1", 0, "stop"),
		on("node1", 7, "status")}

	t.Run("agent", func(t *testing.T) {
		for _, x := range []struct {
			typ, name string
			calls     []call
		}{{"openvz", "101", life(false)}, {"xen", "web1", life(true)}, {"lbvm", "lbvm1", balancer}} {
			t.Run(x.typ, func(t *testing.T) {
				t.Parallel()
				w := w.with(t)
				w.metaData(x.typ)
				for i, c := range slices.Concat(common, x.calls) {
					if code := c.play(w, x.typ, x.name); code != c.code {
						t.Fatalf("call %d, %q on %s: exit %d, not %d", i+1, c.args, c.node, code, c.code)
					}
				}
				if left := w.calm(x.typ); len(left) > 0 {
					t.Errorf("processes that outlive the actions: %v", left)
				}
			})
		}
	})
	for _, s := range two() {
		w.on("node2", "clusvcadm", "-e", s.name, "-m", "node2")
		w.awaitTick(s.guest(), "node2")
		if n := incarnations(w.witness(s.guest())); n != 1 {
			t.Errorf("guest %s has booted %d times: its memory was to be kept", s.guest(), n)
		}
	}
	w.silent(0)
}

// metaData wants the very bytes of metadata/TYPE.xml, with no environment at all and nothing open but the pipe.
func (w *world) metaData(typ string) {
	w.t.Helper()
	want, err := os.ReadFile(filepath.Join(moduleRoot, "metadata", typ+".xml"))
	if err != nil {
		w.t.Fatal(err)
	}
	got, code := real.MetaData(w.t, w.agent("node1", typ))
	if code != 0 || string(got) != string(want) {
		w.t.Errorf("meta-data of %s: exit %d and %d bytes, not the %d of metadata/%s.xml", typ, code, len(got), len(want), typ)
	}
}

// calm waits until nothing of an agent runs any more, a pass that the balancer's has started included, and gives what does.
func (w *world) calm(typ string) (left []process) {
	poll(limit, func() bool {
		left = processes(func(p process) bool {
			program := filepath.Base(p.argv[0])
			return (p.root == w.l.Root("node1") || p.root == w.l.Root("node2")) && (program == typ+".sh" || program == "lbmonitor")
		})
		return len(left) == 0
	})
	return left
}
