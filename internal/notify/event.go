// Package notify tells people and programs what the balancer did: a command of the administrator, or a URL, as the notify
// statements of lbvm.conf say.
//
// An Event is what is told, Sender tells it, Deliver tells several to all who want them. Lasting finds out what has
// gone on for so long that somebody should know: that balancing brings nothing, that a rule keeps reporting.
//
// Nothing here fails or holds up a pass: all has its deadline, and what could not be told is told to the log.
package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// The events, as in conf.NotifyEvents.
const (
	Move    = "move"
	Failed  = "failed"
	Report  = "report"
	Nothing = "nothing"
)

// Event is something that happened. It is sent as JSON; what is unknown is null.
type Event struct {
	Event   string    `json:"event"`
	Test    bool      `json:"test"` // nothing has happened: somebody tries whether it arrives
	At      time.Time `json:"at"`
	Cluster string    `json:"cluster"`
	Node    string    `json:"node"`  // the member that tells it
	Text    string    `json:"text"`  // all of it on one line, for a person
	Count   int       `json:"count"` // of what it is about; Items holds the first maxItems
	Items   []Item    `json:"items"`
}

// Item is one thing that an event is about: a VM, or a node (Source) that nothing has relieved.
type Item struct {
	VM      *string  `json:"vm"` // TYPE:NAME
	Source  *string  `json:"source"`
	Target  *string  `json:"target"`
	Outcome *string  `json:"outcome"` // as in migrate.log
	Owner   *string  `json:"owner"`   // where the VM was found to be afterwards
	Memory  *string  `json:"memory"`
	Seconds *float64 `json:"seconds"`
	Why     string   `json:"why"`

	text string // the same as a sentence
}

// maxItems bounds an event: in a large cluster thousands of rules may report at once.
const maxItems = 20

// New is an event about items, of which there is one at least.
func New(event string, at time.Time, cluster, node string, items []Item) Event {
	e := Event{Event: event, At: at, Cluster: cluster, Node: node, Count: len(items), Items: items[:min(len(items), maxItems)]}
	var texts []string
	for _, x := range items[:min(len(items), 3)] {
		texts = append(texts, x.text)
	}
	e.Text = strings.Join(texts, "; ")
	if more := len(items) - len(texts); more > 0 {
		e.Text += fmt.Sprintf("; and %d more", more)
	}
	e.Text = strings.Join(strings.Fields(e.Text), " ")
	return e
}

// Moved is a move that has ended, and the name of the event that tells of it. err is what was wrong with it.
func Moved(m balance.Move, err error) (event string, item Item) {
	item = Item{VM: known(m.VM), Source: known(m.From), Target: known(m.To), Outcome: known(string(m.Outcome)), Owner: known(m.Owner),
		Memory: known(string(m.Memory)), Why: m.Why}
	if !m.Begin.IsZero() && !m.End.IsZero() {
		s := m.End.Sub(m.Begin).Seconds()
		item.Seconds = &s
	}
	if err == nil && m.Outcome == balance.OutcomeMoved {
		item.text = fmt.Sprintf("%s was moved from %s to %s, memory %s: %s", m.VM, m.From, m.To, m.Memory, m.Why)
		return Move, item
	}
	if err != nil {
		item.Why = err.Error()
	}
	item.text = fmt.Sprintf("%s was not moved from %s to %s: %s", m.VM, m.From, m.To, item.Why)
	switch m.Owner {
	case "":
		item.text += "; where it is now is not known: look with lbm list"
	default:
		item.text += "; it is on " + m.Owner
	}
	return Failed, item
}

// Example is an event as it would be, for trying whether it arrives.
func Example(event string, at time.Time, cluster, node string) Event {
	item := Item{VM: known("openvz:101"), Source: known("node1"), Target: known("node2"), Why: "this is a test", text: "this is a test of notify " + event + ": nothing has happened"}
	if event == Move || event == Failed {
		item.Outcome = known("moved")
		if event == Failed {
			item.Outcome = known("failed")
		}
	}
	e := New(event, at, cluster, node, []Item{item})
	e.Test = true
	return e
}

// known is nil for "".
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
