package trial

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// maxLine bounds a line of a batch; a longer one has an error for its answer.
const maxLine = 1 << 20

// maxChunk is how many lines a worker is given at once.
const maxChunk = 64

// Batch reads lines {"code": "..."} from in and writes for each, in their order, one line with what the program did:
//
//	{"value": [strings or null], "stdout": "...", "actions": ["migrate" or "report", ...], "error": "..."}
//
// A reference is written as what ref says of it. What cannot be read or compiled, or dies, has its error in its answer
// and stops no other line. Answers are written as soon as in has no more to offer, so that a caller can ask line by
// line. The error is one of reading or writing.
func (f *Fixture) Batch(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := runtime.GOMAXPROCS(0)
	work := make(chan *chunk)
	order := make(chan *chunk, 4*workers) // what was read and is not written yet
	for range workers {
		go func() {
			t := &trial{fixture: f, funcs: funcs()}
			for c := range work {
				c.answer(ctx, t)
				close(c.done)
			}
		}()
	}
	var readErr error
	go func() {
		readErr = read(ctx, bufio.NewReaderSize(in, 64<<10), func(c *chunk) {
			order <- c
			work <- c
		})
		close(work)
		close(order)
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := write(order, out); err != nil {
			cancel(fmt.Errorf("writing an answer: %w", err))
			for range order { // the reader must not wait for room
			}
		}
	}()
	select {
	case <-done:
	case <-ctx.Done(): // the reader may wait for a line that never comes: it is left behind
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return readErr
}

// chunk is some lines on their way.
type chunk struct {
	text []byte // of all lines
	ends []int  // where each ends in text; -1-END of one that was too long
	out  []byte
	done chan struct{}
}

// read cuts the input into chunks. A chunk goes off when it is full, or when what was read so far has no further line.
func read(ctx context.Context, in *bufio.Reader, send func(*chunk)) error {
	c := &chunk{done: make(chan struct{})}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		long := false
		start := len(c.text)
		var err error
		for {
			var piece []byte
			piece, err = in.ReadSlice('\n')
			if long = long || len(c.text)-start+len(piece) > maxLine; long {
				c.text = c.text[:start]
			} else {
				c.text = append(c.text, piece...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if len(c.text) > start || long {
			end := len(c.text)
			if long {
				end = -1 - end
			}
			c.ends = append(c.ends, end)
		}
		if len(c.ends) > 0 && (err != nil || len(c.ends) == maxChunk || len(c.text) > maxLine || !moreLines(in)) {
			send(c)
			c = &chunk{done: make(chan struct{})}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading programs: %w", err)
		}
	}
}

// moreLines tells whether a whole line can be read without waiting.
func moreLines(in *bufio.Reader) bool {
	b, err := in.Peek(in.Buffered())
	return err == nil && bytes.IndexByte(b, '\n') >= 0
}

func write(order <-chan *chunk, out io.Writer) error {
	w := bufio.NewWriterSize(out, 64<<10)
	for c := range order {
		<-c.done
		if _, err := w.Write(c.out); err != nil {
			return err
		}
		if len(order) == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

func (c *chunk) answer(ctx context.Context, t *trial) {
	start := 0
	for _, end := range c.ends {
		if end < 0 {
			c.out = appendAnswer(c.out, Result{Err: fmt.Errorf("the line is longer than %d bytes", maxLine)})
			continue
		}
		c.out = appendAnswer(c.out, t.line(ctx, c.text[start:end]))
		start = end
	}
}

func (t *trial) line(ctx context.Context, line []byte) Result {
	var in struct{ Code *string }
	if err := json.Unmarshal(line, &in); err != nil {
		return Result{Err: fmt.Errorf(`the line is not {"code": "..."}: %w`, err)}
	}
	if in.Code == nil {
		return Result{Err: errors.New(`the line has no "code"`)}
	}
	p, diags := perl.Compile([]byte(*in.Code), perl.Position{File: Name}, t.funcs)
	if p == nil {
		return Result{Err: errors.New(compileErrors(diags))}
	}
	return t.fixture.run(ctx, p, t, nil)
}

func compileErrors(diags []perl.Diagnostic) string {
	text := ""
	for _, d := range diags {
		if d.Severity == perl.Error {
			text += d.String() + "\n"
		}
	}
	return text
}
