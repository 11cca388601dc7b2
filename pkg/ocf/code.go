package ocf

import (
	"errors"
	"fmt"
)

// Code is an agent's exit code.
type Code int

// The codes of OCF, and rgmanager's own for a migration that failed without harm.
const (
	CodeOK            Code = 0
	CodeGeneric       Code = 1 // it failed, or it is not known how it ended
	CodeArgs          Code = 2
	CodeUnimplemented Code = 3
	CodePerm          Code = 4
	CodeInstalled     Code = 5 // a program that it needs is missing here
	CodeConfigured    Code = 6
	CodeNotRunning    Code = 7
	CodeStillHere     Code = 150 // the migration failed and the resource runs here as before
)

// String is the code's name in log lines.
func (c Code) String() string {
	switch c {
	case CodeOK:
		return "ok"
	case CodeGeneric:
		return "generic error"
	case CodeArgs:
		return "invalid argument"
	case CodeUnimplemented:
		return "not implemented"
	case CodePerm:
		return "insufficient privileges"
	case CodeInstalled:
		return "program not installed"
	case CodeConfigured:
		return "not configured"
	case CodeNotRunning:
		return "not running"
	case CodeStillHere:
		return "still here"
	}
	return fmt.Sprintf("code %d", int(c))
}

// Error is an error with an exit code.
type Error struct {
	Code Code
	Err  error
}

// Error is the text of what went wrong, without the code.
func (e *Error) Error() string {
	if e == nil || e.Err == nil {
		return "unknown error"
	}
	return e.Err.Error()
}

// Unwrap gives what went wrong.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Errorf makes an error with an exit code; %w wraps as in fmt.Errorf.
func Errorf(code Code, format string, a ...any) error {
	return &Error{code, fmt.Errorf(format, a...)}
}

// Errors that managers know.
var (
	// ErrNotRunning is Status's answer that the resource certainly does not run here.
	ErrNotRunning error = &Error{CodeNotRunning, errors.New("not running here")}
	// ErrStillHere says that a migration failed and the resource runs here, unharmed.
	ErrStillHere error = &Error{CodeStillHere, errors.New("the migration failed; it still runs here")}
)

// codeOf is the exit code of an error. Nothing but nil is 0, whatever an error says of itself.
func codeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	var e *Error
	if errors.As(err, &e) && e != nil && e.Code > CodeOK && e.Code <= 255 {
		return e.Code
	}
	return CodeGeneric
}
