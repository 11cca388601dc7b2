package model

// stopImage keeps the memory in an image.
func (w *world) stopImage(s State, n int) {
	nd := &s.N[n]
	a := &nd.A
	fails := func(text string) {
		t := s
		t.N[n].A.PC = sGiveDrop
		w.emit(t, text, n, nobody, true, "")
	}
	switch a.PC {
	case sSuspending:
		for i := range s.Img {
			if s.Img[i].Loc == iNone {
				a.Img = uint8(i + 1)
			}
		}
		if a.Img == 0 {
			w.emit(s, "stop: no image slot", n, nobody, false, "MODEL the image slots do not suffice")
			return
		}
		w.writes(s, n, pSuspending, nobody, a.Img, sPart, "stop: record is suspending")
	case sPart:
		s.Img[a.Img-1] = Image{Loc: iPart, Node: uint8(n)}
		if w.OpenVZ {
			w.to(s, n, sFreeze, "stop: makes the image's folder")
			return
		}
		s.tool(n, tSave, a.Img)
		if nd.RC == 0 && nd.G == gRun {
			nd.G = gMig
		}
		w.to(s, n, sSaveWait, "stop: makes the image's folder, save begins")
	case sFreeze:
		if nd.G == gNone {
			w.to(s, n, sDecide, "stop: the guest has vanished, looks again")
			return
		}
		fails("stop: freezing fails")
		nd.G = gFrozen
		w.to(s, n, sDump, "stop: frozen")
	case sDump:
		s.tool(n, tDump, a.Img)
		w.to(s, n, sDumpWait, "stop: dump begins")
	case sDumpWait:
		if nd.waits() {
			return
		}
		pc, text := sNote, "stop: dumped"
		if nd.RC != 1 {
			pc, text = sGiveDrop, "stop: the dump failed"
		}
		w.to(s, n, pc, text)
	case sNote:
		s.Img[a.Img-1].Noted = true
		fails("stop: the dump is noted, then no room for its description")
		w.to(s, n, sName, "stop: the dump is noted, described and synced")
	case sName:
		s.Img[a.Img-1].Loc = iPub
		w.to(s, n, sHeld, "stop: publishes the image")
	case sHeld:
		w.writes(s, n, pHeld, nobody, a.Img, sKill, "stop: record is held")
	case sKill:
		w.exits(s, n, 1, "stop: chkpnt --kill fails, it stays frozen, exit 1", true, "")
		nd.G = gNone
		w.to(s, n, sUnmount, "stop: the frozen guest is killed")
	case sUnmount:
		w.exits(s, n, 1, "stop: umount busy, exit 1", true, "")
		nd.Mounted = false
		w.to(s, n, sSuspended, "stop: unmounted")
	case sSaveWait:
		if nd.waits() {
			return
		}
		switch {
		case nd.RC == 1 && s.clean(n):
			s.Img[a.Img-1].Loc = iPub
			w.to(s, n, sSuspended, "stop: saved, publishes the image")
		case nd.G == gRun:
			w.to(s, n, sGiveDrop, "stop: saving failed, it runs")
		case s.clean(n):
			a.Img = 0
			w.to(s, n, sDecide, "stop: saving failed and it is gone, looks again")
		default:
			w.exit(s, n, 1, "stop: saving failed, nobody knows what is here, exit 1")
		}
	}
}
