package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/move"
)

// unknownText is for a request that was made, and whose VM was on a node that is away since.
func unknownText(a *move.Away) string {
	proof := "nothing proves that it is off"
	if a.Doubt != nil {
		proof = a.Doubt.Error()
	}
	return fmt.Sprintf("what became of %s:%s is not known: %s, which had it, is no member of the cluster any more\n"+
		"  known:      %s\n"+
		"  not known:  whether %s is off and the VM with it: %s. No node starts the VM before that is proved\n%s\n"+
		"lbm handoff %s tells what comes of the VM then, clustat what the cluster manager does",
		a.Type, a.VM, a.Node, a.Found, a.Node, proof, awayText(a), a.VM)
}

// awayText says what to do, in the order in which it is to be tried.
func awayText(a *move.Away) string {
	steps := protocol.Freeing(a.VM, a.Node, a.Left)
	if !a.Named { // the agents wait for nobody, only the cluster manager does
		steps = steps[:2]
	}
	text := "what to do, in this order:\n"
	if a.Held && a.Frozen {
		if !a.Named {
			text, steps = "", nil
		}
		return text + stepsText(steps) + fmt.Sprintf("  %s is frozen, and the cluster manager leaves it on %s. When the VM is free:\n"+
			"    clusvcadm -U %[1]s; clusvcadm -d %[1]s; lbm repair %[3]s", a.Service, a.Node, a.VM)
	}
	text += stepsText(steps)
	if !a.Held {
		text += fmt.Sprintf("  The cluster manager has given %s up. When the VM is free: lbm repair %s\n", a.Service, a.VM)
	}
	return strings.TrimSuffix(text, "\n")
}

// stepsText are the ways to free a VM, one below the other.
func stepsText(steps []protocol.Step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.Command == "" {
			fmt.Fprintf(&b, "  %s\n", s.What)
			continue
		}
		fmt.Fprintf(&b, "  %s\n      %s\n", s.Command, s.What)
	}
	return b.String()
}

// progressEvery is how often it is told what is waited for, though it is still the same.
const progressEvery = 15 * time.Second

// progress tells a person at a terminal what is waited for; nil where nobody sits there.
func (w world) progress() func(what string) {
	if !w.terminal {
		return nil
	}
	begun, start := w.wait.Now(), w.clock.Now()
	last, said := "", begun
	return func(what string) {
		now := w.wait.Now()
		if after := now.Sub(said); after < progressEvery && (what == last || after < progressStep) {
			return
		}
		last, said = what, now
		fmt.Fprintf(w.stderr, "  %4s  waiting for %s\n", w.clock.Now().Sub(start).Round(time.Second), what)
	}
}

// progressStep is how soon something else that is waited for is told.
const progressStep = 2 * time.Second
