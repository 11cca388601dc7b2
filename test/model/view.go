package model

import (
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// view is what an agent on n sees: all that its tables decide by.
func (w *world) view(s *State, n int) protocol.View {
	me, nd := uint8(n), &s.N[n]
	v := protocol.View{Phase: handoff.Phase(s.St.Phase), Mine: s.St.Node == me, ToMe: s.St.To == me, Sick: nd.Sick, Known: nd.Here}
	switch nd.G {
	case gNone:
		v.Guest = protocol.Absent
		if nd.Mounted {
			v.Guest = protocol.Remains
		}
	case gRun:
		v.Guest = protocol.Running
	case gFrozen:
		v.Guest = protocol.Running
		if w.Sees {
			v.Guest = protocol.Frozen
		}
	case gMig:
		v.Guest = protocol.Leaving
	case gIn, gArr:
		v.Guest = protocol.Torso
		if nd.G == gArr {
			v.Guest = protocol.Arriving
		}
		if v.Mine { // nothing is sent to the node that has it
			v.Guest = protocol.Remains
		}
	case gHalf:
		v.Guest, v.Still, v.Handed = protocol.Leaving, true, true
	}
	v.Idle = nd.A.Kind == aNone && !nd.waits()
	v.NodeGone = !v.Mine && w.gone(s, s.St.Node, s.St.Boot, true)
	v.ToGone = !v.ToMe && w.gone(s, s.St.To, s.St.ToBoot, false)
	if s.St.T != 0 && s.St.T != lost {
		im := &s.Img[s.St.T-1]
		v.Image = im.Loc == iPub
		v.Part = w.OpenVZ && s.St.Phase == pSuspending && v.Mine && s.St.Boot == nd.Boot && im.Loc == iPart && im.Noted
	}
	return v
}

// gone is the proof that a node of the record is dead.
func (w *world) gone(s *State, y, boot uint8, isNode bool) bool {
	if y >= nodes {
		return false
	}
	n := &s.N[y]
	if (isNode || !w.mend[6]) && n.File != boot {
		return true
	}
	if s.St.Left && isNode {
		return false
	}
	if w.on[OldFencing] && n.Affirmed && (n.Life == left || n.Life == downLeft) {
		return true
	}
	return n.Life == down
}

// clean: nothing of the guest is on n.
func (s *State) clean(n int) bool { return s.N[n].G == gNone && !s.N[n].Mounted }

// waits: the agent on n waits for its tool.
func (nd *Node) waits() bool { return nd.Tool != tNone && !nd.Loose }

// lockFree: an agent on n gets the lock at once, and its node's own, which an orphan tool's keeper holds as well.
func (w *world) lockFree(s *State, n int) bool {
	if n < nodes && s.N[n].waits() {
		return false
	}
	for i := range s.N {
		if w.on[LocalLocks] && i != n {
			continue
		}
		if s.N[i].Lock != 0 {
			return false
		}
	}
	return true
}

// write is a write of the record, by n, or by the administrator where n is nobody.
func (w *world) write(s *State, n int, phase, to, t uint8) (violation string) {
	if n < nodes && s.N[n].Lock == 0 && !s.N[n].A.Lost { // who lost it does not know
		violation = "I6 the record is written without the lock"
	}
	if n < nodes && s.N[n].A.Kind == aStop && !s.N[n].A.Own {
		violation = "I5 a bystander's stop writes the record"
	}
	s.St = Record{Phase: phase, Node: uint8(n), To: to, T: t}
	if phase == pDown || phase == pSuspended || phase == pSent {
		s.St.Node = nobody
	} else if n < nodes {
		s.St.Boot = s.N[n].Boot
	}
	if to < nodes && !w.mend[6] {
		s.St.ToBoot = s.N[to].File
	}
	for i := range s.R {
		s.R[i].Fresh = false
	}
	s.Tk.OK = false
	for i := range s.N {
		if i != n && (s.N[i].A.Lost || s.N[i].Lock == 1) {
			s.N[i].A.Stale = true
		}
	}
	return violation
}

func (s *State) drop(slot int) {
	s.Img[slot] = Image{Node: nobody}
	if int(s.St.T) == slot+1 {
		s.St.T = lost
	}
}

// dropOne takes one image out of use; false when none is left.
func (s *State) dropOne() bool {
	for i := range s.Img {
		if s.Img[i].Loc != iNone {
			s.drop(i)
			return true
		}
	}
	return false
}

// touched: a guest writes to the disk from now on, and every dump is too old.
func (s *State) touched() {
	for i := range s.Img {
		if s.Img[i].Loc != iNone {
			s.Img[i].Stale = true
		}
	}
}

func (s *State) thaw(n int) {
	if s.N[n].G == gFrozen {
		s.N[n].G = gRun
		s.touched()
	}
}
