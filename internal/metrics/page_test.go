package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page of the manual names every family with its type, and no other; its alerts ask for what there is.
func TestThePageNamesTheMetrics(t *testing.T) {
	page, err := os.ReadFile("../../docs/watching.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (lbvm_[a-z_]+) \| (\w+) \|`).FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = m[2]
	}
	there := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(Update(nil, input())), -1) {
		there[m[1]] = m[2]
		if told[m[1]] != m[2] {
			t.Errorf("%s is a %s, and the page says %q", m[1], m[2], told[m[1]])
		}
	}
	_, alerts, _ := strings.Cut(string(page), "```yaml")
	names := regexp.MustCompile(`\blbvm_[a-z_]+`).FindAllString(alerts, -1)
	if len(names) < 5 || len(told) < 10 {
		t.Fatalf("%d metrics and %d names in alerts", len(told), len(names))
	}
	for name := range told {
		names = append(names, name)
	}
	for _, name := range names {
		if there[name] == "" {
			t.Errorf("the page names %s, which is never written", name)
		}
	}
}
