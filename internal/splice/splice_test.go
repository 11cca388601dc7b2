package splice

import (
	"bytes"
	"errors"
	"math/rand"
	"testing"
)

func TestApply(t *testing.T) {
	src := []byte("one two three")
	for _, c := range []struct {
		name  string
		edits []Edit
		want  string
	}{
		{"nothing", nil, "one two three"},
		{"replace", []Edit{{4, 7, []byte("2")}}, "one 2 three"},
		{"insert at both ends", []Edit{{13, 13, []byte("!")}, {0, 0, []byte(">")}}, ">one two three!"},
		{"delete", []Edit{{3, 7, nil}}, "one three"},
		{"two inserts keep their order", []Edit{{4, 4, []byte("a")}, {4, 4, []byte("b")}}, "one abtwo three"},
		{"insert before a replacement", []Edit{{4, 7, []byte("2")}, {4, 4, []byte("x")}}, "one x2 three"},
		{"neighbours", []Edit{{0, 3, []byte("1")}, {3, 4, []byte("-")}}, "1-two three"},
	} {
		got, err := Apply(src, c.edits)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	src := []byte("0123456789")
	for _, c := range []struct {
		name  string
		edits []Edit
		want  error
	}{
		{"overlap", []Edit{{1, 5, nil}, {4, 6, nil}}, ErrOverlap},
		{"insert within", []Edit{{1, 5, nil}, {2, 2, []byte("x")}}, ErrOverlap},
		{"behind the end", []Edit{{9, 11, nil}}, ErrRange},
		{"before the start", []Edit{{-1, 0, nil}}, ErrRange},
		{"backwards", []Edit{{5, 4, nil}}, ErrRange},
	} {
		if _, err := Apply(src, c.edits); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if _, err := Invert(src, c.edits); !errors.Is(err, c.want) {
			t.Errorf("invert %s: %v, want %v", c.name, err, c.want)
		}
	}
}

// Random edits: what lies outside the spans stays, and Invert takes all of it back.
func TestInvertTakesBack(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 2000; i++ {
		src := make([]byte, r.Intn(60))
		for j := range src {
			src[j] = byte('a' + r.Intn(26))
		}
		var edits []Edit
		for at := 0; at < len(src) && len(edits) < 5; {
			start := at + r.Intn(len(src)-at+1)
			end := start + r.Intn(len(src)-start+1)
			edits = append(edits, Edit{start, end, bytes.Repeat([]byte("#"), r.Intn(4))})
			at = end + 1
		}
		r.Shuffle(len(edits), func(a, b int) { edits[a], edits[b] = edits[b], edits[a] })
		out, err := Apply(src, edits)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		back, err := Invert(src, edits)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		got, err := Apply(out, back)
		if err != nil || !bytes.Equal(got, src) {
			t.Fatalf("case %d: %q through %q came back as %q, %v", i, src, out, got, err)
		}
	}
}
