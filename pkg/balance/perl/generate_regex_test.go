package perl

import (
	"regexp"
	"strings"
)

// regex writes a match.
func (g *generator) regex() string {
	switch g.r.Intn(4) {
	case 0:
		return g.pick("/a/", "/^\\d+/", "/(\\w)(\\d)?/", "/b.*c/", "/\\s+/", "/o|l/i", "/^[a-c]+$/", "/(\\d+)\\.?(\\d*)/", "/$/", "/\\bb/", "/x*/", "/\\./", "/[^a-z]/", "/^.{2,3}$/", "m{e+}", "/(?:a|b)+?/", "/\\W/", "/A/i", "/\\Q$y\\E/", "/(?<n>\\w)(?<m>.)/", "m!^/?!", "/(a)|(b)/", "/^\\s*$/m", "/. b/x", "/l.n/s", "m'a'", "qr/b+/i")
	case 1:
		return g.pick("/$i/", "/^${j}a/", "/[$i-]/", "/\\x61/", "/\\101/", "/[[:digit:]]/", "/[\\w.]+/", "/(?i)ABC/", "/(?i:H)e/", "/\\Ah/i", "/e\\z/", "/e\\Z/", "/[\\]a]/", "/[^\\d\\s]+/", "/\\t|\\n/", "/\\N+/", "/\\h\\H/", "/a{0}b/", "/\\//", "/a(?#c)b/")
	}
	return "/" + g.pattern() + "/" + g.pick("", "", "", "i", "s", "m", "x", "ms")
}

// pattern writes a random regex of the subset.
func (g *generator) pattern() string {
	var b strings.Builder
	if g.one(6) {
		b.WriteString(g.pick("^", "\\b", "\\A"))
	}
	for n := 1 + g.r.Intn(3); n > 0; n-- {
		b.WriteString(g.atom(0))
	}
	if g.one(8) {
		b.WriteString("|" + g.atom(0))
	}
	if g.one(6) {
		b.WriteString(g.pick("$", "\\z", "\\b", "\\B"))
	}
	return b.String()
}

func (g *generator) atom(depth int) string {
	var s string
	k := g.r.Intn(12)
	if depth > 1 {
		k = g.r.Intn(9)
	}
	switch k {
	case 0, 1, 2:
		return g.pick("a", "b", "c", "o", "1", "e", ",", "-", "\\.", "x", " ") // perhaps with a quantifier by the next
	case 3, 4:
		s = g.pick("a", "b", "l", "o", "n", "1")
	case 5, 6:
		s = g.pick(".", "\\d", "\\w", "\\s", "\\W", "\\D", "\\S")
	case 7, 8:
		s = g.pick("[a-c]", "[^a-c]", "[abo]", "[\\d.]", "[^,]", "[a-z0-9]", "[-a]", "[\\s\\w]", "[A-Z]")
	case 9:
		if q := g.pick("", "", "?", "+", "{1,2}", "*?"); q != "" { // what is repeated is never empty: see knownQuirks
			return "(" + g.atom(depth+1) + g.pick("a", "b", "o", ".", "\\w", "[^,]") + ")" + q
		}
		return "(" + g.atom(depth+1) + g.atom(depth+1) + ")"
	case 10:
		return "(" + g.pick("", "?:") + g.atom(depth+1) + "|" + g.atom(depth+1) + ")"
	default:
		inner, q := g.atom(depth+1), g.pick("", "?", "+", "{2}")
		if strings.Contains(inner, "(") { // what a group within a repeated one keeps: see knownQuirks
			q = ""
		}
		return "(?:" + inner + g.pick("a", "l", "1", ".", "\\d", "[abo]") + ")" + q
	}
	return s + g.pick("", "", "", "*", "+", "?", "{2}", "{1,2}", "+?", "*?", "??", "{1,}")
}

// keepsTraces tells a group beside an alternative: the last attempt of s///g, which fails, leaves its traces in $1 and $+ of perl.
var keepsTraces = regexp.MustCompile(`\((\?<|[^?]).*\||\|.*\(`)

func (g *generator) substitution(flags string) string {
	if g.one(3) {
		p, how := g.pattern(), g.pick("", "g", "g", "gi", "i", "m")
		if keepsTraces.MatchString(p) {
			how = strings.Trim(how, "g")
		}
		return "s/" + p + "/" + g.pick("X", "<$&>", "", "-", "[$1]", "\\u$&", "$x") + "/" + how + flags
	}
	if g.one(6) {
		return "s" + g.pick("/(\\d)/$1+1/e", "/(\\w)/ord($1)/ge", "{a}{uc $&}e", "/b/f1(1)/e", "/./$i++/ge") + flags
	}
	return "s" + g.pick("/a/X/", "/\\d/#/g", "/(\\w)/<$1>/", "/\\s+//g", "/b*/-/g", "/^/>/", "/$/</", "/(.)(.)/$2$1/g", "/o/0/gi", "/^/> /mg", "/\\b/|/g", "/$/!/mg", "/x*/./g", "{a}{b}g", "'a'$x'", "/(?<n>\\w)/$+{n}$+{n}/", "/\\n//", "/^\\s+|\\s+$//g", "/(a)|b/$1/") + flags
}

func (g *generator) transliteration(flags string) string {
	t := g.pick("/a-c/A-C/", "/a-z//d", "/0-9/x/", "/a-zA-Z//cd", "/a-y/b-z/", "/b//s", "/ab/xy/", "/a-zA-Z/n-za-mN-ZA-M/", "/a-z//cs", "/\\n\\t/  /", "/-a/+b/", "/abc/x/d", "/a-c/x-y/s", "{o}{0}", "/\\x00-\\xff//cd", "/a//")
	op := g.pick("tr", "y")
	if flags == "r" && strings.HasSuffix(t, "//") {
		t = "/a/b/"
	}
	return op + t + flags
}
