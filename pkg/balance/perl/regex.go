package perl

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// maxPattern bounds the source of one pattern.
const maxPattern = 4 << 10

// The bounds of a compiled pattern: its instructions, and those times what each has to remember.
const (
	maxPatternSize   = 20_000
	maxPatternStates = 500_000
	maxStatesOfAll   = 2_000_000 // of all constant patterns of a rule
)

// regex is a compiled pattern. It runs on RE2, in time linear to the text.
type regex struct {
	src    string // as written
	flags  string // of those i m s x n that were given
	re     *regexp.Regexp
	groups int
	names  []string // by group
	dollar []int    // hidden groups that hold the line end before $: they are no part of the match
	size   int      // of the compiled pattern, in instructions
	cost   int      // how much a byte of text costs at most, in steps/256

	lineStart  bool // has ^ under /m
	looksBack  bool // has ^, \A, \b or \B
	translated string
	once       sync.Once
	behind     *regexp.Regexp // see resume
	progOnce   sync.Once
	prog       *syntax.Prog // see notEmpty
}

// String is what qr// shows.
func (r *regex) String() string { return "(?^" + r.flags + ":" + r.src + ")" }

// regexError is why a pattern is refused.
type regexError struct {
	text, hint string
	off        int // in the pattern
}

// compileRegex translates perl's pattern to RE2's.
func compileRegex(src, flags string) (*regex, *regexError) {
	if len(src) > maxPattern {
		return nil, &regexError{text: fmt.Sprintf("limit: a pattern of more than %d bytes", maxPattern)}
	}
	kept := ""
	for _, f := range []byte("msixn") {
		if strings.IndexByte(flags, f) >= 0 {
			kept += string(f)
		}
	}
	t := &translator{src: src, fold: strings.Contains(kept, "i"), multi: strings.Contains(kept, "m"),
		single: strings.Contains(kept, "s"), extended: strings.Contains(kept, "x"), noCapture: strings.Contains(kept, "n")}
	out, err := t.translate()
	if err != nil {
		return nil, err
	}
	tree, e := syntax.Parse(out, syntax.Perl)
	if e != nil {
		return nil, &regexError{text: regexText(e, src)}
	}
	size := patternSize(tree)
	if size > maxPatternSize || size*(t.groups+2) > maxPatternStates {
		return nil, &regexError{text: "limit: a pattern that counts or keeps too much", hint: "use smaller counts in {...}, and (?:...) for groups that nobody reads"}
	}
	re, e := regexp.Compile(out)
	if e != nil { // too large in RE2's own eyes
		return nil, &regexError{text: regexText(e, src)}
	}
	return &regex{src: src, flags: kept, re: re, size: size * (t.groups + 2), groups: t.groups, names: t.names, dollar: t.dollar, cost: 4 + 3*size,
		lineStart: t.lineStart, looksBack: t.looksBack, translated: out}, nil
}

// patternSize estimates the instructions of a pattern: a repetition is written out.
func patternSize(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += patternSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		times := re.Max
		if times < 0 {
			times = re.Min + 1
		}
		n *= max(times, 1)
	}
	return min(n, 1<<20)
}

// regexText says RE2's complaint in perl's words where there are some; most are found before RE2 sees the pattern.
func regexText(e error, src string) string {
	se, ok := e.(*syntax.Error)
	switch {
	case ok && se.Code == syntax.ErrInvalidRepeatSize:
		return "Quantifier in {,} bigger than 1000 in regex m/" + src + "/"
	case ok && se.Code == syntax.ErrInvalidRepeatOp:
		return "Nested quantifiers in regex; marked by <-- HERE in m/" + src + "/"
	}
	return "limit: " + e.Error()
}

// match is the last successful match: what $1, $& and @- read.
type match struct {
	text  string
	loc   []int // pairs of offsets, -1 for a group that took no part
	re    *regex
	again bool // the pattern at hand is empty and stands for that of another match
}

// search is a pattern at work on a text.
type search struct {
	m       *machine
	r       *regex
	text    string
	subject string // the text with each byte a character
	wide    bool
}

func (m *machine) search(r *regex, text string) search {
	subject, wide := widen(text)
	m.step(1 + len(text)>>8)
	if len(text)*r.cost>>8 > m.maxSteps {
		m.exceed("steps", m.maxSteps)
	}
	return search{m, r, text, subject, wide}
}

// find searches from the offset on; the result is in bytes of text, without hidden groups.
func (s *search) find(from int) []int {
	s.m.scan((len(s.text) - from) * s.r.cost >> 8)
	start := from
	if s.wide {
		start += countHigh(s.text[:from])
	}
	var loc []int
	switch {
	case start == 0:
		loc = s.r.re.FindStringSubmatchIndex(s.subject)
	case !s.r.looksBack:
		loc = shiftBy(s.r.re.FindStringSubmatchIndex(s.subject[start:]), start)
	default:
		loc = s.r.resume(s.subject, start)
	}
	if loc == nil {
		s.m.step(1 + (len(s.text)-from)*s.r.cost>>8)
		return nil
	}
	if end := len(s.subject); s.r.lineStart && end > 0 && loc[1] == end && s.subject[end-1] == '\n' {
		loc = s.byHand(loc[0]) // perl begins no line behind the last line end, as RE2 may have done here
	} else {
		loc = s.r.narrow(loc, s.text, s.wide)
	}
	if loc == nil {
		s.m.step(1 + (len(s.text)-from)*s.r.cost>>8)
		return nil
	}
	s.m.step(1 + (loc[1]-from)*s.r.cost>>8)
	return loc
}

// scan notes work that may be spared, so that the clock is looked at in time.
func (m *machine) scan(n int) {
	if m.scanned += n; m.scanned >= checkEvery {
		m.scanned = 0
		m.check()
	}
}

func shiftBy(loc []int, n int) []int {
	for i := range loc {
		if loc[i] >= 0 {
			loc[i] += n
		}
	}
	return loc
}

// resume searches from start with the character before it in view, as ^ and \b need:
// the pattern takes that character, skips as little as it can, and then is itself.
func (r *regex) resume(subject string, start int) []int {
	r.once.Do(func() { r.behind = regexp.MustCompile(`\A(?s:.)(?s:.*?)(` + r.translated + `)`) })
	before := start - 1
	for before > 0 && subject[before]&0xC0 == 0x80 {
		before--
	}
	loc := r.behind.FindStringSubmatchIndex(subject[before:])
	if loc == nil {
		return nil
	}
	return shiftBy(loc[2:], before)
}

// narrow cuts hidden groups and maps the offsets back to bytes.
func (r *regex) narrow(loc []int, text string, wide bool) []int {
	for _, g := range r.dollar { // the line end that $ looked at belongs to no group
		if s := loc[2*g]; s >= 0 && loc[2*g+1] > s {
			for i := 1; i < len(loc); i += 2 {
				if loc[i] > s {
					loc[i] = s
				}
			}
		}
	}
	out := loc
	if len(r.dollar) > 0 {
		out = make([]int, 0, 2*(r.groups+1))
		for g := 0; g*2 < len(loc); g++ {
			hidden := false
			for _, d := range r.dollar {
				hidden = hidden || d == g
			}
			if !hidden {
				out = append(out, loc[2*g], loc[2*g+1])
			}
		}
	}
	if wide {
		for i, p := range out {
			if p >= 0 {
				out[i] = byteOffset(text, p)
			}
		}
	}
	return out
}

// widen makes each byte a rune, so that a class means one byte. Text in ASCII stays as it is.
func widen(s string) (string, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			r := make([]rune, len(s))
			for j := 0; j < len(s); j++ {
				r[j] = rune(s[j])
			}
			return string(r), true
		}
	}
	return s, false
}

func countHigh(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			n++
		}
	}
	return n
}

// byteOffset maps an offset of the widened text back.
func byteOffset(s string, wide int) int {
	for i := 0; i < len(s); i++ {
		if wide <= 0 {
			return i
		}
		wide--
		if s[i] >= 0x80 {
			wide--
		}
	}
	return len(s)
}

// capture reads $1, $& and their kin.
func (m *machine) capture(name string) Value {
	if m.match == nil {
		return Value{}
	}
	loc, text := m.match.loc, m.match.text
	switch name {
	case "&":
		return String(text[loc[0]:loc[1]])
	case "`":
		return String(text[:loc[0]])
	case "'":
		return String(text[loc[1]:])
	case "+":
		for g := len(loc)/2 - 1; g > 0; g-- {
			if loc[2*g] >= 0 {
				return String(text[loc[2*g]:loc[2*g+1]])
			}
		}
		return Value{}
	}
	n := 0
	for i := 0; i < len(name) && n < len(loc); i++ {
		n = n*10 + int(name[i]-'0')
	}
	return m.match.group(n)
}

func (x *match) group(g int) Value {
	if 2*g+1 >= len(x.loc) || x.loc[2*g] < 0 {
		return Value{}
	}
	return String(x.text[x.loc[2*g]:x.loc[2*g+1]])
}

// matchOffsets makes @- or @+.
func (m *machine) matchOffsets(start bool) *array {
	a := m.newArray()
	if m.match == nil {
		return a
	}
	k := 1
	if start {
		k = 0
	}
	for ; k < len(m.match.loc); k += 2 {
		var v Value
		if p := m.match.loc[k]; p >= 0 {
			v = Int(int64(p))
		}
		m.made(slotBytes)
		a.v = append(a.v, m.newCell(v))
	}
	for start && a.v[len(a.v)-1].k == kUndef { // @- ends with the last group that took part, @+ with the last that there is
		a.v = a.v[:len(a.v)-1]
	}
	return a
}

// namedCaptures makes %+.
func (m *machine) namedCaptures() *hash {
	h := m.newHash()
	if m.match == nil {
		return h
	}
	for g, name := range m.match.re.names {
		if v := m.match.group(g); name != "" && v.k != kUndef && h.get(name) == nil {
			m.made(entryBytes)
			h.put(name, m.newCell(v))
		}
	}
	return h
}
