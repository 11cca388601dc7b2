package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// soleNode is a cluster of one node that runs what is published, and starts it.
type soleNode struct {
	b       *bench
	running uint64
	state   string // of service:123, once it is published
	refuse  bool   // ccs_tool does
	silent  bool   // the manager says nothing of it
}

func (s *soleNode) Run(_ context.Context, c run.Command) (run.Result, error) {
	switch name := filepath.Base(c.Argv[0]); name {
	case "cman_tool":
		return run.Result{Stdout: []byte(fmt.Sprintf("6.2.0 config %d\n", s.running))}, nil
	case "ccs_tool":
		if s.refuse {
			return run.Result{Code: 1, Stderr: []byte("Failed to receive COMM_UPDATE acknowledgement from ccsd.\n")}, nil
		}
		doc, err := ccs.Load(s.b.host.Path(host.ClusterXML))
		if err != nil {
			return run.Result{}, err
		}
		s.running, err = doc.Version()
		return run.Result{Stdout: []byte("Update complete.\n")}, err
	case "vzctl":
		return run.Result{Stdout: []byte("CTID 123 exist unmounted down\n")}, nil
	case "clustat":
		group := func(name, state string) string {
			return fmt.Sprintf(`<group name="service:%s" state="%d" state_str=%q flags="0" flags_str="" owner="xen1.01100011.com" last_owner="none" restarts="0" last_transition="1290000000" last_transition_str=""/>`, name, map[string]int{"started": 112, "disabled": 119}[state], state)
		}
		groups := group("web", "started")
		if s.running > 3 && !s.silent {
			groups += group("123", s.state)
		}
		return run.Result{Stdout: []byte(`<?xml version="1.0"?><clustat version="4.1.1"><cluster name="xen" id="4660" generation="148"/><quorum quorate="1" groupmember="1"/>` +
			`<nodes><node name="xen1.01100011.com" state="1" local="1" estranged="0" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x00000001"/></nodes><groups>` + groups + `</groups></clustat>`)}, nil
	}
	return run.Result{}, errors.New("not expected: " + strings.Join(c.Argv, " "))
}

// soleBench has a container of its own, 123, that is to be taken in.
func soleBench(t *testing.T) (*bench, *soleNode) {
	t.Helper()
	b := newBench(t, nil)
	s := &soleNode{b: b, running: 3, state: "started"}
	b.run = s
	const id = "cluster=xen\nuuid=11111111-2222-4333-8444-555555555555\n"
	for name, text := range map[string]string{
		"etc/cluster/cluster.conf": `<?xml version="1.0"?>` + "\n" + `<cluster name="xen" config_version="3"><clusternodes><clusternode name="xen1.01100011.com" nodeid="1"/></clusternodes>` + "\n<rm>\n" + `  <service name="web"><openvz name="101"/></service>` + "\n</rm></cluster>\n",
		"etc/cluster/lbvm.id":      "format=1\n" + id + "member=xen1.01100011.com\nshared=/gfs\nlogdir=/gfs/lbvm/log\n",
		"gfs/lbvm/cluster":         "format=1\n" + id,
		"etc/cluster/lbvm.conf":    "balance 101; # more to come\nlogdir /gfs/lbvm/log;\n",
		"gfs/lbvm/log/keep":        "", "gfs/lbvm/nodes/keep": "", "gfs/lbvm/handoff/keep": "", "gfs/lbvm/lock/keep": "", "proc/mounts": "", "vz/root/keep": "",
		"gfs/private/123/etc/fstab": "none\n",
		"etc/vz/vz.conf":            "LOCKDIR=/var/lib/vzctl/lock\n",
		"etc/vz/conf/123.conf":      "ONBOOT=\"yes\"\nVE_ROOT=\"/vz/root/$VEID\"\nVE_PRIVATE=\"/gfs/private/$VEID\"\n",
		"usr/sbin/vzctl":            "#!/bin/false\n", "usr/sbin/ccs_tool": "#!/bin/false\n",
	} {
		b.write(t, name, text)
	}
	for _, p := range []string{"vzctl", "ccs_tool"} {
		if err := os.Chmod(filepath.Join(b.root, "usr/sbin", p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b, s
}

var errCut = errors.New("killed by the test")

// cut gives an Adopter that ends at a point, as a kill would end it.
func (b *bench) cut(t *testing.T, at string) adopt.Adopter {
	t.Helper()
	c := cli.NewContext(b.app(), flag.NewFlagSet("add", flag.ContinueOnError), nil)
	c.Context = context.Background()
	a, err := b.adopter(c)
	if err != nil {
		t.Fatal(err)
	}
	a.At = func(point string) error {
		if point == at {
			return errCut
		}
		return nil
	}
	return a
}

// says runs lbm and looks for each of parts in what it prints.
func (b *bench) says(t *testing.T, code int, args string, parts ...string) {
	t.Helper()
	got := b.lbm(strings.Fields(args)...)
	said := strings.Join(strings.Fields(b.out.String()+b.errors.String()), " ")
	for _, p := range parts {
		if got != code || !strings.Contains(said, p) {
			t.Errorf("lbm %s: %d, want %d, and it does not say %q:\n%s%s", args, got, code, p, b.out.String(), b.errors.String())
		}
	}
}

// An adoption that was cut off is named by whatever is asked, with the next command, and its resume does what the first call was asked for.
func TestAdoptionCutOff(t *testing.T) {
	b, s := soleBench(t)
	ctx := context.Background()
	a := b.cut(t, "lbvm.conf")
	p, err := a.Look(ctx, adopt.Request{Config: "/etc/vz/conf/123.conf"})
	if err != nil {
		t.Fatal(err)
	}
	p.Publish, p.Start = true, true
	if err := a.Add(ctx, p); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	const next = "unless it is at work: on xen1.01100011.com lbm add --resume openvz:123 goes on, lbm add --undo openvz:123 takes it back"
	const half = "its adoption on xen1.01100011.com has begun and is not finished: it has come to step switch"
	b.says(t, exitWarnings, "status", "warning openvz:123 "+half+", 0s ago "+next)
	b.says(t, 0, "list", "openvz:123: "+half, next)
	b.says(t, 0, "list -o json", `"unfinished": [ { "vm": "openvz:123", "kind": "adoption", "node": "xen1.01100011.com", "step": "switch", "since": "`, next)
	for _, command := range []string{"show 123", "migrate 123", "remove openvz:123", "why-down 123", "place 123", "restart 123", "repair 123"} {
		b.says(t, exitRefused, command, half, next, "nothing was changed")
	}
	b.says(t, exitRefused, "show 124", `there is no VM "124" in cluster.conf; nothing was changed`)
	b.says(t, 0, "add --resume", "this node runs with version 4", "openvz:123 runs on xen1.01100011.com")
	if s.running != 4 {
		t.Errorf("the cluster runs with version %d", s.running)
	}
	b.says(t, exitRefused, "add --resume", "no adoption is unfinished; lbm status tells whether cluster.conf is still to be published")
	b.says(t, exitRefused, "add --undo", "no adoption is unfinished; nothing was changed")
	b.says(t, 0, "list -o json", `"unfinished": []`)
}

// The same of a removal: it was asked to stop its service, and needs no --i-know for it.
func TestRemovalCutOff(t *testing.T) {
	b, s := soleBench(t)
	b.says(t, 0, "add --dry-run --update --start /etc/vz/conf/123.conf", "publish show what the new cluster.conf would start and stop, and give it to the cluster", "start see the cluster start openvz:123")
	b.says(t, 0, "add --yes --update --start /etc/vz/conf/123.conf", "openvz:123 runs on")
	s.state = "disabled"
	a := b.cut(t, "lbvm.conf")
	ctx := context.Background()
	p, err := a.LookRemoval(ctx, "openvz", "123")
	if err != nil {
		t.Fatal(err)
	}
	p.Publish = true
	if err := a.Remove(ctx, p); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if b.lbm("status"); strings.Contains(b.out.String(), "lbm place") {
		t.Errorf("a VM that is given back is to be placed:\n%s", b.out.String())
	}
	b.says(t, exitRefused, "remove --yes 123", "its removal on xen1.01100011.com has begun and is not finished: it has come to step cluster", "lbm add --resume openvz:123 goes on")
	b.says(t, exitWarnings, "status", "cluster.conf of this node has version 5, and the cluster runs with 4", "lbm ccs update publishes it", "its removal on xen1")
	b.says(t, 0, "add --resume 123", "/etc/vz/conf/123.conf is this node's own file now", "this node runs with version 5")
	if fi, err := os.Lstat(filepath.Join(b.root, "etc/vz/conf/123.conf")); s.running != 5 || err != nil || !fi.Mode().IsRegular() {
		t.Errorf("version %d, %v, %v", s.running, fi, err)
	}
}

// A publication that is refused, or fails, after the VM was taken in does not say that nothing was changed.
func TestPublicationRefusedAfterAnAdoption(t *testing.T) {
	b, _ := soleBench(t)
	b.runsWithConf(t)
	if code := b.lbm("ccs", "delete", "//service[@name='web']"); code != 0 {
		t.Fatal(b.errors.String())
	}
	const did = "changed so far: openvz:123 is taken in; the new cluster.conf of this node is not published: lbm ccs update does that"
	b.says(t, exitPartly, "add --yes --update /etc/vz/conf/123.conf", "this would stop service:web, which nobody asked for: say --i-know if it is meant; "+did)
	if strings.Contains(b.errors.String(), "nothing was changed") {
		t.Error(b.errors.String())
	}
	b.says(t, exitWarnings, "status", "cluster.conf of this node has version 5, and the cluster runs with 3")
	b, s := soleBench(t)
	s.refuse = true
	b.says(t, exitFailed, "add --yes --update --start /etc/vz/conf/123.conf", "COMM_UPDATE", did)
}

// What was never published can be given back as it is: the manager has no such service to disable. One that it runs with, and says nothing
// of, may be running.
func TestRemovalOfWhatWasNeverPublished(t *testing.T) {
	b, s := soleBench(t)
	b.runsWithConf(t)
	was := b.conf(t)
	b.says(t, 0, "add --yes /etc/vz/conf/123.conf", "close the journal ... done")
	s.silent, s.running = true, 4
	b.says(t, exitRefused, "remove --yes 123", "what service:123 does is not known: lbm why-down 123 says why; it is to be disabled first (clusvcadm -d service:123); nothing was changed")
	s.running = 3
	b.says(t, 0, "remove --yes 123", "/etc/vz/conf/123.conf is this node's own file now")
	if got := strings.Replace(b.conf(t), `config_version="5"`, `config_version="3"`, 1); got != was {
		t.Errorf("%s", got)
	}
	b.says(t, 0, "purge nosuch", `no originals of a VM "nosuch" are on this node`)
}

// On a node where the share is not mounted the cluster is told all the same, that first.
func TestStatusWithoutTheShare(t *testing.T) {
	b, _ := soleBench(t)
	if err := os.Remove(filepath.Join(b.root, "gfs/lbvm/cluster")); err != nil {
		t.Fatal(err)
	}
	b.says(t, exitFailed, "status", "WHAT TO DO error xen1.01100011.com the shared storage does not hold this cluster's marker (is it mounted?): "+b.root+"/gfs; below is what is known without it mount /gfs on this node; lbm doctor", "1 of 1 nodes up, 1 VM (1 started)")
	b.says(t, 0, "list -o json", `"handoff": null`, `"unfinished": null`)
	b.says(t, exitUnknown, "nodes", "is it mounted?", "this is what is known without it", "xen1.01100011.com online")
}

// An adoption that is taken back after somebody has published it leaves its service with the cluster, which is said.
func TestUndoOfWhatWasPublished(t *testing.T) {
	for _, publish := range []bool{true, false} {
		b, s := soleBench(t)
		doc, err := ccs.Load(b.host.Path(host.ClusterXML))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.keepPublished(doc); err != nil {
			t.Fatal(err)
		}
		s.state = "disabled"
		a := b.cut(t, "finish")
		p, err := a.Look(context.Background(), adopt.Request{Config: "/etc/vz/conf/123.conf"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Add(context.Background(), p); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if publish {
			b.says(t, 0, "ccs update", "this node runs with version 4")
		}
		b.says(t, 0, "add --undo 123", "openvz:123 is as it was before")
		if said := strings.Contains(b.out.String(), "the cluster still runs with service:123, which could start it: lbm ccs update --i-know takes it out"); said != publish {
			t.Errorf("published %v: %s", publish, b.out.String())
		}
		if publish {
			b.says(t, 0, "ccs update --i-know", "this node runs with version 5")
		}
	}
}

// runsWithConf keeps cluster.conf as what was published, and the cluster runs with.
func (b *bench) runsWithConf(t *testing.T) {
	t.Helper()
	doc, err := ccs.Load(b.host.Path(host.ClusterXML))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.keepPublished(doc); err != nil {
		t.Fatal(err)
	}
}
