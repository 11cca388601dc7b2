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
)

// mutantsVariable chooses the mutants: "all", numbers of rules, or the tools that are misread (virsh, xm, exec).
const mutantsVariable = "LBVM_MUTANTS"

// seedsVariable are the seeds from which each is hunted, one hunt after the other; 1 where none is set.
const seedsVariable = "LBVM_MUTANTS_SEEDS"

// most is how many runs a mutant gets.
const most = 5000

// Every mutant is found by the campaign that finds nothing in the code as it is.
func TestMutants(t *testing.T) {
	chosen := strings.Fields(os.Getenv(mutantsVariable))
	if len(chosen) == 0 {
		t.Skipf("each mutant is a build of its own: %s=all (or numbers of rules) hunts them, as make campaign does", mutantsVariable)
	}
	seeds := strings.Fields(os.Getenv(seedsVariable))
	if len(seeds) == 0 {
		seeds = []string{"1"}
	}
	report := regexp.MustCompile(`(\d+) runs from seed \d+, (\d+) findings`)
	cause := regexp.MustCompile(`(?m)^run \d+: (.*)$`)
	table := fmt.Sprintf("%-4s %-5s %-60s %-6s %s\n", "rule", "tool", "mutant", "runs", "what was found")
	for _, m := range mutants() {
		if chosen[0] != "all" && !contains(chosen, strconv.Itoa(m.rule)) && !contains(chosen, m.tool) {
			continue
		}
		lab := filepath.Join(t.TempDir(), "lab")
		if out, err := m.build(lab); err != nil {
			t.Errorf("rule %d: %v\n%s", m.rule, err, out)
			continue
		}
		for _, tale := range m.tales {
			if out, err := exec.Command(lab, "campaign", "--run", tale).CombinedOutput(); err == nil || !strings.Contains(string(out), "!! ") {
				t.Errorf("rule %d: %s: %q does not find it", m.rule, m.what, tale)
			}
		}
		for _, seed := range seeds {
			out, err := exec.Command(lab, "campaign", "--seed", seed, "--runs", strconv.Itoa(most), "--jobs", "1").CombinedOutput()
			got := report.FindStringSubmatch(string(out))
			if got == nil {
				t.Errorf("rule %d: %v\n%s", m.rule, err, out)
				continue
			}
			what := "NOT FOUND"
			if c := cause.FindStringSubmatch(string(out)); c != nil {
				what = c[1]
			}
			if got[2] == "0" {
				t.Errorf("rule %d: %s: %s runs from seed %s did not find it", m.rule, m.what, got[1], seed)
			}
			row := fmt.Sprintf("%-4d %-5s %-60s %-6s %s\n", m.rule, m.tool, m.what, got[1], what)
			table += row
			fmt.Fprint(os.Stderr, row)
		}
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

// build makes the lab with the fault in it. Its text is what the compiler says.
func (m mutant) build(lab string) (string, error) {
	dir := filepath.Dir(lab)
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
	build := exec.Command("go", "build", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", lab, "./cmd/lbvm-lab")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	return string(out), err
}
