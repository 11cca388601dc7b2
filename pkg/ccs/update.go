package ccs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// Options of Update. The zero value is a safe one.
type Options struct {
	Base   *Document // what the caller has looked at; the file must still be that. nil: whatever is there
	Rules  Rules     // for the checks; nil is DefaultRules
	Lock   []string  // further lock files, taken in this order before the file's own: the one on the shared storage
	Holder string    // what the lock says to a human
	DryRun bool      // writes nothing and takes no lock; Result.Diff shows what would change
	Bump   bool      // raise the version also where the edits change nothing: the file was edited by hand
	Keep   int       // how many earlier files are kept; 0 is 5, less is none

	at  func(step string) error // called before each step: tests stop here
	sys atomicfile.System       // what changes on disk; nil is the real one
}

const defaultKeep = 5

// Result says what Update did.
type Result struct {
	Path          string // of the file itself, behind symbolic links
	Old, New      uint64 // config_version; the same where nothing changed
	Changed       bool   // the edits change something
	Written       bool   // the new file is in place
	Backup        string // where the file before is kept
	Diff          string // unified
	Before, After *Document
	Findings      []Finding // warnings, and what refused the write
}

// LockSuffix makes the name of a file's own lock, beside the file.
const LockSuffix = ".lbvm-lock"

// The steps of Update, for tests. Those of the two files that it writes have the names of atomicfile's points
// behind a colon.
const (
	stepLock  = "lock"
	stepRead  = "read"
	stepCheck = "check"
	stepSweep = "sweep"
	stepKeep  = "keep"
	stepWrite = "write"
	stepPrune = "prune"
)

// Update is the transaction on a cluster.conf: it takes the locks, reads the file, compares it with o.Base, lets
// edit choose its edits on what was read, makes them together with one raise of the version, checks the outcome
// and replaces the file whole. The file before stays as PATH.lbvm-VERSION. Where edit gives no edits, or they
// change nothing, nothing is written.
//
// Mode, owner, access list and security label stay, and the copies have the same. Behind a symbolic link its target
// is replaced, and the lock and the copies lie beside that.
//
// After an error the file is as it was, unless Result.Written says that the new one is in place (its folder
// could not be synced, so that a power cut may bring the old one back, or an old copy could not be removed).
func Update(ctx context.Context, path string, o Options, edit func(*Document) ([]Edit, error)) (Result, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Result{Path: path}, fmt.Errorf("updating the cluster configuration: %w; nothing was changed", err)
	}
	t := transaction{path: real, o: o, r: Result{Path: real}}
	if t.o.sys == nil {
		t.o.sys = atomicfile.Real()
	}
	if !o.DryRun {
		unlock, err := t.lock(ctx)
		if err != nil {
			return t.r, fmt.Errorf("updating %s: %w; nothing was changed", real, err)
		}
		defer unlock()
	}
	if err := t.prepare(edit); err != nil {
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrRefused) { // these say so themselves
			err = fmt.Errorf("%w; nothing was changed", err)
		}
		return t.r, err
	}
	if !t.r.Changed || o.DryRun {
		return t.r, nil
	}
	return t.r, t.write()
}

type transaction struct {
	path string
	o    Options
	r    Result
}

func (t *transaction) step(name string) error {
	if t.o.at == nil {
		return nil
	}
	return t.o.at(name)
}

// lock takes all locks. Closing a lock file cannot fail in a way that matters: the kernel lets go of it.
func (t *transaction) lock(ctx context.Context) (func(), error) {
	if err := t.step(stepLock); err != nil {
		return nil, err
	}
	holder := t.o.Holder
	if holder == "" {
		holder = "pid " + strconv.Itoa(os.Getpid())
	}
	var held []*lockfile.Lock
	unlock := func() {
		for i := len(held) - 1; i >= 0; i-- {
			held[i].Close()
		}
	}
	for _, path := range append(append([]string{}, t.o.Lock...), t.path+LockSuffix) {
		l, err := lockfile.Acquire(ctx, clock.System(), path, holder)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, l)
	}
	return unlock, nil
}

// prepare reads, edits and checks; it changes nothing on disk.
func (t *transaction) prepare(edit func(*Document) ([]Edit, error)) error {
	if err := t.step(stepRead); err != nil {
		return err
	}
	src, err := readFile(t.path)
	if err != nil {
		return err
	}
	if b := t.o.Base; b != nil && !bytes.Equal(b.src, src) {
		return &ChangedError{t.path, unified(t.path, b.src, src)}
	}
	before, err := newDocument(t.path, src)
	if err != nil {
		return err
	}
	t.r.Before, t.r.After = before, before
	if t.r.Old, err = before.Version(); err != nil {
		return err
	}
	t.r.New = t.r.Old
	edits, err := edit(before)
	if err != nil {
		return err
	}
	plan, err := before.planAll(edits)
	if err != nil {
		return err
	}
	if len(plan.splices) == 0 && !t.o.Bump {
		return nil
	}
	bump, err := before.Bump()
	if err != nil {
		return err
	}
	if err := plan.add(bump); err != nil {
		return err
	}
	after, err := plan.apply()
	if err != nil {
		return err
	}
	if t.r.New, err = after.Version(); err != nil || t.r.New != t.r.Old+1 {
		return errors.Join(fmt.Errorf("the edits of %s touch config_version themselves", t.path), err)
	}
	t.r.After, t.r.Changed = after, true
	t.r.Diff = unified(t.path, before.src, after.src)
	return t.check()
}

// check looks at what would be written: another reader must read the same, and the cluster manager must take it.
func (t *transaction) check() error {
	if err := t.step(stepCheck); err != nil {
		return err
	}
	if err := t.r.After.reread(); err != nil {
		return fmt.Errorf("editing %s: %w: %w", t.path, ErrDiffers, err)
	}
	t.r.Findings = t.r.After.Check(t.o.Rules)
	for _, f := range t.r.Findings {
		if f.Severity == Fatal {
			return &RefusedError{t.path, t.r.Findings}
		}
	}
	return nil
}

func (t *transaction) write() error {
	if err := t.sweep(); err != nil {
		return fmt.Errorf("updating %s: removing what a killed writer left: %w; nothing was changed", t.path, err)
	}
	if err := t.keep(); err != nil {
		return fmt.Errorf("updating %s: keeping the file before: %w; nothing was changed", t.path, err)
	}
	err := atomicfile.Write(t.path, t.r.After.src, atomicfile.Options{At: t.late, System: t.o.sys})
	if err == nil {
		t.r.Written = true
		return t.prune()
	}
	if now, rerr := readFile(t.path); rerr == nil && bytes.Equal(now, t.r.After.src) {
		t.r.Written = true
		return fmt.Errorf("updating %s: the new file is in place but may not outlive a power cut: %w", t.path, err)
	}
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("updating %s: %w", t.path, err)
	}
	return fmt.Errorf("updating %s: %w; nothing was changed", t.path, err)
}

// late is called before each step of the write. An editor asks for no lock: as late as can be the file is looked at once more.
func (t *transaction) late(p atomicfile.Point) error {
	if err := t.step(stepWrite + ":" + string(p)); err != nil {
		return err
	}
	if p != atomicfile.Rename {
		return nil
	}
	now, err := readFile(t.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, t.r.Before.src) {
		return &ChangedError{t.path, unified(t.path, t.r.Before.src, now)}
	}
	return nil
}
