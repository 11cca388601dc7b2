package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

const newcomer = "xen4.01100011.com"

// growing is a cluster of three and a node that joins, each below its own root; ssh goes from the one to the other.
type growing struct {
	t       *testing.T
	b, new  *bench
	running uint64
	journal map[string]int // by mount
	came    bool           // the new node is a member
	fails   string         // a program, or a part of a command line, that fails once
	noSSH   bool
	calls   []string // what changes something
}

// Run plays the programs of one node.
func (g *growing) runner(on *bench) run.Runner {
	return runs(func(c run.Command) (run.Result, error) {
		name := filepath.Base(c.Argv[0])
		line := strings.Join(append([]string{name}, c.Argv[1:]...), " ")
		say := func(text string) (run.Result, error) { return run.Result{Stdout: []byte(text)}, nil }
		changes := slices.Contains([]string{"gfs_jadd", "gfs2_jadd", "ccs_tool", "modprobe", "iscsi-iname"}, name) || name == "ssh" && !strings.Contains(line, "--probe")
		if changes && g.fails != "" && strings.Contains(strings.ReplaceAll(line, g.b.root, ""), g.fails) {
			g.fails = ""
			return run.Result{Code: 1, Stderr: []byte("a fault that was planted")}, nil
		}
		if changes && name != "ssh" {
			g.calls = append(g.calls, strings.TrimPrefix(line, "lbm "))
		}
		switch name {
		case "clustat":
			text := clustat(nil)
			if g.came {
				row := `    <node name="xen3.01100011.com"`
				text = strings.Replace(text, row, strings.Replace(row, "xen3", "xen4", 1)+` state="1" local="0" estranged="0" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x00000004"/>`+"\n"+row, 1)
			}
			return say(text)
		case "cman_tool":
			return say(fmt.Sprintf("6.2.0 config %d\n", g.running))
		case "ccs_tool":
			d, err := ccs.Load(filepath.Join(g.b.root, "etc/cluster/cluster.conf"))
			if err != nil {
				return run.Result{}, err
			}
			if g.running, err = d.Version(); err != nil {
				return run.Result{}, err
			}
			return say("Config file updated from version 3 to 4\n\nUpdate complete.\n")
		case "gfs2_tool", "gfs_tool":
			mount := c.Argv[len(c.Argv)-1]
			if name == "gfs2_tool" {
				return say(fmt.Sprintf("journal0 - 128MB\n%d journal(s) found.\n", g.journal[mount]))
			}
			return say(fmt.Sprintf("%s:\n  Block size = 4096\n  Journals = %d\n  Resource Groups = 64\n", mount, g.journal[mount]))
		case "gfs2_jadd", "gfs_jadd":
			n := 0
			if _, err := fmt.Sscan(c.Argv[2], &n); err != nil {
				return run.Result{}, err
			}
			g.journal[c.Argv[3]] += n
			return say("")
		case "iscsi-iname":
			return say("iqn.1994-05.com.redhat:fresh\n")
		case "modprobe":
			on.write(g.t, "proc/modules", on.text(g.t, "proc/modules")+c.Argv[1]+" 1 0 - Live 0x0\n")
			return say("")
		case "vzctl":
			return say("CTID 123 deleted unmounted down\n")
		case "ssh":
			if g.noSSH || c.Argv[4] != newcomer {
				return run.Result{Code: 255, Stderr: []byte("Permission denied (publickey)")}, nil
			}
			g.new.stdin = bytes.NewReader(c.Stdin)
			code := g.new.lbm(c.Argv[6:]...)
			return run.Result{Code: code, Stdout: slices.Clone(g.new.out.Bytes()), Stderr: slices.Clone(g.new.errors.Bytes())}, nil
		}
		return run.Result{}, errors.New("not expected: " + line)
	})
}

type runs func(run.Command) (run.Result, error)

func (f runs) Run(_ context.Context, c run.Command) (run.Result, error) { return f(c) }

func (b *bench) text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.root, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func newGrowing(t *testing.T) *growing {
	t.Helper()
	g := &growing{t: t, b: ready(t, nil), new: newBench(t, nil), running: 4, journal: map[string]int{"/gfs": 3, "/vz": 3}}
	for _, b := range []*bench{g.b, g.new} {
		for _, p := range []string{"ccs_tool", "gfs2_tool", "gfs_tool", "gfs2_jadd", "gfs_jadd", "ssh", "iscsiadm", "iscsi-iname", "modprobe", "vzctl"} {
			b.write(t, "usr/sbin/"+p, "#!/bin/false\n")
			if err := os.Chmod(filepath.Join(b.root, "usr/sbin", p), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		b.write(t, "proc/modules", "dlm 1 0 - Live 0x0\n")
		b.world.run = g.runner(b)
	}
	g.b.write(t, "proc/mounts", "/dev/vg/a /gfs gfs2 rw 0 0\n/dev/vg/b /vz gfs rw 0 0\n/dev/sda /tmp ext3 rw 0 0\n")
	g.b.write(t, "proc/modules", "gfs2 1 0 - Live 0x0\ndlm 1 0 - Live 0x0\next3 1 0\n")
	g.b.write(t, "etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1994-05.com.redhat:xen1\n")
	// A copied machine: the same iSCSI name, no cluster.conf.
	g.new.write(t, "etc/hostname", newcomer+"\n")
	g.new.write(t, "etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1994-05.com.redhat:xen1\n")
	g.new.write(t, "proc/mounts", "")
	if err := errors.Join(os.Remove(filepath.Join(g.new.root, "etc/cluster/cluster.conf")), os.MkdirAll(filepath.Join(g.new.root, "etc/vz/conf"), 0o755)); err != nil {
		t.Fatal(err)
	}
	// A container that was taken in before.
	plan, err := json.Marshal(adopt.Plan{Format: 1, Type: "openvz", VM: "123", Member: "xen1.01100011.com", Root: "/vz/root/123",
		Links: []adopt.Link{{Path: "/etc/vz/conf/123.conf", To: "/gfs/openvz/conf/123.conf"}}})
	if err != nil {
		t.Fatal(err)
	}
	g.b.write(t, "gfs/lbvm/adopted/openvz-123/plan", string(plan))
	g.b.write(t, "gfs/openvz/conf/123.conf", "ONBOOT=\"no\"\n")
	return g
}

// add runs lbm node add on the first node.
func (g *growing) add(args ...string) int {
	g.calls = nil
	return g.b.lbm(append([]string{"node", "add", "--no-wait"}, append(args, newcomer)...)...)
}

// comesUp is what a person does: the services of the new node run, and the share is mounted.
func (g *growing) comesUp() {
	g.t.Helper()
	g.came = true
	if err := os.RemoveAll(filepath.Join(g.new.root, "gfs")); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(g.b.root, "gfs"), filepath.Join(g.new.root, "gfs")); err != nil {
		g.t.Fatal(err)
	}
}

// whole looks whether the node has all that it needs, and each thing was done once.
func (g *growing) whole() {
	t := g.t
	t.Helper()
	own, theirs := g.b.text(t, "etc/cluster/cluster.conf"), g.new.text(t, "etc/cluster/cluster.conf")
	d, err := ccs.Parse("", []byte(own))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := d.Version(); err != nil || v != 5 || g.running != 5 || own != theirs || strings.Count(own, newcomer) != 1 {
		t.Errorf("version %d, the cluster runs with %d, %v; there is\n%s", v, g.running, err, theirs)
	}
	if g.journal["/gfs"] != 4 || g.journal["/vz"] != 4 {
		t.Errorf("journals: %v", g.journal)
	}
	if text := g.new.text(t, "etc/iscsi/initiatorname.iscsi"); text != "InitiatorName=iqn.1994-05.com.redhat:fresh\n" {
		t.Errorf("iSCSI name: %q", text)
	}
	if text := g.new.text(t, "proc/modules"); strings.Count(text, "gfs2") != 1 || strings.Contains(text, "ext3") {
		t.Errorf("modules: %q", text)
	}
	if id, err := g.new.host.Identity(); err != nil || id.Member != newcomer || id.Shared != "/gfs" {
		t.Errorf("%+v, %v", id, err)
	}
	if to, err := os.Readlink(filepath.Join(g.new.root, "etc/vz/conf/123.conf")); err != nil || !strings.HasSuffix(to, "/gfs/openvz/conf/123.conf") {
		t.Errorf("the container's link leads to %q, %v", to, err)
	}
}

func TestNodeAdd(t *testing.T) {
	g := newGrowing(t)
	if code := g.add("--dry-run"); code != 0 || len(g.calls) != 0 {
		t.Fatalf("a dry run: %d, %q, %s", code, g.calls, g.b.errors.String())
	}
	for _, want := range []string{"journals of /gfs ", "gfs2_jadd -j 1 /gfs (it has 3, and there will be 4 nodes)", "gfs_jadd -j 1 /vz", `+    <clusternode name="xen4.01100011.com" nodeid="4"`,
		"a new one by iscsi-iname", "modprobe gfs2", "service cman start", "/gfs is not mounted there yet", "lbm add --join openvz:123"} {
		if !strings.Contains(g.b.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, g.b.out.String())
		}
	}
	g.b.stdin = strings.NewReader("no\n")
	if code := g.add(); code != exitRefused || len(g.calls) != 0 {
		t.Errorf("not confirmed: %d, %q", code, g.calls)
	}
	g.b.stdin = strings.NewReader(newcomer + "\n")
	if code := g.add(); code != exitPartly {
		t.Fatalf("%d %s%s", code, g.b.out.String(), g.b.errors.String())
	}
	want := []string{"gfs2_jadd -j 1 /gfs", "gfs_jadd -j 1 /vz", "ccs_tool update " + g.b.root + "/etc/cluster/cluster.conf", "iscsi-iname", "modprobe gfs2"}
	if !slices.Equal(g.calls, want) {
		t.Errorf("it called %q", g.calls)
	}
	for _, want := range []string{"it is waited for to its end, also after a Ctrl-C", "left to do:", "services: service iscsi start; service cman start; service gfs2 start; service gfs start;", "then: lbm node add " + newcomer} {
		if !strings.Contains(g.b.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, g.b.out.String())
		}
	}
	if code := g.add("--yes"); code != exitPartly || len(g.calls) != 0 {
		t.Errorf("again: %d, it called %q: %s", code, g.calls, g.b.errors.String())
	}
	g.comesUp()
	if code := g.add("--yes"); code != 0 || len(g.calls) != 0 || !strings.Contains(g.b.out.String(), "nothing is left to do") {
		t.Errorf("when it has come up: %d, it called %q: %s%s", code, g.calls, g.b.out.String(), g.b.errors.String())
	}
	g.whole()
	if code := g.add("--yes"); code != 0 || len(g.calls) != 0 {
		t.Errorf("when all is done: %d, it called %q: %s%s", code, g.calls, g.b.out.String(), g.b.errors.String())
	}
}

// Whichever step fails, a second run goes on there and nothing is done twice.
func TestNodeAddGoesOn(t *testing.T) {
	for _, fails := range []string{"gfs2_jadd", "gfs_jadd", "ccs_tool", "iscsi-iname", "modprobe", "--initiator", "--module", "--cluster-conf", "lbm init", "add --join"} {
		t.Run(fails, func(t *testing.T) {
			g := newGrowing(t)
			g.fails = fails
			first := g.add("--yes")
			g.comesUp()
			if fails == "lbm init" || fails == "add --join" {
				first = g.add("--yes")
			}
			if fails == "modprobe" { // it may be built in: told, and no failure
				if first != exitPartly || !strings.Contains(g.b.out.String(), "not: gfs2") {
					t.Errorf("%d %s%s", first, g.b.out.String(), g.b.errors.String())
				}
			} else if first == 0 || first == exitPartly || g.b.errors.Len() == 0 {
				t.Errorf("it failed with %d: %s%s", first, g.b.out.String(), g.b.errors.String())
			}
			if g.fails != "" {
				t.Fatal("the fault did not come to pass")
			}
			if fails == "modprobe" {
				return
			}
			g.came = false // a new node takes its modules and its file before it is a member
			if code := g.add("--yes"); code != exitPartly {
				t.Errorf("the second run: %d %s%s", code, g.b.out.String(), g.b.errors.String())
			}
			g.came = true
			if code := g.add("--yes"); code != 0 {
				t.Errorf("the last run: %d %s%s", code, g.b.out.String(), g.b.errors.String())
			}
			g.whole()
		})
	}
}

// The sessions of a member carry its file systems and guests: its iSCSI name is for a person to change.
func TestNodeAddLeavesTheNameOfAMember(t *testing.T) {
	const name = "InitiatorName=iqn.1994-05.com.redhat:xen1\n"
	for _, ssh := range []bool{true, false} {
		for _, manager := range []string{`rgmanager="1"`, `rgmanager="0"`} {
			g := newGrowing(t)
			g.comesUp()
			g.noSSH = !ssh
			plain := g.b.world.run
			g.b.world.run = runs(func(c run.Command) (run.Result, error) {
				r, err := plain.Run(context.Background(), c)
				r.Stdout = []byte(strings.ReplaceAll(string(r.Stdout), `name="xen4.01100011.com" state="1" local="0" estranged="0" rgmanager="1"`, `name="xen4.01100011.com" state="1" local="0" estranged="0" `+manager))
				return r, err
			})
			if code := g.add("--yes"); code != exitPartly || slices.Contains(g.calls, "iscsi-iname") {
				t.Errorf("ssh %v, %s: %d, it called %q: %s", ssh, manager, code, g.calls, g.b.errors.String())
			}
			if text := g.new.text(t, "etc/iscsi/initiatorname.iscsi"); text != name {
				t.Errorf("ssh %v, %s: the name is %q now", ssh, manager, text)
			}
			if out := g.b.out.String(); !strings.Contains(out, "iSCSI name: ") || !strings.Contains(out, "lbm evacuate "+newcomer+"; there stop rgmanager") {
				t.Errorf("ssh %v, %s: it says\n%s", ssh, manager, out)
			}
		}
	}
}

func TestNodeAddWithoutSSH(t *testing.T) {
	g := newGrowing(t)
	g.noSSH = true
	if code := g.add("--yes"); code != exitPartly || !slices.Equal(g.calls, []string{"gfs2_jadd -j 1 /gfs", "gfs_jadd -j 1 /vz", "ccs_tool update " + g.b.root + "/etc/cluster/cluster.conf"}) {
		t.Errorf("%d %q %s", code, g.calls, g.b.errors.String())
	}
	for _, want := range []string{"another than iqn.1994-05.com.redhat:xen1: echo InitiatorName=$(iscsi-iname)", "modprobe -a dlm gfs2", "scp xen1.01100011.com:/etc/cluster/cluster.conf",
		"lbm init --shared /gfs --join --member " + newcomer, "lbm add --join openvz:123"} {
		if !strings.Contains(g.b.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, g.b.out.String())
		}
	}
	if !strings.Contains(g.b.errors.String(), "Permission denied") {
		t.Error(g.b.errors.String())
	}
}

func TestNodeAddRefuses(t *testing.T) {
	for _, x := range []struct {
		name string
		args []string
		do   func(*growing)
		code int
		says string
	}{
		{"no name", []string{"node", "add"}, nil, exitUsage, "needs the name"},
		{"not a name", []string{"node", "add", "../x"}, nil, exitUsage, "not a valid name"},
		{"a bad option", []string{"node", "add", newcomer, "--fence", "apc,port"}, nil, exitUsage, "KEY=VALUE"},
		{"no such device", []string{"node", "add", newcomer, "--yes", "--fence", "apc,port=1"}, nil, exitRefused, `no fence device "apc"`},
		{"a nodeid that is taken", []string{"node", "add", newcomer, "--yes", "--nodeid", "2"}, nil, exitRefused, "nodeid 2 belongs to"},
		{"this node", []string{"node", "add", "xen1.01100011.com"}, nil, exitRefused, "is this node"},
		{"the share is away", []string{"node", "add", newcomer, "--yes"}, func(g *growing) {
			if err := os.Remove(filepath.Join(g.b.root, "gfs/lbvm/cluster")); err != nil {
				g.t.Fatal(err)
			}
		}, exitRefused, host.ErrNoMarker.Error()},
	} {
		t.Run(x.name, func(t *testing.T) {
			g := newGrowing(t)
			if x.do != nil {
				x.do(g)
			}
			if code := g.b.lbm(x.args...); code != x.code || !strings.Contains(g.b.errors.String(), x.says) || len(g.calls) != 0 {
				t.Errorf("%d %q %s", code, g.calls, g.b.errors.String())
			}
		})
	}
}

// What a new node does with the file that it is sent.
func TestNodePrepareClusterConf(t *testing.T) {
	g := newGrowing(t)
	send := func(text string) (int, string) {
		g.new.stdin = strings.NewReader(text)
		code := g.new.lbm("node", "prepare", "--cluster-conf", newcomer)
		return code, g.new.out.String() + g.new.errors.String()
	}
	good := strings.Replace(clusterConf, "xen3", "xen4", 1)
	for _, x := range []struct {
		name, text string
		code       int
		says       string
	}{
		{"not named", clusterConf, exitRefused, "has no clusternode"},
		{"half a file", good[:200], exitRefused, "nothing was changed"},
		{"an element without its name", strings.Replace(good, `<service name="web">`, "<service>", 1), exitRefused, "nothing was changed"},
		{"good", good, 0, "is in place"},
		{"the same", good, 0, "was in place"},
		{"an older one", strings.Replace(good, `"3"`, `"2"`, 1), exitRefused, "has version 3"},
		{"of another cluster", strings.Replace(good, `name="xen"`, `name="other"`, 1), exitRefused, `of the cluster "xen"`},
		{"a newer one", strings.Replace(good, `config_version="3"`, `config_version="4"`, 1), 0, "is in place"},
	} {
		before := g.new.text(t, "etc/cluster/cluster.conf")
		code, said := send(x.text)
		if code != x.code || !strings.Contains(said, x.says) {
			t.Errorf("%s: %d %s", x.name, code, said)
		}
		if after := g.new.text(t, "etc/cluster/cluster.conf"); code != 0 && after != before {
			t.Errorf("%s: it was changed", x.name)
		}
	}
	if g.new.text(t, "etc/cluster/cluster.conf.lbvm-3") != good {
		t.Error("the file before was not kept")
	}
}
