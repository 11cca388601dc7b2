package vmexec

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// Definition is a technology as its file defines it.
type Definition struct {
	Name   string // of the technology, which is the file's
	Digest string // of the file's bytes

	config *word // nil: the guests have none that we should know of
	disks  []word
	memory int64 // bytes; 0: not given

	commands map[string]*command // by key; what is missing cannot be done
}

// The commands of a technology.
const (
	status  = "status"
	start   = "start"
	stop    = "stop"
	destroy = "destroy"
	thaw    = "thaw"
	save    = "save"
	restore = "restore"
	migrate = "migrate"
)

var commandNames = [...]string{status, start, stop, destroy, thaw, save, restore, migrate}

// Saves tells whether the technology keeps a guest's memory in an image.
func (d *Definition) Saves() bool { return d.commands[save] != nil }

// Migrates tells whether the technology moves a running guest.
func (d *Definition) Migrates() bool { return d.commands[migrate] != nil }

// command is one program with what its end means.
type command struct {
	name    string
	words   []word // of run
	shell   string // of sh, instead of words
	timeout time.Duration
	rows    []row
	at      syntax.Span
}

// row is one meaning with its conditions, all of which must hold.
type row struct {
	means  string
	exits  []int    // nil: any
	output *pattern // nil: any
	errors *pattern // nil: any
	at     syntax.Span
}

// word is a word of a command: texts and placeholders in turn.
type word struct {
	parts []part
	at    syntax.Span
}

// part is a piece of text or, if holder is not "", what is to be put in.
type part struct{ text, holder string }

// values are what placeholders stand for.
type values map[string]string

func (w word) fill(v values) string {
	var b strings.Builder
	for _, p := range w.parts {
		if p.holder != "" {
			b.WriteString(v[p.holder])
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

func (w word) has(holder string) bool {
	for _, p := range w.parts {
		if p.holder == holder {
			return true
		}
	}
	return false
}

// pattern is a regular expression in which %{name} stands for the guest's name, letter by letter.
type pattern struct{ parts []part }

// compile makes ^ and $ those of a line.
func (p *pattern) compile(name string) (*regexp.Regexp, error) {
	return regexp.Compile("(?m:" + word{parts: p.parts}.fill(values{"name": regexp.QuoteMeta(name)}) + ")")
}

// states are the meanings of status.
func states() map[string]hypervisor.State {
	return map[string]hypervisor.State{
		"running": hypervisor.Running, "paused": hypervisor.Paused, "stopped": hypervisor.Stopped, "remains": hypervisor.Remains,
		"leaving": hypervisor.Migrating, "arriving": hypervisor.Arriving, "unknown": hypervisor.Unknown,
	}
}

func stateWords() []string {
	return []string{"running", "paused", "stopped", "remains", "leaving", "arriving", "unknown"}
}

// The meanings of a command that changes a guest.
const (
	done   = "done"
	failed = "failed"
)

// digest is that of a file's bytes.
func digest(src []byte) string {
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:16])
}
