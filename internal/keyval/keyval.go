// Package keyval reads and writes the two plain text forms that our small files have:
// a file of `key=value` lines (state records, tickets, facts, identities) and journal
// records of one line, `TIME key=value key="quoted value"`.
package keyval

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Pair is one key with its value.
type Pair struct{ Key, Value string }

// Pairs keeps the order of a file. A key may stand more than once.
type Pairs []Pair

// Get is the value of the first key of that name, or "".
func (p Pairs) Get(key string) string {
	v, _ := p.Lookup(key)
	return v
}

// Lookup is Get that tells a missing key from an empty value.
func (p Pairs) Lookup(key string) (string, bool) {
	for _, x := range p {
		if x.Key == key {
			return x.Value, true
		}
	}
	return "", false
}

// All is every value of that key, in order.
func (p Pairs) All(key string) []string {
	var out []string
	for _, x := range p {
		if x.Key == key {
			out = append(out, x.Value)
		}
	}
	return out
}

// ErrTorn says that the last line lacks its newline: the writer was cut off.
var ErrTorn = errors.New("the last line is cut off")

// Parse reads `key=value` lines. Blank lines and lines that begin with # are passed over. A value is taken
// as it stands; it cannot hold a newline.
func Parse(text []byte) (Pairs, error) {
	s := string(text)
	if s != "" && !strings.HasSuffix(s, "\n") {
		return nil, ErrTorn
	}
	var out Pairs
	for i, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !validKey(key) {
			return nil, fmt.Errorf("line %d is not key=value: %q", i+1, line)
		}
		out = append(out, Pair{key, value})
	}
	return out, nil
}

// Format writes the pairs as `key=value` lines. A newline in a value becomes a space.
func (p Pairs) Format() []byte {
	var b strings.Builder
	for _, x := range p {
		b.WriteString(x.Key)
		b.WriteByte('=')
		b.WriteString(strings.NewReplacer("\n", " ", "\r", " ").Replace(x.Value))
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// Record writes a journal line: the time as RFC 3339 with offset, then the pairs, quoted where they need it.
func Record(at time.Time, p Pairs) []byte {
	var b strings.Builder
	b.WriteString(at.Format(time.RFC3339Nano))
	for _, x := range p {
		b.WriteByte(' ')
		b.WriteString(x.Key)
		b.WriteByte('=')
		if x.Value == "" || strings.ContainsFunc(x.Value, needsQuote) {
			b.WriteString(strconv.Quote(x.Value))
		} else {
			b.WriteString(x.Value)
		}
	}
	b.WriteByte('\n')
	return []byte(b.String())
}

// ParseRecord reads one journal line, without or with its newline.
func ParseRecord(line string) (time.Time, Pairs, error) {
	line = strings.TrimSuffix(line, "\n")
	stamp, rest, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("record does not begin with a time: %q", stamp)
	}
	var out Pairs
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok || !validKey(key) {
			return time.Time{}, nil, fmt.Errorf("record holds %q where key=value is due", rest)
		}
		var value string
		if strings.HasPrefix(after, `"`) {
			quoted, err := strconv.QuotedPrefix(after)
			if err != nil {
				return time.Time{}, nil, fmt.Errorf("value of %s: %w", key, err)
			}
			if value, err = strconv.Unquote(quoted); err != nil {
				return time.Time{}, nil, fmt.Errorf("value of %s: %w", key, err)
			}
			after = after[len(quoted):]
			if after != "" && after[0] != ' ' {
				return time.Time{}, nil, fmt.Errorf("value of %s: text behind the quote", key)
			}
		} else {
			value, _, _ = strings.Cut(after, " ")
			after = after[len(value):]
		}
		out = append(out, Pair{key, value})
		rest = strings.TrimPrefix(after, " ")
	}
	return at, out, nil
}

func needsQuote(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r == '=' || r > '~' }

func validKey(k string) bool {
	if k == "" {
		return false
	}
	for _, r := range k {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-' {
			return false
		}
	}
	return true
}
