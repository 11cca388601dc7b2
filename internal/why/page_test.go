package why

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every cause has its row in docs/troubleshooting.md, which has no other.
func TestPageNamesEveryCause(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| cause | what it means |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	f, err := parser.ParseFile(token.NewFileSet(), "why.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	causes := 0
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Cause" {
			for _, v := range spec.Values {
				word, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				causes++
				if strings.Count(table, "`"+word+"`") != 1 {
					t.Errorf("the page tells of %q %d times", word, strings.Count(table, "`"+word+"`"))
				}
			}
		}
		return true
	})
	rows := 0
	for _, l := range strings.Split(table, "\n") {
		first, _, _ := strings.Cut(strings.TrimPrefix(l, "| "), " | ")
		rows += strings.Count(first, "`") / 2
	}
	if causes < 15 || rows != causes {
		t.Errorf("%d causes, and the page has %d", causes, rows)
	}
}
