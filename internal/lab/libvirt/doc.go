// Package libvirt emulates virsh, with the libvirtd and the QEMU behind it, on a lab node. Start at Tools.
//
// libvirtd is the node's daemon. What virsh has asked it for goes on when virsh is killed, but for a migration without
// --p2p, which virsh itself leads: it is broken off, and the guest goes on where it was.
//
// While a domain migrates, both nodes list it by its plain name: running at the source, paused (migrating) at the
// target, from the first moment on. A domain made by create is transient and vanishes when it ends; one that was defined
// stays as shut off. QEMU locks the images of a running domain. The lab's file etc/lab-virsh-version chooses the version
// that is played: 9.0 (the default) or 0.10, that of RHEL 6; etc/lab-qemu-locks says "no" where the storage holds no locks.
//
// The words are those of virsh 9.0.0 (-c test:///default, and a pair of QEMU hosts), and of libvirt's sources where that
// could not be had.
package libvirt

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// The lab's files below the node's etc.
const (
	versionFile = "lab-virsh-version"
	locksFile   = "lab-qemu-locks"
)

// Tools gives the programs of one node, by name. `libvirtd` is what another node's libvirtd calls.
func Tools() map[string]lab.Tool {
	d := &daemon{next: 1, arrivals: map[string]*arrival{}}
	return map[string]lab.Tool{"virsh": d.virsh, "libvirtd": d.remote}
}

// daemon is libvirtd with its table of domains.
type daemon struct {
	fresh    sync.Once
	mu       sync.Mutex
	next     int
	domains  []*domain
	arrivals map[string]*arrival
}

// domain is one domain that libvirtd knows. The fields are the daemon's, under its lock.
type domain struct {
	conf       config
	persistent bool
	autostart  bool
	run        *running // nil: shut off
	why        string   // of shut off
	moved      *stats   // of the last migration that ended here
}

// state is what libvirt calls one, with its reason.
type state struct{ name, why string }

// running is a domain from its start to its end.
type running struct {
	n      *lab.Node
	id     int
	guest  *lab.Guest // nil while memory arrives
	state  state
	job    *job
	images []*os.File    // locked
	gone   chan struct{} // closed at its end
	since  time.Time
	ending string // what an end of the guest is called: shutdown
	speed  int64  // that migrations keep to
}

// job is a save or a migration that is under way.
type job struct {
	what   string // migration out, domain save
	cancel context.CancelFunc
	asked  bool          // to be broken off
	faster chan struct{} // closed when the guest stands still: nothing is left to be copied again
	over   chan struct{} // closed when it has ended
	speed  int64         // MiB a second; 0 is no limit
	stats
}

// list gives the domains. One whose guest has ended is shut off, or gone if it was transient.
func (d *daemon) list() []*domain {
	for _, x := range slices.Clone(d.domains) {
		if r := x.run; r != nil && r.guest != nil && !r.guest.Alive() {
			why := "crashed"
			if r.ending != "" {
				why = r.ending
			}
			d.end(x, why)
		}
	}
	return d.domains
}

// find looks for a domain by number, name or uuid, as virsh does.
func (d *daemon) find(name string) *domain {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.findLocked(name)
}

func (d *daemon) findLocked(name string) *domain {
	all := d.list()
	for _, by := range []func(*domain) bool{
		func(x *domain) bool { return x.run != nil && strconv.Itoa(x.run.id) == name },
		func(x *domain) bool { return x.conf.UUID == name },
		func(x *domain) bool { return x.conf.Name == name },
	} {
		if i := slices.IndexFunc(all, by); i >= 0 {
			return all[i]
		}
	}
	return nil
}

// end shuts a domain off. Its guest is dead, or is killed by the caller.
func (d *daemon) end(x *domain, why string) {
	r := x.run
	if r == nil {
		return
	}
	x.run, x.why = nil, why
	r.unlock()
	r.hide(x.conf.Name)
	close(r.gone)
	if !x.persistent {
		if i := slices.Index(d.domains, x); i >= 0 {
			d.domains = slices.Delete(d.domains, i, i+1)
		}
	}
}

// kill ends a domain and its guest.
func (d *daemon) kill(x *domain, r *running, why string) {
	d.mu.Lock()
	g := r.guest
	if x.run == r {
		d.end(x, why)
	}
	d.mu.Unlock()
	if g != nil {
		g.Kill()
	}
}

// set gives a running domain a state, if it is still the same.
func (d *daemon) set(x *domain, r *running, name, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x.run == r {
		r.state = state{name, why}
	}
}

// now is a domain's state.
func (x *domain) now() state {
	if x.run == nil {
		return state{"shut off", x.why}
	}
	return x.run.state
}

// The states that the lab plays.
const (
	isRunning  = "running"
	isPaused   = "paused"
	isLeaving  = "in shutdown"
	migrating  = "migrating"
	userPaused = "user"
)

// wait is false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
