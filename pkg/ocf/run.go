package ocf

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// Run answers one call of an agent and gives the exit code. It touches nothing of the process.
func Run(w World, xml []byte, a Agent) (code Code) {
	w = w.complete()
	program := "agent"
	if len(w.Args) > 0 {
		program = w.Args[0]
	}
	defer func() {
		if v := recover(); v != nil {
			code = CodeGeneric
			logPanic(logger(w, "ocf"), "agent", &panicError{v, debug.Stack()})
		}
	}()
	if d := dialectOf(program); d != RGManager {
		logger(w, "ocf").Log(LevelError, "this agent does not speak the manager's dialect", "dialect", d, "program", program)
		return CodeUnimplemented
	}
	return runRGManager(w, xml, a)
}

// perform gives do its deadline and waits for it. What hangs beyond the deadline and a short grace is left behind:
// an answer that never comes is worse than an error.
func perform(w World, timeout time.Duration, do func(context.Context) error) error {
	ctx := context.Background()
	if timeout > 0 {
		limited, cancel := w.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("the action ended without an answer")
		defer func() {
			if v := recover(); v != nil {
				err = &panicError{v, debug.Stack()}
			}
			done <- err
		}()
		err = do(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancelGrace := w.WithTimeout(context.Background(), graceOf(timeout))
	defer cancelGrace()
	select {
	case err := <-done:
		return err
	case <-grace.Done():
		return fmt.Errorf("no end after %s: %w", timeout, context.DeadlineExceeded)
	}
}

// graceOf is how long an action may take to notice its deadline: rgmanager, where it enforces a timeout, kills a
// second after it.
func graceOf(timeout time.Duration) time.Duration { return min(timeout/10, 2*time.Second) }

// panicError is a panic of an action.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// maxStack bounds the lines of a stack that are logged.
const maxStack = 40

func logPanic(l Logger, action string, p *panicError) {
	l.Log(LevelCrit, action+" failed by a fault of the agent: "+p.Error())
	for i, line := range strings.Split(strings.TrimSpace(string(p.stack)), "\n") {
		if i == maxStack {
			break
		}
		l.Log(LevelCrit, strings.ReplaceAll(line, "\t", "  "))
	}
}
