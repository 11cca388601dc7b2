package balance

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestPassAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), PassesName)
	if _, err := PassAt(path, testNow, time.Hour); !errors.Is(err, ErrNoPass) {
		t.Fatalf("no file: %v", err)
	}
	p := goldenPass(t)
	write := func(name string, from, to int) {
		for i := from; i < to; i++ {
			q := *p
			q.At = testNow.Add(time.Duration(i) * time.Minute)
			if i%7 == 0 {
				q.Decisions = nil // lines are of different lengths
			}
			if err := AppendPass(name, &q); err != nil {
				t.Fatal(err)
			}
			if i%50 == 3 {
				if err := appendLine(name, []byte("garbage\n")); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	write(path+".1", 0, 40)
	write(path, 40, 160)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2008-01-15T18:00:00Z","conf`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 160 {
		for _, later := range []time.Duration{0, 59 * time.Second} {
			want := testNow.Add(time.Duration(i) * time.Minute)
			got, err := PassAt(path, want.Add(later), time.Hour)
			if err != nil || !got.At.Equal(want) {
				t.Fatalf("minute %d and %s: %v %v", i, later, got, err)
			}
		}
	}
	for at, ok := range map[time.Duration]bool{-time.Second: false, 159*time.Minute + time.Hour: true, 159*time.Minute + time.Hour + time.Second: false} {
		if _, err := PassAt(path, testNow.Add(at), time.Hour); (err == nil) != ok {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// Who asks for some decisions gets these, and all else.
func TestPassOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), PassesName)
	want := goldenPass(t)
	want.Decisions[0].Why = `a rule that says {"vm":"openvz:102","service":null,"owner":null}`
	if err := AppendPass(path, want); err != nil {
		t.Fatal(err)
	}
	whole, err := PassAt(path, want.At, 0)
	if err != nil || len(whole.Decisions) < 3 {
		t.Fatalf("%+v %v", whole, err)
	}
	for _, x := range append(whole.Decisions, Decision{VM: "none of them"}) {
		got, err := PassOf(path, want.At, 0, func(vm, service string) bool { return vm == x.VM && service == x.Service })
		if err != nil {
			t.Fatal(err)
		}
		expected := *whole
		expected.Decisions = nil
		if x.VM != "none of them" {
			expected.Decisions = []Decision{x}
		}
		if !reflect.DeepEqual(got, &expected) {
			t.Errorf("%s: %+v", x.VM, got)
		}
	}
}

func TestThen(t *testing.T) {
	m := []Move{{Txn: "done", Begin: testNow.Add(-3 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeMoved},
		{Txn: "in flight then", Begin: testNow.Add(-time.Minute), End: testNow.Add(time.Minute), Outcome: OutcomeFailed, Owner: "n1", Memory: MemoryKept},
		{Txn: "to come", Begin: testNow.Add(time.Second)}}
	got := Then(m, testNow)
	if len(got) != 2 || got[0] != m[0] || !got[1].End.IsZero() || got[1].Outcome != "" || got[1].Owner != "" || m[1].Outcome != OutcomeFailed {
		t.Errorf("%+v", got)
	}
}
