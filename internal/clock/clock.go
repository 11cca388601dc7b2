// Package clock gives the programs their time.
//
// What waits takes a Clock; what decides takes a time.Time. The system's clock is
// the ordinary one. Below a lab root the clock is scaled: one real second is many
// seconds of the lab, so that a demonstration need not last hours (FromRoot). A
// test holds a Fake and moves it by hand.
package clock

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	// Now is the instant, in the clock's own time.
	Now() time.Time
	// Sleep waits d of the clock's time and returns nil, or returns ctx.Err() as soon as ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is context.WithTimeout in the clock's time.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

type system struct{}

// System is the machine's clock.
func System() Clock { return system{} }

func (system) Now() time.Time { return time.Now() }

func (system) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (system) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Scaled is a clock that showed epoch at the real instant start and runs scale times as fast as the machine's.
type Scaled struct {
	Start time.Time // real
	Epoch time.Time // what the clock showed at Start
	Scale float64
}

// Now is the scaled instant.
func (s Scaled) Now() time.Time {
	return s.Of(time.Now())
}

// Sleep waits d/Scale of real time.
func (s Scaled) Sleep(ctx context.Context, d time.Duration) error {
	return system{}.Sleep(ctx, s.real(d))
}

// WithTimeout gives a context that ends after d/Scale of real time.
func (s Scaled) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.real(d))
}

func (s Scaled) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.Scale)
}

// Of is the clock's own time of an instant of the machine.
func (s Scaled) Of(machine time.Time) time.Time {
	return s.Epoch.Add(time.Duration(float64(machine.Sub(s.Start)) * s.Scale))
}

// File is where a lab root keeps its scaled clock, below the root.
const File = "/etc/lbvm-clock"

// FromRoot is the clock of the tools (lblog, lbmonitor, lbm) below root: the system's where root is empty
// or holds no File, else the scaled one that the file describes. With an empty root no file is looked for.
func FromRoot(root string) (Clock, error) {
	if root == "" {
		return System(), nil
	}
	b, err := os.ReadFile(filepath.Join(root, File))
	if errors.Is(err, os.ErrNotExist) {
		return System(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the lab's clock: %w", err)
	}
	s, err := parseScaled(b)
	if err != nil {
		return nil, fmt.Errorf("reading the lab's clock %s: %w", filepath.Join(root, File), err)
	}
	return s, nil
}

// Format is the text that FromRoot reads.
func (s Scaled) Format() []byte {
	return []byte(fmt.Sprintf("real=%d\nlab=%d\nscale=%g\n", s.Start.UnixNano(), s.Epoch.UnixNano(), s.Scale))
}

func parseScaled(b []byte) (Scaled, error) {
	var s Scaled
	seen := map[string]bool{}
	sc := bufio.NewScanner(bytes.NewReader(b))
	for sc.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(sc.Text()), "=")
		if !ok {
			continue
		}
		if seen[key] {
			return Scaled{}, fmt.Errorf("%s= stands there twice", key)
		}
		switch key {
		case "real", "lab":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return Scaled{}, fmt.Errorf("%s=%q is not a number of nanoseconds", key, value)
			}
			if key == "real" {
				s.Start = time.Unix(0, n)
			} else {
				s.Epoch = time.Unix(0, n)
			}
			seen[key] = true
		case "scale":
			f, err := strconv.ParseFloat(value, 64)
			if err != nil || !(f > 0) || f > 1e6 {
				return Scaled{}, fmt.Errorf("scale=%q is not a factor above 0", value)
			}
			s.Scale = f
			seen[key] = true
		}
	}
	if err := sc.Err(); err != nil {
		return Scaled{}, err
	}
	if len(seen) != 3 {
		return Scaled{}, errors.New("it needs real=, lab= and scale=")
	}
	return s, nil
}
