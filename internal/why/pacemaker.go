package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
)

// pacemaker goes by what Pacemaker says: by View.Pacemaker, which is there if it answered.
func (e *explainer) pacemaker() {
	switch {
	case e.ManagerErr != nil:
		e.say("Pacemaker does not answer on this node (%v), so nobody here knows what %s is.", e.ManagerErr, e.Service)
		e.end(Silent, "systemctl status corosync pacemaker", "lbm doctor")
		return
	case e.StatesErr != nil:
		e.say("Pacemaker does not run on this node, or does not tell (%v).", e.StatesErr)
		e.end(NoManager, "systemctl start pacemaker", "or ask on a node where it runs: lbm why-down "+e.name())
		return
	case !e.Quorate:
		e.say("The cluster has no quorum here, or no DC yet: Pacemaker starts, moves and recovers nothing.")
		if away := e.offline(); len(away) > 0 {
			e.say("Away: %s.", strings.Join(away, ", "))
		}
		e.say("It goes on by itself as soon as enough nodes are members again.")
		e.end(Inquorate, "corosync-quorumtool", "bring the other nodes back: systemctl start corosync pacemaker there")
		return
	}
	e.stateText()
	s, f := e.State, e.Pacemaker
	for i, x := range f.Fencing {
		if slices.Contains(f.Fencing[:i], x) { // in vain once more
			continue
		}
		e.say("A fencing of %s is %s.", x.Node, map[string]string{"pending": "under way", "failed": "tried in vain"}[x.Status])
	}
	switch {
	case s.Owner != "" && s.State == cluster.Unknown && !e.online(s.Owner):
		e.lost(s.Owner)
	case s.Frozen:
		e.frozenThere()
	case s.State == cluster.Started:
		e.started()
	case s.State == cluster.Unknown:
		e.say("crm_mon shows it on more than one node, or on none that is a whole member: nobody knows where it is.")
		e.failures("")
		e.tellRecord()
		e.end(Unclear, "crm_mon -1rf", "lbm handoff "+e.name())
	case s.State == cluster.Starting, s.State == cluster.Stopping, s.State == cluster.Recovering, s.State == cluster.Migrating:
		e.failures("")
		e.busy()
	case e.hindered():
	case s.State == cluster.Failed:
		e.say("Its stop failed: Pacemaker does not know whether the VM still runs, and touches it no more until that is forgotten or its node is fenced.")
		e.failures("stop")
		e.tellRecord()
		e.end(StopFailed, e.start(), "if that fails: lbm blackbox --failed --vm "+e.name()+e.where(s.Owner)+", and the hypervisor's own list there")
	case f.Restarting:
		e.say("An lbm restart has stopped it (its target-role is `stopped`, in small letters), and is still at work, or was killed: then the next pass of the balancer starts it.")
		e.tellRecord()
		e.end(Disabled, e.start(), "if it still is at work it starts it by itself")
	case s.State == cluster.Disabled:
		e.say("Its target-role is %s, which somebody has set: it stays so until it is enabled.", f.Role)
		e.failures("")
		e.tellRecord()
		e.end(Disabled, e.start())
	default:
		e.notStarted()
	}
}

// frozenThere: hands off.
func (e *explainer) frozenThere() {
	e.say("Pacemaker looks at it, and neither starts, stops nor moves it.")
	e.tellRecord()
	why := func(node string) string {
		i := slices.IndexFunc(e.Pacemaker.Nodes, func(n cluster.NodeFacts) bool { return n.Name == node })
		if i < 0 {
			return ""
		}
		return e.Pacemaker.Nodes[i].Why
	}
	switch {
	case e.Pacemaker.Maintenance:
		e.say("The whole cluster is in maintenance.")
		e.end(Frozen, "crm_attribute --name maintenance-mode --delete", "look first whether somebody is at work: all services are managed again then")
	case e.State.Owner != "" && why(e.State.Owner) == "in maintenance":
		e.say("%s is in maintenance.", e.State.Owner)
		e.end(Frozen, fmt.Sprintf("crm_attribute --node %s --name maintenance --delete", e.State.Owner))
	default:
		e.say("It is not managed.")
		e.end(Frozen, fmt.Sprintf("crm_resource --resource %s --meta --delete-parameter is-managed", e.id()))
	}
}

// notStarted: Pacemaker would run it, and does not. Each node has its reason.
func (e *explainer) notStarted() {
	f := e.Pacemaker
	var reasons []string
	next, on, cause := "", "", NoNode
	cure := func(command, node string, c Cause) {
		if next == "" {
			next, on, cause = command, node, c
		}
	}
	open := false
	for _, n := range f.Nodes {
		var why []string
		if n.Why != "" {
			why = append(why, n.Why)
		}
		for _, b := range f.Bans {
			if b.Node == n.Name {
				why = append(why, "forbidden by the constraint "+b.ID)
				cure(e.unban(b), "", NoNode)
			}
		}
		may := slices.ContainsFunc(e.State.MayRun, func(p cluster.Placement) bool { return p.Node == n.Name })
		for _, a := range f.Failures {
			if a.Node == n.Name && !may && len(why) == 0 {
				why = append(why, "its "+a.Task+" failed there")
				cure(fmt.Sprintf("crm_resource --resource %s --cleanup", e.id()), "", map[bool]Cause{true: StopFailed, false: StartFailed}[a.Task == "stop"])
			}
		}
		switch {
		case len(why) == 0 && may:
			open = true
			continue
		case len(why) == 0:
			why = append(why, "its constraints, or what it depends on, do not allow it")
		}
		switch n.Why {
		case "in standby":
			cure(fmt.Sprintf("crm_standby --node %s --delete", n.Name), "", NoNode)
		case "in maintenance":
			cure(fmt.Sprintf("crm_attribute --node %s --name maintenance --delete", n.Name), "", NoNode)
		case "offline":
			cure("systemctl start corosync pacemaker", n.Name, NoNode)
		}
		reasons = append(reasons, n.Name+" is not for it: "+strings.Join(why, "; "))
	}
	if open {
		e.say("Pacemaker may run it, and has not started it: what it depends on may be down, or it is about to.")
		next, on, cause = "crm_resource --wait", "", Stopped
	} else {
		e.say("No node can run it. %s.", strings.Join(reasons, ". "))
	}
	e.failures("")
	e.tellRecord()
	if cause == StartFailed {
		e.end(cause, next, "forgotten failures let it be tried again: mend first what the agent says; if it fails again: lbm blackbox --failed --vm "+e.name()+e.where(f.Failures[0].Node))
		return
	}
	if next == "" {
		next = "crm_simulate --live-check --show-scores"
	}
	e.end(cause, next, "crm_resource --resource "+e.id()+" --why")
	e.a.On = on
}

// unban takes a constraint away: one of crm_resource's by its own command.
func (e *explainer) unban(b cluster.Ban) string {
	if strings.HasPrefix(b.ID, "cli-ban-") {
		return fmt.Sprintf("crm_resource --resource %s --clear --node %s", e.id(), b.Node)
	}
	return fmt.Sprintf(`cibadmin --delete --xpath "//rsc_location[@id='%s']"`, b.ID)
}

// failures are the actions that failed, of one name or of all, with what the agents said.
func (e *explainer) failures(task string) {
	n := 0
	for _, a := range e.Pacemaker.Failures {
		if task != "" && a.Task != task || n == 3 {
			continue
		}
		n++
		text := fmt.Sprintf("%s of %s failed on %s", a.Task, a.Resource, a.Node)
		if !a.At.IsZero() {
			text += " at " + e.when(a.At)
		}
		text += ": " + a.Status
		if a.Reason != "" {
			text += ", " + strings.TrimSuffix(a.Reason, ".")
		}
		e.say("%s.", text)
	}
	if n == 0 && task != "" {
		e.reason()
	}
}

// id is the resource's in the CIB.
func (e *explainer) id() string {
	_, id, _ := strings.Cut(e.Service, ":")
	return id
}
