package model

import (
	"strings"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// next is a step: where it leads, and what a trace says of it.
type next struct {
	S         State
	Text      string
	N, M      uint8
	Fault     bool
	Violation string
}

// emit is a step that may come next.
func (w *world) emit(s State, text string, n, m int, fault bool, violation string) bool {
	if fault {
		if s.Faults >= w.Faults || !strings.Contains(text, w.Only) {
			return false
		}
		s.Faults++
	}
	if violation == "" {
		violation = s.check()
	}
	w.out = append(w.out, next{s, text, uint8(n), uint8(m), fault, violation})
	return true
}

// to is a step of the agent on n to pc.
func (w *world) to(s State, n int, pc uint8, text string) {
	s.N[n].A.PC = pc
	w.emit(s, text, n, nobody, false, "")
}

// exit ends an agent and tells rgmanager.
func (w *world) exit(s State, n, rc int, text string) { w.exits(s, n, rc, text, false, "") }

func (w *world) exits(s State, n, rc int, text string, fault bool, violation string) {
	nd := &s.N[n]
	a := nd.A
	if a.Kind == aStop && rc == 0 && !s.clean(n) {
		violation = "I4 a stop succeeds and the node is not clean"
	}
	if a.Kind == aStart && rc == 0 {
		for i := range s.Img {
			if s.Img[i].Loc != iNone {
				violation = "I7 an image is left after a start"
			}
		}
		if s.Used != 0 || s.Tk.There && !s.Tk.Live {
			violation = "I7 a ticket is left after a start"
		}
	}
	nd.A = Agent{Tgt: nobody}
	if nd.Lock == 1 {
		nd.Lock = 0
	}
	nd.RC = 0
	if a.Kind == aStop {
		nd.Here, nd.Sick = false, false
	}
	if a.Kind == aStart && rc == 0 {
		nd.Here, nd.Sick = true, false
	}
	if !a.Init {
		s.result(n, rc)
	} else if nd.Life == joining {
		nd.Life = up
	}
	w.emit(s, text, n, nobody, fault, violation)
}

// writes is a step that writes the record and goes on at pc.
func (w *world) writes(s State, n int, phase, to, t, pc uint8, text string) {
	v := w.write(&s, n, phase, to, t)
	s.N[n].A.PC = pc
	w.emit(s, text, n, nobody, false, v)
}

// lastWrite is a stop's last write, after which it succeeds. Without room for it a clean node is enough.
func (w *world) lastWrite(s State, n int, phase, to, t uint8, text string) {
	if w.on[NoSpace] && s.clean(n) {
		w.exits(s, n, 0, "stop: no room for the record, the node is clean: exit 0", true, "")
	}
	v := w.write(&s, n, phase, to, t)
	w.exits(s, n, 0, text, false, v)
}

// tool starts one under the agent on n. Beside one that has lost its keeper it fails: the VM is locked.
func (s *State) tool(n int, kind, img uint8) {
	nd := &s.N[n]
	if nd.Tool != tNone {
		nd.RC = 2
		return
	}
	nd.Tool, nd.TImg, nd.RC = kind, img, 0
}

func (w *world) agent(s State, n int) {
	nd := &s.N[n]
	if nd.Away && nd.A.Kind != aStop || nd.Away && nd.A.PC != sLook && nd.A.PC < sAlone {
		rc := 1
		if nd.A.Kind == aMigrate && nd.A.PC == 0 {
			rc = 150
		}
		if !nd.waits() {
			w.exit(s, n, rc, "the share is away: the action is given up")
		}
		return
	}
	if nd.A.Stale && w.mend[15] && nd.A.durable() {
		w.exit(s, n, 1, "another has written: the action is given up")
		return
	}
	switch nd.A.Kind {
	case aStop:
		w.stop(s, n)
	case aStart:
		w.start(s, n)
	case aMigrate:
		w.migrate(s, n)
	}
}

// durable: the agent's next step changes something on the share. Tools, and looks, ask nobody.
func (a *Agent) durable() bool {
	switch a.Kind {
	case aStop:
		switch a.PC {
		case sFail, sPublish, sPublished, sTakeOver, sTakeOverRun, sThawDrop, sThawRun, sSending, sSuspending, sPart, sNote, sName,
			sHeld, sSuspended, sGiveDrop, sGiveRun:
			return true
		}
	case aStart:
		switch a.PC {
		case bDrop, bAdopt, bDiscard, bStarting, bRunning, bClaim, bResuming, bResumed, bUnclaim, bFail, bTidy:
			return true
		}
	case aMigrate:
		return a.PC == mDecide
	}
	return false
}

// startMigration begins the tool; the target shows the copy at once.
func (w *world) startMigration(s State, n int, pc uint8) {
	nd := &s.N[n]
	t := nd.A.Tgt
	tg := &s.N[t]
	nd.A.PC, nd.RC = pc, 0
	// A hypervisor knows nothing of the cluster: what has left it still takes guests.
	if nd.G != gRun || tg.G != gNone || tg.Life != up && (w.mend[18] || tg.Life != left) || nd.Tool != tNone {
		nd.RC = 2
		w.emit(s, "the migration tool refuses", n, int(t), false, "")
		return
	}
	nd.Tool, nd.TTgt = tMig, t
	nd.G, tg.G = gMig, gIn
	w.emit(s, "the migration tool begins", n, int(t), false, "")
}

// The steps of a migrate.
const (
	mLock uint8 = iota
	mDecide
	mTool
	mWait
)

func (w *world) migrate(s State, n int) {
	nd := &s.N[n]
	a := &nd.A
	switch a.PC {
	case mLock:
		nd.File = nd.Boot
		if !w.lockFree(&s, n) {
			w.exit(s, n, 150, "migrate: no lock, exit 150")
			return
		}
		nd.Lock = 1
		w.endOrphans(&s, n)
		w.to(s, n, mDecide, "migrate: takes the lock")
	case mDecide:
		r := protocol.Find(w.Tables.Migrate, w.view(&s, n))
		if r.Do != protocol.SendLive || s.N[a.Tgt].Life != up {
			w.exit(s, n, 150, "migrate: "+r.Name+", refused, exit 150")
			return
		}
		w.writes(s, n, pSending, a.Tgt, 0, mTool, "migrate: record is sending")
	case mTool:
		w.startMigration(s, n, mWait)
	case mWait:
		if nd.waits() {
			return
		}
		switch {
		case nd.RC == 1 && s.clean(n):
			v := w.write(&s, n, pSent, a.Tgt, 0)
			w.exits(s, n, 0, "migrate: record is sent, exit 0", false, v)
		case nd.G == gRun:
			v := w.write(&s, n, pRunning, nobody, 0)
			w.exits(s, n, 150, "migrate: failed, healthy here, record is running, exit 150", false, v)
		default:
			w.exit(s, n, 1, "migrate: nobody knows where it is, exit 1")
		}
	}
}
