package perl

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// shrink makes a program small that the engine and perl answer differently: it takes statements away, puts parts of an
// expression or plain values in its place and leaves out pieces of the text, as long as the answers differ in the same way.
func shrink(t *testing.T, path, code string, engine func(string) answer) (small string, got, want answer) {
	t.Helper()
	p, err := startPerl(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ask := func(codes []string) []answer {
		answers, err := p.send(codes)()
		if err != nil {
			t.Fatal(err)
		}
		return answers
	}
	got, want = engine(code), ask([]string{code})[0]
	kind := differenceKind(got, want)
	for {
		next := ""
		all := smaller(code)
		for len(all) > 0 && next == "" {
			var batch []string
			var mine []answer
			for len(all) > 0 && len(batch) < 100 {
				if g := engine(all[0]); harmless(g, kind) {
					batch, mine = append(batch, all[0]), append(mine, g)
				}
				all = all[1:]
			}
			for i, w := range ask(batch) {
				g := mine[i]
				if compareAnswers(g, w) == differ && differenceKind(g, w) == kind && quirkOf(batch[i], g, w) == "" && !incidental(batch[i], g, w, engine) {
					next, got, want = batch[i], g, w
					break
				}
			}
		}
		if next == "" {
			return code, got, want
		}
		code = next
	}
}

// harmless keeps from perl what the engine refuses: a piece of a program may be a program that does anything.
func harmless(got answer, kind string) bool {
	if strings.HasPrefix(got.err, "compile:") {
		return kind == onlyEngineRefuses && !strings.Contains(got.err, "not available") && !strings.Contains(got.err, "Undefined subroutine")
	}
	return true
}

var processNumber = regexp.MustCompile(`\$\$(\W|$)`)

// incidental tells what differs from one run to the next: addresses, the order of hashes, and the number of the process.
func incidental(code string, got, want answer, engine func(string) answer) bool {
	letters := func(a answer) string {
		b := []byte(strings.Join(a.values, "") + a.out)
		slices.Sort(b)
		return string(b)
	}
	again := engine(code)
	return again.String() != got.String() || strings.Contains(code, "%") && letters(got) == letters(want) || processNumber.MatchString(code)
}

const onlyEngineRefuses = "only the engine refuses it"

// differenceKind keeps a shrunk program from becoming an example of something else.
func differenceKind(got, want answer) string {
	switch {
	case strings.HasPrefix(got.err, "compile:"):
		return onlyEngineRefuses
	case strings.HasPrefix(got.err, "internal"):
		return "the engine is at fault"
	case want.refused:
		return "only perl refuses it: " + want.err[:min(len(want.err), 12)]
	case (got.err == "") != (want.err == ""):
		return "one of them dies"
	case len(got.values) != len(want.values):
		return "the number of values"
	case strings.Join(got.values, "\x00") != strings.Join(want.values, "\x00"):
		return "the values"
	}
	return "what it wrote"
}

var (
	lineText  = regexp.MustCompile(`[^\n]+\n?`)
	tokenText = regexp.MustCompile(`\w+|\s+|.`)
)

// smaller gives shorter programs made from code, the shortest first.
func smaller(code string) []string {
	found := map[string]bool{}
	lines := lineText.FindAllStringIndex(code, -1)
	add := func(from, to int, text string) {
		if from >= 0 && from <= to && to <= len(code) {
			if s := strings.TrimSpace(code[:from] + text + code[to:]); len(s) < len(code) && s != "" {
				found[s] = true
			}
		}
	}
	p := newParser(newSource(code, Position{File: "algorithm", Line: 1, Col: 1}), differentialFuncs())
	if root := p.parse(); root != nil {
		var walk func(*node)
		walk = func(n *node) {
			from, to := n.off, n.end
			kids := n.kids
			if n.sub != nil {
				kids = append(kids[:len(kids):len(kids)], n.sub.body)
			}
			if from < to {
				add(from, to, "")
				for _, s := range []string{"1", "0", "''", "$x", "()"} {
					add(from, to, s)
				}
				var inner func([]*node, int)
				inner = func(list []*node, depth int) {
					for _, k := range list {
						if k == nil || depth > 3 {
							continue
						}
						if k.off >= from && k.end <= to && k.off < k.end {
							add(from, to, code[k.off:k.end])
							add(from, to, strings.Trim(code[k.off:k.end], "{} "))
						}
						inner(k.kids, depth+1)
					}
				}
				inner(kids, 0)
			}
			n.each(walk)
			if n.sub != nil {
				walk(n.sub.body)
			}
		}
		walk(root)
	}
	if len(code) > 300 { // statements go first; single words would take too long
		for size := len(lines); size > 0; size /= 2 {
			for i := 0; i+size <= len(lines); i += size {
				add(lines[i][0], lines[i+size-1][1], "")
			}
		}
		return shortestFirst(found)
	}
	tokens := tokenText.FindAllStringIndex(code, -1)
	for _, size := range []int{1, 2, 3, 4, 5, 6, 8, 11, 16, 24, 32, 64, 128} {
		for i := 0; i+size <= len(tokens); i++ {
			add(tokens[i][0], tokens[i+size-1][1], "")
		}
	}
	for i, a := range tokens { // both brackets of a pair
		if j := strings.IndexByte("([{", code[a[0]]); j >= 0 {
			depth := 0
			for _, b := range tokens[i:] {
				if code[b[0]] == "([{"[j] {
					depth++
				} else if code[b[0]] == ")]}"[j] {
					if depth--; depth == 0 {
						add(a[0], b[1], code[a[1]:b[0]])
						break
					}
				}
			}
		}
	}
	for _, name := range regexp.MustCompile(`\bp\d+\b`).FindAllString(code, -1) {
		for _, short := range []string{"p", "q", "r", "s"} {
			if s := strings.ReplaceAll(code, name, short); !strings.Contains(code, "$"+short) && len(s) < len(code) {
				found[s] = true
			}
		}
	}
	return shortestFirst(found)
}

func shortestFirst(found map[string]bool) []string {
	list := make([]string, 0, len(found))
	for s := range found {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool {
		return len(list[i]) < len(list[j]) || len(list[i]) == len(list[j]) && list[i] < list[j]
	})
	return list
}

// TestShrink plants a fault, an engine whose * is +, and sees the differences end in a program of a few tokens.
func TestShrink(t *testing.T) {
	path := real.Need(t, "perl")
	planted := func(code string) answer { return engineAnswer(strings.ReplaceAll(code, " * ", " + ")) }
	sum := compareAll(t, path, allCells(), 7, 500, planted)
	if len(sum.differ) == 0 {
		t.Fatal("the planted fault was not found")
	}
	longest, tokens := "", 0
	for _, d := range sum.differ[:min(3, len(sum.differ))] {
		code := d.code
		small, got, want := shrink(t, path, code, planted)
		t.Logf("%d bytes became: %s (%s, perl %s)", len(code), small, got, want)
		if n := len(strings.Fields(small)); n > tokens {
			longest, tokens = small, n
		}
		if !strings.Contains(small, " * ") {
			t.Errorf("the fault is gone from %s", small)
		}
	}
	if n := len(tokenText.FindAllString(strings.ReplaceAll(longest, " ", ""), -1)); n > 12 {
		t.Errorf("%d tokens are left: %s", n, longest)
	}
}
