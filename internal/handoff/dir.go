package handoff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// Folder holds a folder for each VM, below the shared storage.
const Folder = "lbvm/handoff"

// Dir is the hand-off folder of one VM. Reading it needs no lock; what counts is read again under the lock.
type Dir struct {
	// At, if set, is told of every durable step, before it ("state:running") and after it ("state:running:done").
	// Its error is as if the step had failed.
	At func(point string) error
	// Within, if set, is told of the steps inside one replacement of a file as well ("state:running/rename").
	Within func(point string) error

	shared, path string
	typ, vm      string
}

// Open names the folder of a VM below the shared storage (joined with the root, its marker seen). It touches nothing.
func Open(shared, typ, vm string) (*Dir, error) {
	if err := errors.Join(host.CheckName(typ), host.CheckName(vm)); err != nil {
		return nil, fmt.Errorf("opening the hand-off folder of %s:%s: %w", typ, vm, err)
	}
	return &Dir{shared: shared, path: filepath.Join(shared, Folder, typ+"-"+vm), typ: typ, vm: vm}, nil
}

// ReadState is the state record of a VM. A VM without one has phase NoRecord; a record that cannot be believed is ErrState.
func ReadState(shared, typ, vm string) (State, error) {
	d, err := Open(shared, typ, vm)
	if err != nil {
		return State{}, err
	}
	return d.Read()
}

// Path is the folder itself.
func (d *Dir) Path() string { return d.path }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Read is the state record. An error comes with an unknown phase.
func (d *Dir) Read() (State, error) {
	text, err := os.ReadFile(d.file("state"))
	if errors.Is(err, fs.ErrNotExist) && host.AsksAnew(d.path) { // no record says that the VM may be started
		text, err = os.ReadFile(d.file("state"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return State{VM: d.vm, Type: d.typ, Phase: NoRecord}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("reading the state of %s:%s: %w", d.typ, d.vm, err)
	}
	s, err := parseState(text, d.typ, d.vm)
	if err != nil {
		return State{}, fmt.Errorf("reading %s: %w", d.file("state"), err)
	}
	return s, nil
}

// Locked is the folder while its lock is held. Only it changes anything but tickets.
type Locked struct {
	*Dir
	lock *lockfile.Lock

	seen bool   // the record was read or written under this lock
	seq  uint64 // its number then
	torn bool   // a write has failed: it may be one more
}

// Lock makes the folder if need be and waits for its lock until ctx ends. holder is for humans.
func (d *Dir) Lock(ctx context.Context, c clock.Clock, holder string) (*Locked, error) {
	if err := d.make(); err != nil {
		return nil, err
	}
	return d.locked(func() (*lockfile.Lock, error) { return lockfile.Acquire(ctx, c, d.file("lock"), holder) })
}

// TryLock is Lock that does not wait: lockfile.ErrHeld if another holds it.
func (d *Dir) TryLock(holder string) (*Locked, error) {
	if err := d.make(); err != nil {
		return nil, err
	}
	return d.locked(func() (*lockfile.Lock, error) { return lockfile.Try(d.file("lock"), holder) })
}

func (d *Dir) locked(take func() (*lockfile.Lock, error)) (*Locked, error) {
	var l *lockfile.Lock
	kept := false
	defer func() { // also where At never returns
		if l != nil && !kept {
			l.Close()
		}
	}()
	err := d.step("lock", func() (err error) {
		l, err = take()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("locking %s:%s: %w", d.typ, d.vm, err)
	}
	kept = true
	return &Locked{Dir: d, lock: l}, nil
}

// make makes the folder, but never lbvm itself: where that is missing the shared storage is not mounted.
func (d *Dir) make() error {
	for _, dir := range []struct {
		path string
		mode fs.FileMode
	}{{filepath.Join(d.shared, Folder), 0o750}, {d.path, 0o700}} {
		if _, err := os.Lstat(dir.path); err == nil {
			continue
		}
		err := d.step("folder", func() error {
			if err := os.Mkdir(dir.path, dir.mode); err != nil {
				return err
			}
			return atomicfile.FsyncDir(filepath.Dir(dir.path))
		})
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making the hand-off folder of %s:%s: %w", d.typ, d.vm, err)
		}
	}
	return nil
}

// File bears the lock: a child that inherits it holds the lock too.
func (l *Locked) File() *os.File { return l.lock.File() }

// Unlock lets go. The lock stays held where a child has inherited it.
func (l *Locked) Unlock() error { return l.lock.Close() }

// Errors of a lock that was lost while its holder went on.
var (
	// ErrAway says that the folder which was locked is not the one that is there now: the shared storage was taken away.
	ErrAway = errors.New("the shared storage was taken away")
	// ErrOvertaken says that another has written the record meanwhile: the storage was away and is back, and its
	// locks were given to others.
	ErrOvertaken = errors.New("the lock was lost and another has written the record")
)

// Read is Dir.Read under the lock: after its first time the record may change by this holder's own writes only.
func (l *Locked) Read() (State, error) {
	s, err := l.Dir.Read()
	if err == nil && l.seen && s.Seq != l.seq && !(l.torn && s.Seq == l.seq+1) {
		return State{}, fmt.Errorf("reading the state of %s:%s: %w (number %d, and it was %d)", l.typ, l.vm, ErrOvertaken, s.Seq, l.seq)
	}
	if err == nil {
		l.seen, l.seq, l.torn = true, s.Seq, false
	}
	return s, err
}

// present is nil as long as the folder is the one that was locked, and nobody else has written in it. In an empty
// folder that lies in its place nothing has to be taken out of use, and yet it would all come back.
func (l *Locked) present() error {
	mine, err := l.lock.File().Stat()
	if err != nil {
		return fmt.Errorf("looking at the lock of %s:%s: %w", l.typ, l.vm, err)
	}
	now, err := os.Stat(l.file("lock"))
	if err == nil && !os.SameFile(mine, now) {
		err = errors.New("its lock is another file")
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAway, l.path, err)
	}
	if !l.seen {
		return nil
	}
	_, err = l.Read()
	return err
}

// step is a durable step in the folder that was locked, and in no other.
func (l *Locked) step(point string, do func() error) error {
	return l.Dir.step(point, func() error {
		if err := l.present(); err != nil {
			return err
		}
		return do()
	})
}

// ErrTransition says that no such step of a VM's life exists.
var ErrTransition = errors.New("no such step in a VM's life")

// Write makes next the state and gives it as it was written. VM, Type and Seq are filled in. A step that Transitions
// does not know, and a record that is not whole, are refused and nothing is changed.
func (l *Locked) Write(next State) (State, error) {
	if err := l.present(); err != nil {
		return State{}, fmt.Errorf("writing the state: %w", err)
	}
	prev, err := l.Read()
	if err != nil {
		return State{}, fmt.Errorf("writing the state: %w", err)
	}
	next.VM, next.Type, next.Seq = l.vm, l.typ, prev.Seq+1
	if !prev.Phase.MayBecome(next.Phase) {
		return State{}, fmt.Errorf("writing the state of %s:%s: %w: %s to %s", l.typ, l.vm, ErrTransition, prev.Phase, next.Phase)
	}
	if err := next.check(); err != nil {
		return State{}, fmt.Errorf("writing the state of %s:%s: %w", l.typ, l.vm, err)
	}
	if err := l.put("state:"+next.Phase.String(), next); err != nil {
		return State{}, fmt.Errorf("writing the state of %s:%s: %w", l.typ, l.vm, err)
	}
	return next, nil
}

// put is the durable step that makes next the record. After one that failed nobody knows which of the two it is.
func (l *Locked) put(point string, next State) error {
	err := l.replace(point, l.file("state"), next.format())
	switch {
	case err == nil:
		l.seen, l.seq, l.torn = true, next.Seq, false
	case !errors.Is(err, ErrOvertaken) && !errors.Is(err, ErrAway):
		l.torn = true
	}
	return err
}

// step is one durable step.
func (d *Dir) step(point string, do func() error) error {
	if d.At != nil {
		if err := d.At(point); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if d.At != nil {
		return d.At(point + ":done")
	}
	return nil
}

// replace is the durable step that gives a file its new content.
func (l *Locked) replace(point, path string, text []byte) error {
	return l.step(point, func() error {
		o := atomicfile.Options{Mode: 0o600}
		if l.Within != nil {
			o.At = func(p atomicfile.Point) error { return l.Within(point + "/" + string(p)) }
		}
		return atomicfile.Write(path, text, o)
	})
}

// move is the durable step that renames within the folder.
func (l *Locked) move(point, from, to string) error {
	return l.step(point, func() error {
		if err := os.Rename(l.file(from), l.file(to)); err != nil {
			return err
		}
		if l.Within != nil {
			if err := l.Within(point + "/" + string(atomicfile.SyncDir)); err != nil {
				return err
			}
		}
		return atomicfile.FsyncDir(l.path)
	})
}
