package balance

import (
	"errors"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Pass is what was decided at one instant, with what it was decided on.
type Pass struct {
	At      time.Time
	Config  string // Config.Digest
	View    View
	Refused []Refusal // Input.Refused: what an earlier look of this pass could not do
	// Newest holds, by node and resource, the newest sample up to the pass, stale or not; the zero time where there was none.
	Newest    map[string]map[string]time.Time
	Decisions []Decision     // in the order of balance; earlier moves count for the rails of later ones
	Rails     map[string]int // how many VMs each rail held back from a move that their rule wanted; all rails are in it
}

// Moves are the decisions that say migrate.
func (p *Pass) Moves() []Decision {
	var out []Decision
	for _, d := range p.Decisions {
		if d.Verdict == Migrate {
			out = append(out, d)
		}
	}
	return out
}

// Stopped is the limit at which the rule was ended, for one node or for all, or nil. A rule that is not run again for that
// reason has been ended, too.
func (d *Decision) Stopped() error {
	for _, c := range append([]Candidate{{Err: d.Err}}, d.Candidates...) {
		var limit *perl.RuntimeError
		if errors.As(c.Err, &limit) && limit.Limit != "" || errors.Is(c.Err, errOver) {
			return c.Err
		}
	}
	return nil
}

// Verdict is what is to be done with a VM. The zero value is to let it stay.
type Verdict int

// The verdicts.
const (
	Stay Verdict = iota
	ReportOnly
	Migrate
)

var verdictNames = [...]string{"stay", "report", "migrate"}

func (v Verdict) String() string { return nameOf(verdictNames[:], int(v)) }

// MarshalText gives the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the name; what is not known is Stay.
func (v *Verdict) UnmarshalText(b []byte) error {
	*v = Verdict(indexOf(verdictNames[:], string(b)))
	return nil
}

// Said is what a rule said of a node.
type Said int

// What it may say. Migrate is more than report.
const (
	SaidNothing Said = iota
	SaidReport
	SaidMigrate
)

var saidNames = [...]string{"nothing", "report", "migrate"}

func (s Said) String() string { return nameOf(saidNames[:], int(s)) }

// MarshalText gives the name.
func (s Said) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name; what is not known is nothing.
func (s *Said) UnmarshalText(b []byte) error {
	*s = Said(indexOf(saidNames[:], string(b)))
	return nil
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return names[0]
	}
	return names[i]
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return 0
}

// Decision is what was found for one VM, and why.
type Decision struct {
	VM      string // TYPE:NAME, or the words of balance where the cluster has no such VM
	Service string
	Owner   string
	Rule    string // the block's name: "201", "default", "" for none
	Verdict Verdict
	Target  string // of a report or a migration
	Why     string // one sentence for journals
	Err     error  // why the rule could not be evaluated at all

	Line  *Line   // where the rule said what the verdict follows; nil where it said nothing
	Reads []*Read // what the rule read of the owner
	// Candidates are the nodes to which the VM could go. If the rule looked at no target it was evaluated once for all
	// of them; if it then said nothing they are only counted. Of more than 32 those are only counted of which it said
	// nothing, unless Input.Trace asked for the VM.
	Candidates []Candidate
	Considered int    // how many nodes there were to which it could go
	Vetoes     []Veto // of the rails that hold the VM wherever it would go

	held  uint32   // the rails that hold it, by their places; only of a terse pass
	asked bool     // the rails were; see Answers
	off   []string // those that are switched off for the VM
	wish  bool     // only those that hold for the wish of a person
}

// Candidate is a node to which the VM could go.
type Candidate struct {
	Node      string
	Said      Said
	Weight    float64 // of migrate(WEIGHT)
	Line      *Line   // where the rule said it
	Err       error   // what ended the rule: it then said nothing
	Reads     []*Read // what the rule read of this node
	Output    string  // what the rule printed
	Trace     *perl.Trace
	Score     int      // of its Placement
	Guests    int      // on it, with those that are on their way to it
	Measured  *Read    // of a resource of which less is better: its mean counts for the rank; nil where there is none
	Projected *float64 // that mean with the VM, and with those that are on their way to the node; nil: unknown
	Vetoes    []Veto
	Rank      int // 1 is the best of those that said the same and have no veto; 0: not ranked
}

// Line is a line of lbvm.conf.
type Line struct {
	File string
	Line int
	Text string
}

// Read is one res() or res2(): a window and what it holds.
type Read struct {
	Resource, Node                      string
	Minutes                             int
	Count                               int
	Newest, Min, Max, Average, Meridian float64
	Err                                 string // why there was nothing to read
}

// Veto is a rail that stands in the way.
type Veto struct{ Rail, Text string }
