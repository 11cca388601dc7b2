package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// binVariable names the folder with the programs of a build, as `make build` leaves it.
const binVariable = "LBVM_BIN"

// tableFile takes the table; without it the table is only logged.
var tableFile = flag.String("table", "", "write the table to this `file`")

func TestMain(m *testing.M) {
	if how := os.Getenv(burnVariable); how != "" {
		os.Exit(burn(how))
	}
	if dir := os.Getenv(passVariable); dir != "" {
		os.Exit(passChild(dir))
	}
	flag.Parse()
	os.Exit(m.Run())
}

// moduleRoot is where go.mod lies; a test runs in its package's folder.
const moduleRoot = "../.."

// agents are the names of our agents.
func agents(t testing.TB) []string {
	t.Helper()
	mains, err := filepath.Glob(filepath.Join(moduleRoot, "agents/*/main.go"))
	if err != nil || len(mains) < 3 {
		t.Fatalf("agents: %v, %v", mains, err)
	}
	var names []string
	for _, m := range mains {
		names = append(names, filepath.Base(filepath.Dir(m)))
	}
	slices.Sort(names)
	return names
}

// built gives the path of each agent: those of LBVM_BIN, else new ones.
func built(t testing.TB) map[string]string {
	t.Helper()
	dir, made := os.LookupEnv(binVariable)
	if made && dir != "" {
		dir = filepath.Join(dir, "agents")
	} else {
		dir, made = t.TempDir(), false
	}
	paths := map[string]string{}
	for _, a := range agents(t) {
		paths[a] = filepath.Join(dir, a+".sh")
		if !made {
			build(t, paths[a], "./agents/"+a)
		} else if _, err := os.Stat(paths[a]); err != nil {
			t.Fatalf("%s: %v", binVariable, err)
		}
	}
	return paths
}

// build builds a program as the Makefile does.
func build(t testing.TB, out, what string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, what)
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", what, err, text)
	}
}

// emptyProgram is the least that a Go program can be.
func emptyProgram(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "empty")
	build(t, out, source)
	return out
}

// installed is a copy of a program, as install and rpm leave it on a node. What the linker has written a piece at a time
// lies in memory in small pieces, and the kernel takes longer to map it.
func installed(t testing.TB, program string) string {
	t.Helper()
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// maxSize is how many bytes an agent may have.
const maxSize = 4_000_000

func TestSizes(t *testing.T) { t.Log(sizes(t)) }

// sizes lists the agents' sizes, and fails the test where one is too big.
func sizes(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	paths := built(t)
	for _, name := range agents(t) {
		fi, err := os.Stat(paths[name])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%-22s %9s bytes\n", name, thousands(fi.Size()))
		if fi.Size() > maxSize {
			t.Errorf("the agent %s has %d bytes, more than %d", name, fi.Size(), maxSize)
		}
	}
	return b.String()
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	var parts []string
	for ; len(s) > 3; s = s[:len(s)-3] {
		parts = append([]string{s[len(s)-3:]}, parts...)
	}
	return strings.Join(append([]string{s}, parts...), ",")
}
