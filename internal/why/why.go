// Package why tells why a service of the cluster is not running, and what to do next.
//
// Explain is a pure function: it is given what the cluster manager says, the hand-off record, what was proved of the nodes
// that it names, and what the agents did last (View), and gives one paragraph with one next command (Answer). It decides
// nothing anew: what frees a VM is told by protocol.Freeing, what a refusal of a start means by protocol's own words.
package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// Cause is why it is down.
type Cause string

// The causes.
const (
	Silent      Cause = "manager-silent" // the cluster manager could not be asked
	NoManager   Cause = "no-manager"     // it does not run on this node
	Inquorate   Cause = "inquorate"
	Unpublished Cause = "unpublished" // cluster.conf names it and the manager does not know it
	Unclear     Cause = "unclear"     // the manager's word for its state says nothing
	Running     Cause = "running"     // it is not down
	Frozen      Cause = "frozen"      // and the manager leaves it alone
	Contrary    Cause = "contrary"    // manager and record name different nodes
	Busy        Cause = "in-transition"
	Fencing     Cause = "waits-for-fencing"
	Refused     Cause = "node-not-proved-gone" // the record names a node that may still have the VM
	Unreadable  Cause = "record-unreadable"
	ShareAway   Cause = "share-away"
	ShareHangs  Cause = "share-hangs" // it is there, and does not answer
	NoNode      Cause = "no-node"     // its failover domain leaves it none
	StartFailed Cause = "start-failed"
	StopFailed  Cause = "stop-failed"
	Recoverable Cause = "recoverable"
	Disabled    Cause = "disabled"
	Stopped     Cause = "stopped"
)

// View is what is known of a service.
type View struct {
	Service  string // TYPE:NAME, as the manager calls it
	Type, VM string // "" where it holds none, or none of ours
	Self     string // this node
	Now      time.Time

	// What the manager says.
	ManagerErr error // it could not be asked at all
	StatesErr  error // it told the members and no states
	Quorate    bool
	Members    []cluster.Member
	State      cluster.Service
	Known      bool // the manager has it

	// What cluster.conf says of it.
	Domain     string
	Restricted bool     // to DomainNodes
	Nodes      []string // of the domain
	Autostart  bool
	Recovery   string

	// The shared storage and what it holds.
	Shared    string // as a path of the node; "" where the cluster has none
	ShareErr  error
	Hangs     bool // and that is its error
	Record    handoff.State
	RecordErr error
	Published bool // the image of the record is whole
	Moving    bool // a relocator is at work

	// What Pacemaker says; nil with rgmanager.
	Pacemaker *cluster.Facts

	Gone    map[string]bool   // nodes that are away and proved gone
	Fenced  map[string]string // what the fence daemon says of a node that is away
	Proved  map[string]bool   // and whether that affirms that it was fenced
	Actions []Action          // of its agents that failed or are at work, the last one last
}

// Action is what an agent did.
type Action struct {
	At   time.Time
	Node string
	Name string // start, stop
	Text string // how it ended, and why
	Work bool   // it is still at it
}

// Answer is what is told.
type Answer struct {
	Cause Cause
	Down  bool
	Text  string   // one paragraph
	Next  string   // the command to type; "" where only waiting helps
	On    string   // the node on which; "" is this one
	Then  []string // what follows, or is to be tried where the first does not help
}

// Explain says why.
func Explain(v View) Answer {
	e := &explainer{View: v}
	e.a.Down = true
	if v.Hangs {
		e.say("%s does not answer: its file system waits, usually until a node is fenced; what lies there, the hand-off record too, is not known now.", v.Shared)
	}
	if v.Pacemaker != nil {
		e.pacemaker()
	} else {
		e.explain()
	}
	e.a.Text = strings.Join(e.said, " ")
	return e.a
}

type explainer struct {
	View
	a    Answer
	said []string
}

// when is a time as lbm history writes it, in the zone of whoever asks.
func (e *explainer) when(t time.Time) string {
	return t.In(e.Now.Location()).Format("2006-01-02 15:04:05")
}

func (e *explainer) say(format string, args ...any) {
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

// end is the cause, and what to type.
func (e *explainer) end(c Cause, next string, then ...string) {
	e.a.Cause, e.a.Next, e.a.Then = c, next, then
}

// name is how commands call it: the VM, or the service.
func (e *explainer) name() string {
	if e.VM != "" {
		return e.VM
	}
	return e.Service
}

// start is the command that starts it.
func (e *explainer) start() string {
	if e.VM != "" && e.Shared != "" {
		return "lbm repair " + e.VM
	}
	return "clusvcadm -e " + e.Service
}

func (e *explainer) explain() {
	switch {
	case e.ManagerErr != nil:
		e.say("The cluster manager does not answer on this node (%v), so nobody here knows what %s is.", e.ManagerErr, e.Service)
		e.end(Silent, "lbm doctor", "service cman status; service rgmanager status")
		return
	case !e.Quorate:
		e.say("The cluster has no quorum here: the manager starts, moves and recovers nothing, and what runs is left alone.")
		if away := e.offline(); len(away) > 0 {
			e.say("Away: %s.", strings.Join(away, ", "))
		}
		e.say("It goes on by itself as soon as enough nodes are members again.")
		e.end(Inquorate, "cman_tool status", "bring the other nodes back: service cman start there")
		return
	case e.StatesErr != nil:
		e.say("rgmanager does not run on this node, or does not tell (%v).", e.StatesErr)
		e.end(NoManager, "service rgmanager start", "or ask on a node where it runs: lbm why-down "+e.name())
		return
	case !e.Known:
		e.say("cluster.conf of this node names %s, and the cluster manager does not know it: the file was not published, or the manager has dropped the element when it read it.", e.Service)
		e.end(Unpublished, "lbm ccs validate", "lbm ccs update")
		return
	}
	e.state()
}

// offline are the nodes that are no members.
func (e *explainer) offline() []string {
	var out []string
	for _, m := range e.Members {
		if !m.Online {
			out = append(out, m.Name)
		}
	}
	return out
}

func (e *explainer) online(name string) bool {
	return slices.ContainsFunc(e.Members, func(m cluster.Member) bool { return strings.EqualFold(m.Name, name) && m.Online })
}

// stateText is the manager's word.
func (e *explainer) stateText() {
	s := e.State
	what := e.Service
	if ref := e.Type + ":" + e.VM; e.VM != "" && ref != what {
		what += " (" + ref + ")"
	}
	text := fmt.Sprintf("%s is %s", what, s.State)
	if s.Owner != "" {
		text += " on " + s.Owner
	} else if s.LastOwner != "" {
		text += ", last on " + s.LastOwner
	}
	if !s.Since.IsZero() {
		text += ", since " + e.when(s.Since)
	}
	if s.Frozen {
		text += ", and frozen (Z)"
	}
	e.say("%s.", text)
}

// state goes by the manager's word.
func (e *explainer) state() {
	e.stateText()
	s, holds := e.State, false
	switch s.State {
	case cluster.Started, cluster.Starting, cluster.Stopping, cluster.Recovering, cluster.Migrating, cluster.Recoverable, cluster.Unknown:
		holds = s.Owner != ""
	}
	switch {
	case holds && !e.online(s.Owner):
		e.lost(s.Owner)
	case s.Frozen:
		e.say("The manager does not look at it, and neither stops nor starts it until it is thawed; what its VM does meanwhile nobody sees.")
		e.tellRecord()
		e.end(Frozen, "clusvcadm -U "+e.Service)
	case s.State == cluster.Started:
		e.started()
	case s.State == cluster.Unknown:
		e.say("The manager has not decided yet what it is (its states uninitialized and checking say nothing).")
		e.end(Unclear, "", "ask again in a minute; if it stays so: service rgmanager status on every node")
	case s.State == cluster.Starting, s.State == cluster.Stopping, s.State == cluster.Recovering, s.State == cluster.Migrating:
		e.busy()
	default:
		e.notRunning()
	}
}

// started: the manager says that it runs.
func (e *explainer) started() {
	r := e.Record
	if e.Shared == "" || e.ShareErr != nil || e.RecordErr != nil || e.VM == "" || r.Phase == handoff.NoRecord ||
		r.Names(e.State.Owner) && (r.Phase == handoff.Running || r.Phase == handoff.Starting || r.Phase == handoff.Resuming) {
		e.a.Down = false
		e.say("It is not down. If its node was lost just now the cluster manager may not have noticed yet: ask again in a minute.")
		if e.VM != "" {
			e.say("Whether its guest does its work nobody asks, unless it has the parameter check.")
		}
		if e.ShareErr != nil && !e.Hangs {
			e.say("This node does not see the shared storage (%v).", e.ShareErr)
		}
		next := "lbm list"
		if e.VM != "" {
			next = "lbm show " + e.name()
		}
		e.end(Running, next)
		return
	}
	if e.Moving {
		e.busy()
		return
	}
	e.tellRecord()
	e.say("Manager and record do not agree where it is.")
	e.end(Contrary, "lbm handoff "+e.VM, "look on both nodes, with the hypervisor's own list, before anything else")
}

// busy: something works on it.
func (e *explainer) busy() {
	if e.Moving {
		e.say("A relocator is at work on it.")
	}
	if a, ok := e.last(); ok && a.Work {
		e.say("Its agent's %s is at work on %s since %s.", a.Name, a.Node, e.when(a.At))
	}
	e.say("A stop may take 300 s and a migration 600 s; nothing is to be done before.")
	e.end(Busy, "lbm history "+e.name(), "if it lasts longer: lbm blackbox --vm "+e.name()+" on the node, which tells what the agent waits for")
}

func (e *explainer) last() (Action, bool) {
	if len(e.Actions) == 0 {
		return Action{}, false
	}
	return e.Actions[len(e.Actions)-1], true
}

// lost: the manager has it on a node that is away.
func (e *explainer) lost(node string) {
	if e.Proved[node] {
		e.say("%s is no member of the cluster any more, and has been fenced (%s).", node, e.Fenced[node])
		if e.State.Frozen {
			e.say("It is frozen, so that the manager leaves it there.")
			e.end(Frozen, fmt.Sprintf("clusvcadm -U %[1]s; clusvcadm -d %[1]s; lbm repair %[2]s", e.Service, e.name()))
			return
		}
		e.say("The manager starts it elsewhere by itself now, which may take a minute.")
		e.end(Busy, "lbm why-down "+e.name(), "that is: look again in a moment; if it stays so: service rgmanager status on every member")
		return
	}
	e.say("%s is no member of the cluster any more, and the manager starts nothing of it elsewhere before it has been fenced.", node)
	if text := e.Fenced[node]; text != "" {
		e.say("The fence daemon: %s.", text)
	}
	left := e.Record.Left && strings.EqualFold(e.Record.Node, node)
	if left {
		e.say("By its record it left the cluster in order, with the VM on it: no fencing speaks for it.")
	}
	if e.State.Frozen {
		e.say("It is frozen, so that the manager leaves it there, fenced or not.")
	}
	e.freeing(Fencing, node, left)
	if e.VM != "" && e.Type != stockVM && e.Shared != "" && e.ShareErr == nil && e.RecordErr == nil && !e.Record.Names(node) {
		e.say("Its hand-off record has it there no more, so that the agents wait for nobody (lbm confirm-down adds nothing to that); the manager alone does.")
		e.a.Then = slices.DeleteFunc(e.a.Then, func(t string) bool { return strings.HasPrefix(t, "lbm confirm-down ") })
	}
	if e.State.Frozen {
		e.a.Then = append(e.a.Then, fmt.Sprintf("clusvcadm -U %[1]s; clusvcadm -d %[1]s; lbm repair %[2]s: when the VM is free", e.Service, e.name()))
	}
}

// freeing are protocol's ways to free a VM, in the order in which they are to be tried.
func (e *explainer) freeing(c Cause, node string, left bool) {
	var all []string
	next := ""
	for _, s := range protocol.Freeing(e.name(), node, left) {
		if next == "" && s.Command != "" {
			next = s.Command
			e.say("`%s`: %s.", s.Command, s.What)
			continue
		}
		text := s.What
		if s.Command != "" {
			text = s.Command + ": " + text
		}
		all = append(all, text)
	}
	e.end(c, next, all...)
	if left {
		e.a.On = node
	}
}
