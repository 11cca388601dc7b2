package model

// kill is kill -9 of the agent on n. Its tool goes on; whether the lock stays held depends on who has it.
func (w *world) kill(s State, n int) {
	nd := &s.N[n]
	a := nd.A
	if nd.Lock == 1 {
		holds := nd.Tool == tDump || nd.Tool == tSave || nd.Tool == tMig // as the first draft had it
		if w.mend[1] {
			holds = nd.Tool != tNone
		}
		nd.Lock = 0
		if holds && !nd.Loose {
			nd.Lock = 2
		}
	}
	if nd.Tool != tNone && nd.Lock != 2 && !w.mend[1] {
		nd.Loose = true
	}
	nd.A = Agent{Tgt: nobody}
	nd.RC = 0
	if !a.Init {
		s.result(n, -14)
	} else if nd.Life == joining {
		nd.Life = up
	}
	w.emit(s, "agent killed", n, nobody, true, "")
}

// killKeeper is kill -9 of the tool's keeper, with the agent alive or not.
func (w *world) killKeeper(s State, n int) {
	nd := &s.N[n]
	if nd.Tool == tNone || nd.Loose {
		return
	}
	if nd.Lock == 2 {
		nd.Lock = 0
	}
	if !w.mend[14] {
		nd.Loose = true
		nd.RC = 2
		w.emit(s, "keeper killed, its tool goes on", n, nobody, true, "")
		return
	}
	if w.OpenVZ { // the tool ends where it is, and what is half done stays
		if nd.A.Kind == aNone { // else the agent ends what the tool has left
			t := s
			t.N[n].Loose = true
			w.emit(t, "keeper killed, and its tool; the tool's children go on", n, nobody, true, "")
		}
		w.breaksOff(&s, n)
		w.emit(s, "keeper killed, and its tool with it", n, nobody, true, "")
		return
	}
	// xm only asks xend, which goes on. What it builds stands in its list from the first moment on.
	switch nd.Tool {
	case tBoot, tRestore:
		if nd.G == gNone {
			nd.G = gArr
		}
		w.toolEnd(&s, n, 2)
	case tSave, tMig:
		nd.Loose, nd.RC = true, 2
	default:
		w.toolEnd(&s, n, 2)
	}
	w.emit(s, "keeper killed, xend goes on", n, nobody, true, "")
}

// breaksOff: the tool is ended, and what it had done stays.
func (w *world) breaksOff(s *State, n int) {
	nd := &s.N[n]
	if nd.Tool == tBoot || nd.Tool == tRestore {
		nd.Mounted = true
	}
	w.toolEnd(s, n, 2)
}

// endOrphans: who has the node's lock ends what a tool has left behind whose keeper was killed. What xend does at the
// word of one nobody ends.
func (w *world) endOrphans(s *State, n int) {
	if w.mend[17] && w.mend[14] && w.mend[1] && w.OpenVZ && s.N[n].Loose {
		w.breaksOff(s, n)
	}
}

// toolEnd: the tool is over, and an orphan's lock goes with it.
func (w *world) toolEnd(s *State, n int, rc uint8) {
	nd := &s.N[n]
	loose := nd.Loose
	nd.Tool, nd.TTgt, nd.TImg, nd.Loose = tNone, nobody, 0, false
	if nd.Lock == 2 {
		nd.Lock = 0
	}
	if loose { // nobody waits for it
		return
	}
	nd.RC = 0
	if nd.A.Kind != aNone {
		nd.RC = rc
	}
}

func (w *world) tools(s State, n int) {
	nd := &s.N[n]
	if nd.Life == down || nd.Life == downLeft {
		return
	}
	if nd.G == gArr { // it comes to life, or is lost
		t := s
		t.N[n].G = gNone
		w.emit(t, "guest lost on arrival", n, nobody, true, "")
		t = s
		t.N[n].G = gRun
		t.touched()
		w.emit(t, "the arrived guest runs", n, nobody, false, "")
	}
	if nd.G == gIn { // xend removes what nobody sends any more
		fed := false
		for i := range s.N {
			fed = fed || s.N[i].Tool == tMig && int(s.N[i].TTgt) == n
		}
		if !fed {
			t := s
			t.N[n].G = gNone
			w.emit(t, "xend drops the torso", n, nobody, false, "")
		}
	}
	end := func(text string, fault bool, rc uint8, change func(*State)) {
		t := s
		change(&t)
		w.toolEnd(&t, n, rc)
		w.emit(t, text, n, nobody, fault, "")
	}
	same := func(*State) {}
	switch nd.Tool {
	case tBoot:
		end("booting fails", true, 2, same)
		end("booted", false, 1, func(t *State) {
			if nd.G == gNone {
				t.N[n].G, t.N[n].Mounted = gRun, w.OpenVZ
				t.touched()
			}
		})
	case tRestore:
		end("restoring fails", true, 2, same)
		w.restored(s, n)
	case tShutdown:
		end("shutdown and destroy fail", true, 2, same)
		if w.OpenVZ {
			end("the guest is down, umount is busy", true, 1, func(t *State) { t.N[n].G = gNone })
		}
		end("the guest is down", false, 1, func(t *State) { t.N[n].G, t.N[n].Mounted = gNone, false })
	case tDump:
		end("dumping fails", true, 2, same)
		end("dumped", false, pick(nd.G == gFrozen, 1, 2), func(t *State) {
			if im := &t.Img[nd.TImg-1]; nd.G == gFrozen && im.Loc == iPart {
				im.Done, im.Stale = true, false
			}
		})
	case tSave:
		end("saving fails, the guest goes on", true, 2, func(t *State) { t.N[n].G = pick(nd.G == gMig, gRun, nd.G) })
		end("saved", false, pick(nd.G == gMig, 1, 2), func(t *State) {
			if nd.G == gMig {
				t.N[n].G = gNone
				t.Img[nd.TImg-1].Done, t.Img[nd.TImg-1].Stale = true, false
			}
		})
	case tMig:
		w.migrated(s, n)
	}
}

// restored: a restore that went well, from whatever it was given.
func (w *world) restored(s State, n int) {
	nd := &s.N[n]
	violation := ""
	if nd.G == gNone && nd.TImg != 0 && nd.TImg != lost {
		im := s.Img[nd.TImg-1]
		switch {
		case im.Loc == iNone: // moved away under it
		case im.Stale || im.Hand:
			violation = "I2 a stale image is resumed"
		case !im.Done:
			violation = "I2 half an image is resumed"
		}
		if im.Loc != iNone {
			nd.G, nd.Mounted = gRun, w.OpenVZ
			s.touched()
		}
	}
	w.toolEnd(&s, n, pick(nd.G == gRun, 1, 2))
	w.emit(s, "restored", n, nobody, false, violation)
}

// migrated are the ends of a migration.
func (w *world) migrated(s State, n int) {
	nd := &s.N[n]
	y := nd.TTgt
	there := s.N[y].G
	end := func(src, dst, rc uint8, text string, fault bool) {
		t := s
		t.N[n].G, t.N[y].G = src, dst
		w.toolEnd(&t, n, rc)
		w.emit(t, text, n, int(y), fault, "")
	}
	switch {
	case nd.G != gMig:
		end(nd.G, pick(there == gIn, gNone, there), 2, "the migration fails: the guest is gone", false)
	case there != gIn:
		end(gRun, there, 2, "the migration fails: the copy is gone, the guest goes on", false)
	default:
		end(gNone, gArr, 1, "migrated", false)
		end(gRun, gNone, 2, "the migration fails, the guest goes on at its source", true)
		end(gHalf, gArr, 2, "the handshake breaks", true)
		end(gHalf, gNone, 2, "the handshake breaks, the copy is dead", true)
	}
}

func pick(c bool, x, y uint8) uint8 {
	if c {
		return x
	}
	return y
}
