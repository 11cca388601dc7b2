package model

import "github.com/lbvm/lbvm/internal/handoff/protocol"

// The steps of a start.
const (
	bLock uint8 = iota
	bDecide
	bDrop
	bThaw
	bAdopt
	bClean
	bDiscard
	bStarting
	bBoot
	bBootWait
	bRunning
	bClaim
	bResuming
	bCheck
	bRestore
	bRestoreWait
	bResumed
	bUnclaim
	bFail
	bTidy
)

func (w *world) start(s State, n int) {
	nd := &s.N[n]
	switch nd.A.PC {
	case bLock:
		nd.File = nd.Boot
		if w.lockFree(&s, n) {
			nd.Lock = 1
			w.endOrphans(&s, n)
			w.to(s, n, bDecide, "start: takes the lock")
		} else {
			w.exit(s, n, 1, "start: no lock, exit 1")
		}
	case bDecide:
		w.startDecide(s, n)
	case bDrop:
		if !w.mend[2] && nd.G == gFrozen {
			s.thaw(n)
			w.to(s, n, bDrop, "start: thaws before the images are gone")
			return
		}
		if s.dropOne() {
			w.to(s, n, bDrop, "start: discards an image")
			return
		}
		w.to(s, n, bThaw, "start: no image is left")
	case bThaw:
		if nd.G == gFrozen {
			w.exits(s, n, 1, "start: it cannot be thawed, exit 1", true, "")
		}
		s.thaw(n)
		w.to(s, n, bAdopt, "start: thaws")
	case bAdopt:
		w.writes(s, n, pRunning, nobody, 0, bTidy, "start: record is running")
	case bClean:
		nd.G, nd.Mounted = gNone, false
		w.to(s, n, bDecide, "start: destroys what is left, looks again")
	case bTidy:
		if w.mend[8] {
			if s.dropOne() {
				w.to(s, n, bTidy, "start: discards an image")
				return
			}
			s.tidyTickets()
		}
		w.exit(s, n, 0, "start: tidy, exit 0")
	case bDiscard, bStarting, bBoot, bBootWait, bRunning:
		w.startCold(s, n)
	default:
		w.startResume(s, n)
	}
}

func (s *State) tidyTickets() {
	s.Used = 0
	if s.Tk.There && !s.Tk.Live {
		s.Tk = noTicket()
	}
}

// startDecide takes the row for what is found, and begins its deed.
func (w *world) startDecide(s State, n int) {
	v := w.view(&s, n)
	r := protocol.Find(w.Tables.Start, v)
	text := "start: " + r.Name
	switch r.Do {
	case protocol.AwaitOrDestroy:
		s.N[n].A.PC = bClean
		w.emit(s, text+", hangs", n, nobody, !v.Still, "")
	case protocol.DestroyAndLook:
		w.to(s, n, bClean, text)
	case protocol.Adopt:
		w.to(s, n, bAdopt, text)
	case protocol.ThawAndAdopt, protocol.TakeAndAdopt:
		w.to(s, n, bDrop, text)
	case protocol.Boot, protocol.BootLost, protocol.AwaitOrBoot:
		w.to(s, n, bDiscard, text)
	case protocol.Resume:
		w.to(s, n, bClaim, text)
	default:
		w.exit(s, n, 1, text+", exit 1")
	}
}

// startCold boots the guest without memory.
func (w *world) startCold(s State, n int) {
	nd := &s.N[n]
	switch nd.A.PC {
	case bDiscard:
		violation := ""
		if t := s.St.T; (s.St.Phase == pHeld || s.St.Phase == pSuspended) && t != 0 && t != lost {
			if im := s.Img[t-1]; im.Loc == iPub && im.Done && !im.Stale && !im.Hand {
				violation = "M an image of use is thrown away by a boot"
			}
		}
		if s.dropOne() {
			nd.A.PC = bDiscard
			w.emit(s, "start: cold, discards an image", n, nobody, false, violation)
			return
		}
		if w.on[KeepMemory] || s.Faults == 0 && !w.on[InPlace] {
			violation = "M memory is lost: a cold start"
		}
		nd.A.PC = bStarting
		w.emit(s, "start: cold, no image is left", n, nobody, false, violation)
	case bStarting:
		v := s.startBeside(n)
		if x := w.write(&s, n, pStarting, nobody, 0); v == "" {
			v = x
		}
		s.N[n].A.PC = bBoot
		w.emit(s, "start: record is starting", n, nobody, false, v)
	case bBoot:
		s.tool(n, tBoot, 0)
		w.to(s, n, bBootWait, "start: boot begins")
	case bBootWait:
		if nd.waits() {
			return
		}
		if nd.RC == 1 {
			w.to(s, n, bRunning, "start: booted")
		} else {
			w.exit(s, n, 1, "start: booting failed, exit 1")
		}
	case bRunning:
		if nd.G != gRun {
			w.exit(s, n, 1, "start: the guest did not stay, exit 1")
			return
		}
		w.writes(s, n, pRunning, nobody, 0, bTidy, "start: record is running")
	}
}

// startResume lets the guest go on from its image.
func (w *world) startResume(s State, n int) {
	nd := &s.N[n]
	a := &nd.A
	switch a.PC {
	case bClaim:
		a.Img = s.St.T
		if a.Img == lost || a.Img == 0 || s.Img[a.Img-1].Loc != iPub {
			a.Img = 0
			if w.mend[3] {
				w.to(s, n, bDiscard, "start: the image is gone: cold")
			} else {
				w.exit(s, n, 1, "start: the image is gone, exit 1")
			}
			return
		}
		s.Img[a.Img-1].Loc, s.Img[a.Img-1].Node = iClaim, uint8(n)
		w.to(s, n, bResuming, "start: claims the image")
	case bResuming:
		v := s.startBeside(n)
		if x := w.write(&s, n, pResuming, nobody, a.Img); v == "" {
			v = x
		}
		s.N[n].A.PC = bCheck
		w.emit(s, "start: record is resuming", n, nobody, false, v)
	case bCheck:
		if s.Img[a.Img-1].Hand && (w.OpenVZ || w.mend[11]) {
			w.to(s, n, bFail, "start: the disk has another fingerprint")
			return
		}
		w.to(s, n, bRestore, "start: image and disk agree")
	case bRestore:
		s.tool(n, tRestore, a.Img)
		w.to(s, n, bRestoreWait, "start: restore begins")
	case bRestoreWait:
		if nd.waits() {
			return
		}
		switch {
		case nd.RC == 1 && nd.G == gRun:
			w.to(s, n, bResumed, "start: restored")
		case s.clean(n):
			w.to(s, n, bFail, "start: restoring failed")
		default:
			w.exit(s, n, 1, "start: restoring failed, not clean, exit 1")
		}
	case bResumed:
		w.writes(s, n, pRunning, nobody, 0, bUnclaim, "start: record is running")
	case bUnclaim:
		s.drop(int(a.Img) - 1)
		s.N[n].A.Img = 0
		w.to(s, n, bTidy, "start: deletes the claim")
	case bFail:
		s.drop(int(a.Img) - 1)
		s.N[n].A.Img = 0
		w.to(s, n, bDiscard, "start: puts the claim aside: cold")
	}
}
