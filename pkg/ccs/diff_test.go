package ccs

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

func TestUnified(t *testing.T) {
	for _, c := range []struct{ name, a, b, want string }{
		{"the same", "a\n", "a\n", ""},
		{"one line", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
		{"two hunks", "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n", "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
		{"one hunk where contexts touch", "a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n", "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
		{"to nothing", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		{"from nothing", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"the end of the last line", "a\nb", "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
		{"no end of the last line", "a\nb\nc", "A\nb\nc", "@@ -1,3 +1,3 @@\n-a\n+A\n b\n c\n\\ No newline at end of file\n"},
		{"line ends", "a\r\nb\r\n", "a\r\nb\n", "@@ -1,2 +1,2 @@\n a\r\n-b\r\n+b\n"},
	} {
		want := c.want
		if want != "" {
			want = "--- f\n+++ f (new)\n" + want
		}
		if got := unified("f", []byte(c.a), []byte(c.b)); got != want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, want)
		}
	}
}

// Two files that have nothing in common are shown in bounded time, as one change.
func TestUnifiedOfStrangers(t *testing.T) {
	a, b := []byte(strings.Repeat("a\n", 100000)), []byte(strings.Repeat("b\n", 100000))
	if got := strings.Count(unified("f", a, b), "\n"); got != 200003 {
		t.Errorf("%d lines", got)
	}
}

// Whatever unified writes the real patch makes the new text of.
func TestUnifiedWithPatch(t *testing.T) {
	patch := real.Need(t, "patch")
	r := rand.New(rand.NewSource(1))
	dir := t.TempDir()
	text := func(n int) []byte {
		var b bytes.Buffer
		for range r.Intn(n) {
			fmt.Fprintf(&b, "%d%s\n", r.Intn(8), []string{"", "\r"}[r.Intn(5)/4])
		}
		if r.Intn(4) == 0 {
			b.WriteString("end")
		}
		return b.Bytes()
	}
	for i := range 150 {
		a := text(40)
		b := text(40)
		if i%2 == 0 { // most lines the same
			b = bytes.Replace(bytes.Replace(a, []byte("3"), []byte("new\nlines"), 2), []byte("5"), nil, 1)
		}
		d := unified("f", a, b)
		if d == "" {
			continue
		}
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, a, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(patch, "--binary", "-s", "-F0", "-N", path)
		cmd.Stdin = strings.NewReader(d)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q -> %q: %v %s\n%s", a, b, err, out, d)
		}
		got, err := os.ReadFile(path)
		if os.IsNotExist(err) && len(b) == 0 { // patch removes what becomes empty
			continue
		}
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%q -> %q: patch made %q, %v\n%s", a, b, got, err, d)
		}
	}
}
