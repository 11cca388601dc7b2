package campaign

import (
	"fmt"
	"math/rand"
	"strings"

	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
)

// Random is the run of a seed.
func Random(seed int64) Run { return randomOf("", seed) }

// RandomOf are the runs of seeds with guests of one technology.
func RandomOf(typ string) func(seed int64) Run {
	return func(seed int64) Run { return randomOf(typ, seed) }
}

func randomOf(typ string, seed int64) Run {
	r := rand.New(rand.NewSource(seed))
	run := Run{Type: pick(r, technologies[:]), Seed: seed, Steps: []string{"enable node1"}}
	if typ != "" {
		run.Type = typ
	}
	if run.Type == vmexec.Type && r.Intn(3) == 0 {
		run.Steps = append([]string{"define " + pick(r, []string{"saves", "plain"})}, run.Steps...)
	}
	anyNode := func() string { return pick(r, members[:]) }
	soon := func() string { return fmt.Sprint(r.Intn(pick(r, []int{6, 40}))) }
	for range 1 + r.Intn(4) {
		if r.Intn(5) > 0 {
			fault := pick(r, faults[:])(r, run.Type)
			run.Steps = append(run.Steps, strings.Split(fault, "; ")...)
			if w := strings.Fields(fault); (w[0] == "die" || w[0] == "isolate") && r.Intn(2) == 0 { // it comes back, maybe before it is fenced
				run.Steps = append(run.Steps, "wait "+soon(), fmt.Sprintf("join %s %d", w[1], r.Intn(3)*20))
			}
		}
		ask := pick(r, []string{"relocate ", "relocate ", "relocate ", "relocate restart", "relocate M-", "move ", "migrate ", "disable", "status", "inquire ", "rginit ", "start ", "enable "})
		if strings.HasSuffix(ask, " ") || strings.HasSuffix(ask, "-") {
			ask += anyNode()
		}
		if r.Intn(3) > 0 { // something else happens meanwhile
			ask = "+" + ask
		}
		run.Steps = append(run.Steps, ask)
		if w := strings.Fields(ask)[0]; (w == "+relocate" || w == "+migrate") && r.Intn(3) == 0 { // somebody looks while it leaves
			run.Steps = append(run.Steps, "wait "+fmt.Sprint(r.Intn(25)), "inquire "+pick(r, []string{"node1", "node1", "node2", "node3"}))
		}
		if r.Intn(2) == 0 {
			run.Steps = append(run.Steps, "wait "+soon())
		}
	}
	return run
}

// points are where agents and relocators can be struck; a random run strikes at some k-th point as well.
var points = [...]string{"lock", "lock:done", "boot", "state:starting", "state:starting:done", "state:running", "state:running:done", "state:suspending:done",
	"state:held", "state:held:done", "state:suspended", "state:suspended:done", "state:resuming", "state:resuming:done", "state:sending", "state:sending:done",
	"state:sent", "state:sent:done", "state:down", "part:done", "note:done", "sync", "meta:done", "publish", "publish:done", "claim", "claim:done", "unclaim",
	"refresh", "discarded", "discarded:done", "tool:start", "tool:suspend", "tool:dump", "tool:kill", "tool:unmount", "tool:save", "tool:restore", "tool:migrate",
	"tool:migrate:done", "tool:save:done", "tool:restore:done", "tool:start:done", "tool:thaw", "ticket", "ticket:done", "ticket.used", "ticket.used:done", "asked", "answered", "disks:done",
	"during:start", "during:restore", "during:dump", "during:create", "during:save", "during:migrate"}

// faults are what can go wrong in a random run.
var faults = [...]func(r *rand.Rand, typ string) string{
	strikes("kill"), strikes("kill"), strikes("kill"), strikes("die"), strikes("isolate"), strikes("guest"),
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("%s %s %d", pick(r, []string{"die", "isolate"}), pick(r, members[:]), r.Intn(90))
	},
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("join %s %d", pick(r, members[:]), r.Intn(3)*20)
	},
	func(r *rand.Rand, typ string) string {
		tool := pick(r, []string{"start", "stop", "suspend", "dump", "kill", "umount", "resume", "restore"})
		switch {
		case typ == vmexec.Type:
			tool = pick(r, []string{"start", "stop", "save", "restore", "thaw"})
		case typ != "openvz":
			tool = pick(r, []string{"create", "shutdown", "save", "restore"})
		}
		return "fail " + pick(r, members[:]) + " " + tool + " fails"
	},
	func(r *rand.Rand, typ string) string {
		switch {
		case typ == "openvz":
			return "fail " + pick(r, members[:]) + " " + pick(r, []string{"kill", "umount"}) + " busy"
		case typ == vmexec.Type && r.Intn(3) == 0:
			return "fail " + pick(r, members[:]) + " save busy"
		}
		return "fail " + pick(r, members[:]) + " migrate " + pick(r, []string{"stays", "stays", "refused", "lost", "undefined", "undefined-lost"})
	},
	func(r *rand.Rand, _ string) string {
		return fmt.Sprintf("silent %s %d", pick(r, members[:]), 1+r.Intn(30))
	},
	func(r *rand.Rand, _ string) string { // a node is lost, its fencing is owed, and somebody starts the VM elsewhere meanwhile
		return fmt.Sprintf("loose; %s %s %d; wait %d; start %s", pick(r, []string{"die", "isolate"}), pick(r, []string{"node1", "node1", "node2", "node3"}), 20+r.Intn(90), r.Intn(pick(r, []int{3, 15})), pick(r, members[:]))
	},
	func(r *rand.Rand, typ string) string { // who does not say, as libvirtd while it is updated, is never "stopped"; people and rgmanager go on meanwhile
		if typ != vmexec.Type && typ != "kvm" {
			return strikes("kill")(r, typ)
		}
		fault := fmt.Sprintf("silent %s %d", pick(r, []string{"node1", "node1", "node2", "node3"}), 1+r.Intn(40))
		if r.Intn(2) == 0 {
			fault += "; " + pick(r, []string{"disable", "rginit node1", "move node2", "status"})
		}
		return fault
	},
	func(r *rand.Rand, _ string) string { // booted by hand while its memory waits; a start while nobody can read the record
		return fmt.Sprintf(pick(r, []string{"disable; hand %s; enable %s", "damage; start %[2]s"}), pick(r, members[:]), pick(r, members[:]))
	},
	func(*rand.Rand, string) string { return "guest" },
	func(*rand.Rand, string) string { return "sick" },
	func(r *rand.Rand, _ string) string { return "elsewhere" },
	func(r *rand.Rand, _ string) string {
		return pick(r, []string{"hand ", "handrun ", "double "}) + pick(r, members[:])
	},
	func(r *rand.Rand, _ string) string {
		return "full " + pick(r, []string{"part", "note", "meta", "publish", "state:held", "state:suspended", "state:down", "state:sent", "state:running", "claim", "refresh"})
	},
	func(r *rand.Rand, _ string) string {
		return pick(r, []string{"unmount ", "nolock ", "leave "}) + pick(r, members[:])
	},
	func(r *rand.Rand, _ string) string { return pick(r, []string{"damage", "lazy", "lazy"}) },
	func(r *rand.Rand, typ string) string { // in the middle of a push, while half a copy is at its target
		if typ == "openvz" {
			return strikes("kill")(r, typ)
		}
		blow := pick(r, []string{"kill", "killall", "killall", "die", "isolate", "guest"})
		if blow == "die" || blow == "isolate" {
			blow += fmt.Sprint(" ", r.Intn(90))
		}
		fault := "at during:migrate " + blow
		if typ == "kvm" && r.Intn(3) > 0 { // and the target is asked before libvirt has ended what stands there
			fault = fmt.Sprintf("at during:migrate %s; +%s %s; wait %d; inquire %[3]s; wait %d; inquire %[3]s", pick(r, []string{"killall", "killall", "die 40"}),
				pick(r, []string{"migrate", "relocate"}), pick(r, members[1:]), 4+r.Intn(9), r.Intn(9))
		}
		return fault
	},
	func(r *rand.Rand, typ string) string { // the network goes at the last moment of a push: its end is not known, half a copy stays, and people go on
		if typ == "openvz" {
			return strikes("kill")(r, typ)
		}
		return fmt.Sprintf("fail node1 migrate %s; %s %s; %s", pick(r, []string{"undefined", "undefined-lost"}), pick(r, []string{"migrate", "relocate"}), pick(r, members[1:]),
			pick(r, []string{"disable", "rginit node1", "stop node1", "inquire node1"}))
	},
	func(r *rand.Rand, typ string) string { // a status comes while the guest is sent or saved, as one comes every half minute
		if typ == "openvz" {
			return "at during:dump look; +relocate " + pick(r, members[1:])
		}
		return fmt.Sprintf("at during:%s look; +%s %s", pick(r, []string{"migrate", "migrate", "save"}), pick(r, []string{"migrate", "relocate", "move"}), pick(r, members[1:]))
	},
	func(r *rand.Rand, typ string) string { // a node is taken out of the cluster in the moment in which the VM is sent to it
		if typ == "openvz" {
			return strikes("kill")(r, typ)
		}
		to := pick(r, members[1:])
		return fmt.Sprintf("at %s@node1 leave-%s; +%s %s", pick(r, goes[:]), to, pick(r, []string{"migrate", "relocate"}), to)
	},
}

// goes are the points that an agent passes when it has found the target of a push to be a member, until the push begins.
var goes = [...]string{"lock:done", "ticket.used:done", "state:sending", "state:sending/fill", "state:sending/sync", "state:sending/syncdir", "state:sending:done", "tool:migrate"}

func strikes(what string) func(r *rand.Rand, _ string) string {
	return func(r *rand.Rand, _ string) string {
		at := fmt.Sprintf("*#%d", 1+r.Intn(120))
		if r.Intn(3) > 0 {
			at = pick(r, points[:])
		}
		if what == "die" || what == "isolate" {
			return fmt.Sprintf("at %s %s %d", at, what, r.Intn(90))
		}
		return "at " + at + " " + what
	}
}
