package adopt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
)

// Half is an adoption or a removal that has begun and has no end: it is at work on its node at this moment, or was cut off there.
type Half struct {
	Plan
	Step string    // the one of the journal's last line; "" before the first
	At   time.Time // of that line
	Back bool      // it was being taken back
}

// Halves are those of all nodes, by VM. shared is joined with the root.
func Halves(shared string) ([]Half, error) {
	all, err := plans(filepath.Join(shared, Unfinished))
	if err != nil {
		return nil, fmt.Errorf("reading the adoptions that have begun: %w", err)
	}
	var out []Half
	for _, p := range all {
		h := Half{Plan: p}
		b, err := os.ReadFile(filepath.Join(shared, Unfinished, p.key(), "journal"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the adoptions that have begun: %w", err)
		}
		for _, line := range strings.Split(string(b), "\n") {
			if at, r, err := keyval.ParseRecord(line); err == nil { // a torn line is one that was not written
				h.At, h.Step, h.Back = at, r.Get("step"), r.Get("event") == "undo"
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// Kind is what it is called.
func (p Plan) Kind() string {
	if p.Removal != nil {
		return "removal"
	}
	return "adoption"
}

// Text says what is known of it, without the VM's name.
func (h Half) Text() string {
	text := fmt.Sprintf("its %s on %s has begun and is not finished", h.Kind(), h.Member)
	switch {
	case h.Back:
		text += ": it was being taken back"
	case h.Step != "":
		text += ": it has come to step " + h.Step
	}
	return text
}

// Next is what to type. Either command waits for a run that is at work, and is refused if that has brought it to its end.
func (h Half) Next() string {
	return fmt.Sprintf("unless it is at work: on %s lbm add --resume %s goes on, lbm add --undo %s takes it back", h.Member, h.Ref(), h.Ref())
}
