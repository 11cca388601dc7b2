package balance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// PassUses are the VMs of recorded passes, read for many instants in their order: of a line only what stands before the decisions is
// read and decoded, and the place in the file is looked for from the last one on. Close it.
type PassUses struct {
	files []*usesFile // the one that was rotated away first
	vms   []VM
}

// OpenPassUses opens passes.log at path, and the one that was rotated away.
func OpenPassUses(path string) (*PassUses, error) {
	u := &PassUses{}
	for _, name := range []string{path + ".1", path} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			u.files = append(u.files, &usesFile{f: f})
			err = u.files[len(u.files)-1].measure()
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading the passes: %w", err), u.Close())
		}
	}
	return u, nil
}

// Close closes the files.
func (u *PassUses) Close() error {
	var all []error
	for _, x := range u.files {
		all = append(all, x.f.Close())
	}
	return errors.Join(all...)
}

// Span gives the times of the first and the last pass, read from the two ends of the files. The zero time says that there is none.
func (u *PassUses) Span() (first, last time.Time) {
	for _, x := range u.files {
		if x.first.end != 0 && first.IsZero() {
			first = x.first.at
		}
		if x.last.end != 0 {
			last = x.last.at
		}
	}
	return first, last
}

// At gives the VMs (Name, Type, Owner and Cores) of the last pass that was not made after t and not before t - within, as PassAt finds
// it. The list is good up to the next call. ErrNoPass says that there is none.
func (u *PassUses) At(t time.Time, within time.Duration) ([]VM, error) {
	for i := len(u.files) - 1; i >= 0; i-- {
		x := u.files[i]
		p, err := x.find(t)
		if err == nil && p.end == 0 {
			continue
		}
		if err == nil && t.Sub(p.at) > within {
			break
		}
		if err == nil {
			u.vms, err = x.uses(u.vms[:0], p)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the passes: %w", err)
		}
		return u.vms, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPass, t.Format(time.RFC3339))
}

// usesFile is a file of passes.
type usesFile struct {
	f           *os.File
	whole       int64   // behind the last line that has its end
	first, last passPos // the same where there is one line
	at          passPos // where the last search ended
	buf         []byte
	names       map[string]string
	view        int64 // so long was the part before the decisions
}

// passPos is a line of a pass; end, behind it, is 0 where there is none.
type passPos struct {
	at         time.Time
	begin, end int64
}

const usesPiece = 64 << 10

// measure finds the first and the last line.
func (x *usesFile) measure() error {
	x.buf, x.names = make([]byte, usesPiece), map[string]string{}
	size, err := x.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if x.whole, err = x.lineEndBefore(size); err != nil || x.whole == 0 {
		return err
	}
	if x.first, err = x.behind(0); err != nil || x.first.end == 0 {
		return err
	}
	x.last, x.at = x.first, x.first
	for end := x.whole; end > x.first.end; {
		begin, err := x.lineEndBefore(end - 1)
		if err != nil {
			return err
		}
		p, err := x.behind(begin)
		if err != nil {
			return err
		}
		if p.end != 0 { // else garbage stands at the end
			x.last = p
			return nil
		}
		end = begin
	}
	return nil
}

// lineEndBefore is the offset behind the last line end in front of an offset.
func (x *usesFile) lineEndBefore(end int64) (int64, error) {
	for end > 0 {
		begin := max(0, end-usesPiece)
		piece := x.buf[:end-begin]
		if _, err := x.f.ReadAt(piece, begin); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

// lineEnd is the offset behind the next line end at or behind an offset.
func (x *usesFile) lineEnd(from int64) (int64, error) {
	for from < x.whole {
		piece := x.buf[:min(usesPiece, x.whole-from)]
		if _, err := x.f.ReadAt(piece, from); err != nil {
			return 0, err
		}
		if i := bytes.IndexByte(piece, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		from += int64(len(piece))
	}
	return x.whole, nil
}

// behind is the first pass whose line begins at or behind an offset.
func (x *usesFile) behind(from int64) (passPos, error) {
	var err error
	if from > 0 {
		if from, err = x.lineEnd(from - 1); err != nil {
			return passPos{}, err
		}
	}
	for from < x.whole {
		head := x.buf[:min(64, x.whole-from)]
		if _, err := x.f.ReadAt(head, from); err != nil {
			return passPos{}, err
		}
		at, ok := passStamp(head)
		end, err := x.lineEnd(from)
		if err != nil || ok {
			return passPos{at, from, end}, err
		}
		from = end
	}
	return passPos{}, nil
}

// find gives the last line that is not after t, or none. It guesses from the stamps where it is, and goes on line by line when it
// is near, or when it has guessed often.
func (x *usesFile) find(t time.Time) (passPos, error) {
	if x.first.end == 0 || x.first.at.After(t) {
		return passPos{}, nil
	}
	if !x.last.at.After(t) {
		return x.last, nil
	}
	low, high := x.first, x.last
	if !x.at.at.After(t) {
		low = x.at
	}
	line := max(low.end-low.begin, 1)
	for range 64 {
		span := high.at.Sub(low.at)
		if span <= 0 || high.begin-low.end <= 4*line {
			break
		}
		guess := low.begin + int64(float64(high.begin-low.begin)*(float64(t.Sub(low.at))/float64(span))) - line/2
		if guess = max(guess, low.end+1); guess >= high.begin {
			break
		}
		p, err := x.behind(guess)
		switch {
		case err != nil:
			return passPos{}, err
		case p.end == 0 || p.begin >= high.begin || p.at.After(t):
			if guess <= low.end+line {
				high.begin, high.at = low.end, low.at // it is the next one, or this
			} else if p.end != 0 && p.begin < high.begin {
				high = p
			} else {
				high.begin = guess
			}
		default:
			low = p
		}
		line = max(low.end-low.begin, 1)
	}
	for {
		p, err := x.behind(low.end)
		if err != nil || p.end == 0 || p.at.After(t) {
			x.at = low
			return low, err
		}
		low = p
	}
}

// uses decodes the VMs of a line, and reads no more of it than it needs.
func (x *usesFile) uses(list []VM, p passPos) ([]VM, error) {
	for n := max(x.view, usesPiece); ; n *= 2 {
		n = min(n, p.end-p.begin)
		if int64(len(x.buf)) < n {
			x.buf = make([]byte, n)
		}
		piece := x.buf[:n]
		if _, err := x.f.ReadAt(piece, p.begin); err != nil {
			return nil, err
		}
		out, used, err := scanUses(list, piece, x.names)
		if err == nil {
			x.view = int64(used) + 4<<10
			return out, nil
		}
		if n == p.end-p.begin {
			return nil, fmt.Errorf("the pass of %s: %w", p.at.Format(time.RFC3339), err)
		}
	}
}
