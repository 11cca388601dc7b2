package top

import (
	"fmt"
	"math"
	"strings"

	"github.com/lbvm/lbvm/internal/term"
)

// Widths of a node's columns: the numbers, a bar, and of a resource what it was in the last half hour; blanks included.
const (
	barWidth      = 10
	memoryWidth   = 7 + barWidth + 2
	resourceWidth = 8 + barWidth + 1 + Points + 2
)

// A value above these shares of a full bar stands out.
const (
	high  = 0.75
	above = 0.90
)

// fullBar is the value of a full bar: that of the resource, or the highest that is shown.
func fullBar(s *Snapshot, r Resource) float64 {
	if r.Full > 0 {
		return r.Full
	}
	most := 0.0
	see := func(v *float64) {
		if v != nil && !math.IsInf(*v, 0) && *v > most {
			most = *v
		}
	}
	for _, n := range s.Nodes {
		x := n.Values[r.Name]
		see(x.Newest)
		for _, m := range x.Means {
			see(m)
		}
	}
	return most
}

func share(v, full float64) float64 {
	if full <= 0 || math.IsNaN(v) {
		return 0
	}
	return min(max(v/full, 0), 1)
}

func (d *drawing) bar(share float64) string {
	full, rest := "#", "."
	if d.v.UTF8 {
		full, rest = "█", "░"
	}
	n := int(math.Round(share * barWidth))
	return strings.Repeat(full, n) + strings.Repeat(rest, barWidth-n)
}

// spark draws values as small bars, one cell each; a blank is one that is not known.
func (d *drawing) spark(values []*float64, full float64) string {
	levels := []rune("_.-:=+*#")
	if d.v.UTF8 {
		levels = []rune("▁▂▃▄▅▆▇█")
	}
	var b strings.Builder
	for i := range Points {
		if i >= len(values) || values[i] == nil {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(levels[min(int(share(*values[i], full)*float64(len(levels))), len(levels)-1)])
	}
	return b.String()
}

func loadStyle(share float64) term.Style {
	switch {
	case share >= above:
		return term.Bad
	case share >= high:
		return term.Warn
	}
	return term.Good
}

// memory is how much of a node's memory is taken.
func (d *drawing) memory(n Node) Line {
	if n.MemTotal == nil || *n.MemTotal <= 0 {
		return Line{{Text: pad("-", memoryWidth)}}
	}
	used := share(float64(*n.MemTotal-value(n.MemFree)), float64(*n.MemTotal))
	return Line{{Text: pad(size(*n.MemTotal), 7)}, {Text: d.bar(used), Style: loadStyle(used)}, {Text: "  "}}
}

func (d *drawing) series(s Series, full float64, r Resource) Line {
	if s.Newest == nil {
		return Line{{Text: pad("-", resourceWidth), Style: term.Dim}}
	}
	x, style := share(*s.Newest, full), term.Plain
	if r.Full > 0 && !r.Free {
		style = loadStyle(x)
	}
	text := number(*s.Newest)
	if !s.Fresh {
		text, style = text+"?", term.Dim
	}
	return Line{{Text: pad(text, 8)}, {Text: d.bar(x) + " ", Style: style}, {Text: d.spark(s.Means, full), Style: style}, {Text: "  "}}
}

// number is a value in seven characters at most.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a < 10:
		return fmt.Sprintf("%.2f", v)
	case a < 1000:
		return fmt.Sprintf("%.1f", v)
	case a < 1e6:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1e", v)
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%dG", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1fG", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%dM", n>>20)
}
