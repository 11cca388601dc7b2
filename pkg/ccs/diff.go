package ccs

import (
	"bytes"
	"fmt"
	"strings"
)

// around is how many lines of context a difference shows; maxSteps bounds the search for the shortest one.
const around, maxSteps = 3, 1000

// unified is the difference of two texts as patch reads it, "" if there is none.
func unified(path string, a, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	x, y := splitLines(a), splitLines(b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (new)\n", path, path)
	for _, h := range lineHunks(lineChanges(x, y)) {
		first, last := h[0], h[len(h)-1]
		x0, y0 := max(first.x-around, 0), max(first.y-around, 0)
		x1, y1 := min(last.x+last.gone+around, len(x)), min(last.y+last.come+around, len(y))
		// Two changes begin at the same distance from their context on both sides.
		before := min(first.x-x0, first.y-y0)
		x0, y0 = first.x-before, first.y-before
		after := min(x1-last.x-last.gone, y1-last.y-last.come)
		x1, y1 = last.x+last.gone+after, last.y+last.come+after
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", lineRange(x0, x1), lineRange(y0, y1))
		at := x0
		for _, c := range h {
			showLines(&out, ' ', x[at:c.x])
			showLines(&out, '-', x[c.x:c.x+c.gone])
			showLines(&out, '+', y[c.y:c.y+c.come])
			at = c.x + c.gone
		}
		showLines(&out, ' ', x[at:x1])
	}
	return out.String()
}

func splitLines(b []byte) [][]byte {
	all := bytes.SplitAfter(b, []byte("\n"))
	if len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	return all
}

func lineRange(from, to int) string {
	switch n := to - from; n {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	default:
		return fmt.Sprintf("%d,%d", from+1, n)
	}
}

func showLines(out *strings.Builder, mark byte, all [][]byte) {
	for _, line := range all {
		out.WriteByte(mark)
		out.Write(line)
		if !bytes.HasSuffix(line, []byte("\n")) {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// lineChange says that at line x of the old text so many lines go, and at line y of the new one so many come.
type lineChange struct{ x, gone, y, come int }

// lineHunks puts changes together whose contexts touch.
func lineHunks(all []lineChange) [][]lineChange {
	var out [][]lineChange
	for i, c := range all {
		if i > 0 && c.x-(all[i-1].x+all[i-1].gone) <= 2*around {
			out[len(out)-1] = append(out[len(out)-1], c)
			continue
		}
		out = append(out, []lineChange{c})
	}
	return out
}

// lineChanges finds what differs, by Myers' search for the shortest way from one text to the other. Where that is longer
// than maxSteps all lines between the first and the last difference are one change.
func lineChanges(x, y [][]byte) []lineChange {
	start := 0
	for start < len(x) && start < len(y) && bytes.Equal(x[start], y[start]) {
		start++
	}
	end := 0
	for end < len(x)-start && end < len(y)-start && bytes.Equal(x[len(x)-1-end], y[len(y)-1-end]) {
		end++
	}
	x, y = x[start:len(x)-end], y[start:len(y)-end]
	all, ok := shortestWay(x, y)
	if !ok {
		all = []lineChange{{0, len(x), 0, len(y)}}
	}
	for i := range all {
		all[i].x += start
		all[i].y += start
	}
	return all
}

func shortestWay(x, y [][]byte) ([]lineChange, bool) {
	limit := min(len(x)+len(y), maxSteps)
	mid := limit + 1
	far := make([]int, 2*limit+3) // how far along x each diagonal has come; far[mid+k] is that of x-y = k
	var steps [][]int             // far before each step, from mid-d to mid+d
	for d := 0; d <= limit; d++ {
		steps = append(steps, append([]int{}, far[mid-d:mid+d+1]...))
		for k := -d; k <= d; k += 2 {
			i := far[mid+k-1] + 1
			if k == -d || k != d && far[mid+k-1] < far[mid+k+1] {
				i = far[mid+k+1]
			}
			for i < len(x) && i-k < len(y) && bytes.Equal(x[i], y[i-k]) {
				i++
			}
			far[mid+k] = i
			if i >= len(x) && i-k >= len(y) {
				return walkBack(steps, len(x), len(y)), true
			}
		}
	}
	return nil, false
}

// walkBack follows the steps from the end to the beginning and joins neighbouring ones.
func walkBack(steps [][]int, i, j int) []lineChange {
	var back []lineChange
	for d := len(steps) - 1; d > 0; d-- {
		far := func(k int) int {
			if k < -d || k > d {
				return 0
			}
			return steps[d][k+d]
		}
		k := i - j
		down := k == -d || k != d && far(k-1) < far(k+1)
		c := lineChange{}
		if down {
			i = far(k + 1)
			j = i - (k + 1)
			c = lineChange{i, 0, j, 1}
		} else {
			i = far(k - 1)
			j = i - (k - 1)
			c = lineChange{i, 1, j, 0}
		}
		if n := len(back); n > 0 && back[n-1].x == c.x+c.gone && back[n-1].y == c.y+c.come {
			back[n-1] = lineChange{c.x, c.gone + back[n-1].gone, c.y, c.come + back[n-1].come}
		} else {
			back = append(back, c)
		}
	}
	out := make([]lineChange, 0, len(back))
	for n := len(back) - 1; n >= 0; n-- {
		out = append(out, back[n])
	}
	return out
}
