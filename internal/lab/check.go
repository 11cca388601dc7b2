package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Line is what a guest writes at each tick: UNIXNANO NODE PROCESS INCARNATION N.
type Line struct {
	At          time.Time
	Node        string
	Process     string // its id, and what makes it unique: 4711.9fb3c2d1
	Incarnation string
	N           uint64
}

// String is the line as it stands in the witness log.
func (l Line) String() string {
	return fmt.Sprintf("%d %s %s %s %d\n", l.At.UnixNano(), l.Node, l.Process, l.Incarnation, l.N)
}

// ParseLine reads a line of a witness log.
func ParseLine(s string) (Line, error) {
	f := strings.Fields(s)
	if len(f) != 5 {
		return Line{}, fmt.Errorf("witness line %q has not five words", s)
	}
	at, err1 := strconv.ParseInt(f[0], 10, 64)
	pid, _, _ := strings.Cut(f[2], ".")
	_, err2 := strconv.Atoi(pid)
	n, err3 := strconv.ParseUint(f[4], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Line{}, fmt.Errorf("witness line %q: %w", s, err)
	}
	return Line{time.Unix(0, at), f[1], f[2], f[3], n}, nil
}

// Kind is what the checker can find.
type Kind string

// The kinds of findings.
const (
	DoubleRun  Kind = "double run"  // two processes wrote in turns: the VM ran twice
	LostMemory Kind = "lost memory" // a cold boot that nothing explains
	StaleImage Kind = "stale image" // memory went back in time, or came back after a later boot
	Unreadable Kind = "unreadable"  // the log cannot be judged
)

// Finding is one fault that the guests' own writing proves.
type Finding struct {
	Kind     Kind
	VM       string // TYPE:NAME
	At       time.Time
	Evidence []string // the lines, oldest first
}

// CheckOptions is what the story of a run explains.
type CheckOptions struct {
	ColdAllowed int // cold boots beyond the first
}

// Check judges what one VM wrote, and believes nothing but the order of the lines.
func Check(vm string, witness io.Reader, o CheckOptions) []Finding {
	c := checker{vm: vm, o: o, seen: map[process]Line{}, last: map[string]Line{}, told: map[string]bool{}}
	r := bufio.NewReader(witness)
	for {
		text, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return c.findings // a last line without its end: its writer was killed
		}
		if err != nil {
			c.find(Unreadable, time.Time{}, err.Error())
			return c.findings
		}
		line, err := ParseLine(text)
		if err != nil {
			c.find(Unreadable, time.Time{}, err.Error())
			continue
		}
		c.line(line)
	}
}

type process struct {
	node string
	id   string
}

type checker struct {
	vm       string
	o        CheckOptions
	findings []Finding
	started  bool
	previous Line
	seen     map[process]Line // the last line of each process
	last     map[string]Line  // and of each incarnation
	newest   string           // incarnation
	told     map[string]bool  // what was found once of a process
}

func (c *checker) find(k Kind, at time.Time, evidence ...string) {
	c.findings = append(c.findings, Finding{k, c.vm, at, evidence})
}

// once tells of a process that goes wrong, not of each of its lines.
func (c *checker) once(k Kind, p process, l Line, evidence ...Line) {
	key := fmt.Sprintf("%s %s %s %s", k, p.node, p.id, l.Incarnation)
	if c.told[key] {
		return
	}
	c.told[key] = true
	texts := make([]string, 0, len(evidence))
	for _, e := range evidence {
		texts = append(texts, text(e))
	}
	c.find(k, l.At, texts...)
}

func (c *checker) line(l Line) {
	p := process{l.Node, l.Process}
	mine, known := c.seen[p]
	before, same := c.last[l.Incarnation]
	switch {
	case !c.started:
	case known && (process{c.previous.Node, c.previous.Process} != p):
		c.once(DoubleRun, p, l, mine, c.previous, l)
	case !same && len(c.last) > c.o.ColdAllowed:
		c.find(LostMemory, l.At, text(c.previous), text(l))
	case same && l.N <= before.N:
		c.once(StaleImage, p, l, before, l)
	case same && l.Incarnation != c.newest:
		c.once(StaleImage, p, l, before, c.last[c.newest], l)
	}
	if !same {
		c.newest = l.Incarnation
	}
	c.started, c.previous, c.seen[p] = true, l, l
	if before.N < l.N || !same {
		c.last[l.Incarnation] = l
	}
}

func text(l Line) string { return strings.TrimSuffix(l.String(), "\n") }

// CheckAll judges every VM of a lab, each with the same options.
func CheckAll(l Layout, o CheckOptions) ([]Finding, error) {
	logs, err := os.ReadDir(l.Path("witness"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no guest ever ran
	}
	if err != nil {
		return nil, err
	}
	sort.Slice(logs, func(i, j int) bool { return logs[i].Name() < logs[j].Name() })
	var all []Finding
	for _, e := range logs {
		name, ok := strings.CutSuffix(e.Name(), ".log")
		if !ok {
			continue
		}
		f, err := os.Open(filepath.Join(l.Path("witness"), e.Name()))
		if err != nil {
			return all, err
		}
		all = append(all, Check(strings.Replace(name, "-", ":", 1), f, o)...)
		f.Close()
	}
	return all, nil
}
