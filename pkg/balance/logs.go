package balance

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// Logs reads samples from the files that lblog writes: DIR/NODE-LOG, lines of `UNIXSECONDS VALUE`. Only the end of a
// file is read that a window needs, and once: Logs is made for one pass and not for several goroutines.
type Logs struct {
	dir     string
	names   map[string]string // resource -> last part of the file's name
	stale   time.Duration
	cache   map[[2]string]*log
	garbage map[string]int
}

type log struct {
	list    series
	reaches time.Time // all samples behind this instant are in list
	err     error
}

// How much of a log is read at first, and at most.
const (
	firstTail = 4 << 10
	maxTail   = 1 << 20
)

// NewLogs reads from dir. names gives the log of each resource; a resource that is not in it has none.
func NewLogs(dir string, names map[string]string, stale time.Duration) *Logs {
	return &Logs{dir: dir, names: names, stale: stale, cache: map[[2]string]*log{}, garbage: map[string]int{}}
}

var _ Samples = (*Logs)(nil)

// Window is Samples.Window.
func (l *Logs) Window(node, resource string, from, to time.Time) ([]Sample, error) {
	key := [2]string{node, resource}
	c := l.cache[key]
	if c == nil || (c.err == nil && from.Before(c.reaches)) {
		c = l.read(node, resource, from)
		l.cache[key] = c
	}
	if c.err != nil {
		return nil, &DataError{Node: node, Resource: resource, Err: c.err}
	}
	if from.Before(c.reaches) {
		return nil, &DataError{Node: node, Resource: resource, Err: fmt.Errorf("the log of %d KiB at most that is read reaches back to %s only", maxTail>>10, c.reaches.Format(time.RFC3339))}
	}
	return c.list.window(node, resource, from, to, l.stale)
}

// Garbage counts the lines of each file that were passed over because they are not a sample.
func (l *Logs) Garbage() map[string]int { return maps.Clone(l.garbage) }

// read reads back to from, into the file that the last rotation left if this one does not reach so far.
func (l *Logs) read(node, resource string, from time.Time) *log {
	name, known := l.names[resource]
	if !known {
		return &log{err: fmt.Errorf("there is no resource %q", resource)}
	}
	if err := errors.Join(host.CheckName(node), host.CheckName(name)); err != nil {
		return &log{err: err}
	}
	path := filepath.Join(l.dir, node+"-"+name)
	list, all, err := l.readFile(path, from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &log{err: err}
	}
	if !all && err == nil {
		return &log{list: order(list), reaches: oldest(list)}
	}
	if len(list) == 0 || !oldest(list).Before(from) { // rotated not long ago, or just now
		before, all, err := l.readFile(path+".1", from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &log{err: err}
		}
		list = append(before, list...)
		if !all && err == nil {
			return &log{list: order(list), reaches: oldest(before)}
		}
	}
	return &log{list: order(list)}
}

// oldest is the earliest stamp, or the far past where there is none.
func oldest(list []Sample) time.Time {
	if len(list) == 0 {
		return time.Time{}
	}
	at := list[0].At
	for _, s := range list {
		if s.At.Before(at) {
			at = s.At
		}
	}
	return at
}

// readFile gives the samples of the file's end; all says that this is the whole file.
func (l *Logs) readFile(path string, from time.Time) (list []Sample, all bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	text, all, err := tail(f, firstTail, maxTail, func(text []byte) bool {
		// The lines may be out of order: one must be older by a good piece.
		got, _ := parseSamples(text)
		return len(got) > 0 && oldest(got).Before(from.Add(-l.stale))
	})
	if err != nil {
		return nil, false, fmt.Errorf("reading the samples: %w", err)
	}
	list, bad := parseSamples(text)
	if bad > 0 {
		l.garbage[filepath.Base(path)] = bad
	}
	return list, all, nil
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
	f := bytes.Fields(line)
	if len(f) != 2 {
		return Sample{}, false
	}
	at, err := strconv.ParseInt(string(f[0]), 10, 64)
	if err != nil || at <= 0 || at > 1<<36 {
		return Sample{}, false
	}
	v, err := strconv.ParseFloat(string(f[1]), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return Sample{}, false
	}
	return Sample{At: time.Unix(at, 0), Value: v}, true
}
