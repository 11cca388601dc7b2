package monitor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/pkg/balance"
)

// The rules of a pass are kept with it. That they cannot be is told, and keeps no pass from being made: it holds the lines that spoke.
func TestTheRulesOfAPassAreKept(t *testing.T) {
	for _, kept := range []bool{true, false} {
		w := newWorld(t)
		w.samples("node1", 0.2)
		logs := filepath.Join(w.root, "shared/lbvm/log")
		if !kept {
			if err := os.WriteFile(filepath.Join(logs, balance.KeptName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		res, err := w.mon.Run(context.Background())
		if err != nil || res.Record.Outcome != lbvmagent.OK || len(w.passes()) != 1 {
			t.Fatalf("kept %v: %+v, %d passes, %v", kept, res.Record, len(w.passes()), err)
		}
		_, _, err = balance.KeptFiles(logs, res.Pass.Config)
		told := strings.Contains(w.log.String(), "nobody can decide this pass again")
		if kept && (err != nil || told) || !kept && (err == nil || errors.Is(err, balance.ErrNotKept) || !told) {
			t.Errorf("kept %v: %v; %s", kept, err, w.log)
		}
	}
}
