package ocf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
)

// texts are the documents that the agents print for a manager of OCF 1.0 and one of OCF 1.1.
func texts(agent string) (ocf10, ocf11 []byte) {
	switch agent {
	case "openvz":
		return metadata.PacemakerOpenVZ()
	case "xen":
		return metadata.PacemakerXen()
	case "kvm":
		return metadata.PacemakerKVM()
	case "vmexec":
		return metadata.PacemakerVMExec()
	}
	return metadata.PacemakerLBVM()
}

// guests are one of each technology; own1 is a Xen domain that the node defines as a technology of its own.
func guests() []lab.VM {
	return []lab.VM{{Type: "openvz", Name: "101", Service: "a"}, {Type: "xen", Name: "web1", Service: "b"}, {Type: "kvm", Name: "win1", Service: "c"}, {Type: "xen", Name: "own1", Service: "d"}}
}

// options are the parameters of a resource, each behind the word option.
func options(option, agent, name string) []string {
	list := []string{option, "name=" + name}
	if agent == "vmexec" {
		list = append(list, option, "type=domain")
	}
	return list
}

// define lays down what own1 is.
func (b *testbed) define(node string) {
	b.t.Helper()
	path := filepath.Join(b.l.Root(node), "etc/cluster/lbvm.d/domain")
	text := `config /etc/xen/%{name};
disk /shared/images/%{name}.img;
status {
    run xm list %{name};
    running exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +[r-][b-]---- ";
    stopped exit 1 3 error "^Error: Domain '%{name}' does not exist";
}
start { run xm create %{config}; timeout 1m; }
stop xm shutdown %{name};
destroy xm destroy %{name};
save xm save %{name} %{image};
restore xm restore %{image};
`
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestOCFTester runs ocf-tester over every agent. It calls some thirty actions of each, and judges their codes.
func TestOCFTester(t *testing.T) {
	t.Parallel()
	real.NeedRoot(t)
	tester := real.Need(t, "ocf-tester")
	real.Need(t, "xmllint")
	provider := install(t)
	b := newTestbed(t, guests()...)
	b.define("node1")
	t.Run("agent", func(t *testing.T) {
		for _, x := range []struct {
			agent, name string
			can         []string // what it is not to say that it cannot
		}{{"openvz", "101", []string{"reload"}}, {"xen", "web1", []string{"migrate"}}, {"kvm", "win1", []string{"migrate"}}, {"vmexec", "own1", nil}, {"lbvm", "balancer", nil}} {
			t.Run(x.agent, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				program := filepath.Join(ocfRoot, "resource.d", provider, x.agent)
				out, code := run(t, b.on("node1"), tester, append(append([]string{"-n", x.name}, options("-o", x.agent, x.name)...), program)...)
				if code != 0 || !strings.Contains(out, program+" passed all tests") {
					t.Fatalf("exit %d:\n%s", code, out)
				}
				for _, line := range strings.Split(out, "\n") {
					// ocf-tester names an error "* rc=N: ..." and goes on.
					if strings.HasPrefix(line, "* rc=") {
						t.Error(line)
					}
				}
				for _, can := range append(x.can, "validate-all", "monitor") {
					if strings.Contains(out, "does not support the "+can+" action") {
						t.Errorf("%s is not supported:\n%s", can, out)
					}
				}
				t.Logf("%s in %s", x.agent, time.Since(began).Round(100*time.Millisecond))
			})
		}
	})
	b.want("node1")
	b.silent("0")
}

// TestOCFTesterFindsFaults lets ocf-tester judge an agent with a fault, so that its praise means something.
func TestOCFTesterFindsFaults(t *testing.T) {
	t.Parallel()
	real.NeedRoot(t)
	tester := real.Need(t, "ocf-tester")
	provider := install(t)
	home := filepath.Join(ocfRoot, "resource.d", provider)
	// The VM's configuration is missing here: start must fail, and that must be seen.
	if out, code := run(t, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LBVM_ROOT=" + t.TempDir()}, tester, "-n", "x", "-o", "name=x", filepath.Join(home, "xen")); code == 0 {
		t.Errorf("an agent on an empty node passed:\n%s", out)
	}
	// An agent that says OCF 1.1 where 1.0 is asked for is not valid by ocf-tester's DTD.
	if out, code := run(t, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "OCF_RA_VERSION_MINOR=1"}, tester, "-n", "x", "-o", "name=x", filepath.Join(home, "lbvm")); code == 0 ||
		!strings.Contains(out, "does not conform to ra-api-1.dtd") {
		t.Errorf("metadata of OCF 1.1 passed for 1.0: exit %d:\n%s", code, out)
	}
}

// TestCRMResource asks Pacemaker's own tool about every agent: it finds them, reads their metadata, and calls them.
func TestCRMResource(t *testing.T) {
	t.Parallel()
	real.NeedRoot(t)
	crm := real.Need(t, "crm_resource")
	cibadmin := real.Need(t, "cibadmin")
	provider := install(t)
	b := newTestbed(t, guests()...)
	b.define("node1")
	cib := filepath.Join(t.TempDir(), "cib.xml")
	env := b.on("node1", "CIB_file="+cib)
	must := func(program string, args ...string) string {
		t.Helper()
		out, code := run(t, env, program, args...)
		if code != 0 {
			t.Fatalf("%s %q: exit %d: %s", filepath.Base(program), args, code, out)
		}
		return out
	}

	if got := strings.Fields(must(crm, "--list-agents", "ocf:"+provider)); strings.Join(got, " ") != "kvm lbvm openvz vmexec xen" {
		t.Errorf("it lists %q", got)
	}
	if got := must(crm, "--list-ocf-alternatives", "xen"); !strings.Contains(got, provider) {
		t.Errorf("it lists %q", got)
	}
	for _, a := range agents {
		_, want := texts(a)
		if got := must(crm, "--show-metadata", "ocf:"+provider+":"+a); strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
			t.Errorf("the metadata of %s is\n%s", a, got)
		}
		name := map[string]string{"openvz": "101", "xen": "web1", "kvm": "win1", "vmexec": "own1", "lbvm": "x"}[a]
		must(crm, append([]string{"--validate", "--class", "ocf", "--provider", provider, "--agent", a}, options("--option", a, name)...)...)
	}
	if out, code := run(t, env, crm, "--validate", "--class", "ocf", "--provider", provider, "--agent", "xen", "--option", "name=web1", "--option", "on_stop=perhaps"); code == 0 ||
		!strings.Contains(out, `on_stop="perhaps" is none of`) {
		t.Errorf("a wrong value: exit %d: %s", code, out)
	}

	// Resources in a configuration of no cluster, whose agents crm_resource calls by itself.
	if err := os.WriteFile(cib, []byte(must(cibadmin, "--empty")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ id, agent, name string }{{"vm1", "openvz", "101"}, {"vm2", "xen", "web1"}, {"vm3", "xen", "nosuch"}} {
		must(cibadmin, "--create", "-o", "resources", "--xml-text", `<primitive id="`+r.id+`" class="ocf" provider="`+provider+`" type="`+r.agent+`">`+
			`<instance_attributes id="`+r.id+`-a"><nvpair id="`+r.id+`-n" name="name" value="`+r.name+`"/></instance_attributes>`+
			`<meta_attributes id="`+r.id+`-m"><nvpair id="`+r.id+`-l" name="allow-migrate" value="true"/></meta_attributes></primitive>`)
	}
	force := func(action, id string, want int, text string) {
		t.Helper()
		if out, code := run(t, env, crm, "--force-"+action, "-r", id); code != want || !strings.Contains(out, text) {
			t.Errorf("--force-%s of %s: exit %d, want %d with %q:\n%s", action, id, code, want, text, out)
		}
	}
	for id, guest := range map[string]string{"vm1": "openvz:101", "vm2": "xen:web1"} {
		force("check", id, 7, "returned 7 (not running")
		force("start", id, 0, "returned 0 (ok)")
		force("check", id, 0, "returned 0 (ok)")
		b.want("node1", guest)
		force("stop", id, 0, "returned 0 (ok)")
		b.want("node1")
	}
	// What went wrong stands where an administrator of Pacemaker looks for it.
	force("check", "vm3", 7, "returned 7 (not running")
	if out, code := run(t, env, crm, "--force-start", "-r", "vm3"); code == 0 || !strings.Contains(out, ": ") || !strings.Contains(out, "nosuch") {
		t.Errorf("a start without a configuration: exit %d, and no reason in\n%s", code, out)
	}
	force("stop", "vm3", 0, "returned 0 (ok)")
	b.silent("0")
}
