package balance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Sample is one measured value.
type Sample struct {
	At    time.Time
	Value float64
}

// Samples are the measured values: of files (Logs), of memory, of a replay.
type Samples interface {
	// Window gives the samples in (from, to], newest first; they must not be changed. ErrNoData if there are none,
	// ErrStale if the newest up to `to` is too old to say anything.
	Window(node, resource string, from, to time.Time) ([]Sample, error)
}

// Why there are no samples. Both mean: stay.
var (
	ErrNoData = errors.New("no data")
	ErrStale  = errors.New("no fresh data")
	ErrAhead  = errors.New("its newest sample is stamped")
)

// DataError says which samples are missing.
type DataError struct {
	Node, Resource string
	Age            time.Duration // of the newest sample; 0 where there is none
	Err            error         // ErrNoData, ErrStale, or why they cannot be read
}

func (e *DataError) Error() string {
	text := "no data"
	if errors.Is(e.Err, ErrStale) {
		text = ErrStale.Error()
	}
	text += fmt.Sprintf(" for %s on %s", e.Resource, e.Node)
	switch {
	case errors.Is(e.Err, ErrStale):
		text += fmt.Sprintf(": the newest is %s old", e.Age.Round(time.Second))
	case !errors.Is(e.Err, ErrNoData):
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *DataError) Unwrap() error { return e.Err }

// Memory-held samples, for tests and replays. Newest first is kept by Add.
type series []Sample

// window cuts (from, to] out of samples that are ordered newest first.
func (s series) window(node, resource string, from, to time.Time, stale time.Duration) ([]Sample, error) {
	first, _ := slices.BinarySearchFunc(s, to, func(x Sample, t time.Time) int { return -cmp.Compare(x.At.UnixNano(), t.UnixNano()) })
	if first == len(s) {
		return nil, &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	if age := to.Sub(s[first].At); age >= stale {
		return nil, &DataError{Node: node, Resource: resource, Age: age, Err: ErrStale}
	}
	end := first
	for end < len(s) && s[end].At.After(from) {
		end++
	}
	if end == first {
		return nil, &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	return s[first:end:end], nil
}

// order sorts newest first. Of samples with one stamp the one that was written last stays.
func order(list []Sample) series {
	newestFirst := func(a, b Sample) int { return b.At.Compare(a.At) }
	slices.Reverse(list) // the last written comes first among equals
	if !slices.IsSortedFunc(list, newestFirst) {
		slices.SortStableFunc(list, newestFirst)
	}
	return slices.CompactFunc(list, func(a, b Sample) bool { return a.At.Equal(b.At) })
}

// MemorySamples are samples held in memory.
type MemorySamples struct {
	stale time.Duration
	data  map[[2]string]series
}

// NewMemorySamples holds samples that are stale after that time.
func NewMemorySamples(stale time.Duration) *MemorySamples {
	return &MemorySamples{stale: stale, data: map[[2]string]series{}}
}

var _ Samples = (*MemorySamples)(nil)

// Add adds samples of a node, in any order.
func (m *MemorySamples) Add(node, resource string, list ...Sample) {
	key := [2]string{node, resource}
	all := slices.Clone(m.data[key])
	slices.Reverse(all)
	m.data[key] = order(append(all, list...))
}

// Window is Samples.Window.
func (m *MemorySamples) Window(node, resource string, from, to time.Time) ([]Sample, error) {
	return m.data[[2]string{node, resource}].window(node, resource, from, to, m.stale)
}
