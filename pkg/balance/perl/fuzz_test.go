package perl

import (
	"maps"
	"math/rand"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programsOf reads programs that lines beginning with # part.
func programsOf(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, code := range regexp.MustCompile(`(?m)^#.*\n`).Split(string(b), -1) {
		if code = strings.TrimSpace(code); code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// addSeeds gives both targets the same programs: those of the oracle, among them the manual's examples, the cases, the
// texts that are refused, and some of the generator. testdata/seeds.pl holds what these do not reach.
func addSeeds(f *testing.F) {
	for _, c := range readOracle(f).Cases {
		f.Add(c.Code)
	}
	b, err := os.ReadFile("testdata/oracle_small.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		code, _, _ := strings.Cut(line, "\t")
		f.Add(code)
	}
	for _, file := range []string{"cases.pl", "warnings.pl", "seeds.pl"} {
		for _, code := range programsOf(f, "testdata/"+file) {
			f.Add(code)
		}
	}
	for _, code := range programsOf(f, "testdata/warnings.pl") {
		f.Add("use warnings; " + code)
	}
	for _, code := range slices.Sorted(maps.Keys(refusedTexts())) {
		f.Add(code)
	}
	g := &generator{r: rand.New(rand.NewSource(1))}
	for range 50 {
		f.Add(g.program())
	}
}

// maxFuzzed keeps the fuzzer from spending its time on long texts.
const maxFuzzed = 2000

// FuzzCompile compiles any text, twice: no panic, the same findings, each at a place within the text and with its words.
func FuzzCompile(f *testing.F) {
	addSeeds(f)
	funcs := testFuncs()
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > maxFuzzed {
			return
		}
		at := Position{File: "f", Line: 1, Col: 1}
		prog, diags := Compile([]byte(code), at, funcs)
		checkDiagnostics(t, code, diags)
		if (prog == nil) != hasError(diags) {
			t.Errorf("a program: %v, with the findings %v", prog != nil, diags)
		}
		again, same := Compile([]byte(code), at, funcs)
		if (prog == nil) != (again == nil) || len(diags) != len(same) {
			t.Fatalf("compiled again: %v, then %v", diags, same)
		}
		for i, d := range diags {
			if d != same[i] {
				t.Errorf("compiled again: %v, then %v", d, same[i])
			}
		}
	})
}

func checkDiagnostics(t *testing.T, code string, diags []Diagnostic) {
	t.Helper()
	lines := strings.Split(code, "\n")
	for _, d := range diags {
		if strings.HasPrefix(d.Text, "internal error") || d.Text == "" || d.Format() == "" {
			t.Errorf("bad diagnostic %#v", d)
		}
		// the place behind the last byte of a line is one, too
		if p := d.Pos; p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len(lines[p.Line-1])+1 {
			t.Errorf("%s is no place in the text: %s", p, d.Text)
		}
	}
}

// FuzzBlockEnd: the end lies within the text and is a brace.
func FuzzBlockEnd(f *testing.F) {
	for _, c := range readOracle(f).Cases {
		f.Add("{" + c.Code + "}")
	}
	f.Fuzz(func(t *testing.T, src string) {
		if end, err := BlockEnd([]byte("{"+src), 0); err == nil && (end < 1 || end > len(src) || ("{" + src)[end] != '}') {
			t.Errorf("end %d", end)
		}
	})
}
