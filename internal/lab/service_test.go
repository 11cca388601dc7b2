package lab

import (
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// The lab's service.sh and vm.sh say of their types what is known of the suite's own.
func TestAgentsOfTheSuite(t *testing.T) {
	for _, typ := range []string{"service", "vm"} {
		out, err := exec.Command("/bin/sh", typ+".sh", "meta-data").Output()
		if err != nil {
			t.Fatal(err)
		}
		got, said, err := ccs.ParseMetadata(out)
		if err != nil || len(said) > 0 {
			t.Fatalf("%v, %q", err, said)
		}
		want := *ccs.DefaultRules()[typ]
		want.Partial = false
		if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s: %s", typ, d)
		}
	}
}
