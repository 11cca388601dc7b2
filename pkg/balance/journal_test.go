package balance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	j := OpenJournal(path)
	if got, err := j.Since(testNow); err != nil || len(got) > 0 {
		t.Fatalf("a journal that is not there: %v %v", got, err)
	}
	old := Move{Txn: "t0", VM: "xen:web", From: "n1", To: "n2", Kind: "live", By: "lbm", Why: "asked", Begin: testNow.Add(-30 * time.Hour)}
	a := Move{Txn: "t1", VM: "openvz:101", From: "n1", To: "n2", Kind: "image", By: "lbmonitor", Why: `lbvm.conf:12 said "go"` + "\nnow", Begin: testNow.Add(-time.Hour)}
	b := Move{Txn: "t2", VM: "xen:web", From: "n2", To: "n3", Kind: "cold", By: "lbm", Begin: testNow.Add(-time.Minute)}
	aEnd := a
	aEnd.End, aEnd.Outcome, aEnd.Owner, aEnd.Memory = a.Begin.Add(90*time.Second), OutcomeMoved, "n2", MemoryKept
	for _, m := range []Move{old, a, b, aEnd} {
		if err := j.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.Since(testNow.Add(-24 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Move{aEnd, b}, got); d != "" {
		t.Error(d)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if want := `2008-01-15T13:30:00Z event=begin txn=t1 vm=openvz:101 from=n1 to=n2 kind=image by=lbmonitor why="lbvm.conf:12 said \"go\"\nnow"`; lines[1] != want {
		t.Errorf("got  %s\nwant %s", lines[1], want)
	}
	if want := `2008-01-15T13:31:30Z event=end txn=t1 vm=openvz:101 from=n1 to=n2 outcome=moved owner=n2 memory=kept seconds=90.0 why=`; !strings.HasPrefix(lines[3], want) {
		t.Errorf("got  %s\nwant %s", lines[3], want)
	}
	if err := j.Append(Move{VM: "x"}); err == nil {
		t.Error("a move without a time was recorded")
	}
}

// A torn last line costs itself and nothing else, also when others write behind it.
func TestJournalTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	j := OpenJournal(path)
	a := Move{Txn: "t1", VM: "openvz:101", From: "n1", To: "n2", Begin: testNow}
	if err := j.Append(a); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(whole); n++ {
		torn := string(whole) + strings.ReplaceAll(string(whole[:n]), "t1", "t9")
		if err := os.WriteFile(path, []byte(torn), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := j.Since(testNow.Add(-time.Hour)); err != nil || len(got) != 1 || got[0].Txn != "t1" {
			t.Fatalf("torn at %d: %+v %v", n, got, err)
		}
		if err := j.Append(Move{Txn: "t2", VM: "xen:b", From: "n1", To: "n2", Begin: testNow.Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		got, err := j.Since(testNow.Add(-time.Hour))
		if err != nil || len(got) < 2 || got[0].Txn != "t1" || got[len(got)-1].Txn != "t2" {
			t.Fatalf("written behind a line torn at %d: %+v %v", n, got, err)
		}
	}
}

func TestJournalReadsItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	var b strings.Builder
	b.WriteString(strings.Repeat("not a record\n", 50_000))
	at := testNow.Add(-100 * 24 * time.Hour)
	for i := 0; at.Before(testNow); i++ {
		m := Move{Txn: fmt.Sprint(i), VM: "openvz:101", From: "n1", To: "n2", Begin: at}
		fmt.Fprintf(&b, "%s event=begin txn=%s vm=%s from=n1 to=n2 kind=image by=lbm why=x\n", at.Format(time.RFC3339), m.Txn, m.VM)
		fmt.Fprintf(&b, "%s event=end txn=%s vm=%s from=n1 to=n2 outcome=moved owner=n2 memory=kept seconds=30 why=x\n", at.Add(30*time.Second).Format(time.RFC3339), m.Txn, m.VM)
		at = at.Add(30 * time.Minute)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	got, skipped, err := OpenJournal(path).Read(testNow.Add(-24 * time.Hour))
	if err != nil || len(got) != 48 || skipped != 0 {
		t.Errorf("%d moves, %d skipped, %v", len(got), skipped, err)
	}
}

// A rotation may not make the rails forget: neither the moves before it, nor the begin whose end stands behind it.
func TestJournalRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	j := OpenJournal(path)
	at := testNow.Add(-time.Hour)
	first := Move{Txn: "a", VM: "openvz:101", From: "n1", To: "n2", By: "lbm", Begin: at}
	second := Move{Txn: "b", VM: "openvz:102", From: "n1", To: "n2", By: "lbm", Begin: at.Add(2 * time.Minute)}
	ended := func(m Move) Move {
		m.End, m.Outcome, m.Owner = m.Begin.Add(time.Minute), OutcomeMoved, m.To
		return m
	}
	for _, m := range []Move{first, ended(first), second} {
		if err := j.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 1} { // before and behind the first line of the new file
		got, skipped, err := j.Read(testNow.Add(-24 * time.Hour))
		if err != nil || skipped != 0 || len(got) != 2 || got[0].Outcome != OutcomeMoved || got[1].By != "lbm" || got[1].End.IsZero() != (want == 0) {
			t.Errorf("%+v, %d, %v", got, skipped, err)
		}
		if err := j.Append(ended(second)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseMoves(t *testing.T) {
	text := `2008-01-15T14:00:00Z event=end txn=t0 vm=xen:a from=n1 to=n2 outcome=moved owner=n2 memory=kept seconds=60 why=x
2008-01-15T14:10:00+01:00 event=begin txn=t1 vm=xen:b from=n1 to=n2 kind=live by=lbm why=x
garbage
2008-01-15T14:20:00Z event=end txn=t1 vm=xen:b from=n1 to=n2 outcome=unknown owner= memory=unknown seconds= why=
2008-01-15T14:21:00Z event=end txn=t1 vm=xen:b from=n1 to=n2 outcome=moved owner=n2 memory=kept seconds=9 why=late
2008-01-15T14:22:00Z event=begin vm=xen:c
2008-01-15T14:23:00Z event=agent vm=xen:c node=n1 action=stop outcome=cold why=x
`
	rec := parseRecords([]byte(text))
	got, skipped := rec.Moves, rec.Skipped
	if skipped != 2 || len(got) != 2 {
		t.Fatalf("%d skipped, %+v", skipped, got)
	}
	// in the order of their begin, which has an offset
	if b := got[0]; b.Txn != "t1" || b.Outcome != OutcomeMoved || b.Why != "late" || b.Kind != "live" {
		t.Errorf("%+v", b)
	}
	if a := got[1]; a.Txn != "t0" || !a.Begin.Equal(time.Date(2008, 1, 15, 13, 59, 0, 0, time.UTC)) {
		t.Errorf("an end without its begin: %+v", a)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("2008-01-15T14:00:00Z event=begin txn=t vm=xen:a\n2008-01-15T14:00:01Z event=end txn=t vm=xen:a seconds=1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range parseRecords(text).Moves {
			if m.Txn == "" || m.VM == "" || m.Begin.IsZero() && !m.End.IsZero() && m.End.Year() > 1 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

func TestAppendReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), ReportName)
	if err := AppendReport(path, Report{At: testNow, VM: "openvz:101", From: "n1", To: "n2", Why: "it is hot"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if want := "2008-01-15T14:30:00Z event=report vm=openvz:101 from=n1 to=n2 why=\"it is hot\"\n"; err != nil || string(text) != want {
		t.Errorf("%q %v", text, err)
	}
}

// What a version wrote that knew less, or more, is read; each end tells what was asked for, too.
func TestRecordsOfOtherVersions(t *testing.T) {
	const rails = "pass stale-data; off cycle-guard"
	text := `2008-01-15T14:00:00Z event=begin txn=t1 vm=xen:b from=n1 to=n2 kind=live by=lbmonitor why=hot rails="pass stale-data; off cycle-guard" next=x
2008-01-15T14:01:00Z event=end txn=t1 vm=xen:b from=n1 to=n2 outcome=failed owner=n1 memory=kept seconds=60.0 why="it broke"
2008-01-15T14:02:00Z event=end txn=t2 vm=xen:c from=n1 to=n2 outcome=failed owner=n1 memory=kept seconds=60.0 why="it broke" asked=hot kind=live by=lbmonitor rails="pass stale-data; off cycle-guard"
2008-01-15T14:03:00Z event=report vm=xen:d from=n1 to=n2 why=warm
2008-01-15T14:04:00Z event=agent vm=xen:d node=n1 action=stop outcome=cold why=x
`
	rec := parseRecords([]byte(text))
	if len(rec.Moves) != 2 || len(rec.Reports) != 1 || len(rec.Notes) != 1 || rec.Skipped != 0 {
		t.Fatalf("%+v", rec)
	}
	for _, m := range rec.Moves {
		if m.Why != "it broke" || m.Asked != "hot" || m.Rails != rails || m.Kind != "live" || m.By != "lbmonitor" {
			t.Errorf("%+v", m)
		}
	}
	if r, n := rec.Reports[0], rec.Notes[0]; r.Rails != "" || r.Why != "warm" || n.Node != "n1" || n.Outcome != "cold" {
		t.Errorf("%+v %+v", r, n)
	}
	path := filepath.Join(t.TempDir(), JournalName)
	j := OpenJournal(path)
	if err := j.Append(rec.Moves[0]); err != nil {
		t.Fatal(err)
	}
	got, err := j.Since(testNow.Add(-time.Hour))
	if d := cmp.Diff(rec.Moves[:1], got); d != "" || err != nil {
		t.Errorf("an end alone does not tell all: %v\n%s", err, d)
	}
}

// However often a journal was rotated since, a rail knows of the moves of its time.
func TestJournalRotatedOften(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	for i := range 4 {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		m := Move{Txn: fmt.Sprint(i), VM: "openvz:101", From: "n1", To: "n2", By: "lbm", Begin: testNow.Add(-time.Duration(i) * 10 * time.Hour)}
		if err := OpenJournal(name).Append(m); err != nil {
			t.Fatal(err)
		}
	}
	for back, want := range map[time.Duration]int{time.Hour: 1, 11 * time.Hour: 2, 25 * time.Hour: 3, 40 * time.Hour: 4} {
		if got, _, err := OpenJournal(path).Read(testNow.Add(-back)); err != nil || len(got) != want {
			t.Errorf("%s: %d moves, %v", back, len(got), err)
		}
	}
	if rec, err := ReadRecords(filepath.Dir(path), time.Time{}); err != nil || len(rec.Moves) != 4 {
		t.Errorf("%d moves, %v", len(rec.Moves), err)
	}
}
