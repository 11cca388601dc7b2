package field

import (
	"os"
	"path/filepath"
	"testing"
)

// A stop where there is nothing, not even a configuration, succeeds: any error costs the node.
func TestFieldIssue137(t *testing.T) {
	w := newWorld(t, "openvz", "")
	w.must(os.Remove(w.Path("shared/conf/101.conf")))
	w.wants(0, "a", "stop")
	w.wants(7, "a", "status")
	stacks(t, func(t *testing.T, w *world, _ string) {
		w.must(os.Remove(w.Path("shared/xen/vm1")))
		w.wants(0, "a", "stop")
		w.wants(7, "a", "status")
	})
}

// The node goes down, and its init script has suspended the container before the cluster could move it: the dump that it
// left where vzctl start looks is not ours, and a later start does not go on from it.
func TestFieldIssue1087(t *testing.T) {
	for _, version := range []string{"3.0.22", "4.11"} {
		w := newWorld(t, "openvz", "")
		for _, node := range []string{"a", "b"} {
			w.File("nodes/"+node+"/etc/lab-vzctl-version", version)
			w.File("nodes/"+node+"/etc/vz/vz.conf", "LOCKDIR=/var/lib/vz/lock\nDUMPDIR=/shared/dump\n")
		}
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "vz stop")
		dump := w.Path("shared/dump/Dump.101")
		if _, err := os.Stat(dump); (err == nil) != (version == "4.11") {
			t.Fatalf("the lab: %v", err)
		}
		w.wants(0, "a", "stop")
		w.wants(0, "b", "start")
		if _, err := os.Stat(dump); err == nil {
			t.Errorf("%s: the dump is still where vzctl finds it", version)
		}
		if _, err := os.Stat(dump + ".lbvm-foreign"); (err == nil) != (version == "4.11") {
			t.Errorf("%s: vzctl has used the dump: %v", version, err)
		}
		w.wants(0, "b", "status")
		w.wants(0, "b", "stop")
		w.wants(0, "a", "start") // from our own image
		w.alone(1)
	}
}

// The configurations' folder is not mounted on a node: vzctl says deleted there, which is not "stopped".
func TestFieldIssue1231(t *testing.T) {
	w := newWorld(t, "openvz", "")
	w.wants(0, "a", "start")
	w.must(os.Remove(filepath.Join(w.Root("b"), "etc/vz/conf")))
	w.link("../../../../nowhere/conf", "b", "etc/vz/conf")
	w.wants(1, "b", "status")
	w.wants(1, "b", "start")
	w.wants(0, "a", "status")
	w.wantRecord("running a")
	// And where it runs, what the kernel says counts.
	w.Want(0, "", "a", "lab fault vzctl conf-deleted 101 1 1")
	w.wants(0, "a", "status")
	w.alone(0)
}

// vzctl's own lock is held, and then not any more: a stop waits for it, and keeps the memory.
func TestLockOfVzctlIsWaitedFor(t *testing.T) {
	for _, fault := range []string{"lock-held", "lock-stale"} {
		w := newWorld(t, "openvz", "")
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault vzctl "+fault+" 101 1 3")
		w.wants(0, "a", "stop")
		w.wantRecord("suspended")
		w.wants(0, "b", "start")
		w.alone(0)
	}
}

// Each way in which a checkpoint may fail ends as it must: the memory is kept, or the stop is cold and says so, and what
// is left of an image is never used.
func TestFaultsOfACheckpoint(t *testing.T) {
	for _, c := range []struct {
		version, fault, node string
		record               string // after the stop
		cold                 int
	}{
		{"3.0.22", "dump-fails", "a", "down", 1}, {"4.11", "disk-full", "a", "down", 1}, {"3.0.30", "disk-full", "a", "down", 1},
		{"4.11", "cpt-missing", "a", "down", 1}, {"3.0.22", "undump-fails", "b", "suspended", 1}, {"4.11", "rst-missing", "b", "suspended", 1},
		{"7", "", "a", "suspended", 0}, {"7", "undump-fails", "b", "suspended", 1}, {"4.11", "", "a", "suspended", 0}, {"3.0.30", "", "a", "suspended", 0},
	} {
		w := newWorld(t, "openvz", "")
		for _, node := range []string{"a", "b"} {
			w.File("nodes/"+node+"/etc/lab-vzctl-version", c.version)
		}
		w.wants(0, "a", "start")
		if c.fault != "" {
			w.Want(0, "", c.node, "lab fault vzctl "+c.fault+" 101 1 1")
		}
		w.wants(0, "a", "stop")
		w.wantRecord(c.record)
		w.wants(0, "b", "start")
		w.AwaitLines("openvz", "101", 2)
		w.wants(0, "b", "stop")
		w.wantRecord("suspended")
		w.wants(0, "a", "start")
		if got := w.Findings(c.cold); got != "" {
			t.Errorf("%s %s: the checker: %s", c.version, c.fault, got)
		}
	}
}
