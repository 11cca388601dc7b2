package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
)

// held is the VM's service as the cluster manager has it.
type held struct {
	svc   cluster.Service
	found bool
	err   error
}

// service asks the cluster manager, which may be in trouble itself.
func (w world) service(ctx context.Context, typ, vm string) held {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	st, err := w.manager().Status(ctx)
	for _, s := range st.Services {
		if s.VMType == typ && s.VM == vm {
			return held{s, true, err}
		}
	}
	return held{err: err}
}

func (h held) text() string {
	switch {
	case h.err != nil:
		return fmt.Sprintf("not known: %v", h.err)
	case !h.found:
		return "no service of the cluster holds it"
	}
	text := fmt.Sprintf("clustat: %s is %s", h.svc.ID, h.svc.State)
	if h.svc.Owner != "" {
		text += " on " + h.svc.Owner
	}
	if h.svc.Frozen {
		text += ", and frozen (Z)"
	}
	return text
}

// waits tells what else keeps the VM from being started when the record names node no more; "" is nothing.
func (h held) waits(node string, left bool) string {
	if h.err != nil || !h.found || !strings.EqualFold(h.svc.Owner, node) {
		return ""
	}
	switch h.svc.State {
	case cluster.Failed, cluster.Stopped, cluster.Disabled:
		return ""
	}
	a := &move.Away{Type: h.svc.VMType, VM: h.svc.VM, Node: node, Service: h.svc.ID, Left: left, Frozen: h.svc.Frozen, Held: true}
	if h.svc.Frozen {
		return awayText(a)
	}
	return fmt.Sprintf("The cluster manager still has %s on %s, and waits until %s is fenced: it starts nothing before, whatever the record says. What ends that frees the VM too:\n%s",
		h.svc.ID, node, node, strings.TrimPrefix(awayText(a), "what to do, in this order:\n"))
}

// showEvidence prints what is known of a node that is to be confirmed as off.
func (w world) showEvidence(ctx context.Context, a amend.Amender, st handoff.State, node string, h held) error {
	e := membership.EvidenceOf(ctx, a.Members, node)
	rows := [][]string{{"members", e.Member}, {"fencing", e.Fencing}, {"boot", w.bootText(a.Shared, node, st)}, {"record", recordText(st)}, {"manager", w.inItsWords(h.text())}}
	return term.Table(w.stdout, []string{"WHAT", "SAYS OF " + node}, rows)
}

// bootText compares the boot of a record with the one that its node has told of last.
func (w world) bootText(shared, node string, st handoff.State) string {
	f, err := host.ReadFacts(shared, node)
	said := ""
	if err == nil && !f.At.IsZero() {
		said = fmt.Sprintf(", %s ago", w.clock.Now().Sub(f.At).Round(time.Second))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return node + " has never told of its boot"
	case err != nil:
		return fmt.Sprintf("not known: %v", err)
	case !strings.EqualFold(st.Node, node) || st.Boot == "":
		return fmt.Sprintf("%s was heard of in boot %s%s; no boot speaks for what was sent to it", node, short8(f.Boot), said)
	case f.Boot == st.Boot:
		return fmt.Sprintf("the record is of boot %s, and %s was last heard of in that boot%s: it has not come up anew", short8(st.Boot), node, said)
	}
	return fmt.Sprintf("the record is of boot %s, and %s has been up in boot %s since%s: what it had is gone", short8(st.Boot), node, short8(f.Boot), said)
}

func short8(boot string) string {
	if len(boot) > 8 {
		return boot[:8] + ".."
	}
	return boot
}

func recordText(st handoff.State) string {
	text := amend.Place(st)
	if st.Agent != "" {
		text += ", written by " + st.Agent
	}
	return text
}
