// Package testfiles looks at whole folders for tests that say what a program may change. Only tests import it.
package testfiles

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Texts gives every file below root with its text, by its path below root.
func Texts(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, path)
		out[below] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
