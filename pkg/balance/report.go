package balance

import (
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
)

// Report is a target that a rule only reported.
type Report struct {
	At           time.Time
	VM, From, To string // VM is TYPE:NAME
	Why          string
	Rails        string // what the rails would have said; "" is not known
}

// AppendReport adds a line to report.log at path.
func AppendReport(path string, r Report) error {
	p := keyval.Pairs{{Key: "event", Value: "report"}, {Key: "vm", Value: r.VM},
		{Key: "from", Value: r.From}, {Key: "to", Value: r.To}, {Key: "why", Value: r.Why}}
	if r.Rails != "" {
		p = append(p, keyval.Pair{Key: "rails", Value: r.Rails})
	}
	if err := appendLine(path, keyval.Record(r.At, p)); err != nil {
		return fmt.Errorf("recording the report on %q: %w", r.VM, err)
	}
	return nil
}
