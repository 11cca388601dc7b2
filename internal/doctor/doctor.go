// Package doctor looks a node over: whether it has what the manual and the field require of a node of such a cluster, and
// what to do where it has not.
//
// Examine runs every check of Checks on this node and gives a Report. A check is one function; what it may find are rows of
// Faults, each with its cure, from which docs/doctor.md is made. Compare sets the reports of several nodes side by side,
// for what only two of them together can show.
//
// A check that does not concern the node (no KVM guest in cluster.conf, no iSCSI initiator installed) says so and looks at
// nothing. One that could not be made is Unknown, never Fine. Nothing is changed anywhere.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Severity is how bad it is. They are ordered: a report is as bad as its worst finding.
type Severity int

// The severities.
const (
	Fine Severity = iota
	Warning
	Unknown // it could not be looked at
	Error
)

func (s Severity) String() string {
	return [...]string{"fine", "warning", "unknown", "error"}[min(max(s, Fine), Error)]
}

// Finding is one fault that was found, or a check that could not be made.
type Finding struct {
	Check    string
	Fault    string // the id of a row of Faults; "" where the check could not be made
	Severity Severity
	Text     string // what was seen, and where
	Cure     string
}

// Result is what one check came to.
type Result struct {
	Check    string
	Idle     string // why it does not concern this node; "" where it was made
	Findings []Finding
}

// Severity is that of the worst finding.
func (r Result) Severity() Severity {
	worst := Fine
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Report is what was found on one node.
type Report struct {
	Node    string
	At      time.Time
	Results []Result
	Traits  Traits
}

// Findings are those of all checks, in their order.
func (r Report) Findings() []Finding {
	var out []Finding
	for _, x := range r.Results {
		out = append(out, x.Findings...)
	}
	return out
}

// Check is one thing that is looked at.
type Check struct {
	Name, About string
	// idle says why it does not concern this node; nil and "": it does.
	idle func(*node) string
	// share: it reads the shared storage, and is not made where that does not answer.
	share bool
	do    func(context.Context, *node)
}

// Doctor looks a node over.
type Doctor struct {
	Host  host.Host
	Run   run.Runner
	Clock clock.Clock // of samples and journals
	Wait  clock.Clock // of what is waited for
	// Touch asks the shared storage for its marker in a way that can be given up; nil asks in this process.
	Touch func(context.Context) error
	// Room is how many bytes a file system has free that may be used; nil asks the kernel.
	Room func(dir string) (int64, error)
	// Held names the member that holds a lock on the shared storage meanwhile (see Hold); "" is nobody.
	Held string
}

// Checks are all checks, in the order in which they are made.
func Checks() []Check {
	var out []Check
	for _, part := range [][]Check{clusterChecks(), pacemakerChecks(), confChecks(), shareChecks(), storageChecks(), guestChecks(), bootChecks(), sampleChecks()} {
		out = append(out, part...)
	}
	return out
}

// Examine makes all checks.
func (d Doctor) Examine(ctx context.Context) Report {
	n := d.look(ctx)
	r := Report{Node: n.name, At: d.Clock.Now()}
	for _, c := range Checks() {
		x := Result{Check: c.Name}
		if c.idle != nil {
			x.Idle = c.idle(n)
		}
		if x.Idle == "" {
			n.now = &x
			if c.share && n.away != "" {
				n.unknown("%s", n.away)
			} else {
				c.do(ctx, n)
			}
		}
		r.Results = append(r.Results, x)
	}
	r.Traits = n.traits(ctx)
	return r
}

// say notes a fault. words are pairs that fill in the cure: "NODE", "node2".
func (n *node) say(fault string, words []string, format string, args ...any) {
	n.now.Findings = append(n.now.Findings, finding(n.now.Check, fault, words, n.short(fmt.Sprintf(format, args...))))
}

func finding(check, fault string, words []string, text string) Finding {
	f := faultOf(fault)
	return Finding{Check: check, Fault: f.ID, Severity: f.Severity, Text: line(text), Cure: strings.NewReplacer(words...).Replace(f.Cure)}
}

// unknown notes that the check, or a part of it, could not be made.
func (n *node) unknown(format string, args ...any) {
	n.now.Findings = append(n.now.Findings, Finding{Check: n.now.Check, Severity: Unknown, Text: line(n.short(fmt.Sprintf(format, args...))),
		Cure: "see why it cannot be looked at, and ask again"})
}

// line is a text on one line.
func line(s string) string { return strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ") }
