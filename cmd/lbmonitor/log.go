package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
)

// newLog is where a pass tells what it does: a person at a terminal reads it there, else it goes into the node's
// system log, since the agent starts a pass with all its descriptors on /dev/null.
func newLog(h host.Host, stderr *os.File, c clock.Clock) *logrus.Logger {
	log := logrus.New()
	if _, err := unix.IoctlGetTermios(int(stderr.Fd()), unix.TCGETS); err == nil {
		log.SetOutput(stderr)
		return log
	}
	log.SetOutput(io.Discard)
	log.AddHook(&nodeLog{host: h, clock: c})
	return log
}

// nodeLog writes to the system log below the node's root. A root that has none (a lab's node) gets the line into the
// file where it would have been put.
type nodeLog struct {
	host  host.Host
	clock clock.Clock
}

const (
	facility  = 3 // daemon
	sendLimit = 200 * time.Millisecond
	maxLine   = 1000
)

// Levels is all of them: what is too low the logger has passed over.
func (l *nodeLog) Levels() []logrus.Level { return logrus.AllLevels }

// Fire writes one message. Its error is not shown to anybody, and ends nothing.
func (l *nodeLog) Fire(e *logrus.Entry) error {
	line := fmt.Sprintf("lbmonitor[%d]: %s", os.Getpid(), render(e))
	err := l.send(severity(e.Level), line)
	if err == nil || l.host.Root() == "" {
		return err
	}
	text := l.clock.Now().Format(time.RFC3339) + " " + line + "\n"
	return atomicfile.Append(l.host.Path("/var/log/messages"), []byte(text), 0o640, false)
}

func (l *nodeLog) send(severity int, line string) (err error) {
	c, err := net.DialTimeout("unixgram", l.host.Path("/dev/log"), sendLimit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetWriteDeadline(l.deadline()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "<%d>%s %s", facility<<3|severity, l.clock.Now().Local().Format(time.Stamp), line)
	return err
}

// deadline is in the machine's time: a log daemon that hangs may not hold a pass up.
func (l *nodeLog) deadline() time.Time { return clock.System().Now().Add(sendLimit) }

// severity is a level in syslog's numbers; what is graver than critical it would show to everybody on the machine.
func severity(l logrus.Level) int {
	switch l {
	case logrus.PanicLevel, logrus.FatalLevel:
		return 2
	case logrus.ErrorLevel:
		return 3
	case logrus.WarnLevel:
		return 4
	case logrus.InfoLevel:
		return 6
	}
	return 7
}

// render is a message with its fields in the order of their names, on one line.
func render(e *logrus.Entry) string {
	var b strings.Builder
	b.WriteString(strings.Join(strings.Fields(e.Message), " "))
	keys := make([]string, 0, len(e.Data))
	for k := range e.Data {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := fmt.Sprint(e.Data[k])
		if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r > '~' }) {
			v = strconv.Quote(v)
		}
		b.WriteString(" " + k + "=" + v)
	}
	line := b.String()
	if len(line) > maxLine {
		line = line[:maxLine]
	}
	return line
}
