package check

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

const resources = "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\n"

func machines() []cluster.Service {
	return []cluster.Service{
		{ID: "service:web", VM: "101", VMType: "openvz"}, {ID: "xen:db", VM: "db", VMType: "xen"},
		{ID: "service:twins", VM: "a", VMType: "xen"}, {ID: "service:twins", VM: "b", VMType: "xen"},
		{ID: "xen:7", VM: "7", VMType: "xen"}, {ID: "openvz:7", VM: "7", VMType: "openvz"},
	}
}

// look gives the findings as SEVERITY FILE:LINE:COL [VM] [CODE] TEXT.
func look(t *testing.T, in Input, files map[string]string) []string {
	t.Helper()
	in.Conf = "lbvm.conf"
	in.Read = func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
	found, err := Run(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s %s:%d:%d [%s] [%s] %s", f.Severity, f.File, f.Line, f.Col, f.VM, f.Code, f.Text))
		if f.Source == "" {
			t.Errorf("no line: %v", f)
		}
		if f.Hint == "" && f.Severity == conf.Warning {
			t.Errorf("no hint: %v", f)
		}
	}
	return out
}

func TestRun(t *testing.T) {
	const rule = "algorithm { migrate() if average(res('cpu', 5)) > 0.7; }"
	for _, c := range []struct {
		name, conf, resources string
		in                    Input
		want                  []string // beginnings
	}{
		{"clean", "balance 101;\ndefault { " + rule + " }", resources, Input{Machines: machines(), LogDir: "/var/log/lb/"}, nil},
		{"everything at once", `balance 101, nosuch;
interval 5;
veid 101 {
    algorithm {
        migrate() if min(res('cpu', 5) > 0.5);
        migrate() if average(res('gpu', 5)) > 0.5;
    }
}
default { algorithm { if ((1 > 0) { migrate(); } } }
`, "resource cpu { builtin gpu; }\nresource ram { logfile a/b; builtin ram; }", Input{Machines: machines()}, []string{
			`error lbvm.conf:1:14 [] [] cluster.conf has no VM "nosuch"`,
			"error lbvm.conf:2:10 [] [] interval: \"5\" is not a time",
			"warning lbvm.conf:5:26 [101] [W1] the comparison stands inside min()",
			"error lbvm.conf:9:26 [default] [] syntax error: the ( opened in line 9", "error /etc/cluster/lbresources.conf:1:24 [] [] unknown built-in sampler \"gpu\"", "error /etc/cluster/lbresources.conf:2:24 [] [] "}},
		{"a resource that is not defined", "balance 101;\ndefault { algorithm { report() if max(res2('gpu', 5)) > 1; } }", resources, Input{}, []string{`error lbvm.conf:2:`}},
		{"no lbresources.conf", "resources /nowhere;\nbalance 101;\ndefault { " + rule + " }", "", Input{}, []string{"error lbvm.conf:1:11 [] [] the resources cannot be read"}},
		{"a VM without a rule", "balance 101, db;\n101 { " + rule + " }", resources, Input{Machines: machines()}, []string{`warning lbvm.conf:1:14 [] [] VM "db" has no rule`}},
		{"a block without its VM", "balance db;\n101 { " + rule + " }\ndb { " + rule + " }", resources, Input{Machines: machines()}, []string{`warning lbvm.conf:2:1 [101] [] VM "101" is not in balance`}},
		{"another name in balance", "balance web;\n101 { " + rule + " }", resources, Input{Machines: machines()}, nil},
		{"another name, unknown here", "balance web;\n101 { " + rule + " }", resources, Input{}, []string{`warning lbvm.conf:2:1 [101] [] VM "101" is not in balance`}},
		{"two blocks of one VM", "balance 101;\n101 { " + rule + " }\nopenvz:101 { " + rule + " }", resources, Input{Machines: machines()}, []string{`warning lbvm.conf:2:1 [101] [] the block "101" has no effect`}},
		{"named twice", "balance 101, web;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, []string{`warning lbvm.conf:1:14 [] [] "web" is the VM that stands in balance as "101"`}},
		{"which of two", "balance 7, xen:7;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, []string{`error lbvm.conf:1:9 [] [] "7" may be xen:7 or openvz:7`}},
		{"several in a service", "balance a;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, []string{"warning lbvm.conf:1:9 [] [] xen:a goes with its service service:twins, which holds xen:b as well; that is not in balance"}},
		{"all of a service", "balance a, xen:b;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, nil},
		{"another logdir", "balance 101;\nlogdir /tmp/x;\ndefault { " + rule + " }", resources, Input{LogDir: "/gfs/log"}, []string{"warning lbvm.conf:2:8 [] [] logdir is /tmp/x, and lbm init has made /gfs/log"}},
		{"balance cannot be read", "balance 101\n101 { " + rule + " }", resources, Input{Machines: machines()}, []string{"error lbvm.conf:1:11 [] [] balance lacks its semicolon"}},
		{"lbresources.conf itself", "# what is measured\n\nresource cpu { builtin cpu; }\nresource cpu { cmd x; }\n", "", Input{Machines: machines()}, []string{"error lbvm.conf:4:10 [] [] resource \"cpu\" stands here already"}},
		{"neighbours that are none", "balance 101;\napart 101, dv;\ntogether db, 101;\napart a, xen:b, db;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, []string{
			`error lbvm.conf:2:12 [] [] cluster.conf has no VM "dv": apart means nothing for it`, "error lbvm.conf:4:10 [] [] a and xen:b are in one service, service:twins"}},
		{"a part of nothing", "balance 101;\ndefault { " + rule + " }", resources + "vmresource cpu { cmd x; }\nvmresource gpu { cmd x; }\n", Input{Machines: machines()}, []string{"warning /etc/cluster/lbresources.conf:4:12 [] [] vmresource \"gpu\" has no effect"}},
		{"vmresource first", "vmresource gpu { cmd x; }\n", "", Input{}, []string{"warning lbvm.conf:1:12 [] [] vmresource \"gpu\" has no effect"}},
		{"the other manager", "balance 101;\ncluster pacemaker;\ndefault { " + rule + " }", resources, Input{Machines: machines(), Manager: "rgmanager"}, []string{"warning lbvm.conf:2:9 [] [] this node has the tools of rgmanager only"}},
		{"this manager", "balance 101;\ncluster pacemaker;\ndefault { " + rule + " }", resources, Input{Machines: machines(), Manager: "pacemaker"}, nil},
		{"decided", "balance 101;\ncluster pacemaker;\ndefault { " + rule + " }", resources, Input{Machines: machines()}, nil},
		{"a VM that Pacemaker has not", "balance 7x;\ndefault { " + rule + " }", resources, Input{Machines: machines(), Where: "Pacemaker's configuration"}, []string{`error lbvm.conf:1:9 [] [] Pacemaker's configuration has no VM "7x"`}},
		{"lost in the file", "balance 101;\n101 { algorithm { migrate(); }\n", resources, Input{Machines: machines()}, []string{"error lbvm.conf:2:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"lbvm.conf": c.conf}
			if c.resources != "" {
				files[conf.DefaultResources] = c.resources
			}
			got := look(t, c.in, files)
			ok := len(got) == len(c.want)
			for i := range c.want {
				ok = ok && strings.HasPrefix(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

func TestOtherResources(t *testing.T) {
	files := map[string]string{"lbvm.conf": "balance 1;\ndefault { algorithm { migrate() if max(res('gpu', 1)) > 1; } }", "new": "resource gpu { cmd true; }", conf.DefaultResources: resources}
	if got := look(t, Input{}, files); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got := look(t, Input{Resources: "new"}, files); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// A technology is built in, or defined in a file that can be used.
func TestTechnologies(t *testing.T) {
	defined := func(name string) error {
		if name == "lxc" {
			return nil
		}
		return fmt.Errorf("technology %q is not defined here", name)
	}
	own := func(typ string) []cluster.Service {
		return []cluster.Service{{ID: "service:own", VM: "own", VMType: "vmexec", Params: map[string]string{"type": typ}}}
	}
	for _, c := range []struct {
		conf     string
		machines []cluster.Service
		known    func(string) error
		want     string
	}{
		{"virtualization openvz;\n", nil, defined, ""},
		{"virtualization kvm;\n", nil, defined, ""},
		{"virtualization lxc;\n", own("lxc"), defined, ""},
		{"virtualization lxd;\n", nil, defined, `error lbvm.conf:1:16 [] [] the technology "lxd": technology "lxd" is not defined here`},
		{"virtualization lxd;\n", own("lxd"), nil, ""}, // nobody knows
		{"balance own;\ndefault { algorithm { report() if max(res('cpu', 1)) > 1; } }\n", own("lxd"), defined, `error lbvm.conf:1:9 [] [] the technology "lxd" of own in cluster.conf: technology "lxd" is not defined here`},
	} {
		got := look(t, Input{Machines: c.machines, Technology: c.known}, map[string]string{"lbvm.conf": c.conf, conf.DefaultResources: resources})
		if (c.want == "") != (len(got) == 0) || len(got) > 0 && got[0] != c.want {
			t.Errorf("%q: %q, want %q", c.conf, got, c.want)
		}
	}
}

// What cluster.conf says of a VM's health and no agent understands.
func TestHealth(t *testing.T) {
	there := func(path string) error {
		if path == "/usr/local/bin/ask" {
			return nil
		}
		return fmt.Errorf("stat %s: no such file", path)
	}
	for _, c := range []struct {
		typ    string
		params map[string]string
		want   string
	}{
		{"kvm", nil, ""},
		{"kvm", map[string]string{"check": "tcp:192.0.2.7:80", "check_limit": "0", "check_action": "failover", "wait_ready": "120"}, ""},
		{"vmexec", map[string]string{"check": "exec:/usr/local/bin/ask web", "type": "lxc"}, ""},
		{"xen", map[string]string{"check": "tcp:192.0.2.7"}, `xen:web in cluster.conf: check: "tcp:192.0.2.7": it has no port`},
		{"openvz", map[string]string{"check": "exec:/nowhere"}, "openvz:web in cluster.conf: check: stat /nowhere"},
		{"kvm", map[string]string{"check": "ping:web", "check_action": "reboot"}, `kvm:web in cluster.conf: check_action: "reboot" means nothing`},
		{"kvm", map[string]string{"check": "ping:web", "check_limit": "-1"}, `kvm:web in cluster.conf: check_limit: "-1" is not one`},
		{"kvm", map[string]string{"check": "ping:web", "wait_ready": "4000"}, `kvm:web in cluster.conf: wait_ready: "4000" is not one`},
		{"kvm", map[string]string{"wait_ready": "30"}, "kvm:web in cluster.conf: wait_ready: it waits for a check"},
		{"vm", map[string]string{"check": "nonsense"}, ""}, // the suite's own agent knows no such parameter
	} {
		in := Input{Machines: []cluster.Service{{ID: "service:web", VM: "web", VMType: c.typ, Params: c.params}}, Program: there}
		got := look(t, in, map[string]string{"lbvm.conf": "balance web;\ndefault { algorithm { report() if max(res('cpu', 1)) > 1; } }\n", conf.DefaultResources: resources})
		if want := "error lbvm.conf:1:9 [] [] " + c.want; (c.want == "") != (len(got) == 0) || len(got) > 0 && !strings.HasPrefix(got[0], want) {
			t.Errorf("%s %v: %q, want %q", c.typ, c.params, got, want)
		}
		if len(got) > 1 {
			t.Errorf("%s %v: %q", c.typ, c.params, got)
		}
	}
}

func TestProgramsThatAreToldOfMoves(t *testing.T) {
	in := Input{Program: func(path string) error {
		if path == "/bin/there" {
			return nil
		}
		return fmt.Errorf("stat %s: no such file", path)
	}}
	got := look(t, in, map[string]string{"lbvm.conf": "balance web;\nnotify all /bin/there x;\nnotify move https://h/;\nnotify move /bin/gone x;\n" +
		"default { algorithm { report() if max(res('cpu', 1)) > 1; } }\n", conf.DefaultResources: resources})
	if len(got) != 1 || !strings.HasPrefix(got[0], "warning lbvm.conf:4:13 [] [] notify cannot run it here: stat /bin/gone") {
		t.Errorf("%q", got)
	}
}
