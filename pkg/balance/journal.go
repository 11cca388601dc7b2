package balance

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
)

// The files in LOGDIR.
const (
	JournalName = "migrate.log"
	ReportName  = "report.log"
	PassesName  = "passes.log"
)

// Outcome is how a move ended. The zero value is a move that has not.
type Outcome string

// The outcomes.
const (
	OutcomeMoved     Outcome = "moved"
	OutcomeFailed    Outcome = "failed"
	OutcomeElsewhere Outcome = "elsewhere"
	OutcomeUnknown   Outcome = "unknown"
)

// Memory is what became of a VM's memory.
type Memory string

// What may become of it.
const (
	MemoryKept    Memory = "kept"
	MemoryLost    Memory = "lost"
	MemoryUnknown Memory = "unknown"
)

// Move is one move of a VM, by whomever.
type Move struct {
	Txn, VM, From, To string // VM is TYPE:NAME
	Kind              string // image, live or cold
	By                string // lbmonitor or lbm
	Why               string // why it was asked for; at its end, what came of it where that is not what was asked
	Asked             string // why it was asked for, where Why says something else
	Rails             string // what the rails said (Decision.RailsText); "" is not known
	Begin             time.Time
	End               time.Time // zero: in flight, or its mover died
	Outcome           Outcome
	Owner             string // where it was found to be at its end
	Memory            Memory
}

// Journal keeps the moves: a file, or memory in a replay.
type Journal interface {
	// Append records the begin of a move, or its end if End is set.
	Append(Move) error
	// Since gives the moves that began or ended at or after t, in the order of their begin.
	Since(t time.Time) ([]Move, error)
}

// FileJournal is migrate.log: a line for the begin of each move, and one for its end.
type FileJournal struct{ path string }

// OpenJournal is the journal at path, which need not exist yet.
func OpenJournal(path string) *FileJournal { return &FileJournal{path} }

var _ Journal = (*FileJournal)(nil)

// Append writes one line and makes it durable before it returns. Each line tells all that is known of the move.
func (j *FileJournal) Append(m Move) error {
	how, why := keyval.Pairs{{Key: "kind", Value: m.Kind}, {Key: "by", Value: m.By}}, keyval.Pairs{{Key: "why", Value: m.Why}}
	if m.Asked != "" && m.Asked != m.Why {
		why = append(why, keyval.Pair{Key: "asked", Value: m.Asked})
	}
	at, event, rest := m.Begin, "begin", slices.Concat(how, why)
	if !m.End.IsZero() {
		at, event = m.End, "end"
		memory, outcome := cmp.Or(m.Memory, MemoryUnknown), cmp.Or(m.Outcome, OutcomeUnknown)
		rest = slices.Concat(keyval.Pairs{{Key: "outcome", Value: string(outcome)}, {Key: "owner", Value: m.Owner},
			{Key: "memory", Value: string(memory)}, {Key: "seconds", Value: seconds(m)}}, why, how)
	}
	p := append(keyval.Pairs{{Key: "event", Value: event}, {Key: "txn", Value: m.Txn}, {Key: "vm", Value: m.VM},
		{Key: "from", Value: m.From}, {Key: "to", Value: m.To}}, rest...)
	if m.Rails != "" {
		p = append(p, keyval.Pair{Key: "rails", Value: m.Rails})
	}
	if at.IsZero() {
		return fmt.Errorf("recording the move of %q: it has no time", m.VM)
	}
	if err := appendLine(j.path, keyval.Record(at, p)); err != nil {
		return fmt.Errorf("recording the move of %q: %w", m.VM, err)
	}
	return nil
}

func seconds(m Move) string {
	if m.Begin.IsZero() {
		return ""
	}
	return strconv.FormatFloat(m.End.Sub(m.Begin).Seconds(), 'f', 1, 64)
}

// appendLine adds a line to a journal. A torn last line is ended first, so that the new one stands alone.
func appendLine(path string, line []byte) error {
	return atomicfile.AppendWhole(path, line, 0o640, true)
}

// Since reads the journal from its end. Lines that cannot be read are passed over; Read counts them.
func (j *FileJournal) Since(t time.Time) ([]Move, error) {
	moves, _, err := j.Read(t)
	return moves, err
}

// journalSlack is how far lines of several writers may be out of their order.
const journalSlack = time.Hour

// Read is Since that also tells how many lines could not be read.
func (j *FileJournal) Read(t time.Time) (moves []Move, skipped int, err error) {
	rec, err := readRecords(j.path, t)
	return slices.DeleteFunc(rec.Moves, func(m Move) bool { return m.Begin.Before(t) && m.End.Before(t) }), rec.Skipped, err
}

// readBack reads a journal's end, as far as enough says. A journal that is not there is empty.
func readBack(path string, enough func(text []byte) bool) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, _, err := tailOf(f, 64<<10, math.MaxInt64, enough)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// oldestRecord is the time of the first line that has one, or a time in the far future.
func oldestRecord(text []byte) time.Time {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if stamp, _, ok := bytes.Cut(line, []byte(" ")); ok {
			if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
				return at
			}
		}
		text = rest
	}
	return time.Unix(1<<40, 0)
}

// tailOf is tail of an open file.
func tailOf(f *os.File, first, limit int64, enough func(text []byte) bool) (text []byte, all bool, err error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	return tail(f, fi.Size(), first, limit, enough)
}
