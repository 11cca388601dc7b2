package pacemaker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
)

const (
	processEvery = 50 * time.Millisecond
	consoleEvery = 10 * time.Millisecond
)

// watch looks from the host at the guests' processes and consoles, all the time.
type watch struct {
	b    *bench
	mu   sync.Mutex
	runs []*span  // every process of a guest that was seen
	bad  []string // what may never be
	last time.Time
	slow time.Duration // the longest time between two looks at the processes
	n    int           // looks
	both time.Duration // for so long a guest had two processes, as a live migration has
}

// span is a QEMU of a guest.
type span struct {
	guest, node string
	pid         int
	from, to    time.Time // of the first and the last look that found it
}

// begin begins to watch; the end is part of the test's.
func (b *bench) watchAll() {
	b.t.Helper()
	w := &watch{b: b, last: time.Now()}
	b.watch = w
	stop := make(chan struct{})
	var all sync.WaitGroup
	every := func(d time.Duration, do func()) {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()                                               // and never unlocked: its thread is ahead of others, and ends with it
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), -10) // the longest time between two looks is told in any case
			t := time.NewTicker(d)
			defer t.Stop()
			for {
				select {
				case <-stop:
					return
				case <-t.C:
					do()
				}
			}
		}()
	}
	old := map[int]time.Time{} // processes that are none of ours, by when they were seen first
	every(processEvery, func() {
		if err := w.processes(old); err != nil {
			w.complain(err.Error())
		}
	})
	every(consoleEvery, func() {
		for _, g := range b.guests {
			if err := g.look(time.Now()); err != nil {
				w.complain(err.Error())
			}
		}
	})
	b.t.Cleanup(func() { close(stop); all.Wait() })
}

func (w *watch) complain(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.bad) < 20 {
		w.bad = append(w.bad, what)
	}
}

// processes is one look at all processes of the machine. One that has just been forked may still become a guest.
func (w *watch) processes(old map[int]time.Time) error {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	now, seen := time.Now(), map[string][]*span{}
	alive := map[int]bool{}
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		alive[pid] = true
		if at, ok := old[pid]; ok && now.Sub(at) > 5*time.Second {
			continue
		}
		g, node := w.guestOf(pid)
		if g == nil {
			if _, ok := old[pid]; !ok {
				old[pid] = now
			}
			continue
		}
		delete(old, pid) // it had been forked, and not begun yet
		seen[g.name] = append(seen[g.name], &span{g.name, node, pid, now, now})
	}
	for pid := range old {
		if !alive[pid] {
			delete(old, pid)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	between := now.Sub(w.last)
	w.slow, w.last, w.n = max(w.slow, between), now, w.n+1
	for name, found := range seen {
		for _, s := range found {
			at := slices.IndexFunc(w.runs, func(x *span) bool { return x.pid == s.pid && x.guest == s.guest })
			if at < 0 {
				w.runs = append(w.runs, s)
			} else {
				w.runs[at].to = now
			}
		}
		if len(found) < 2 {
			continue
		}
		w.both += between
		if why := w.allowed(name, found); why != "" {
			w.bad = append(w.bad, why)
		}
	}
	return nil
}

// guestOf is the guest whose QEMU a process is, and its node.
func (w *watch) guestOf(pid int) (*guest, string) {
	at := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(at, "cmdline"))
	if err != nil || !bytes.Contains(text, []byte("-uuid")) {
		return nil, ""
	}
	for _, g := range w.b.guests {
		if !bytes.Contains(text, []byte("\x00-uuid\x00"+g.uuid+"\x00")) {
			continue
		}
		state, _ := os.ReadFile(filepath.Join(at, "stat"))
		if _, rest, _ := strings.Cut(string(state), ") "); strings.HasPrefix(rest, "Z") {
			return nil, "" // it has ended
		}
		uts, _ := os.Readlink(filepath.Join(at, "ns/uts"))
		for _, n := range w.b.nodes {
			if n.is(uts) {
				return g, n.name
			}
		}
		return g, "a node that is going down"
	}
	return nil, ""
}

// allowed tells why a guest may not have those two processes, "" if it may: while one pushes it to the other, live.
func (w *watch) allowed(name string, found []*span) string {
	st, err := handoff.ReadState(w.b.shared, "kvm", name)
	var where []string
	for _, s := range found {
		where = append(where, fmt.Sprintf("process %d on %s", s.pid, s.node))
	}
	text := fmt.Sprintf("%s has %s, and its record says %s %s %s (%v)", name, strings.Join(where, " and "), st.Phase, st.Node, st.To, err)
	switch {
	case err != nil || len(found) != 2:
		return text
	case st.Phase == handoff.Sending && slices.ContainsFunc(found, func(s *span) bool { return s.node == st.Node }) && slices.ContainsFunc(found, func(s *span) bool { return s.node == st.To }):
		return ""
	}
	return text
}

// errors are what may never be, of processes and of consoles.
func (w *watch) errors() []string {
	w.mu.Lock()
	out := slices.Clone(w.bad)
	w.mu.Unlock()
	for _, g := range w.b.guests {
		g.mu.Lock()
		out = append(out, g.broken...)
		g.mu.Unlock()
	}
	return out
}

// mustBeWell ends the test as soon as what may never be has been.
func (w *watch) mustBeWell(t *testing.T) {
	t.Helper()
	if w == nil {
		return
	}
	if bad := w.errors(); len(bad) > 0 {
		w.b.tell()
		t.Fatalf("what may never be:\n%s", strings.Join(bad, "\n"))
	}
}

// on are the nodes on which a guest has a process now.
func (w *watch) on(guest string) (nodes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.runs {
		if s.guest == guest && s.to.Equal(w.last) {
			nodes = append(nodes, s.node)
		}
	}
	return nodes
}

// spans are the processes that a guest has had since.
func (w *watch) spans(guest string, since time.Time) (out []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.runs {
		if s.guest == guest && !s.to.Before(since) {
			out = append(out, *s)
		}
	}
	return out
}

// is tells whether a name space is this node's.
func (n *node) is(uts string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.p != nil && n.p.uts != "" && n.p.uts == uts
}

// locks are the lines in which QEMU says on any node that another one holds a guest's disk: nobody may have tried.
func (b *bench) locks() error {
	found, err := filepath.Glob(filepath.Join(b.dir, "node*/var/log/libvirt/qemu/*.log"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("no QEMU has left a log")
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "lock") && strings.Contains(line, "Failed to get") {
				return fmt.Errorf("%s: %s", path, line)
			}
		}
	}
	return nil
}
