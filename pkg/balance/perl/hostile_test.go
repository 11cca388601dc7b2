package perl

import (
	"strings"
	"testing"
)

// hostileTexts are made to be read again and again. Each is to be read within a few looks at each of its tokens.
func hostileTexts() map[string]string {
	r := strings.Repeat
	return map[string]string{
		"map in map, as hash references":  r("map { a => ", 60) + "1" + r(" } 1", 60),
		"map in map, not closed":          r("map { a => ", 190),
		"map in map, of several items":    r("map { 'a', ", 60) + "1" + r(" }, 1", 60),
		"hash references":                 r("+{ a => ", 190) + "1" + r("}", 190),
		"blocks that could be hashes":     r("{ a => ", 190) + "1" + r("}", 190),
		"braces":                          r("{", 60_000),
		"brackets":                        r("(", 60_000),
		"subs in subs":                    r("sub {", 12_000),
		"dereferences":                    r("@{", 30_000),
		"texts in texts":                  r("\"@{[ ", 90) + "1" + r(" ]}\"", 90),
		"errors":                          r("foo(;", 12_000),
		"signs":                           r("-", 60_000) + "1",
		"backslashes":                     r("\\", 60_000) + "$x",
		"conditions":                      r("$x ? ", 190) + "1" + r(" : 0", 190),
		"here documents without an end":   r("<<A", 16_000),
		"a pattern with nothing but open": "/" + r("(a|", 1_300) + "/",
	}
}

// TestHostileTexts: the work of reading is bounded by the length of the text, measured in tokens.
func TestHostileTexts(t *testing.T) {
	for name, code := range hostileTexts() {
		p := newParser(newSource(code, Position{File: "f", Line: 1, Col: 1}), testFuncs())
		p.parse()
		if most := 100*len(code) + 20_000; p.reads > min(most, maxReads) {
			t.Errorf("%s: %d tokens were read of %d bytes", name, p.reads, len(code))
		}
		if prog, diags := Compile([]byte(code), Position{}, testFuncs()); prog == nil && !hasError(diags) {
			t.Errorf("%s: no program and no error", name)
		}
	}
}

// TestReadingHasALimit: what would be read too often is refused with its own error, once.
func TestReadingHasALimit(t *testing.T) {
	p := newParser(newSource("my $x = 1; my $y = 2; my $z = 3;", Position{File: "f", Line: 1, Col: 1}), testFuncs())
	p.reads = maxReads - 10
	if root := p.parse(); root != nil {
		t.Error("it was read")
	}
	if len(p.diags) != 1 || !strings.HasPrefix(p.diags[0].Text, "limit: this algorithm is too involved to be read") {
		t.Errorf("%v", p.diags)
	}
}
