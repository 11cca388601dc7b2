package ccs

import (
	"bytes"
	"testing"
)

// The checks, the tree and the delta of a file with ten thousand services.
func BenchmarkManager(b *testing.B) {
	src := big(10000)
	d := parse(b, string(src))
	next := parse(b, string(bytes.Replace(src, []byte(`name="5000"`), []byte(`name="other"`), 1)))
	rules := DefaultRules()
	before, after := d.ResourceTree(rules), next.ResourceTree(rules)
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if all := d.Check(nil); len(all) != 1 { // it is over 64 KB
				b.Fatal(all)
			}
		}
	})
	b.Run("tree", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if t := d.ResourceTree(rules); len(t.Groups) != 10000 {
				b.Fatal(len(t.Groups))
			}
		}
	})
	b.Run("delta", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if c := Delta(before, after); len(c) != 2 {
				b.Fatal(c)
			}
		}
	})
}
