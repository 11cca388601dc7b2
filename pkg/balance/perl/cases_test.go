package perl

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// TestCases runs testdata/cases.pl, programs parted by lines that begin with #, through the engine and through the real perl.
func TestCases(t *testing.T) {
	path := real.Need(t, "perl")
	b, err := os.ReadFile("testdata/cases.pl")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, code := range regexp.MustCompile(`(?m)^#.*\n`).Split(string(b), -1) {
		if code = strings.TrimSpace(code); code != "" {
			codes = append(codes, code)
		}
	}
	for i, want := range askPerl(t, path, codes) {
		got := evaluate(codes[i], &world{}, time.Unix(0, 0), time.UTC, Limits{})
		if strings.Join(got.values, "\x00") != strings.Join(want.values, "\x00") || errorClass(got.err) != want.err &&
			!(strings.HasPrefix(got.err, "compile:") && want.err != "" && strings.Contains(got.err, strings.Fields(want.err)[0])) {
			t.Errorf("%s\n  got %q %q\n perl %q %q", codes[i], got.values, got.err, want.values, want.err)
		}
	}
	if len(codes) < 100 {
		t.Errorf("only %d programs", len(codes))
	}
}
