package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/run"
)

const (
	// A question may take a third of the time that is left, so that the action can still act on the answer.
	askPart = 3
	askMost = 15 * time.Second
	// No change outlives this, even if the caller set no deadline: a guest of many GiB is dumped in less.
	changeMost = 30 * time.Minute
	// How often we look whether a guest is down.
	pollEvery = time.Second
)

// toolError is a tool's exit code other than 0, with what it said.
type toolError struct {
	what string // "vzctl stop 101"
	code int
	text string // for the log
	all  string // everything, in lower case
}

func (e *toolError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("%s: exit %d", e.what, e.code)
	}
	return fmt.Sprintf("%s: exit %d: %s", e.what, e.code, e.text)
}

// exitCode is the code of a tool's refusal, or -1 where err is something else.
func exitCode(err error) int {
	var e *toolError
	if errors.As(err, &e) {
		return e.code
	}
	return -1
}

// said tells whether a tool refused with that text, which is lower case.
func said(err error, text string) bool {
	var e *toolError
	return errors.As(err, &e) && strings.Contains(e.all, text)
}

// ask runs a command that only asks. A code other than 0 is a toolError beside the result.
func (t Tools) ask(ctx context.Context, argv ...string) (run.Result, error) {
	ctx, cancel := clock.Share(ctx, askPart, askMost)
	defer cancel()
	r, err := t.tool(ctx, t.Query, argv)
	if err == nil && r.Truncated {
		return r, fmt.Errorf("%s: %w: it is too long", argv[0], ErrAnswer)
	}
	return r, err
}

// change runs a command that changes a guest and waits for its end.
func (t Tools) change(ctx context.Context, argv ...string) error {
	ctx, cancel := clock.Share(ctx, 1, changeMost)
	defer cancel()
	_, err := t.tool(ctx, t.Change, argv)
	return err
}

func (t Tools) tool(ctx context.Context, r run.Runner, argv []string) (run.Result, error) {
	path, err := t.Host.Lookup(argv[0])
	if errors.Is(err, os.ErrNotExist) {
		return run.Result{}, fmt.Errorf("%w: %w", ErrNoProgram, err)
	}
	if err != nil {
		return run.Result{}, err
	}
	answer, err := r.Run(ctx, run.Command{Argv: append([]string{path}, argv[1:]...), Env: t.Host.Environ()})
	what := strings.Join(argv, " ")
	if errors.Is(err, run.ErrNotFound) {
		return answer, fmt.Errorf("%s: %w: %w", what, ErrNoProgram, err)
	}
	if err != nil {
		return answer, fmt.Errorf("%s: %w", what, err)
	}
	if answer.Code != 0 {
		all := strings.ToLower(string(answer.Stderr) + "\n" + string(answer.Stdout))
		return answer, &toolError{what: what, code: answer.Code, text: gist(answer), all: all}
	}
	return answer, nil
}

// gist is what a tool said when it failed, short enough for a log line.
func gist(r run.Result) string {
	text := r.Stderr
	if len(strings.TrimSpace(string(text))) == 0 {
		text = r.Stdout
	}
	var lines []string
	for _, l := range strings.Split(string(text), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) > 3 { // the cause stands at the end; Python puts a traceback before it
		lines = lines[len(lines)-3:]
	}
	s := strings.ToValidUTF8(strings.Join(lines, "; "), "?")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "..."
	}
	return s
}

func (t Tools) note(format string, args ...any) {
	if t.Note != nil {
		t.Note(fmt.Sprintf(format, args...))
	}
}

// quoteStart shows the beginning of an answer that nobody understood.
func quoteStart(b []byte) string {
	s := strings.TrimSpace(string(b))
	if len(s) > 160 {
		s = s[:160] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// paramOr is an agent's parameter, or def where it is empty.
func paramOr(params map[string]string, name, def string) string {
	if v := params[name]; v != "" {
		return v
	}
	return def
}

// within joins a path that a configuration names with the guest's folder; the guest cannot lead us out of it by "..".
func within(dir, rel string) string { return filepath.Join(dir, filepath.Clean("/"+rel)) }

// poll waits until it is time to look again.
func (t Tools) poll(ctx context.Context) error { return t.Clock.Sleep(ctx, pollEvery) }
