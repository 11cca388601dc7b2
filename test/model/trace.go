package model

import (
	"fmt"
	"slices"

	"github.com/lbvm/lbvm/internal/handoff"
)

func sorted[T any](m map[string]T) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// trace goes the way from the first state again, without renaming nodes, and then the step that breaks a rule.
func (x *search) trace(to uint32, violation string) []string {
	var path []uint32
	for i := to; i != 0; i = x.parent[i] {
		path = append(path, i)
	}
	var lines []string
	tell := func(c next) {
		where := ""
		if c.N < nodes {
			where = " " + string("XYZ"[c.N])
			if c.M < nodes {
				where += " to " + string("XYZ"[c.M])
			}
		}
		mark := ""
		if c.Fault {
			mark = "  [fault]"
		}
		lines = append(lines, fmt.Sprintf("%3d%s: %s%s", len(lines)+1, where, c.Text, mark))
	}
	cur := x.initial()
	for p := len(path) - 1; p >= 0; p-- {
		want, found := *x.states.at(path[p]), false
		for _, c := range x.successors(cur) {
			s := c.S
			if _, s = canon(&s); s == want {
				tell(c)
				cur, found = c.S, true
				break
			}
		}
		if !found {
			return append(lines, "the way is lost")
		}
	}
	if violation != "" {
		for _, c := range x.successors(cur) {
			if c.Violation == violation {
				tell(c)
				cur = c.S
				break
			}
		}
	}
	return append(lines, cur.String())
}

// deadEnds are the states from which no way without faults leads to a service that runs.
func (x *search) deadEnds(r *Result) {
	n := x.states.len()
	start := make([]uint32, n+1)
	for _, j := range x.into {
		start[j+1]++
	}
	for i := 0; i < n; i++ {
		start[i+1] += start[i]
	}
	back := make([]uint32, len(x.into))
	at := slices.Clone(start[:n])
	for e, j := range x.into {
		back[at[j]] = x.from[e]
		at[j]++
	}
	ok := make([]bool, n)
	var queue []uint32
	for i := 0; i < n; i++ {
		if x.states.at(uint32(i)).good() {
			ok[i] = true
			queue = append(queue, uint32(i))
		}
	}
	for len(queue) > 0 {
		j := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range back[start[j]:start[j+1]] {
			if !ok[i] {
				ok[i] = true
				queue = append(queue, i)
			}
		}
	}
	shown := map[string]int{}
	for i := 0; i < n; i++ {
		if ok[i] {
			continue
		}
		r.DeadEnds++
		phase := handoff.Phase(x.states.at(uint32(i)).St.Phase).String()
		if shown[phase]++; shown[phase] == 1 && len(r.DeadEnd) < 4 {
			r.DeadEnd = append(r.DeadEnd, Finding{What: "dead end in " + phase, Trace: x.trace(uint32(i), "")})
		}
	}
}

// String is a state for people.
func (s State) String() string {
	name := func(n uint8) string { return string("XYZ-"[n&3]) }
	text := fmt.Sprintf("record %s node=%s to=%s image=%d boot=%d left=%v |", handoff.Phase(s.St.Phase), name(s.St.Node), name(s.St.To), s.St.T, s.St.Boot, s.St.Left)
	for i, n := range s.N {
		text += fmt.Sprintf(" %s: %s boot=%d file=%d %s", name(uint8(i)), [...]string{"up", "joining", "unfenced", "down", "left", "off"}[n.Life], n.Boot, n.File,
			[...]string{"-", "RUN", "FROZEN", "MIG", "in", "arr", "half"}[n.G])
		for _, f := range []struct {
			is   bool
			text string
		}{{n.Mounted, "mounted"}, {n.Sick, "sick"}, {n.Here, "known"}, {n.Away, "away"}, {n.Loose, "loose"}} {
			if f.is {
				text += " " + f.text
			}
		}
		text += fmt.Sprintf(" tool=%d lock=%d agent=%d/%d |", n.Tool, n.Lock, n.A.Kind, n.A.PC)
	}
	v := s.Sv
	text += fmt.Sprintf(" service %s owner=%s op=%d ph=%d dead=%v", [...]string{"started", "stopped", "disabled", "failed"}[v.St], name(v.Owner), v.Op, v.Ph, v.Dead)
	for i, m := range s.Img {
		if m.Loc != iNone {
			text += fmt.Sprintf(" image%d=%s whole=%v stale=%v", i+1, [...]string{"", "part", "published", "claim"}[m.Loc], m.Done, m.Stale)
		}
	}
	return text
}
