package model

// relocator is one step of relocator i: lbm, or the monitor.
func (w *world) relocator(s State, i int) {
	v := &s.Sv
	r := s.R[i]
	mine := s.Tk.There && s.Tk.Live && int(s.Tk.By) == i
	if r.St != rIdle {
		t := s
		t.R[i] = Relocator{Tgt: nobody}
		if mine {
			t.Tk.Live = false
		}
		w.emit(t, "relocator dies", nobody, nobody, true, "")
	}
	switch r.St {
	case rIdle:
		if v.St != svStarted || v.Op != oNone || v.Dead || s.St.Phase != pRunning || s.St.Node != v.Owner || s.N[v.Owner].Life != up {
			return
		}
		for m := uint8(0); m < nodes; m++ {
			if s.N[m].Life != up || m == v.Owner && !w.on[InPlace] || m != v.Owner && w.OpenVZ {
				continue
			}
			t := s
			t.R[i] = Relocator{St: rRead, Tgt: m, Fresh: true, Cold: m == v.Owner}
			w.emit(t, "relocator: preflight, reads the record", int(m), nobody, false, "")
		}
	case rRead:
		t := s
		t.R[i].St, t.R[i].Fresh = rLinked, false
		if s.Tk.There && s.Tk.Live || v.Owner == nobody {
			t.R[i] = Relocator{Tgt: nobody}
			w.emit(t, "relocator: another is at work, or nothing runs: gives up", nobody, nobody, false, "")
			return
		}
		t.Tk = Ticket{There: true, Cold: r.Cold, Src: v.Owner, Tgt: r.Tgt, By: uint8(i), OK: r.Fresh, Live: true}
		w.emit(t, "relocator: lays the ticket", nobody, nobody, false, "")
	case rLinked:
		if v.Op != oNone {
			return
		}
		t := s
		if v.St == svStarted && !v.Dead && (v.Owner != r.Tgt || r.Cold && v.Owner == r.Tgt) && s.idle(v.Owner) {
			kind := oReloc
			if r.Cold {
				kind = oRestart
			}
			t.op(kind, phStop, v.Owner, r.Tgt, v.Owner)
			t.R[i].St = rAsked
			w.emit(t, "relocator: asks rgmanager", int(v.Owner), int(r.Tgt), false, "")
			return
		}
		t.R[i].St = rDone
		w.emit(t, "relocator: refused", nobody, nobody, false, "")
	case rAsked:
		if v.Op == oNone {
			t := s
			t.R[i].St = rDone
			w.emit(t, "relocator: answered", nobody, nobody, false, "")
		}
	case rDone:
		if v.Op != oNone {
			return
		}
		t := s
		if to := s.St.To; (v.St == svStopped || v.St == svDisabled) && s.St.Phase == pSent && s.idle(to) {
			t.op(oEnable, phStart, to, to, nobody)
			w.emit(t, "relocator: it is at the target alone: enables it there", int(to), nobody, false, "")
			return
		}
		if mine {
			t.Tk = noTicket()
		}
		if int(t.Used) == i+1 && w.mend[8] {
			t.Used = 0
		}
		t.R[i] = Relocator{Tgt: nobody}
		w.emit(t, "relocator: takes its ticket back, ends", nobody, nobody, false, "")
	}
}

// people are the documented commands, and boots by hand where they are switched on.
func (w *world) people(s State) {
	v := &s.Sv
	for y := uint8(0); y < nodes; y++ {
		if s.N[y].Life == downLeft && w.lockFree(&s, nobody) {
			w.confirmDown(s, y)
		}
	}
	if w.on[Hand] && v.Op == oNone && v.St != svStarted && s.quiet() {
		for n := 0; n < nodes; n++ {
			if s.idle(uint8(n)) && s.N[n].Tool == tNone {
				w.bootsByHand(s, n)
			}
		}
	}
	if s.Hand == nobody || v.Op != oNone || s.N[s.Hand].A.Kind != aNone {
		return
	}
	h := int(s.Hand)
	t := s
	t.Hand = nobody
	switch {
	case s.N[h].G == gNone:
		w.emit(t, "the guest started by hand is over", h, nobody, false, "")
	case s.N[h].Life == up && v.St == svStarted && int(v.Owner) == h:
		w.emit(t, "the guest started by hand is the service's now", h, nobody, false, "")
	case v.St != svStarted:
		t.N[h].G, t.N[h].Mounted = gNone, false
		w.emit(t, "the administrator halts the guest by hand", h, nobody, false, "")
	}
}

// confirmDown is lbm confirm-down for y, which left in order and is off.
func (w *world) confirmDown(s State, y uint8) {
	phase, to, t := pNone, uint8(nobody), uint8(0)
	this := s.St.Node == y && s.N[y].Boot == s.St.Boot
	switch s.St.Phase {
	case pStarting, pRunning, pSuspending, pResuming:
		if this {
			phase = pDown
		}
	case pHeld:
		if this {
			phase, t = pSuspended, s.St.T
		}
	case pSending:
		if s.St.Node == y {
			phase, to = pSent, s.St.To
		}
	case pSent:
		if s.St.To == y {
			phase = pDown
		}
	}
	if phase == pNone {
		return
	}
	w.write(&s, nobody, phase, to, t)
	w.emit(s, "lbm confirm-down", int(y), nobody, false, "")
}

func (w *world) bootsByHand(s State, n int) {
	hand := func(t *State) {
		t.touched()
		for i := range t.Img {
			if t.Img[i].Loc != iNone {
				t.Img[i].Hand = true
			}
		}
	}
	t := s
	hand(&t)
	w.emit(t, "an administrator boots the guest by hand, and halts it", n, nobody, true, "")
	t = s
	hand(&t)
	if w.mend[12] { // lbm take first
		if w.view(&s, n).Other() || !w.lockFree(&s, n) || s.N[n].Away {
			return
		}
		for t.dropOne() {
		}
		t.N[n].Lock, t.N[n].File = 1, t.N[n].Boot
		w.write(&t, n, pRunning, nobody, 0)
		t.N[n].Lock = 0
	}
	t.N[n].G, t.N[n].Mounted, t.Hand = gRun, w.OpenVZ, uint8(n)
	w.emit(t, "an administrator boots the guest by hand", n, nobody, true, "")
}

// quiet: no guest, agent or tool anywhere.
func (s *State) quiet() bool {
	for i := range s.N {
		if s.N[i].G != gNone || s.N[i].A.Kind != aNone || s.N[i].Tool != tNone {
			return false
		}
	}
	return true
}
