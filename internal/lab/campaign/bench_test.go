package campaign

import (
	"os"
	"testing"
)

// What a run costs.
func BenchmarkRun(b *testing.B) {
	base, err := newBase()
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(base)
	for i := range b.N {
		if _, err := Random(int64(i)).play(base, false); err != nil {
			b.Fatal(err)
		}
	}
}
