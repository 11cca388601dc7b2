package ocf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminals opens a terminal: what is written into tty is read from the other end.
func openTerminal(t *testing.T) (tty, other *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("skipped: no terminal can be made here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	n := 0
	if err := unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		n, err = unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
		if err != nil {
			t.Fatal(err)
		}
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skipf("skipped: no terminal can be made here: %v", err)
	}
	return tty, other
}

// seen is what a human sees who calls the kit with stdout and stderr on a terminal, where so said.
func seen(t *testing.T, n node, stdout, stderr bool, args ...string) string {
	t.Helper()
	tty, other := openTerminal(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	files := [3]*os.File{null, null, null}
	if stdout {
		files[1] = tty
	}
	if stderr {
		files[2] = tty
	}
	code := open(t, append([]string{agentProgram(t, "kit.sh")}, args...), n.env(), files)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(other)
	if err != nil && !errors.Is(err, syscall.EIO) { // the last writer is gone
		t.Fatal(err)
	}
	return fmt.Sprintf("%d: %s", code, strings.ReplaceAll(string(text), "\r\n", "\n"))
}

func TestHumanAtATerminal(t *testing.T) {
	n := newNode(t, `[ "$1" = status ] && exit 0; echo "no such thing" >&2; exit 3`)
	tool := n.root + "/usr/sbin/tool"
	failed := "error: stop of kit:k1 failed: " + tool + " stop k1: exit code 3: no such thing (exit 1)\n"
	for _, tt := range []struct {
		args           string
		stdout, stderr bool
		want           string
	}{
		{"status", true, true, "0: debug: status of kit:k1: ok\nstatus of kit:k1: runs here (exit 0)\n"},
		{"status", true, false, "0: status of kit:k1: runs here (exit 0)\n"},
		{"status", false, false, "0: "}, // the manager
		{"stop", true, true, "1: " + failed + "stop of kit:k1: generic error (exit 1)\n"},
		{"stop", false, true, "1: " + failed},
		{"stop", false, false, "1: "},
		{"--dialect=pacemaker monitor", true, false, "1: monitor of kit:k1: generic error (exit 1)\n"},
		{"--dialect=heartbeat k1 status", true, false, "0: running\n"},
		{"promote", true, true, "3: error: this agent has no action \"promote\"\n"},
	} {
		if got := seen(t, n, tt.stdout, tt.stderr, strings.Fields(tt.args)...); got != tt.want {
			t.Errorf("%s: a human saw\n%s\nwant\n%s", tt.args, got, tt.want)
		}
	}
	if got := seen(t, n, true, true, "meta-data"); got != "0: "+kitXML {
		t.Errorf("meta-data: %s", got)
	}
	if got := seen(t, n, true, true); !strings.HasPrefix(got, "2: kit.sh is a resource agent") {
		t.Errorf("bare: %s", got)
	}
	if got := seen(t, n, true, false); got != "2: " { // it goes to stderr
		t.Errorf("bare, stderr away: %s", got)
	}
	if got := seen(t, n, true, false, "--help"); !strings.HasPrefix(got, "0: kit.sh is a resource agent") {
		t.Errorf("--help: %s", got)
	}
}
