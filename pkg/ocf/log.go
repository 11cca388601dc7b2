package ocf

import (
	"fmt"
	"strconv"
	"strings"
)

// Level is how grave a message is, in syslog's numbers.
type Level int

// The levels that agents use.
const (
	LevelCrit    Level = 2
	LevelError   Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
	LevelDebug   Level = 7 // a terminal shows it, the system log does not get it
)

// String is the level's word.
func (l Level) String() string {
	switch l {
	case LevelCrit:
		return "critical"
	case LevelError:
		return "error"
	case LevelWarning:
		return "warning"
	case LevelNotice:
		return "notice"
	case LevelInfo:
		return "info"
	case LevelDebug:
		return "debug"
	}
	return "level " + strconv.Itoa(int(l))
}

// Logger takes messages: a constant text, and what it is about as keys and values in turn.
type Logger interface {
	Log(level Level, msg string, kv ...any)
}

// render is a message as one text.
func render(msg string, kv []any) string {
	var b strings.Builder
	b.WriteString(msg)
	for i := 0; i < len(kv); i += 2 {
		value := "(missing)"
		if i+1 < len(kv) {
			value = fmt.Sprint(kv[i+1])
		}
		if value == "" || strings.ContainsAny(value, " =\"\n\t") {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, " %v=%s", kv[i], value)
	}
	return b.String()
}

const (
	maxLine  = 125 // rgmanager's own log cuts at 126 bytes, the prefix counted
	maxLines = 8   // of one message
	maxType  = 24
)

// lines cuts a message into lines that the log takes whole: ASCII, each with the prefix, cut between words.
func lines(manager Dialect, pid int, typ, text string) []string {
	prefix := fmt.Sprintf("%s[%d]: [%.*s] ", manager, pid, maxType, ascii(typ))
	text = strings.TrimSpace(ascii(text))
	var out []string
	for {
		lead := ""
		if len(out) > 0 {
			lead = "+ "
		}
		room := maxLine - len(prefix) - len(lead)
		if len(text) <= room {
			return append(out, prefix+lead+text)
		}
		if len(out) == maxLines-1 {
			head, _ := cutWord(text, room-len(" ..."))
			return append(out, prefix+lead+head+" ...")
		}
		var head string
		head, text = cutWord(text, room)
		out = append(out, prefix+lead+head)
	}
}

// cutWord cuts s at its last space within n bytes, or hard at n where that would leave little.
func cutWord(s string, n int) (head, rest string) {
	at := strings.LastIndexByte(s[:n+1], ' ')
	if at < n/2 {
		at = n
	}
	return strings.TrimRight(s[:at], " "), strings.TrimLeft(s[at:], " ")
}

// ascii is s without anything that could break a line or a terminal.
func ascii(s string) string {
	clean := func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}
	return strings.Map(clean, s)
}
