package trial

import (
	"errors"
	"unicode/utf8"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// appendAnswer adds the line of a result. It is written by hand: the encoder of the standard library would take as
// long as many a program.
func appendAnswer(b []byte, r Result) []byte {
	b = append(b, `{"value":[`...)
	for i, v := range r.Values {
		if i > 0 {
			b = append(b, ',')
		}
		if v.IsUndef() {
			b = append(b, "null"...)
		} else {
			b = appendString(b, Show(v))
		}
	}
	b = appendString(append(b, `],"stdout":`...), r.Output)
	b = append(b, `,"actions":[`...)
	for i, a := range r.Actions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a)
	}
	b = appendString(append(b, `],"error":`...), ErrorText(r.Err))
	return append(b, "}\n"...)
}

// ErrorText is what perl would leave in $@, or "".
func ErrorText(err error) string {
	var e *perl.RuntimeError
	if errors.As(err, &e) {
		return e.Text
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Show is a value as a string. A reference is what ref says of it, since its address is another each time.
func Show(v perl.Value) string {
	if kind := v.Ref(); kind != "" {
		return kind
	}
	return v.String()
}

const hex = "0123456789abcdef"

// appendString adds a JSON string. Perl's strings are bytes: one that is not UTF-8 is written as if each byte were a
// character of Latin-1, as perl's own JSON modules do.
func appendString(b []byte, s string) []byte {
	latin := !utf8.ValidString(s)
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ' || c == 0x7f || c >= 0x80 && latin:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
