package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestPageIsCurrent$ .

const page = "../../docs/doctor.md"

// The tables of the page are these tables. UPDATE=1 (make generate) writes them anew.
func TestPageIsCurrent(t *testing.T) {
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := string(was)
	for name, text := range map[string]string{"checks": checksTable(), "faults": faultsTable()} {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(now, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("the page has no place for %q", name)
		}
		now = before + begin + text + end + after
	}
	if now == string(was) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatal("docs/doctor.md is stale: make generate")
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

func checksTable() string {
	var b strings.Builder
	b.WriteString("| check | looks whether |\n|---|---|\n")
	for _, c := range Checks() {
		fmt.Fprintf(&b, "| %s | %s |\n", c.Name, c.About)
	}
	return b.String() + "| " + Across + " | with --all: the nodes run with one version and one text of cluster.conf, have the same agents, lbvm.conf and shared storage, and clocks that agree |\n"
}

func faultsTable() string {
	var b strings.Builder
	b.WriteString("| finding | | what it means | what to do |\n|---|---|---|---|\n")
	for _, f := range Faults() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.ID, f.Severity, strings.ReplaceAll(f.Means, "|", `\|`), strings.ReplaceAll(f.Cure, "|", `\|`))
	}
	return b.String()
}

// What the other pages call a finding is one.
func TestPagesNameFindings(t *testing.T) {
	checks := []string{Across}
	for _, c := range Checks() {
		checks = append(checks, c.Name)
	}
	named := 0
	for _, page := range []string{"troubleshooting", "shared-storage", "security", "xen", "installation"} {
		text, err := os.ReadFile("../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "`") {
			check, what, ok := strings.Cut(part, ".")
			if i%2 == 0 || !ok || !slices.Contains(checks, check) || strings.ContainsAny(what, " /.") || what == "conf" || what == "md" {
				continue
			}
			named++
			if faultOf(part).Means == "" {
				t.Errorf("docs/%s.md tells of %q, which the doctor does not find", page, part)
			}
		}
	}
	if named < 10 {
		t.Errorf("the pages name %d findings", named)
	}
}
