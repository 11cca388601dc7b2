package vm

import (
	"fmt"
	"path/filepath"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// journalFile lies in the log folder of the cluster.
const journalFile = "migrate.log"

func (l *life) log(level ocf.Level, msg string, kv ...any) {
	if l.explains != nil {
		l.explains.log(l, level, msg, kv)
		return
	}
	if l.call.Log != nil {
		l.call.Log.Log(level, msg, append([]any{"vm", l.vm}, kv...)...)
	}
}

// loud says what an administrator must hear of: critical in the log, and in the journal.
func (l *life) loud(outcome, why string) {
	l.log(ocf.LevelCrit, outcome+": "+why, "row", l.row)
	l.journal(outcome, why)
}

// journal adds a line to the journal. That it cannot is logged and never fails the action.
func (l *life) journal(outcome, why string) {
	if l.explains != nil {
		return
	}
	stamps, err := clock.FromRoot(l.host.Root())
	if err != nil {
		stamps = l.clock
	}
	p := keyval.Pairs{{Key: "event", Value: "agent"}, {Key: "vm", Value: l.a.Type + ":" + l.vm}, {Key: "node", Value: l.me},
		{Key: "action", Value: l.action}, {Key: "row", Value: l.row}, {Key: "phase", Value: l.phase.String()},
		{Key: "txn", Value: l.txn}, {Key: "outcome", Value: outcome}, {Key: "why", Value: why}}
	path := filepath.Join(l.host.Path(l.id.LogDir), journalFile)
	if err := atomicfile.Append(path, keyval.Record(stamps.Now(), p), 0o640, false); err != nil {
		l.log(ocf.LevelWarning, "writing the journal failed", "error", err)
	}
}

// write makes next the state. A phase that has a node gets this one, in this boot.
func (l *life) write(next handoff.State, why string) error {
	if next.Node == l.me {
		next.Boot = l.boot
		next.Left = l.hasLeft // an older fencing of this node must not speak for it now
	}
	next.Why, next.Agent = why, l.signature()
	st, err := l.held.Write(next)
	if err != nil {
		return err
	}
	l.phase, l.txn = st.Phase, st.Txn
	l.log(ocf.LevelNotice, fmt.Sprintf("state is %s", st.Phase), "seq", st.Seq, "to", st.To, "txn", st.Txn)
	return nil
}

// writeRunning says that the VM runs here.
func (l *life) writeRunning(txn, why string) error {
	return l.write(handoff.State{Phase: handoff.Running, Node: l.me, Txn: txn}, why)
}
