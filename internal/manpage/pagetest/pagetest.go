// Package pagetest keeps the man pages of docs/man equal to what their programs say.
package pagetest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Current fails where docs/man/NAME is not text. With UPDATE=1 in the environment it writes the file instead.
func Current(t *testing.T, name, text string) {
	t.Helper()
	_, self, _, _ := runtime.Caller(0)
	file := filepath.Join(filepath.Dir(self), "../../../docs/man", name)
	if v, _ := os.LookupEnv("UPDATE"); v == "1" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != text {
		t.Errorf("docs/man/%s is not what the program says of itself: run make generate", name)
	}
}
