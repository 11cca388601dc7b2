package real

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal opens a terminal of that many columns and lines: what is written into tty is read from the other end, and what
// is written there was typed.
func Terminal(t testing.TB, columns, lines int) (tty, other *os.File) {
	t.Helper()
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			lack(t, "a terminal", err)
		}
		t.Cleanup(func() { f.Close() }) // a test may have closed it
		return f
	}
	other = open("/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty = open(fmt.Sprintf("/dev/pts/%d", n))
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(lines)}); err != nil {
		t.Fatal(err)
	}
	return tty, other
}
