// Package real brings the real world into tests: programs that prove our files right
// (Need), and the conditions under which rgmanager calls an agent (MetaData, Action).
//
// Only tests import it.
package real

import (
	"fmt"
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
	if err != nil {
		lack(t, program, err)
	}
	return path
}

// NeedFile is Need for a file that a package brings: a schema, a daemon outside PATH.
func NeedFile(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		lack(t, path, err)
	}
	return path
}

// NeedRoot skips a test that must be root, or is a failure as in Need.
func NeedRoot(t testing.TB) {
	t.Helper()
	if uid := os.Geteuid(); uid != 0 {
		lack(t, "root", fmt.Errorf("the user is %d", uid))
	}
}

func lack(t testing.TB, what string, err error) {
	t.Helper()
	if v, _ := os.LookupEnv(RequireVariable); v == "1" {
		t.Fatalf("this test needs %s, and %s=1 lets no test be skipped: %v", what, RequireVariable, err)
	}
	t.Skipf("skipped: this test needs %s, which is not here (%v)", what, err)
}
