package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
)

// record is what is read of a VM's hand-off folder. *handoff.Dir is the real one.
type record interface {
	Read() (handoff.State, error)
	HasImage(txn string) (bool, error)
	Noted(txn string) (bool, error)
	PartFile(txn string) string
	Path() string
}

// folder is a VM's hand-off folder under its lock. *handoff.Locked is the real one.
type folder interface {
	record
	Write(next handoff.State) (handoff.State, error)
	Part(txn string) (mem string, err error)
	Note(txn string) error
	Publish(txn string, m handoff.Meta) error
	Refresh(txn, fingerprint string) error
	Claim(txn, node string) error
	CheckClaim(txn, node, fingerprint string) (mem string, err error)
	PutBack(st handoff.State, node string) error
	Unclaim(txn, node string) error
	Discard() error
	Fail() error
	Prune(keep int) error
	LiveTicket(me string, st handoff.State) (handoff.Ticket, error)
	Use(t handoff.Ticket) error
	Refuse(t handoff.Ticket) error
	TidyTickets() error
	Unlock() error
}

var (
	_ folder = (*handoff.Locked)(nil)
	_ folder = (*imagined)(nil)
)

// imagined is the hand-off folder in an explanation: it is read where it lies, and what would be written into it is
// told and remembered.
type imagined struct {
	life   *life
	st     handoff.State // as it would have been written; the zero State is: not yet
	image  string        // transaction of the image that would be published
	noted  string
	away   bool // what lies there would be out of use
	ticket bool // it would be used up or refused
}

func (i *imagined) Path() string { return i.life.dir.Path() }

func (i *imagined) Read() (handoff.State, error) {
	if i.st.Seq > 0 {
		return i.st, nil
	}
	return i.life.dir.Read()
}

func (i *imagined) Write(next handoff.State) (handoff.State, error) {
	prev, err := i.Read()
	if err != nil {
		return handoff.State{}, fmt.Errorf("writing the state: %w", err)
	}
	if !prev.Phase.MayBecome(next.Phase) {
		return handoff.State{}, fmt.Errorf("writing the state: %w: %s to %s", handoff.ErrTransition, prev.Phase, next.Phase)
	}
	next.VM, next.Type, next.Seq = i.life.vm, i.life.a.Type, prev.Seq+1
	was := "none"
	if prev.Phase != handoff.NoRecord {
		was = placeText(prev)
	}
	line := fmt.Sprintf("record: %s -> %s", was, placeText(next))
	if next.Why != "" {
		line += " (" + next.Why + ")"
	}
	i.life.say("%s", line)
	i.st = next
	return next, nil
}

func (i *imagined) HasImage(txn string) (bool, error) {
	if i.image == txn {
		return true, nil
	}
	if i.away {
		return false, nil
	}
	return i.life.dir.HasImage(txn)
}

func (i *imagined) Noted(txn string) (bool, error) {
	if i.noted == txn {
		return true, nil
	}
	if i.away {
		return false, nil
	}
	return i.life.dir.Noted(txn)
}

func (i *imagined) PartFile(txn string) string {
	if i.away {
		return ""
	}
	return i.life.dir.PartFile(txn)
}

func (i *imagined) Part(txn string) (string, error) {
	name := "image." + txn + ".part"
	i.life.say("it makes the folder %s for the memory", name)
	return filepath.Join(i.Path(), name, handoff.MemFile), nil
}

func (i *imagined) Note(txn string) error {
	i.noted = txn
	i.life.say("it notes that the dump is whole")
	return nil
}

func (i *imagined) Publish(txn string, _ handoff.Meta) error {
	i.image = txn
	i.life.say("it publishes the memory as image.%s", txn)
	return nil
}

func (i *imagined) Refresh(txn, _ string) error {
	i.life.say("it takes the fingerprint of the disks again, now that the guest is off")
	return nil
}

func (i *imagined) Claim(txn, node string) error {
	ok, err := i.HasImage(txn)
	if err == nil && !ok {
		err = fmt.Errorf("claiming image %s: %w", txn, handoff.ErrNoImage)
	}
	if err == nil {
		i.life.say("it claims the image: image.%s becomes claim.%[1]s.%s, which nobody else can use", txn, node)
	}
	return err
}

// CheckClaim looks at the image where it lies.
func (i *imagined) CheckClaim(txn, node, fingerprint string) (string, error) {
	if err := i.life.dir.Usable(handoff.State{Phase: handoff.Suspended, Image: txn}, fingerprint); err != nil {
		return "", err
	}
	return filepath.Join(i.Path(), "claim."+txn+"."+node, handoff.MemFile), nil
}

func (i *imagined) PutBack(handoff.State, string) error { return nil }

func (i *imagined) Unclaim(string, string) error {
	i.away = true
	i.life.say("it deletes the used image")
	return nil
}

func (i *imagined) Discard() error { return i.retire("discarded") }
func (i *imagined) Fail() error    { return i.retire("failed") }

func (i *imagined) retire(as string) error {
	names := []string{}
	if i.image != "" {
		names = append(names, "image."+i.image)
	}
	if !i.away {
		entries, err := os.ReadDir(i.Path())
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("taking images out of use: %w", err)
		}
		for _, e := range entries {
			if n := e.Name(); strings.HasPrefix(n, "image.") || strings.HasPrefix(n, "claim.") {
				names = append(names, n)
			}
		}
	}
	i.image, i.noted, i.away = "", "", true
	if len(names) > 0 {
		i.life.say("it takes %s out of use (%s)", strings.Join(names, " and "), as)
	}
	return nil
}

// What is out of use is not worth a word.
func (i *imagined) Prune(int) error { return nil }

func (i *imagined) TidyTickets() error { return nil }

func (i *imagined) LiveTicket(me string, st handoff.State) (handoff.Ticket, error) {
	if i.ticket {
		return handoff.Ticket{}, handoff.ErrNoTicket
	}
	return i.life.dir.LiveTicket(me, st)
}

func (i *imagined) Use(t handoff.Ticket) error {
	i.ticket = true
	i.life.say("it uses the ticket up")
	return nil
}

func (i *imagined) Refuse(handoff.Ticket) error {
	i.ticket = true
	i.life.say("it puts the ticket aside")
	return nil
}

func (i *imagined) Unlock() error { return nil }
