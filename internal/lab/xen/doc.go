// Package xen emulates xm with the xend behind it, and xl, on a lab node. Start at Tools.
//
// Which of them works is what it is on a real node: xm where xend runs, that is where lab.XendLock exists, xl where it
// does not. Both see the same domains.
//
// xend is the node's daemon: it goes on when xm is killed in the middle. While a domain is saved or leaves, it is
// called migrating-NAME; where it arrives, it has the plain NAME at once, paused, before its memory is there. By xl a
// domain keeps its name until all is sent, is called NAME--incoming where it arrives, and NAME--migratedaway where it was
// while the two sides shake hands (xl.go). The lab's files etc/lab-xm-version and etc/lab-xl-version choose the versions
// that are played: 3.0.3 (the default), 3.1 to 3.4 or 4.4 of xm, 4.1 to 4.17 (the default) of xl.
package xen

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// Tools gives the programs of one node, by name. The table of domains is this node's own. `xend` is what another
// node's xend calls.
func Tools() map[string]lab.Tool {
	x := &xend{next: 1, arrivals: map[string]*arrival{}, known: map[string]config{}}
	return map[string]lab.Tool{"xm": x.xm, "xl": x.xl, "xend": x.relocation}
}

// The versions to play, below the node's etc.
const (
	versionFile   = "lab-xm-version"
	xlVersionFile = "lab-xl-version"
)

// xend is the daemon's table of domains.
type xend struct {
	mu       sync.Mutex
	next     int
	domains  []*domain
	arrivals map[string]*arrival
	known    map[string]config // that were ever here
}

// leaving is how xend renames a domain that is saved or migrated; the others are xl's names for the two sides.
const (
	leaving  = "migrating-"
	incoming = "--incoming"
	away     = "--migratedaway"
	nameless = "(null)"
)

// domain is one domain. Its fields are the xend's, under its lock; guest is nil as long as memory still arrives.
type domain struct {
	id    int
	name  string
	conf  config
	guest *lab.Guest
	moves bool          // by xl: is saved or migrated just now
	dead  bool          // it ended, and its row stays
	gone  chan struct{} // closed when it is dropped
}

// guestOf is the domain's guest, nil while memory arrives.
func (x *xend) guestOf(d *domain) *lab.Guest {
	x.mu.Lock()
	defer x.mu.Unlock()
	return d.guest
}

// list gives the domains that live. One whose guest has ended is destroyed, as on_crash and on_poweroff say.
func (x *xend) list() []*domain {
	x.domains = slices.DeleteFunc(x.domains, func(d *domain) bool { return d.guest != nil && !d.guest.Alive() && !d.dead })
	return x.domains
}

// find looks for a domain by name or number.
func (x *xend) find(name string) *domain {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.findLocked(name)
}

func (x *xend) findLocked(name string) *domain {
	for _, d := range x.list() {
		if d.name == name || strconv.Itoa(d.id) == name {
			return d
		}
	}
	return nil
}

// add makes a domain without memory: paused, under that name.
func (x *xend) add(n *lab.Node, c config, name string) (*domain, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d := x.findLocked(name); d != nil {
		return nil, refuse(nameExists, name, d.id)
	}
	x.known[c.Name] = c
	free := n.FreeMemory()
	for _, d := range x.domains {
		if d.guest == nil {
			free -= d.conf.bytes()
		}
	}
	if c.bytes() > free {
		return nil, refuse(noMemory, c.bytes()>>10, max(free, 0)>>10)
	}
	d := &domain{id: x.next, name: name, conf: c, gone: make(chan struct{})}
	x.next++
	x.domains = append(x.domains, d)
	return d, nil
}

// fill gives a domain its guest: booted, or with the memory it had, of which it goes on at once if it shall.
func (x *xend) fill(n *lab.Node, d *domain, m *lab.Memory, goOn bool) error {
	g, err := n.Boot(lab.GuestSpec{Type: "xen", VM: d.conf.Name, MemBytes: d.conf.bytes(), Disks: d.conf.Disks, Memory: m})
	if err != nil {
		x.drop(d)
		return err
	}
	x.mu.Lock()
	d.guest = g
	destroyed := !slices.Contains(x.domains, d)
	x.mu.Unlock()
	if destroyed { // meanwhile
		g.Kill()
		return lab.ErrGone
	}
	if m != nil && goOn {
		if err := g.Thaw(); err != nil {
			x.drop(d)
			return err
		}
	}
	return nil
}

func (x *xend) drop(d *domain) {
	x.mu.Lock()
	g := d.guest
	if i := slices.Index(x.domains, d); i >= 0 {
		x.domains = slices.Delete(x.domains, i, i+1)
		close(d.gone)
	}
	x.mu.Unlock()
	if g != nil {
		g.Kill()
	}
}

// depart begins a save or a migration, by which xend renames the domain. It is false if another command was faster.
func (x *xend) depart(d *domain, rename bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.guest == nil || d.moves {
		return false
	}
	if d.moves = true; rename {
		d.name = leaving + d.name
	}
	return true
}

// departs tells whether a domain is saved or migrated just now.
func (x *xend) departs(d *domain) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return d.moves
}

func (x *xend) rename(d *domain, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d.name = name
}

// stay undoes depart.
func (x *xend) stay(d *domain) {
	x.mu.Lock()
	d.name, d.moves = d.conf.Name, false
	g := d.guest
	x.mu.Unlock()
	if g.Frozen() {
		if err := g.Thaw(); err != nil {
			x.drop(d)
		}
	}
}

// state is the six letters. Memory that still arrives looks paused.
func (d *domain) state() string {
	switch {
	case d.guest == nil:
		return "--p---"
	case d.name == nameless:
		return "--ps-d"
	case d.dead:
		return "---s--"
	case d.guest.Frozen() && d.moves && !strings.HasPrefix(d.name, leaving):
		return "---ss-"
	case d.guest.Frozen() && strings.HasPrefix(d.name, leaving):
		return "---s--"
	case d.guest.Frozen():
		return "--p---"
	case d.guest.Load() >= 0.5:
		return "r-----"
	}
	return "-b----"
}

// seconds of processor time: none before it ran.
func (d *domain) seconds() float64 {
	if d.guest == nil || strings.HasSuffix(d.name, incoming) {
		return 0
	}
	return 0.1 + d.guest.Seconds()
}

// shutdownTakes and copyTakes are how long things take; nothing depends on it.
const shutdownTakes = 150 * time.Millisecond

func copyTakes(mem int64, live bool) time.Duration {
	d := 30*time.Millisecond + time.Duration(mem>>20)*200*time.Microsecond
	if live {
		d = min(d+70*time.Millisecond, 300*time.Millisecond)
	}
	return d
}

// look is the step in which time goes by: on a machine that stands still for a while what takes long shall stand still, too, and
// not be over before anybody saw it.
const look = 5 * time.Millisecond

// wait is false if the daemon ends first.
func wait(ctx context.Context, d time.Duration) bool {
	for left := d; left > 0; left -= look {
		t := time.NewTimer(min(left, look))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
	return ctx.Err() == nil
}

// passed is closed when d has gone by, or ctx ends.
func passed(ctx context.Context, d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		wait(ctx, d)
	}()
	return c
}
