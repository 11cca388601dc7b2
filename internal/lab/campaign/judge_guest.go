package campaign

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
)

// judgeBoot: what holds when a guest is booted.
func (w *world) judgeBoot(a *action) {
	if l := w.litter(); len(l) > 0 {
		w.find("R18 %s boots the guest while images lie there: %v", a, l)
	}
	st := w.state()
	if (st.Phase != handoff.Starting || st.Node != a.node.name) && !w.damaged {
		w.find("R13 %s boots the guest while the record says %s %s", a, st.Phase, st.Node)
	}
	if w.boots > 0 && !w.lossy {
		w.find("I8 %s boots the guest, and nothing has happened for which its memory is lost", a)
	}
}

// judgeRestore: what holds when a memory is used.
func (w *world) judgeRestore(a *action, file string) {
	claim := filepath.Base(filepath.Dir(file))
	image := strings.TrimSuffix(strings.Replace(claim, "claim.", "image.", 1), "."+a.node.name)
	if _, err := os.Lstat(w.h(image)); !strings.HasPrefix(claim, "claim.") || err == nil {
		w.find("R16 %s restores from %s, which others can still use", a, claim)
	}
	if st := w.state(); (st.Phase != handoff.Resuming || st.Node != a.node.name) && !w.damaged {
		w.find("R13 %s restores the guest while the record says %s %s", a, st.Phase, st.Node)
	}
}

// judgeThaw: what holds when a frozen guest goes on.
func (w *world) judgeThaw(a *action) {
	if l := w.litter(); len(l) > 0 {
		w.find("R15 %s lets a frozen guest go on while images of it lie there: %v", a, l)
	}
}

// judgeFrozenKill: an image is whole before its guest is killed; a cold stop has put it out of use.
func (w *world) judgeFrozenKill(a *action) {
	if st := w.state(); len(w.litter()) > 0 && st.Phase != handoff.Held && !a.away && !a.nolock {
		w.find("R14 %s kills the frozen guest, and the record says %s", a, st.Phase)
	}
}

// judgeKill: of two guests none is killed, by who can read of the other.
func (w *world) judgeKill(a *action, n *node) {
	st := w.state()
	for _, o := range w.nodes {
		if !a.away && !a.nolock && o != n && o.has.alive() && n.has.alive() && (st.Node == o.name || st.To == o.name) {
			w.find("R26 %s ends the guest on %s while it runs on %s too", a, n.name, o.name)
		}
	}
}

func (w *world) judgePush(n, to *node) {
	if st := w.state(); (st.Phase != handoff.Sending || st.Node != n.name || st.To != to.name) && !w.damaged {
		w.find("R21 the guest is pushed from %s to %s, and the record says %s %s %s", n.name, to.name, st.Phase, st.Node, st.To)
	}
}
