package handoff

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

func ticket(kind Kind) Ticket {
	return Ticket{VM: "101", Kind: kind, Txn: txnA, Source: "node1", SourceSeq: 7, Target: "node2", Relocator: "lbm on node3"}
}

// written is a folder whose state is running on node1, seq 7.
func written(t *testing.T) (*Locked, State) {
	t.Helper()
	l := lock(t, open(t, share(t)))
	must(t, os.WriteFile(l.file("state"), sample(Running).format(), 0o600))
	st, err := l.Read()
	must(t, err)
	return l, st
}

func issue(t *testing.T, d *Dir, k Ticket) *Issued {
	t.Helper()
	i, err := d.Issue(k)
	must(t, err)
	return i
}

func TestTicketLife(t *testing.T) {
	l, st := written(t)
	if _, err := l.LiveTicket("node1", st); !errors.Is(err, ErrNoTicket) {
		t.Fatalf("no ticket: %v", err)
	}
	i := issue(t, l.Dir, ticket(Live))
	expect(t, l.Dir, "ticket")
	k, err := l.LiveTicket("node1", st)
	must(t, err)
	if k != i.Ticket() {
		t.Fatalf("%+v came as %+v", i.Ticket(), k)
	}
	if w, err := i.Waiting(); err != nil || !w {
		t.Fatal(w, err)
	}
	k, err = l.LiveTicket("node1", st)
	must(t, err)
	must(t, l.Use(k))
	expect(t, l.Dir, "ticket.used")
	if w, err := i.Waiting(); err != nil || w {
		t.Fatal("a used ticket waits", w, err)
	}
	if _, err := l.LiveTicket("node1", st); !errors.Is(err, ErrNoTicket) {
		t.Fatalf("a used ticket is used again: %v", err)
	}
	must(t, i.Withdraw())
	expect(t, l.Dir)
}

func TestTicketOfTheDeadIsVoid(t *testing.T) {
	l, st := written(t)
	i := issue(t, l.Dir, ticket(Live))
	must(t, i.f.Close()) // the relocator dies
	k, err := l.LiveTicket("node1", st)
	if !errors.Is(err, ErrDeadTicket) {
		t.Fatalf("a dead relocator's ticket: %v", err)
	}
	must(t, l.Refuse(k))
	expect(t, l.Dir, "refused."+txnA)
	must(t, l.TidyTickets())
	expect(t, l.Dir)
}

func TestTicketThatSpeaksToAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Ticket)
		me     string
	}{
		"another source": {func(k *Ticket) { k.Source = "node3" }, "node1"},
		"another me":     {func(*Ticket) {}, "node2"},
		"older state":    {func(k *Ticket) { k.SourceSeq = 6 }, "node1"},
		"newer state":    {func(k *Ticket) { k.SourceSeq = 8 }, "node1"},
	} {
		l, st := written(t)
		k := ticket(Image)
		c.change(&k)
		i := issue(t, l.Dir, k)
		if _, err := l.LiveTicket(c.me, st); !errors.Is(err, ErrDeadTicket) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, i.Withdraw())
	}
}

func TestUnreadableTicketIsVoid(t *testing.T) {
	l, st := written(t)
	for _, text := range []string{"", "format=2\n", "nonsense", string(ticket("teleport").format())} {
		must(t, os.WriteFile(l.file("ticket"), []byte(text), 0o600))
		k, err := l.LiveTicket("node1", st)
		if !errors.Is(err, ErrDeadTicket) {
			t.Errorf("%q: %v", text, err)
		}
		must(t, l.Refuse(k))
	}
}

func TestTwoRelocators(t *testing.T) {
	l, st := written(t)
	first := issue(t, l.Dir, ticket(Live))
	second := ticket(Image)
	second.Txn = txnB
	if _, err := l.Issue(second); !errors.Is(err, ErrBusy) {
		t.Fatalf("two tickets: %v", err)
	}
	expect(t, l.Dir, "ticket")
	must(t, first.f.Close())
	i := issue(t, l.Dir, second) // in place of the dead one's
	k, err := l.LiveTicket("node1", st)
	if err != nil || k.Txn != txnB {
		t.Fatalf("%+v, %v", k, err)
	}
	// The dead one's late withdrawal must not take the new ticket away: its descriptor is closed, it fails.
	if err := first.Withdraw(); err == nil {
		t.Error("a closed ticket was withdrawn")
	}
	if w, err := i.Waiting(); err != nil || !w {
		t.Fatal("the second's ticket is gone", w, err)
	}
	must(t, i.Withdraw())
	expect(t, l.Dir)
}

func TestWithdrawLeavesTheNextTicket(t *testing.T) {
	l, st := written(t)
	first := issue(t, l.Dir, ticket(Live))
	k, err := l.LiveTicket("node1", st)
	must(t, err)
	must(t, l.Use(k))
	next := ticket(Image)
	next.Txn = txnB
	second := issue(t, l.Dir, next)
	must(t, first.Withdraw())
	expect(t, l.Dir, "ticket")
	must(t, second.Withdraw())
}

// A ticket that was exchanged between reading and consuming is not acted upon.
func TestExchangedTicket(t *testing.T) {
	l, st := written(t)
	first := issue(t, l.Dir, ticket(Live))
	k, err := l.LiveTicket("node1", st)
	must(t, err)
	must(t, first.Withdraw())
	next := ticket(Image)
	next.Txn = txnB
	second := issue(t, l.Dir, next)
	if err := l.Use(k); !errors.Is(err, ErrDeadTicket) {
		t.Fatalf("an exchanged ticket was used: %v", err)
	}
	must(t, second.Withdraw())
}

func TestTidyKeepsALivingTicket(t *testing.T) {
	l, _ := written(t)
	i := issue(t, l.Dir, ticket(Live))
	must(t, l.TidyTickets())
	expect(t, l.Dir, "ticket")
	must(t, i.f.Close())
	must(t, l.TidyTickets())
	expect(t, l.Dir)
}

func TestIssueRefusesNonsense(t *testing.T) {
	l, _ := written(t)
	for name, change := range map[string]func(*Ticket){
		"to itself":  func(k *Ticket) { k.Target = k.Source },
		"no seq":     func(k *Ticket) { k.SourceSeq = 0 },
		"bad txn":    func(k *Ticket) { k.Txn = "../../x" },
		"bad target": func(k *Ticket) { k.Target = "" },
		"bad kind":   func(k *Ticket) { k.Kind = "warm" },
	} {
		k := ticket(Live)
		change(&k)
		if _, err := l.Issue(k); err == nil {
			t.Errorf("%s was issued", name)
		}
	}
	cold := ticket(Cold)
	cold.Target = cold.Source
	must(t, issue(t, l.Dir, cold).Withdraw())
	expect(t, l.Dir)
}

func FuzzTicket(f *testing.F) {
	f.Add(ticket(Live).format())
	f.Add([]byte("format=1\nvm=1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseTicket(text)
		if err != nil {
			return
		}
		again, err := parseTicket(k.format())
		if err != nil || again.Txn != k.Txn || again.Kind != k.Kind || again.Target != k.Target || again.SourceSeq != k.SourceSeq {
			t.Fatalf("%+v came back as %+v, %v", k, again, err)
		}
	})
}

func FuzzMeta(f *testing.F) {
	f.Add(Meta{Txn: txnA, VM: "101", Type: "openvz", Size: 6, Fingerprint: "fp"}.format())
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMeta(text)
		if err != nil {
			return
		}
		again, err := parseMeta(m.format())
		if err != nil || !bytes.Equal(again.format(), m.format()) {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}
