package perl

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// mutantsVariable makes all mutants run; `make fuzz` sets it.
const mutantsVariable = "LBVM_PLANTED"

// mutantNames picks some of them.
var mutantNames = flag.String("perl.mutants", "", "the mutants to try, as a pattern for their names")

// mutant is one wrong answer put into the engine: a text that stands in it exactly once, and what stands there instead.
type mutant struct {
	name, text, instead string
	quick               bool // belongs to every run of the tests
}

// hashCount is where a hash is counted in scalar context.
const hashCount = `return Int(int64(len(a(m).v))) }
	case '%':
		h := c.hash(n, false)
		return func(m *machine) Value {
			if x := h(m); x != nil {
				return Int(int64(x.live))`

// mutants are answers that a hasty author of the engine would give. The table was fixed before any of them was run.
func mutants() []mutant {
	return []mutant{
		// numbers
		{"a sum beyond the integers wraps", `if r := x + y; (r > x) == (y > 0) {`, `if r := x + y; r == r {`, true},
		{"a product beyond the integers wraps", `if hi, lo := bits.Mul64(xu, yu); hi == 0 {`, `if _, lo := bits.Mul64(xu, yu); lo == lo {`, false},
		{"large integers divide to an integer", `if xu >= yu && xu > 1<<53 && xu%yu == 0 {`, `if xu >= yu && xu > 1<<53 {`, false},
		{"% has the sign of its left side", "if xn != yn && r != 0 {\n\t\tr = yu - r\n\t}\n\tif yn {", "if xn {", false},
		{"a power of a negative number is positive", `if v, ok := signed(r, xn && odd); ok {`, `if v, ok := signed(r, false); ok {`, false},
		{"** groups from the left", `return p.join(nBinary, "**", l, p.unary())`,
			"l = p.join(nBinary, \"**\", l, p.incDec())\n\tfor p.isOp(false, \"**\") {\n\t\tp.take()\n\t\tl = p.join(nBinary, \"**\", l, p.incDec())\n\t}\n\treturn l", false},
		{"int rounds down", "return Int(int64(f))\n\t}\n\treturn Float(math.Trunc(f))", "return Int(int64(math.Floor(f)))\n\t}\n\treturn Float(math.Trunc(f))", false},
		{"NaN is not unequal", `return !ok || k != 0 }`, `return ok && k != 0 }`, false},
		{"<=> of NaN is 0", "if !ok {\n\t\t\t\treturn Value{}", "if !ok {\n\t\t\t\treturn Int(0)", false},
		{"-'foo' is 0", `return String("-" + s)
		case s[0] == '+':`, `return Int(0)
		case s[0] == '+':`, false},
		{"1e15 is printed in full", "if exp < -4 || exp >= prec {\n\t\treturn trimZeros", "if exp < -4 || exp > prec {\n\t\treturn trimZeros", false},
		{"numbers have 16 digits", `return formatG(f, 15)`, `return formatG(f, 16)`, false},
		{"numbers in strings have no exponent", `if i < len(s) && (s[i] == 'e' || s[i] == 'E') {`, `if i < len(s) && s[i] == 'E' {`, false},
		{"blanks before a number make it 0", `for i < len(s) && isSpace(s[i]) {`, `for i < len(s) && s[i] == '+' {`, false},
		{"~ and %x of a negative float are of 0", `return uint64(int64(f))`, `return 0`, false},
		{"a shift of 64 bits or more is one of fewer", "if n >= 64 || n < 0 {\n\t\treturn Int(0)\n\t}", "n &= 63", false},
		{"a shift by a negative number goes the same way", `left = !left`, ``, false},
		// strings
		{"++ of a string does not carry from Z", "case 'Z':\n\t\t\tb[i] = 'A'", "case 'Z':\n\t\t\tb[i] = 'a'", false},
		{"x with a negative count repeats", `s, k := a.str(), b.Int64()`, "s, k := a.str(), b.Int64()\n\tif k < 0 && k > -9 {\n\t\tk = -k\n\t}", false},
		{"a negative length of substr counts from its begin", `to = size + *n`, `to = from - *n`, false},
		{"substr at the end is outside", `if from > size ||`, `if from >= size ||`, false},
		{"zeros stand before the sign in sprintf", `return sign + strings.Repeat("0", fill) + s`, `return strings.Repeat("0", fill) + sign + s`, false},
		{"'0.0' is false", `return s != "" && s != "0"`, `return s != "" && s != "0" && s != "0.0"`, false},
		{"eq compares numbers as numbers", `return func(a, b Value) bool { return a.str() == b.str() }`,
			`return func(a, b Value) bool { k, _ := cmpNum(a, b); return a.str() == b.str() || a.IsNumber() && b.IsNumber() && k == 0 }`, false},
		{". binds tighter than +", "case \"+\", \"-\", \".\":\n\t\treturn precAdd\n\tcase \"*\", \"/\", \"%\", \"x\":", "case \"+\", \"-\":\n\t\treturn precAdd\n\tcase \"*\", \"/\", \"%\", \"x\", \".\":", true},
		{"tr counts only what it keeps", `case to == trDelete:`, "case to == trDelete:\n\t\t\t\tcount--", false},
		{"tr leaves what has no partner", `table[from[i]] = int16(to[len(to)-1])`, `table[from[i]] = trKeep`, false},
		{"$ is the very end", "`(\\n)?\\z`", "`()\\z`", false},
		{". matches a line end", "} else {\n\t\t\tt.out.WriteString(`[^\\n]`)", "} else {\n\t\t\tt.out.WriteString(`(?s:.)`)", false},
		{"split keeps empty parts at the end", "if limit == 0 {\n\t\tfor", "if limit < -1 {\n\t\tfor", false},
		{"split ' ' keeps an empty part at the begin", "if words {\n", "if words && limit < 0 {\n", false},
		// lists
		{"strings count up to the end only", `for len(s) <= len(end) {`, `for len(s) < len(end) {`, false},
		{"'01'..'03' are numbers", `from.IsNumber() && (from.str()[0] != '0' || len(from.str()) == 1)`, `from.IsNumber()`, false},
		{"a list assignment counts what was assigned", "m.stack = m.stack[:base]\n\t\treturn count", "m.stack = m.stack[:base]\n\t\treturn count - len(vals)", false},
		{"(...) x n has one part too many", `for i := int64(1); i < k; i++ {`, `for i := int64(1); i <= k; i++ {`, false},
		{"the index -1 is the last but one", `i += int64(len(a.v))`, `i += int64(len(a.v)) - 1`, false},
		{"sort compares numbers", "return x < y\n", "return a.nv() < b.nv()\n", true},
		{"the first of equal keys counts", `*m.entry(h, vals[i].str()) = v`, "if h.get(vals[i].str()) == nil {\n\t\t\t*m.entry(h, vals[i].str()) = v\n\t\t}", false},
		{"a hash counts its keys and values", hashCount, strings.Replace(hashCount, "int64(x.live)", "2 * int64(x.live)", 1), false},
		{"foreach runs over copies", `each(m, place, a.v[i]); !goOn`, `each(m, place, m.newCell(*a.v[i])); !goOn`, false},
		// flow, scopes, calls
		{"|| gives true or false", "return right(m)\n\t\t\t}\n\t\t\treturn v\n", "return right(m)\n\t\t\t}\n\t\t\treturn Bool(v.Bool())\n", false},
		{"// takes the right side of what is false", `return left.k == kUndef`, `return !left.Bool()`, false},
		{"last leaves all loops", "m.leftLoop = true\n\t\treturn false, ctlNone", "m.leftLoop = true\n\t\treturn false, ctlLast", false},
		{"next and last know no labels", `return m.label == "" || m.label == label`, `return true`, false},
		{"a my lives on behind its block", `r.visible = r.visible[:mark]`, `_ = mark`, false},
		{"@_ is a copy", "\tfns := make([]listFn, len(n.kids))\n\tfor i, k := range n.kids {\n\t\tif k.kind == nIndex || k.kind == nKey {", "\tif f := c.items(n.kids); f != nil {\n\t\treturn func(m *machine) {\n\t\t\tbase := len(m.stack)\n\t\t\tf(m)\n\t\t\tfor _, v := range m.stack[base:] {\n" +
			"\t\t\t\tm.ptrs = append(m.ptrs, m.newCell(v))\n\t\t\t}\n\t\t\tm.stack = m.stack[:base]\n\t\t}\n\t}\n\tfns := make([]listFn, len(n.kids))\n\tfor i, k := range n.kids {\n\t\tif k.kind == nIndex || k.kind == nKey {", false},
		{"wantarray is always true", "return Value{}\n\t\t\t}\n\t\t\treturn valNo", "return Value{}\n\t\t\t}\n\t\t\treturn valYes", false},
		{"$@ is left by an eval within", "k := body(m)\n\t\t*m.globals[gErr] = valEmpty\n", "k := body(m)\n", false},
		{"months begin with 1", `Int(int64(month)-1)`, `Int(int64(month))`, false},
		{"the year has four digits", `Int(int64(year)-1900)`, `Int(int64(year))`, false},
	}
}

// mutantPrograms is how many random programs may be needed for each: as many as every run of the tests makes.
const mutantPrograms = 10_000

// TestMutants shows that the random programs would notice a wrong engine: each mutant is built and must be told from the
// real perl by TestAgainstPerl. Without the variable it does so for a few, and looks whether the others still follow the source.
func TestMutants(t *testing.T) {
	real.Need(t, "perl")
	gotool := real.Need(t, "go")
	all := os.Getenv(mutantsVariable) != ""
	only, err := regexp.Compile(*mutantNames)
	if err != nil {
		t.Fatal(err)
	}
	if all {
		if line, _ := (mutant{}).find(t, gotool); line != "" {
			t.Fatalf("without any mutant: %s", line)
		}
	}
	found, tried := 0, 0
	for _, m := range mutants() {
		m.changed(t)
		if !all && !m.quick || !only.MatchString(m.name) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			tried++
			start := time.Now()
			by, generated := m.find(t, gotool)
			switch {
			case generated:
				found++
				t.Logf("%-50s %s, %.1f s", m.name, by, time.Since(start).Seconds())
			case by != "":
				t.Errorf("%-50s not found by %d random programs, only by %s: the generator is weak there", m.name, mutantPrograms, by)
			default:
				t.Errorf("%-50s not found", m.name)
			}
		})
	}
	t.Logf("%d of %d mutants found by random programs; %d in all (%s=1)", found, tried, len(mutants()), mutantsVariable)
}

// changed finds the mutant's file, and gives the file with the mutation in it.
func (m mutant) changed(t *testing.T) (file, text string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), m.text); n > 0 {
			found += n
			file, text = f, strings.Replace(string(b), m.text, m.instead, 1)
		}
	}
	if found != 1 {
		t.Errorf("%s: %q stands %d times in the engine: the mutant must follow its source", m.name, m.text, found)
	}
	return file, text
}

// build makes a test program with the mutant in it; nothing of the source is copied or written.
func (m mutant) build(t *testing.T, gotool, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "perl.test")
	args := []string{"test", "-c", "-vet=off", "-o", program}
	if m.text != "" {
		file, text := m.changed(t)
		source, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
		list, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-overlay", overlay)
	}
	if out, err := exec.Command(gotool, append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", m.name, err, out)
	}
	return program
}

// find says what tells the mutant from perl, and whether the random programs do.
func (m mutant) find(t *testing.T, gotool string) (by string, generated bool) {
	t.Helper()
	program := m.build(t, gotool, t.TempDir())
	for _, n := range []int{mutantPrograms / 20, mutantPrograms} {
		out, failed := m.run(t, program, "-test.run=^TestAgainstPerl$", "-perl.programs="+strconv.Itoa(n), "-perl.shrink=0", "-perl.only=compare")
		if !failed {
			continue
		}
		if first := regexp.MustCompile(`\bprogram (\d+) differs:`).FindStringSubmatch(out); first != nil {
			i, err := strconv.Atoi(first[1])
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("found by program %d", i+1), true
		}
		return fmt.Sprintf("found within %d programs", n), true
	}
	if m.text == "" {
		return "", false
	}
	out, failed := m.run(t, program, "-test.run=^Test(Oracle|Operators|Cases|Manual|Errors)$")
	if !failed {
		return "", false
	}
	if what := regexp.MustCompile(`--- FAIL: (\S+)`).FindStringSubmatch(out); what != nil {
		return what[1], false
	}
	return "a crash", false
}

// run tells what a test program of the package prints, and whether it failed.
func (m mutant) run(t *testing.T, program string, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v %s", m.name, err, out)
	}
	if exit != nil && ctx.Err() == nil && !strings.Contains(string(out), "--- FAIL: ") && !strings.Contains(string(out), "panic: ") && !strings.Contains(string(out), "fatal error: ") {
		t.Fatalf("%s: %v %s", m.name, err, out)
	}
	return string(out), err != nil
}
