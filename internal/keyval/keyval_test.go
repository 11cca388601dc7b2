package keyval

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	p, err := Parse([]byte("# head\nformat=1\n\nwhy=a = b\nguest=x\nguest=y\nempty=\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Get("why") != "a = b" || p.Get("nothing") != "" || !reflect.DeepEqual(p.All("guest"), []string{"x", "y"}) {
		t.Errorf("read as %v", p)
	}
	if _, ok := p.Lookup("empty"); !ok {
		t.Error("an empty value is not a missing key")
	}
	if _, err := Parse([]byte("format=1\nph")); !errors.Is(err, ErrTorn) {
		t.Errorf("cut off text: %v", err)
	}
	if _, err := Parse([]byte("no pair\n")); err == nil {
		t.Error("a line without = was taken")
	}
}

func TestRecord(t *testing.T) {
	at := time.Date(2026, 11, 21, 4, 5, 6, 789e6, time.FixedZone("", 3600))
	want := Pairs{{"vm", "101"}, {"why", `cpu "hot" = 0.9`}, {"to", ""}, {"name", "Größe"}, {"nl", "a\nb"}}
	line := Record(at, want)
	gotAt, got, err := ParseRecord(string(line))
	if err != nil || !gotAt.Equal(at) || !reflect.DeepEqual(got, want) {
		t.Errorf("%q came back as %v %v, %v", line, gotAt, got, err)
	}
	for _, bad := range []string{"", "yesterday vm=1", `2026-11-21T04:05:06Z vm="1`, `2026-11-21T04:05:06Z vm="1"x`, "2026-11-21T04:05:06Z torn"} {
		if _, _, err := ParseRecord(bad); err == nil {
			t.Errorf("%q was taken for a record", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("format=1\nvm=101\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(p.Format()); err != nil || len(again) != len(p) {
			t.Fatalf("%q -> %v -> %v, %v", b, p, again, err)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add(`2026-11-21T04:05:06Z vm=101 why="a b"`)
	f.Fuzz(func(t *testing.T, s string) {
		at, p, err := ParseRecord(s)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			return
		}
		if _, again, err := ParseRecord(string(Record(at, p))); err != nil || len(again) != len(p) {
			t.Fatalf("%q -> %v -> %v, %v", s, p, again, err)
		}
	})
}
