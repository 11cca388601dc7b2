package field

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
)

// stacks runs a test with xm and with xl.
func stacks(t *testing.T, test func(t *testing.T, w *world, tool string)) {
	for _, tool := range []string{"xm", "xl"} {
		t.Run(tool, func(t *testing.T) { test(t, newWorld(t, "xen", tool), tool) })
	}
}

// A check in the middle of a migration: the domain is called migrating-VM (xm) or NAME--migratedaway (xl), and it is ours.
func TestFieldXen_e2fb96064(t *testing.T) {
	w := newWorld(t, "xen", "xm")
	w.File("shared/xen/vm1", "name = \"vm1\"\nmemory = 1024\ndisk = ['tap:aio:/shared/images/vm1.img,xvda,w']\n")
	w.wants(0, "a", "start")
	moved := make(chan int)
	go func() { moved <- w.act("a", "migrate b") }()
	w.Await(func() bool { return w.rows("a", "xm")["migrating-vm1"] != "" })
	if got := w.act("a", "status"); got != 0 {
		t.Errorf("status of the source in mid-migration: %d", got)
	}
	// What arrives stands there under its plain name, and is not running yet.
	if got := w.rows("b", "xm")["vm1"]; got == "--p---" {
		if got := w.act("b", "status"); got != 7 {
			t.Errorf("status of the target in mid-migration: %d", got)
		}
	}
	if got := <-moved; got != 0 {
		t.Errorf("migrate: %d %q", got, w.logs)
	}
	w.wants(0, "b", "status")
	w.alone(0)

	w = newWorld(t, "xen", "xl")
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "lab fault xl handshake-undefined vm1 1 1")
	if got := w.act("a", "migrate b"); got == 0 {
		t.Error("a move whose end nobody knows succeeded")
	}
	w.wants(0, "a", "status")
	w.wantRecord("sending a b")
}

// half makes a domain that stands there as one that leaves, with nobody who moves it.
func (w *world) half(name string) {
	w.T.Helper()
	w.File("shared/xen/half", "name = \""+name+"\"\nmemory = 16\n")
	tool := "xm"
	if strings.Contains(name, "--") {
		tool = "xl"
	}
	w.Want(0, "", "a", tool+" create half")
}

// A stop that finds no "VM", but migrating-VM, has not stopped anything: it is there until it is destroyed.
func TestFieldXen_46fe716eb(t *testing.T) {
	for tool, name := range map[string]string{"xm": "migrating-vm1", "xl": "vm1--migratedaway"} {
		w := newWorld(t, "xen", tool)
		w.scale = 150
		w.wants(0, "a", "start")
		w.Want(0, "", "a", tool+" destroy vm1")
		w.half(name)
		w.wants(0, "a", "stop")
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("stop answers 0 and %v is there", left)
		}
		w.wantRecord("down")
	}
}

// The same, and the half stands still: somebody has moved it by hand, and its other half may run anywhere. A stop that
// ended it would have the manager start the VM beside that. Where the record names another node that lives, it is ended.
func TestHalfACopyThatNoRecordKnows(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		name := map[string]string{"xm": "migrating-vm1", "xl": "vm1--migratedaway"}[tool]
		w.scale = 300
		w.wants(0, "a", "start")
		w.Want(0, "", "a", tool+" destroy vm1")
		w.half(name)
		w.Want(0, "", "a", tool+" pause "+name)
		for range 3 {
			w.wants(0, "a", "status")
		}
		w.wants(1, "a", "status")
		for _, action := range []string{"stop", "start"} {
			w.wants(1, "a", action)
			if left := w.rows("a", tool); left[name] == "" {
				t.Errorf("%s destroyed it: %v", action, left)
			}
			w.wantRecord("running a")
		}
		w.wants(1, "b", "start")
		w.Want(0, "", "a", tool+" destroy "+name) // a person has looked
		w.wants(0, "a", "stop")
		w.wants(0, "b", "start")
		w.half(name)
		w.Want(0, "", "a", tool+" pause "+name)
		w.wants(0, "a", "stop")
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("stop answers 0 and %v is there", left)
		}
		w.wantRecord("running b")
		w.wants(0, "b", "status")
	})
}

// xl was killed while it saved or moved the domain, by hand: it stands suspended under its own name, and nothing will let it
// go on. Checks tolerate that for a while and then fail, and the manager's stop ends it.
func TestDomainThatXLLeftSuspended(t *testing.T) {
	w := newWorld(t, "xen", "xl")
	w.scale = 300
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "lab fault xl save-killed vm1 1 1")
	w.Want(137, "", "a", "xl save vm1 "+w.Path("shared/by-hand"))
	if got := w.rows("a", "xl")["vm1"]; got != "---ss-" {
		t.Fatalf("the lab: %v", w.rows("a", "xl"))
	}
	for range 3 {
		w.wants(0, "a", "status")
	}
	w.wants(1, "a", "status")
	w.wants(0, "a", "stop")
	if left := w.rows("a", "xl"); len(left) > 0 {
		t.Errorf("stop answers 0 and %v is there", left)
	}
	w.wantRecord("down")
	w.wants(0, "b", "start")
	w.alone(1)
}

// A guest that reboots by itself is away for a second or two: neither a check nor a stop takes that for its end.
func TestFieldXen_43c5b1237(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.scale = 1
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" reboot-gap vm1 1 1")
		w.wants(0, "a", "status")
		w.Want(0, "", "a", "lab fault "+tool+" reboot-gap vm1 1 1")
		w.wants(0, "a", "stop")
		if got := w.record(); got == "down" {
			t.Errorf("the record says %s", got)
		}
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// The target's side of a migration looks more than once: the domain may need a while to run.
func TestFieldXen_022fd8075(t *testing.T) {
	w := newWorld(t, "xen", "xm")
	w.wants(0, "a", "start")
	w.wants(0, "a", "migrate b")
	w.Want(0, "", "b", "xm save vm1 "+w.Path("shared/late")) // it is on its way
	late := make(chan struct{})
	go func() {
		defer close(late)
		w.began("b xm list")
		time.Sleep(100 * time.Millisecond)
		w.Want(0, "", "b", "xm restore "+w.Path("shared/late"))
	}()
	w.wants(0, "b", "migrate_from", "OCF_RESKEY_CRM_meta_migrate_source=a", "OCF_RESKEY_CRM_meta_timeout=120000")
	<-late
	w.wantRecord("running b")
	w.alone(0)
}

// A guest that does not hear is destroyed in time: at two thirds of what the stop has.
func TestFieldXen_d594056de(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.scale = 100
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" slow-stop vm1 1 9")
		w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown")
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		w.wantRecord("down")
	})
}

// Pacemaker's times are milliseconds: a stop of 30 s has destroyed the guest at 20, not after hours and not at once.
func TestFieldXen_14d6af01b(t *testing.T) {
	w := newWorld(t, "xen", "xm")
	w.scale = 30
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "lab fault xm slow-stop vm1 1 9")
	w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown", "OCF_RESKEY_CRM_meta_timeout=30000")
	if w.took < 15*time.Second {
		t.Errorf("the guest had %s of 30 s to end", w.took)
	}
	if left := w.rows("a", "xm"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A domain in state s does not run and still holds its devices: it is destroyed, and a stop has not ended before it is
// gone.
func TestFieldXen_a11d8b98c(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.scale = 60
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" dead-row vm1 1 3") // it ends, and goes away at the third destroy only
		w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown")
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("stop answers 0 and %v is there", left)
		}
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" dead-row vm1 1 99999")
		if code := w.act("a", "stop", "OCF_RESKEY_on_stop=shutdown", "OCF_RESKEY_RGMANAGER_meta_timeout=60"); code == 0 {
			t.Errorf("stop answers 0 and %v is there", w.rows("a", tool))
		}
	})
}

// To destroy what has just gone is no failure.
func TestFieldXen_9bc38eddf(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		w.gone = func(argv string) {
			if strings.Contains(argv, " shutdown ") {
				w.gone = nil
				w.Want(0, "", "a", tool+" destroy vm1")
			}
		}
		w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown")
		for _, l := range w.logs {
			if strings.Contains(l, "shutting down failed") {
				t.Errorf("what was gone already counts as a failure: %s", l)
			}
		}
		w.wantRecord("down")
	})
}

// xl list --long tells a configuration and no state: it is never asked for.
func TestFieldXen_fdc330216(t *testing.T) {
	w := newWorld(t, "xen", "xl")
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "xl pause vm1")
	w.wants(0, "a", "status")
	w.Want(0, "", "a", "xl unpause vm1")
	w.Want(0, "", "a", "lab crash xen:vm1")
	w.wants(7, "a", "status")
	for _, r := range w.ran {
		if strings.Contains(r, "-l") {
			t.Errorf("asked by %q", r)
		}
	}
}

// A string on the command line: xl wants quotation marks, to xm they are a part of it.
func TestFieldXen_a8fec4d6f(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		w.Want(0, "vm1 ", "a", tool+" list vm1")
	})
}

// The configuration is missing: checks and stops work by the name alone.
func TestFieldXen_1cc35ef2c(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		w.must(os.Remove(w.Path("shared/xen/vm1")))
		w.wants(0, "a", "status")
		w.wants(0, "a", "stop")
		if left := w.rows("a", tool); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		w.wants(7, "a", "status")
		w.wants(0, "a", "stop")
	})
}

// A check of what runs in the guest fails: that is an error, and not "stopped"; its memory is not kept.
func TestFieldXen_268e42541(t *testing.T) {
	w := newWorld(t, "xen", "xm")
	w.wants(0, "a", "start")
	w.health = errors.New("its web server is mute")
	w.wants(1, "a", "status")
	w.health = nil
	w.wants(0, "a", "stop")
	w.wantRecord("down")
}

// xend is down, or libxl cannot tell: that is not "stopped", and for a while not even an error; a stop refuses.
func TestFieldVM_68c3c5c4b(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		fault := map[string]string{"xm": "xend-down", "xl": "libxl-down"}[tool]
		w.scale = 100
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" "+fault+" * 1 99999")
		for range 3 {
			w.wants(0, "a", "status")
		}
		w.wants(1, "a", "status")
		w.wants(1, "a", "stop")
		w.wantRecord("running a")
	})
}

// A node is reached under another name than the cluster's: the tool gets that name, the record keeps the member.
func TestFieldVM_15d53e132(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		if code := w.act("a", "migrate b", "OCF_RESKEY_migration_mapping=b:b-wire"); code != 150 { // the lab knows no such name
			t.Errorf("exit %d", code)
		}
		found := false
		for _, r := range w.ran {
			found = found || strings.Contains(r, "migrate") && strings.HasSuffix(r, "vm1 b-wire")
		}
		if !found {
			t.Errorf("the tool was not told: %q", w.ran)
		}
		w.wantRecord("running a")
		w.wants(0, "a", "migrate b", "OCF_RESKEY_migration_mapping=a:a-wire,b:b")
		w.wantRecord("sent b")
	})
}

// A migration that fails while the guest is well: 150 says that it runs here as before. Anything else and rgmanager
// marks the service failed.
func TestFieldVM_0d20d797c(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		w.Want(0, "", "a", "lab fault "+tool+" migrate-fails vm1 1 1")
		w.wants(150, "a", "migrate b")
		w.wantRecord("running a")
		w.wants(0, "a", "status")
		w.AwaitLines("xen", "vm1", 2)
		w.alone(0)
	})
}

// After a migration the new owner's first check finds the guest running, although no start ever ran there.
func TestFieldVM_193ff0620(t *testing.T) {
	stacks(t, func(t *testing.T, w *world, tool string) {
		w.wants(0, "a", "start")
		w.wants(0, "a", "migrate b")
		w.wants(0, "b", "status")
		w.wantRecord("running b")
		w.wants(7, "a", "status")
		w.alone(0)
	})
}

// A live move of a healthy guest fails in a stop: its memory goes by image, in the same stop.
func TestFailedMoveFallsBackToTheImage(t *testing.T) {
	for tool, faults := range map[string][]string{"xm": {"migrate-fails", "migrate-rc3"}, "xl": {"migrate-fails", "migrate-target", "incoming-stays"}} {
		for _, fault := range faults {
			w := newWorld(t, "xen", tool)
			w.wants(0, "a", "start")
			w.Want(0, "", "a", "lab fault "+tool+" "+fault+" vm1 1 1")
			w.ticket(handoff.Live, "b")
			w.wants(0, "a", "stop")
			if got := w.record(); got != "suspended" {
				t.Errorf("%s %s: the record says %s\n%s", tool, fault, got, strings.Join(w.logs, "\n"))
			}
			w.wants(0, "b", "start")
			w.alone(0)
		}
	}
}

// A move that broke off at its end leaves half a copy on both sides: each side's stop removes its own, and no start
// runs a VM meanwhile.
func TestFieldPacemaker2739(t *testing.T) {
	w := newWorld(t, "xen", "xl")
	w.scale = 100
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "lab fault xl handshake-torso vm1 1 1")
	if code := w.act("a", "migrate b"); code == 0 || code == 150 {
		t.Errorf("migrate: %d", code)
	}
	if w.rows("a", "xl")["vm1--migratedaway"] == "" || w.rows("b", "xl")["vm1--incoming"] == "" {
		t.Fatalf("the lab: %v, %v", w.rows("a", "xl"), w.rows("b", "xl"))
	}
	if code := w.act("a", "start"); code == 0 {
		t.Error("a start in between succeeded")
	}
	w.wants(0, "a", "stop")
	w.wantRecord("sent b")
	w.wants(0, "b", "stop")
	for _, node := range []string{"a", "b"} {
		if left := w.rows(node, "xl"); len(left) > 0 {
			t.Errorf("left on %s: %v", node, left)
		}
	}
	w.wants(0, "a", "start")
	w.alone(1)
}

// A node that is cut off does not know who is dead: it starts nothing that another node may have.
func TestFieldIssue1293(t *testing.T) {
	w := newWorld(t, "xen", "xm")
	w.wants(0, "a", "start")
	w.off["a"] = true // and nobody affirms that it was fenced
	w.wants(1, "b", "start")
	w.silent = true
	w.wants(1, "b", "start")
	if got := w.rows("b", "xm"); len(got) > 0 {
		t.Errorf("%v", got)
	}
	w.wantRecord("running a")
	w.alone(0)
}

// A domain that is destroyed loses its name before its devices: xl lists it as (null). It is the VM's until it is gone, also
// to an agent that comes when it has died by itself. Another's is not.
func TestDomainThatLostItsName(t *testing.T) {
	w := newWorld(t, "xen", "xl")
	w.scale = 60
	for _, c := range []struct{ way, record string }{{"shutdown", "down"}, {"suspend", "suspended"}, {"by itself", "down"}} {
		w.wants(0, "a", "start")
		w.AwaitLines("xen", "vm1", 1)
		w.ran = nil
		w.Want(0, "", "a", "lab fault xl loses-name vm1 1 1")
		env := []string{"OCF_RESKEY_on_stop=" + c.way}
		switch c.way {
		case "by itself":
			w.Want(0, "", "a", "xl destroy vm1")
			if got := w.rows("a", "xl")["(null)"]; got != "--ps-d" {
				t.Fatalf("the lab: %v", w.rows("a", "xl"))
			}
			w.wants(1, "a", "status")
			w.wants(1, "b", "start")
			env = nil
		case "shutdown":
			w.Want(0, "", "a", "lab fault xl slow-stop vm1 1 9") // it is destroyed then
		}
		w.wants(0, "a", "stop", env...)
		if left := w.rows("a", "xl"); len(left) > 0 {
			t.Errorf("%s: stop answers 0 and %v is there: %q", c.way, left, w.ran)
		}
		w.wantRecord(c.record)
		w.wants(7, "a", "status")
	}
	w.Want(0, "", "a", "lab fault xl null-row * 1 99999")
	w.wants(7, "a", "status")
	w.wants(0, "a", "stop")
	w.wants(0, "a", "start")
}
