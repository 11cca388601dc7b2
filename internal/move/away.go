package move

import (
	"context"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
)

// Away is the error of a request that nothing can be done about for now: a node that has the VM, by its record or by
// the cluster manager, is no member of the cluster and is not proved dead. What frees the VM protocol.Freeing tells.
type Away struct {
	Type, VM string
	Node     string
	Service  string
	Found    string // what manager and record say
	Left     bool   // by the record it left the cluster in order
	Frozen   bool   // the service: the cluster manager leaves it alone, fenced or not
	Held     bool   // the cluster manager has the service on Node, and waits too
	Named    bool   // by the record too
	Doubt    error  // why nobody could tell whether it is dead; nil: it was told that it is not proved
}

func (a *Away) Error() string {
	frees := "is fenced or has booted anew"
	if a.Left {
		frees = "has booted anew (it left the cluster in order, and no fencing speaks for it)"
	}
	found := a.Found
	if a.Doubt != nil {
		found += fmt.Sprintf("; %v", a.Doubt)
	}
	switch {
	case !a.Named && a.Frozen:
		return fmt.Sprintf("no agent waits for %s, but the cluster manager has %s on it, though it is no member any more, and leaves it there: it is frozen (%s)", a.Node, a.Service, found)
	case !a.Named:
		return fmt.Sprintf("no agent waits for %s, but the cluster manager has %s on it, though it is no member any more, and starts nothing until it is fenced or has booted anew (%s)", a.Node, a.Service, found)
	}
	return fmt.Sprintf("node %s has %s:%s, is no member of the cluster any more and is not proved dead (%s): no node starts the VM until %s %s; lbm handoff %s tells what to do",
		a.Node, a.Type, a.VM, found, a.Node, frees, a.VM)
}

// Unwrap gives the doubt.
func (a *Away) Unwrap() error { return a.Doubt }

// away finds the node on which all waits; nil where there is none. Only a node of which the manager says that it is
// not online is asked about.
func (m Mover) away(ctx context.Context, st cluster.Status, svc cluster.Service, rec handoff.State) *Away {
	for _, x := range []struct {
		node, boot string
		left       bool
	}{{rec.Node, rec.Boot, rec.Left}, {rec.To, "", false}, {svc.Owner, "", false}} {
		if x.node == svc.Owner && x.node != rec.Node && !holds(svc) {
			continue
		}
		if x.node == "" || online(st, x.node) {
			continue
		}
		if strings.EqualFold(x.node, rec.Node) { // its boot speaks for an owner too
			x.boot, x.left = rec.Boot, rec.Left
		}
		var doubt error
		if m.Gone != nil {
			gone, err := m.Gone(ctx, x.node, x.boot, x.left)
			if gone && err == nil {
				continue
			}
			doubt = err
		}
		named := strings.EqualFold(x.node, rec.Node) || strings.EqualFold(x.node, rec.To)
		return &Away{Named: named, Held: holds(svc) && strings.EqualFold(svc.Owner, x.node), Doubt: doubt, Type: svc.VMType, VM: svc.VM, Node: x.node, Service: svc.ID, Left: x.left, Frozen: svc.Frozen, Found: foundText(svc, rec)}
	}
	return nil
}

// holds tells whether the manager has a service on its owner.
func holds(svc cluster.Service) bool {
	switch svc.State {
	case cluster.Failed, cluster.Stopped, cluster.Disabled:
		return false
	}
	return svc.Owner != ""
}

// lost says what is with a VM whose service the manager has on a node that is away.
func (m Mover) lost(ctx context.Context, st cluster.Status, svc cluster.Service, r Request) error {
	rec, err := m.record(r)
	if err != nil {
		return fmt.Errorf("%s, which is no member of the cluster any more: %w", foundText(svc, handoff.State{Phase: handoff.NoRecord}), err)
	}
	if a := m.away(ctx, st, svc, rec); a != nil {
		return a
	}
	then := fmt.Sprintf("the cluster manager starts it on another node now; if it does not within a minute or two: clusvcadm -d %s, then lbm repair %s", svc.ID, r.VM)
	if svc.Frozen {
		then = fmt.Sprintf("it is frozen, and the cluster manager leaves it there: clusvcadm -U %[1]s, clusvcadm -d %[1]s, then lbm repair %[2]s", svc.ID, r.VM)
	}
	return fmt.Errorf("%s; %s is proved dead: %s", foundText(svc, rec), svc.Owner, then)
}

// foundText is what manager and record say of a VM.
func foundText(svc cluster.Service, rec handoff.State) string {
	text := fmt.Sprintf("%s is %s", svc.ID, svc.State)
	if svc.Owner != "" {
		text += " on " + svc.Owner
	}
	if svc.Frozen {
		text += " and frozen"
	}
	if rec.Phase == handoff.NoRecord {
		return text
	}
	return text + ", and the record says " + words(rec)
}

func online(st cluster.Status, node string) bool {
	for _, x := range st.Members {
		if strings.EqualFold(x.Name, node) {
			return x.Online
		}
	}
	return false
}
