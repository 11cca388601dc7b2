package ccs

import (
	"errors"
	"fmt"
)

// Errors on which a caller may decide.
var (
	// ErrTooBig says that a document is over one of the limits of Parse.
	ErrTooBig = errors.New("too big for a cluster configuration")
	// ErrEncoding says that the document is in an encoding that is not read here.
	ErrEncoding = errors.New("encoding is not supported")
	// ErrVersion says that config_version is missing or is not a number.
	ErrVersion = errors.New("config_version cannot be used")
	// ErrForeign says that an element belongs to another document than the one that is edited.
	ErrForeign = errors.New("the element belongs to another document")
	// ErrDiffers says that the edited bytes do not say what was intended. Nothing was changed.
	ErrDiffers = errors.New("the edited text does not read as intended")
	// ErrNoAttr says that an attribute that is to be removed is not there.
	ErrNoAttr = errors.New("no such attribute")
	// ErrTaken says that another element has the name already that a Rename is to give.
	ErrTaken = errors.New("the name is taken")
	// ErrChanged says that the file was changed by somebody else since it was read. See ChangedError.
	ErrChanged = errors.New("the file was changed meanwhile")
	// ErrRefused says that the checks found errors in what would have been written. See RefusedError.
	ErrRefused = errors.New("refused by the checks")
)

// SyntaxError says where a document is not well-formed.
type SyntaxError struct {
	File      string
	Line, Col int // from 1; columns count characters
	Msg       string
	Err       error // a sentinel of this package, or nil
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// Unwrap gives the sentinel.
func (e *SyntaxError) Unwrap() error { return e.Err }

// ChangedError shows what somebody else changed. It is ErrChanged.
type ChangedError struct{ Path, Diff string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: %v; nothing was changed by this command", e.Path, ErrChanged)
}

// Unwrap gives ErrChanged.
func (e *ChangedError) Unwrap() error { return ErrChanged }

// RefusedError holds the findings that stopped a write. It is ErrRefused.
type RefusedError struct {
	Path     string
	Findings []Finding
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s: %v; nothing was changed", e.Path, ErrRefused)
	for _, f := range e.Findings {
		if f.Severity == Fatal {
			s += "\n" + f.String()
		}
	}
	return s
}

// Unwrap gives ErrRefused.
func (e *RefusedError) Unwrap() error { return ErrRefused }
