package model

import "github.com/lbvm/lbvm/internal/handoff/protocol"

// result is rgmanager hearing of the action that it ran on n.
func (s *State) result(n, rc int) {
	v := &s.Sv
	if int(v.Act) != n || v.Op == oNone {
		return
	}
	switch v.Ph {
	case phStop:
		v.Last, v.Owner, v.Dead = uint8(n), nobody, false
		switch {
		case rc != 0:
			v.St = svFailed
			s.idleService()
		case v.Op == oDisable:
			v.St = svDisabled
			s.idleService()
		default:
			v.St, v.Ph, v.Act = svStopped, phPick, nobody
		}
	case phStart:
		if rc == 0 {
			v.St, v.Owner, v.Last, v.Dead = svStarted, uint8(n), uint8(n), false
			s.idleService()
			return
		}
		v.Ph = phRecStop
		s.N[n].A = Agent{Kind: aStop, Tgt: nobody}
	case phRecStop:
		v.Last = uint8(n)
		if rc != 0 {
			v.St, v.Owner, v.Dead = svFailed, nobody, false
			s.idleService()
			return
		}
		v.Tried |= 1 << n
		v.Ph, v.Act = phPick, nobody
	case phMig:
		switch rc {
		case 0:
			v.Owner, v.Last = v.Tgt, uint8(n)
			v.Dead = s.N[v.Tgt].Life != up
		case 150:
		default:
			v.St, v.Owner, v.Last, v.Dead = svFailed, nobody, uint8(n), false
		}
		s.idleService()
	}
}

// op begins an operation on the service.
func (s *State) op(kind, ph, act, tgt, orig uint8) {
	v := &s.Sv
	v.Op, v.Ph, v.Act, v.Tgt, v.Orig, v.Tried = kind, ph, act, tgt, orig, 0
	switch ph {
	case phStop:
		s.N[act].A = Agent{Kind: aStop, Tgt: nobody}
	case phStart:
		s.N[act].A = Agent{Kind: aStart, Tgt: nobody}
	case phMig:
		s.N[act].A = Agent{Kind: aMigrate, Tgt: tgt}
	}
}

func (s *State) idle(n uint8) bool {
	return n < nodes && s.N[n].Life == up && s.N[n].A.Kind == aNone
}

// status is what a status on n answers: it runs here, and whether it takes the guest over meanwhile.
func (w *world) status(s *State, n int) (runs, adopts bool) {
	nd := &s.N[n]
	v := w.view(s, n)
	bare := protocol.View{Guest: v.Guest, Known: v.Known}
	if nd.G == gIn || nd.G == gArr { // without the record nobody knows that it cannot be this node's
		bare.Guest = protocol.Torso
		if nd.G == gArr {
			bare.Guest = protocol.Arriving
		}
	}
	switch protocol.Find(w.Tables.Status, bare).Do {
	case protocol.AnswerRunning:
		return !nd.Sick, false
	case protocol.Inquire:
		if nd.Away {
			return !nd.Sick, false
		}
	default:
		return false, false
	}
	switch protocol.Find(w.Tables.Inquiry, v).Do {
	case protocol.AnswerRunning:
		return !nd.Sick, false
	case protocol.Adopt:
		if !w.lockFree(s, n) {
			return !v.Announced() && !nd.Sick, false
		}
		return !nd.Sick, true
	}
	return false, false
}

// adopt is the adoption in a status.
func (w *world) adopt(s *State, n int) {
	nd := &s.N[n]
	nd.Lock, nd.File = 1, nd.Boot
	w.write(s, n, pRunning, nobody, 0)
	for s.dropOne() {
	}
	s.tidyTickets()
	nd.Lock, nd.Here = 0, true
}

// inquiry asks the other members; where one has the VM the service is its.
func (w *world) inquiry(s State, asker uint8, text string) bool {
	if w.OpenVZ {
		return false
	}
	for m := 0; m < nodes; m++ {
		if m == int(asker) || s.N[m].Life != up {
			continue
		}
		if runs, adopts := w.status(&s, m); runs {
			t := s
			if adopts {
				w.adopt(&t, m)
			}
			t.idleService()
			v := &t.Sv
			v.St, v.Owner, v.Last, v.Dead = svStarted, uint8(m), uint8(m), false
			w.emit(t, text, m, nobody, false, "")
			return true
		}
	}
	return false
}

func (w *world) manager(s State) {
	v := &s.Sv
	switch {
	case v.Op != oNone:
		if v.Ph == phPick {
			w.pickNode(s)
		}
	case v.St == svStarted:
		w.started(s)
	case v.St == svFailed: // -d runs stop on the last owner, where it was typed, or nowhere
		t := s
		t.Sv.St = svDisabled
		if w.on[NoStop] {
			w.emit(t, "clusvcadm -d of the failed service, no stop", nobody, nobody, false, "")
		}
		for m := uint8(0); m < nodes; m++ {
			if !s.idle(m) || !w.on[SomeStop] {
				continue
			}
			t := s
			t.op(oDisable, phStop, m, nobody, nobody)
			w.emit(t, "clusvcadm -d of the failed service, with a stop", int(m), nobody, false, "")
		}
	default:
		for m := uint8(0); m < nodes; m++ {
			if !s.idle(m) || s.Hand != nobody && s.Hand != m {
				continue
			}
			if w.inquiry(s, m, "clusvcadm -e: a member has it") {
				continue
			}
			t := s
			t.op(oEnable, phStart, m, m, nobody)
			w.emit(t, "clusvcadm -e -m", int(m), nobody, false, "")
		}
	}
}

// started is what may come for a service that is started: its owner's loss, its status, requests.
func (w *world) started(s State) {
	v := &s.Sv
	o := v.Owner
	if v.Dead {
		if s.N[o].Life != unfenced {
			t := s
			t.op(oFailover, phPick, nobody, nobody, nobody)
			t.Sv.Dead, t.Sv.Owner, t.Sv.St = false, nobody, svStopped
			w.emit(t, "rgmanager recovers: the owner is gone", int(o), nobody, false, "")
		}
		return
	}
	nd := &s.N[o]
	if nd.Life != up || nd.A.Kind != aNone {
		return
	}
	if nd.G == gRun && w.on[Sick] && !nd.Sick {
		t := s
		t.N[o].Sick = true
		w.emit(t, "the guest becomes sick", int(o), nobody, true, "")
	}
	if runs, adopts := w.status(&s, int(o)); adopts {
		t := s
		w.adopt(&t, int(o))
		w.emit(t, "status adopts", int(o), nobody, false, "")
	} else if !runs && !w.inquiry(s, o, "status failed, another member has it") {
		t := s
		t.op(oRecover, phStop, o, o, o)
		w.emit(t, "status failed: recovery", int(o), nobody, false, "")
	}
	if w.on[Disable] {
		t := s
		t.op(oDisable, phStop, o, nobody, o)
		w.emit(t, "clusvcadm -d", int(o), nobody, false, "")
	}
	if w.on[Restart] {
		t := s
		t.op(oRestart, phStop, o, o, o)
		w.emit(t, "clusvcadm -R", int(o), nobody, false, "")
	}
	for m := uint8(0); m < nodes; m++ {
		if m == o || s.N[m].Life != up {
			continue
		}
		t := s
		t.op(oReloc, phStop, o, m, o)
		w.emit(t, "clusvcadm -r", int(o), int(m), false, "")
		if !w.OpenVZ && w.on[Migration] {
			t = s
			t.op(oMigrate, phMig, o, m, o)
			w.emit(t, "clusvcadm -M", int(o), int(m), false, "")
		}
	}
}

// pickNode chooses where the start goes next.
func (w *world) pickNode(s State) {
	v := &s.Sv
	begin := func(m uint8, text string, fault bool) {
		t := s
		t.Sv.Ph, t.Sv.Act = phStart, m
		t.N[m].A = Agent{Kind: aStart, Tgt: nobody}
		w.emit(t, text, int(m), nobody, fault, "")
	}
	ok := func(m uint8) bool { return s.idle(m) && v.Tried&(1<<m) == 0 }
	if v.Tgt != nobody && ok(v.Tgt) {
		begin(v.Tgt, "start on the wanted node", false)
		for m := uint8(0); m < nodes; m++ {
			if m != v.Tgt && ok(m) && m != v.Orig {
				begin(m, "start lands elsewhere", true)
			}
		}
		return
	}
	any := false
	for m := uint8(0); m < nodes; m++ {
		if m != v.Orig && ok(m) {
			any = true
			begin(m, "start on another node", false)
		}
	}
	switch {
	case any:
	case v.Orig != nobody && ok(v.Orig):
		begin(v.Orig, "start on the old owner again", false)
	default:
		s.idleService()
		s.Sv.St = svStopped
		w.emit(s, "no node starts it: stopped", nobody, nobody, false, "")
	}
}
