package balance

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hours is a log of so many hours, a line a minute up to now, in which some lines are changed.
func hours(n int, change func(minute int, line string) string) string {
	var b bytes.Buffer
	for i := n * 60; i >= 0; i-- {
		line := sampleLine(time.Duration(i)*time.Minute, float64(i))
		if change != nil {
			line = change(i, line)
		}
		b.WriteString(line)
	}
	return b.String()
}

// A clock that was wrong for a while neither ends a window too early nor puts foreign values into it.
func TestLogsClockSteps(t *testing.T) {
	const minutes = 600 // more than the first piece that is read
	for name, change := range map[string]func(int, string) string{
		"in 1970 for ten minutes, within the window": func(i int, line string) string {
			if i >= 200 && i < 210 {
				return "17 0.5\n"
			}
			return line
		},
		"in 1970 where the first piece begins": func(i int, line string) string {
			if i >= 217 && i < 232 {
				return "17 0.5\n"
			}
			return line
		},
		"in 2037 for ten minutes": func(i int, line string) string {
			if i >= 200 && i < 210 {
				return "2114380800 0.5\n"
			}
			return line
		},
		"an hour ahead for ten minutes": func(i int, line string) string {
			if i >= 20 && i < 30 {
				return sampleLine(time.Duration(i-60)*time.Minute, 0.5)
			}
			return line
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLogs(t, map[string]string{"n1-cpu-usage": hours(20, change)}).At(testNow)
			got, err := l.Window("n1", "cpu", testNow.Add(-minutes*time.Minute), testNow)
			if err != nil {
				t.Fatal(err)
			}
			wrong := slices.ContainsFunc(values(got), func(v float64) bool { return v == 0.5 })
			if len(got) < minutes-15 || got[0].Value != 0 || got[len(got)-1].Value != minutes-1 || wrong {
				t.Errorf("%d samples from %v to %v, foreign ones: %v", len(got), got[0].Value, got[len(got)-1].Value, wrong)
			}
			if s := l.Skews(testNow); name != "" && len(s) > 0 && strings.Contains(s[0].Text, "to come") {
				t.Errorf("the clock is right again: %v", s)
			}
		})
	}
}

// A node that stamps in the future has no data, be its samples up to now ever so many: they are older than they say.
func TestLogsOfAClockAhead(t *testing.T) {
	l := newTestLogs(t, map[string]string{"n1-cpu-usage": hours(1, nil) + sampleLine(-3*time.Minute, 1), "n2-cpu-usage": hours(1, nil) + sampleLine(-2*time.Minute, 1)}).At(testNow)
	from := testNow.Add(-5 * time.Minute)
	if _, err := l.Window("n1", "cpu", from, testNow); !errors.Is(err, ErrAhead) || !strings.Contains(err.Error(), "do the clocks agree") {
		t.Errorf("three minutes ahead: %v", err)
	}
	if got, err := l.Window("n2", "cpu", from, testNow); err != nil || len(got) != 5 {
		t.Errorf("two minutes ahead, less than what makes a sample stale: %v %v", got, err)
	}
	l.now = time.Time{} // who looks at the past
	if got, err := l.Window("n1", "cpu", from, testNow); err != nil || len(got) != 5 {
		t.Errorf("%v %v", got, err)
	}
}

func TestSkews(t *testing.T) {
	now := testNow
	files := map[string]struct{ stamp, written time.Duration }{ // before now
		"ok": {30 * time.Second, 25 * time.Second}, "slow": {80 * time.Second, 0}, "silent": {time.Hour, time.Hour},
		"ahead": {-10 * time.Minute, 0}, "behind": {10 * time.Minute, 0}, "gfs-ahead": {-10 * time.Minute, -10 * time.Minute},
	}
	l := newTestLogs(t, nil)
	lab := newTestLogs(t, map[string]string{"n1-cpu-usage": hours(1, nil), "n2-cpu-usage": sampleLine(time.Hour, 1)}) // written now, years behind its stamps
	for _, node := range []string{"n1", "n2"} {
		if _, err := lab.Window(node, "cpu", now.Add(-time.Hour), now); err != nil && !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
	}
	if s := lab.Skews(now); len(s) > 0 {
		t.Errorf("in a lab whose time is not the file system's: %v", s)
	}
	for node, x := range files {
		path := filepath.Join(l.dir, node+"-cpu-usage")
		if err := os.WriteFile(path, []byte(sampleLine(x.stamp, 1)), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-x.written), now.Add(-x.written)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Window(node, "cpu", now.Add(-time.Hour), now); err != nil && !errors.Is(err, ErrNoData) && !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
	}
	var got []string
	for _, s := range l.Skews(now) {
		text, _, _ := strings.Cut(s.String(), ":")
		got = append(got, text)
	}
	want := []string{"the clock of ahead is 10m0s ahead", "the clock of behind is 10m0s behind", "the clock of gfs-ahead is 10m0s ahead"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The log is renamed after it was read: its next number is the same file, and what was .1 is .2 now.
func TestLogsRotatedWhileReading(t *testing.T) {
	m := time.Minute
	l := newTestLogs(t, map[string]string{
		"n1-cpu-usage":   sampleLine(m, 1) + sampleLine(0, 0.5),
		"n1-cpu-usage.2": sampleLine(4*m, 4) + sampleLine(3*m, 3) + sampleLine(2*m, 2),
		"n2-cpu-usage.1": sampleLine(2*m, 2) + sampleLine(m, 1),
		"n2-cpu-usage.2": sampleLine(30*m, 30),
	})
	path := filepath.Join(l.dir, "n1-cpu-usage")
	if err := os.Link(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	for node, want := range map[string][]float64{"n1": {0.5, 1, 2, 3, 4}, "n2": {1, 2, 30}} {
		got, err := l.Window(node, "cpu", testNow.Add(-60*m), testNow)
		if err != nil || !slices.Equal(values(got), want) {
			t.Errorf("%s: %v %v", node, values(got), err)
		}
	}
}

// truncated is a file that logrotate's copytruncate cuts off after the first piece was read.
type truncated struct {
	text  []byte
	reads int
}

func (f *truncated) ReadAt(b []byte, at int64) (int, error) {
	if f.reads++; f.reads > 1 {
		return 0, nil
	}
	return copy(b, f.text[at:]), nil
}

func TestTailOfWhatIsCutOff(t *testing.T) {
	text := []byte(hours(24, nil))
	f := &truncated{text: text}
	got, all, err := tail(f, int64(len(text)), firstTail, maxTail, func([]byte) bool { return false })
	list, bad := parseSamples(got)
	if err != nil || !all || bad != 0 || len(list) < 150 || list[len(list)-1].Value != 0 || f.reads != 2 {
		t.Errorf("%d samples, %d bad, all %v, %v", len(list), bad, all, err)
	}
}

// However long the log is: a window costs what it is long, and no byte is read twice.
func TestLogsCost(t *testing.T) {
	year := hours(365*24, nil)
	l := newTestLogs(t, map[string]string{"n1-cpu-usage": year, "n2-cpu-usage": year[len(year)/300:]})
	for _, c := range []struct {
		minutes int
		bytes   int64
	}{{5, 4 << 10}, {60, 4 << 10}, {24 * 60, 64 << 10}, {7 * 24 * 60, 256 << 10}} {
		before := l.Cost()
		for range 3 {
			got, err := l.Window("n1", "cpu", testNow.Add(-time.Duration(c.minutes)*time.Minute), testNow)
			if err != nil || len(got) != c.minutes {
				t.Fatalf("%d minutes: %d samples, %v", c.minutes, len(got), err)
			}
		}
		if read := l.Cost().Bytes - before.Bytes; read > c.bytes {
			t.Errorf("%d minutes cost %d bytes, more than %d", c.minutes, read, c.bytes)
		}
	}
}
