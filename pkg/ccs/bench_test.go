package ccs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"
	"github.com/lbvm/lbvm/internal/atomicfile"
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

// BenchmarkEdit makes one edit of a file with ten thousand services, beside etree doing the same: in memory, and from
// file to file. Ours keeps the bytes, checks itself by reading them again, syncs the file and renames it; etree does
// none of that. The transaction also locks, reads the new text with a second reader, checks it by the rules of the
// cluster manager, makes the difference and keeps the old file.
func BenchmarkEdit(b *testing.B) {
	src := big(10000)
	path := filepath.Join(b.TempDir(), "cluster.conf")
	fresh := func() {
		if err := os.WriteFile(path, src, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	ours := func(d *Document, err error) []byte {
		if err != nil {
			b.Fatal(err)
		}
		bump, err := d.Bump()
		if err != nil {
			b.Fatal(err)
		}
		next, err := d.Apply(Insert{d.rm(), Into, `<openvz name="x"/>`}, bump)
		if err != nil {
			b.Fatal(err)
		}
		return next.src
	}
	theirs := func(t *etree.Document) {
		t.Root().CreateAttr("config_version", "2")
		t.Root().SelectElement("rm").CreateElement("openvz").CreateAttr("name", "x")
	}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			fresh()
			b.ResetTimer()
			for range b.N {
				f()
			}
		})
	}
	run("memory/ccs", func() { ours(Parse("f", src)) })
	run("memory/etree", func() {
		t := etree.NewDocument()
		if err := t.ReadFromBytes(src); err != nil {
			b.Fatal(err)
		}
		theirs(t)
		if _, err := t.WriteToBytes(); err != nil {
			b.Fatal(err)
		}
	})
	next := path + ".next"
	run("file/ccs", func() {
		if err := atomicfile.Write(next, ours(Load(path)), atomicfile.Options{}); err != nil {
			b.Fatal(err)
		}
	})
	run("file/etree", func() {
		t := etree.NewDocument()
		if err := t.ReadFromFile(path); err != nil {
			b.Fatal(err)
		}
		theirs(t)
		if err := t.WriteToFile(next); err != nil {
			b.Fatal(err)
		}
	})
	i := 0
	run("transaction/ccs", func() {
		i++
		r, err := Update(context.Background(), path, Options{Keep: -1}, addVM(fmt.Sprint("x", i)))
		if err != nil || !r.Written {
			b.Fatal(err)
		}
	})
}

// BenchmarkParts are the parts of a transaction on the same file.
func BenchmarkParts(b *testing.B) {
	src := big(10000)
	d := parse(b, string(src))
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			parse(b, string(src))
		}
	})
	b.Run("reread", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if err := d.reread(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			for _, f := range d.Check(nil) {
				if f.Severity == Fatal {
					b.Fatal(f)
				}
			}
		}
	})
	b.Run("diff", func(b *testing.B) {
		b.ReportAllocs()
		next := bytes.Replace(src, []byte("s5000"), []byte("t5000"), 1)
		for range b.N {
			if unified("f", src, next) == "" {
				b.Fatal("no difference")
			}
		}
	})
}
