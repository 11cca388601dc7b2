package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestPageIsCurrent$ .

// The table of docs/lbm.md is that of the commands that there are. UPDATE=1 (make generate) writes it anew.
func TestPageIsCurrent(t *testing.T) {
	const page, begin, end = "../../docs/lbm.md", "<!-- generated: commands -->\n", "<!-- end -->"
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(was), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the page has no place for the table")
	}
	var b strings.Builder
	b.WriteString("| command | does |\n|---|---|\n")
	rows(&b, "lbm", world{}.app().Commands)
	now := before + begin + b.String() + end + after
	if now == string(was) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatal("docs/lbm.md is stale: make generate")
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rows(b *strings.Builder, parent string, commands []*cli.Command) {
	for _, c := range commands {
		if c.Hidden || c.Name == "help" {
			continue
		}
		name := parent + " " + c.Name
		if len(c.Subcommands) > 0 {
			rows(b, name, c.Subcommands)
			continue
		}
		if c.ArgsUsage != "" {
			name += " " + c.ArgsUsage
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(name, "|", `\|`), strings.ReplaceAll(c.Usage, "|", `\|`))
	}
}
