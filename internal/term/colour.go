package term

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Style is what a piece of text means; a Painter knows how that looks.
type Style int

// The styles. Plain is the zero value.
const (
	Plain Style = iota
	Strong
	Dim
	Good
	Warn
	Bad
)

// Painter colours text for a terminal. The zero value leaves it as it is.
type Painter struct{ on bool }

// NewPainter colours what goes to out if that is a terminal that knows colours, and if NO_COLOR is not set
// (https://no-color.org: any text but the empty one).
func NewPainter(out io.Writer, environ []string) Painter {
	value := func(name string) string {
		for i := len(environ) - 1; i >= 0; i-- { // the last one counts
			if v, ok := strings.CutPrefix(environ[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
	f, ok := out.(*os.File)
	name := value("TERM")
	return Painter{ok && IsTerminal(f) && value("NO_COLOR") == "" && name != "" && name != "dumb"}
}

// On tells whether it colours.
func (p Painter) On() bool { return p.on }

// Paint gives text in that style. Text of several lines is coloured as a whole.
func (p Painter) Paint(s Style, text string) string {
	code := ""
	switch s {
	case Strong:
		code = "1"
	case Dim:
		code = "2"
	case Good:
		code = "32"
	case Warn:
		code = "33"
	case Bad:
		code = "31"
	}
	if !p.on || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// IsTerminal tells whether a person may sit there.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
