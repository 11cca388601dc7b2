package why

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
)

// For each thing that keeps Pacemaker from running a service the cause, the next command and what the text has to name.
func TestExplainPacemaker(t *testing.T) {
	up := []cluster.NodeFacts{{Name: "n1"}, {Name: "n2"}}
	failed := func(task, node string) cluster.FailedAction {
		return cluster.FailedAction{Resource: "web1", Node: node, Task: task, Status: "error", Reason: "the disk is missing", At: time.Unix(1300000000, 0)}
	}
	may := func(nodes ...string) (out []cluster.Placement) {
		for _, n := range nodes {
			out = append(out, cluster.Placement{Node: n})
		}
		return out
	}
	for name, x := range map[string]struct {
		state  cluster.Service
		facts  cluster.Facts
		record handoff.State
		edit   func(v *View)
		cause  Cause
		down   bool
		next   string
		says   []string
	}{
		"it runs":            {state: cluster.Service{State: cluster.Started, Owner: "n1"}, facts: cluster.Facts{Nodes: up}, record: handoff.State{Phase: handoff.Running, Node: "n1"}, cause: Running, next: "lbm show web1"},
		"disabled":           {state: cluster.Service{State: cluster.Disabled}, facts: cluster.Facts{Nodes: up, Role: "Stopped"}, cause: Disabled, down: true, next: "lbm repair web1", says: []string{"target-role is Stopped"}},
		"a killed restart":   {state: cluster.Service{State: cluster.Disabled}, facts: cluster.Facts{Nodes: up, Role: "stopped", Restarting: true}, cause: Disabled, down: true, next: "lbm repair web1", says: []string{"An lbm restart has stopped it"}},
		"a stop that failed": {state: cluster.Service{State: cluster.Failed, Owner: "n1"}, facts: cluster.Facts{Nodes: up, Failures: []cluster.FailedAction{failed("start", "n2"), failed("stop", "n1")}}, cause: StopFailed, down: true, next: "lbm repair web1", says: []string{"stop of web1 failed on n1 at 2011-03-13 07:06:40: error, the disk is missing."}},
		"a start that failed everywhere": {state: cluster.Service{State: cluster.Stopped}, facts: cluster.Facts{Nodes: up, Failures: []cluster.FailedAction{failed("start", "n1"), failed("start", "n2")}}, cause: StartFailed, down: true,
			next: "crm_resource --resource web1 --cleanup", says: []string{"n1 is not for it: its start failed there", "the disk is missing"}},
		"a ban and a standby": {state: cluster.Service{State: cluster.Stopped}, facts: cluster.Facts{Nodes: []cluster.NodeFacts{{Name: "n1"}, {Name: "n2", Why: "in standby"}}, Bans: []cluster.Ban{{ID: "cli-ban-web1-on-n1", Node: "n1"}}}, cause: NoNode, down: true,
			next: "crm_resource --resource web1 --clear --node n1", says: []string{"n1 is not for it: forbidden by the constraint cli-ban-web1-on-n1", "n2 is not for it: in standby"}},
		"a rule of an administrator's": {state: cluster.Service{State: cluster.Stopped}, facts: cluster.Facts{Nodes: up, Bans: []cluster.Ban{{ID: "l1", Node: "n1"}, {ID: "l1", Node: "n2"}}}, cause: NoNode, down: true, next: `cibadmin --delete --xpath "//rsc_location[@id='l1']"`},
		"all in standby":               {state: cluster.Service{State: cluster.Stopped}, facts: cluster.Facts{Nodes: []cluster.NodeFacts{{Name: "n1", Why: "in standby"}, {Name: "n2", Why: "offline"}}}, cause: NoNode, down: true, next: "crm_standby --node n1 --delete"},
		"a dependency":                 {state: cluster.Service{State: cluster.Stopped}, facts: cluster.Facts{Nodes: up}, cause: NoNode, down: true, next: "crm_simulate --live-check --show-scores", says: []string{"its constraints, or what it depends on"}},
		"it is about to":               {state: cluster.Service{State: cluster.Stopped, MayRun: may("n1")}, facts: cluster.Facts{Nodes: up}, cause: Stopped, down: true, next: "crm_resource --wait"},
		"maintenance":                  {state: cluster.Service{State: cluster.Stopped, Frozen: true}, facts: cluster.Facts{Nodes: up, Maintenance: true}, cause: Frozen, down: true, next: "crm_attribute --name maintenance-mode --delete"},
		"its node in maintenance":      {state: cluster.Service{State: cluster.Started, Owner: "n1", Frozen: true}, facts: cluster.Facts{Nodes: []cluster.NodeFacts{{Name: "n1", Why: "in maintenance"}}}, cause: Frozen, down: true, next: "crm_attribute --node n1 --name maintenance --delete"},
		"not managed":                  {state: cluster.Service{State: cluster.Stopped, Frozen: true}, facts: cluster.Facts{Nodes: up, Unmanaged: true}, cause: Frozen, down: true, next: "crm_resource --resource web1 --meta --delete-parameter is-managed"},
		"a node is lost, its fencing under way": {state: cluster.Service{Owner: "n3"}, facts: cluster.Facts{Nodes: up, Fencing: []cluster.FencingAction{{Node: "n3", Status: "pending"}, {Node: "n3", Status: "failed"}, {Node: "n3", Status: "failed"}}}, record: handoff.State{Phase: handoff.Running, Node: "n3"}, cause: Fencing, down: true,
			next: "fence_node n3", says: []string{"A fencing of n3 is under way. A fencing of n3 is tried in vain. n3 is"}}, // lbm puts it into Pacemaker's words
		"the record names a node that is away": {state: cluster.Service{State: cluster.Disabled}, facts: cluster.Facts{Nodes: up, Role: "Stopped"}, record: handoff.State{Phase: handoff.Running, Node: "n3"}, cause: Refused, down: true, next: "fence_node n3"},
		"nobody knows":                         {state: cluster.Service{}, facts: cluster.Facts{Nodes: up}, cause: Unclear, down: true, next: "crm_mon -1rf"},
		"on its way":                           {state: cluster.Service{State: cluster.Starting, Owner: "n1"}, facts: cluster.Facts{Nodes: up, Failures: []cluster.FailedAction{failed("start", "n2")}}, cause: Busy, down: true, next: "lbm history web1", says: []string{"start of web1 failed on n2"}},
		"no quorum":                            {edit: func(v *View) { v.Quorate = false }, cause: Inquorate, down: true, next: "corosync-quorumtool"},
		"Pacemaker does not run here":          {edit: func(v *View) { v.StatesErr, v.Quorate = errors.New("not connected"), false }, cause: NoManager, down: true, next: "systemctl start pacemaker"},
		"it does not answer":                   {edit: func(v *View) { v.ManagerErr = errors.New("no answer") }, cause: Silent, down: true, next: "systemctl status corosync pacemaker"},
		"the share is away":                    {state: cluster.Service{State: cluster.Disabled}, edit: func(v *View) { v.ShareErr = errors.New("no marker") }, cause: ShareAway, down: true, next: "mount /gfs"},
	} {
		t.Run(name, func(t *testing.T) {
			x.state.ID = "primitive:web1"
			v := View{Service: "primitive:web1", Type: "kvm", VM: "web1", Self: "n1", Now: time.Unix(1300000100, 0).UTC(), Quorate: true, Members: []cluster.Member{{Name: "n1", Online: true}, {Name: "n2", Online: true}, {Name: "n3"}},
				State: x.state, Known: true, Shared: "/gfs", Record: x.record, Pacemaker: &x.facts, Gone: map[string]bool{}, Fenced: map[string]string{}, Proved: map[string]bool{}}
			if x.edit != nil {
				x.edit(&v)
			}
			a := Explain(v)
			if a.Cause != x.cause || a.Down != x.down || a.Next != x.next {
				t.Errorf("%s, down %v, next %q: %s", a.Cause, a.Down, a.Next, a.Text)
			}
			for _, s := range x.says {
				if !strings.Contains(a.Text, s) {
					t.Errorf("%q is not in %s", s, a.Text)
				}
			}
			for _, s := range append(a.Then, a.Text, a.Next) {
				if s = cluster.InWordsOf(cluster.NamePacemaker, s); strings.Contains(s, "clusvcadm") || strings.Contains(s, "rgmanager") || strings.Contains(s, "cman") || strings.Contains(s, "fence_") {
					t.Errorf("rgmanager's word: %s", s)
				}
			}
		})
	}
}
