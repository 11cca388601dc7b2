package balance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// EachPass gives the passes of passes.log at path, and of the one that was rotated away, that were made in [from, to], in the
// order of the files. Lines that cannot be read are passed over and counted; a last line that is torn is none.
func EachPass(path string, from, to time.Time, do func(*Pass) error) (skipped int, err error) {
	err = eachLine(path, func(line []byte) error {
		at, ok := passStamp(line)
		if !ok {
			skipped++
			return nil
		}
		if at.Before(from) || at.After(to) {
			return nil
		}
		p, err := DecodePass(line)
		if err != nil {
			skipped++
			return nil
		}
		return do(p)
	})
	return skipped, err
}

// PassSpan gives the times of the first and the last pass of passes.log at path. ErrNoPass says that there is none.
func PassSpan(path string) (first, last time.Time, err error) {
	err = eachLine(path, func(line []byte) error {
		at, ok := passStamp(line)
		if ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
		if ok && at.After(last) {
			last = at
		}
		return nil
	})
	if err == nil && first.IsZero() {
		err = fmt.Errorf("%w: %s holds none", ErrNoPass, path)
	}
	return first, last, err
}

func eachLine(path string, do func(line []byte) error) error {
	for _, name := range []string{path + ".1", path} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the passes: %w", err)
		}
		err = linesOf(f, do)
		f.Close()
		if err != nil {
			return fmt.Errorf("reading the passes: %w", err)
		}
	}
	return nil
}

func linesOf(in io.Reader, do func(line []byte) error) error {
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil // what stands there has no end
		case err != nil:
			return err
		}
		if err := do(line); err != nil {
			return err
		}
	}
}
