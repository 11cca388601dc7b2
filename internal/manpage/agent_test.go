package manpage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/manpage"
	"github.com/lbvm/lbvm/internal/manpage/pagetest"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/pkg/ocf"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestAgentPagesAreCurrent$ .

func TestAgentPagesAreCurrent(t *testing.T) {
	files, err := filepath.Glob("../../metadata/*.xml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		xml, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ocf.ParseMetadata(xml)
		if err != nil {
			t.Fatal(err)
		}
		pagetest.Current(t, "lbvm-"+m.Name+".7", manpage.Agent(m, "lbm(8)", "lbvm.conf(5)"))
	}
}

// What man pages are shown with has nothing to say against ours.
func TestPagesAreSound(t *testing.T) {
	mandoc := real.Need(t, "mandoc")
	pages, err := filepath.Glob("../../docs/man/*.[1-9]")
	if err != nil || len(pages) < 6 {
		t.Fatal(pages, err)
	}
	out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("%v\n%s", err, out)
	}
}
