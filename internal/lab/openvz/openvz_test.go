package openvz

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

// newLab has two nodes that share containers 101 and 102.
func newLab(t *testing.T, version string) *labtest.Lab {
	l := labtest.New(t, Tools, "a", "b")
	for _, id := range []string{"101", "102"} {
		l.File("shared/conf/"+id+".conf", "VE_PRIVATE=\"/shared/private/$VEID\" # c\nVE_ROOT=/vz/root/$VEID\nSTOP_TIMEOUT=1\nPHYSPAGES=\"0:16384\"\nHOSTNAME=\"h"+id+"\"\n")
		l.File("shared/private/"+id+"/etc/passwd", "")
	}
	for _, node := range []string{"a", "b"} {
		l.File("nodes/"+node+"/etc/vz/vz.conf", "LOCKDIR=/var/lib/vz/lock\nDUMPDIR=/shared/dump\n")
		if err := os.Symlink("../../../../shared/conf", filepath.Join(l.Root(node), "etc/vz/conf")); err != nil {
			t.Fatal(err)
		}
		if version != "" {
			l.File("nodes/"+node+"/etc/"+versionFile, version+"\n")
		}
	}
	l.File("shared/dump/.keep", "")
	return l
}

func versions(t *testing.T, test func(t *testing.T, l *labtest.Lab, old bool)) {
	for _, v := range []string{"", "4.11"} {
		t.Run("version "+v, func(t *testing.T) { test(t, newLab(t, v), v == "") })
	}
}

func TestLife(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		prefix := map[bool]string{true: "VEID", false: "CTID"}[old]
		status := func(node, want string) {
			t.Helper()
			if got := l.Want(0, "", node, "vzctl status 101"); got != prefix+" 101 "+want+"\n" {
				t.Fatalf("status: %q, want %q", got, want)
			}
		}
		status("a", "exist unmounted down")
		l.Want(0, map[bool]string{true: "VE start in progress...", false: "Container start in progress..."}[old], "a", "vzctl start 101")
		status("a", "exist mounted running")
		status("b", "exist unmounted down") // what runs is the node's own to know
		l.Want(exitRunning, "already running", "a", "vzctl start 101")
		l.Want(exitRunning, "running", "a", "vzctl umount 101")
		l.Want(0, "was stopped", "a", "vzctl stop 101")
		status("a", "exist unmounted down")
		l.Want(0, "Unable to stop", "a", "vzctl stop 101")
		l.Want(0, "is mounted", "a", "vzctl mount 101")
		status("a", "exist mounted down")
		l.Want(0, "is unmounted", "a", "vzctl umount 101")
		l.Want(exitNotMounted, "is not mounted", "a", "vzctl umount 101")
		l.Want(0, "", "a", "vzctl start 101")
		l.Want(0, "", "a", "lab crash openvz:101")
		status("a", "exist mounted down")
		l.Want(0, "is unmounted", "a", "vzctl umount 101")
		l.Want(0, "", "b", "vzctl --quiet start 101")
		if err := os.Rename(l.Path("shared/private"), l.Path("shared/away")); err != nil {
			t.Fatal(err)
		}
		status("b", "deleted mounted running")
		status("a", "deleted unmounted down")
		l.Want(exitNoPrivate, "does not exist", "a", "vzctl start 101")
	})
}

// A memory goes from a to b and back, in steps and whole.
func TestHandOff(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		image := l.Path("shared/image")
		l.Want(0, "", "a", "vzctl start 101")
		wtmp := func() time.Time {
			fi, err := os.Stat(l.Path("shared/private/101/var/log/wtmp"))
			if err != nil {
				t.Fatal(err)
			}
			return fi.ModTime()
		}
		booted := wtmp()
		from, to := "a", "b"
		for range 4 {
			l.AwaitLines("openvz", "101", 1)
			l.Want(0, "\tsuspend...", from, "vzctl chkpnt 101 --suspend")
			before := l.Lines("openvz", "101")
			l.Want(0, "101 exist mounted running", from, "vzctl status 101")
			l.Want(0, "\tdump...", from, "vzctl --skiplock chkpnt 101 --dump --dumpfile "+image)
			if l.Lines("openvz", "101") != before {
				t.Fatal("it wrote while it was frozen")
			}
			l.Want(0, "Killing...", from, "vzctl chkpnt 101 --kill")
			l.Want(0, "101 exist mounted down", from, "vzctl status 101")
			l.Want(0, "", from, "vzctl umount 101")
			l.Want(0, "\tundump...", to, "vzctl restore 101 --dumpfile "+image)
			if _, err := os.Stat(image); (err == nil) != old {
				t.Errorf("the dump after a restore: %v", err)
			}
			os.Remove(image)
			from, to = to, from
		}
		l.Want(0, "kill...", from, "vzctl chkpnt 101 --dumpfile="+image)
		l.Want(0, "unmounted down", from, "vzctl status 101")
		l.Want(0, "get context", to, "vzctl restore 101 --undump --dumpfile "+image)
		l.Want(0, "Resuming...", to, "vzctl restore 101 --resume")
		l.AwaitLines("openvz", "101", 2)
		if _, err := os.Stat(image); err != nil {
			t.Errorf("a restore in steps keeps the dump: %v", err)
		}
		if !wtmp().Equal(booted) {
			t.Error("a restore changed what only a boot may change")
		}
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
		l.Want(0, "", to, "vzctl stop 101 --fast")
		l.Want(0, "", from, "vzctl start 101")
		if wtmp().Equal(booted) {
			t.Error("a boot changed nothing")
		}
	})
}

func TestRefusals(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		bad := l.Path("shared/bad")
		l.File("shared/conf/103.conf", "VE_PRIVATE=/shared/private/101\nDISABLED=\"yes\"\n")
		l.Want(0, "", "b", "vzctl start 102")
		l.Want(0, "", "b", "vzctl chkpnt 102 --dumpfile "+l.Path("shared/other"))
		l.File("shared/bad", "lbvm-lab memory 3 00000000\nxx")
		for line, want := range map[string]struct {
			code int
			text string
		}{
			"vzctl":                               {exitUsage, "Usage: vzctl"},
			"vzctl dance 101":                     {exitUsage, "Usage: vzctl"},
			"vzctl --dance status 101":            {exitUsage, "--dance"},
			"vzctl start":                         {exitBadValue, ""},
			"vzctl start x":                       {exitBadValue, "x"},
			"vzctl start 0":                       {exitBadValue, "0"},
			"vzctl start 999":                     {exitNoConfig, "config file does not exist"},
			"vzctl status 999":                    {0, "999 deleted unmounted down"},
			"vzctl start 103":                     {exitDisabled, "disabled"},
			"vzctl start 101 --dance":             {exitUsage, "--dance"},
			"vzctl chkpnt 101 --dumpfile":         {exitUsage, "argument"},
			"vzctl chkpnt 101 --kill --dump":      {exitUsage, "Usage"},
			"vzctl chkpnt 101 --suspend":          {exitNotRunning, "not running"},
			"vzctl chkpnt 101 --resume":           {exitNotRunning, "not running"},
			"vzctl restore 101":                   {exitRestore, "No such file or directory"},
			"vzctl restore 101 --undump":          {exitRestore, "dumpfile is not specified"},
			"vzctl restore 101 --dumpfile " + bad: {exitRestore, "undump failed"},
			"vzctl restore 101 --dumpfile " + l.Path("shared/other"): {exitRestore, "undump failed"},
			"vzlist -o dance": {1, "Unknown field: dance"},
			"vzlist --dance":  {1, "Usage"},
		} {
			l.Want(want.code, want.text, "a", line)
			l.Want(0, "unmounted down", "a", "vzctl status 101")
		}
		l.Want(0, "", "a", "vzctl start 101")
		l.Want(exitCheckpoint, "dumpfile is not specified", "a", "vzctl chkpnt 101 --dump")
		l.Want(exitCheckpoint, "Can not join cpt context", "a", "vzctl chkpnt 101 --dump --dumpfile x")
		l.Want(exitCheckpoint, "Can not join cpt context", "a", "vzctl chkpnt 101 --resume")
		l.Want(exitCheckpoint, "No such file", "a", "vzctl chkpnt 101 --dumpfile /no/where")
		l.Want(map[bool]int{true: exitNotRunning, false: exitRunning}[old], "already running", "a", "vzctl restore 101 --dumpfile "+bad)
		l.Want(0, "", "a", "vzctl chkpnt 101 --suspend")
		l.Want(exitCheckpoint, "busy", "a", "vzctl chkpnt 101 --suspend")
		l.Want(exitStop, "timed out", "a", "vzctl stop 101")
		l.Want(0, "Resuming", "a", "vzctl chkpnt 101 --resume")
		l.AwaitLines("openvz", "101", 1)
	})
}

func TestFaults(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		image := l.Path("shared/image")
		fault := func(name string) { t.Helper(); l.Want(0, "", "a", "lab fault vzctl "+name+" 101 1 1") }
		l.Want(0, "", "a", "vzctl start 101")

		fault("dump-fails")
		l.Want(exitCheckpoint, "Checkpointing failed", "a", "vzctl chkpnt 101 --dumpfile "+image)
		l.AwaitLines("openvz", "101", 2) // thawed again
		if _, err := os.Stat(image); (err == nil) != old {
			t.Errorf("what a failed dump leaves: %v", err)
		}
		l.Want(0, "", "a", "vzctl chkpnt 101 --suspend")
		fault("dump-fails")
		l.Want(exitCheckpoint, "Can not dump", "a", "vzctl chkpnt 101 --dump --dumpfile "+image)
		l.Want(0, "", "a", "vzctl chkpnt 101 --dump --dumpfile "+image)
		fault("kill-fails")
		l.Want(exitCheckpoint, "Can not kill", "a", "vzctl chkpnt 101 --kill")
		l.Want(0, "running", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl chkpnt 101 --kill")
		fault("umount-busy")
		l.Want(exitUnmount, "busy", "a", "vzctl umount 101")
		l.Want(0, "mounted down", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl umount 101")
		fault("undump-fails")
		l.Want(exitRestore, "undump failed", "a", "vzctl restore 101 --dumpfile "+image)
		l.Want(0, "unmounted down", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl restore 101 --dumpfile "+image)
		fault("umount-busy")
		l.Want(0, "Checkpointing completed", "a", "vzctl chkpnt 101 --dumpfile "+image)
		l.Want(0, "mounted down", "a", "vzctl status 101")
		l.Want(0, "", "a", "vzctl restore 101 --dumpfile "+image)
		fault("slow-stop")
		fault("umount-busy")
		l.Want(map[bool]int{true: 0, false: exitUnmount}[old], "Killing ", "a", "vzctl stop 101")
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
	})
}

// Who is killed leaves its lock, and the next one takes it; who lives keeps it.
func TestLocks(t *testing.T) {
	l := newLab(t, "")
	lock := filepath.Join(l.Root("a"), "var/lib/vz/lock/101.lck")
	l.File("nodes/a/var/lib/vz/lock/101.lck", "1\n\n")
	l.Want(exitLocked, "VE already locked", "a", "vzctl start 101")
	l.Want(0, "", "a", "vzctl --skiplock start 101")
	l.Want(0, "", "a", "vzctl status 101")
	l.File("nodes/a/var/lib/vz/lock/101.lck", "999999999\n\n")
	l.Want(0, "Removing stale lock file", "a", "vzctl chkpnt 101 --suspend")
	if _, err := os.Stat(lock); err == nil {
		t.Error("the lock is left")
	}
	l.Want(0, "", "a", "vzctl chkpnt 101 --resume")
	l.Want(0, "", "a", "lab fault vzctl slow-stop 101 1 1")
	ctx, kill := context.WithCancel(context.Background())
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		callKilled(ctx, l, "vzctl", "stop", "101")
	}()
	l.Await(func() bool { _, err := os.Stat(lock); return err == nil })
	kill()
	<-killed
	if _, err := os.Stat(lock); err != nil {
		t.Errorf("a killed vzctl took its lock away: %v", err)
	}
	l.AwaitLines("openvz", "101", 2) // and its container runs on
}

func TestDefaultDump(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		l.Want(0, "", "a", "vzctl start 101")
		l.Want(0, "", "a", "vzctl suspend 101")
		if strings.Contains(l.Want(0, "unmounted down", "a", "vzctl status 101"), "suspended") == old {
			t.Error("status and the default dump")
		}
		l.Want(0, "", "b", "vzctl start 101") // the new one resumes, the old one boots
		if got := l.Findings(0); (got == "lost memory") != old {
			t.Errorf("the checker: %q", got)
		}
		if _, err := os.Stat(l.Path("shared/dump/Dump.101")); (err == nil) != old {
			t.Errorf("the dump: %v", err)
		}
	})
}

func TestVZList(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		id := map[bool]string{true: "veid", false: "ctid"}[old]
		l.Want(0, "(s) not found", "a", "vzlist")
		l.Want(1, "(s) not found", "a", "vzlist 999")
		l.Want(0, "", "a", "vzctl start 102")
		for line, want := range map[string]string{
			"vzlist -H -o " + id + ",status,physpages": "       102 running        16384\n",
			"vzlist -H -a -o " + id + ",status":        "       101 stopped\n       102 running\n",
			"vzlist -S -H -o hostname":                 "h101\n",
			"vzlist -1 -a":                             "       101\n       102\n",
			"vzlist -a 101":                            "      " + strings.ToUpper(id) + "      NPROC STATUS    IP_ADDR         HOSTNAME\n       101          - stopped   -               h101\n",
		} {
			if got := l.Want(0, "", "a", line); got != want {
				t.Errorf("%s:\n%q\nwant\n%q", line, got, want)
			}
		}
		if old {
			l.Want(1, "Unknown field: ctid", "a", "vzlist -o ctid")
		}
	})
}

// callKilled calls and goes away when ctx ends; what the program did is looked at elsewhere.
func callKilled(ctx context.Context, l *labtest.Lab, argv ...string) {
	_, err := lab.Call(ctx, l.NodeSocket("a"), lab.Request{Node: "a", Argv: argv})
	if err == nil {
		l.T.Error("it was not killed in time")
	}
}
