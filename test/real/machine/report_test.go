package machine

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// report is the log of a run: each line says what was looked at, what came, and whether that is right.
type report struct {
	t     *testing.T
	path  string
	began time.Time
	text  strings.Builder
	bad   int
}

// newReport begins the log with what the run is made of.
func newReport(t *testing.T, title string, about ...string) *report {
	t.Helper()
	r := &report{t: t, began: time.Now()}
	fmt.Fprintf(&r.text, "# %s\n\n%s, %s UTC. Written by the test itself; times are those of busy, emulated processors.\n\n", title, "Run of "+r.began.UTC().Format("2 January 2006"), r.began.UTC().Format("15:04"))
	for _, a := range about {
		fmt.Fprintf(&r.text, "- %s\n", a)
	}
	r.text.WriteString("\n")
	r.path = os.Getenv(logVariable)
	t.Cleanup(r.close)
	return r
}

// close writes the log with the verdict.
func (r *report) close() {
	verdict := fmt.Sprintf("Every check was right, %.0f s.", time.Since(r.began).Seconds())
	if r.t.Failed() {
		verdict = fmt.Sprintf("The run FAILED; %d checks were wrong.", r.bad)
	}
	r.text.WriteString("\n" + verdict + "\n")
	r.save()
}

// save writes what there is: a run that is broken off has said something, too.
func (r *report) save() {
	if r.path == "" {
		return
	}
	if err := os.WriteFile(r.path, []byte(r.text.String()), 0o644); err != nil {
		r.t.Error(err)
	}
}

// part begins a part of the log.
func (r *report) part(title string) {
	r.save()
	r.t.Logf("== %s", title)
	fmt.Fprintf(&r.text, "\n## %s\n\n", title)
}

// note writes a figure, or what was done; it judges nothing.
func (r *report) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.t.Log(line)
	fmt.Fprintf(&r.text, "           %s\n", strings.ReplaceAll(line, "\n", "\n             "))
}

// check judges.
func (r *report) check(ok bool, format string, args ...any) bool {
	r.t.Helper()
	word, line := "ok    ", fmt.Sprintf(format, args...)
	if !ok {
		word = "WRONG "
		r.bad++
		r.t.Errorf("wrong: %s", line)
	} else {
		r.t.Logf("ok: %s", line)
	}
	fmt.Fprintf(&r.text, "    %s %s\n", word, strings.ReplaceAll(line, "\n", "\n             "))
	return ok
}

// quote gives what a program has printed as an indented piece.
func (r *report) quote(text string) {
	fmt.Fprintf(&r.text, "\n    %s\n\n", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    "))
}
