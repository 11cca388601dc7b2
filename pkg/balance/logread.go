package balance

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// countedFile is a file of which each read is counted.
type countedFile struct {
	*os.File
	cost *Cost
}

// ReadAt is io.ReaderAt.
func (c countedFile) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.File.ReadAt(b, at)
	c.cost.Reads, c.cost.Bytes = c.cost.Reads+1, c.cost.Bytes+int64(n)
	return n, err
}

// tail reads whole lines from the end of a file of that size, in growing pieces, until enough says so, the file begins, or
// limit bytes are read. No byte is read twice. all says that the text is the whole file, or all that is left of it:
// logrotate may cut off what it has copied.
func tail(f io.ReaderAt, size, first, limit int64, enough func(text []byte) bool) (text []byte, all bool, err error) {
	var raw []byte
	for from, n := size, first; ; n *= 4 {
		n = min(n, limit)
		begin := max(0, size-n)
		piece := make([]byte, from-begin, size-begin)
		got, err := f.ReadAt(piece, begin)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		cut := got < len(piece)
		if cut && len(raw) > 0 {
			_, text, _ = bytes.Cut(raw, []byte("\n"))
			return text, true, nil
		}
		raw, from = append(piece[:got], raw...), begin
		text = raw
		if begin > 0 { // begins within a line
			_, text, _ = bytes.Cut(raw, []byte("\n"))
		}
		if begin == 0 || cut {
			return text, true, nil
		}
		if enough(text) || n >= limit {
			return text, false, nil
		}
	}
}

// headLines is how many of the earliest lines must be older than a window: one alone may have been written while the
// clock was wrong.
const headLines = 32

// head is the first lines of a text.
func head(text []byte) []byte {
	end := 0
	for range headLines {
		n := bytes.IndexByte(text[end:], '\n')
		if n < 0 {
			return text
		}
		end += n + 1
	}
	return text[:end]
}

// reach is the instant behind which all samples are in the list, which is in the order of the file and not empty: the
// middle one of the earliest lines' stamps, since some may have been written by a clock that was wrong.
func reach(list []Sample) time.Time {
	early := slices.Clone(list[:min(len(list), headLines)])
	slices.SortFunc(early, func(a, b Sample) int { return a.At.Compare(b.At) })
	return early[len(early)/2].At
}

// parseSamples reads whole lines in the order of the file. Lines that are no samples are counted; a last line
// without its end is being written just now and does not count.
func parseSamples(text []byte) (list []Sample, bad int) {
	list = make([]Sample, 0, bytes.Count(text, []byte("\n")))
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return list, bad
		}
		text = rest
		if s, ok := parseSample(line); ok {
			list = append(list, s)
		} else if len(bytes.TrimSpace(line)) > 0 {
			bad++
		}
	}
}

func parseSample(line []byte) (Sample, bool) {
	line = bytes.TrimSpace(line)
	blank := bytes.IndexAny(line, " \t")
	if blank < 0 {
		return Sample{}, false
	}
	at, ok := unixSeconds(line[:blank])
	if !ok {
		return Sample{}, false
	}
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(line[blank:])), 64) // a third word is no part of a number
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return Sample{}, false
	}
	return Sample{At: time.Unix(at, 0), Value: v}, true
}

// unixSeconds reads a stamp.
func unixSeconds(b []byte) (int64, bool) {
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > 1<<36 {
			return 0, false
		}
	}
	return n, n > 0
}
