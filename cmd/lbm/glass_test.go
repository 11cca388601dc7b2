package main

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// glass is what a terminal shows of what was written to it: as much of xterm as tcell uses.
type glass struct {
	cells    [][]rune
	row, col int
	rest     string // of a sequence that has not ended
}

func newGlass(columns, lines int) *glass {
	g := &glass{cells: make([][]rune, lines)}
	for i := range g.cells {
		g.cells[i] = []rune(strings.Repeat(" ", columns))
	}
	return g
}

func (g *glass) String() string {
	var b strings.Builder
	for _, line := range g.cells {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}

func (g *glass) write(text string) {
	sequence := regexp.MustCompile(`^\x1b(?:\[([0-9;?<>=]*)([@-~])|\][^\x1b\x07]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cM])`)
	text = g.rest + text
	for g.rest = ""; text != ""; {
		if text[0] == '\x1b' {
			m := sequence.FindStringSubmatch(text)
			if m == nil { // it goes on in the next piece
				g.rest = text
				return
			}
			g.follow(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		if !utf8.FullRuneInString(text) {
			g.rest = text
			return
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch {
		case r == '\r':
			g.col = 0
		case r == '\n':
			g.row++
		case r >= ' ' && g.row < len(g.cells) && g.col < len(g.cells[g.row]):
			g.cells[g.row][g.col] = r
			g.col++
		}
	}
}

// follow does what a control sequence says: where to go on, and what to wipe.
func (g *glass) follow(numbers, what string) {
	number := func(i int) int {
		parts := strings.Split(numbers, ";")
		if i >= len(parts) {
			return 1
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return 1
		}
		return n
	}
	wipe := func(line []rune) {
		for i := range line {
			line[i] = ' '
		}
	}
	switch what {
	case "H":
		g.row, g.col = number(0)-1, number(1)-1
	case "J":
		for _, line := range g.cells {
			wipe(line)
		}
	case "K":
		if g.row < len(g.cells) {
			wipe(g.cells[g.row][min(g.col, len(g.cells[g.row])):])
		}
	}
}
