// Package real brings the real world into tests: programs that prove our files right
// (Need), and the conditions under which rgmanager calls an agent (MetaData, Action).
//
// Only tests import it.
package real

import (
	"os"
	"os/exec"
	"testing"
)

// RequireVariable makes a missing program a failure: with it set to 1 nothing is skipped.
const RequireVariable = "LBVM_REQUIRE_REAL"

// Need finds a program that a test needs. Without it the test is skipped, and says why.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if v, _ := os.LookupEnv(RequireVariable); v == "1" {
		t.Fatalf("this test needs %s, and %s=1 lets no test be skipped: %v", program, RequireVariable, err)
	}
	t.Skipf("skipped: this test needs %s, which is not here (%v)", program, err)
	return ""
}
