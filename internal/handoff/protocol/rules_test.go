package protocol

import (
	"strings"
	"testing"
)

// Numbers are named elsewhere: a rule that is dropped or put in between would rename all behind it.
func TestRulesAreNumbered(t *testing.T) {
	names := map[string]bool{}
	for i, r := range Rules() {
		if r.Number != i+1 {
			t.Errorf("rule %d stands at place %d", r.Number, i+1)
		}
		if r.Name == "" || names[r.Name] || !strings.HasSuffix(r.Text, ".") || !strings.HasSuffix(r.Why, ".") {
			t.Errorf("rule %d: name %q is empty or there twice, or a text does not end", r.Number, r.Name)
		}
		names[r.Name] = true
	}
}
