package openvz

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab/labtest"
)

// What each version does otherwise.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		version, prefix, spelling string
		restoreRunning            int
		word6, keepsDump, resumes bool
		failedStays               bool
	}{
		{"3.0.22", "VEID", "succesfully", exitNotRunning, false, true, false, true},
		{"3.0.30", "CTID", "succesfully", exitNotRunning, true, true, false, false},
		{"4.11", "CTID", "successfully", exitRunning, true, false, true, false},
		{"7", "VEID", "successfully", exitRunning, true, false, false, false},
	} {
		l := newLab(t, c.version)
		l.Want(0, "vzctl version "+c.version, "a", "vzctl --version")
		l.Want(0, "", "a", "vzctl start 101")
		l.Want(0, c.prefix+" 101 exist mounted running\n", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl chkpnt 101 --suspend")
		frozen := "running"
		if c.version == "7" {
			frozen = "paused"
		}
		l.Want(0, c.prefix+" 101 exist mounted "+frozen+"\n", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl chkpnt 101 --resume")
		image := l.Path("shared/image")
		l.Want(0, "", "a", "lab fault vzctl disk-full 101 1 1")
		l.Want(exitCheckpoint, "No space left on device", "a", "vzctl chkpnt 101 --dumpfile "+image)
		if _, err := os.Stat(image); (err == nil) != c.failedStays {
			t.Errorf("%s: what a failed dump leaves: %v", c.version, err)
		}
		l.AwaitLines("openvz", "101", 2)
		l.Want(c.restoreRunning, "already running", "a", "vzctl restore 101 --dumpfile "+image)
		l.Want(0, "completed "+c.spelling, "a", "vzctl chkpnt 101")
		want := map[bool]string{true: "down suspended\n", false: "down\n"}[c.word6]
		if c.version == "7" {
			want = "unmounted suspended\n"
		}
		l.Want(0, want, "a", "vzctl status 101")
		l.Want(0, "", "b", "vzctl restore 101")
		dump := l.Path("shared/dump/Dump.101")
		if _, err := os.Stat(dump); (err == nil) != c.keepsDump {
			t.Errorf("%s: the dump after a restore: %v", c.version, err)
		}
		l.Want(0, "", "b", "vzctl suspend 101")
		if fi, err := os.Stat(dump); err != nil || fi.IsDir() != (c.version == "7") {
			t.Errorf("%s: the dump: %v", c.version, err)
		}
		out := l.Want(0, "", "b", "vzctl start 101")
		if strings.Contains(out, "trying to restore from it") != c.resumes {
			t.Errorf("%s: start says %s", c.version, out)
		}
		if got := l.Findings(1); got != "" {
			t.Errorf("%s: the checker: %s", c.version, got)
		}
	}
}

// set --save before 4.10 puts a file in the place of a link.
func TestSetSave(t *testing.T) {
	for version, link := range map[string]bool{"3.0.22": false, "4.9": false, "4.10": true, "7": true} {
		l := labtest.New(t, Tools, "a")
		l.File("shared/conf/101.conf", "VE_PRIVATE=/shared/private/101\nONBOOT=yes\n")
		l.File("nodes/a/etc/"+versionFile, version)
		conf := filepath.Join(l.Root("a"), "etc/vz/conf/101.conf")
		l.File("nodes/a/etc/vz/vz.conf", "")
		if err := os.MkdirAll(filepath.Dir(conf), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../../../../shared/conf/101.conf", conf); err != nil {
			t.Fatal(err)
		}
		l.Want(0, "", "a", "vzctl set 101 --onboot no")
		l.Want(0, "aved", "a", "vzctl set 101 --onboot no --save")
		fi, err := os.Lstat(conf)
		if err != nil || (fi.Mode()&os.ModeSymlink != 0) != link {
			t.Errorf("%s: %v, %v", version, fi.Mode(), err)
		}
		text, err := os.ReadFile(conf)
		if err != nil || !strings.Contains(string(text), "ONBOOT=\"no\"\n") || strings.Contains(string(text), "yes") {
			t.Errorf("%s: %q, %v", version, text, err)
		}
	}
}

// The init script: what it starts, and what it leaves on the shared storage.
func TestInitScript(t *testing.T) {
	for version, old := range map[string]bool{"3.0.22": true, "4.11": false} {
		l := newLab(t, version)
		l.File("shared/conf/103.conf", "VE_PRIVATE=/shared/private/101\nVE_ROOT=/vz/root/103\nONBOOT=\"yes\"\n")
		l.Want(0, "", "a", "vz start")
		l.Want(0, "mounted running", "a", "vzctl status 103")
		l.Want(0, "", "a", "vzctl start 101")
		l.File("shared/conf/102.conf", "VE_PRIVATE=/shared/private/102\nVE_ROOT=/vz/root/102\nONBOOT=\"no\"\n")
		l.Want(0, "", "a", "vzctl start 102")
		l.Want(0, "", "a", "vz stop")
		for _, id := range []string{"101", "102", "103"} {
			l.Want(0, "unmounted down", "a", "vzctl status "+id)
			if _, err := os.Stat(l.Path("shared/dump/Dump." + id)); (err == nil) == old {
				t.Errorf("%s: dump of %s: %v", version, id, err)
			}
		}
		l.Want(0, "", "a", "vz start")
		l.Want(0, map[bool]string{true: "down", false: "running"}[old], "a", "vzctl status 101") // without a word on ONBOOT
		l.Want(0, "unmounted down", "a", "vzctl status 102")
		l.Want(0, "running", "a", "vzctl status 103")
		l.Want(1, "Usage", "a", "vz dance")
	}
}

func TestMoreFaults(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, _ bool) {
		fault := func(name string) { t.Helper(); l.Want(0, "", "a", "lab fault vzctl "+name+" 101 1 1") }
		fault("lock-held")
		l.Want(exitLocked, "already locked", "a", "vzctl start 101")
		fault("lock-stale")
		l.Want(0, "Removing stale lock file", "a", "vzctl start 101")
		fault("cpt-missing")
		l.Want(exitCheckpoint, "/proc/cpt", "a", "vzctl chkpnt 101 --suspend")
		fault("conf-deleted")
		l.Want(0, "101 deleted mounted running", "a", "vzctl status 101")
		fault("conf-deleted")
		l.Want(exitNoConfig, "does not exist", "a", "vzctl stop 101")
		image := l.Path("shared/image")
		l.Want(0, "", "a", "vzctl chkpnt 101 --dumpfile "+image)
		fault("rst-missing")
		l.Want(exitRestore, "/proc/rst", "a", "vzctl restore 101 --dumpfile "+image)
		l.Want(0, "unmounted down", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl restore 101 --dumpfile "+image)
		l.AwaitLines("openvz", "101", 2)
	})
}
