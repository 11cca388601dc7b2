package pacemaker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// boots tells of each time that a guest came up whether somebody had started it, or its own QEMU was reset: a guest whose kernel falls
// over boots by itself (panic=1), and so does one that QEMU resets; no agent and no manager has a part in that.
func (b *bench) boots(g *guest) []string {
	if b.watch == nil {
		return nil
	}
	g.mu.Lock()
	ups, ticks := slices.Clone(g.cameUp), slices.Clone(g.ticks)
	g.mu.Unlock()
	return bootsOf(ups, ticks, b.watch.spans(g.name, time.Time{}))
}

func bootsOf(ups []time.Time, ticks []tick, spans []span) (out []string) {
	clock := func(t time.Time) string { return t.Format("15:04:05.000") }
	for i, up := range ups {
		var in *span // the process that lives then, the last to begin
		alone := time.Time{}
		for _, s := range spans {
			if s.from.After(up) || s.to.Before(up.Add(-time.Second)) {
				continue
			}
			if in == nil || s.from.After(in.from) {
				in = &s
			}
		}
		if in == nil {
			out = append(out, fmt.Sprintf("boot %d at %s: in no process that was seen", i+1, clock(up)))
			continue
		}
		for _, s := range spans { // since when it is the only one
			if s.pid != in.pid && s.from.Before(up) && s.to.After(alone) && s.to.Before(up) {
				alone = s.to
			}
		}
		if alone.Before(in.from) {
			alone = in.from
		}
		how := "that somebody had started"
		if slices.ContainsFunc(ticks, func(t tick) bool { return t.up == i && t.at.After(alone) && t.at.Before(up) }) {
			how = "IN PLACE: the guest had counted in it before, so it was reset, by its own kernel or by QEMU"
		}
		out = append(out, fmt.Sprintf("boot %d at %s: in process %d on %s, which was seen from %s on, %s", i+1, clock(up), in.pid, in.node, clock(in.from), how))
	}
	return out
}

// A reset in place is told from a start, also behind a live migration.
func TestBootsAreTold(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	ticks := func(up int, from, to float64) (out []tick) {
		for i, s := 1, from; s <= to; i, s = i+1, s+0.1 {
			out = append(out, tick{up, i, at(s)})
		}
		return out
	}
	for name, x := range map[string]struct {
		ups   []float64
		ticks []tick
		spans []span
		reset bool // the last boot
	}{
		"started":                          {[]float64{1}, nil, []span{{"g", "node1", 1, at(0), at(9)}}, false},
		"started elsewhere":                {[]float64{1, 8}, ticks(1, 1, 5), []span{{"g", "node1", 1, at(0), at(5)}, {"g", "node2", 2, at(7), at(9)}}, false},
		"reset":                            {[]float64{1, 6}, ticks(1, 1, 5), []span{{"g", "node1", 1, at(0), at(9)}}, true},
		"reset behind a live migration":    {[]float64{1, 8}, ticks(1, 1, 7), []span{{"g", "node1", 1, at(0), at(5)}, {"g", "node2", 2, at(3), at(9)}}, true},
		"started anew on the same node":    {[]float64{1, 8}, ticks(1, 1, 5), []span{{"g", "node1", 1, at(0), at(5.04)}, {"g", "node1", 2, at(7), at(9)}}, false},
		"reset behind a migration a start": {[]float64{1, 12}, ticks(1, 1, 7), []span{{"g", "node1", 1, at(0), at(5)}, {"g", "node2", 2, at(3), at(9)}, {"g", "node3", 3, at(11), at(13)}}, false},
	} {
		var ups []time.Time
		for _, s := range x.ups {
			ups = append(ups, at(s))
		}
		got := bootsOf(ups, x.ticks, x.spans)
		if last := got[len(got)-1]; len(got) != len(ups) || strings.Contains(last, "IN PLACE") != x.reset {
			t.Errorf("%s: %q", name, got)
		}
	}
}
