package handoff

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
)

// Kind is how a ticket wants the VM to pass.
type Kind string

// The kinds.
const (
	Live  Kind = "live"  // pushed while it runs
	Image Kind = "image" // by a memory image
	Cold  Kind = "cold"  // shut down; the only kind whose target may be the source
)

// Ticket is a relocator's instruction for the next stop on Source, and for that one only: it is void as soon as the
// state's sequence number is another than SourceSeq or the relocator has gone.
type Ticket struct {
	VM        string
	Kind      Kind
	Txn       string
	Source    string
	SourceSeq uint64
	Target    string
	Relocator string // for humans
}

const (
	ticketFile    = "ticket"
	usedFile      = "ticket.used"
	refusedPrefix = "refused."
	tempPrefix    = ".ticket-"
)

// Errors of tickets.
var (
	ErrNoTicket   = errors.New("there is no ticket")
	ErrDeadTicket = errors.New("the ticket is void")
	// ErrBusy says that another relocation of this VM is running.
	ErrBusy = errors.New("another relocation of this VM is running")
)

func (t Ticket) check() error {
	if err := errors.Join(host.CheckName(t.VM), host.CheckName(t.Source), host.CheckName(t.Target), CheckTxn(t.Txn)); err != nil {
		return err
	}
	if !slices.Contains([]Kind{Live, Image, Cold}, t.Kind) {
		return fmt.Errorf("kind %q is not known", t.Kind)
	}
	if t.SourceSeq == 0 {
		return errors.New("source_seq is missing")
	}
	if t.Source == t.Target && t.Kind != Cold {
		return errors.New("source and target are the same node")
	}
	return nil
}

func (t Ticket) format() []byte {
	return keyval.Pairs{{Key: "format", Value: "1"}, {Key: "vm", Value: t.VM}, {Key: "kind", Value: string(t.Kind)}, {Key: "txn", Value: t.Txn},
		{Key: "source", Value: t.Source}, {Key: "source_seq", Value: strconv.FormatUint(t.SourceSeq, 10)},
		{Key: "target", Value: t.Target}, {Key: "relocator", Value: t.Relocator}}.Format()
}

func parseTicket(text []byte) (Ticket, error) {
	p, err := keyval.Parse(text)
	if err != nil {
		return Ticket{}, err
	}
	if f := p.Get("format"); f != "1" {
		return Ticket{}, fmt.Errorf("format %q is not known", f)
	}
	t := Ticket{VM: p.Get("vm"), Kind: Kind(p.Get("kind")), Txn: p.Get("txn"), Source: p.Get("source"), Target: p.Get("target"), Relocator: p.Get("relocator")}
	if t.SourceSeq, err = strconv.ParseUint(p.Get("source_seq"), 10, 64); err != nil {
		return Ticket{}, fmt.Errorf("source_seq=%q is not a number", p.Get("source_seq"))
	}
	return t, t.check()
}

func readTicket(f *os.File) (Ticket, error) {
	text := make([]byte, 4096)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Ticket{}, err
	}
	return parseTicket(text[:n])
}

// LiveTicket is the ticket that speaks to a stop on me while the state is st, with its relocator alive. ErrNoTicket
// if there is none, ErrDeadTicket with the reason if it is void: Refuse it then. Whether the target can be reached is
// the caller's question. A stop asks under the lock; without it the answer is what an explanation may tell.
func (d *Dir) LiveTicket(me string, st State) (Ticket, error) {
	f, err := os.Open(d.file(ticketFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Ticket{}, ErrNoTicket
	}
	if err != nil {
		return Ticket{}, fmt.Errorf("reading the ticket: %w", err)
	}
	defer f.Close()
	t, err := readTicket(f)
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrDeadTicket, err)
	}
	alive, err := lockedByOther(f)
	switch {
	case err != nil:
		return t, fmt.Errorf("%w: its lock cannot be read: %w", ErrDeadTicket, err)
	case !alive:
		return t, fmt.Errorf("%w: its relocator %q is gone", ErrDeadTicket, t.Relocator)
	case t.VM != d.vm:
		return t, fmt.Errorf("%w: it is of VM %q", ErrDeadTicket, t.VM)
	case t.Source != me:
		return t, fmt.Errorf("%w: it speaks to %q", ErrDeadTicket, t.Source)
	case t.SourceSeq != st.Seq:
		return t, fmt.Errorf("%w: it knows state %d, and this is %d", ErrDeadTicket, t.SourceSeq, st.Seq)
	}
	return t, nil
}

// Use consumes a ticket, before anything is done for it.
func (l *Locked) Use(t Ticket) error {
	if err := l.move("ticket.used", ticketFile, usedFile); err != nil {
		return fmt.Errorf("consuming the ticket: %w", err)
	}
	f, err := os.Open(l.file(usedFile))
	if err != nil {
		return fmt.Errorf("consuming the ticket: %w", err)
	}
	defer f.Close()
	if used, err := readTicket(f); err != nil || used != t { // it was withdrawn and another issued in between
		return fmt.Errorf("%w: it was exchanged", ErrDeadTicket)
	}
	return nil
}

// Refuse puts a void ticket aside as refused.T. A ticket that is gone already is what was wanted.
func (l *Locked) Refuse(t Ticket) error {
	txn := t.Txn
	if CheckTxn(txn) != nil {
		txn = "unreadable"
	}
	err := l.move("ticket.refused", ticketFile, refusedPrefix+txn)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("refusing the ticket: %w", err)
	}
	return nil
}

// TidyTickets removes what tickets leave behind: a used one, and all whose relocator is gone.
func (l *Locked) TidyTickets() error {
	if err := l.tidy(usedFile); err != nil {
		return err
	}
	names, err := l.names(func(n string) bool {
		return n == ticketFile || strings.HasPrefix(n, refusedPrefix) || strings.HasPrefix(n, tempPrefix)
	})
	if err != nil {
		return fmt.Errorf("tidying tickets: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	desk, err := l.desk() // a ticket of one of these names that is laid from now on waits for us
	if errors.Is(err, ErrBusy) {
		return nil // a relocator is at it
	}
	if err != nil {
		return fmt.Errorf("tidying tickets: %w", err)
	}
	defer desk.Close()
	for _, n := range names {
		held, err := heldOrGone(l.file(n))
		if err != nil {
			return fmt.Errorf("tidying tickets: %w", err)
		}
		if held {
			continue
		}
		if err := l.tidy(n); err != nil {
			return err
		}
	}
	return nil
}

func (l *Locked) tidy(name string) error {
	if _, err := os.Lstat(l.file(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := l.step("tidy", func() error { return remove(l.file(name)) }); err != nil {
		return fmt.Errorf("tidying tickets: %w", err)
	}
	return nil
}
