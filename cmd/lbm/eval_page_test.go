package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/real"
)

// What docs/rules.md shows is run here: its files are written, its commands run in a folder that holds them, and what
// they print must be what stands in the page. UPDATE=1 writes it there. The rows of its tables are checked as rules.

const rulesPage = "../../docs/rules.md"

// pageBench is a node for the page, in the zone that it speaks of, with the page's files in the working folder.
func pageBench(t *testing.T, page string) *bench {
	t.Helper()
	b := recorded(t)
	zone, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	b.clock = clock.NewFake(time.Unix(1290000600, 0).In(zone))
	b.world.stderr = &b.out // as on a terminal
	b.write(t, "gfs/lbresources.conf", "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\n")
	b.write(t, "etc/cluster/lbresources.conf", "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\n")
	b.measured(t)
	dir := t.TempDir()
	chdir(t, dir)
	for _, m := range regexp.MustCompile("(?ms)^```(?:perl|json|conf) (\\S+)\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o644); err != nil {
			t.Fatal(err)
		}
		if m[1] == "lbvm.conf" {
			b.write(t, "gfs/lbvm.conf", m[2])
		}
	}
	return b
}

func readPage(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(rulesPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestRulesPageCommands(t *testing.T) {
	page := readPage(t)
	path, err := filepath.Abs(rulesPage)
	if err != nil {
		t.Fatal(err)
	}
	b := pageBench(t, page)
	commands, used := 0, map[string]bool{}
	now := regexp.MustCompile("(?ms)^```console\n(.*?)^```$").ReplaceAllStringFunc(page, func(block string) string {
		var out strings.Builder
		out.WriteString("```console\n")
		for _, line := range strings.Split(block, "\n") {
			command, is := strings.CutPrefix(line, "$ lbm ")
			if !is {
				continue
			}
			commands++
			args := words(t, command)
			for _, a := range args {
				used[a] = true
			}
			b.out.Reset()
			if code := b.main(context.Background(), append([]string{"lbm"}, args...)); code == exitUsage {
				t.Errorf("%s: usage", command)
			}
			fmt.Fprintf(&out, "%s\n%s", line, b.out.String())
		}
		return out.String() + "```"
	})
	for _, m := range regexp.MustCompile("(?m)^```perl (\\S+)$").FindAllStringSubmatch(page, -1) {
		if !used[m[1]] {
			t.Errorf("the recipe %s is run nowhere in the page", m[1])
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands found", commands)
	}
	if now == page {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was := strings.Split(page, "\n")
	for i, line := range strings.Split(now, "\n") {
		if i >= len(was) || line != was[i] {
			t.Fatalf("line %d of docs/rules.md is not what lbm prints (UPDATE=1 rewrites it):\n%s", i+1, line)
		}
	}
	t.Fatal("docs/rules.md holds more than lbm prints")
}

func TestRulesPageBatch(t *testing.T) {
	page := readPage(t)
	b := pageBench(t, page)
	m := regexp.MustCompile("(?ms)^```jsonl\n(.*?)^```$").FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page shows no batch")
	}
	asked, answer, _ := strings.Cut(m[1], "\n")
	b.stdin = strings.NewReader(asked + "\n")
	if code := b.lbm("eval", "--batch", "--fixture", "busy.json"); code != 0 || b.out.String() != answer {
		t.Errorf("%d: %s, and the page says %s", code, b.out.String(), answer)
	}
}

// words splits a command line as a shell does, as far as the page needs it.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	word, in, open := "", false, byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && open != '\'':
			i++
			word += string(line[i])
		case c == open:
			open = 0
		case open == 0 && (c == '\'' || c == '"'):
			open, in = c, true
		case open == 0 && c == ' ':
			if in {
				out = append(out, word)
			}
			word, in = "", false
		default:
			word, in = word+string(c), true
		}
	}
	if open != 0 {
		t.Fatalf("a quote is open in %q", line)
	}
	if in {
		out = append(out, word)
	}
	return out
}

// checked is what lbm check says of a rule: errors, and the codes of warnings.
func (b *bench) checked(t *testing.T, rule string) (errors, codes []string) {
	t.Helper()
	path := filepath.Join(b.root, "rule.conf")
	if err := os.WriteFile(path, []byte("balance 101;\ndefault {\n    algorithm {\n"+rule+"\n    }\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.out.Reset()
	b.main(context.Background(), []string{"lbm", "check", "-o", "json", path})
	var got struct{ Findings []checkRow }
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, b.out.String())
	}
	for _, f := range got.Findings {
		switch {
		case f.Severity == "error":
			errors = append(errors, f.Text)
		case f.Code != nil:
			codes = append(codes, *f.Code)
		}
	}
	return errors, codes
}

// table gives the rows of the first table whose head begins so.
func table(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	_, text, found := strings.Cut(page, "\n"+head)
	if !found {
		t.Fatalf("there is no table %q", head)
	}
	_, text, _ = strings.Cut(text, "\n") // the rest of the head
	_, text, _ = strings.Cut(text, "\n") // the rule below it
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		line = strings.ReplaceAll(line, `\|`, "\x00")
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	return rows
}

// codes are the pieces of code in a cell.
func codes(cell string) (out []string) {
	for _, m := range regexp.MustCompile("`` (.*?) ``|`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

func TestRulesPageTables(t *testing.T) {
	page := readPage(t)
	b := pageBench(t, page)
	n := 0
	for _, row := range table(t, page, "| what | for example |") {
		for _, code := range codes(row[1]) {
			n++
			if errors, _ := b.checked(t, code); len(errors) > 0 {
				t.Errorf("should work: %s: %q", code, errors)
			}
		}
	}
	perl := ""
	t.Run("perl", func(t *testing.T) { perl = real.Need(t, "perl") })
	for _, row := range table(t, page, "| code | here |") {
		n++
		code := codes(row[0])[0]
		b.out.Reset()
		if b.main(context.Background(), []string{"lbm", "eval", "--fixture", "busy.json", code}); !strings.Contains(b.out.String(), "value:   "+codes(row[1])[0]+"\n") {
			t.Errorf("%s: want %s, got %s", code, row[1], b.out.String())
		}
		if perl == "" {
			continue
		}
		out, err := exec.Command(perl, "-e", `my $v = eval $ARGV[0]; print $@ ? "an error" : $v`, code).Output()
		if err != nil || string(out) != strings.Trim(row[2], "`") {
			t.Errorf("%s: perl says %q, %v, and the page %s", code, out, err, row[2])
		}
	}
	for _, row := range table(t, page, "| refused |") {
		for _, code := range codes(row[0]) {
			n++
			if errors, _ := b.checked(t, code); len(errors) == 0 {
				t.Errorf("is not refused: %s", code)
			}
		}
		for _, code := range codes(row[1]) {
			if errors, _ := b.checked(t, code); strings.HasSuffix(code, ";") && len(errors) > 0 {
				t.Errorf("instead: %s: %q", code, errors)
			}
		}
	}
	for _, row := range table(t, page, "| written | warning |") {
		n++
		written, instead := codes(row[0])[0], codes(row[3])[0]
		if errors, got := b.checked(t, written); len(errors) > 0 || !slices.Contains(got, row[1]) {
			t.Errorf("%s: want %s, got %q %q", written, row[1], got, errors)
		}
		if errors, got := b.checked(t, instead); len(errors)+len(got) > 0 {
			t.Errorf("%s: %q %q", instead, got, errors)
		}
	}
	for _, row := range table(t, page, "| written | what is wrong |") {
		n++
		if errors, _ := b.checked(t, codes(row[0])[0]); len(errors) == 0 {
			t.Errorf("no error: %s", row[0])
		}
		if errors, got := b.checked(t, codes(row[2])[0]); len(errors)+len(got) > 0 {
			t.Errorf("%s: %q %q", row[2], got, errors)
		}
	}
	if n < 60 {
		t.Errorf("only %d rows found", n)
	}
	for _, m := range regexp.MustCompile("(?ms)^```perl (\\S+)\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		if errors, got := b.checked(t, m[2]); len(errors)+len(got) > 0 {
			t.Errorf("the recipe %s: %q %q", m[1], errors, got)
		}
	}
}
