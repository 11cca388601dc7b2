package rgmanager

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/keyval"
)

type pair = keyval.Pair

func kv(key, value string) pair { return pair{Key: key, Value: value} }

// eventLog writes log/manager.log: one record a line, `LABTIME real=REALTIME event=... key=value`.
type eventLog struct {
	mu  sync.Mutex
	w   io.Writer
	clk clock.Clock
	err error // the first failure to write, told at the end
}

// event writes one record. A log that cannot be written does not stop a cluster; Run tells it at its end.
func (l *eventLog) event(kind string, pairs ...pair) {
	all := append(keyval.Pairs{kv("real", time.Now().Format("15:04:05.000")), kv("event", kind)}, pairs...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(keyval.Record(l.clk.Now(), all)); err != nil && l.err == nil {
		l.err = fmt.Errorf("writing the manager's log: %w", err)
	}
}

// say writes a message as rgmanager on a node would.
func (l *eventLog) say(node, text string) {
	l.event("message", kv("node", node), kv("text", text))
}

func (l *eventLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
