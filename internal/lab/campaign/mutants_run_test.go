package campaign

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
)

// mutantsVariable chooses the mutants: "all", numbers of rules, or the tools that are misread (virsh, xm, exec).
const mutantsVariable = "LBVM_MUTANTS"

// most is how many runs a mutant gets.
const most = 5000

// Every mutant is found by the campaign that finds nothing in the code as it is.
func TestMutants(t *testing.T) {
	chosen := strings.Fields(os.Getenv(mutantsVariable))
	if len(chosen) == 0 {
		t.Skipf("each mutant is a build of its own: %s=all (or numbers of rules) hunts them, as make campaign does", mutantsVariable)
	}
	report := regexp.MustCompile(`(\d+) runs from seed \d+, (\d+) findings`)
	cause := regexp.MustCompile(`(?m)^run \d+: .*\n   (.*)`)
	table := fmt.Sprintf("%-4s %-58s %-6s %s\n", "rule", "mutant", "runs", "what was found")
	for _, m := range mutants() {
		if chosen[0] != "all" && !contains(chosen, strconv.Itoa(m.rule)) && !contains(chosen, m.tool) {
			continue
		}
		out, err := m.hunt(t.TempDir())
		got := report.FindStringSubmatch(out)
		if got == nil {
			t.Errorf("rule %d: %v\n%s", m.rule, err, out)
			continue
		}
		what := ""
		if c := cause.FindStringSubmatch(out); c != nil {
			what = regexp.MustCompile(`(?m)^run \d+: (.*)$`).FindStringSubmatch(out)[1]
		}
		if got[2] == "0" {
			t.Errorf("rule %d: %s: %s runs did not find it", m.rule, m.what, got[1])
			what = "NOT FOUND"
		}
		table += fmt.Sprintf("%-4d %-58s %-6s %s\n", m.rule, m.what, got[1], what)
		fmt.Fprintf(os.Stderr, "%-4d %-58s %-6s %s\n", m.rule, m.what, got[1], what)
	}
	t.Log("\n" + table)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// hunt builds the lab with the fault in it and lets it play until it finds something.
func (m mutant) hunt(dir string) (string, error) {
	const root = "../../.."
	replace := map[string]string{}
	for i, e := range m.edits {
		path, err := filepath.Abs(filepath.Join(root, e.file))
		if err != nil {
			return "", err
		}
		from := path
		if replace[path] != "" {
			from = replace[path]
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		changed := filepath.Join(dir, fmt.Sprintf("changed%d.go", i))
		if err := os.WriteFile(changed, []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o600); err != nil {
			return "", err
		}
		replace[path] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "lab"), "./cmd/lbvm-lab")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return string(out), err
	}
	args := []string{"campaign", "--seed", "1", "--runs", strconv.Itoa(most), "--jobs", "1"}
	if typ := map[string]string{"virsh": "kvm", "xm": "xen", "exec": vmexec.Type}[m.tool]; typ != "" { // no guest of another knows its driver
		args = append(args, "--type", typ)
	}
	out, err := exec.Command(filepath.Join(dir, "lab"), args...).CombinedOutput()
	return string(out), err
}
