package manpage_test

import (
	"fmt"
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

//go:generate env UPDATE=1 go test -count=1 -run ^(TestAgentPagesAreCurrent|TestAgentsReferenceIsCurrent)$ .

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

// docs/agents-reference.md is made of the same metadata. UPDATE=1 writes it anew.
func TestAgentsReferenceIsCurrent(t *testing.T) {
	const page, begin, end = "../../docs/agents-reference.md", "<!-- generated: agents -->\n", "<!-- end -->"
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(was), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the page has no place for the agents")
	}
	now := before + begin
	for _, name := range []string{"openvz", "xen", "kvm", "vmexec", "lbvm"} {
		xml, err := os.ReadFile("../../metadata/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		m, err := ocf.ParseMetadata(xml)
		if err != nil {
			t.Fatal(err)
		}
		now += reference(m)
	}
	now += end + after
	if now == string(was) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatal("docs/agents-reference.md is stale: make generate")
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

// reference is an agent's part of the page.
func reference(m *ocf.Metadata) string {
	cell := func(s string) string {
		return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(strings.Join(strings.Fields(s), " "))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n| parameter | type | default | |\n|---|---|---|---|\n", m.Name, cell(m.Long))
	for _, p := range m.Params {
		value := p.Default
		if p.Required {
			value = "required"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Name, p.Type, cell(value), cell(p.Long))
	}
	b.WriteString("\n| action | ended after | every |\n|---|---|---|\n")
	for _, a := range m.Actions {
		name, every := a.Name, ""
		if a.Depth > 0 {
			name = fmt.Sprintf("%s, depth %d", name, a.Depth)
		}
		if a.Interval > 0 {
			every = a.Interval.String()
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, a.Timeout, every)
	}
	return b.String() + "\n"
}
