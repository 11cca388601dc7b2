package model

func (w *world) nodeEvents(s State, n int) {
	nd := &s.N[n]
	if (nd.G == gRun || nd.G == gMig) && w.on[Crash] {
		t := s
		t.N[n].G = gNone
		if w.OpenVZ {
			w.emit(t, "the guest crashes and stays mounted", n, nobody, true, "")
			t.N[n].Mounted = false
		}
		w.emit(t, "the guest crashes", n, nobody, true, "")
	}
	if w.on[Share] {
		w.share(s, n)
	}
	switch nd.Life {
	case up, joining:
		w.memberEvents(s, n)
	case unfenced:
		t := s
		t.powerOff(n)
		t.N[n].Life, t.N[n].Affirmed = down, w.on[OldFencing]
		w.emit(t, "node fenced", n, nobody, false, "")
		t = s
		t.powerOff(n)
		t.boot(n)
		w.emit(t, "node boots anew and joins before it is fenced", n, nobody, false, "")
	case down, downLeft:
		t := s
		t.boot(n)
		w.emit(t, "node boots and joins", n, nobody, false, "")
	case left:
		t := s
		t.N[n].Life = joining
		t.N[n].A = Agent{Kind: aStop, Init: true, Tgt: nobody}
		w.emit(t, "the node that left joins again in the same boot", n, nobody, false, "")
		t = s
		t.powerOff(n)
		t.N[n].Life = downLeft
		w.emit(t, "the node that left is switched off", n, nobody, false, "")
	}
}

func (w *world) memberEvents(s State, n int) {
	nd := &s.N[n]
	if w.on[Death] && !(w.on[OneLoss] && s.losing()) {
		t := s
		w.dies(&t, n)
		t.N[n].Life = unfenced
		w.emit(t, "node lost, its guests go on", n, nobody, true, "")
	}
	if w.on[Leave] && nd.Life == up && nd.A.Kind == aNone && nd.Tool == tNone && int(s.Sv.Act) != n && nd.Lock == 0 {
		w.leave(s, n)
	}
	if w.on[BootScript] && nd.File != nd.Boot && !nd.Away {
		t := s
		t.N[n].File = nd.Boot
		w.emit(t, "the boot script publishes the boot id", n, nobody, false, "")
	}
	if me := uint8(n); s.St.Left && s.St.Node == me && s.St.Boot == nd.Boot && w.lockFree(&s, n) && !nd.Away {
		t := s
		t.St.Left = false
		for i := range t.R {
			t.R[i].Fresh = false
		}
		t.Tk.OK = false
		w.emit(t, "the init script of a node that is back takes its note back", n, nobody, false, "")
	}
	if w.on[NewGroup] && nd.Life == up && nd.A.Kind == aNone && int(s.Sv.Act) != n && int(s.Sv.Owner) != n {
		t := s
		t.N[n].A = Agent{Kind: aStop, Init: true, Tgt: nobody}
		w.emit(t, "rgmanager runs stop on a member", n, nobody, true, "")
	}
}

// leave: before cman stops, the init script marks the record of a VM that is still here, under its lock.
func (w *world) leave(s State, n int) {
	me := uint8(n)
	mine, sent := s.St.Node == me, s.St.To == me && (s.St.Phase == pSending || s.St.Phase == pSent)
	if sent && w.mend[18] && s.clean(n) { // it waits
		return
	}
	if !s.clean(n) && s.N[n].G != gRun && (sent || mine && s.St.Boot != s.N[n].Boot) { // it refuses: nobody knows that it came to life here
		return
	}
	marks := w.mend[13] && !s.clean(n) && (mine || sent && w.mend[16])
	t := s
	w.dies(&t, n)
	t.N[n].Life = left
	if !marks || w.on[Unmarked] {
		w.emit(t, "node leaves in order and marks nothing, its guests go on", n, nobody, true, "")
	}
	if !marks || !w.lockFree(&s, n) || s.N[n].Away { // the script waits
		return
	}
	t.N[n].File = s.N[n].Boot              // lbm mark-left publishes it before it writes
	if !mine || s.St.Boot != s.N[n].Boot { // what was sent here, or is here though the record is of an earlier boot
		for t.dropOne() {
		}
		t.N[n].Lock = 1
		w.write(&t, n, pRunning, nobody, 0)
		t.N[n].Lock = 0
	}
	t.St.Left = true
	for i := range t.R {
		t.R[i].Fresh = false
	}
	t.Tk.OK = false
	w.emit(t, "node leaves in order and marks the record, its guests go on", n, nobody, true, "")
}

// share: it goes away under an agent, whose lock goes with it, and comes back. Tools go on.
func (w *world) share(s State, n int) {
	nd := &s.N[n]
	t := s
	if nd.Away {
		t.N[n].Away = false
		w.emit(t, "the share is back", n, nobody, false, "")
		return
	}
	if nd.Life != up && nd.Life != joining || nd.A.Kind == aNone && nd.Tool == tNone {
		return
	}
	t.N[n].Away, t.N[n].A.Lost = true, nd.A.Lost || nd.Lock == 1
	t.N[n].Lock = 0
	w.emit(t, "the share goes away", n, nobody, true, "")
}

func (s *State) losing() bool {
	for i := range s.N {
		if s.N[i].Life == unfenced {
			return true
		}
	}
	return false
}

// dies is rgmanager's view of a node that is lost or has left.
func (w *world) dies(s *State, n int) {
	v := &s.Sv
	if int(v.Act) == n {
		switch v.Ph {
		case phStop, phMig:
			s.idleService()
			v.St, v.Owner, v.Dead = svStarted, uint8(n), true
		case phStart, phRecStop:
			v.Tried |= 1 << n
			v.Ph, v.Act = phPick, nobody
		}
	}
	if v.Op == oNone && v.St == svStarted && int(v.Owner) == n {
		v.Dead = true
	}
	if s.N[n].A.Kind != aNone && !w.on[Zombie] {
		// It hangs on the shared storage until the node is fenced, and never acts again. Its tool goes on; its lock
		// stays until then.
		s.N[n].A = Agent{Tgt: nobody}
	}
}

// idleService: rgmanager works on nothing.
func (s *State) idleService() {
	v := &s.Sv
	v.Op, v.Ph, v.Act = oNone, 0, nobody
	v.Tgt, v.Orig, v.Tried = nobody, nobody, 0
}

// powerOff: everything on the node ends.
func (s *State) powerOff(n int) {
	nd := &s.N[n]
	*nd = Node{Life: nd.Life, Boot: nd.Boot, File: nd.File, Affirmed: nd.Affirmed, TTgt: nobody, A: Agent{Tgt: nobody}}
	if int(s.Hand) == n {
		s.Hand = nobody
	}
}

func (s *State) boot(n int) {
	nd := &s.N[n]
	nd.Boot++
	nd.Life = joining
	nd.A = Agent{Kind: aStop, Init: true, Tgt: nobody}
}
