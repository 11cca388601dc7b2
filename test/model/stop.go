package model

import "github.com/lbvm/lbvm/internal/handoff/protocol"

// The steps of a stop. Between any two the agent may be killed.
const (
	sLook uint8 = iota // without the lock
	sLock
	sDecide // under it
	sClean  // what is left is destroyed
	sFail   // images are put aside, then the record is down
	sPublish
	sPublished
	sTakeOver
	sTakeOverRun
	sThawDrop
	sThaw
	sThawRun
	sCold
	sColdWait
	sSending
	sSend
	sSendWait
	sSuspending
	sPart
	sFreeze
	sDump
	sDumpWait
	sNote
	sName // .part becomes the image
	sHeld
	sKill
	sUnmount
	sSuspended
	sSaveWait
	sGiveDrop // the memory cannot be kept
	sGiveThaw
	sGiveRun
	sAlone // without the share; all behind writes nothing
	sAloneTool
	sAloneWait
)

func (w *world) stop(s State, n int) {
	nd := &s.N[n]
	a := &nd.A
	switch a.PC {
	case sLook:
		w.stopLook(s, n)
	case sLock:
		if w.lockFree(&s, n) {
			nd.Lock = 1
			w.endOrphans(&s, n)
			w.to(s, n, sDecide, "stop: takes the lock")
		} else {
			w.exit(s, n, 1, "stop: no lock, exit 1")
		}
	case sDecide:
		w.stopDecide(s, n)
	case sClean:
		nd.G, nd.Mounted = gNone, false
		pc := sLook
		if nd.Lock == 1 || a.Lost {
			pc = sDecide
		}
		w.to(s, n, pc, "stop: destroys what is left")
	case sFail:
		if s.dropOne() {
			w.to(s, n, sFail, "stop: puts an image aside")
			return
		}
		w.lastWrite(s, n, pDown, nobody, 0, "stop: record is down, exit 0")
	case sPublish:
		s.Img[a.Img-1].Loc = iPub
		w.to(s, n, sPublished, "stop: publishes the dump")
	case sPublished, sSuspended:
		w.lastWrite(s, n, pSuspended, nobody, a.Img, "stop: record is suspended, exit 0")
	case sTakeOver:
		if s.dropOne() {
			w.to(s, n, sTakeOver, "stop: discards an image")
			return
		}
		w.to(s, n, sTakeOverRun, "stop: no image is left")
	case sTakeOverRun:
		w.writes(s, n, pRunning, nobody, 0, sDecide, "stop: record is running, looks again")
	case sThawDrop, sThaw, sThawRun, sGiveDrop, sGiveThaw, sGiveRun:
		w.stopThaw(s, n)
	case sCold, sColdWait:
		w.stopCold(s, n)
	case sSending, sSend, sSendWait:
		w.stopLive(s, n)
	case sAlone, sAloneTool, sAloneWait:
		w.stopAlone(s, n)
	default:
		w.stopImage(s, n)
	}
}

// stopLook is the look without the lock.
func (w *world) stopLook(s State, n int) {
	nd := &s.N[n]
	if nd.Away {
		w.to(s, n, sAlone, "stop: the share is away")
		return
	}
	r := protocol.Find(w.Tables.Look, w.view(&s, n))
	switch r.Do {
	case protocol.GoOn:
		nd.File = nd.Boot // its boot is published before it waits for the lock
		w.to(s, n, sLock, "stop: "+r.Name+", wants the lock")
	case protocol.Nothing:
		w.exit(s, n, 0, "stop: "+r.Name+", exit 0")
	case protocol.DestroyAndLook:
		w.to(s, n, sClean, "stop: "+r.Name)
	default: // a wait is that this step does not come
		w.exit(s, n, 1, "stop: "+r.Name+", exit 1")
	}
}

// stopDecide takes the row for what is found under the lock, and begins its deed.
func (w *world) stopDecide(s State, n int) {
	a := &s.N[n].A
	a.Img = 0
	v := w.view(&s, n)
	a.Own = v.Here() || v.Named() || v.Announced()
	r := protocol.Find(w.Tables.Stop, v)
	text := "stop: " + r.Name
	switch r.Do {
	case protocol.Nothing:
		w.exit(s, n, 0, text+", exit 0")
	case protocol.AwaitOrDestroy:
		s.N[n].A.PC = sClean
		w.emit(s, text+", hangs", n, nobody, !v.Still, "") // half a copy never goes on
	case protocol.DestroyAndLook:
		w.to(s, n, sClean, text)
	case protocol.RecordDown, protocol.RecordLost:
		w.lastWrite(s, n, pDown, nobody, 0, text+", record is down, exit 0")
	case protocol.RecordSent:
		w.lastWrite(s, n, pSent, s.St.To, 0, text+", record is sent, exit 0")
	case protocol.RecordSuspended:
		w.lastWrite(s, n, pSuspended, nobody, s.St.T, text+", record is suspended, exit 0")
	case protocol.PublishDump:
		a.Img = s.St.T
		w.to(s, n, sPublish, text)
	case protocol.FailImages:
		w.to(s, n, sFail, text)
	case protocol.TakeArrival:
		w.writes(s, n, pRunning, nobody, 0, sDecide, text+", record is running, looks again")
	case protocol.TakeOver:
		w.to(s, n, sTakeOver, text)
	case protocol.KillHeld:
		a.Img = s.St.T
		w.to(s, n, sKill, text)
	case protocol.HoldAndKill:
		a.Img = s.St.T
		w.to(s, n, sHeld, text)
	case protocol.ThawAndLook:
		w.to(s, n, sThawDrop, text)
	case protocol.ColdStop:
		w.to(s, n, sCold, text)
	case protocol.ChooseWay:
		w.stopWay(s, n, v)
	default:
		w.exit(s, n, 1, text+", exit 1")
	}
}

// stopWay chooses how a running guest is stopped. A ticket that counts is used up first.
func (w *world) stopWay(s State, n int, v protocol.View) {
	r := protocol.Find(w.Tables.Way, v)
	if r.Do == protocol.ReadTicket {
		v.Ticket = protocol.NoTicket
		t := s.Tk
		counts := t.There && t.Live && t.OK && int(t.Src) == n && s.N[t.Tgt].Life == up
		if counts {
			v.Ticket = protocol.LiveTicket
			if t.Cold {
				v.Ticket = protocol.ColdTicket
			}
		}
		s.Tk = noTicket() // used up, or put aside
		r = protocol.Find(w.Tables.Way, v)
		if counts {
			s.Used = t.By + 1
			s.N[n].A.Tgt = t.Tgt
		}
	}
	switch r.Do {
	case protocol.ColdStop:
		w.to(s, n, sCold, "stop: "+r.Name+": cold")
	case protocol.SendLive:
		w.to(s, n, sSending, "stop: "+r.Name)
	case protocol.KeepMemory:
		w.to(s, n, sSuspending, "stop: "+r.Name)
	default:
		w.exit(s, n, 1, "stop: "+r.Name+", exit 1")
	}
}

// stopThaw lets a frozen guest go on, images first: to look again, or to be stopped cold.
func (w *world) stopThaw(s State, n int) {
	drop, thaw, run, then := sThawDrop, sThaw, sThawRun, sDecide
	pc := s.N[n].A.PC
	if pc >= sGiveDrop {
		drop, thaw, run, then = sGiveDrop, sGiveThaw, sGiveRun, sCold
	}
	switch pc {
	case drop:
		if !w.mend[2] && s.N[n].G == gFrozen { // the wrong order
			s.thaw(n)
			w.to(s, n, drop, "stop: thaws before the images are gone")
			return
		}
		if s.dropOne() {
			w.to(s, n, drop, "stop: discards an image")
			return
		}
		w.to(s, n, thaw, "stop: no image is left")
	case thaw:
		if s.N[n].G == gFrozen {
			t := s
			t.N[n].A.PC = sCold
			w.emit(t, "stop: it cannot be thawed: cold", n, nobody, true, "")
		}
		s.thaw(n)
		w.to(s, n, run, "stop: thaws")
	case run:
		if s.N[n].G != gRun {
			w.to(s, n, sCold, "stop: it does not run: cold")
			return
		}
		w.writes(s, n, pRunning, nobody, 0, then, "stop: record is running")
	}
}

// stopCold ends the guest without its memory.
func (w *world) stopCold(s State, n int) {
	nd := &s.N[n]
	if nd.A.PC == sCold {
		if s.St.Phase == pSuspending || s.St.Phase == pHeld {
			if w.mend[2] && s.dropOne() {
				w.to(s, n, sCold, "stop: an image is put aside before the cold stop")
				return
			}
			s.thaw(n)
		}
		s.tool(n, tShutdown, 0)
		w.to(s, n, sColdWait, "stop: shutdown begins")
		return
	}
	if nd.waits() {
		return
	}
	if nd.RC == 1 && s.clean(n) {
		w.lastWrite(s, n, pDown, nobody, 0, "stop: cold, record is down, exit 0")
		return
	}
	w.exit(s, n, 1, "stop: it is still here, exit 1")
}

// stopLive pushes the guest.
func (w *world) stopLive(s State, n int) {
	nd := &s.N[n]
	switch nd.A.PC {
	case sSending:
		w.writes(s, n, pSending, nd.A.Tgt, 0, sSend, "stop: record is sending")
	case sSend:
		w.startMigration(s, n, sSendWait)
	case sSendWait:
		if nd.waits() {
			return
		}
		switch {
		case nd.RC == 1 && s.clean(n):
			w.lastWrite(s, n, pSent, nd.A.Tgt, 0, "stop: record is sent, exit 0")
		case nd.G == gRun:
			w.writes(s, n, pRunning, nobody, 0, sDecide, "stop: it stayed, record is running, looks again")
		default:
			w.exit(s, n, 1, "stop: nobody knows where it is, exit 1")
		}
	}
}

// stopAlone stops without the share, under the node's own lock: nothing is written, so no memory is kept.
func (w *world) stopAlone(s State, n int) {
	nd := &s.N[n]
	switch nd.A.PC {
	case sAlone:
		w.endOrphans(&s, n) // before it looks
		switch {
		case nd.Tool != tNone && !nd.Loose: // an orphan's keeper has the node's lock
			w.exit(s, n, 1, "stop: alone, an earlier tool still works, exit 1")
		case s.clean(n):
			w.exit(s, n, 0, "stop: alone, nothing is here, exit 0")
		case nd.G == gHalf || nd.G == gMig:
			w.exit(s, n, 1, "stop: alone, it was being sent, and nobody knows how that ended, exit 1")
		default:
			w.to(s, n, sAloneTool, "stop: alone, cold")
		}
	case sAloneTool:
		if nd.G != gNone && nd.G != gRun && nd.G != gFrozen && nd.G != gMig { // halves are destroyed
			nd.G = gNone
		}
		s.tool(n, tShutdown, 0)
		w.to(s, n, sAloneWait, "stop: alone, shutdown begins")
	case sAloneWait:
		if nd.waits() {
			return
		}
		if nd.RC == 1 && s.clean(n) {
			w.exit(s, n, 0, "stop: alone, it is down, exit 0")
			return
		}
		w.exit(s, n, 1, "stop: alone, it is still here, exit 1")
	}
}
