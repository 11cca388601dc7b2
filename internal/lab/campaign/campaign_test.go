package campaign

import (
	"os"
	"strings"
	"testing"
)

func TestRandomRuns(t *testing.T) {
	base, err := newBase("")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	for seed := int64(1); seed <= 200; seed++ {
		r := Random(seed)
		w, err := r.play(base, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(w.findings) > 0 {
			w, _ = r.play(base, true)
			t.Fatalf("%s\n%s\n%s", r, strings.Join(w.trace, "\n"), strings.Join(w.findings, "\n"))
		}
	}
}
