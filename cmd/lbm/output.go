package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"
)

// output is standard output, and remembers that something of it was lost: on a full disk, or because nobody reads it any more.
type output struct {
	to     io.Writer
	unread func() // is told that nobody reads it any more
	mu     sync.Mutex
	lost   error // of the first write that failed
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.unread()
	}
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.lost == nil {
			o.lost = err
		}
	}
	return n, err
}

// outcome is how a program ends whose command ended with err. A pipe that nobody reads any more, as head and less leave it, is no
// failure; other output that is lost is one, and said on stderr.
func (o *output) outcome(err error, stderr io.Writer) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case errors.Is(o.lost, syscall.EPIPE):
		if errors.Is(err, syscall.EPIPE) {
			return nil
		}
	case o.lost != nil && (err == nil || !strings.Contains(err.Error(), o.lost.Error())):
		fmt.Fprintln(stderr, "lbm: writing to standard output:", o.lost)
		if err == nil {
			return cli.Exit("", exitFailed)
		}
	}
	return err
}

// stdoutFile is the file that standard output is, if it is one.
func (w world) stdoutFile() (*os.File, bool) {
	to := w.stdout
	if o, ok := to.(*output); ok {
		to = o.to
	}
	f, ok := to.(*os.File)
	return f, ok
}
