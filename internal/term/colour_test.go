package term

import (
	"bytes"
	"os"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

func TestColourIsForTerminals(t *testing.T) {
	tty, _ := real.Terminal(t, 80, 24)
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, and no terminal
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	xterm := "TERM=xterm"
	for _, c := range []struct {
		name string
		on   bool
		got  Painter
	}{
		{"a terminal", true, NewPainter(tty, []string{xterm})},
		{"NO_COLOR", false, NewPainter(tty, []string{xterm, "NO_COLOR=1"})},
		{"NO_COLOR, any text", false, NewPainter(tty, []string{xterm, "NO_COLOR=0"})},
		{"NO_COLOR, but empty", true, NewPainter(tty, []string{xterm, "NO_COLOR="})},
		{"a terminal that knows none", false, NewPainter(tty, []string{"TERM=dumb"})},
		{"a terminal without a name", false, NewPainter(tty, nil)},
		{"a file", false, NewPainter(file, []string{xterm})},
		{"/dev/null", false, NewPainter(null, []string{xterm})},
		{"a pipe's buffer", false, NewPainter(&bytes.Buffer{}, []string{xterm})},
		{"the zero value", false, Painter{}},
	} {
		if c.got.On() != c.on {
			t.Errorf("%s: colours %v", c.name, c.got.On())
		}
	}
}

func TestPaint(t *testing.T) {
	on := Painter{on: true}
	for _, c := range []struct{ got, want string }{
		{on.Paint(Bad, "no"), "\x1b[31mno\x1b[0m"}, {on.Paint(Good, "yes"), "\x1b[32myes\x1b[0m"}, {on.Paint(Plain, "x"), "x"}, {on.Paint(Bad, ""), ""},
		{on.Paint(Strong, "x"), "\x1b[1mx\x1b[0m"}, {Painter{}.Paint(Bad, "no"), "no"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
