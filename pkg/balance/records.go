package balance

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
)

// Records are what the journals, migrate.log and report.log, hold.
type Records struct {
	Moves   []Move   // in the order of their begin
	Reports []Report // in their order
	Notes   []Note   // in their order
	Skipped int      // lines that could not be read
}

// Note is what an agent, or a command that changed a record, had to say of a VM.
type Note struct {
	At       time.Time
	VM, Node string // VM is TYPE:NAME
	Action   string // of the agent: start; or the command
	Outcome  string
	Why      string
}

// ReadRecords reads both journals below logDir, at least as far back as since, and what it finds there of before; the zero
// time is all that there is. A journal that is not there is empty.
func ReadRecords(logDir string, since time.Time) (Records, error) {
	var all Records
	for _, name := range []string{JournalName, ReportName} {
		rec, err := readRecords(filepath.Join(logDir, name), since)
		if err != nil {
			return Records{}, err
		}
		all.Moves, all.Reports, all.Notes = append(all.Moves, rec.Moves...), append(all.Reports, rec.Reports...), append(all.Notes, rec.Notes...)
		all.Skipped += rec.Skipped
	}
	return all, nil
}

// rotations is how many older files of a journal there may be (packaging/logrotate).
const rotations = 4

// readRecords reads one journal, and what was rotated as far as it is asked for: a cool-down does not end for a rotation.
func readRecords(path string, t time.Time) (Records, error) {
	far := func(text []byte) bool { return !t.IsZero() && oldestRecord(text).Before(t.Add(-journalSlack)) }
	text, err := readBack(path, far)
	for i := 1; err == nil && i <= rotations && !far(text); i++ {
		var before []byte
		if before, err = readBack(fmt.Sprintf("%s.%d", path, i), far); len(before) > 0 {
			text = slices.Concat(before, []byte("\n"), text)
		}
	}
	if err != nil {
		return Records{}, fmt.Errorf("reading the journal: %w", err)
	}
	return parseRecords(text), nil
}

// parseRecords joins the ends of moves with their begins. An end whose begin is not in the text gives a move all the same.
// Lines of older versions lack some keys.
func parseRecords(text []byte) (rec Records) {
	index := map[string]int{}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) == 0 {
			continue
		}
		at, p, err := keyval.ParseRecord(string(line))
		if !whole || err != nil || !rec.take(at, p, index) {
			rec.Skipped++
		}
	}
	slices.SortStableFunc(rec.Moves, func(a, b Move) int { return a.Begin.Compare(b.Begin) })
	return rec
}

// take takes a line over, if it is one of ours.
func (rec *Records) take(at time.Time, p keyval.Pairs, index map[string]int) bool {
	event, txn, vm := p.Get("event"), p.Get("txn"), p.Get("vm")
	m := Move{Txn: txn, VM: vm, From: p.Get("from"), To: p.Get("to"), Kind: p.Get("kind"), By: p.Get("by"),
		Why: p.Get("why"), Asked: p.Get("asked"), Rails: p.Get("rails"), Begin: at}
	switch event {
	case "begin", "end":
		if txn == "" || vm == "" {
			return false
		}
		i, known := index[txn]
		if event == "begin" || !known {
			i = len(rec.Moves)
			index[txn] = i
			rec.Moves = append(rec.Moves, m)
		}
		if event == "end" {
			rec.Moves[i].end(at, m, p, known)
		}
	case "report":
		rec.Reports = append(rec.Reports, Report{At: at, VM: vm, From: m.From, To: m.To, Why: m.Why, Rails: m.Rails})
	case "agent":
		rec.Notes = append(rec.Notes, Note{At: at, VM: vm, Node: p.Get("node"), Action: p.Get("action"), Outcome: p.Get("outcome"), Why: m.Why})
	default:
		return false
	}
	return true
}

// end takes over what the line of an end says. The last end counts: who came later knew more.
func (m *Move) end(at time.Time, line Move, p keyval.Pairs, known bool) {
	if s, err := strconv.ParseFloat(p.Get("seconds"), 64); !known && err == nil && s >= 0 && s < 1e6 {
		m.Begin = at.Add(-time.Duration(s * float64(time.Second)))
	}
	m.End, m.Outcome, m.Owner, m.Memory = at, Outcome(p.Get("outcome")), p.Get("owner"), Memory(p.Get("memory"))
	m.Kind, m.By, m.Rails = cmp.Or(m.Kind, line.Kind), cmp.Or(m.By, line.By), cmp.Or(m.Rails, line.Rails)
	asked := cmp.Or(line.Asked, m.Asked, m.Why)
	m.Why = cmp.Or(line.Why, m.Why)
	if m.Asked = ""; asked != m.Why {
		m.Asked = asked
	}
}
