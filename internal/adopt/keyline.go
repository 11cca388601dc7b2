package adopt

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/splice"
)

// keyLine is a line KEY=value of an OpenVZ configuration, as vzctl reads it.
type keyLine struct {
	key, value string
	start, end int // of the value with its quotes
}

// keyLines reads what vzctl reads: no comments, no blanks around =, a value in quotes up to the last one of the line.
func keyLines(src []byte) []keyLine {
	var out []keyLine
	for at := 0; at < len(src); {
		end := len(src)
		if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := string(src[at:end])
		begin := at + len(line) - len(strings.TrimLeft(line, " \t\r\v\f"))
		at = end + 1
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" || key[0] == '#' || strings.ContainsAny(key, " \t") {
			continue
		}
		l := keyLine{key: key, value: value, start: begin + len(key) + 1, end: begin + len(line)}
		if rest, quoted := strings.CutPrefix(value, `"`); quoted {
			last := strings.LastIndexByte(rest, '"')
			if last < 0 {
				continue
			}
			l.value, l.end = rest[:last], l.start+last+2
		}
		out = append(out, l)
	}
	return out
}

func keyValue(src []byte, key string) string {
	value := ""
	for _, l := range keyLines(src) {
		if l.key == key {
			value = l.value
		}
	}
	return value
}

// setKeys gives src with keys set: the last line of a key counts, and one that is missing comes at the end. All other
// bytes stay.
func setKeys(src []byte, set ...[2]string) ([]byte, error) {
	var edits []splice.Edit
	lines := keyLines(src)
	end := ""
	if len(src) > 0 && src[len(src)-1] != '\n' {
		end = "\n"
	}
	for _, kv := range set {
		key, value := kv[0], kv[1]
		if strings.ContainsAny(value, "\"\\\n`") {
			return nil, fmt.Errorf("%s=%q cannot be written", key, value)
		}
		at := -1
		for i, l := range lines {
			if l.key == key {
				at = i
			}
		}
		switch {
		case at >= 0 && lines[at].value == value:
		case at >= 0:
			edits = append(edits, splice.Edit{Start: lines[at].start, End: lines[at].end, Text: []byte(`"` + value + `"`)})
		default:
			edits = append(edits, splice.Edit{Start: len(src), End: len(src), Text: []byte(end + key + `="` + value + "\"\n")})
			end = ""
		}
	}
	out, err := splice.Apply(src, edits)
	if err != nil {
		return nil, err
	}
	for _, kv := range set { // read again: what was meant is there
		if got := keyValue(out, kv[0]); got != kv[1] {
			return nil, fmt.Errorf("%s reads as %q after the edit, and %q was meant", kv[0], got, kv[1])
		}
	}
	return out, nil
}
