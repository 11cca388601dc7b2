package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/pkg/balance"
)

// LastingName is the file in LOGDIR in which Lasting is kept from pass to pass.
const LastingName = "lasting.json"

const (
	// patience is for how many passes something goes on before balancing is said to bring nothing: an hour, which is longer
	// than the rails take over a move that helps.
	patience = 60
	// A cause has ended when so many passes in a row were without it: a rule at its limit says now this, now that.
	forgiven = 10
	// What still goes on is told again after a day.
	again = 24 * time.Hour
	// full is the busy share of a node's processors above which something should have been done, whatever its rules say.
	full = 0.90
)

// Lasting is what goes on from pass to pass, and what of it was told.
type Lasting struct {
	At     time.Time         `json:"at"` // of the last pass
	Causes map[string]*Cause `json:"causes"`
}

// Cause is one thing that goes on.
type Cause struct {
	Since  time.Time `json:"since"`
	Passes int       `json:"passes"` // in which it was there
	Missed int       `json:"missed"` // in a row
	Moves  int       `json:"moves"`  // away from a node, made meanwhile
	Told   time.Time `json:"told"`
}

// ReadLasting reads the file. One that is not there, or cannot be understood, is the zero value: it is made anew.
func ReadLasting(path string) (Lasting, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lasting{}, nil
	}
	if err != nil {
		return Lasting{}, fmt.Errorf("reading what was told: %w", err)
	}
	var l Lasting
	if err := json.Unmarshal(b, &l); err != nil {
		return Lasting{}, nil
	}
	for key, c := range l.Causes {
		if c == nil {
			delete(l.Causes, key)
		}
	}
	return l, nil
}

// Write writes the file.
func (l *Lasting) Write(path string) error {
	b, err := json.Marshal(l)
	if err == nil {
		err = atomicfile.Write(path, append(b, '\n'), atomicfile.Options{Mode: 0o640})
	}
	if err != nil {
		return fmt.Errorf("keeping what was told: %w", err)
	}
	return nil
}

// Step takes a pass in, with the moves that it made, and gives what is to be told now. Passes come once an interval; after ten
// without any all is forgotten. cpu tells which resources are the busy share of all processors.
func (l *Lasting) Step(p *balance.Pass, made []balance.Move, interval time.Duration, cpu func(resource string) bool) (nothing, reports []Item) {
	if l.Causes == nil || p.At.Sub(l.At).Abs() > forgiven*interval {
		l.Causes = map[string]*Cause{}
	}
	l.At = p.At
	there := map[string]bool{}
	see := func(key string, need int) (*Cause, bool) {
		c := l.Causes[key]
		if c == nil {
			c = &Cause{Since: p.At}
			l.Causes[key] = c
		}
		if !there[key] {
			there[key] = true
			c.Passes, c.Missed = c.Passes+1, 0
		}
		if c.Passes < need || !c.Told.IsZero() && p.At.Sub(c.Told) < again {
			return c, false
		}
		c.Told = p.At
		return c, true
	}
	for i := range p.Decisions {
		d := &p.Decisions[i]
		if d.Verdict == balance.ReportOnly {
			if _, tell := see("report "+d.VM, 1); tell {
				reports = append(reports, Item{VM: known(d.VM), Source: known(d.Owner), Target: known(d.Target), Why: d.Why,
					text: fmt.Sprintf("the rule of %s reports that it would move it from %s to %s: %s", d.VM, d.Owner, d.Target, d.Why)})
			}
		}
		if why := unanswered(d); why != "" {
			if c, tell := see("blind "+d.VM, patience); tell {
				why = fmt.Sprintf("its rule has had no answer in %d passes: %s", c.Passes, why)
				nothing = append(nothing, Item{VM: known(d.VM), Source: known(d.Owner), Why: why, text: d.VM + " is not balanced: " + why})
			}
		}
	}
	for _, h := range hot(p, cpu) {
		c, tell := see("hot "+h.node, patience)
		for _, m := range made {
			if m.From == h.node && m.Outcome == balance.OutcomeMoved {
				c.Moves++
			}
		}
		if tell {
			why := h.why(c)
			nothing = append(nothing, Item{Source: known(h.node), Why: why, text: "balancing brings " + h.node + " nothing: " + why})
		}
	}
	for key, c := range l.Causes {
		if there[key] {
			continue
		}
		if c.Missed++; c.Missed >= forgiven {
			delete(l.Causes, key)
		}
	}
	return nothing, reports
}

// unanswered tells why a rule was answered for no node, or "".
func unanswered(d *balance.Decision) string {
	if d.Err != nil {
		return d.Err.Error()
	}
	why := ""
	for i := range d.Candidates {
		if d.Candidates[i].Err == nil {
			return ""
		}
		why = d.Candidates[i].Err.Error()
	}
	return why
}

// hotNode is a node that rules want VMs to leave, or that is full though they want nothing.
type hotNode struct {
	node  string
	vms   []string // that are to leave it
	rails []string // that hold them back
}

// hot are the nodes that should be relieved, in the order of the decisions.
func hot(p *balance.Pass, cpu func(string) bool) []hotNode {
	var out []hotNode
	for i := range p.Decisions {
		d := &p.Decisions[i]
		wants, rails := wanted(d)
		if d.Owner == "" || !wants && !isFull(d, cpu) {
			continue
		}
		at := slices.IndexFunc(out, func(h hotNode) bool { return h.node == d.Owner })
		if at < 0 {
			at = len(out)
			out = append(out, hotNode{node: d.Owner})
		}
		h := &out[at]
		if wants {
			h.vms = append(h.vms, d.VM)
		}
		for _, r := range rails {
			if !slices.Contains(h.rails, r) {
				h.rails = append(h.rails, r)
			}
		}
	}
	return out
}

// wanted tells whether the rule asked for a move, and which rails stand in its way.
func wanted(d *balance.Decision) (is bool, rails []string) {
	for i := range d.Candidates {
		if c := &d.Candidates[i]; c.Said == balance.SaidMigrate {
			is = true
			for _, v := range c.Vetoes {
				rails = append(rails, v.Rail)
			}
		}
	}
	if !is {
		return false, nil
	}
	for _, v := range d.Vetoes {
		rails = append(rails, v.Rail)
	}
	return true, rails
}

// isFull tells whether the rule read of processors of the VM's node that are busy nearly all the time.
func isFull(d *balance.Decision, cpu func(string) bool) bool {
	for _, r := range d.Reads {
		if r.Count > 0 && r.Average > full && cpu(r.Resource) {
			return true
		}
	}
	return false
}

func (h hotNode) why(c *Cause) string {
	const few = 5
	names := strings.Join(h.vms[:min(len(h.vms), few)], ", ")
	if more := len(h.vms) - few; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	text := fmt.Sprintf("for %d passes, since %s, it should have been relieved; ", c.Passes, c.Since.Format(time.RFC3339))
	if len(h.vms) > 0 {
		text += "rules want that " + names + " should leave it"
	} else {
		text += "its processors are full, and no rule wants a VM to leave it"
	}
	switch c.Moves {
	case 0:
		text += "; no move was made"
	case 1:
		text += "; a move was made, and has not ended that"
	default:
		text += fmt.Sprintf("; %d moves were made, and have not ended that", c.Moves)
	}
	if len(h.rails) > 0 {
		text += "; the rails that say no now: " + strings.Join(h.rails, ", ")
	}
	return text
}
