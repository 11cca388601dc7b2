package campaign

import (
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// Every numbered rule has its mutant, and every mutant follows the source.
func TestEveryRuleHasItsMutant(t *testing.T) {
	page, err := os.ReadFile("../../../docs/campaign.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[int]bool{}
	for _, m := range mutants() {
		have[m.rule] = true
		for _, tale := range m.tales {
			if !strings.Contains(string(page), tale) {
				t.Errorf("rule %d: %q does not stand in docs/campaign.md", m.rule, tale)
			}
		}
		for _, e := range m.edits {
			b, err := os.ReadFile("../../../" + e.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), e.from); n != 1 {
				t.Errorf("rule %d: %q stands %d times in %s: the mutant must follow the source", m.rule, e.from, n, e.file)
			}
		}
	}
	for _, r := range protocol.Rules() {
		if !have[r.Number] {
			t.Errorf("rule %d (%s) has no mutant", r.Number, r.Name)
		}
	}
}
