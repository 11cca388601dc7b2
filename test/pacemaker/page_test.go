package pacemaker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// page is the manual's page that this test sets its cluster up by.
const page = "../../docs/install-pacemaker.md"

// pageBlocks are the page's blocks of that language.
func (b *bench) pageBlocks(language string) (out []string) {
	b.t.Helper()
	text, err := os.ReadFile(page)
	b.must(err)
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	return out
}

// pageCommands are the lines of its blocks of commands.
func (b *bench) pageCommands() (out []string) {
	b.t.Helper()
	for _, block := range b.pageBlocks("") {
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			line, _, _ = strings.Cut(line, " #")
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// pageXML is the page's XML that holds a text.
func (b *bench) pageXML(holds string) string {
	b.t.Helper()
	for _, block := range b.pageBlocks("xml") {
		if strings.Contains(block, holds) {
			return block
		}
	}
	b.t.Fatalf("%s has no XML with %s", page, holds)
	return ""
}

// shows runs a command of the page on a node, letter by letter. It has to succeed.
func (b *bench) shows(node, command string) string {
	b.t.Helper()
	out, err := b.showsTried(node, command)
	if err != nil {
		b.t.Fatalf("%s: %s: %v: %s", node, command, err, out)
	}
	return out
}

// showsTried is shows for what may fail.
func (b *bench) showsTried(node, command string) (string, error) {
	b.t.Helper()
	if !slices.Contains(b.pageCommands(), command) {
		b.t.Fatalf("%s does not show %q", page, command)
	}
	b.mu.Lock()
	b.shown[command] = true
	b.mu.Unlock()
	return b.nodes[node].try("sh", "-c", "cd && "+command)
}

// everyCommand wants that each of the page's commands was run, but those that testdata/commands.txt of test/story says cannot
// be, or are by another test.
func (b *bench) everyCommand() {
	b.t.Helper()
	text, err := os.ReadFile("../story/testdata/commands.txt")
	b.must(err)
	elsewhere := func(command string) bool {
		for _, line := range strings.Split(string(text), "\n") {
			row := strings.Split(line, " | ")
			if len(row) != 3 || row[1] != command {
				continue
			}
			if row[0] == "not" || row[0] == "by" && !strings.HasPrefix(row[2], "test/pacemaker/") {
				return true
			}
		}
		return false
	}
	ran := 0
	for _, c := range b.pageCommands() {
		switch {
		case b.shown[c]:
			ran++
		case !elsewhere(c):
			b.t.Errorf("%s shows %q, and it was not run", page, c)
		}
	}
	b.say("%d commands of %s were run as they stand there", ran, filepath.Base(page))
}

// put writes a file of root's on a node.
func (b *bench) put(node, name, text string) {
	b.t.Helper()
	out, err := b.nodes[node].try("sh", "-c", "cat >/root/"+name+" <<'END'\n"+text+"END\n")
	if err != nil {
		b.t.Fatalf("%s: %s: %v: %s", node, name, err, out)
	}
}
