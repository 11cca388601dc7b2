package ocf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// facility is syslog's "daemon".
const facility = 3

// nodeLog writes to the node's system log, and to a terminal if a human is there. Below a root that has no system
// log (a lab's node) the line goes into the file where one would have put it.
type nodeLog struct {
	typ      string
	manager  Dialect // whose name stands before each line
	root     string
	now      func() time.Time
	terminal io.Writer // nil: nobody looks

	mu   sync.Mutex
	fd   int // of the socket; -1 not opened
	dead bool
}

// logger is where the messages of an agent of that type go.
func logger(w World, typ string) Logger {
	if w.Log != nil {
		return w.Log
	}
	l := &nodeLog{typ: typ, root: w.Getenv(RootVariable), now: w.Now, fd: -1}
	if !filepath.IsAbs(l.root) {
		l.root = ""
	}
	switch f := w.Stderr.(type) {
	case stream:
		if terminal(int(f)) {
			l.terminal = f
		}
	case *os.File:
		if terminal(int(f.Fd())) {
			l.terminal = f
		}
	}
	return l
}

// Log writes one message. A log that cannot be written must never fail or stop an action: there is nobody to tell.
func (l *nodeLog) Log(level Level, msg string, kv ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal == nil && level >= LevelDebug {
		return
	}
	text := render(msg, kv)
	if l.terminal != nil {
		if _, err := fmt.Fprintf(l.terminal, "%s: %s\n", level, ascii(text)); err != nil {
			l.terminal = nil
		}
	}
	if level >= LevelDebug {
		return
	}
	level = max(level, LevelCrit) // what is graver the log daemon shows to everybody on the machine
	for _, line := range lines(l.manager, os.Getpid(), l.typ, text) {
		if err := l.send(level, line); err != nil && l.root != "" {
			l.file(line)
		}
	}
}

// send gives one line to the log daemon. One that hangs may not hold an agent up: it is not tried again. One that
// was restarted has a new socket.
func (l *nodeLog) send(level Level, line string) error {
	if l.dead {
		return unix.EAGAIN
	}
	text := []byte(fmt.Sprintf("<%d>%s %s", facility<<3|int(level), l.now().Local().Format(time.Stamp), line))
	var err error
	for try := 0; try < 2; try++ {
		if err = l.open(); err != nil {
			return err
		}
		if _, err = unix.Write(l.fd, text); err == nil {
			return nil
		}
		if errors.Is(err, unix.EAGAIN) {
			l.dead = true
			return err
		}
		if closing := unix.Close(l.fd); closing != nil {
			err = errors.Join(err, closing)
		}
		l.fd = -1
	}
	return err
}

func (l *nodeLog) open() error {
	if l.fd >= 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	wait := unix.NsecToTimeval(int64(200 * time.Millisecond))
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join("/", l.root, "dev/log")})
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	l.fd = fd
	return nil
}

// file appends a line to the node's log file. Like send it has nobody to tell of its own failure.
func (l *nodeLog) file(line string) {
	f, err := os.OpenFile(filepath.Join(l.root, "var/log/messages"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return
	}
	if _, err := f.WriteString(l.now().Format(time.RFC3339) + " " + line + "\n"); err != nil {
		l.root = "" // not tried again
	}
	if err := f.Close(); err != nil {
		return
	}
}
