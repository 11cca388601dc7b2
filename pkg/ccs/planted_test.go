package ccs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// plantedVariable makes the tests of this file run; `make fuzz` sets it.
const plantedVariable = "LBVM_PLANTED"

// planted is one bug put into a parser: a text that stands there exactly once, and what stands there instead.
type planted struct{ name, file, text, instead string }

func plantedBugs() []planted {
	return []planted{
		{"a comment ends at ->", "markup.go", `s.until("-->", "comment")`, `s.until("->", "comment")`},
		{"a name may begin with a digit", "chars.go", `return !first`, `return true`},
		{"a value ends at either quote", "scan.go", `i := bytes.IndexByte(s.src[s.pos:], quote)`, `i := bytes.IndexAny(s.src[s.pos:], "\"'"+string(quote))`},
		{"&apos; is a quotation mark", "text.go", `return '\'', end + 1`, `return '"', end + 1`},
		{"CRLF in a value is two blanks", "text.go", `case c == '\r' && i+1 < len(raw) && raw[i+1] == '\n':`, `case c == 0:`},
		{"an end tag closes whatever is open", "scan.go", `if s.open.tag != name {`, `if s.open.tag == "" {`},
		{"]]> at the start of a text passes", "scan.go", `if i := bytes.Index(piece, []byte("]]>")); i >= 0 {`, `if i := bytes.Index(piece, []byte("]]>")); i > 0 {`},
		{"a DOCTYPE knows one kind of quotes", "markup.go", `case c == '"' || c == '\'':`, `case c == '"':`},
		{"children stay on the stack", "store.go", `s.kids = s.kids[:mark]`, `s.kids = s.kids[:len(s.kids)]`},
		{"bytes beyond ASCII pass unread", "chars.go", `return (w|(w-ones*' ')&^w)&high == 0`, `return (w-ones*' ')&^w&high == 0`},
		{"the encoding contradicts the byte order mark", "declaration.go", `if start > 0 {`, `if start > 3 {`},
		{"what stands behind a reference is not looked at", "scan.go", `		i += n
	}
}`, `		i += n + 1
	}
}`},
		{"a CDATA section ends at the last mark", "content.go", `n := bytes.Index(i.raw[len(open):], []byte(end))`, `n := bytes.LastIndex(i.raw[len(open):], []byte(end))`},
		{"an attribute twice passes", "scan.go", `if others[i].name == a.name {`, `if others[i].name == a.name && i > 0 {`},
	}
}

// limit for all of them together.
const plantedLimit = 10 * time.Minute

// TestPlantedBugs shows that the fuzz targets with their corpus and the property test would notice: each bug is built
// into the parsers and must be found, by the corpus, by the property test, or by fuzzing on from the corpus.
func TestPlantedBugs(t *testing.T) {
	gotool := buildTool(t)
	begun, bugs, found := time.Now(), plantedBugs(), 0
	if by := (planted{}).find(t, gotool); by != "" {
		t.Fatalf("without any bug: %s", by)
	}
	for _, b := range bugs {
		start := time.Now()
		by := b.find(t, gotool)
		if by == "" {
			t.Errorf("%s: not found", b.name)
			continue
		}
		found++
		t.Logf("%-50s found by %s after %.1f s, the building included", b.name, by, time.Since(start).Seconds())
	}
	took := time.Since(begun)
	t.Logf("%d of %d planted bugs found in %.0f s", found, len(bugs), took.Seconds())
	if took > plantedLimit {
		t.Errorf("it took %s, more than %s", took, plantedLimit)
	}
}

// buildTool finds go, or skips the test.
func buildTool(t *testing.T) string {
	t.Helper()
	if os.Getenv(plantedVariable) == "" {
		t.Skipf("skipped: it builds the package anew, which takes a while; `make fuzz` does it (%s=1)", plantedVariable)
	}
	return real.Need(t, "go")
}

// find builds the package with the bug and says what noticed it.
func (b planted) find(t *testing.T, gotool string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"test", "-c", "-fuzz=FuzzParse", "-o", filepath.Join(dir, "ccs.test")}
	if b.file != "" {
		args = append(args, "-overlay", b.overlay(t, dir))
	}
	if out, err := exec.Command(gotool, append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", b.name, err, out)
	}
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what string
		args []string
	}{
		{"the corpus", []string{"-test.run=^Fuzz"}},
		{"the property test", []string{"-test.run=^TestRandomEdits$"}},
		{"fuzzing", []string{"-test.run=^$", "-test.fuzz=^FuzzParse$", "-test.fuzztime=20s", "-test.fuzzcachedir=" + filepath.Join(dir, "cache")}},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "ccs.test"), step.args...)
		cmd.Dir = dir // a finding is written there
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil {
			continue
		}
		if what := regexp.MustCompile(`--- FAIL: (\S+)`).FindAllSubmatch(out, -1); len(what) > 0 {
			return step.what + " (" + string(what[len(what)-1][1]) + ")"
		}
		if bytes.Contains(out, []byte("panic:")) || bytes.Contains(out, []byte("hung or terminated")) {
			return step.what + " (a panic)"
		}
		t.Fatalf("%s: %s: %v %s", b.name, step.what, err, out)
	}
	return ""
}

func (b planted) overlay(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), b.text); n != 1 {
		t.Fatalf("%q stands %d times in %s: the planted bug must follow the source", b.text, n, b.file)
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), b.text, b.instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs(b.file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// The corpus alone reaches at least nine tenths of the parsers.
func TestCorpusCoversTheParsers(t *testing.T) {
	gotool := buildTool(t)
	profile := filepath.Join(t.TempDir(), "cover")
	out, err := exec.Command(gotool, "test", "-run=^Fuzz", "-count=1", "-coverprofile="+profile, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	all, reached := map[string]int{}, map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		file, rest, _ := strings.Cut(filepath.Base(line), ":")
		var statements, count int
		if _, err := fmt.Sscan(rest[strings.Index(rest, " "):], &statements, &count); err != nil {
			t.Fatal(line, err)
		}
		all[file] += statements
		if count > 0 {
			reached[file] += statements
		}
	}
	sum, got := 0, 0
	for _, file := range []string{"scan.go", "markup.go", "chars.go", "declaration.go", "store.go", "text.go", "content.go"} {
		if all[file] == 0 {
			t.Fatalf("%s is not in the profile", file)
		}
		part := 100 * float64(reached[file]) / float64(all[file])
		t.Logf("%-15s %5.1f %% of %d statements", file, part, all[file])
		if part < 90 {
			t.Errorf("the corpus reaches only %.1f %% of %s", part, file)
		}
		sum, got = sum+all[file], got+reached[file]
	}
	t.Logf("together %.1f %%", 100*float64(got)/float64(sum))
}
