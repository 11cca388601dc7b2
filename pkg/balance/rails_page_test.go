package balance

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// docs/rails.md tells of the rails that there are, in their order, with their defaults, and of those that cannot be switched
// off.
func TestRailsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/rails.md")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(" min", "m", " h", "h", " %", "%")
	var told, have []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z-]+) \| ([^|]+) \|[^|]*\|[^|]*\|$`).FindAllStringSubmatch(string(page), -1) {
		if m[1] != "rail" {
			told = append(told, m[1]+" "+plain.Replace(m[2]))
		}
	}
	for _, r := range Rails() {
		have = append(have, r.Name+" "+r.Default)
	}
	if !slices.Equal(told, have) {
		t.Errorf("the page tells of\n%q\nand there are\n%q", told, have)
	}
	m := regexp.MustCompile(`Without ([a-z,\s-]+) nothing could be trusted: they cannot be switched off`).FindStringSubmatch(string(page))
	if m == nil {
		t.Fatal("the page does not say which rails cannot be switched off")
	}
	fixed := strings.FieldsFunc(strings.ReplaceAll(m[1], " and ", ","), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	want := slices.Clone(conf.FixedRails())
	slices.Sort(fixed)
	slices.Sort(want)
	if !slices.Equal(fixed, want) {
		t.Errorf("the page says that %q cannot be switched off; it is %q", fixed, want)
	}
}
