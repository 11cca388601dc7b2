package ocf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// block is the first fenced block of the guide in that language that holds the text.
func block(t *testing.T, guide, language, text string) string {
	t.Helper()
	for _, b := range strings.Split(guide, "\n```"+language+"\n")[1:] {
		if b, _, _ = strings.Cut(b, "```\n"); strings.Contains(b, text) {
			return b
		}
	}
	t.Fatalf("the guide has no %s block with %q", language, text)
	return ""
}

// TestGuide builds the agent of the guide as it stands there, drives it, and holds what the guide shows against it.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/agents.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(exampleModule, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(exampleModule, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, agent, _ := strings.Cut(block(t, guide, "go", "package main"), "\ntype unit")
	if n := len(strings.FieldsFunc("type unit"+agent, func(r rune) bool { return r == '\n' })); n != 20 || !strings.Contains(guide, "is 20 lines") {
		t.Errorf("the guide's agent has %d lines", n)
	}
	dir := t.TempDir()
	metadata := block(t, guide, "xml", "<resource-agent")
	for name, content := range map[string]string{
		"main.go": block(t, guide, "go", "package main"), "unit.xml": metadata, "go.sum": string(sums),
		"go.mod": strings.Replace(string(mod), "=> ../../../..", "=> "+root, 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(real.Need(t, "go"), "build", "-trimpath", "-o", "unit", ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building the guide's agent: %v\n%s", err, out)
	}
	n := newNode(t, "")
	n.install(dir, "unit")
	n.write("bin/systemctl", systemctl, 0o755)
	n.write("units/web.service", "inactive\n", 0o600)
	for _, m := range n.managers("unit", "name=web.service") {
		m.life()
		for state, want := range map[string]int{"active": 0, "inactive": 7, "activating": 1, "": 1} {
			n.write("units/web.service", state+"\n", 0o600)
			m.want(want, "status")
		}
		n.write("units/web.service", "inactive\n", 0o600)
	}
	for _, m := range n.managers("unit", "name=nosuch.service") {
		m.want(7, "status")
		m.want(0, "stop")
		m.want(1, "start")
	}
	n.write("units/web.service", "active\n", 0o600)
	program := filepath.Join(n.root, places[0].dir, "unit.sh")
	c = &exec.Cmd{Path: program, Args: []string{program, "--explain", "stop"}, Env: n.env("name=web.service")[:2]}
	out, err := c.CombinedOutput()
	_, shown, _ := strings.Cut(block(t, guide, "", "--explain stop"), "--explain stop\n")
	if got := strings.TrimSpace(strings.ReplaceAll(string(out), n.root, "")); err != nil || got != strings.TrimSpace(shown) {
		t.Errorf("--explain: %v\n%s\nthe guide shows\n%s", err, got, shown)
	}
	if got, code := real.MetaData(t, program); code != 0 || string(got) != metadata {
		t.Errorf("meta-data: exit %d\n%s", code, got)
	}
}
