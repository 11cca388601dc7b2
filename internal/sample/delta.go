package sample

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
)

// counters are figures that only grow.
type counters map[string]float64

// difference is what counters grew by between two looks.
type difference struct {
	before, now counters
	elapsed     time.Duration
}

// of is the growth of one counter; one that was not there before has grown by nothing.
func (d difference) of(name string) float64 {
	old, ok := d.before[name]
	if !ok {
		return 0
	}
	return d.now[name] - old
}

var errStill = errors.New("the counters did not move")

// A last look older than maxAge would give a mean over a time that nobody asked about.
const maxAge = 5 * time.Minute

// delta compares with the last run's look, which is kept in a node-local file. Without a usable one, or where that is no
// older than apart, it looks twice, so far apart.
func (s Sampler) delta(ctx context.Context, name string, apart time.Duration, look func() (counters, error)) (difference, error) {
	boot, err := s.Host.BootID()
	if err != nil {
		return difference{}, err
	}
	file := filepath.Join(s.Host.Path(host.RunDir), "sample."+name)
	before, at, ok := readLook(file, boot)
	now, err := look()
	if err != nil {
		return difference{}, err
	}
	if elapsed := s.Clock.Now().Sub(at); !ok || elapsed < apart || elapsed > maxAge {
		before, at = now, s.Clock.Now()
		if err := s.Clock.Sleep(ctx, apart); err != nil {
			return difference{}, err
		}
		if now, err = look(); err != nil {
			return difference{}, err
		}
	}
	d := difference{before: before, now: now, elapsed: s.Clock.Now().Sub(at)}
	if d.elapsed <= 0 {
		return difference{}, errors.New("the clock did not move")
	}
	return d, writeLook(file, boot, s.Clock.Now(), now)
}

func readLook(file, boot string) (counters, time.Time, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, time.Time{}, false // the first run; a file that cannot be read is replaced
	}
	p, err := keyval.Parse(b)
	if err != nil || p.Get("boot") != boot {
		return nil, time.Time{}, false
	}
	at, err := strconv.ParseInt(p.Get("at"), 10, 64)
	if err != nil {
		return nil, time.Time{}, false
	}
	c := counters{}
	for _, v := range p.All("counter") {
		name, value, ok := cutLast(v)
		f, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			return nil, time.Time{}, false
		}
		c[name] = f
	}
	return c, time.Unix(0, at), true
}

func writeLook(file, boot string, at time.Time, c counters) error {
	p := keyval.Pairs{{Key: "boot", Value: boot}, {Key: "at", Value: strconv.FormatInt(at.UnixNano(), 10)}}
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p = append(p, keyval.Pair{Key: "counter", Value: name + " " + strconv.FormatFloat(c[name], 'g', -1, 64)})
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(file, p.Format(), atomicfile.Options{Mode: 0o644})
}

// cutLast parts "name value" at its last blank.
func cutLast(s string) (string, string, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' {
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}
