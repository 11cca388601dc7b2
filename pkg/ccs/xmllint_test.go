package ccs

import (
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// only we refuse these of the documents below; xmllint, whose library the cluster's programs read with, takes them.
func onlyOurs(src string, err error) string {
	switch {
	case strings.Contains(src, "<!ENTITY"):
		return "an entity of the document's own"
	case strings.Contains(err.Error(), "]]&gt;"):
		return "a value with ]]>, which etree does not read"
	case strings.Contains(err.Error(), "nested") || strings.Contains(err.Error(), "attributes") || strings.Contains(err.Error(), "a name of more than"):
		return "a limit of ours"
	case strings.Contains(err.Error(), "cannot be a name") && strings.Contains(src, ":"):
		return "a name with two colons"
	case strings.Contains(err.Error(), "encoding") || strings.Contains(err.Error(), "UTF-16"):
		return "an encoding that we do not read"
	case strings.Contains(src, "<!DOCTYPEa"):
		return "no blank behind DOCTYPE"
	case strings.Contains(err.Error(), "of XML is not read"):
		return "a version of XML for which xmllint warns"
	case strings.Contains(err.Error(), "byte order mark"):
		return "two encodings at once"
	}
	return ""
}

// The library that the cluster's programs read the file with takes what we take, and what it refuses we refuse.
func TestWithXmllint(t *testing.T) {
	xmllint := real.Need(t, "xmllint")
	path := filepath.Join(t.TempDir(), "f.xml")
	takes := func(src []byte) (bool, string) {
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(xmllint, "--noout", "--nonet", path).CombinedOutput()
		return err == nil, string(out)
	}
	docs := accepted()
	for _, r := range refusals() {
		docs = append(docs, r.src)
	}
	for _, f := range fileFormats() {
		if f.doc == nil {
			f.doc = func(s string) string { return s }
		}
		docs = append(docs, f.doc(plainConf))
	}
	differ := map[string]int{}
	for _, src := range docs {
		_, err := Parse("f", []byte(src))
		took, say := takes([]byte(src))
		if took == (err == nil) {
			continue
		}
		why := ""
		if err != nil {
			why = onlyOurs(src, err)
		}
		if why == "" {
			t.Errorf("%.200q: we say %v, xmllint takes it: %v %s", src, err, took, say)
		}
		differ[why]++
	}
	edited := 0
	for i := range 100 {
		g := ugly{Rand: rand.New(rand.NewSource(int64(i)))}
		d, err := Parse("f", g.document())
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Apply(g.edits(d)...)
		if err != nil {
			t.Fatal(err)
		}
		// It knows of namespaces and warns of a prefix that nobody has declared.
		if took, say := takes(out.src); !took {
			t.Errorf("%q became %q: %s", d.src, out.src, say)
		}
		edited++
	}
	t.Logf("%d documents and %d edited ones; refused by us alone: %v", len(docs), edited, differ)
}
