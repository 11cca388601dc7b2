package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lbvm/lbvm"

// floors lists the packages from the ground up. A package may import only what stands on a lower floor, or
// further left on its own.
var floors = [][]string{
	{"internal/clock", "internal/run", "internal/keyval", "internal/atomicfile", "internal/lockfile", "internal/splice", "internal/real", "internal/testfiles", "pkg/balance/perl", "metadata", "internal/term", "pkg/syntax", "pkg/ocf"},
	{"internal/host", "pkg/ccs", "pkg/balance/conf", "internal/parsed", "internal/manpage", "internal/manpage/pagetest"},
	{"internal/probe", "internal/membership", "internal/hypervisor", "internal/cluster", "internal/handoff", "internal/handoff/protocol", "pkg/balance"},
	{"pkg/balance/replay", "internal/vm", "internal/sample", "internal/move", "internal/amend", "internal/lbvmagent", "internal/trial", "internal/check", "internal/guard", "internal/notify", "internal/metrics", "internal/top"},
	{"internal/monitor", "internal/evacuate", "internal/setup", "internal/adopt", "internal/doctor", "internal/why"},
}

// labMayImport is all of ours that the lab may use: it judges the rest.
var labMayImport = []string{"internal/run", "internal/clock", "internal/atomicfile", "internal/lockfile", "internal/keyval", "internal/host", "pkg/ccs"}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
	Name       string
}

func (p pkg) short() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps,Name", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// ours gives the short names of a list's packages that are the project's own.
func ours(imports []string) []string {
	var out []string
	for _, i := range imports {
		if rest, ok := strings.CutPrefix(i, module+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

// place is the floor of a package and its place on it; programs stand above all floors.
func place(short string) (floor, at int, known bool) {
	for f, names := range floors {
		for i, n := range names {
			if short == n || (n != "pkg/balance" && strings.HasPrefix(short, n+"/")) {
				return f, i, true
			}
		}
	}
	if strings.HasPrefix(short, "cmd/") || strings.HasPrefix(short, "agents/") || short == "internal/house" {
		return len(floors), 0, true
	}
	return 0, 0, false
}

func isLab(short string) bool {
	return short == "internal/lab" || strings.HasPrefix(short, "internal/lab/")
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		short := p.short()
		if isLab(short) || strings.HasPrefix(short, "test/") {
			continue
		}
		floor, at, known := place(short)
		if !known {
			t.Errorf("%s stands on no floor: give it one here and in CONTRIBUTING.md", short)
			continue
		}
		for _, i := range ours(p.Imports) {
			if isLab(i) {
				if short != "cmd/lbvm-lab" {
					t.Errorf("%s imports the lab (%s): only cmd/lbvm-lab and tests may", short, i)
				}
				continue
			}
			f, a, known := place(i)
			if known && (f > floor || f == floor && a > at) {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down", short, floor, i, f)
			}
		}
	}
}

func TestTheLabUsesNothingThatItJudges(t *testing.T) {
	for _, p := range packages(t) {
		if !isLab(p.short()) || p.short() == "internal/lab/campaign" { // which wires both sides
			continue
		}
		for _, i := range ours(p.Deps) {
			if !isLab(i) && !slices.Contains(labMayImport, i) && i != "internal/splice" { // splice by way of ccs
				t.Errorf("%s links %s", p.short(), i)
			}
		}
	}
}

func TestLeavesImportNothingOfOurs(t *testing.T) {
	may := map[string][]string{
		"pkg/balance/perl": nil, "metadata": nil,
		// It runs programs for agents and locks their resources; its signatures name none of these.
		"pkg/ocf": {"internal/clock", "internal/lockfile", "internal/run"},
	}
	for _, p := range packages(t) {
		allowed, is := may[p.short()]
		if !is {
			continue
		}
		for _, i := range ours(p.Imports) {
			if !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s", p.short(), i)
			}
		}
	}
}

func TestAgentsLinkLittle(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.short(), "agents/") {
			continue
		}
		seen++
		for _, d := range p.Deps {
			for _, no := range []string{"beevik/etree", "urfave/cli", module + "/pkg/ccs", module + "/pkg/balance", "encoding/xml/none"} {
				if strings.Contains(d, no) {
					t.Errorf("%s links %s", p.short(), d)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no agents found")
	}
}

func TestMainsAreShort(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name != "main" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(p.Dir, "main.go"))
		if err != nil {
			t.Errorf("%s: %v", p.short(), err)
			continue
		}
		if n := bytes.Count(b, []byte("\n")); n > 40 {
			t.Errorf("%s/main.go has %d lines; 40 are enough", p.short(), n)
		}
	}
}

func TestTheLabStaysAQuarter(t *testing.T) {
	lab, all := 0, 0
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			n := bytes.Count(b, []byte("\n"))
			all += n
			if (isLab(p.short()) && p.short() != "internal/lab/labtest") || p.short() == "cmd/lbvm-lab" {
				lab += n
			}
		}
	}
	t.Logf("the lab has %d of %d lines", lab, all)
	if lab*4 > all {
		t.Errorf("the lab has %d of %d lines: more than a quarter", lab, all)
	}
}
