package ccs

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/beevik/etree"
)

func big(services int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n<cluster name=\"big\" config_version=\"1\">\n  <rm>\n")
	for i := range services {
		fmt.Fprintf(&b, "    <service name=\"s%d\" autostart=\"1\">\n      <openvz name=\"%d\"/>\n    </service>\n", i, i)
	}
	b.WriteString("  </rm>\n</cluster>\n")
	return b.Bytes()
}

// One edit of a file with ten thousand services, beside etree's own reading and writing of it.
func BenchmarkEdit(b *testing.B) {
	src := big(10000)
	b.Run("ccs", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			d := parse(b, string(src))
			if _, err := d.Apply(Insert{d.rm(), Into, `<openvz name="x"/>`}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		d := parse(b, string(src))
		for range b.N {
			if all := d.Check(nil); len(all) > 0 {
				b.Fatal(all[0])
			}
		}
	})
	b.Run("diff", func(b *testing.B) {
		next := bytes.Replace(src, []byte("s5000"), []byte("t5000"), 1)
		for range b.N {
			if unified("f", src, next) == "" {
				b.Fatal("no difference")
			}
		}
	})
	b.Run("etree", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			t := etree.NewDocument()
			if err := t.ReadFromBytes(src); err != nil {
				b.Fatal(err)
			}
			if _, err := t.WriteToBytes(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
