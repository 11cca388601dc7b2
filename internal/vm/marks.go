package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Marks are node-local and gone after a boot.
const (
	hereMark    = ".here"    // this node has started or adopted the VM
	sickMark    = ".sick"    // the last status failed while the guest was here; holds the reason
	unknownMark = ".unknown" // so many status checks in a row had no answer
)

func (l *life) mark(name string) string {
	return l.host.Path(host.RunDir + "/" + l.a.Type + "-" + l.vm + name)
}

func (l *life) marked(name string) bool {
	_, err := os.Lstat(l.mark(name))
	return err == nil
}

// setHere remembers that the VM is this node's. Without the mark status looks more closely; and where the tool does not answer the
// mark decides: with it a status counts the VM as running for a while, and a probe fails; without it a probe says that the VM is
// not here if the record names another node.
func (l *life) setHere() {
	if l.explains != nil {
		l.say("it notes on this node that the VM is here")
		return
	}
	if err := l.point("here", func() error { return l.setMark(hereMark, "") }); err != nil {
		l.log(ocf.LevelWarning, "a node-local mark cannot be written", "error", err)
	}
	l.clear(sickMark, unknownMark, unansweredMark)
}

func (l *life) setMark(name, text string) error {
	err := os.MkdirAll(l.host.Path(host.RunDir), 0o755)
	if err == nil {
		err = os.WriteFile(l.mark(name), []byte(text), 0o644)
	}
	return err
}

// leaves ends what this node remembers of the VM.
func (l *life) leaves() { l.clear(hereMark, sickMark, unknownMark, unansweredMark) }

func (l *life) clear(names ...string) {
	if l.explains != nil {
		return
	}
	for _, n := range names {
		if !l.marked(n) {
			continue
		}
		if err := l.point("unmark", func() error { return os.Remove(l.mark(n)) }); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log(ocf.LevelWarning, "a node-local mark cannot be removed", "error", err)
		}
	}
}

// healthy is nil if the guest that is here is in order, as far as that can be seen: by the tool's own word, and by
// Agent.Health and the administrator's check. Otherwise the next stop is a cold one: a sick guest's memory must not be resumed elsewhere.
func (l *life) healthy(ctx context.Context, d hypervisor.Detail) error {
	var err error
	switch {
	case d.Sick != "":
		err = errors.New(d.Sick)
	case l.a.Health != nil && d.State == hypervisor.Running:
		err = l.a.Health(ctx, l.vm, l.call.Depth)
	}
	if err == nil && d.State == hypervisor.Running { // who stands still or leaves cannot answer
		err = l.answers(ctx)
	}
	if err == nil {
		if l.marked(sickMark) && l.sickDepth() <= l.call.Depth {
			l.clear(sickMark)
		}
		return nil
	}
	err = fmt.Errorf("%s is here and not in order: %w", l.vm, err)
	if l.explains != nil {
		l.say("it notes on this node that the guest is sick: %v", err)
	} else if merr := l.point("sick", func() error { return l.setMark(sickMark, fmt.Sprintf("%d %v\n", l.depth(d), err)) }); merr != nil {
		l.log(ocf.LevelWarning, "that the guest is sick cannot be noted", "error", merr)
	}
	return err
}

// depth is how deep a check had to look to see that the guest is sick: the tool's own word is seen by all.
func (l *life) depth(d hypervisor.Detail) int {
	if d.Sick != "" {
		return 0
	}
	return l.call.Depth
}

// sickDepth is the depth of the check that failed last. Only a check that looks as deep can say that the guest is well.
func (l *life) sickDepth() int {
	text, err := os.ReadFile(l.mark(sickMark))
	word, _, _ := strings.Cut(string(text), " ")
	if n, bad := strconv.Atoi(word); err == nil && bad == nil {
		return n
	}
	return math.MaxInt
}

// unknownParam says how many checks in a row may have no answer. With more than mostUnknown a guest that is gone would
// count as running for an hour.
const (
	unknownParam   = "unknown_limit"
	defaultUnknown = 3
	mostUnknown    = 100
)

// tolerate answers a status whose question had no answer. A daemon that is restarted, or a tool that waits, costs an
// answer or two, and an error would cost the guest: so long the last word, which was that it runs here, still counts.
func (l *life) tolerate(err error) error {
	limit := defaultUnknown
	if n, bad := strconv.Atoi(l.call.Params.Get(unknownParam)); bad == nil && n >= 0 && n <= mostUnknown { // else, since rgmanager validates nothing, the default
		limit = n
	}
	n, werr := l.countUp(unknownMark)
	if werr != nil { // who cannot count must not go on for ever
		return errors.Join(err, werr)
	}
	if n > limit {
		return fmt.Errorf("for the %d. time in a row: %w", n, err)
	}
	l.log(ocf.LevelWarning, "no answer: what it said last still counts, that the guest runs here", "times", n, "limit", limit, "error", err)
	return nil
}

// countUp counts in a mark, and gives the new number.
func (l *life) countUp(mark string) (int, error) {
	text, err := os.ReadFile(l.mark(mark))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	before, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		before = 0
	}
	n := before + 1
	if l.explains != nil {
		return n, nil
	}
	return n, l.point(strings.TrimPrefix(mark, "."), func() error { return l.setMark(mark, strconv.Itoa(n)) })
}

// readMark is a mark's text, "" where there is none.
func (l *life) readMark(name string) string {
	text, err := os.ReadFile(l.mark(name))
	if err != nil {
		return ""
	}
	return string(text)
}
