package balance

import (
	"strconv"
	"strings"
)

// A number with more than longDigits digits behind its point is shown with shortDigits in all.
const (
	longDigits  = 5
	shortDigits = 6
)

// Shorten shows the numbers of a text that have many digits with fewer: a mean of ten samples has sixteen. Where two that differ
// would look the same the text is left as it is: that 0.70000001 > 0.7 is true could not be seen.
func Shorten(text string) string {
	var out strings.Builder
	type number struct{ shown, is float64 }
	var seen []number
	done, short := 0, false
	for at := 0; at < len(text); {
		end, digits := numberAt(text, at)
		if end == at {
			at++
			continue
		}
		v, err := strconv.ParseFloat(text[at:end], 64)
		if err != nil { // too large: no sample
			return text
		}
		x := number{v, v}
		out.WriteString(text[done:at])
		if digits > longDigits {
			word := strconv.FormatFloat(v, 'g', shortDigits, 64)
			if x.shown, err = strconv.ParseFloat(word, 64); err != nil {
				return text
			}
			out.WriteString(word)
			short = true
		} else {
			out.WriteString(text[at:end])
		}
		for _, y := range seen {
			if y.shown == x.shown && y.is != x.is {
				return text
			}
		}
		seen = append(seen, x)
		at, done = end, end
	}
	if !short {
		return text
	}
	return out.String() + text[done:]
}

// numberAt tells where the number ends that begins there, and how many digits it has behind its point. There is none where end is at.
func numberAt(text string, at int) (end, digits int) {
	word := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || text[i] == '.' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || isDigit(text[i]))
	}
	run := func(i int) int {
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		return i
	}
	if word(at-1) || run(at) == at {
		return at, 0
	}
	end = run(at)
	if end+1 < len(text) && text[end] == '.' && isDigit(text[end+1]) {
		from := end + 1
		end = run(from)
		digits = end - from
	}
	if end+2 < len(text) && text[end] == 'e' && (text[end+1] == '-' || text[end+1] == '+') && isDigit(text[end+2]) {
		end = run(end + 2)
	}
	if word(end) && !(text[end] == '.' && !word(end+1)) {
		return at, 0
	}
	return end, digits
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
