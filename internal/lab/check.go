package lab

import (
	"io"
	"time"
)

// Kind is what the checker can find.
type Kind string

// The kinds of findings.
const (
	DoubleRun  Kind = "double run"
	LostMemory Kind = "lost memory"
	StaleImage Kind = "stale image"
)

// Finding is one fault that the guests' own writing proves.
type Finding struct {
	Kind     Kind
	VM       string // TYPE:NAME
	At       time.Time
	Evidence []string
}

// CheckOptions is what the story of a run explains.
type CheckOptions struct {
	ColdAllowed int // cold boots beyond the first
}

// Check judges what one VM wrote.
func Check(vm string, witness io.Reader, o CheckOptions) []Finding { return nil }

// CheckAll judges every VM of a lab.
func CheckAll(l Layout, o CheckOptions) ([]Finding, error) { return nil, nil }
