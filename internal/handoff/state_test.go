package handoff

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lockfile"
)

const txnA, txnB = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

// share is a mounted shared storage.
func share(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lbvm"), 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, shared string) *Dir {
	t.Helper()
	d, err := Open(shared, "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func lock(t *testing.T, d *Dir) *Locked {
	t.Helper()
	l, err := d.Lock(context.Background(), clock.System(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Unlock() })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sample is a valid record of each phase.
func sample(p Phase) State {
	s := State{VM: "101", Type: "openvz", Seq: 7, Phase: p, Why: "a = b, and so on", Agent: "stop on node1"}
	switch p {
	case Starting, Running:
		s.Node, s.Boot = "node1", "boot1"
	case Suspending, Held, Resuming:
		s.Node, s.Boot, s.Image, s.Txn = "node1", "boot1", txnA, txnA
	case Suspended:
		s.Image, s.Txn = txnA, txnA
	case Sending:
		s.Node, s.Boot, s.To, s.Txn = "node1", "boot1", "node2", txnA
	case Sent:
		s.To, s.Txn = "node2", txnA
	}
	return s
}

func TestStateRoundTrip(t *testing.T) {
	for p := Down; p < phases; p++ {
		want := sample(p)
		want.Left = p == Running
		got, err := parseState(want.format(), "openvz", "101")
		if err != nil || got != want {
			t.Errorf("%s came back as %+v, %v", p, got, err)
		}
	}
}

// No damaged record is believed: every byte changed, every length cut.
func TestDamagedStateIsUnknown(t *testing.T) {
	whole := sample(Held).format()
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		if s, err := parseState(bad, "openvz", "101"); !errors.Is(err, ErrState) || s.Phase != PhaseUnknown {
			t.Fatalf("byte %d changed: %+v, %v", i, s, err)
		}
		if s, err := parseState(whole[:i], "openvz", "101"); !errors.Is(err, ErrState) || s.Phase != PhaseUnknown {
			t.Fatalf("cut at %d: %+v, %v", i, s, err)
		}
	}
}

// A record whose sum is right and whose content is not is unknown too.
func TestSenselessStateIsUnknown(t *testing.T) {
	good := string(sample(Running).format())
	body := good[:strings.LastIndex(good, "sum=")]
	for name, text := range map[string]string{
		"other format":  strings.Replace(body, "format=1", "format=2", 1),
		"other vm":      strings.Replace(body, "vm=101", "vm=102", 1),
		"other type":    strings.Replace(body, "type=openvz", "type=xen", 1),
		"unknown phase": strings.Replace(body, "phase=running", "phase=jumping", 1),
		"phase none":    strings.Replace(body, "phase=running", "phase=none", 1),
		"no node":       strings.Replace(body, "node=node1\n", "", 1),
		"no boot":       strings.Replace(body, "boot=boot1\n", "", 1),
		"no seq":        strings.Replace(body, "seq=7\n", "", 1),
		"bad seq":       strings.Replace(body, "seq=7", "seq=x", 1),
		"bad node":      strings.Replace(body, "node=node1", "node=../x", 1),
		"key twice":     body + "node=node1\n",
		"unknown key":   body + "colour=red\n",
		"down with to":  strings.Replace(string(sample(Down).format()), "why=", "to=node2\nwhy=", 1),
		"no sum":        body,
	} {
		sealed := []byte(text)
		if name != "no sum" {
			if i := strings.LastIndex(text, "sum="); i >= 0 {
				text = text[:i]
			}
			sealed = seal([]byte(text))
		}
		if s, err := parseState(sealed, "openvz", "101"); !errors.Is(err, ErrState) || s.Phase != PhaseUnknown {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func FuzzState(f *testing.F) {
	for p := Down; p < phases; p++ {
		f.Add(sample(p).format())
	}
	f.Add([]byte("format=1\nsum=00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseState(text, "openvz", "101")
		if err != nil {
			if s.Phase != PhaseUnknown {
				t.Fatalf("an error with phase %s", s.Phase)
			}
			return
		}
		again, err := parseState(s.format(), "openvz", "101")
		if err != nil || !bytes.Equal(again.format(), s.format()) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
	})
}

func TestReadTouchesNothing(t *testing.T) {
	shared := share(t)
	s, err := ReadState(shared, "openvz", "101")
	if err != nil || s.Phase != NoRecord {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := os.Stat(filepath.Join(shared, Folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("reading made a folder: %v", err)
	}
	if _, err := ReadState(shared, "openvz", "../1"); err == nil {
		t.Fatal("a name that leaves the folder was taken")
	}
}

func TestUnmountedShareIsNotMade(t *testing.T) {
	d, err := Open(t.TempDir(), "openvz", "101")
	must(t, err)
	if _, err := d.TryLock(""); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a lock on an unmounted share: %v", err)
	}
}

func TestWriteCounts(t *testing.T) {
	l := lock(t, open(t, share(t)))
	for i, p := range []Phase{Starting, Running, Suspending, Held, Suspended, Resuming, Running, Sending, Sent, Running, Down} {
		s := sample(p)
		s.Seq = 99 // not believed
		got, err := l.Write(s)
		must(t, err)
		read, err := l.Read()
		must(t, err)
		if got != read || read.Seq != uint64(i+1) || read.Phase != p {
			t.Fatalf("write %d: %+v, read %+v", i, got, read)
		}
	}
}

// Every pair of phases: Write takes what the table knows and refuses the rest without a change.
func TestTransitions(t *testing.T) {
	known := map[[2]Phase]bool{}
	for _, x := range Transitions() {
		if known[[2]Phase{x.From, x.To}] {
			t.Errorf("%s to %s stands twice", x.From, x.To)
		}
		known[[2]Phase{x.From, x.To}] = true
	}
	for from := NoRecord; from < phases; from++ {
		for to := PhaseUnknown; to < phases; to++ {
			l := lock(t, open(t, share(t)))
			if from != NoRecord {
				must(t, os.WriteFile(l.file("state"), sample(from).format(), 0o600))
			}
			before, err := l.Read()
			must(t, err)
			_, err = l.Write(sample(to))
			after, rerr := l.Read()
			must(t, rerr)
			if known[[2]Phase{from, to}] {
				if err != nil || after.Phase != to {
					t.Errorf("%s to %s: %v", from, to, err)
				}
			} else if err == nil || after != before {
				t.Errorf("%s to %s was not refused: %v", from, to, err)
			}
		}
	}
}

// What cannot be read is never written over.
func TestWriteKeepsWhatItCannotRead(t *testing.T) {
	l := lock(t, open(t, share(t)))
	must(t, os.WriteFile(l.file("state"), []byte("garbage\n"), 0o600))
	if _, err := l.Write(sample(Down)); !errors.Is(err, ErrState) {
		t.Fatalf("written over: %v", err)
	}
}

func TestWriteSaysNoSpace(t *testing.T) {
	l := lock(t, open(t, share(t)))
	l.At = func(p string) error {
		if p == "state:down" {
			return syscall.ENOSPC
		}
		return nil
	}
	if _, err := l.Write(sample(Down)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v", err)
	}
}

func TestLockExcludes(t *testing.T) {
	shared := share(t)
	l := lock(t, open(t, shared))
	other := open(t, shared)
	if _, err := other.TryLock("other"); !errors.Is(err, lockfile.ErrHeld) {
		t.Fatalf("two locks: %v", err)
	}
	c := clock.NewFake(clock.System().Now())
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := other.Lock(ctx, c, "other")
		got <- err
	}()
	must(t, c.AwaitSleeper(context.Background()))
	cancel()
	if err := <-got; !errors.Is(err, lockfile.ErrHeld) {
		t.Fatalf("a bounded wait ended with %v", err)
	}
	must(t, l.Unlock())
	o, err := other.TryLock("other")
	must(t, err)
	must(t, o.Unlock())
}

func TestNames(t *testing.T) {
	for p := NoRecord; p < phases; p++ {
		s := sample(p)
		n1, n2 := s.Names("node1"), s.Names("node2")
		want1 := s.Node == "node1"
		if n1 != want1 || n2 != (p == Sent) {
			t.Errorf("%s names node1 %v, node2 %v", p, n1, n2)
		}
	}
	if (State{}).Names("") {
		t.Error("the zero state names somebody")
	}
}
