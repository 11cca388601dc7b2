package lab

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// The lab's service.sh says of the type what is known of rgmanager's own.
func TestServiceAgent(t *testing.T) {
	out, err := exec.Command("/bin/sh", filepath.Join("service.sh"), "meta-data").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, said, err := ccs.ParseMetadata(out)
	if err != nil || len(said) > 0 {
		t.Fatalf("%v, %q", err, said)
	}
	want := *ccs.DefaultRules()["service"]
	want.Partial = false
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
}
