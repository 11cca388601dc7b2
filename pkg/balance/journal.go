package balance

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
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
	Why               string
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

// Append writes one line and makes it durable before it returns.
func (j *FileJournal) Append(m Move) error {
	p := keyval.Pairs{{Key: "event", Value: "begin"}, {Key: "txn", Value: m.Txn}, {Key: "vm", Value: m.VM},
		{Key: "from", Value: m.From}, {Key: "to", Value: m.To}}
	at := m.Begin
	if m.End.IsZero() {
		p = append(p, keyval.Pair{Key: "kind", Value: m.Kind}, keyval.Pair{Key: "by", Value: m.By}, keyval.Pair{Key: "why", Value: m.Why})
	} else {
		at = m.End
		p[0].Value = "end"
		memory, outcome := cmp.Or(m.Memory, MemoryUnknown), cmp.Or(m.Outcome, OutcomeUnknown)
		p = append(p, keyval.Pair{Key: "outcome", Value: string(outcome)}, keyval.Pair{Key: "owner", Value: m.Owner},
			keyval.Pair{Key: "memory", Value: string(memory)}, keyval.Pair{Key: "seconds", Value: seconds(m)}, keyval.Pair{Key: "why", Value: m.Why})
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
	torn, err := isTorn(path)
	if err != nil {
		return err
	}
	if torn {
		line = append([]byte("\n"), line...)
	}
	return atomicfile.Append(path, line, 0o640, true)
}

func isTorn(path string) (torn bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
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
	far := func(text []byte) bool { return oldestRecord(text).Before(t.Add(-journalSlack)) }
	text, err := readBack(j.path, far)
	if err == nil && !far(text) { // rotated not long ago: a cool-down does not end for that
		var before []byte
		if before, err = readBack(j.path+".1", far); len(before) > 0 {
			text = slices.Concat(before, []byte("\n"), text)
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the journal: %w", err)
	}
	moves, skipped = parseMoves(text)
	moves = slices.DeleteFunc(moves, func(m Move) bool { return m.Begin.Before(t) && m.End.Before(t) })
	return moves, skipped, nil
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

// parseMoves joins the ends with their begins. An end whose begin is not in the text gives a move all the same.
func parseMoves(text []byte) (moves []Move, skipped int) {
	index := map[string]int{}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) == 0 {
			continue
		}
		at, p, err := keyval.ParseRecord(string(line))
		event, txn := p.Get("event"), p.Get("txn")
		if !whole || err != nil || ((event == "begin" || event == "end") && (txn == "" || p.Get("vm") == "")) {
			skipped++
			continue
		}
		switch event {
		case "begin":
			index[txn] = len(moves)
			moves = append(moves, Move{Txn: txn, VM: p.Get("vm"), From: p.Get("from"), To: p.Get("to"), Kind: p.Get("kind"),
				By: p.Get("by"), Why: p.Get("why"), Begin: at})
		case "end":
			i, ok := index[txn]
			if !ok {
				i = len(moves)
				index[txn] = i
				moves = append(moves, Move{Txn: txn, VM: p.Get("vm"), From: p.Get("from"), To: p.Get("to"), Begin: at})
				if s, err := strconv.ParseFloat(p.Get("seconds"), 64); err == nil && s >= 0 && s < 1e6 {
					moves[i].Begin = at.Add(-time.Duration(s * float64(time.Second)))
				}
			}
			m := &moves[i] // the last end counts: who came later knew more
			m.End, m.Outcome, m.Owner, m.Memory = at, Outcome(p.Get("outcome")), p.Get("owner"), Memory(p.Get("memory"))
			if why := p.Get("why"); why != "" {
				m.Why = why
			}
		}
	}
	slices.SortStableFunc(moves, func(a, b Move) int { return a.Begin.Compare(b.Begin) })
	return moves, skipped
}

// tailOf is tail of an open file.
func tailOf(f *os.File, first, limit int64, enough func(text []byte) bool) (text []byte, all bool, err error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	return tail(f, fi.Size(), first, limit, enough)
}
