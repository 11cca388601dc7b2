package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built is the folder of the programs just built, or skips.
func built(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LBVM_BIN")
	if dir == "" {
		if os.Getenv("LBVM_REQUIRE_REAL") != "" {
			t.Fatal("LBVM_BIN does not name the folder of the programs: run make test")
		}
		t.Skip("LBVM_BIN does not name the folder of the programs: run make test")
	}
	return dir
}

// The demo is a proof only if it fails where the rule is taken out.
func TestDemoFailsWithoutItsRule(t *testing.T) {
	bin := built(t)
	temp := t.TempDir()
	cmd := exec.Command(filepath.Join(bin, "lbvm-lab"), "demo", "--no-rule", "--patience", "8s")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), errNoMove.Error()) {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestDemo(t *testing.T) {
	bin := built(t)
	temp := t.TempDir()
	cmd := exec.Command(filepath.Join(bin, "lbvm-lab"), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"lbmonitor moves openvz:101 from node1", "memory kept", "the guest itself: counted to", "101 on node", "no guest ran twice"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
