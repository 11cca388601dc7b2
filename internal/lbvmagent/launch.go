package lbvmagent

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// launch remembers the pass that was started last: a pass that dies before it writes a record (killed, or it cannot
// even be executed) must count as well.
type launch struct {
	pid    int    // 0: it could not be started, and was counted
	record string // which record stood there then
	lost   int    // passes in a row that left none
}

// launch starts a pass and gives the number of passes in a row, this one included if it could not be started, that
// ended without a record.
func (a *Agent) launch(p place, c *ocf.Call, rec Record, id string) int {
	log := c.Log
	last, known := p.readLaunch(log)
	next := launch{record: id}
	switch {
	case known && last.record != id: // the last pass did write
		report(log, rec)
	case known && last.pid > 0 && a.Alive(last.pid): // not ended; it may be about to take the lock
		next.lost = last.lost
	case known && last.pid > 0:
		next.lost = last.lost + 1
	default:
		next.lost = last.lost
	}
	pass := []string{p.host.Path(Monitor)}
	if c.Explaining() {
		if next.lost > 0 {
			c.Say("  found: passes in a row that ended without a word: %d", next.lost)
		}
		c.Say("  would run: %s (in a session of its own; nobody waits for it)", pass[0])
		c.Say("  it notes that in %s", p.launched())
		return next.lost
	}
	c.Runs(pass) // nobody waits for its end
	pid, err := a.Detach(run.Command{Argv: pass, Env: p.host.Environ(), Dir: "/"})
	if err != nil {
		c.Ran(pass, 0, 0, err)
		log.Log(ocf.LevelError, "cannot start a pass: "+err.Error())
		next.lost++
	}
	next.pid = pid
	if err := atomicfile.Write(p.launched(), next.format(), atomicfile.Options{Mode: 0o644}); err != nil {
		log.Log(ocf.LevelError, "cannot note that a pass was started: "+err.Error())
	}
	return next.lost
}

// report logs, once for each pass, that it did not do its work.
func report(log ocf.Logger, rec Record) {
	switch rec.Outcome {
	case Failed:
		log.Log(ocf.LevelError, "the last pass failed: "+rec.Why, "cause", rec.Cause, "failures", rec.Failures)
	case Config:
		log.Log(ocf.LevelError, "the configuration has errors, see lbmonitor --dry-run: "+rec.Why)
	}
}

func (l launch) format() []byte {
	return keyval.Pairs{{Key: "format", Value: "1"}, {Key: "pid", Value: strconv.Itoa(l.pid)},
		{Key: "record", Value: l.record}, {Key: "lost", Value: strconv.Itoa(l.lost)}}.Format()
}

// readLaunch gives the last launch; false if there was none since the start.
func (p place) readLaunch(log ocf.Logger) (launch, bool) {
	b, err := os.ReadFile(p.launched())
	if errors.Is(err, os.ErrNotExist) {
		return launch{}, false
	}
	var l launch
	if err == nil {
		l, err = parseLaunch(b)
	}
	if err != nil {
		log.Log(ocf.LevelWarning, "cannot read which pass was started last: "+err.Error())
		return launch{}, false
	}
	return l, true
}

func parseLaunch(b []byte) (launch, error) {
	k, err := keyval.Parse(b)
	if err != nil {
		return launch{}, err
	}
	if f := k.Get("format"); f != "1" {
		return launch{}, fmt.Errorf("format %q is not known", f)
	}
	l := launch{record: k.Get("record")}
	if l.pid, err = count(k, "pid"); err != nil {
		return launch{}, err
	}
	if l.lost, err = count(k, "lost"); err != nil {
		return launch{}, err
	}
	return l, nil
}

// count reads a number that cannot be negative.
func count(k keyval.Pairs, key string) (int, error) {
	n, err := strconv.ParseInt(k.Get(key), 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%q is not a count", key, k.Get(key))
	}
	return int(n), nil
}
