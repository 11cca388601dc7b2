package ocf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// BoxRecord is one action of the black box.
type BoxRecord struct {
	ID       uint64    // counts the actions of the box
	At       time.Time // when it began
	Agent    string    // the program's path
	Type     string    // the name in the metadata
	Dialect  Dialect
	Action   string
	Instance string // TYPE:NAME, or what the manager calls it
	Name     string // the value of the primary parameter
	Depth    int    // of a status check
	Probe    bool
	Env      string // digest of the parameters: another one says that they were changed
	PID      int
	Notable  bool // it changed something, failed, or found gone what had run

	Ended bool // false: the agent still works (Lives), or it was killed
	Lives bool // the process exists on this machine
	// How it ended. Before the end, zero.
	Code  Code
	Took  time.Duration
	Error string

	Tools     []BoxTool // programs that it ran, the last ones
	MoreTools int       // how many came before those

	born uint64 // start of the process in ticks after the machine's, 0 where /proc did not say
}

// BoxTool is a program that an action ran.
type BoxTool struct {
	Command string // its arguments, cut where they were long
	Ended   bool
	Code    int
	Took    time.Duration
	Error   string // why there is no exit code
}

// Failed tells whether something went wrong: it was killed, or answered what is neither success nor a status check's
// "not running".
func (r BoxRecord) Failed() bool {
	if !r.Ended {
		return !r.Lives
	}
	return !ordinary(r.Action, r.Code)
}

const (
	boxTime = "2006-01-02T15:04:05.000Z07:00"
	// What one text may take of a slot.
	maxBoxName    = 80
	maxBoxAction  = 24
	maxBoxError   = 200
	maxBoxCommand = 120
	maxBoxWhy     = 60
)

// text is the record as lines of key=value, at most size bytes of it. What does not fit are the first programs.
func (r *BoxRecord) text(size int) []byte { return r.appendText(make([]byte, 0, size)) }

// appendText is text in b, which is empty and has room for what may be said.
func (r *BoxRecord) appendText(b []byte) []byte {
	size := cap(b)
	put := func(key, value string) {
		b = append(b, key...)
		b = append(b, '=')
		b = append(b, value...)
		b = append(b, '\n')
	}
	put("id", strconv.FormatUint(r.ID, 10))
	b = append(appendTime(append(b, "at="...), r.At), '\n')
	put("agent", cutText(r.Agent, maxBoxName))
	put("type", cutText(r.Type, maxBoxAction))
	put("dialect", r.Dialect.String())
	put("action", cutText(r.Action, maxBoxAction))
	put("instance", cutText(r.Instance, maxBoxName))
	put("name", cutText(r.Name, maxBoxName))
	if r.Depth > 0 {
		put("depth", strconv.Itoa(r.Depth))
	}
	if r.Probe {
		put("probe", "1")
	}
	if r.Notable {
		put("notable", "1")
	}
	put("env", r.Env)
	put("pid", strconv.Itoa(r.PID))
	put("born", strconv.FormatUint(r.born, 10))
	if r.Ended {
		b = append(appendDuration(append(b, "took="...), r.Took), '\n')
		put("code", strconv.Itoa(int(r.Code)))
		if r.Error != "" {
			put("error", cutText(r.Error, maxBoxError))
		}
	}
	const lastLine = len("more=") + 10 + 1
	room := size - len(b) - lastLine
	first := len(r.Tools)
	var line [maxBoxTool]byte
	for ; first > 0; first-- {
		if room -= len(r.Tools[first-1].appendText(line[:0])); room < 0 {
			break
		}
	}
	if more := r.MoreTools + first; more > 0 {
		put("more", strconv.Itoa(min(more, math.MaxInt32)))
	}
	for _, t := range r.Tools[first:] {
		b = t.appendText(b)
	}
	return b
}

// maxBoxTool is about what a program takes.
const maxBoxTool = maxBoxCommand + maxBoxWhy + 60

func (t *BoxTool) appendText(b []byte) []byte {
	b = append(b, "tool="...)
	switch {
	case !t.Ended:
		b = append(b, "- -"...)
	case t.Error != "":
		b = appendDuration(append(b, "! "...), t.Took)
	default:
		b = appendDuration(append(strconv.AppendInt(b, int64(t.Code), 10), ' '), t.Took)
	}
	b = append(append(b, ' '), cutText(t.Command, maxBoxCommand)...)
	if t.Ended && t.Error != "" {
		b = append(append(b, "\nwhy="...), cutText(t.Error, maxBoxWhy)...)
	}
	return append(b, '\n')
}

// appendTime appends an instant in the form boxTime. Package time would look through that form first.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	for _, part := range [...]struct {
		n     int
		width int
		after byte
	}{{max(0, year), 4, '-'}, {int(month), 2, '-'}, {day, 2, 'T'}, {hour, 2, ':'}, {minute, 2, ':'}, {second, 2, '.'}, {t.Nanosecond() / 1e6, 3, 'Z'}} {
		b = append(appendPadded(b, uint64(part.n), 10, part.width), part.after)
	}
	return b
}

// appendDuration appends a duration in seconds: Go's own text of short ones is not ASCII.
func appendDuration(b []byte, d time.Duration) []byte {
	us := max(0, d.Microseconds())
	b = strconv.AppendInt(b, us/1e6, 10)
	return append(appendPadded(append(b, '.'), uint64(us%1e6), 10, 6), 's')
}

// parseBoxDuration reads it, and any other number of digits behind the point. (To link time.ParseDuration costs each
// start of an agent more than all of this.)
func parseBoxDuration(s string) (time.Duration, error) {
	number, ok := strings.CutSuffix(s, "s")
	whole, part, _ := strings.Cut(number, ".")
	seconds, err := strconv.ParseUint(whole, 10, 63)
	micros, bad := uint64(0), error(nil)
	if part != "" {
		micros, bad = strconv.ParseUint((part + "000000")[:6], 10, 32)
	}
	if !ok || err != nil || bad != nil || seconds > math.MaxInt64/uint64(time.Second) {
		return 0, errBoxText
	}
	return max(0, time.Duration(seconds)*time.Second+time.Duration(micros)*time.Microsecond), nil
}

// appendPadded appends n with zeros before it. fmt would cost a check as much as the write itself.
func appendPadded(b []byte, n uint64, base, width int) []byte {
	var digits [20]byte
	text := strconv.AppendUint(digits[:0], n, base)
	for i := len(text); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, text...)
}

// cutText makes one line of at most n bytes, without what could harm a terminal. It is the middle that goes: how an
// error begins tells what was done, how it ends tells why not.
func cutText(s string, n int) string {
	const gap = "..."
	if len(s) > n {
		tail := n / 2
		s = s[:n-tail-len(gap)] + gap + s[len(s)-tail:]
	}
	return ascii(s)
}

var errBoxText = errors.New("not a record of the black box")

// parseBoxText reads what text wrote. Keys that it does not know are passed over.
func parseBoxText(text []byte) (BoxRecord, error) {
	var r BoxRecord
	bad := func(key string) error { return fmt.Errorf("%w: %s", errBoxText, key) }
	seen := false
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		key, value, ok := strings.Cut(line, "=")
		if !ok || ascii(value) != value {
			return r, bad("a line without =, or with foreign bytes")
		}
		var err error
		switch key {
		case "id":
			r.ID, err = strconv.ParseUint(value, 10, 64)
		case "at":
			r.At, err = time.Parse(boxTime, value)
			seen = true
		case "agent":
			r.Agent = value
		case "type":
			r.Type = value
		case "dialect":
			r.Dialect, err = parseDialect(value)
		case "action":
			r.Action = value
		case "instance":
			r.Instance = value
		case "name":
			r.Name = value
		case "depth":
			r.Depth, err = boxCount(value)
		case "probe":
			r.Probe = value == "1"
		case "notable":
			r.Notable = value == "1"
		case "env":
			r.Env = value
		case "pid":
			r.PID, err = boxCount(value)
		case "born":
			r.born, err = strconv.ParseUint(value, 10, 64)
		case "took":
			r.Took, err = parseBoxDuration(value)
		case "code":
			var n int
			n, err = boxCount(value)
			r.Code, r.Ended = Code(n), true
		case "error":
			r.Error = value
		case "more":
			r.MoreTools, err = boxCount(value)
		case "tool":
			var t BoxTool
			t, err = parseBoxTool(value)
			r.Tools = append(r.Tools, t)
		case "why":
			if len(r.Tools) == 0 {
				return r, bad(key)
			}
			r.Tools[len(r.Tools)-1].Error = value
		}
		if err != nil {
			return r, bad(key)
		}
	}
	if !seen || r.Action == "" {
		return r, bad("without a time or an action")
	}
	return r, nil
}

func parseBoxTool(value string) (BoxTool, error) {
	code, rest, _ := strings.Cut(value, " ")
	took, command, ok := strings.Cut(rest, " ")
	if !ok {
		return BoxTool{}, errBoxText
	}
	t := BoxTool{Command: command}
	if code == "-" {
		return t, nil
	}
	t.Ended = true
	var err error
	if t.Took, err = parseBoxDuration(took); err != nil {
		return t, err
	}
	if code != "!" {
		t.Code, err = strconv.Atoi(code)
	}
	return t, err
}

// boxCount reads a number that cannot be negative.
func boxCount(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}
