package metadata_test

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// forPacemaker gives the embedded documents by the name of their file.
func forPacemaker() map[string][]byte {
	out := map[string][]byte{}
	for name, of := range map[string]func() (ocf10, ocf11 []byte){"openvz": metadata.PacemakerOpenVZ, "xen": metadata.PacemakerXen, "kvm": metadata.PacemakerKVM, "vmexec": metadata.PacemakerVMExec, "lbvm": metadata.PacemakerLBVM} {
		out[name+".xml"], out[name+"-1.1.xml"] = of()
	}
	return out
}

// TestPacemakerIsDerived keeps the files from getting stale; with UPDATE=1 it writes them.
func TestPacemakerIsDerived(t *testing.T) {
	for name, rgmanager := range all() {
		for file, derive := range map[string]func([]byte) ([]byte, error){name + ".xml": ocf.PacemakerXML, name + "-1.1.xml": ocf.PacemakerXML11} {
			want, err := derive(rgmanager)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			path := filepath.Join("pacemaker", file)
			if os.Getenv("UPDATE") == "1" {
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != string(want) {
				t.Errorf("%s is stale (%v): run go generate ./metadata", path, err)
			}
			if string(forPacemaker()[file]) != string(got) {
				t.Errorf("what is embedded for %s is not the file", path)
			}
		}
	}
}

// document is a derived one as a manager reads it.
type document struct {
	Name    string `xml:"name,attr"`
	Own     string `xml:"version,attr"`
	Version string `xml:"version"`
	Long    string `xml:"longdesc"`
	Short   string `xml:"shortdesc"`
	Params  []struct {
		Name       string `xml:"name,attr"`
		Unique     string `xml:"unique,attr"`
		Group      string `xml:"unique-group,attr"`
		Required   string `xml:"required,attr"`
		Reloadable string `xml:"reloadable,attr"`
		Content    struct {
			Type    string  `xml:"type,attr"`
			Default *string `xml:"default,attr"`
		} `xml:"content"`
	} `xml:"parameters>parameter"`
	Actions []struct {
		Name     string `xml:"name,attr"`
		Timeout  string `xml:"timeout,attr"`
		Interval string `xml:"interval,attr"`
		Depth    string `xml:"depth,attr"`
	} `xml:"actions>action"`
}

func read(t *testing.T, text []byte) document {
	t.Helper()
	var d document
	if err := xml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// words is a document's meaning in one line a parameter and action.
func (d document) words() []string {
	out := []string{d.Name + " " + d.Own + " for " + d.Version}
	for _, p := range d.Params {
		w := []string{p.Name, p.Content.Type}
		for _, x := range []struct{ name, value string }{{"unique", p.Unique}, {"group", p.Group}, {"required", p.Required}, {"reloadable", p.Reloadable}} {
			if x.value != "" && x.value != "0" {
				w = append(w, x.name+"="+x.value)
			}
		}
		if p.Content.Default != nil {
			w = append(w, "default="+*p.Content.Default)
		}
		out = append(out, strings.Join(w, " "))
	}
	for _, a := range d.Actions {
		w := a.Name + " " + a.Timeout
		if a.Interval != "" {
			w += " every " + a.Interval + " depth " + a.Depth
		}
		out = append(out, w)
	}
	return out
}

func TestPacemakerMeans(t *testing.T) {
	common := []string{"start 300s", "stop 300s", "monitor 20s every 30s depth 0", "monitor 20s every 60s depth 10"}
	health := []string{"check string", "check_limit integer default=2", "check_action string default=restart", "wait_ready integer default=0"}
	health11 := []string{"check string reloadable=1", "check_limit integer reloadable=1 default=2", "check_action string reloadable=1 default=restart", "wait_ready integer reloadable=1 default=0"}
	described := []string{"meta-data 5s", "validate-all 5s"}
	migrate := []string{"migrate_to 600s", "migrate_from 600s"}
	balancer := append([]string{"start 20s", "stop 20s", "monitor 10s every 60s depth 0"}, described...)
	for file, want := range map[string][]string{
		"openvz.xml": slices.Concat([]string{"openvz 1.0 for 1.0", "name string unique=1 required=1", "on_stop string default=suspend", "unknown_limit integer default=3"},
			health, common, described, []string{"reload 20s"}),
		"openvz-1.1.xml": slices.Concat([]string{"openvz 1.0 for 1.1", "name string group=name required=1", "on_stop string reloadable=1 default=suspend",
			"unknown_limit integer reloadable=1 default=3"},
			health11, common, described, []string{"reload-agent 20s"}),
		// path is not unique and cannot be reloaded, so a manager of OCF 1.0 must not be told of reload
		"xen.xml": slices.Concat([]string{"xen 1.0 for 1.0", "name string unique=1 required=1", "path string default=/etc/xen", "on_stop string default=suspend",
			"migration_mapping string", "unknown_limit integer default=3"},
			health, common, migrate, described),
		"xen-1.1.xml": slices.Concat([]string{"xen 1.0 for 1.1", "name string group=name required=1", "path string default=/etc/xen", "on_stop string reloadable=1 default=suspend",
			"migration_mapping string reloadable=1", "unknown_limit integer reloadable=1 default=3"},
			health11, common, migrate, described, []string{"reload-agent 20s"}),
		"vmexec.xml": slices.Concat([]string{"vmexec 1.0 for 1.0", "name string unique=1 required=1", "type string required=1", "config string", "memory string",
			"on_stop string default=suspend", "migration_mapping string", "unknown_limit integer default=3"},
			health, common, migrate, described),
		"vmexec-1.1.xml": slices.Concat([]string{"vmexec 1.0 for 1.1", "name string group=name required=1", "type string required=1", "config string",
			"memory string reloadable=1", "on_stop string reloadable=1 default=suspend", "migration_mapping string reloadable=1",
			"unknown_limit integer reloadable=1 default=3"},
			health11, common, migrate, described, []string{"reload-agent 20s"}),
		"kvm.xml": slices.Concat([]string{"kvm 1.0 for 1.0", "name string unique=1 required=1", "path string default=/etc/kvm", "on_stop string default=suspend",
			"migration_mapping string", "migration_transport string default=ssh", "migrate_unsafe boolean default=0", "unknown_limit integer default=3"},
			health, common, migrate, described),
		"kvm-1.1.xml": slices.Concat([]string{"kvm 1.0 for 1.1", "name string group=name required=1", "path string default=/etc/kvm", "on_stop string reloadable=1 default=suspend",
			"migration_mapping string reloadable=1", "migration_transport string reloadable=1 default=ssh", "migrate_unsafe boolean reloadable=1 default=0", "unknown_limit integer reloadable=1 default=3"},
			health11, common, migrate, described, []string{"reload-agent 20s"}),
		"lbvm.xml":     append([]string{"lbvm 1.0 for 1.0", "name string unique=1 required=1"}, balancer...),
		"lbvm-1.1.xml": append([]string{"lbvm 1.0 for 1.1", "name string group=name required=1"}, balancer...),
	} {
		d := read(t, forPacemaker()[file])
		if got := d.words(); !slices.Equal(got, want) {
			t.Errorf("%s says\n%s\nwant\n%s", file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		m, err := ocf.ParseMetadata(all()[d.Name])
		if err != nil {
			t.Fatal(err)
		}
		if flat(d.Long) != m.Long || d.Short != m.Short || len(m.Long) < 50 {
			t.Errorf("%s: the texts are not those of the source:\n%s\n%s", file, d.Long, d.Short)
		}
	}
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// dtd is the schema of OCF 1.0 as resource-agents ships it.
const dtd = "/usr/share/resource-agents/ra-api-1.dtd"

// lint asks xmllint about a text.
func lint(t *testing.T, text string, args ...string) (ok bool, out string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent.xml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The DTD that a document names is looked for in the folder of the document.
	if err := os.Symlink(dtd, filepath.Join(filepath.Dir(file), "ra-api-1.dtd")); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command(real.Need(t, "xmllint"), append(args, "--nonet", "--noout", file)...).CombinedOutput()
	return err == nil, string(b)
}

// mutant is a document with a fault that a schema must find.
type mutant struct{ old, new string }

func findsAll(t *testing.T, file string, mutants []mutant, args ...string) {
	t.Helper()
	text := string(forPacemaker()[file])
	for _, x := range mutants {
		broken := strings.Replace(text, x.old, x.new, 1)
		if broken == text {
			t.Fatalf("%q is not in %s", x.old, file)
		}
		if ok, _ := lint(t, broken, args...); ok {
			t.Errorf("%s with %q instead of %q is called valid", file, x.new, x.old)
		}
	}
}

// TestPacemakerDTD holds each document of OCF 1.0 against Debian's DTD, both as ocf-tester does and by name.
func TestPacemakerDTD(t *testing.T) {
	real.NeedFile(t, dtd)
	for name := range all() {
		for _, args := range [][]string{{"--valid"}, {"--dtdvalid", dtd}} {
			if ok, out := lint(t, string(forPacemaker()[name+".xml"]), args...); !ok {
				t.Errorf("%s, %s: %s", name, args[0], out)
			}
		}
		// One document cannot serve both: this is why there are two.
		if ok, _ := lint(t, string(forPacemaker()[name+"-1.1.xml"]), "--dtdvalid", dtd); ok {
			t.Errorf("%s-1.1.xml is valid for OCF 1.0 too: is a second document needed?", name)
		}
	}
	findsAll(t, "xen.xml", []mutant{
		{`<version>1.0</version>`, ``},
		{`unique="1"`, `unique="yes"`},
		{`<action name="migrate_to" timeout="600s"/>`, `<action name="migrate" timeout="600s"/>`},
		{`name="stop" timeout="300s"`, `name="stop"`},
		{`<shortdesc lang="en">Xen domain</shortdesc>`, ``},
		{`<parameter name="path" unique="0"`, `<parameter name="path" reconfig="1"`},
		{`</resource-agent>`, `<special tag="rgmanager"/></resource-agent>`},
	}, "--valid")
}

// TestPacemakerSchema holds each document of OCF 1.1 against our own schema of it.
func TestPacemakerSchema(t *testing.T) {
	schema, err := filepath.Abs("ocf-1.1.rng")
	if err != nil {
		t.Fatal(err)
	}
	for name := range all() {
		if ok, out := lint(t, string(forPacemaker()[name+"-1.1.xml"]), "--relaxng", schema); !ok {
			t.Errorf("%s: %s", name, out)
		}
	}
	findsAll(t, "xen-1.1.xml", []mutant{
		{`<version>1.1</version>`, `<version>1.0</version>`},
		{`<version>1.1</version>`, ``},
		{`unique-group="name"`, `unique="1"`},
		{`reloadable="1"`, `reloadable="true"`},
		{`reloadable="1"`, `reconfig="1"`},
		{`lang="en"`, ``},
		{`<shortdesc lang="en">Xen domain</shortdesc>`, ``},
		{`<action name="migrate_to"`, `<action name="migrate"`},
		{`name="stop" timeout="300s"`, `name="stop"`},
		{`timeout="300s"`, `timeout="300"`},
		{`type="string"`, `type="text"`},
		{`</resource-agent>`, `<special tag="rgmanager"/></resource-agent>`},
	}, "--relaxng", schema)
}
