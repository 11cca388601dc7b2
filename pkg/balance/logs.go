package balance

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// Logs reads samples from the files that lblog writes: DIR/NODE-LOG, lines of `UNIXSECONDS VALUE`. Only the end of a
// file is read that a window needs, and once: Logs is made for one pass and not for several goroutines.
type Logs struct {
	dir     string
	names   map[string]string // resource -> last part of the file's name
	stale   time.Duration
	now     time.Time // zero: nobody knows
	cache   map[[2]string]*log
	garbage map[string]int
	stamps  map[string]stamped
	cost    Cost
}

type log struct {
	list    series
	reaches time.Time // all samples behind this instant are in list
	full    bool      // no more of it is read
	last    Sample    // the one that was written last
	err     error
}

// Cost is what reading came to.
type Cost struct {
	Reads int   // pieces of files
	Bytes int64 // in them
}

// How much of a log is read at first, and at most.
const (
	firstTail = 4 << 10
	maxTail   = 1 << 20
)

// NewLogs reads from dir. names gives the log of each resource; a resource that is not in it has none.
func NewLogs(dir string, names map[string]string, stale time.Duration) *Logs {
	return &Logs{dir: dir, names: names, stale: stale, cache: map[[2]string]*log{}, garbage: map[string]int{}, stamps: map[string]stamped{}}
}

// At tells what time it is while the logs are read. A node whose newest sample is then stamped in the future by as much as
// makes a sample stale has no data: how old its samples are nobody can tell. It returns l. Who looks at the past does
// not call it.
func (l *Logs) At(now time.Time) *Logs {
	l.now = now
	return l
}

var _ Samples = (*Logs)(nil)

// Window is Samples.Window.
func (l *Logs) Window(node, resource string, from, to time.Time) ([]Sample, error) {
	key := [2]string{node, resource}
	c := l.cache[key]
	if c == nil || (c.err == nil && !c.full && from.Before(c.reaches)) {
		c = l.read(node, resource, from)
		c.full = from.Before(c.reaches)
		l.cache[key] = c
	}
	if c.err != nil {
		return nil, &DataError{Node: node, Resource: resource, Err: c.err}
	}
	if from.Before(c.reaches) {
		return nil, &DataError{Node: node, Resource: resource, Err: fmt.Errorf("the log of %d KiB at most that is read reaches back to %s only", maxTail>>10, c.reaches.Format(time.RFC3339))}
	}
	if ahead := c.last.At.Sub(l.now); !l.now.IsZero() && ahead >= l.stale {
		return nil, &DataError{Node: node, Resource: resource, Err: fmt.Errorf("%w: %s, which is to come (do the clocks agree?)", ErrAhead, c.last.At.Format(time.RFC3339))}
	}
	return c.list.window(node, resource, from, to, l.stale)
}

// Garbage counts the lines of each file that were passed over because they are not a sample.
func (l *Logs) Garbage() map[string]int { return maps.Clone(l.garbage) }

// Cost tells what has been read so far.
func (l *Logs) Cost() Cost { return l.cost }

// read reads back to from, into the files that the last rotations left if this one does not reach so far.
func (l *Logs) read(node, resource string, from time.Time) *log {
	name, known := l.names[resource]
	if !known {
		return &log{err: fmt.Errorf("there is no resource %q", resource)}
	}
	if err := errors.Join(host.CheckName(node), host.CheckName(name)); err != nil {
		return &log{err: err}
	}
	out := &log{}
	var list []Sample
	var seen []os.FileInfo
	path := filepath.Join(l.dir, node+"-"+name)
	for _, suffix := range []string{"", ".1", ".2"} {
		got, err := l.readFile(path+suffix, from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // renamed just now, and not made anew yet
		}
		if err != nil {
			return &log{err: err}
		}
		twice := false // renamed after it was read: what stood behind it has one number more
		for _, fi := range seen {
			twice = twice || os.SameFile(fi, got.info)
		}
		if twice {
			continue
		}
		if len(list) == 0 && len(got.list) > 0 {
			out.last = got.list[len(got.list)-1]
			l.stamps[node] = newest(l.stamps[node], stamped{stamp: out.last.At, written: got.info.ModTime(), file: node + "-" + name})
		}
		seen, list = append(seen, got.info), append(got.list, list...)
		if !got.all {
			out.reaches = got.reaches
			break
		}
		if len(seen) == 2 || len(list) > 0 && reach(list).Before(from) {
			break
		}
	}
	out.list = order(list)
	return out
}

// piece is what was read of one file.
type piece struct {
	list    []Sample
	all     bool      // this is the whole file
	reaches time.Time // if not
	info    os.FileInfo
}

// readFile gives the samples of the file's end.
func (l *Logs) readFile(path string, from time.Time) (piece, error) {
	f, err := os.Open(path)
	if err != nil {
		return piece{}, err
	}
	defer f.Close()
	p := piece{}
	if p.info, err = f.Stat(); err != nil {
		return piece{}, fmt.Errorf("reading the samples: %w", err)
	}
	text, all, err := tail(countedFile{f, &l.cost}, p.info.Size(), firstTail, maxTail, func(text []byte) bool {
		// The lines may be out of order: they must be older by a good piece.
		first, _ := parseSamples(head(text))
		return len(first) > 0 && reach(first).Before(from.Add(-l.stale))
	})
	if err != nil {
		return piece{}, fmt.Errorf("reading the samples: %w", err)
	}
	var bad int
	p.list, bad = parseSamples(text)
	if bad > 0 {
		l.garbage[filepath.Base(path)] = bad
	}
	if p.all = all; !all && len(p.list) > 0 {
		p.reaches = reach(p.list)
	}
	return p, nil
}
