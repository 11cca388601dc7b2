package syntax

import (
	"fmt"
	"strings"
	"time"
)

const longest = 30 * 24 * time.Hour

// Duration reads `30s 10m 2h 1d`, at most 30 days; where an interval is given also `3` and `3 intervals`.
func Duration(text string, interval time.Duration) (time.Duration, error) {
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if digits == 0 || digits > 9 {
		return 0, fmt.Errorf("%q is not a time", text)
	}
	n := time.Duration(0)
	for _, c := range text[:digits] {
		n = n*10 + time.Duration(c-'0')
	}
	var unit time.Duration
	switch strings.TrimSpace(text[digits:]) {
	case "s":
		unit = time.Second
	case "m", "min":
		unit = time.Minute
	case "h":
		unit = time.Hour
	case "d":
		unit = 24 * time.Hour
	case "", "interval", "intervals":
		unit = interval
	}
	if unit == 0 {
		return 0, fmt.Errorf("%q is not a time with a unit", text)
	}
	if n == 0 || n > longest/unit {
		return 0, fmt.Errorf("%q is not between 1s and 30d", text)
	}
	return n * unit, nil
}
