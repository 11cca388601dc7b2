package handoff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// Issued is a ticket as its relocator holds it. It lives as long as the relocator's descriptor: a relocator that
// dies makes it void.
type Issued struct {
	dir *Dir
	t   Ticket
	f   *os.File
}

// IssueTicket lays a ticket for the next stop of a VM. ErrBusy if another relocator is at work; the ticket of a
// dead one is removed first.
func IssueTicket(shared, typ, vm string, t Ticket) (*Issued, error) {
	d, err := Open(shared, typ, vm)
	if err != nil {
		return nil, err
	}
	return d.Issue(t)
}

// Issue is IssueTicket on an opened folder.
func (d *Dir) Issue(t Ticket) (*Issued, error) {
	t.VM = d.vm
	i, err := d.issue(t)
	if err != nil {
		return nil, fmt.Errorf("issuing a ticket for %s:%s: %w", d.typ, d.vm, err)
	}
	return i, nil
}

func (d *Dir) issue(t Ticket) (*Issued, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	desk, err := d.desk()
	if err != nil {
		return nil, err
	}
	defer desk.Close()
	i, laid := &Issued{dir: d, t: t}, false
	defer func() { // also where At never returns
		if i.f != nil && !laid {
			i.f.Close()
		}
	}()
	err = d.step("ticket.draft", func() (err error) {
		i.f, err = os.CreateTemp(d.path, tempPrefix)
		return err
	})
	if i.f == nil {
		return nil, err
	}
	f := i.f
	if err == nil {
		err = i.lay()
	}
	err = errors.Join(err, d.step("ticket.undraft", func() error { return remove(f.Name()) }))
	if err == nil {
		err = d.step("ticket.sync", func() error { return atomicfile.FsyncDir(d.path) })
	}
	if err != nil {
		return nil, errors.Join(err, i.unlink())
	}
	laid = true
	return i, nil
}

func (i *Issued) lay() error {
	err := i.dir.step("ticket.fill", func() error {
		if _, err := i.f.Write(i.t.format()); err != nil {
			return err
		}
		return i.f.Sync()
	})
	if err != nil {
		return err
	}
	// The lock before the name: whoever finds the ticket finds its relocator alive.
	if err := syscall.Flock(int(i.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("locking the ticket: %w", err)
	}
	link := func() error {
		return i.dir.step("ticket", func() error { return os.Link(i.f.Name(), i.dir.file(ticketFile)) })
	}
	err = link()
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	held, err := heldOrGone(i.dir.file(ticketFile))
	if err != nil {
		return err
	}
	if held {
		return ErrBusy
	}
	if err := i.dir.step("ticket.dead", func() error { return remove(i.dir.file(ticketFile)) }); err != nil {
		return err
	}
	if err := link(); errors.Is(err, fs.ErrExist) {
		return ErrBusy
	} else if err != nil {
		return err
	}
	return nil
}

// Relocating tells whether a relocator that lives has laid a ticket for the VM, consumed or not.
func Relocating(shared, typ, vm string) (bool, error) {
	d, err := Open(shared, typ, vm)
	if err != nil {
		return false, err
	}
	for _, name := range []string{ticketFile, usedFile} {
		if held, err := heldOrGone(d.file(name)); held || err != nil {
			return held, err
		}
	}
	return false, nil
}

// Ticket is what was issued.
func (i *Issued) Ticket() Ticket { return i.t }

// Waiting tells whether the ticket still lies there: no stop has consumed or refused it.
func (i *Issued) Waiting() (bool, error) { return i.same(ticketFile) }

// Withdraw removes the ticket if it still lies there, and what is left of it if it was consumed, and lets go.
func (i *Issued) Withdraw() (err error) {
	defer func() { // whatever else fails
		if err = errors.Join(err, i.f.Close()); err != nil {
			err = fmt.Errorf("withdrawing the ticket of %s:%s: %w", i.dir.typ, i.dir.vm, err)
		}
	}()
	desk, err := i.dir.desk()
	switch {
	case err == nil:
		defer desk.Close()
	case errors.Is(err, ErrBusy): // as long as ours lies there the other one cannot lay his
		err = nil
	}
	return errors.Join(err, i.unlink())
}

func (i *Issued) unlink() error {
	var errs []error
	for _, name := range []string{ticketFile, usedFile, refusedPrefix + i.t.Txn} {
		ours, err := i.same(name)
		if err == nil && ours {
			err = i.dir.step("withdraw", func() error { return remove(i.dir.file(name)) })
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// same tells whether the file of that name is our ticket.
func (i *Issued) same(name string) (bool, error) {
	ours, err := i.f.Stat()
	if err != nil {
		return false, err
	}
	fi, err := os.Stat(i.dir.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(fi, ours), err
}

// desk is the lock of those who add or remove a ticket, so that nobody removes one that has just been laid. It is
// held for a moment only.
func (d *Dir) desk() (*lockfile.Lock, error) {
	l, err := lockfile.Try(d.file("ticket.lock"), "")
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("%w (%w)", ErrBusy, err)
	}
	return l, err
}

// lockedByOther asks for the lock of an open file without taking EX: two who ask at once do not deceive each other.
func lockedByOther(f *os.File) (bool, error) {
	err := lockfile.Shared(f)
	if errors.Is(err, lockfile.ErrHeld) {
		return true, nil
	}
	return false, err
}

// heldOrGone is lockfile.Held; a file that is gone is not held.
func heldOrGone(path string) (bool, error) {
	held, err := lockfile.Held(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return held, err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
