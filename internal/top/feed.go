package top

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

// maxLine bounds a line of a feed: a snapshot of 5,000 VMs has about two million bytes.
const maxLine = 64 << 20

// Feed writes an update in each line, until ctx ends or nobody reads any more. It is what the process that reads does; it may hang
// with its shared storage, and goes on when that answers.
func Feed(ctx context.Context, out io.Writer, wait clock.Clock, every time.Duration, read func() (Snapshot, error)) error {
	for {
		var u Update
		s, err := read()
		if err == nil {
			u.Snapshot = &s
		} else {
			u.Error = err.Error()
		}
		line, err := json.Marshal(u)
		if err != nil {
			return fmt.Errorf("writing what was read: %w", err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return nil // nobody reads any more
		}
		if err := wait.Sleep(ctx, every); err != nil {
			return nil
		}
	}
}

// Follow reads a feed and gives its updates until it ends, then closes them. Of updates that nobody takes in time the last counts.
func Follow(in io.Reader) <-chan Update {
	out := make(chan Update, 1)
	go func() {
		defer close(out)
		r := bufio.NewScanner(in)
		r.Buffer(nil, maxLine)
		for r.Scan() {
			var u Update
			if err := json.Unmarshal(r.Bytes(), &u); err != nil {
				u = Update{Error: "the process that reads the shared storage says nothing that can be understood: " + err.Error()}
			}
			select {
			case <-out: // an older one
			default:
			}
			out <- u
		}
		if err := r.Err(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			select {
			case out <- Update{Error: "reading what was read: " + err.Error()}:
			default:
			}
		}
	}()
	return out
}
