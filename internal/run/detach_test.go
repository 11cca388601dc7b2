package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDetach(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// A descriptor as a manager would leave it: inherited by whatever is started.
	leak, err := unix.FcntlInt(0, unix.F_DUPFD, 77)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	script := filepath.Join(dir, "script")
	text := `#!/bin/sh
out=$(
	for fd in 0 1 2; do echo "$fd $(readlink /proc/$$/fd/$fd)"; done
	test -e /proc/$$/fd/` + strconv.Itoa(leak) + ` && echo leaked
	echo "dir $(readlink /proc/$$/cwd)"
	echo "env $A $B"
	echo "session $(cut -d' ' -f6 /proc/$$/stat)"
	echo "args $*"
)
echo "$out" > ` + fifo + `
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pid, err := Detach(Command{Argv: []string{"/bin/sh", script, "x y", "$(z)"}, Env: []string{"A=a b", "PATH=/bin:/usr/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("0 /dev/null\n1 /dev/null\n2 /dev/null\ndir /\nenv a b \nsession %d\nargs x y $(z)\n", pid)
	if string(got) != want {
		t.Errorf("the command saw\n%s\nwant\n%s", got, want)
	}
}

func TestDetachRefuses(t *testing.T) {
	if _, err := Detach(Command{Argv: []string{"sh"}}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := Detach(Command{Argv: []string{"/no/such/program"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a missing program: %v", err)
	}
	if _, err := Detach(Command{Argv: []string{"/bin/sh"}, Stdin: []byte("x")}); err == nil {
		t.Error("input was accepted")
	}
}
