package ccs

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The cases of rgmanager's own regression suite (daemons/tests, test001 to test018), each told anew: what each
// configuration adds to the one before, and what rg_test must say of the step. Suite is what stands in <rm>.
type step struct {
	name      string
	resources string
	groups    string
	delta     []string // from the step before
	starts    []string // the whole of it, where the order is what the step is about
	stops     []string
	dropped   []string
}

func steps() []step {
	const (
		svc       = `<service name="one"/>`
		script    = `<script name="init" file="/etc/init.d/a"/>`
		other     = `<script name="init" file="/etc/init.d/b"/>`
		ip        = `<ip address="10.0.0.3" monitor_link="yes"/>`
		ip4       = `<ip address="10.0.0.4" monitor_link="yes"/>`
		mount     = `<fs name="mount1" fstype="ext3" mountpoint="/mnt/1" device="/dev/sdb1"/>`
		mount2    = `<fs name="mount2" fstype="ext3" mountpoint="/mnt/2" device="/dev/sdb2"/>`
		export    = `<nfsexport name="export"/>`
		users     = `<nfsclient name="users" target="@users" options="ro"/>`
		usersRW   = `<nfsclient name="users" target="@users" options="rw,sync"/>`
		admins    = `<nfsclient name="admins" target="@admins" options="rw"/>`
		red       = `<nfsclient name="red" target="red" options="rw,no_root_squash"/>`
		redRO     = `<nfsclient name="red" target="red" options="ro"/>`
		redRW     = `<nfsclient name="red" target="red" options="rw"/>`
		base      = svc + other + ip + mount
		clients   = `<nfsclient ref="admins"/><nfsclient ref="users"/>`
		three     = clients + `<nfsclient ref="red"/>`
		nfs2      = `<fs ref="mount1"><nfsexport ref="export">` + clients + `</nfsexport></fs>`
		nfs3      = `<fs ref="mount1"><nfsexport ref="export">` + three + `</nfsexport></fs>`
		onMount2  = `<fs ref="mount2"><nfsexport ref="export">` + three + `</nfsexport></fs>`
		one       = `<service ref="one"><ip ref="10.0.0.3"/><script ref="init"/>`
		two       = svc + `<service name="two"/>` + other + ip + ip4 + mount + mount2 + export
		shared    = two + usersRW + admins + redRW
		second    = `<service ref="two"><ip ref="10.0.0.4"/><script ref="init"/>` + onMount2 + `</service>`
		scripts   = `<script name="s2" file="/etc/init.d/2"/><script name="s3" file="/etc/init.d/3"/>`
		nested    = `<ip ref="10.0.0.3"/>` + onMount2 + `<script ref="s2"/><ip ref="10.0.0.4"/></script><script ref="s3"/></service>`
		clusterfs = `<clusterfs name="gfs" mountpoint="/mnt/3" device="/dev/sdb3"/>`
	)
	below := []string{"nfsexport:export", "nfsclient:admins", "nfsclient:users", "nfsclient:red"}
	return []step{
		{name: "001 inline service", groups: svc, starts: []string{"service:one"}},
		{name: "002 same service by reference: nothing", resources: svc, groups: `<service ref="one"/>`},
		{name: "003 a script is added: started", resources: svc + script, groups: `<service ref="one"><script ref="init"/></service>`,
			delta: []string{"START script:init in service:one: new"}, starts: []string{"service:one", "script:init"}, stops: []string{"script:init", "service:one"}},
		{name: "004 the script's file changes: stopped with the old one, started with the new one", resources: svc + other,
			groups: `<service ref="one"><script ref="init"/></service>`,
			delta:  []string{`RESTART script:init in service:one: file="/etc/init.d/a" becomes "/etc/init.d/b"`}},
		{name: "005 an ip is added: started", resources: svc + other + `<ip address="10.0.0.2" monitor_link="yes"/>`,
			groups: `<service ref="one"><ip ref="10.0.0.2"/><script ref="init"/></service>`, delta: []string{"START ip:10.0.0.2 in service:one: new"},
			starts: []string{"service:one", "ip:10.0.0.2", "script:init"}, stops: []string{"script:init", "ip:10.0.0.2", "service:one"}},
		{name: "006 an attribute of the ip changes: restarted", resources: svc + other + `<ip address="10.0.0.2" monitor_link="no"/>`,
			groups: `<service ref="one"><ip ref="10.0.0.2"/><script ref="init"/></service>`,
			delta:  []string{`RESTART ip:10.0.0.2 in service:one: monitor_link="yes" becomes "no"`}},
		{name: "007 another ip: the old one is stopped, the new one started", resources: svc + other + ip, groups: one + `</service>`,
			delta: []string{"STOP ip:10.0.0.2 in service:one: removed", "START ip:10.0.0.3 in service:one: new"}},
		{name: "008 an fs that nothing refers to: nothing", resources: base, groups: one + `</service>`},
		{name: "009 the fs is attached: started", resources: base, groups: one + `<fs ref="mount1"/></service>`,
			delta:  []string{"START fs:mount1 in service:one: new"},
			starts: []string{"service:one", "fs:mount1", "ip:10.0.0.3", "script:init"}, stops: []string{"script:init", "ip:10.0.0.3", "fs:mount1", "service:one"}},
		{name: "010 an export that nothing refers to: nothing", resources: base + export, groups: one + `<fs ref="mount1"/></service>`},
		{name: "011 export and clients below the fs: started with all below", resources: base + export + users + admins + red, groups: one + nfs2 + `</service>`,
			delta:  []string{"START nfsexport:export in service:one, with nfsclient:admins, nfsclient:users: new"},
			starts: []string{"service:one", "fs:mount1", "nfsexport:export", "nfsclient:admins", "nfsclient:users", "ip:10.0.0.3", "script:init"}},
		{name: "012 a client changes and is attached, with __enforce_timeouts: started", resources: base + export + users + admins + redRO,
			groups: one + `<fs ref="mount1"><nfsexport ref="export">` + clients + `<nfsclient ref="red" __enforce_timeouts="1"/></nfsexport></fs></service>`,
			delta:  []string{"START nfsclient:red in service:one: new"}},
		{name: "013 the client changes in the tree: restarted", resources: base + export + users + admins + redRW, groups: one + nfs3 + `</service>`,
			delta: []string{`RESTART nfsclient:red in service:one: options="ro" becomes "rw"`}},
		{name: "014 a second service: initialised", resources: two + users + admins + redRW, groups: one + nfs3 + `</service>` + second,
			delta: []string{"START service:two, with fs:mount2, " + strings.Join(below, ", ") + ", ip:10.0.0.4, script:init: new; stop is run on every node before"}},
		{name: "015 a client that both services share changes: restarted in both", resources: shared, groups: one + nfs3 + `</service>` + second,
			delta: []string{`RESTART nfsclient:users in service:one: options="ro" becomes "rw,sync"`, `RESTART nfsclient:users in service:two: options="ro" becomes "rw,sync"`}},
		{name: "016 an ip referred to twice stands in the tree once: nothing", resources: shared,
			groups:  one + nfs3 + `</service>` + strings.Replace(second, `<ip `, `<ip ref="10.0.0.3"/><ip `, 1),
			dropped: []string{"ip:10.0.0.3"}},
		{name: "017 the order of untyped children", resources: shared + scripts,
			groups: `<service ref="one"><script ref="init"/>` + nfs3 + `</service><service ref="two"><script ref="init">` + nested,
			delta: []string{
				"STOP ip:10.0.0.3 in service:one: it moves to service:two, which may start it before it has been stopped here where that runs on another node",
				"RESTART fs:mount2 in service:two, with " + strings.Join(below, ", ") + ": it stands in another place",
				"RESTART ip:10.0.0.4 in service:two: it stands in another place",
				"START ip:10.0.0.3 in service:two: it moves here from service:one",
				"START script:s2 in service:two: new", "START script:s3 in service:two: new"},
			starts: append(append([]string{"service:one", "fs:mount1"}, below...), append(append([]string{"script:init", "service:two", "script:init", "ip:10.0.0.3", "fs:mount2"}, below...),
				"script:s2", "ip:10.0.0.4", "script:s3")...),
			stops: []string{"script:init", "nfsclient:red", "nfsclient:users", "nfsclient:admins", "nfsexport:export", "fs:mount1", "service:one",
				"script:s3", "ip:10.0.0.4", "script:s2", "nfsclient:red", "nfsclient:users", "nfsclient:admins", "nfsexport:export", "fs:mount2", "ip:10.0.0.3", "script:init", "service:two"}},
		{name: "018 untyped children of a type with many instances are not doubled", resources: shared + scripts + clusterfs,
			groups: `<service ref="one"><script ref="init"><clusterfs ref="gfs"/></script>` + nfs3 + `</service><service ref="two"><script ref="init"><clusterfs ref="gfs"/>` + nested,
			delta:  []string{"START clusterfs:gfs in service:one: new", "START clusterfs:gfs in service:two: new"},
			starts: append(append([]string{"service:one", "fs:mount1"}, below...), append(append([]string{"script:init", "clusterfs:gfs", "service:two", "script:init", "clusterfs:gfs", "ip:10.0.0.3", "fs:mount2"}, below...),
				"script:s2", "ip:10.0.0.4", "script:s3")...),
			stops: []string{"clusterfs:gfs", "script:init", "nfsclient:red", "nfsclient:users", "nfsclient:admins", "nfsexport:export", "fs:mount1", "service:one",
				"script:s3", "ip:10.0.0.4", "script:s2", "nfsclient:red", "nfsclient:users", "nfsclient:admins", "nfsexport:export", "fs:mount2", "ip:10.0.0.3", "clusterfs:gfs", "script:init", "service:two"}},
	}
}

func TestRegressionSuite(t *testing.T) {
	rules := suiteRules(t)
	var before *Tree
	for _, s := range steps() {
		d := parse(t, `<cluster name="r" config_version="1"><rm><resources>`+s.resources+`</resources>`+s.groups+`</rm></cluster>`)
		after := d.ResourceTree(rules)
		t.Run(s.name, func(t *testing.T) {
			if before != nil {
				if diff := cmp.Diff(s.delta, texts(Delta(before, after))); diff != "" {
					t.Error(diff)
				}
				if again := Delta(after, after); len(again) > 0 {
					t.Errorf("a tree differs from itself: %v", again)
				}
			}
			var starts, stops, dropped string
			for _, g := range after.Groups {
				starts += startAll(g)
				stops += stopAll(g)
			}
			for _, x := range after.Dropped {
				dropped += "[drop] " + x.ID + "\n"
			}
			lines := func(tag string, list []string) string {
				out := ""
				for _, x := range list {
					out += "[" + tag + "] " + x + "\n"
				}
				return out
			}
			if diff := cmp.Diff(lines("start", s.starts), starts); s.starts != nil && diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(lines("stop", s.stops), stops); s.stops != nil && diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(lines("drop", s.dropped), dropped); diff != "" {
				t.Error(diff)
			}
		})
		before = after
	}
}

// suiteRules are testRules and the file systems.
func suiteRules(t testing.TB) Rules {
	t.Helper()
	out := maps.Clone(testRules(t))
	files, err := filepath.Glob("testdata/from-source/agents-fs/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		typ, said, err := ParseMetadata(b)
		if err != nil || len(said) > 0 {
			t.Fatal(f, said, err)
		}
		out[typ.Name] = typ
	}
	return out
}
