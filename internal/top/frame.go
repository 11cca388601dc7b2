package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lbvm/lbvm/internal/term"
)

// Span is text in one style, and Line what stands on a line.
type (
	Span struct {
		Text    string
		Style   term.Style
		Reverse bool
	}
	Line []Span
)

// String is the line without its styles.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return strings.TrimRight(b.String(), " ")
}

// Order is by what VMs are sorted.
type Order string

// The orders.
const (
	ByName     Order = "name"
	ByNode     Order = "node"
	ByCPU      Order = "cpu"
	ByMemory   Order = "memory"
	ByDecision Order = "decision"
)

// Orders are all of them, in the order in which a key goes through them.
func Orders() []Order { return []Order{ByDecision, ByName, ByNode, ByCPU, ByMemory} }

// View is what of a snapshot is looked at, and how.
type View struct {
	Width, Height int // Height 0: as many lines as there are
	Now           time.Time
	Trouble       string // why the snapshot is not newer; "" is nothing
	Order         Order
	ByLoad        bool // nodes: the most loaded first, else by name
	First         int  // the first resource that is shown
	Selected      string
	Keys          bool // show which keys there are
	UTF8          bool
}

// late is from when on what was read, or the last pass, is pointed out as old.
const late = 3 * time.Minute

// Frame draws a snapshot. s is nil while nothing was read yet.
func Frame(s *Snapshot, v View) []Line {
	d := drawing{v: v}
	if s == nil {
		d.line(Span{Text: "lbm top: reading the shared storage ..."})
		d.trouble()
		return d.lines
	}
	d.head(s)
	nodes, vms, moves := d.room(s)
	d.nodes(s, nodes)
	d.vms(s, vms)
	d.moves(s, moves)
	if v.Keys {
		for d.v.Height > 0 && len(d.lines) < d.v.Height-1 {
			d.line()
		}
		d.line(Span{Text: "q quit  arrows select  Enter explain  s sort VMs  n nodes by load  < > resources", Style: term.Dim})
	}
	return d.lines
}

type drawing struct {
	v     View
	lines []Line
}

// line adds a line, cut to the width.
func (d *drawing) line(spans ...Span) {
	left := d.v.Width
	var out Line
	for _, s := range spans {
		s.Text = Printable(s.Text, d.v.UTF8)
		if d.v.Width > 0 {
			s.Text = cut(s.Text, left)
			left -= utf8.RuneCountInString(s.Text)
		}
		if s.Text != "" {
			out = append(out, s)
		}
	}
	d.lines = append(d.lines, out)
}

// Printable is text without what could do something to a terminal, and without characters that are wider than one cell.
func Printable(text string, wide bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == utf8.RuneError || r >= 0x7f && r < 0xa0 || r >= 0x300 && r < 0x370: // controls, marks that take no cell
			return '?'
		case r > '~' && !wide || r >= 0x1100 && !(r >= 0x2500 && r < 0x25a0) && r != '…':
			return '?'
		}
		return r
	}, text)
}

func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width, 0)])
}

func pad(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

func padLeft(text string, width int) string {
	text = cut(text, width)
	return strings.Repeat(" ", width-utf8.RuneCountInString(text)) + text
}

// age is how long ago something was, in one unit.
func age(now, then time.Time) string {
	a := now.Sub(then).Round(time.Second)
	switch {
	case a < 0:
		return "in " + (-a).String()
	case a < 2*time.Minute:
		return fmt.Sprintf("%ds", int(a.Seconds()))
	case a < 2*time.Hour:
		return fmt.Sprintf("%dm", int(a.Minutes()))
	case a < 48*time.Hour:
		return fmt.Sprintf("%dh", int(a.Hours()))
	}
	return fmt.Sprintf("%dd", int(a.Hours()/24))
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (d *drawing) head(s *Snapshot) {
	online := 0
	for _, n := range s.Nodes {
		if value(n.Online) {
			online++
		}
	}
	line := Line{{Text: "LBVM " + s.Cluster, Style: term.Strong}, {Text: fmt.Sprintf("  %d of %s online  %s", online, count(len(s.Nodes), "node"), count(len(s.VMs), "VM"))}}
	if p := s.Pass; p != nil {
		if !p.Quorate {
			line = append(line, Span{Text: "  NO QUORUM", Style: term.Bad})
		}
		style := term.Plain
		if d.v.Now.Sub(p.At) > late {
			style = term.Bad
		}
		line = append(line, Span{Text: "  last pass " + age(d.v.Now, p.At) + " ago", Style: style}, Span{Text: fmt.Sprintf(": %d balanced, %d to move", p.Balanced, p.Wanting)})
	}
	d.line(append(line, Span{Text: "  " + d.v.Now.Format("15:04:05"), Style: term.Dim})...)
	d.trouble()
	if d.v.Now.Sub(s.At) > late {
		d.line(Span{Text: "all below is " + age(d.v.Now, s.At) + " old", Style: term.Bad})
	}
	const few = 2
	for _, w := range s.Warnings[:min(few, len(s.Warnings))] {
		d.line(Span{Text: w, Style: term.Warn})
	}
	if more := len(s.Warnings) - few; more > 0 {
		d.line(Span{Text: fmt.Sprintf("and %d warnings more: lbm top -o json has them all", more), Style: term.Warn})
	}
	d.line()
}

func (d *drawing) trouble() {
	if d.v.Trouble != "" {
		d.line(Span{Text: d.v.Trouble, Style: term.Bad})
	}
}

// room shares the lines that are left among nodes, VMs and moves; negative is as many as there are.
func (d *drawing) room(s *Snapshot) (nodes, vms, moves int) {
	if d.v.Height <= 0 {
		return -1, -1, -1
	}
	left := max(d.v.Height-len(d.lines)-8, 3) // titles, blank lines, the keys
	moves = max(min(len(s.Moves), left/5), 1) // where there is none that is said
	nodes = min(len(s.Nodes), max((left-moves)/2, 1))
	return nodes, max(left-moves-nodes, 1), moves
}

func (d *drawing) nodes(s *Snapshot, room int) {
	list := slices.Clone(s.Nodes)
	if d.v.ByLoad && len(s.Resources) > 0 {
		r := s.Resources[min(d.v.First, len(s.Resources)-1)]
		load := func(n Node) float64 {
			v := n.Values[r.Name].Newest
			switch {
			case v == nil:
				return -1e300
			case r.Free:
				return -*v
			}
			return *v
		}
		slices.SortStableFunc(list, func(a, b Node) int { return cmp.Compare(load(b), load(a)) })
	}
	name := 8
	for _, n := range list {
		name = min(max(name, len(n.Name)), 24)
	}
	shown := s.Resources[min(d.v.First, max(len(s.Resources)-1, 0)):]
	if fit := max((d.v.Width-name-10-memoryWidth)/resourceWidth, 1); d.v.Width > 0 && len(shown) > fit {
		shown = shown[:fit]
	}
	title := pad("NODE", name) + "  GUESTS  " + pad("MEMORY", memoryWidth)
	for _, r := range shown {
		title += pad(strings.ToUpper(r.Name), resourceWidth)
	}
	d.line(Span{Text: title, Style: term.Strong})
	most := map[string]float64{}
	for _, r := range shown {
		most[r.Name] = fullBar(s, r)
	}
	for i, n := range list {
		if room >= 0 && i == room-1 && len(list) > room {
			d.line(Span{Text: fmt.Sprintf("and %d nodes more", len(list)-i), Style: term.Dim})
			break
		}
		style := term.Plain
		if n.Online != nil && !*n.Online {
			style = term.Bad
		}
		line := Line{{Text: pad(n.Name, name), Style: style}, {Text: "  " + padLeft(fmt.Sprint(n.Guests), 6) + "  "}}
		line = append(line, d.memory(n)...)
		for _, r := range shown {
			line = append(line, d.series(n.Values[r.Name], most[r.Name], r)...)
		}
		d.line(line...)
	}
	d.line()
}

// vms draws the table of VMs. That of which the selected one is a part is shown.
func (d *drawing) vms(s *Snapshot, room int) {
	list := Sorted(s, d.v.Order)
	from := 0
	if room >= 0 && len(list) > room {
		at := slices.IndexFunc(list, func(vm VM) bool { return vm.VM == d.v.Selected })
		from = min(max(at-room/2, 0), len(list)-room)
		list = list[from : from+room]
	}
	vm, node := 8, 8
	for _, x := range list {
		vm, node = min(max(vm, len(x.VM)), 28), min(max(node, len(value(x.Node))), 24)
	}
	more := ""
	if len(list) < len(s.VMs) {
		more = fmt.Sprintf(", %d to %d of %d", from+1, from+len(list), len(s.VMs))
	}
	d.line(Span{Text: "VMs by " + string(d.v.Order) + more, Style: term.Strong})
	d.line(Span{Text: pad("VM", vm) + "  " + pad("NODE", node) + "  STATE     CORES     MEM  " + pad("DECISION", decisionWidth) + "  WHY", Style: term.Dim})
	for _, x := range list {
		state := x.State
		if x.Frozen {
			state = "frozen"
		}
		said, style := decision(x)
		selected := x.VM == d.v.Selected
		cores, mem := "-", "-"
		if x.Cores != nil {
			cores = fmt.Sprintf("%.2f", *x.Cores)
		}
		if x.Mem != nil {
			mem = size(*x.Mem)
		}
		d.line(Span{Text: pad(x.VM, vm) + "  " + pad(cmp.Or(value(x.Node), "-"), node) + "  " + pad(state, 9) + padLeft(cores, 6) + padLeft(mem, 8) + "  ", Reverse: selected},
			Span{Text: pad(said, decisionWidth), Style: style, Reverse: selected}, Span{Text: "  " + x.Why, Reverse: selected})
	}
	d.line()
}

const decisionWidth = 30

// decision is what was decided about a VM, in a few words.
func decision(vm VM) (string, term.Style) {
	switch verdict := value(vm.Verdict); {
	case vm.Verdict == nil:
		return "not balanced", term.Dim
	case len(vm.Held) > 0:
		return "held: " + strings.Join(vm.Held, ", "), term.Warn
	case vm.Target != nil:
		return verdict + " to " + *vm.Target, term.Good
	default:
		return verdict, term.Plain
	}
}

// Sorted are the VMs in an order; what is unknown comes last, and equal ones by their name.
func Sorted(s *Snapshot, o Order) []VM {
	list := slices.Clone(s.VMs)
	rank := func(vm VM) int { // what is about to happen, or cannot, comes first
		switch {
		case vm.Verdict == nil:
			return 4
		case len(vm.Held) > 0:
			return 2
		case *vm.Verdict == "migrate":
			return 0
		case vm.Target != nil:
			return 1
		}
		return 3
	}
	slices.SortStableFunc(list, func(a, b VM) int {
		by := 0
		switch o {
		case ByNode:
			by = cmp.Compare(value(a.Node), value(b.Node))
		case ByCPU:
			by = cmp.Compare(value(b.Cores), value(a.Cores))
		case ByMemory:
			by = cmp.Compare(value(b.Mem), value(a.Mem))
		case ByDecision:
			by = cmp.Compare(rank(a), rank(b))
		}
		return cmp.Or(by, cmp.Compare(a.VM, b.VM))
	})
	return list
}

func (d *drawing) moves(s *Snapshot, room int) {
	list := s.Moves
	if room >= 0 {
		list = list[:min(room, len(list))]
	}
	d.line(Span{Text: "MOVES of the last 24 hours", Style: term.Strong})
	if len(list) == 0 {
		d.line(Span{Text: "none", Style: term.Dim})
	}
	for _, m := range list {
		when, style := "for "+age(d.v.Now, m.Begin), term.Good
		if m.End != nil {
			when, style = age(d.v.Now, *m.End)+" ago", term.Plain
			if m.Outcome != "moved" {
				style = term.Bad
			}
		}
		d.line(Span{Text: pad(when, 10)}, Span{Text: pad(m.Outcome, 10), Style: style}, Span{Text: fmt.Sprintf("%s from %s to %s by %s: %s", m.VM, m.Source, m.Target, m.By, m.Why)})
	}
}
