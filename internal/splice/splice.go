// Package splice applies edits to the bytes of a file and takes them back.
//
// It is how cluster.conf, lbvm.conf and guests' configurations are changed: every
// byte outside an edit's span stays as it was.
package splice

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Edit replaces the bytes [Start, End) by Text. Start == End inserts.
type Edit struct {
	Start, End int
	Text       []byte
}

// ErrOverlap says that two edits claim the same bytes.
var ErrOverlap = errors.New("edits overlap")

// ErrRange says that an edit lies outside the text.
var ErrRange = errors.New("edit outside the text")

// Apply gives src with the edits made, all of whose offsets count in src. Insertions at one place keep their order.
func Apply(src []byte, edits []Edit) ([]byte, error) {
	sorted, err := order(src, edits)
	if err != nil {
		return nil, err
	}
	size := len(src)
	for _, e := range sorted {
		size += len(e.Text) - (e.End - e.Start)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, e := range sorted {
		out = append(append(out, src[at:e.Start]...), e.Text...)
		at = e.End
	}
	return append(out, src[at:]...), nil
}

// Invert gives the edits that take Apply(src, edits) back to src.
func Invert(src []byte, edits []Edit) ([]Edit, error) {
	sorted, err := order(src, edits)
	if err != nil {
		return nil, err
	}
	back := make([]Edit, 0, len(sorted))
	shift := 0
	for _, e := range sorted {
		start := e.Start + shift
		back = append(back, Edit{Start: start, End: start + len(e.Text), Text: slices.Clone(src[e.Start:e.End])})
		shift += len(e.Text) - (e.End - e.Start)
	}
	return back, nil
}

func order(src []byte, edits []Edit) ([]Edit, error) {
	sorted := slices.Clone(edits)
	slices.SortStableFunc(sorted, func(a, b Edit) int {
		if c := cmp.Compare(a.Start, b.Start); c != 0 {
			return c
		}
		return cmp.Compare(a.End, b.End) // an insertion stands before what replaces the bytes behind it
	})
	at := 0
	for _, e := range sorted {
		if e.Start < 0 || e.End < e.Start || e.End > len(src) {
			return nil, fmt.Errorf("%w: [%d,%d) of %d bytes", ErrRange, e.Start, e.End, len(src))
		}
		if e.Start < at {
			return nil, fmt.Errorf("%w: at byte %d", ErrOverlap, e.Start)
		}
		at = e.End
	}
	return sorted, nil
}
