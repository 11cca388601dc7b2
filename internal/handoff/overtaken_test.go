package handoff

import (
	"errors"
	"syscall"
	"testing"
)

// Storage that was away and is back has given the lock to another. Who had it before finds the record changed and
// changes nothing more, neither record nor images.
func TestOvertakenHolderWritesNothing(t *testing.T) {
	d := open(t, share(t))
	first := lock(t, d)
	if _, err := first.Read(); err != nil {
		t.Fatal(err)
	}
	st := sample(Running)
	if _, err := first.Write(st); err != nil {
		t.Fatal(err)
	}
	part(t, first, txnA)
	must(t, syscall.Flock(int(first.File().Fd()), syscall.LOCK_UN)) // the server has forgotten it

	second, err := d.TryLock("another")
	must(t, err)
	if _, err := second.Read(); err != nil {
		t.Fatal(err)
	}
	mine, err := second.Write(sample(Down))
	must(t, err)

	if _, err := first.Read(); !errors.Is(err, ErrOvertaken) {
		t.Errorf("it reads on: %v", err)
	}
	if _, err := first.Write(st); !errors.Is(err, ErrOvertaken) {
		t.Errorf("it writes the record: %v", err)
	}
	if err := first.Discard(); !errors.Is(err, ErrOvertaken) {
		t.Errorf("it discards images: %v", err)
	}
	if _, err := first.Leave(st.Node, st.Boot, "", ""); !errors.Is(err, ErrOvertaken) {
		t.Errorf("it marks the record: %v", err)
	}
	if now, err := d.Read(); err != nil || now != mine {
		t.Errorf("the record is %+v, %v", now, err)
	}
	if _, err := second.Write(st); err != nil { // its own writes overtake nobody
		t.Errorf("the other cannot write: %v", err)
	}
}
