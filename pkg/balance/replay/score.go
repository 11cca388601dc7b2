package replay

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// Score is what a policy came to.
type Score struct {
	World, Policy string
	Minutes       int
	Passes        int
	Overload      int     // node-minutes above Model.Full
	Silent        int     // those of them in which the node was mute
	Unserved      float64 // share of all that the VMs asked for
	Moves         int
	PingPongs     int // moves back to a node that the VM had left at most two hours before
	PingPongsDay  int // 24 hours
	Inflow        int // the most moves to one node in a pass
	GiB           float64
	Imbalance     float64        // mean over time of the standard deviation of the nodes' loads
	Tight         int            // node-minutes in which the guests had more memory than their node
	Rails         map[string]int // how often each held a VM back
	Hours         []float64      // the imbalance, hour by hour
	Overloads     []int          // and the overload
	Journal       []balance.Move
	Taken         []string // the resources of which rules read what was recorded, which no move of the model changes
	Missing       []string // those of which there was nothing: who asked for them stayed

	asked, lacked, deviation, hour float64
	overloads                      int
	minutes                        int
}

// minute scores the minute in which the nodes were asked for so many processors.
func (s *Score) minute(w *World, m Model, usage []float64, owner []int) {
	mean, square := 0.0, 0.0
	for i, n := range w.Nodes {
		s.asked += usage[i]
		s.lacked += math.Max(0, usage[i]-n.Cores)
		load := math.Min(1, usage[i]/n.Cores)
		if usage[i] > m.Full*n.Cores {
			s.Overload++
			s.overloads++
			if n.muted(s.minutes) {
				s.Silent++
			}
		}
		mean += load
		square += load * load
	}
	k := float64(len(w.Nodes))
	mean /= k
	d := math.Sqrt(math.Max(0, square/k-mean*mean))
	s.deviation += d
	s.hour += d
	mem := make([]int64, len(w.Nodes))
	for i := range w.VMs {
		mem[owner[i]] += w.VMs[i].Mem
	}
	for i, n := range w.Nodes {
		if mem[i] > n.Mem {
			s.Tight++
		}
	}
	if s.minutes++; s.minutes%60 == 0 {
		s.Hours, s.Overloads = append(s.Hours, s.hour/60), append(s.Overloads, s.overloads)
		s.hour, s.overloads = 0, 0
	}
}

// finish counts what the journal tells.
func (s *Score) finish(w *World, journal []balance.Move) {
	if s.asked > 0 {
		s.Unserved = s.lacked / s.asked
	}
	s.Imbalance = s.deviation / float64(s.minutes)
	mem, unit := map[string]int64{}, map[string]string{} // of a service any VM may speak
	for _, v := range w.VMs {
		id := v.Type + ":" + v.Name
		unit[id] = cmp.Or(v.Service, id)
		mem[unit[id]] += v.Mem
	}
	left := map[string]time.Time{}
	for _, m := range journal {
		s.Moves++
		of := unit[m.VM]
		s.GiB += float64(mem[of]) / (1 << 30)
		if at, ok := left[of+" "+m.To]; ok {
			if m.Begin.Sub(at) <= 2*time.Hour {
				s.PingPongs++
			}
			if m.Begin.Sub(at) <= 24*time.Hour {
				s.PingPongsDay++
			}
		}
		left[of+" "+m.From] = m.Begin
		if !m.End.IsZero() {
			left[of+" "+m.From] = m.End
		}
	}
	s.Journal = journal
}

// Columns are the heads of Row.
func Columns() []string {
	return []string{"OVERLOAD", "UNSERVED", "MOVES", "PINGPONG", "24H", "INFLOW", "GIB", "IMBALANCE"}
}

// Row is a score as the cells of a table.
func (s *Score) Row() []string {
	return []string{fmt.Sprint(s.Overload), fmt.Sprintf("%.2f%%", 100*s.Unserved), fmt.Sprint(s.Moves), fmt.Sprint(s.PingPongs), fmt.Sprint(s.PingPongsDay),
		fmt.Sprint(s.Inflow), fmt.Sprintf("%.0f", s.GiB), fmt.Sprintf("%.3f", s.Imbalance)}
}
