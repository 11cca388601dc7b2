package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/run"
)

// suite plays the programs that publish: it runs with a version and takes a greater one.
type suite struct {
	b       *bench
	running int
	refuse  string // what ccs_tool says instead of taking it
	late    bool   // it takes it though it refuses
	dump    string // what ccs_config_dump prints
	asked   func() // called when the running version is asked for
	states  map[string]string
	agents  map[string]string // what they print for meta-data
	calls   []string
}

func (s *suite) Run(_ context.Context, c run.Command) (run.Result, error) {
	name := filepath.Base(c.Argv[0])
	s.calls = append(s.calls, strings.Join(append([]string{name}, c.Argv[1:]...), " "))
	switch {
	case strings.HasSuffix(name, ".sh"):
		return run.Result{Stdout: []byte(s.agents[name])}, nil
	case name == "clustat":
		return run.Result{Stdout: []byte(clustat(s.states))}, nil
	case name == "cman_tool":
		if s.asked != nil {
			s.asked()
		}
		return run.Result{Stdout: []byte(fmt.Sprintf("6.2.0 config %d\n", s.running))}, nil
	case name == "ccs_config_dump":
		return run.Result{Stdout: []byte(s.dump)}, nil
	case name == "ccs_tool" && s.refuse != "":
		if s.late {
			s.running++
		}
		return run.Result{Code: 1, Stderr: []byte(s.refuse)}, nil
	case name == "ccs_tool":
		s.running++
		return run.Result{Stdout: []byte("Config file updated from version 3 to 4\n\nUpdate complete.\n")}, nil
	}
	return run.Result{}, errors.New("not expected: " + name)
}

// confBench has the three-node cluster.conf and a suite that runs with it.
func confBench(t *testing.T) (*bench, *suite) {
	t.Helper()
	b := newBench(t, nil)
	s := &suite{b: b, running: 3}
	b.world.run = s
	for _, p := range []string{"ccs_tool"} {
		b.write(t, "usr/sbin/"+p, "#!/bin/false\n")
		if err := os.Chmod(filepath.Join(b.root, "usr/sbin", p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b, s
}

func (b *bench) conf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(b.host.Path(host.ClusterXML))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCCSEdits(t *testing.T) {
	for _, tt := range []struct {
		args []string
		old  string // what is replaced in the file, besides the version
		new  string
	}{
		{[]string{"set", "//service[@name='web']", "recovery", "relocate"}, `<service name="web">`, `<service name="web" recovery="relocate">`},
		{[]string{"unset", "//service[@name='centos1']", "domain"}, `<service name="centos1" domain="two">`, `<service name="centos1">`},
		{[]string{"insert", "/cluster/rm", "<openvz   name='7'></openvz>"}, "    <service name=\"web\"><openvz name=\"101\"/></service>\n", "    <service name=\"web\"><openvz name=\"101\"/></service>\n    <openvz name=\"7\"/>\n"},
		{[]string{"insert", "--before", "//service[@name='web']", "<vm name='v'/>"}, `    <service name="web">`, "    <vm name=\"v\"/>\n    <service name=\"web\">"},
		{[]string{"insert", "//service[@name='web']", "<vm name='v'/>", "--after"}, "<openvz name=\"101\"/></service>\n", "<openvz name=\"101\"/></service>\n    <vm name=\"v\"/>\n"},
		{[]string{"delete", "//service[@name='centos2']"}, "    <service name=\"centos2\"><xen name=\"centos2\"/></service>\n", ""},
		{[]string{"addnode", "xen4", "--votes", "2"}, "nodeid=\"3\"/>\n", "nodeid=\"3\"/>\n    <clusternode name=\"xen4\" nodeid=\"4\" votes=\"2\"/>\n"},
		{[]string{"delnode", "xen3.01100011.com"}, "    <clusternode name=\"xen3.01100011.com\" nodeid=\"3\"/>\n", ""},
		{[]string{"interval", "101", "2m"}, `<openvz name="101"/>`, `<openvz name="101"><action name="status" depth="*" interval="2m"/></openvz>`},
		{[]string{"adddomain", "--restricted", "blue", "xen1.01100011.com:1", "xen2.01100011.com:2"}, "      </failoverdomain>\n",
			"      </failoverdomain>\n      <failoverdomain name=\"blue\" ordered=\"1\" restricted=\"1\" nofailback=\"0\">\n" +
				"        <failoverdomainnode name=\"xen1.01100011.com\" priority=\"1\"/>\n        <failoverdomainnode name=\"xen2.01100011.com\" priority=\"2\"/>\n      </failoverdomain>\n"},
		{[]string{"rename", "service:web", "www"}, `<service name="web">`, `<service name="www">`},
		{[]string{"bump"}, "", ""},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			b, s := confBench(t)
			args := append([]string{"ccs"}, tt.args...)
			if code := b.lbm(append(args, "--dry-run")...); code != 0 || b.conf(t) != clusterConf || !strings.Contains(b.out.String(), `+<cluster name="xen" config_version="4">`) {
				t.Fatalf("a dry run: %d\n%s%s", code, b.out.String(), b.errors.String())
			}
			if code := b.lbm(args...); code != 0 {
				t.Fatalf("%d %s", code, b.errors.String())
			}
			want := strings.Replace(clusterConf, `config_version="3"`, `config_version="4"`, 1)
			want = strings.Replace(want, tt.old, tt.new, 1)
			if got := b.conf(t); got != want {
				t.Errorf("the file is\n%s\nwant\n%s", got, want)
			}
			if !strings.Contains(b.out.String(), "run 'ccs_tool update /etc/cluster/cluster.conf' to upgrade to new cluster config file!") {
				t.Errorf("it said\n%s", b.out.String())
			}
			if len(s.calls) > 0 {
				t.Errorf("without --update it asked %q", s.calls)
			}
			kept, err := os.ReadFile(b.host.Path(host.ClusterXML) + ".lbvm-3")
			if err != nil || string(kept) != clusterConf {
				t.Errorf("the file before: %q, %v", kept, err)
			}
		})
	}
}

func TestCCSRefusals(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"set", "//service", "x", "y"}, exitRefused, "selects 3 elements, in lines 15, 16"},
		{[]string{"set", "//nosuch", "x", "y"}, exitRefused, "selects nothing"},
		{[]string{"set", "//service[@name='web']", "name", ""}, exitRefused, "the result has errors"},
		{[]string{"set", "/cluster", "config_version", "9"}, exitRefused, "config_version"},
		{[]string{"unset", "/cluster/rm", "x"}, exitRefused, "no such attribute"},
		{[]string{"insert", "/cluster/rm", "<service/>"}, exitRefused, "the result has errors"},
		{[]string{"insert", "/cluster/rm", "<service name='x'"}, exitRefused, "the new element"},
		{[]string{"insert", "--before", "--after", "/cluster/rm", "<x/>"}, exitUsage, "--before or --after"},
		{[]string{"unset", "/cluster", "config_version"}, exitRefused, "lbm ccs bump"},
		{[]string{"rename", "service:web", "centos1"}, exitRefused, "the name is taken"},
		{[]string{"rename", "nosuch", "x"}, exitRefused, `no service "nosuch"`},
		{[]string{"insert", "--before", "//nosuch", "<x/>"}, exitRefused, "selects nothing"},
		{[]string{"get", "//service", "-o", "xml"}, exitUsage, "see lbm ccs get --help"},
		{[]string{"delete", "/cluster"}, exitRefused, "root element"},
		{[]string{"addnode", "xen1.01100011.com"}, exitRefused, "is there already"},
		{[]string{"addnode", "xen4", "--fence", "apc1"}, exitRefused, `no fence device "apc1"`},
		{[]string{"addnode", "xen4", "--fence", "apc1,4"}, exitUsage, "not KEY=VALUE"},
		{[]string{"addnode", "xen4", "--nodeid", "0"}, exitUsage, "above 0"},
		{[]string{"delnode", "xen9"}, exitRefused, `no node "xen9"`},
		{[]string{"adddomain", "blue", "xen9"}, exitRefused, "is no node"},
		{[]string{"adddomain", "blue", "xen1:0"}, exitUsage, "1 to 100"},
		{[]string{"adddomain", "blue", "xen1:1", "xen2"}, exitUsage, "xen2 needs a priority too"},
		{[]string{"adddomain", "blue"}, exitUsage, "adddomain NAME NODE"},
		{[]string{"interval", "101", "5"}, exitUsage, "no duration"},
		{[]string{"interval", "monitoring", "2m"}, exitRefused, "has 0 lbvm resources"},
		{[]string{"set", "/cluster/rm"}, exitUsage, "it is: lbm ccs set XPATH ATTR VALUE"},
		{[]string{"bump", "x"}, exitUsage, "it is: lbm ccs bump"},
		{[]string{"set", "--file", "/nowhere", "/cluster/rm", "a", "b"}, exitRefused, "no such file"},
		{[]string{"nosuch"}, exitUsage, `no command "nosuch"`},
		{[]string{}, exitUsage, ""},
		{[]string{"set", "--bogus"}, exitUsage, "see lbm ccs set --help"},
		{[]string{"get", "//nosuch"}, exitFailed, "selects nothing"},
		{[]string{"get", "//service", "nosuch"}, exitFailed, "no element there has"},
		{[]string{"get", "//service["}, exitUsage, ""},
		{[]string{"diff", "/nowhere", "/nowhere"}, exitFailed, "no such file"},
		{[]string{"validate", "/nowhere"}, exitFailed, "no such file"},
	} {
		b, _ := confBench(t)
		code := b.lbm(append([]string{"ccs"}, tt.args...)...)
		if code != tt.code || !strings.Contains(b.errors.String(), tt.want) || code == exitRefused && !strings.Contains(b.errors.String(), "nothing was changed") {
			t.Errorf("%v: %d, want %d with %q: %s", tt.args, code, tt.code, tt.want, b.errors.String())
		}
		if b.conf(t) != clusterConf {
			t.Errorf("%v changed the file", tt.args)
		}
	}
	// What is there already is no new version.
	b, _ := confBench(t)
	if code := b.lbm("ccs", "set", "//service[@name='centos1']", "domain", "two"); code != 0 || b.conf(t) != clusterConf || !strings.Contains(b.out.String(), "nothing was changed") {
		t.Errorf("%d %s %s", code, b.out.String(), b.errors.String())
	}
}

// ranWith makes another node say with which version it runs.
func (b *bench) ranWith(t *testing.T, version int, members ...string) {
	t.Helper()
	for _, m := range members {
		b.write(t, "gfs/lbvm/nodes/"+m, fmt.Sprintf("format=1\nmember=%s\nboot=b\nat=2010-11-17T13:30:00Z\nconfig_version=%d\n", m, version))
	}
}

func TestCCSUpdate(t *testing.T) {
	const x2, x3 = "xen2.01100011.com", "xen3.01100011.com"
	shared := func(t *testing.T) (*bench, *suite) {
		b, s := confBench(t)
		b.world.run = s.b.tools
		if code := b.lbm("init", "--shared", "/gfs", "--no-service"); code != 0 {
			t.Fatal(b.errors.String())
		}
		b.world.run = s
		return b, s
	}
	t.Run("an edit that reaches every member", func(t *testing.T) {
		b, s := shared(t)
		b.ranWith(t, 4, x2, x3)
		code := b.lbm("ccs", "set", "//service[@name='web']", "recovery", "relocate", "--update")
		if code != 0 || s.running != 4 {
			t.Fatalf("%d, running %d: %s", code, s.running, b.errors.String())
		}
		for _, want := range []string{"this will RECONFIGURE service:web", "this node runs with version 4", x2 + " runs with version 4", x3 + " runs with version 4"} {
			if !strings.Contains(b.out.String(), want) {
				t.Errorf("%q is missing in\n%s", want, b.out.String())
			}
		}
	})
	t.Run("facts of before the publication tell nothing", func(t *testing.T) {
		b, _ := shared(t)
		b.ranWith(t, 4, x2)
		b.write(t, "gfs/lbvm/nodes/"+x3, "format=1\nmember="+x3+"\nboot=b\nat=2010-11-17T13:29:59Z\nconfig_version=9\n")
		fake := clock.NewFake(time.Unix(1290000600, 0))
		b.world.clock = fake
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			for fake.AwaitSleeper(ctx) == nil {
				fake.Advance(time.Second)
			}
		}()
		if code := b.lbm("ccs", "bump", "--update", "--i-know"); code != exitUnknown || !strings.Contains(b.errors.String(), "not verified on "+x3) {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
	t.Run("a member that does not tell", func(t *testing.T) {
		b, _ := shared(t)
		b.ranWith(t, 4, x2)
		b.ranWith(t, 3, x3)
		fake := clock.NewFake(time.Unix(1290000600, 0))
		b.world.clock = fake
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			for fake.AwaitSleeper(ctx) == nil {
				fake.Advance(time.Second)
			}
		}()
		if code := b.lbm("ccs", "bump", "--update", "--i-know"); code != exitUnknown || !strings.Contains(b.errors.String(), "not verified on "+x3) || strings.Contains(b.errors.String(), x2) {
			t.Errorf("%d %s", code, b.errors.String())
		}
		if code := b.lbm("ccs", "bump", "--update", "--no-wait"); code != 0 {
			t.Errorf("--no-wait: %d %s", code, b.errors.String())
		}
	})
	t.Run("what was asked for is stopped, and nothing else", func(t *testing.T) {
		b, s := shared(t)
		b.ranWith(t, 4, x2, x3)
		if code := b.lbm("ccs", "delete", "//service[@name='web']", "--update"); code != 0 || s.running != 4 || !strings.Contains(b.out.String(), "STOP service:web, with openvz:101: removed") {
			t.Errorf("%d, running %d\n%s%s", code, s.running, b.out.String(), b.errors.String())
		}
		b, s = shared(t)
		// What is shared by reference restarts who uses it, which the edit of the definition does not name.
		b.write(t, "etc/cluster/cluster.conf", strings.NewReplacer(`<rm>`, `<rm><resources><xen name="x" path="/etc/xen"/></resources>`, `<openvz name="101"/></service>`, `<xen ref="x"/></service>`).Replace(clusterConf))
		before := b.conf(t)
		code := b.lbm("ccs", "set", "//resources/xen", "path", "/gfs/xen", "--update")
		if want := "this would stop service:web, which nobody asked for: say --i-know"; code != exitRefused || !strings.Contains(b.errors.String(), want) || b.conf(t) != before || s.running != 3 {
			t.Errorf("%d %s", code, b.errors.String())
		}
		b, s = shared(t)
		b.write(t, "etc/cluster/cluster.conf", strings.Replace(strings.Replace(clusterConf, `"3">`, `"4">`, 1), `<service name="web"><openvz name="101"/></service>`, "", 1))
		if code := b.lbm("ccs", "update", "--i-know", "--dry-run"); code != 0 || s.running != 3 || !strings.Contains(b.errors.String(), "of which no copy is here") {
			t.Errorf("%d %s", code, b.errors.String())
		}
		if code := b.lbm("ccs", "update"); code != exitRefused || s.running != 3 || !strings.Contains(b.errors.String(), "of which no copy is here") {
			t.Errorf("%d %s", code, b.errors.String())
		}
		b.write(t, "etc/cluster/cluster.conf.lbvm-3", clusterConf)
		if code := b.lbm("ccs", "update"); code != exitRefused || s.running != 3 || !strings.Contains(b.errors.String(), "this would stop service:web") {
			t.Errorf("%d %s", code, b.errors.String())
		}
		b.ranWith(t, 4, x2, x3)
		if code := b.lbm("ccs", "update", "--i-know"); code != 0 || s.running != 4 || !strings.Contains(b.out.String(), "this will STOP service:web") {
			t.Errorf("%d %s", code, b.errors.String())
		}
		if code := b.lbm("ccs", "update"); code != exitRefused || !strings.Contains(b.errors.String(), "has version 4, with which the cluster runs already") {
			t.Errorf("again: %d %s", code, b.errors.String())
		}
	})
	t.Run("the cluster refuses", func(t *testing.T) {
		b, s := shared(t)
		s.refuse = "Unable to honor update request.  Cluster is not quorate.\n\nFailed to update config file.\n"
		if code := b.lbm("ccs", "set", "//service[@name='web']", "recovery", "relocate", "--update"); code != exitFailed || !strings.Contains(b.errors.String(), "publish from a part of the cluster that is quorate") || !strings.Contains(b.errors.String(), "runs on with version 3") {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
	t.Run("errors are not published", func(t *testing.T) {
		b, s := shared(t)
		b.write(t, "etc/cluster/cluster.conf", strings.Replace(strings.Replace(clusterConf, `"3">`, `"4">`, 1), `<openvz name="101"/>`, "<openvz/>", 1))
		if code := b.lbm("ccs", "update", "--i-know"); code != exitRefused || s.running != 3 || !strings.Contains(b.errors.String(), "has errors") {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
	t.Run("another file is not published", func(t *testing.T) {
		b, _ := shared(t)
		other := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(other, []byte(clusterConf), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := b.lbm("ccs", "bump", "--file", other, "--update"); code != exitRefused {
			t.Errorf("%d %s", code, b.errors.String())
		}
		if code := b.lbm("ccs", "bump", "--file", other); code != 0 || strings.Contains(b.out.String(), "ccs_tool") {
			t.Errorf("%d %s", code, b.out.String())
		}
	})
}

func TestCCSLooks(t *testing.T) {
	b, _ := confBench(t)
	if code := b.lbm("ccs", "show", "-o", "json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	var s summary
	if err := json.Unmarshal(b.out.Bytes(), &s); err != nil || s.Cluster != "xen" || *s.Version != 3 || len(s.Nodes) != 3 || len(s.Domains) != 1 || len(s.Groups) != 3 || s.Groups[2].Resources[0].ID != "openvz:101" {
		t.Errorf("%v %+v", err, s)
	}
	if code := b.lbm("ccs", "show"); code != 0 || !strings.Contains(b.out.String(), "service:centos1  two     on         restart   xen:centos1\n") {
		t.Errorf("%d\n%s", code, b.out.String())
	}
	if code := b.lbm("ccs", "get", "//clusternode", "nodeid"); code != 0 || b.out.String() != "1\n2\n3\n" {
		t.Errorf("%d %q", code, b.out.String())
	}
	if code := b.lbm("ccs", "get", "//service[@name='web']"); code != 0 || b.out.String() != "<service name=\"web\"><openvz name=\"101\"/></service>\n" {
		t.Errorf("%d %q", code, b.out.String())
	}
	if code := b.lbm("ccs", "get", "//service[@name='web']", "-o", "json"); code != 0 || !strings.Contains(b.out.String(), `"line": 17`) {
		t.Errorf("%d %s", code, b.out.String())
	}
	if code := b.lbm("ccs", "lsnode", "-o", "json"); code != 0 || !strings.Contains(b.out.String(), `"fence": []`) {
		t.Errorf("%d %s", code, b.out.String())
	}
	other := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(other, []byte(strings.Replace(clusterConf, `<service name="web"><openvz name="101"/></service>`, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("ccs", "diff", b.host.Path(host.ClusterXML), other); code != 0 || b.out.String() != "the cluster would STOP service:web, with openvz:101: removed\n" {
		t.Errorf("%d %q", code, b.out.String())
	}
	twice := filepath.Join(t.TempDir(), "twice")
	if err := os.WriteFile(twice, []byte(strings.Replace(clusterConf, `<xen name="centos2"/>`, `<openvz name="101"/>`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("ccs", "diff", b.host.Path(host.ClusterXML), twice); code != 0 || !strings.Contains(b.out.String(), "of the new file it would drop ") || !strings.Contains(b.out.String(), "openvz:101") {
		t.Errorf("%d %q", code, b.out.String())
	}
	if code := b.lbm("ccs", "diff", other, other); code != 0 || b.out.String() != "the cluster would do nothing\n" {
		t.Errorf("%d %q", code, b.out.String())
	}
	if code := b.lbm("ccs", "diff", "-o", "json", other, b.host.Path(host.ClusterXML)); code != 0 || !strings.Contains(b.out.String(), `"kind": "start"`) {
		t.Errorf("%d %s", code, b.out.String())
	}
}

func TestCCSValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		conf string
		code int
		want string
	}{
		"clean":      {clusterConf, 0, "0 findings"},
		"warnings":   {strings.Replace(clusterConf, `name="web"`, `name="web" autostart="yes"`, 1), exitWarnings, `autostart="yes"`},
		"errors":     {strings.Replace(clusterConf, `<openvz name="101"/>`, `<openvz/>`, 1), exitFailed, "error"},
		"not xml":    {strings.Replace(clusterConf, `</rm>`, ``, 1), exitFailed, "error"},
		"no version": {strings.Replace(clusterConf, ` config_version="3"`, ``, 1), exitFailed, "config_version"},
	} {
		b, _ := confBench(t)
		b.write(t, "etc/cluster/cluster.conf", tt.conf)
		if code := b.lbm("ccs", "validate"); code != tt.code || !strings.Contains(b.out.String(), tt.want) {
			t.Errorf("%s: %d, want %d with %q\n%s%s", name, code, tt.code, tt.want, b.out.String(), b.errors.String())
		}
		if code := b.lbm("ccs", "validate", "-o", "json"); code != tt.code || !json.Valid(b.out.Bytes()) {
			t.Errorf("%s: %d %s", name, code, b.out.String())
		}
	}
}

// TestCCSSchema checks with the real xmllint and a schema that knows one element.
func TestCCSSchema(t *testing.T) {
	xmllint := real.Need(t, "xmllint")
	b, _ := confBench(t)
	b.world.run = run.System{}
	if err := os.MkdirAll(filepath.Join(b.root, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(xmllint, filepath.Join(b.root, "usr/bin/xmllint")); err != nil {
		t.Fatal(err)
	}
	for element, want := range map[string]int{"cluster": 0, "other": exitFailed} {
		b.write(t, "usr/share/cluster/cluster.rng", `<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><element name="`+element+`"><ref name="any"/></element></start>`+
			`<define name="any"><zeroOrMore><choice><attribute><anyName/></attribute><text/><element><anyName/><ref name="any"/></element></choice></zeroOrMore></define></grammar>`)
		code := b.lbm("ccs", "validate")
		if code != want || want == 0 && !strings.Contains(b.out.String(), "schema: valid") || want != 0 && !strings.Contains(b.out.String(), "error: schema: ") {
			t.Errorf("%s: %d\n%s%s", element, code, b.out.String(), b.errors.String())
		}
	}
}

func TestInitUpdate(t *testing.T) {
	b, s := confBench(t)
	if code := b.lbm("init", "--shared", "/gfs", "--update"); code != 0 || s.running != 4 || !strings.Contains(b.out.String(), "this will START service:monitoring") || !strings.Contains(b.out.String(), "this node runs with version 4") {
		t.Errorf("%d, running %d\n%s%s", code, s.running, b.out.String(), b.errors.String())
	}
}
