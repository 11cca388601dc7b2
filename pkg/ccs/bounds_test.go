package ccs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within runs f and wants it to end in that time of the processor, having asked for no more than so many MiB in all. The times are
// generous: what they must catch takes minutes.
func within(t *testing.T, limit time.Duration, mib uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime(t)
	f()
	took := processorTime(t) - start
	runtime.ReadMemStats(&after)
	used := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%s, %d MiB", took.Round(100*time.Microsecond), used)
	if took > limit || used > mib {
		t.Errorf("%s and %d MiB, want at most %s and %d MiB", took, used, limit, mib)
	}
}

// processorTime is what the tests have used so far. The clock on the wall would count what others use.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// wantRefused wants a short *SyntaxError, and the sentinel if there is one.
func wantRefused(t *testing.T, err, is error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || len(err.Error()) > 500 || is != nil && !errors.Is(err, is) {
		t.Errorf("%.600v", err)
	}
}

func TestBounds(t *testing.T) {
	var garbage bytes.Buffer
	r := rand.New(rand.NewSource(1))
	for range 1 << 20 {
		garbage.WriteByte(byte(r.Intn(256)))
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	var laughs strings.Builder
	laughs.WriteString("<!DOCTYPE a [<!ENTITY l0 \"lol\">")
	for i := range 10 {
		fmt.Fprintf(&laughs, "<!ENTITY l%d \"%s\">", i+1, strings.Repeat(fmt.Sprintf("&l%d;", i), 10))
	}
	laughs.WriteString("]>")
	var wide strings.Builder
	wide.WriteString("<a>")
	for range maxItems/(maxAttrs+2) + 1 {
		wide.WriteString("<a " + manyAttrs(maxAttrs) + "/>\n")
	}
	for _, c := range []struct {
		name string
		src  func() string // made when it is its turn: they are big
		is   error
		mib  uint64
	}{
		{"a byte over 64 MiB", func() string { return strings.Repeat("x", MaxBytes+1) }, ErrTooBig, 80},
		{"64 MiB of elements", func() string { return "<a>" + strings.Repeat("<b/>", (MaxBytes-3)/4) }, ErrTooBig, 400},
		{"64 MiB of open elements", func() string { return strings.Repeat("<b>", MaxBytes/3) }, ErrTooBig, 400},
		{"64 MiB in a name", func() string { return "<" + strings.Repeat("b", MaxBytes-2) }, ErrTooBig, 160},
		{"64 MiB in a value", func() string { return "<a b='" + strings.Repeat("b", MaxBytes-6) }, nil, 160},
		{"64 MiB in a comment", func() string { return "<!--" + strings.Repeat("- ", (MaxBytes-4)/2) }, nil, 160},
		{"16 MiB of references", func() string { return "<a>" + strings.Repeat("&#65;", MaxBytes/20) }, nil, 40},
		{"10,000 levels", func() string { return strings.Repeat("<b>", 10000) + strings.Repeat("</b>", 10000) }, ErrTooBig, 1},
		{"as many attributes as can be", func() string { return wide.String() }, ErrTooBig, 200},
		{"an entity bomb", func() string { return laughs.String() + "<a>&l9;</a>" }, nil, 1},
		{"an entity bomb in a value", func() string { return laughs.String() + "<a b='&l9;'/>" }, nil, 1},
		{"a long entity used often", func() string {
			return "<!DOCTYPE a [<!ENTITY l \"" + strings.Repeat("x", 1<<20) + "\">]><a>" + strings.Repeat("&l;", 1<<18) + "</a>"
		}, nil, 5},
		{"an entity of a file", func() string { return "<!DOCTYPE a [<!ENTITY l SYSTEM \"file:///etc/passwd\">]><a>&l;</a>" }, nil, 1},
		{"binary garbage", func() string { return garbage.String() }, nil, 5},
		{"binary garbage behind a tag", func() string { return "<a>" + garbage.String() }, nil, 5},
		{"a program", func() string { return string(self[:min(len(self), 8<<20)]) }, nil, 20},
		{"nothing but zeros", func() string { return strings.Repeat("\x00", 1<<20) }, ErrEncoding, 5},
		{"UTF-16", func() string { return "\xff\xfe" + strings.Repeat("<\x00", 1<<20) }, ErrEncoding, 8},
		{"UTF-16, the other way round", func() string { return "\xfe\xff" + strings.Repeat("\x00<", 1<<20) }, ErrEncoding, 8},
		{"a million opening marks", func() string { return strings.Repeat("<", 1<<20) }, nil, 20},
		{"a million quotes in a DOCTYPE", func() string { return "<!DOCTYPE a " + strings.Repeat("'\"", 1<<19) }, nil, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := []byte(c.src())
			within(t, 20*time.Second, c.mib, func() {
				_, err := Parse("f", src)
				wantRefused(t, err, c.is)
			})
		})
	}
}

// A file is not read when its size says enough, and no further than the limit when it has none.
func TestBoundsOfFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.conf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil { // a hole, no data
		t.Skipf("skipped: this file system has no files of a terabyte: %v", err)
	}
	within(t, 5*time.Second, 1, func() {
		_, err := Load(path)
		wantRefused(t, err, ErrTooBig)
	})
	within(t, 20*time.Second, 300, func() {
		_, err := Load("/dev/zero")
		wantRefused(t, err, ErrTooBig)
	})
}

// What is new is bounded like what is there: an edit cannot take a document over a limit.
func TestBoundsOfEdits(t *testing.T) {
	d := parse(t, strings.Repeat("<a>", MaxDepth-1)+"<b/>"+strings.Repeat("</a>", MaxDepth-1))
	deepest := Element{d, d.all[len(d.all)-1]}
	within(t, 20*time.Second, 20, func() {
		if _, err := d.Apply(SetAttr{deepest, "x", "1"}, Insert{deepest, After, "<c/>"}); err != nil {
			t.Error(err)
		}
		if _, err := d.Apply(Insert{deepest, Into, "<c/>"}); !errors.Is(err, ErrTooBig) {
			t.Error(err)
		}
		if _, err := d.Apply(Insert{deepest, After, strings.Repeat("<b>", 10000)}); !errors.Is(err, ErrTooBig) {
			t.Error(err)
		}
		if _, err := d.Apply(SetAttr{deepest, strings.Repeat("n", maxName+1), "1"}); !errors.Is(err, ErrTooBig) {
			t.Error(err)
		}
	})
	// An entity bomb that nobody sets off is carried along.
	bomb := "<!DOCTYPE a [<!ENTITY l0 \"lol\"><!ENTITY l1 \"&l0;&l0;&l0;\">]>\n<a/>"
	d = parse(t, bomb)
	if got, err := d.Apply(SetAttr{d.Root(), "x", "&l1;"}); err != nil || string(got.src) != strings.Replace(bomb, "<a/>", "<a x=\"&amp;l1;\"/>", 1) {
		t.Error(err)
	}
}

// A pipe has no size, and may have no writer: it ends, with what a writer has given it or with nothing.
func TestLoadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	loaded := make(chan error, 1)
	go func() {
		_, err := Load(path)
		loaded <- err
	}()
	select {
	case err := <-loaded:
		if err == nil || !strings.Contains(err.Error(), "no element") {
			t.Errorf("%v", err)
		}
	case <-time.After(4 * time.Minute):
		t.Fatal("it waits for a writer")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		w.WriteString("<cluster>") // an error shows as a document that is cut
		w.WriteString("</cluster>")
		w.Close()
	}()
	if _, err := Load(fmt.Sprintf("/proc/self/fd/%d", r.Fd())); err != nil {
		t.Error(err)
	}
}
