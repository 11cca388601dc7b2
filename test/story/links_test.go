package story

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every link of the pages leads to a page, and to a title of it; and the index leads to every page.
func TestLinksOfThePages(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 30 {
		t.Fatal(pages, err)
	}
	evidence, err := filepath.Glob("../../docs/evidence/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, p := range append(append(pages, evidence...), "../../README.md", "../../CHANGELOG.md", "../../CONTRIBUTING.md") {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[p] = regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(string(b), "")
	}
	link := regexp.MustCompile(`\]\(([^)\s]*)\)`)
	links := 0
	for page, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to, title, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			links++
			target := page
			if to != "" {
				target = filepath.Join(filepath.Dir(page), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: a link to %s: %v", page, m[1], err)
			} else if title != "" && !hasTitle(texts[target], title) {
				t.Errorf("%s: a link to %s, where no such title is", page, m[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links", links)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "index.md" && !strings.Contains(texts["../../docs/index.md"], "]("+name+")") {
			t.Errorf("docs/index.md does not lead to %s", name)
		}
	}
}

// hasTitle tells whether a title of the text has that anchor: lower case, blanks as hyphens, only letters, digits, - and _.
func hasTitle(text, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		if regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(name, "") == anchor {
			return true
		}
	}
	return false
}
