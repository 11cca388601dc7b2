package rgmanager

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// captured is the cluster that the captured texts of clustat show.
func captured() clustatView {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	v := clustatView{cluster: "lbvm", id: 4660, generation: 148, now: time.Date(2026, 11, 21, 1, 27, 39, 0, time.UTC), quorate: true, local: true,
		nodes: []clustatNode{{"node1", 1, true, true, true}, {"node2", 2, true, false, true}, {"node3", 3, false, false, false}},
		groups: []clustatGroup{
			{"openvz:101", groupState{state: disabled, last: "node1", since: at(1290000200)}},
			{"openvz:102", groupState{state: failed, last: "node2", since: at(1290000300)}},
			{"service:svc1", groupState{state: started, owner: "node1", since: at(1290000000)}},
			{"service:web", groupState{state: stopped, last: "node1", since: at(0)}},
			{"vm:guest1", groupState{state: started, owner: "node2", last: "node1", frozen: true, restarts: 2, since: at(1290000100)}},
			{"vm:rec", groupState{state: recovering, last: "node2", restarts: 1, since: at(1290000500)}},
		}}
	return v
}

// TestClustatTexts compares with what the real program printed, but for a partial service, which the lab has not.
func TestClustatTexts(t *testing.T) {
	v := captured()
	part := regexp.MustCompile(`(?m)^.*service:part.*\n`)
	partLong := regexp.MustCompile(`(?s)Service Name      : service:part\n.*?\n\n`)
	for file, got := range map[string]string{
		"clustat.txt":   v.header() + v.members() + "\n" + v.services(false),
		"clustat-l.txt": v.header() + v.members() + "\n" + v.services(true),
		"clustat-x.xml": v.xml("", ""),
	} {
		b, err := os.ReadFile("testdata/captured/" + file)
		if err != nil {
			t.Fatal(err)
		}
		want := string(b)
		if file == "clustat-l.txt" {
			want = partLong.ReplaceAllString(want, "")
		} else {
			want = part.ReplaceAllString(want, "")
		}
		if got != want {
			t.Errorf("%s: printed\n%s\nwanted\n%s", file, got, want)
		}
	}
}

// TestClusvcadmResults compares every result's text and exit code with the captured ones.
func TestClusvcadmResults(t *testing.T) {
	b, err := os.ReadFile("testdata/captured/clusvcadm-returns.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := regexp.MustCompile(`CLUSVCADM_RET=(-?\d+) .*\nTrying to relocate vm:101 to node2\.\.\.(.*)\n(?:.*\n)?\[rc=(\d+)\]`).FindAllStringSubmatch(string(b), -1)
	if len(cases) < 18 {
		t.Fatalf("found only %d results", len(cases))
	}
	for _, c := range cases {
		ret, err1 := strconv.Atoi(c[1])
		rc, err2 := strconv.Atoi(c[3])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got := resultText(ret); got != c[2] {
			t.Errorf("%d: %q, wanted %q", ret, got, c[2])
		}
		if got := exitCode(ret); got != rc {
			t.Errorf("%d: rc %d, wanted %d", ret, got, rc)
		}
	}
}

func TestClustat(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service><service name="off" autostart="0"><plain name="y"/></service>`)
	r := b.tool("node2", "clustat", "-x")
	var doc struct {
		Nodes []struct {
			Name  string `xml:"name,attr"`
			Local int    `xml:"local,attr"`
		} `xml:"nodes>node"`
		Groups []struct {
			Name  string `xml:"name,attr"`
			Owner string `xml:"owner,attr"`
			State string `xml:"state_str,attr"`
		} `xml:"groups>group"`
	}
	if err := xml.Unmarshal(r.Stdout, &doc); err != nil {
		t.Fatalf("%v in\n%s", err, r.Stdout)
	}
	if fmt.Sprint(doc) != "{[{node1 0} {node2 1} {node3 0}] [{service:off none disabled} {service:s node1 started}]}" {
		t.Errorf("clustat -x says %v", doc)
	}
	for argv, rc := range map[string]int{"clustat": 0, "clustat -s s": 0, "clustat -s off": 119, "clustat -s none": 255, "clustat -x -s none": 0,
		"clustat -m node2": 0, "clustat -m none": 255, "clustat -Q": 0, "clustat -y": 1} {
		if r := b.tool("node1", strings.Fields(argv)...); r.Code != rc {
			t.Errorf("%s: rc %d, wanted %d", argv, r.Code, rc)
		}
	}
}

func TestClusvcadm(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	b.calls()
	b.wantTool("node3", "clusvcadm -e s", 0, "Local machine trying to enable service:s...Service is already running\n")
	b.wantTool("node3", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n")
	b.wantTool("node3", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n")
	b.wantTool("node3", "clusvcadm -R s", 248, "Local machine trying to restart service:s...Invalid operation for resource\n")
	b.wantTool("node3", "clusvcadm -e s", 0, "Local machine trying to enable service:s...Success\nservice:s is now running on node3\n")
	b.wantTool("node3", "clusvcadm -s s", 0, "Local machine stopping service:s...Success\n")
	b.wantState("service:s", "stopped none")
	b.wantTool("node3", "clusvcadm -e s -m node2", 0, "Member node2 trying to enable service:s...Success\nservice:s is now running on node2\n")
	b.wantTool("node3", "clusvcadm -R s", 0, "Local machine trying to restart service:s...Success\n")
	b.wantTool("node1", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n")
	b.wantTool("node3", "clusvcadm -e s -F", 0, "Local machine trying to enable service:s...Success\nservice:s is now running on node1\n")
	b.wantTool("node3", "clusvcadm -e s -F -m node1", 1, "Cannot specify a member when using -F\n")
	b.wantCalls("node1 stop plain:x", "node3 start plain:x", "node3 stop plain:x", "node2 start plain:x", "node2 stop plain:x", "node2 start plain:x",
		"node2 stop plain:x", "node1 start plain:x")
	b.wantTool("node3", "clusvcadm -S", 0, "Resource groups unlocked\n")
	b.wantTool("node3", "clusvcadm -l", 0, "Resource groups locked\n")
	b.wantTool("node3", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n")
	b.wantTool("node3", "clusvcadm -e s", 250, "Local machine trying to enable service:s...Temporary failure; try again\n")
	b.wantTool("node3", "clusvcadm -u", 0, "Resource groups unlocked\n")
	b.answers(1, "start", "plain:x", "node3")
	b.wantTool("node3", "clusvcadm -e s", 0, "Local machine trying to enable service:s...Success\nWarning: service:s is now running on node1\n")
	if r := b.tool("node1", "clusvcadm"); r.Code != 1 || !strings.HasPrefix(string(r.Stdout), "usage: ") {
		t.Errorf("without arguments: %d %s", r.Code, r.Stdout)
	}
	if r := b.tool("node1", "clusvcadm", "-q", "-d", "s"); r.Code != 0 || len(r.Stdout) > 0 {
		t.Errorf("-q printed %q", r.Stdout)
	}
}

func TestCmanTool(t *testing.T) {
	b := up(t, "")
	b.wantTool("node2", "cman_tool nodes", 0, `Node  Sts   Inc   Joined               Name
   1   M      2   2010-11-17 13:00:00  node1
   2   M      3   2010-11-17 13:00:00  node2
   3   M      4   2010-11-17 13:00:00  node3
`)
	b.wantTool("node2", "cman_tool nodes -F id,name,type -n node3", 0, "3 node3 M \n")
	b.wantTool("node2", "cman_tool version", 0, "6.2.0 config 1\n")
	b.wantTool("node2", "cman_tool status", 0, `Version: 6.2.0
Config Version: 1
Cluster Name: lbvm
Cluster Id: 1601
Cluster Member: Yes
Cluster Generation: 4
Membership state: Cluster-Member
Nodes: 3
Expected votes: 3
Total votes: 3
Node votes: 1
Quorum: 2  
Active subsystems: 8
Flags: 
Ports Bound: 0 177  
Node name: node2
Node ID: 2
Multicast addresses: 239.192.6.65 
Node addresses: 192.168.100.2 
`)
}

// update writes a new configuration on node1 and publishes it.
func (b *bench) update(version int, rm string) {
	b.Helper()
	path := filepath.Join(b.l.Root("node1"), "new.conf")
	b.write(path, conf(version, rm), 0o644)
	b.wantTool("node1", "ccs_tool update new.conf", 0, fmt.Sprintf("Config file updated from version %d to %d\n\nUpdate complete.\n", version-1, version))
	b.settle()
}

func TestUpdateTexts(t *testing.T) {
	b := up(t, "")
	dir := b.l.Root("node1")
	b.write(filepath.Join(dir, "old.conf"), conf(1, ""), 0o644)
	b.write(filepath.Join(dir, "bad.conf"), "<cluster", 0o644)
	b.write(filepath.Join(dir, "other.conf"), strings.Replace(conf(2, ""), `"lbvm"`, `"x"`, 1), 0o644)
	b.wantTool("node1", "ccs_tool update old.conf", 1, "Proposed updated config file does not have greater version number.\n  Current config_version :: 1\n  Proposed config_version:: 1\n\nFailed to update config file.\n\n")
	for _, f := range []string{"bad.conf", "none.conf", "other.conf"} {
		if r := b.tool("node1", "ccs_tool", "update", f); r.Code != 1 {
			t.Errorf("%s: rc %d, %s%s", f, r.Code, r.Stdout, r.Stderr)
		}
	}
	b.update(2, "")
	for _, n := range b.m.nodes {
		c, err := readConfigurationFile(n.confFile())
		if err != nil || c.version != 2 {
			t.Errorf("%s has version %d, %v", n.name, c.version, err)
		}
	}
	b.wantTool("node2", "cman_tool version -r", 1, "cman_tool: Not reloading, config version older or equal the running config\n")
	b.write(b.m.node("node2").confFile(), conf(5, ""), 0o644)
	b.wantTool("node2", "cman_tool version -r 5", 0, "")
	b.wantTool("node1", "cman_tool version", 0, "6.2.0 config 5\n")
	// The node's own path names its file, too.
	b.write(b.m.node("node3").confFile(), conf(6, ""), 0o644)
	b.wantTool("node3", "ccs_tool update /etc/cluster/cluster.conf", 0, "Config file updated from version 5 to 6\n\nUpdate complete.\n")
}

func TestReconfiguration(t *testing.T) {
	base := three + `<service name="s" domain="p1"><plain name="x"/><plain name="y"/></service>`
	t.Run("a new group", func(t *testing.T) {
		b := up(t, base)
		b.calls()
		b.update(2, base+`<service name="new" domain="p1"><guest name="101"/></service>`)
		got := b.calls()
		if n := len(got); n != 4 || got[n-1] != "node1 start guest:101" {
			t.Fatalf("agents were called: %q", got)
		}
		slices.Sort(got)
		if want := []string{"node1 start guest:101", "node1 stop guest:101", "node2 stop guest:101", "node3 stop guest:101"}; !slices.Equal(got, want) {
			t.Errorf("agents were called: %q, wanted %q", got, want)
		}
		b.wantState("service:new", "started node1")
	})
	t.Run("a new guest at top level is not stopped", func(t *testing.T) {
		b := up(t, base)
		b.calls()
		b.answers(0, "status", "guest:v", "node2")
		b.update(2, base+`<guest name="v" domain="p1"/>`)
		b.wantCalls("node2 status guest:v") // found where somebody had started it
		b.wantState("guest:v", "started node2")
	})
	t.Run("a removed group", func(t *testing.T) {
		b := up(t, base+`<service name="old" domain="p1"><guest name="101"/></service><guest name="v" domain="p1"/>`)
		b.calls()
		b.update(2, base)
		b.wantCalls("node1 stop guest:101") // and not guest:v, which outlives its entry
		if len(b.m.Status().Services) != 1 {
			t.Errorf("left: %+v", b.m.Status().Services)
		}
	})
	t.Run("an element without its name ends the list", func(t *testing.T) {
		b := up(t, base+`<service name="z" domain="p1"><plain name="z"/></service>`)
		b.calls()
		b.update(2, base+`<service/><service name="z" domain="p1"><plain name="z"/></service>`)
		b.wantCalls("node1 stop plain:z")
	})
	t.Run("values", func(t *testing.T) {
		b := up(t, base)
		b.calls()
		b.update(2, strings.Replace(base, `<plain name="x"/>`, `<plain name="x" recovery="relocate"/>`, 1))
		b.wantCalls("node1 reconfig plain:x")
		b.update(3, strings.Replace(base, `<plain name="x"/>`, `<plain name="x" max_restarts="3"/>`, 1))
		b.wantCalls("node1 stop plain:x", "node1 start plain:x")
		b.update(4, strings.Replace(base, `<plain name="x"/>`, `<plain name="w"/>`, 1))
		b.wantCalls("node1 stop plain:x", "node1 start plain:w")
		b.update(5, strings.Replace(base, `name="s" domain="p1"`, `name="s" domain="back2"`, 1))
		b.wantCalls("node1 stop plain:w", "node1 start plain:x")
		b.wantState("service:s", "started node1")
	})
	t.Run("a group that changes as a whole ends as one that is removed and begins as one that is new", func(t *testing.T) {
		b := up(t, base)
		b.wantTool("node1", "clusvcadm -r s -m node2", 0, "Trying to relocate service:s to node2...Success\nservice:s is now running on node2\n")
		b.calls()
		b.update(2, strings.Replace(base, `<service name="s"`, `<service name="s" priority="1"`, 1))
		got := b.calls()
		if want := []string{"node2 stop plain:y", "node2 stop plain:x"}; len(got) != 10 || !slices.Equal(got[:2], want) {
			t.Errorf("agents were called: %q, wanted first %q, then two stops on each node and two starts", got, want)
		}
		if want := []string{"node1 start plain:x", "node1 start plain:y"}; len(got) == 10 && !slices.Equal(got[8:], want) {
			t.Errorf("agents were called: %q, wanted last %q", got, want)
		}
		b.wantState("service:s", "started node1")
	})
	t.Run("a value for reconfig that comes is a change as a whole, and forgets that it was disabled", func(t *testing.T) {
		b := up(t, strings.Replace(base, ` domain="p1"`, "", 1))
		b.wantTool("node1", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n")
		b.calls()
		b.update(2, base)
		b.wantState("service:s", "started node1")
		if got := b.calls(); len(got) != 8 { // two stops on each node, two starts
			t.Errorf("agents were called: %q", got)
		}
	})
	t.Run("a guest at top level that changes is not stopped but looked for", func(t *testing.T) {
		b := up(t, base+`<guest name="v" domain="p1"/>`)
		b.calls()
		b.answers(0, "status", "guest:v", "node1")
		b.update(2, base+`<guest name="v" domain="p1" max_restarts="1"/>`)
		for _, call := range b.calls() {
			if strings.Contains(call, " stop ") {
				t.Errorf("agents were called: %q", call)
			}
		}
		b.wantState("guest:v", "started node1")
	})
	t.Run("a node that was down gets the file when it joins", func(t *testing.T) {
		b := up(t, base)
		b.kill("node3")
		b.update(2, base+`<service name="new" domain="p1"><plain name="n"/></service>`)
		b.calls()
		b.start("node3")
		if !slices.Contains(b.calls(), "node3 stop plain:n") {
			t.Error("the new group was not stopped on the node that came back")
		}
	})
	t.Run("new agents are found", func(t *testing.T) {
		b := up(t, base+`<service name="late" domain="p1"><fresh name="f"/></service>`)
		for _, n := range b.m.nodes {
			b.agent(n.name, "fresh.sh", strings.ReplaceAll(plainXML(), `"plain"`, `"fresh"`))
		}
		b.calls()
		b.update(2, base+`<service name="late" domain="p1"><fresh name="f"/></service>`)
		b.wantCalls("node1 start fresh:f")
	})
}

func TestCron(t *testing.T) {
	b := up(t, "")
	n := b.m.node("node1")
	job := filepath.Join(n.root, cronJob)
	if err := os.MkdirAll(filepath.Dir(job), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write(job, "#!/bin/sh\n/usr/bin/tr '\\0' '\\n' < /proc/$$/environ > "+b.l.Path("cron")+"\n", 0o755)
	b.m.spawnLoop(b.m.cronLoop)
	b.sleepers(1)
	b.clk.Advance(time.Minute)
	b.sleepers(1) // it has gone round
	b.await("the job", func() bool {
		return strings.Contains(b.log.String(), "event=cron node=node1 job=lblog code=0") || b.tick()
	})
	got, err := os.ReadFile(b.l.Path("cron"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "SHELL=/bin/sh\nPATH=/usr/bin:/bin\nLOGNAME=root\nUSER=root\nHOME=/root\nLBVM_ROOT=" + n.root + "\n"; string(got) != want {
		t.Errorf("the job saw\n%swanted\n%s", got, want)
	}
}

// tick lets await ask again: what it waits for is in the log, which wakes nobody.
func (b *bench) tick() bool {
	time.AfterFunc(5*time.Millisecond, func() { b.m.update(func() {}) })
	return false
}

func TestLabCommands(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	if !b.m.Status().Settled {
		t.Errorf("not settled: %+v", b.m.Status())
	}
	for argv, want := range map[string]string{
		"node kill none":   `no node is named "none": this lab has node1, node2, node3`,
		"node start node1": "wrong state of the node: node1 is up already",
		"node eat node1":   "a node can be killed, started, or leave",
		"dance":            `the manager does not know the command ["dance"]`,
	} {
		if r := b.tool("", strings.Fields(argv)...); r.Code != 1 || string(r.Stderr) != want+"\n" {
			t.Errorf("%s: rc %d, %q, wanted %q", argv, r.Code, r.Stderr, want)
		}
	}
	b.calls()
	if r := b.tool("", "stop", "clean"); r.Code != 0 {
		t.Errorf("stop: %s", r.Stderr)
	}
	b.wantCalls("node1 stop plain:x")
	b.wantState("service:s", "stopped none")
}
