package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// hindered: what would refuse a start, whatever the manager says. Without that no command helps.
func (e *explainer) hindered() bool {
	switch {
	case e.VM != "" && e.Hangs && !(e.Type == stockVM && e.State.State == cluster.Failed):
		e.say("No agent starts a VM before it answers.")
		e.reason()
		e.end(ShareHangs, "fence_tool ls", "lbm doctor: tells what else is wrong with it", e.start()+": when it answers again")
		return true
	case e.VM != "" && e.Shared != "" && e.ShareErr != nil && !(e.Type == stockVM && e.State.State == cluster.Failed):
		e.say("This node does not see the shared storage: %v. Without it no agent starts a VM, since nobody could know who has it.", e.ShareErr)
		e.reason()
		e.end(ShareAway, "mount "+e.Shared, "lbm doctor: tells what else is wrong with it", e.start())
		return true
	case e.RecordErr != nil:
		e.say("The hand-off record cannot be read (%v): nothing starts the VM before somebody knows where it is.", e.RecordErr)
		e.end(Unreadable, "lbm handoff "+e.VM, protocol.CureOf(protocol.RefuseUnread).Do)
		return true
	}
	if node, left, is := e.holder(); is {
		e.tellRecord()
		e.say("%s is no member of the cluster, and nothing proves that it is off: every start elsewhere refuses, or the VM might run twice.", node)
		if text := e.Fenced[node]; text != "" {
			e.say("The fence daemon: %s.", text)
		}
		e.freeing(Refused, node, left)
		if next := e.start(); !slices.ContainsFunc(e.a.Then, func(t string) bool { return strings.Contains(t, next) }) {
			e.a.Then = append(e.a.Then, next)
		}
		return true
	}
	return false
}

// notRunning: disabled, stopped, failed or recoverable. What would refuse the start comes before why it was stopped.
func (e *explainer) notRunning() {
	if e.hindered() {
		return
	}
	switch e.State.State {
	case cluster.Failed:
		what := "the VM"
		if e.VM == "" {
			what = "it"
		}
		e.say("Its stop failed: the manager does not know whether %s still runs, and touches it no more until it is disabled.", what)
		e.reason()
		e.tellRecord()
		if e.VM == "" {
			e.say("What it has mounted, bound or started may still be there: a file system that two nodes mount is destroyed.")
			e.end(StopFailed, "clusvcadm -d "+e.Service,
				"mount; ip addr; ps ax: see"+e.lastly()+" that nothing of it is mounted, bound or running (-d disables also where the stop fails again), and end what is",
				"clusvcadm -e "+e.Service+": only then")
			return
		}
		if e.Shared == "" || e.Type == stockVM {
			e.say("Nothing but the manager keeps it from running twice: see there first that it does not run, and stop it if it does.")
			e.end(StopFailed, e.listing(), "clusvcadm -d "+e.Service,
				"see once more"+e.lastly()+" that "+e.VM+" does not run: -d disables also where the stop fails again", "clusvcadm -e "+e.Service)
			e.a.On = e.State.LastOwner
			return
		}
		e.end(StopFailed, e.start(), "if that fails: lbm blackbox --failed --vm "+e.VM+e.where(e.State.LastOwner)+", and the hypervisor's own list there")
	case cluster.Disabled:
		e.disabled()
	default:
		e.stopped()
	}
}

// stockVM is the cluster suite's own <vm>: vm.sh knows neither record nor shared storage.
const stockVM = "vm"

// listing is the hypervisor's own list.
func (e *explainer) listing() string {
	switch e.Type {
	case "openvz":
		return "vzlist"
	case "xen":
		return "xm list"
	case "kvm":
		return "virsh list"
	case stockVM:
		return "virsh list || xm list"
	}
	return "lbm list"
}

// lastly names where it was last; nobody may know.
func (e *explainer) lastly() string {
	if e.State.LastOwner == "" {
		return " on every node that may have had it"
	}
	return " on " + e.State.LastOwner
}

// holder is the node of the record that is away and not proved gone.
func (e *explainer) holder() (node string, left, is bool) {
	for _, n := range []string{e.Record.Node, e.Record.To} {
		if n != "" && !e.online(n) && !e.Gone[n] {
			return n, e.Record.Left && n == e.Record.Node, true
		}
	}
	return "", false, false
}

func (e *explainer) disabled() {
	switch {
	case e.failedSince("start"):
		e.say("It was disabled after its start had failed, or by hand afterwards.")
	case !e.Autostart:
		e.say("cluster.conf has autostart off for it: the manager disables it when it comes up, and starts it only when asked.")
	case e.Recovery == "disable" || e.Recovery == "restart-disable":
		e.say("It was disabled by hand (clusvcadm -d), or its policy recovery=%q did so when it failed.", e.Recovery)
	default:
		e.say("It was disabled by hand (clusvcadm -d): the manager does so of itself only where autostart is off. It stays so until it is enabled.")
	}
	e.reason()
	e.tellRecord()
	e.end(Disabled, e.start())
}

// stopped: the manager would run it, and does not.
func (e *explainer) stopped() {
	word := map[bool]Cause{true: Recoverable, false: Stopped}[e.State.State == cluster.Recoverable]
	if len(e.State.MayRun) == 0 && e.VM != "" {
		e.noNode()
		return
	}
	if e.failedSince("start") {
		e.say("Its start failed.")
		e.reason()
		e.tellRecord()
		e.end(StartFailed, e.start(), "if it fails again: lbm blackbox --failed --vm "+e.name()+e.where(e.failedOn("start")))
		return
	}
	if word == Recoverable {
		e.say("Its check or its start failed, and no other node could take it: the manager tries again when a node joins.")
	} else {
		e.say("It was stopped (clusvcadm -s), or could not be started anywhere: the manager tries again when a node joins, and not before.")
	}
	e.reason()
	e.tellRecord()
	e.end(word, e.start())
}

// noNode: the failover domain leaves none of the members that are online.
func (e *explainer) noNode() {
	if e.Domain == "" || !e.Restricted {
		e.say("No member can run it: rgmanager runs on none that is online.")
		e.end(NoNode, "service rgmanager start", "on each node that shall run it")
		return
	}
	var away []string
	for _, n := range e.Nodes {
		switch m := slices.IndexFunc(e.Members, func(m cluster.Member) bool { return strings.EqualFold(m.Name, n) }); {
		case m < 0 || !e.Members[m].Online:
			away = append(away, n+" is away")
		case !e.Members[m].Manager:
			away = append(away, "rgmanager does not run on "+n)
		}
	}
	e.say("No member may run it: its failover domain %q is restricted to %s, and %s.", e.Domain, strings.Join(e.Nodes, ", "), strings.Join(away, ", "))
	e.tellRecord()
	e.end(NoNode, "service cman start; service lbvm start; service rgmanager start", fmt.Sprintf(`or let others run it: lbm ccs set --update "//failoverdomain[@name='%s']" restricted 0`, e.Domain))
	if len(e.Nodes) > 0 {
		e.a.On = e.Nodes[0]
		for _, n := range e.Nodes {
			if !e.online(n) {
				e.a.On = n
				break
			}
		}
	}
}

// failedSince tells whether the last action was of that name and failed.
func (e *explainer) failedSince(name string) bool {
	a, ok := e.last()
	return ok && a.Name == name && !a.Work
}

func (e *explainer) failedOn(name string) string {
	if a, ok := e.last(); ok && a.Name == name {
		return a.Node
	}
	return ""
}

// where names a node, if it is another one.
func (e *explainer) where(node string) string {
	if node == "" || strings.EqualFold(node, e.Self) {
		return ""
	}
	return " on " + node
}

// reason is what the agents said last.
func (e *explainer) reason() {
	a, ok := e.last()
	switch {
	case e.VM == "" || e.Type == stockVM:
	case !ok && e.State.State == cluster.Disabled:
	case !ok:
		e.say("No agent has noted a failure where this node can read it; lbm blackbox --failed on the other nodes tells more.")
	case a.Work:
		e.say("Its agent's %s is at work on %s.", a.Name, a.Node)
	default:
		e.say("The last that an agent noted: %s on %s at %s: %s.", a.Name, a.Node, e.when(a.At), strings.TrimSuffix(a.Text, "."))
	}
}

// tellRecord says what the hand-off record means.
func (e *explainer) tellRecord() {
	r := e.Record
	if e.VM == "" || e.Type == stockVM || e.Shared == "" || e.ShareErr != nil || e.RecordErr != nil {
		return
	}
	switch r.Phase {
	case handoff.NoRecord:
		e.say("It has no hand-off record: no agent has ever started it.")
	case handoff.Suspended:
		if e.Published {
			e.say("Its memory waits in an image on the shared storage, and the next start goes on from it.")
		} else {
			e.say("By its record its memory is in an image, which is not there: the next start boots it.")
		}
	default:
		words := []string{r.Phase.String()}
		if r.Node != "" {
			words = append(words, r.Node)
		}
		if r.To != "" {
			words = append(words, "to "+r.To)
		}
		text := "Its hand-off record says " + strings.Join(words, " ")
		if r.Left {
			text += ", which left the cluster in order with it"
		}
		if r.Image != "" && e.Published {
			text += "; a whole image of its memory is there"
		}
		e.say("%s.", text)
	}
}
