package replay

import (
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// resource is the one that worlds measure.
const resource = "cpu"

// samples holds a node's samples newest first: they are filled from the back.
type samples struct {
	stale time.Duration
	nodes map[string]*samplesOf
}

type samplesOf struct {
	buf   []balance.Sample
	first int // index of the newest
}

func newSamples(w *World, stale time.Duration) *samples {
	s := &samples{stale: stale, nodes: map[string]*samplesOf{}}
	for _, n := range w.Nodes {
		s.nodes[n.Name] = &samplesOf{buf: make([]balance.Sample, w.Ticks), first: w.Ticks}
	}
	return s
}

func (s *samples) add(node string, x balance.Sample) {
	n := s.nodes[node]
	n.first--
	n.buf[n.first] = x
}

var _ balance.Samples = (*samples)(nil)

// Window is balance.Samples.Window.
func (s *samples) Window(node, name string, from, to time.Time) ([]balance.Sample, error) {
	n := s.nodes[node]
	if n == nil || name != resource || n.first == len(n.buf) {
		return nil, &balance.DataError{Node: node, Resource: name, Err: balance.ErrNoData}
	}
	list := n.buf[n.first:]
	for len(list) > 0 && list[0].At.After(to) {
		list = list[1:]
	}
	if len(list) > 0 && to.Sub(list[0].At) >= s.stale {
		return nil, &balance.DataError{Node: node, Resource: name, Age: to.Sub(list[0].At), Err: balance.ErrStale}
	}
	end := 0
	for end < len(list) && list[end].At.After(from) {
		end++
	}
	if end == 0 {
		return nil, &balance.DataError{Node: node, Resource: name, Err: balance.ErrNoData}
	}
	return list[:end:end], nil
}

// newest are samples as the manual's rule reads them: the last so many lines, whatever their age.
type newest struct{ *samples }

// Window is balance.Samples.Window by count.
func (s newest) Window(node, name string, from, to time.Time) ([]balance.Sample, error) {
	n := s.nodes[node]
	if n == nil || name != resource || n.first == len(n.buf) {
		return nil, &balance.DataError{Node: node, Resource: name, Err: balance.ErrNoData}
	}
	list := n.buf[n.first:]
	count := min(int(to.Sub(from)/Tick), len(list))
	return list[:count:count], nil
}
