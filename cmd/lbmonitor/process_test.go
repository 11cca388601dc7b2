package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/lbvmagent"
)

// asMonitor is argv[0] by which this test's program knows that it is to be lbmonitor.
const asMonitor = "lbmonitor-under-test"

func TestMain(m *testing.M) {
	if os.Args[0] == asMonitor {
		main()
		return
	}
	os.Exit(m.Run())
}

const clustat = `#!/bin/sh
# as rgmanager's clustat -x; the node below this root has no cat
printf '%s\n' '<?xml version="1.0"?>
<clustat version="4.1.1">
  <cluster name="test" id="1" generation="8"/>
  <quorum quorate="1" groupmember="1"/>
  <nodes>
    <node name="node1" state="1" local="1" estranged="0" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x00000001"/>
    <node name="node2" state="1" local="0" estranged="0" rgmanager="1" rgmanager_master="1" qdisk="0" nodeid="0x00000002"/>
  </nodes>
  <groups>
    <group name="openvz:101" state="112" state_str="started" flags="0" flags_str="" owner="node1" last_owner="none" restarts="0" last_transition="1195560000" last_transition_str="Tue Nov 20 13:20:00 2007"/>
  </groups>
</clustat>'
`

const clusterConf = `<?xml version="1.0"?>
<cluster name="test" config_version="7">
  <clusternodes><clusternode name="node1" nodeid="1"/><clusternode name="node2" nodeid="2"/></clusternodes>
  <rm><openvz name="101"/></rm>
</cluster>
`

// detached runs the program as the agent does: in a session of its own, with /dev/null on its descriptors and no
// environment but the root.
func (f *fixture) detached(args ...string) int {
	f.t.Helper()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{asMonitor}, args...), Env: []string{"LBVM_ROOT=" + f.root}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		f.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func TestTheProgram(t *testing.T) {
	f := newFixture(t)
	f.write("etc/cluster/cluster.conf", clusterConf)
	f.write("etc/cluster/lbvm.conf", strings.Replace(lbvmConf, "balance 101;", "balance 101, 201;", 1))
	f.write("etc/lbvm-clock", "real=1195646400000000000\nlab=1195646400000000000\nscale=1\n")
	record := func() lbvmagent.Record {
		b, err := os.ReadFile(f.w.host.Path(lbvmagent.RecordFile))
		if err != nil {
			t.Fatal(err)
		}
		r, err := lbvmagent.ParseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	// Without the cluster's programs: another node may have them.
	if code := f.detached(); code != exitFailed {
		t.Errorf("without clustat: exit code %d", code)
	}
	if r := record(); r.Outcome != lbvmagent.Failed || r.Cause != lbvmagent.CauseNode || r.Failures != 1 {
		t.Errorf("without clustat: record %+v", r)
	}
	log, err := os.ReadFile(filepath.Join(f.root, "var/log/messages"))
	if err != nil || !strings.Contains(string(log), "]: pass failed cause=node") {
		t.Errorf("log %q, %v", log, err)
	}
	if err := os.MkdirAll(filepath.Join(f.root, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.root, "usr/sbin/clustat"), []byte(clustat), 0o755); err != nil {
		t.Fatal(err)
	}
	// The samples are old by this clock: nothing moves, and the pass is good.
	if code := f.detached(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if r := record(); r.Outcome != lbvmagent.OK || r.Failures != 0 || !strings.Contains(r.Why, "201") {
		t.Errorf("record %+v", r)
	}
	passes, err := os.ReadFile(filepath.Join(f.root, "shared/lbvm/log/passes.log"))
	if err != nil || strings.Count(string(passes), "\n") != 1 || !strings.Contains(string(passes), `"vm":"openvz:101"`) || !strings.Contains(string(passes), `"verdict":"stay"`) {
		t.Errorf("passes.log %q, %v", passes, err)
	}
	if code := f.detached("--dry-run"); code != 0 {
		t.Errorf("dry run: exit code %d", code)
	}
}
