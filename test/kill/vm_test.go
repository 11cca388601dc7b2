package kill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// vm is a VM of the cluster. One test at a time plays with it.
type vm struct {
	c         *cluster
	t         *testing.T // the one that plays with it
	typ, name string     // typ is the agent's
	plays     string     // the lab's technology
	folder    string     // H

	mu    sync.Mutex
	trap  *trap
	busy  map[string]int // tools that change it and are at work
	clash []string       // of those that worked at the same time
	asked bool           // xend was asked to shut it down, which it does in its own time

	// What the table and the lab say together.
	memory string // the incarnation that lives, or waits in an image
	boots  int    // how often the table had it booted cold
}

func newVM(c *cluster, typ, plays, name string) *vm {
	return &vm{c: c, typ: typ, plays: plays, name: name, folder: c.l.Path("shared/lbvm/handoff", typ+"-"+name), busy: map[string]int{}}
}

func (v *vm) setTrap(t *trap) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trap, v.asked = t, false
}

func (v *vm) dropTrap() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trap = nil
}

// trapped is the process in the trap, 0 if there is none.
func (v *vm) trapped() int {
	v.mu.Lock()
	t := v.trap
	v.mu.Unlock()
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pid
}

// toolBegins is called by a node's daemon; what it gives is called at the end.
func (v *vm) toolBegins(node string, argv []string) (ends func()) {
	words := argv[:min(2, len(argv))]
	if len(argv) > 3 && argv[1] == "chkpnt" {
		words = argv[:4]
	}
	what := strings.Join(words, " ") + " on " + node
	change := changes(argv)
	v.mu.Lock()
	t := v.trap
	if change {
		for other := range v.busy {
			v.clash = append(v.clash, fmt.Sprintf("%s and %s work at the same time", other, what))
		}
		v.busy[what]++
		v.asked = v.asked || argv[1] == "shutdown"
	}
	v.mu.Unlock()
	if t != nil {
		t.event(what + " begins")
	}
	return func() {
		v.mu.Lock()
		if change {
			if v.busy[what]--; v.busy[what] == 0 {
				delete(v.busy, what)
			}
		}
		v.mu.Unlock()
		if t != nil {
			t.event(what + " has ended")
		}
	}
}

// working are the tools that change the VM just now, and takes what clashed.
func (v *vm) working() (busy, clash []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for what := range v.busy {
		busy = append(busy, what)
	}
	clash, v.clash = v.clash, nil
	return busy, clash
}

// settles waits for xend, which ends a domain in its own time after it was asked to.
func (v *vm) settles() {
	v.mu.Lock()
	asked := v.asked
	v.mu.Unlock()
	if asked {
		// A domain that did not hear stays; the table then takes it for what it is. On a busy machine two seconds are not many looks.
		gone := func() bool {
			for _, n := range members {
				if v.toolSays(n) != absent {
					return false
				}
			}
			return true
		}
		for looks := 0; looks < 50 && !gone(); looks++ {
			time.Sleep(40 * time.Millisecond)
		}
	}
}

// bootID is the boot of a node.
func (v *vm) bootID(node string) string {
	v.t.Helper()
	b, err := os.ReadFile(filepath.Join(v.c.l.Root(node), "proc/sys/kernel/random/boot_id"))
	if err != nil {
		v.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// lock opens H/lock and tries to take it. The file is there as soon as any agent has acted.
func (v *vm) lock() (f *os.File, got bool) {
	v.t.Helper()
	if err := os.MkdirAll(v.folder, 0o700); err != nil {
		v.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(v.folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		v.t.Fatal(err)
	}
	return f, v.tryLock(f)
}

// waitLock waits in the kernel, so as to be there before agents, who ask every 50 ms.
func waitLock(f *os.File) bool {
	got := make(chan error, 1)
	go func() {
		err := syscall.EINTR
		for err == syscall.EINTR {
			err, _ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX).(syscall.Errno)
		}
		got <- err
	}()
	select {
	case err := <-got:
		return err == syscall.Errno(0)
	case <-time.After(limit):
		return false
	}
}

// unlock lets go at once: a child that is just being started has a copy of the descriptor until it has its program, so
// that closing alone may take a moment.
func unlock(f *os.File) {
	// An error says that it was let go before.
	if syscall.Flock(int(f.Fd()), syscall.LOCK_UN) == nil {
		f.Close()
	}
}

func (v *vm) tryLock(f *os.File) bool {
	v.t.Helper()
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		v.t.Fatal(err)
	}
	return err == nil
}

// mark is what the lock's file says until the next agent gets the lock: agents write there who they are.
const mark = "a test looks before the next action\n"

// meets starts the next action after a kill, and makes the snapshot that it will see: under the lock, after the orphaned
// tool has ended and before the action gets the lock. early starts the action while the orphan still works. seen is
// false where the action was faster than the look.
func (v *vm) meets(next call, early bool) (s snapshot, code int, seen, waited bool) {
	v.t.Helper()
	f, got := v.lock()
	defer unlock(f)
	var p *process
	if waited = !got; waited {
		if early {
			if err := errors.Join(f.Truncate(0), writeAt(f, mark)); err != nil {
				v.t.Fatal(err)
			}
			p = next.begin(v.t)
		}
		if !waitLock(f) {
			v.t.Fatalf("%s:%s: the lock is held %s after its agent was killed", v.typ, v.name, limit)
		}
	}
	text := make([]byte, len(mark))
	n, _ := f.ReadAt(text, 0)
	if seen = p == nil || string(text[:n]) == mark; seen {
		s = v.calm()
	}
	if p == nil {
		p = next.begin(v.t)
	}
	unlock(f)
	return s, p.wait(), seen, waited
}

// calm is the snapshot of who holds the lock after a kill.
func (v *vm) calm() snapshot {
	v.t.Helper()
	busy, _ := v.working()
	v.settles()
	s := v.look()
	if len(busy) > 0 {
		s.wrong("the lock is free while %s still works", strings.Join(busy, " and "))
	}
	return s
}

// awaits waits for the orphan of a kill and makes a snapshot. free is true where there was none.
func (v *vm) awaits() (s snapshot, free bool) {
	v.t.Helper()
	f, free := v.lock()
	defer unlock(f)
	if !free && !waitLock(f) {
		v.t.Fatalf("%s:%s: the lock is held %s after its agent was killed", v.typ, v.name, limit)
	}
	return v.calm(), free
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// relocator lays a ticket as section 4 of the protocol says.
type relocator struct {
	v *vm
	f *os.File
	t ticket
}

func (v *vm) relocates(txn, source, target string, seq int) (*relocator, error) {
	r := &relocator{v: v, t: ticket{txn: txn, source: source, target: target, seq: seq, alive: true}}
	f, err := os.CreateTemp(v.folder, ".ticket-")
	if err != nil {
		return nil, err
	}
	r.f = f
	_, err = fmt.Fprintf(f, "format=1\nvm=%s\nkind=live\ntxn=%s\nsource=%s\nsource_seq=%d\ntarget=%s\nrelocator=test\n", v.name, txn, source, seq, target)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		err = os.Link(f.Name(), filepath.Join(v.folder, "ticket"))
	}
	return r, errors.Join(err, os.Remove(f.Name()))
}

// dies: its lock goes, its ticket stays.
func (r *relocator) dies() {
	if r.t.alive {
		r.t.alive = false
		unlock(r.f)
	}
}

// withdraws what is still its own.
func (r *relocator) withdraws() {
	if !r.t.alive {
		return
	}
	for _, name := range []string{"ticket", "ticket.used", "refused." + r.t.txn} {
		path := filepath.Join(r.v.folder, name)
		mine, err := r.f.Stat()
		now, nerr := os.Stat(path)
		if err == nil && nerr == nil && os.SameFile(mine, now) {
			if err := os.Remove(path); err != nil {
				r.v.t.Error(err)
			}
		}
	}
	r.dies()
}
