package balance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newTestLogs(t *testing.T, files map[string]string) *Logs {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return NewLogs(dir, map[string]string{"cpu": "cpu-usage", "ram": "ram"}, 3*time.Minute)
}

func sampleLine(age time.Duration, value float64) string {
	return fmt.Sprintf("%d %g\n", testNow.Add(-age).Unix(), value)
}

func values(list []Sample) []float64 {
	var out []float64
	for _, s := range list {
		out = append(out, s.Value)
	}
	return out
}

func TestLogs(t *testing.T) {
	m := time.Minute
	for _, c := range []struct {
		name    string
		text    string
		minutes int
		want    []float64
		err     error
		garbage int
	}{
		{"newest first", sampleLine(2*m, 3) + sampleLine(m, 2) + sampleLine(0, 1), 5, []float64{1, 2, 3}, nil, 0},
		{"the window is open at its old end", sampleLine(5*m, 9) + sampleLine(5*m-time.Second, 3) + sampleLine(m, 2), 5, []float64{2, 3}, nil, 0},
		{"by time, not by count", sampleLine(30*m, 9) + sampleLine(m, 1), 5, []float64{1}, nil, 0},
		{"what is to come does not count", sampleLine(m, 1) + sampleLine(-m, 9) + sampleLine(-time.Hour, 9), 5, []float64{1}, nil, 0},
		{"a partial last line", sampleLine(m, 1) + strings.TrimSuffix(sampleLine(0, 9), "\n"), 5, []float64{1}, nil, 0},
		{"garbage", "what\n\n" + sampleLine(2*m, 2) + "12 NaN\n\x00\x00\n1 2 3\n-5 1\n99999999999999 1\n1e9 3\n" + sampleLine(m, 1), 5, []float64{1, 2}, nil, 7},
		{"out of order", sampleLine(m, 1) + sampleLine(3*m, 3) + sampleLine(2*m, 2) + sampleLine(0, 0.5), 5, []float64{0.5, 1, 2, 3}, nil, 0},
		{"of one stamp the last written counts", sampleLine(2*m, 2) + sampleLine(m, 7) + sampleLine(m, 1), 5, []float64{1, 2}, nil, 0},
		{"crlf and blanks", fmt.Sprintf("  %d\t0.25 \r\n", testNow.Unix()), 5, []float64{0.25}, nil, 0},
		{"empty", "", 5, nil, ErrNoData, 0},
		{"only a partial line", "119566", 5, nil, ErrNoData, 0},
		{"stale", sampleLine(3*m, 1), 60, nil, ErrStale, 0},
		{"just not stale", sampleLine(3*m-time.Second, 1), 60, []float64{1}, nil, 0},
		{"fresh, but not in the window", sampleLine(2*m, 1), 1, nil, ErrNoData, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newTestLogs(t, map[string]string{"n1-cpu-usage": c.text})
			got, err := l.Window("n1", "cpu", testNow.Add(-time.Duration(c.minutes)*m), testNow)
			if !errors.Is(err, c.err) || !slices.Equal(values(got), c.want) {
				t.Errorf("%v %v, want %v %v", values(got), err, c.want, c.err)
			}
			if n := l.Garbage()["n1-cpu-usage"]; n != c.garbage {
				t.Errorf("%d lines of garbage, want %d", n, c.garbage)
			}
		})
	}
}

func TestLogsMissing(t *testing.T) {
	l := newTestLogs(t, nil)
	_, err := l.Window("n1", "cpu", testNow.Add(-time.Minute), testNow)
	if !errors.Is(err, ErrNoData) || err.Error() != "no data for cpu on n1" {
		t.Errorf("%v", err)
	}
	if _, err = l.Window("n1", "warp", testNow.Add(-time.Minute), testNow); err == nil {
		t.Error("a resource that is not known")
	}
	if _, err = l.Window("../n1", "cpu", testNow.Add(-time.Minute), testNow); err == nil {
		t.Error("a name with a folder")
	}
	if err := os.Mkdir(filepath.Join(l.dir, "n2-ram"), 0o750); err != nil {
		t.Fatal(err)
	}
	var data *DataError
	if _, err = l.Window("n2", "ram", testNow.Add(-time.Minute), testNow); err == nil || errors.Is(err, ErrNoData) || !errors.As(err, &data) {
		t.Errorf("a folder for a log: %v", err)
	}
}

// A year of samples behind a megabyte of noise: the noise at the front is never looked at.
func TestLogsReadTheirEnd(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(strings.Repeat("noise\n", 200_000))
	for i := 20_000; i >= 0; i-- {
		b.WriteString(sampleLine(time.Duration(i)*time.Minute, float64(i)))
	}
	l := newTestLogs(t, map[string]string{"n1-cpu-usage": b.String()})
	for _, n := range []int{5, 600, 2, 10_000, 60} { // longer and shorter in turn: one cache for all
		got, err := l.Window("n1", "cpu", testNow.Add(-time.Duration(n)*time.Minute), testNow)
		if err != nil || len(got) != n || got[0].Value != 0 || got[n-1].Value != float64(n-1) {
			t.Fatalf("%d minutes: %d samples, %v", n, len(got), err)
		}
	}
	if g := l.Garbage(); len(g) > 0 {
		t.Errorf("read the front: %v", g)
	}
	// The file may go: what was read once is kept for the pass.
	if err := os.Remove(filepath.Join(l.dir, "n1-cpu-usage")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Window("n1", "cpu", testNow.Add(-5*time.Minute), testNow); err != nil {
		t.Errorf("read twice: %v", err)
	}
}

func TestLogsTooLongWindow(t *testing.T) {
	var b bytes.Buffer
	for i := 100_000; i >= 0; i-- {
		b.WriteString(sampleLine(time.Duration(i)*time.Second, 1))
	}
	l := newTestLogs(t, map[string]string{"n1-cpu-usage": b.String()})
	_, err := l.Window("n1", "cpu", testNow.Add(-24*time.Hour), testNow)
	if err == nil || !strings.Contains(err.Error(), "reaches back to") {
		t.Errorf("half a window was taken for a whole one: %v", err)
	}
	cost := l.Cost()
	if _, err := l.Window("n1", "cpu", testNow.Add(-23*time.Hour), testNow); err == nil || l.Cost() != cost { // a replay asks each minute
		t.Errorf("%v, read again: %+v, and was %+v", err, l.Cost(), cost)
	}
	if got, err := l.Window("n1", "cpu", testNow.Add(-time.Hour), testNow); err != nil || len(got) != 3600 {
		t.Errorf("%d samples, %v", len(got), err)
	}
}

func TestLogsRotated(t *testing.T) {
	m := time.Minute
	l := newTestLogs(t, map[string]string{
		"n1-cpu-usage":   sampleLine(m, 1) + sampleLine(0, 0.5),
		"n1-cpu-usage.1": sampleLine(4*m, 4) + sampleLine(3*m, 3) + sampleLine(2*m, 2),
		"n2-cpu-usage.1": sampleLine(2*m, 2) + sampleLine(m, 1),
	})
	for node, want := range map[string][]float64{"n1": {0.5, 1, 2, 3, 4}, "n2": {1, 2}} {
		got, err := l.Window(node, "cpu", testNow.Add(-10*m), testNow)
		if err != nil || !slices.Equal(values(got), want) {
			t.Errorf("%s: %v %v", node, values(got), err)
		}
	}
}

func FuzzSamples(f *testing.F) {
	f.Add([]byte("1195668541 0.01\n1195668601 0.32\n11956"))
	f.Add([]byte("a\n\n1 1e400\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, bad := parseSamples(text)
		if len(list)+bad > bytes.Count(text, []byte("\n")) {
			t.Fatalf("%d samples and %d bad lines", len(list), bad)
		}
		s := order(list)
		for i := 1; i < len(s); i++ {
			if !s[i].At.Before(s[i-1].At) {
				t.Fatal("not in order")
			}
		}
	})
}

func TestMemorySamples(t *testing.T) {
	s := NewMemorySamples(3 * time.Minute)
	s.Add("n", "r", Sample{testNow.Add(-time.Minute), 1})
	s.Add("n", "r", Sample{testNow, 2}, Sample{testNow.Add(-time.Minute), 3})
	if got, err := s.Window("n", "r", testNow.Add(-time.Hour), testNow); err != nil || !slices.Equal(values(got), []float64{2, 3}) {
		t.Errorf("%v %v", got, err)
	}
}
