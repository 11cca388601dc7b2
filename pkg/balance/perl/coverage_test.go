package perl

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// leastCovered is how much of the statements the corpora must reach, in percent.
const leastCovered = 90

// TestCorpusCoversTheEngine: the seeds of FuzzCompile, without any fuzzing, reach nearly all of each file that reads a
// text, and those of FuzzRun nearly all of the engine.
func TestCorpusCoversTheEngine(t *testing.T) {
	if os.Getenv(mutantsVariable) == "" {
		t.Skipf("skipped: it builds the package anew, which takes a while; `make fuzz` does it (%s=1)", mutantsVariable)
	}
	gotool := real.Need(t, "go")
	var readers []string
	for _, pattern := range []string{"lexer*.go", "parse*.go", "resolve*.go", "lint*.go", "heredoc.go", "interpolate.go", "quote.go", "recover.go", "refused.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		readers = append(readers, files...)
	}
	readers = slices.DeleteFunc(readers, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	compiled := covered(t, gotool, "FuzzCompile")
	var sum cover
	for _, f := range readers {
		c := compiled[f]
		if c.percent() < leastCovered {
			t.Errorf("FuzzCompile's seeds reach only %s", c.of(f))
		}
		t.Logf("FuzzCompile %s", c.of(f))
		sum.add(c)
	}
	t.Logf("FuzzCompile %s", sum.of("the readers"))
	sum = cover{}
	for _, c := range covered(t, gotool, "FuzzRun") {
		sum.add(c)
	}
	t.Logf("FuzzRun %s", sum.of("the engine"))
	if sum.percent() < leastCovered {
		t.Errorf("FuzzRun's seeds reach only %s", sum.of("the engine"))
	}
}

// cover counts statements.
type cover struct{ all, reached int }

func (c *cover) add(x cover)     { c.all, c.reached = c.all+x.all, c.reached+x.reached }
func (c cover) percent() float64 { return 100 * float64(c.reached) / float64(max(c.all, 1)) }
func (c cover) of(what string) string {
	return fmt.Sprintf("%5.1f %% of %4d statements of %s", c.percent(), c.all, what)
}

// covered runs the seeds of a fuzz target; the result goes by file.
func covered(t *testing.T, gotool, target string) map[string]cover {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "cover")
	if out, err := exec.Command(gotool, "test", "-run=^"+target+"$", "-count=1", "-coverprofile="+profile, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]cover{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		file, rest, _ := strings.Cut(filepath.Base(line), ":")
		var c cover
		count := 0
		if _, err := fmt.Sscan(rest[strings.Index(rest, " "):], &c.all, &count); err != nil {
			t.Fatal(line, err)
		}
		if count > 0 {
			c.reached = c.all
		}
		c.add(files[file])
		files[file] = c
	}
	return files
}
