package story

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
)

// record is one line of a log of records, rgNode a node of lbvm-lab status.
type (
	record = keyval.Pairs
	rgNode = rgmanager.NodeStatus
)

// witness is what a guest TYPE:VM has written, whole lines only.
func (w *world) witness(guest string) []lab.Line {
	w.t.Helper()
	typ, vm, _ := strings.Cut(guest, ":")
	b, err := os.ReadFile(w.l.Witness(typ, vm))
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []lab.Line
	for _, text := range strings.SplitAfter(string(b), "\n") {
		if !strings.HasSuffix(text, "\n") {
			continue
		}
		line, err := lab.ParseLine(text)
		if err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// last is the last line that a guest wrote. Only the end of its log is read.
func (w *world) last(guest string) lab.Line {
	typ, vm, _ := strings.Cut(guest, ":")
	f, err := os.Open(w.l.Witness(typ, vm))
	if err != nil {
		return lab.Line{}
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return lab.Line{}
	}
	b := make([]byte, min(fi.Size(), 4096))
	if _, err := f.ReadAt(b, fi.Size()-int64(len(b))); err != nil {
		return lab.Line{}
	}
	end := bytes.LastIndexByte(b, '\n')
	if end < 0 {
		return lab.Line{}
	}
	line, err := lab.ParseLine(string(b[bytes.LastIndexByte(b[:end], '\n')+1 : end+1]))
	if err != nil {
		return lab.Line{}
	}
	return line
}

// awaitTick waits until a guest has written something new, on a node where one is named.
func (w *world) awaitTick(guest, node string) lab.Line {
	w.t.Helper()
	var now lab.Line
	before := w.last(guest)
	w.until("guest "+guest+" writes on "+node, limit, func() bool {
		now = w.last(guest)
		return now != before && (node == "" || now.Node == node)
	})
	return now
}

// incarnations counts the cold boots of a guest.
func incarnations(lines []lab.Line) int {
	seen := map[string]bool{}
	for _, l := range lines {
		seen[l.Incarnation] = true
	}
	return len(seen)
}

// lives counts the processes that a guest has had: one for its boot, one more for each arrival.
func lives(lines []lab.Line) int {
	seen := map[string]bool{}
	for _, l := range lines {
		seen[l.Process] = true
	}
	return len(seen)
}

// gap is the longest that a guest was silent between its last word on one node and its first on another.
func gap(lines []lab.Line) time.Duration {
	longest := time.Duration(0)
	for i := 1; i < len(lines); i++ {
		if lines[i].Node != lines[i-1].Node {
			longest = max(longest, lines[i].At.Sub(lines[i-1].At))
		}
	}
	return longest
}

// records reads a log of records.
func (w *world) records(file string) []record {
	w.t.Helper()
	b, err := os.ReadFile(w.l.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	var all []record
	for _, line := range strings.SplitAfter(string(b), "\n") {
		text, whole := strings.CutSuffix(line, "\n")
		if !whole || text == "" {
			continue
		}
		_, p, err := keyval.ParseRecord(text)
		if err != nil {
			w.t.Fatalf("%s: %v", file, err)
		}
		all = append(all, p)
	}
	return all
}

// journal is what agents and relocators wrote; manager is the emulated cluster manager's log.
func (w *world) journal() []record {
	w.t.Helper()
	return w.records("shared/lbvm/log/migrate.log")
}
func (w *world) manager() []record { w.t.Helper(); return w.records("log/manager.log") }

// count tells how many records hold all of these keys with these values: key, value, key, value.
func count(records []record, want ...string) int {
	n := 0
	for _, r := range records {
		fits := true
		for i := 0; i < len(want); i += 2 {
			fits = fits && r.Get(want[i]) == want[i+1]
		}
		if fits {
			n++
		}
	}
	return n
}

// handoff lists the files of a VM's hand-off folder.
func (w *world) handoff(typ, vm string) []string {
	w.t.Helper()
	entries, err := os.ReadDir(w.l.Path("shared/lbvm/handoff", typ+"-"+vm))
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	sort.Strings(names)
	return names
}
