package campaign

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What a world leaves behind in its base is nothing to the next one: else a run would be another one after other runs, and
// where a node that left is believed to be leaving for ever, no later run sends anything to it.
func TestAWorldLeavesNothingToTheNext(t *testing.T) {
	used, err := newBase()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(used)
	txn := regexp.MustCompile("[0-9a-f]{32}") // relocators make their own
	tell := func(base, run string) string {
		r, err := ParseRun(run)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.play(base, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range w.findings {
			t.Errorf("%s: %s", run, f)
		}
		return txn.ReplaceAllString(strings.ReplaceAll(strings.Join(w.trace, "\n"), base, "BASE"), "TXN")
	}
	for _, typ := range technologies {
		for _, before := range []string{
			"enable node1; leave node2; leave node3; wait 30",
			"define plain; enable node1; nolock node2; unmount node3; silent node2 900; wait 5",
			"enable node1; at state:suspending:done die 30; disable; full publish; damage; join node3 20",
			"enable node2; fail node2 migrate undefined; +migrate node3; at during:migrate isolate 90; wait 9",
		} {
			tell(used, typ+" 5 "+before)
			const run = " 7 enable node1; relocate node2; migrate node3; wait 20; disable; start node2"
			fresh, err := newBase()
			if err != nil {
				t.Fatal(err)
			}
			want := tell(fresh, typ+run)
			if err := os.RemoveAll(fresh); err != nil {
				t.Fatal(err)
			}
			if got := tell(used, typ+run); got != want {
				a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
				for i := range a {
					if i >= len(b) || a[i] != b[i] {
						t.Errorf("%s, after %q: line %d is %q, and in a new base %q", typ, before, i, a[i], b[min(i, len(b)-1)])
						break
					}
				}
			}
		}
	}
}
