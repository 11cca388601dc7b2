package manpage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/manpage"
	"github.com/lbvm/lbvm/internal/manpage/pagetest"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestFilePagesAreCurrent$ .

func TestFilePagesAreCurrent(t *testing.T) {
	see := map[string][]string{
		"lbvm.conf":        {"lbm(8)", "lbmonitor(8)", "lbresources.conf(5)"},
		"lbresources.conf": {"lblog(8)", "lbvm.conf(5)"},
	}
	for name, see := range see {
		text, err := os.ReadFile(filepath.Join("pages", name+".5"))
		if err != nil {
			t.Fatal(err)
		}
		title, body, _ := strings.Cut(string(text), "\n")
		_, usage, _ := strings.Cut(title, ": ")
		pagetest.Current(t, name+".5", manpage.Text(name, 5, usage, strings.Split(strings.TrimPrefix(body, "# "), "\n# "), see...))
	}
}
