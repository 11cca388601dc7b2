package balance

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// A recorded pass is decided again as it was, though samples, moves and ends of moves were written since.
func TestAgain(t *testing.T) {
	in := reliefWorld(0.85, 0.3, 0.1)
	in.Recent = []Move{{Txn: "a", VM: "xen:web", From: "n1", To: "n2", Begin: in.At.Add(-2 * time.Minute)}}
	first := mustDecide(t, in)
	line, err := EncodePass(first)
	if err != nil {
		t.Fatal(err)
	}
	old, err := DecodePass(line)
	if err != nil {
		t.Fatal(err)
	}
	s := in.Samples.(*MemorySamples)
	for _, node := range []string{"n1", "n2", "n3"} { // stamped before the pass and written behind it
		s.Add(node, "cpu", Sample{testNow.Add(-2 * time.Second), 0}, Sample{testNow.Add(-time.Second), 0})
	}
	moves := []Move{in.Recent[0], {Txn: "b", VM: "openvz:101", From: "n1", To: "n3", Begin: in.At.Add(time.Second)}}
	moves[0].End, moves[0].Outcome = in.At.Add(time.Second), OutcomeFailed
	again, err := Again(context.Background(), old, in.Config, s, moves, in.At.Location(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := EncodePass(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, line) {
		t.Errorf("decided again:\n%s\nnot:\n%s", got, line)
	}
	in.Recent = moves
	if other, err := EncodePass(mustDecide(t, in)); err != nil || bytes.Equal(other, line) {
		t.Errorf("what was written since would have changed nothing: %v", err)
	}
}

// Where all was too old, it is so again, by the same sentence.
func TestAgainWhereAllWasStale(t *testing.T) {
	in := reliefWorld(0.85, 0.3, 0.1)
	old := NewMemorySamples(3 * time.Minute)
	for _, node := range []string{"n1", "n2", "n3"} {
		old.Add(node, "cpu", Sample{testNow.Add(-7 * time.Minute), 0.9})
	}
	later := in.Samples
	in.Samples = old
	first := mustDecide(t, in)
	again, err := Again(context.Background(), first, in.Config, later, nil, in.At.Location(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range again.Decisions {
		if was := first.Decisions[i]; d.Verdict != Stay || d.Why != was.Why || !strings.Contains(d.Why, "7m0s old") {
			t.Errorf("%s: %q, and was %q", d.VM, d.Why, was.Why)
		}
	}
}

// Where a pass found nothing to read, what came later is not read either.
func TestAgainWithoutSamples(t *testing.T) {
	in := reliefWorld(0.85, 0.3, 0.1)
	in.Samples = NewMemorySamples(3 * time.Minute)
	first := mustDecide(t, in)
	again, err := Again(context.Background(), first, in.Config, reliefWorld(0.85, 0.3, 0.1).Samples, nil, in.At.Location(), nil)
	if err != nil || len(again.Moves()) != 0 || len(first.Moves()) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
}
