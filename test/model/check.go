package model

// check is I1, for every state.
func (s *State) check() string {
	writers, frozen := 0, 0
	for i := range s.N {
		switch s.N[i].G {
		case gRun, gMig:
			writers++
		case gFrozen:
			frozen++
		}
	}
	if writers > 1 {
		return "I1 the guest runs twice"
	}
	if writers+frozen > 1 {
		return "I1 a frozen guest beside a running one"
	}
	return ""
}

// startBeside is I3, by what is true and not by what the start sees: the node of the record has the VM no more.
func (s *State) startBeside(n int) string {
	y, to := s.St.Node, s.St.To
	lives := y < nodes && int(y) != n && s.N[y].Life != down && s.N[y].Life != downLeft && s.N[y].Boot == s.St.Boot && !s.leftClean(int(y))
	arrived := to < nodes && int(to) != n && s.N[to].Life != down && s.N[to].G != gNone
	switch s.St.Phase {
	case pNone, pDown, pSuspended:
	case pSent:
		if arrived {
			return "I3 a start while the guest is where it was sent"
		}
	case pSending:
		if lives || arrived {
			return "I3 a start while a living node sends it, or has received it"
		}
	default:
		if lives {
			return "I3 a start while the record names a living node"
		}
	}
	return ""
}

// leftClean: n has left in order with nothing of the VM on it and nothing at work there, or is back from that while a
// start elsewhere, which had seen it away, goes on. It begins nothing before rgmanager tells it to.
func (s *State) leftClean(n int) bool {
	nd := &s.N[n]
	back := nd.Life == joining && nd.A.Init || nd.Life == up && nd.Affirmed && nd.A.Kind == aNone
	return (nd.Life == left || back) && s.clean(n) && nd.Tool == tNone
}

// good: the service is started, and its guest runs once, where the record says.
func (s *State) good() bool {
	v := &s.Sv
	if v.Op != oNone || v.St != svStarted || v.Dead || s.Hand != nobody {
		return false
	}
	o := v.Owner
	if s.N[o].Life != up || s.N[o].G != gRun || s.N[o].Sick || s.St.Phase != pRunning || s.St.Node != o {
		return false
	}
	for i := range s.N {
		if i != int(o) && s.N[i].G != gNone || s.N[i].A.Kind != aNone || s.N[i].Tool != tNone {
			return false
		}
	}
	return true
}
