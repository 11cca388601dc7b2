package why

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

var at = time.Date(2010, 11, 17, 13, 0, 0, 0, time.UTC)

// view is a service that is disabled, of a cluster in which all is well.
func view(change func(*View)) View {
	v := View{Service: "service:web", Type: "openvz", VM: "101", Self: "node1", Now: at, Quorate: true, Known: true, Autostart: true, Shared: "/gfs",
		Members: []cluster.Member{{Name: "node1", Online: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3"}},
		State: cluster.Service{ID: "service:web", VM: "101", VMType: "openvz", State: cluster.Disabled, LastOwner: "node2", Since: at.Add(-time.Hour),
			MayRun: []cluster.Placement{{Node: "node1", Score: 3}, {Node: "node2", Score: 3}}},
		Record: handoff.State{Phase: handoff.Down}, Gone: map[string]bool{}, Fenced: map[string]string{}, Proved: map[string]bool{}}
	if change != nil {
		change(&v)
	}
	return v
}

func TestExplain(t *testing.T) {
	start := Action{At: at.Add(-time.Minute), Node: "node2", Name: "start", Text: "vzctl start 101 ends with 43: the container's private area is missing"}
	on := func(s cluster.State, owner string) func(*View) {
		return func(v *View) { v.State.State, v.State.Owner = s, owner }
	}
	also := func(changes ...func(*View)) func(*View) {
		return func(v *View) {
			for _, c := range changes {
				c(v)
			}
		}
	}
	record := func(r handoff.State) func(*View) { return func(v *View) { v.Record = r } }
	for _, c := range []struct {
		name   string
		change func(*View)
		cause  Cause
		up     bool
		next   string
		on     string
		text   []string
		then   string
		never  string
	}{
		{name: "disabled by hand", cause: Disabled, next: "lbm repair 101", text: []string{"service:web (openvz:101) is disabled, last on node2, since 2010-11-17 12:00:00.", "by hand (clusvcadm -d)", "record says down"}},
		{name: "autostart is off", change: func(v *View) { v.Autostart = false }, cause: Disabled, next: "lbm repair 101", text: []string{"autostart off"}},
		{name: "disabled by its policy", change: func(v *View) { v.Recovery = "disable" }, cause: Disabled, next: "lbm repair 101", text: []string{`recovery="disable"`}},
		{name: "disabled with its memory in an image", change: func(v *View) { v.Record, v.Published = handoff.State{Phase: handoff.Suspended, Image: "x"}, true }, cause: Disabled,
			next: "lbm repair 101", text: []string{"goes on from it"}},
		{name: "disabled, without shared storage", change: func(v *View) { v.Shared = "" }, cause: Disabled, next: "clusvcadm -e service:web"},
		{name: "a service without a VM", change: func(v *View) { v.VM, v.Type = "", "" }, cause: Disabled, next: "clusvcadm -e service:web"},
		{name: "the stop of a service without a VM failed", change: also(on(cluster.Failed, ""), func(v *View) { v.VM, v.Type = "", "" }), cause: StopFailed, next: "clusvcadm -d service:web",
			text: []string{"a file system that two nodes mount is destroyed"}, then: "see on node2 that nothing of it is mounted, bound or running"},
		{name: "the stop of one failed, and nobody knows where", change: also(on(cluster.Failed, ""), func(v *View) { v.VM, v.Type, v.State.LastOwner = "", "", "" }), cause: StopFailed,
			next: "clusvcadm -d service:web", then: "see on every node that may have had it that nothing"},
		{name: "the stop failed", change: also(on(cluster.Failed, ""), func(v *View) {
			v.Actions = []Action{{At: at, Node: "node2", Name: "stop", Text: "vzctl does not answer"}}
			v.Record = handoff.State{Phase: handoff.Running, Node: "node2"}
		}), cause: StopFailed, next: "lbm repair 101", text: []string{"Its stop failed", "stop on node2 at 2010-11-17 13:00:00: vzctl does not answer.", "says running node2"}, then: "on node2"},
		{name: "the stop failed, without shared storage", change: also(on(cluster.Failed, ""), func(v *View) { v.Shared = "" }), cause: StopFailed, on: "node2", next: "vzlist", then: "see once more on node2 that 101 does not run"},
		{name: "the stop of a stock vm failed", change: also(on(cluster.Failed, ""), func(v *View) {
			v.Type, v.VM, v.State.VMType, v.State.VM = "vm", "web1", "vm", "web1"
			v.Record = handoff.State{Phase: handoff.NoRecord}
		}), cause: StopFailed, on: "node2", next: "virsh list || xm list", text: []string{"Nothing but the manager keeps it from running twice"}, then: "see once more on node2"},
		{name: "the stop of a stock vm failed, and the share is away", change: also(on(cluster.Failed, ""), func(v *View) {
			v.Type, v.VM, v.ShareErr, v.State.LastOwner = "vm", "web1", host.ErrNoMarker, ""
		}), cause: StopFailed, next: "virsh list || xm list", then: "on every node that may have had it"},
		{name: "no node fits its domain", change: also(on(cluster.Stopped, ""), func(v *View) {
			v.State.MayRun = nil
			v.Domain, v.Restricted, v.Nodes = "two", true, []string{"node2", "node3"}
			v.Members[1].Manager = false
		}), cause: NoNode, on: "node3", next: "service cman start; service lbvm start; service rgmanager start", text: []string{`"two" is restricted to node2, node3`, "rgmanager does not run on node2, node3 is away"}, then: "restricted 0"},
		{name: "recoverable", change: on(cluster.Recoverable, ""), cause: Recoverable, next: "lbm repair 101", text: []string{"when a node joins"}},
		{name: "stopped", change: on(cluster.Stopped, ""), cause: Stopped, next: "lbm repair 101", text: []string{"clusvcadm -s"}},
		{name: "the start failed", change: also(on(cluster.Stopped, ""), func(v *View) { v.Actions = []Action{start} }), cause: StartFailed, next: "lbm repair 101",
			text: []string{"Its start failed.", "start on node2 at 2010-11-17 12:59:00: vzctl start 101 ends with 43: the container's private area is missing."}, then: "lbm blackbox --failed --vm 101 on node2"},
		{name: "frozen", change: also(on(cluster.Started, "node1"), func(v *View) { v.State.Frozen = true }), cause: Frozen, next: "clusvcadm -U service:web", text: []string{"started on node1", "frozen (Z)"}},
		{name: "the share is away", change: func(v *View) { v.ShareErr = host.ErrNoMarker }, cause: ShareAway, next: "mount /gfs", text: []string{host.ErrNoMarker.Error()}, then: "lbm repair 101"},
		{name: "waits for a fencing", change: also(on(cluster.Started, "node3"), record(handoff.State{Phase: handoff.Running, Node: "node3"}),
			func(v *View) { v.Fenced["node3"] = "victim 1, its fencing is still owed" }), cause: Fencing, next: "fence_node node3", text: []string{"node3 is no member", "still owed"}, then: "fence_ack_manual node3"},
		{name: "its node was fenced", change: also(on(cluster.Started, "node3"), record(handoff.State{Phase: handoff.Running, Node: "node3"}),
			func(v *View) { v.Fenced["node3"], v.Proved["node3"] = "it was fenced since it went down", true }), cause: Busy, next: "lbm why-down 101",
			text: []string{"has been fenced (it was fenced since it went down). The manager starts it elsewhere by itself now"}, then: "look again in a moment", never: "fence_node"},
		{name: "frozen on a node that was fenced", change: also(on(cluster.Started, "node3"), func(v *View) { v.State.Frozen, v.Proved["node3"] = true, true }), cause: Frozen,
			next: "clusvcadm -U service:web; clusvcadm -d service:web; lbm repair 101", never: "fence_node"},
		{name: "confirmed, and the manager waits", change: also(on(cluster.Started, "node3"), record(handoff.State{Phase: handoff.Down})), cause: Fencing, next: "fence_node node3",
			text: []string{"Its hand-off record has it there no more"}, then: "fence_ack_manual node3", never: "lbm confirm-down 101"},
		{name: "disabled, and the share hangs", change: func(v *View) { v.Hangs, v.ShareErr = true, errors.New("hangs") }, cause: ShareHangs, next: "fence_tool ls",
			text: []string{"/gfs does not answer: its file system waits"}, then: "lbm repair 101: when it answers again"},
		{name: "it runs, and the share hangs", change: also(on(cluster.Started, "node2"), func(v *View) { v.Hangs, v.ShareErr = true, errors.New("hangs") }), cause: Running, up: true, next: "lbm show 101",
			text: []string{"/gfs does not answer"}},
		{name: "its node is lost, and the share waits for that", change: also(on(cluster.Started, "node3"), func(v *View) { v.Hangs, v.ShareErr = true, errors.New("hangs") }), cause: Fencing, next: "fence_node node3",
			text: []string{"/gfs does not answer"}, then: "fence_ack_manual node3"},
		{name: "frozen on a node that is lost", change: also(on(cluster.Started, "node3"), func(v *View) { v.State.Frozen = true }), cause: Fencing, next: "fence_node node3", then: "clusvcadm -U service:web"},
		{name: "its image is on a node that is lost", change: also(on(cluster.Stopped, ""), func(v *View) {
			v.Record, v.Published = handoff.State{Phase: handoff.Held, Node: "node3", Image: "x"}, true
		}), cause: Refused, next: "fence_node node3", text: []string{"held node3; a whole image", "nothing proves that it is off"}, then: "lbm confirm-down 101 node3"},
		{name: "it was sent to a node that is lost", change: also(on(cluster.Stopped, ""), record(handoff.State{Phase: handoff.Sent, To: "node3"})), cause: Refused, next: "fence_node node3"},
		{name: "its node left in order", change: also(on(cluster.Disabled, ""), record(handoff.State{Phase: handoff.Running, Node: "node3", Left: true})), cause: Refused,
			on: "node3", next: "service cman start; service lbvm start; service rgmanager start", then: "lbm confirm-down 101 node3"},
		{name: "its node is proved gone", change: also(on(cluster.Disabled, ""), record(handoff.State{Phase: handoff.Running, Node: "node3"}), func(v *View) { v.Gone["node3"] = true }),
			cause: Disabled, next: "lbm repair 101"},
		{name: "the record cannot be read", change: func(v *View) { v.RecordErr = handoff.ErrState }, cause: Unreadable, next: "lbm handoff 101", then: "Look at the share first"},
		{name: "no quorum", change: func(v *View) { v.Quorate = false }, cause: Inquorate, next: "cman_tool status", text: []string{"no quorum", "Away: node3."}},
		{name: "no manager here", change: func(v *View) { v.StatesErr = cluster.ErrNoStates }, cause: NoManager, next: "service rgmanager start"},
		{name: "no answer at all", change: func(v *View) { v.ManagerErr = errors.New("clustat: no") }, cause: Silent, next: "lbm doctor"},
		{name: "not published", change: func(v *View) { v.Known = false }, cause: Unpublished, next: "lbm ccs validate"},
		{name: "a state that says nothing", change: on(cluster.Unknown, ""), cause: Unclear, text: []string{"uninitialized"}},
		{name: "it works", change: also(on(cluster.Starting, "node2"), func(v *View) { v.Actions = []Action{{At: at, Node: "node1", Name: "start", Work: true}} }), cause: Busy,
			next: "lbm history 101", text: []string{"start is at work on node1"}},
		{name: "it runs", change: also(on(cluster.Started, "node2"), record(handoff.State{Phase: handoff.Running, Node: "node2"})), cause: Running, up: true, next: "lbm show 101", text: []string{"It is not down."}},
		{name: "it runs by the manager's word alone", change: also(on(cluster.Started, "node2"), record(handoff.State{Phase: handoff.NoRecord})), cause: Running, up: true, next: "lbm show 101"},
		{name: "the record says another node", change: also(on(cluster.Started, "node2"), record(handoff.State{Phase: handoff.Running, Node: "node1"})), cause: Contrary, next: "lbm handoff 101"},
		{name: "it is being moved", change: also(on(cluster.Started, "node2"), record(handoff.State{Phase: handoff.Sending, Node: "node2", To: "node1"}), func(v *View) { v.Moving = true }), cause: Busy, next: "lbm history 101"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := Explain(view(c.change))
			if a.Cause != c.cause || a.Down == c.up || a.Next != c.next || a.On != c.on || a.Text == "" {
				t.Errorf("%+v", a)
			}
			for _, want := range c.text {
				if !strings.Contains(a.Text, want) {
					t.Errorf("%q is not in %q", want, a.Text)
				}
			}
			if c.then != "" && !slices.ContainsFunc(a.Then, func(s string) bool { return strings.Contains(s, c.then) }) {
				t.Errorf("%q is not in %q", c.then, a.Then)
			}
			if all := a.Text + a.Next + strings.Join(a.Then, " "); c.never != "" && strings.Contains(all, c.never) {
				t.Errorf("%q is in %q", c.never, all)
			}
			if strings.Contains(a.Text, "..") || strings.Contains(a.Text, "\n") {
				t.Errorf("it is not one paragraph: %q", a.Text)
			}
		})
	}
}
