package model

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// unreached are rows that no run of TestProtocol comes to, and why.
func unreached() map[string]string {
	const (
		unread = "records are whole in the model"
		byHand = "nobody moves a guest by hand in the model"
		taken  = "only a boot by hand without lbm take leads there: TestBootsByHandAreFound"
	)
	return map[string]string{
		"stop: record not readable, absent":   unread,
		"stop: record not readable":           unread,
		"stop: bystander, arriving":           "nobody sends in the model without saying so",
		"stop: torso of a living source":      "it would have to begin to arrive between the look and the lock of a stop for another reason",
		"stop: here, another has it":          taken,
		"start: remains, another has it":      "what is mounted and down is the record's node's in the model, and half a copy is leaving",
		"stop: leaving by hand":               byHand,
		"start: leaving by hand":              byHand,
		"stop: here, nobody has it":           taken,
		"start: here, another has it":         taken,
		"start: here, nobody has it":          taken,
		"stop: frozen, sick, image published": "no status runs in the model while the guest is frozen",
		"stop: on_stop is shutdown":           "it is the way of a sick guest",
		"stop: the ticket is not read":        "one step with what the ticket says",
		"start: no program":                   "all nodes are alike in the model",
		"start: frozen":                       "nobody pauses a guest by hand in the model",
	}
}

// Without lbm take the rows for a guest that is here against the record are come to; a search stops at what is broken
// then.
func TestBootsByHandAreFound(t *testing.T) {
	r := Options{OpenVZ: true, Faults: 2, On: []Switch{Hand}, Without: []int{12}}.Search()
	for _, row := range []string{"stop: here, nobody has it", "start: here, nobody has it"} {
		if r.Fired[row] == 0 {
			t.Errorf("%s: not come to", row)
		}
	}
	if r.Fired["stop: here, another has it, exit 1"]+r.Fired["start: here, another has it, exit 1"] == 0 {
		t.Error("a guest that another node has is nowhere refused")
	}
}

// reached adds the rows that a search came to.
func reached(all map[string]int, fired map[string]int) {
	for text, n := range fired {
		all[text] += n
	}
}

// Each row of stop and start is come to within the bounds, or it is said why not.
func testRowsAreReached(t *testing.T, fired map[string]int) {
	hit := func(action, row string) bool {
		for text := range fired {
			if rest, ok := strings.CutPrefix(text, action+": "+row); ok && (rest == "" || rest[0] == ',' || rest[0] == ':') {
				return true
			}
		}
		return false
	}
	tables := Shared()
	for action, rows := range map[string][]string{"stop": names(append(append(tables.Look, tables.Stop...), tables.Way...)), "start": names(tables.Start), "migrate": names(tables.Migrate)} {
		for _, row := range rows {
			why := unreached()[action+": "+row]
			if got := hit(action, row); got != (why == "") {
				t.Errorf("%s: %s: reached %v, and %q is said why not", action, row, got, why)
			}
		}
	}
}

func names(rows []protocol.Row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.Name)
	}
	return out
}
