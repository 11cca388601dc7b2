package testfiles

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestTexts(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a/empty"), 0o755), os.WriteFile(filepath.Join(dir, "a/b"), []byte("one"), 0o600), os.WriteFile(filepath.Join(dir, "c"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, want := Texts(t, dir), map[string]string{"a/b": "one", "c": ""}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
