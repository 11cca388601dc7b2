package protocol

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

const page = "../../../docs/handoff.md"

// The tables of the page are these tables. UPDATE=1 (make generate) writes them anew.
func TestPageIsCurrent(t *testing.T) {
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := string(was)
	for name, text := range blocks() {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(now, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Errorf("the page has no place for %q", name)
			continue
		}
		now = before + begin + text + end + after
	}
	if n := strings.Count(now, "<!-- generated: "); n != len(blocks()) {
		t.Errorf("the page has %d generated places, and there are %d", n, len(blocks()))
	}
	if now == string(was) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatal("docs/handoff.md is stale: make generate")
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

// blocks are the generated parts of the page.
func blocks() map[string]string {
	out := map[string]string{"phases": phasesTable(), "transitions": transitionsTable(), "rules": rulesTable(), "deaths": deathsTable(), "crashes": crashesTable(), "cures": curesTable()}
	for _, table := range Tables() {
		out[table.Name] = rowsTable(table)
	}
	return out
}

func table(head string, lines [][]string) string {
	var b strings.Builder
	columns := strings.Split(head, "|")
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, cells := range lines {
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

func phasesTable() string {
	var lines [][]string
	for _, p := range Phases() {
		lines = append(lines, []string{"`" + p.Phase.String() + "`", p.Text})
	}
	return table("phase|what it says", lines)
}

func transitionsTable() string {
	var lines [][]string
	for _, x := range handoff.Transitions() {
		lines = append(lines, []string{"`" + x.From.String() + "`", "`" + x.To.String() + "`", x.When})
	}
	return table("from|to|when", lines)
}

func rulesTable() string {
	var lines [][]string
	for _, r := range Rules() {
		lines = append(lines, []string{fmt.Sprintf("R%d", r.Number), r.Name, r.Text, r.Why})
	}
	return table("rule|name|what holds|what happens without it", lines)
}

func rulesText(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, fmt.Sprintf("R%d", n))
	}
	return strings.Join(words, " ")
}

// rowsTable tells for each row with which guests and records it is the one that counts: that is tried, not written.
func rowsTable(t Table) string {
	guests, phases := map[string][]string{}, map[string][]string{}
	add := func(m map[string][]string, row, word string) {
		if !slices.Contains(m[row], word) {
			m[row] = append(m[row], word)
		}
	}
	for _, v := range viewsOf(t.Name) {
		r := Find(t.Rows, v)
		add(guests, r.Name, v.Guest.String())
		phase := v.Phase.String()
		if v.Phase == handoff.PhaseUnknown {
			phase = "not readable"
		}
		add(phases, r.Name, phase)
	}
	some := func(words []string, all int) string {
		if len(words) >= all {
			return "any"
		}
		return strings.Join(words, ", ")
	}
	allPhases := map[string]bool{}
	for _, words := range phases {
		for _, w := range words {
			allPhases[w] = true
		}
	}
	var lines [][]string
	for _, r := range t.Rows {
		line := []string{r.Name, some(guests[r.Name], len(Guests())), some(phases[r.Name], len(allPhases)), r.Words, rulesText(r.Rules)}
		if t.Name == "stop of a running VM" || t.Name == "status" {
			line = []string{r.Name, r.Words, rulesText(r.Rules)}
		}
		lines = append(lines, line)
	}
	head := "row|the guest is|the record says|what it means and what is done|rules"
	if len(lines[0]) == 3 {
		head = "row|what it means and what is done|rules"
	}
	return t.About + "\n\n" + table(head, lines)
}

func deathsTable() string {
	who := map[Place]string{AtNode: "its node", AtTo: "the target", AtBoth: "source and target", AtOther: "any node"}
	var lines [][]string
	for _, d := range Deaths() {
		lines = append(lines, []string{"`" + d.Phase.String() + "`", who[d.Who], d.Words})
	}
	return table("record|who dies|what comes of the VM once the death is proved", lines)
}

func crashesTable() string {
	var lines [][]string
	for _, c := range Crashes() {
		var phases []string
		for _, p := range c.Phases {
			phases = append(phases, "`"+p.String()+"`")
		}
		lines = append(lines, []string{c.When, strings.Join(phases, " "), dash(c.Killed), dash(c.Dies), rulesText(c.Rules)})
	}
	return table("when|record|an agent or relocator is cut off|a node dies|rules", lines)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func curesTable() string {
	var lines [][]string
	for _, c := range Cures() {
		lines = append(lines, []string{c.Says, c.Means, c.Do})
	}
	return table("the log says|it means|what to do", lines)
}

// Every refusal of a table has its cure, and every deed its name.
func TestRefusalsHaveCures(t *testing.T) {
	for d := Deed(0); int(d) < Deeds; d++ {
		if d.String() == "" || slices.Index(deedNames[:], d.String()) != int(d) {
			t.Errorf("deed %d is called %q, as another is, or not at all", d, d)
		}
		if c := CureOf(d); d.Refuses() && (c.Means == "" || c.Do == "" || c.Says == "") {
			t.Errorf("nobody says what to do about %q", d)
		}
	}
	for p := handoff.PhaseUnknown; p <= handoff.Sent; p++ {
		if PhaseText(p) == "" || PhaseText(p) == PhaseText(handoff.PhaseUnknown) && p != handoff.PhaseUnknown {
			t.Errorf("nobody says what phase %s is", p)
		}
	}
}
