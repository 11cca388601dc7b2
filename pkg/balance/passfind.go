package balance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrNoPass says that no pass was recorded at an instant or shortly before it.
var ErrNoPass = errors.New("no pass was recorded then")

// PassAt gives the last pass of passes.log at path, or of the one that was rotated away, that was not made after t, and
// not before t - within. It looks for the place in the file and reads one line.
func PassAt(path string, t time.Time, within time.Duration) (*Pass, error) {
	return PassOf(path, t, within, nil)
}

// PassOf is PassAt with the decisions only that keep wants, by TYPE:NAME and service. nil wants all.
func PassOf(path string, t time.Time, within time.Duration, keep func(vm, service string) bool) (*Pass, error) {
	for _, name := range []string{path, path + ".1"} {
		p, err := passIn(name, t, keep)
		if err != nil {
			return nil, fmt.Errorf("looking for a pass: %w", err)
		}
		if p != nil {
			if t.Sub(p.At) > within {
				break
			}
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPass, t.Format(time.RFC3339))
}

func passIn(path string, t time.Time, keep func(vm, service string) bool) (*Pass, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	// The last line that begins in [low, high) and is not after t.
	low, high, found := int64(0), size, int64(-1)
	for low < high {
		mid := (low + high) / 2
		at, begin, end, err := stampBehind(f, mid, size)
		switch {
		case err != nil:
			return nil, err
		case begin < 0 || begin >= high || at.After(t):
			high = mid
		default:
			found, low = begin, end
		}
	}
	if found < 0 {
		return nil, nil
	}
	line, err := bufio.NewReaderSize(io.NewSectionReader(f, found, size-found), 64<<10).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return decodePass(line, keep)
}

// stampBehind gives the time of the first whole line of a pass that begins at or behind an offset, where it begins, and an
// offset behind its beginning. begin is negative where there is none.
func stampBehind(f io.ReaderAt, from, size int64) (at time.Time, begin, end int64, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, from, size-from), 64<<10)
	pos := from
	if from > 0 {
		var before [1]byte
		if _, err := f.ReadAt(before[:], from-1); err != nil {
			return at, -1, 0, err
		}
		if before[0] != '\n' {
			n, err := skipLine(r)
			if err != nil {
				return at, -1, 0, notEnd(err)
			}
			pos += n
		}
	}
	for {
		head, _ := r.Peek(64)
		if stamp, ok := bytes.CutPrefix(head, []byte(`{"at":"`)); ok {
			text, _, _ := bytes.Cut(stamp, []byte(`"`))
			if at, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
				if _, err := skipLine(r); err == nil { // else it is torn
					return at, pos, pos + 1, nil
				}
				return at, -1, 0, nil
			}
		}
		n, err := skipLine(r)
		if err != nil {
			return at, -1, 0, notEnd(err)
		}
		pos += n
	}
}

func skipLine(r *bufio.Reader) (int64, error) {
	n := int64(0)
	for {
		piece, err := r.ReadSlice('\n')
		n += int64(len(piece))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err
		}
	}
}

func notEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Then gives the moves as the journal had them at an instant: those that had begun, without ends that were to come.
func Then(moves []Move, t time.Time) []Move {
	var out []Move
	for _, m := range moves {
		if m.Begin.After(t) {
			continue
		}
		if m.End.After(t) {
			m.End, m.Outcome, m.Owner, m.Memory = time.Time{}, "", "", ""
		}
		out = append(out, m)
	}
	return out
}
