package ocf

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRender(t *testing.T) {
	got := render("moved", []any{"vm", 101, "why", "too hot", "empty", "", "odd"})
	if want := `moved vm=101 why="too hot" empty="" odd=(missing)`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLines(t *testing.T) {
	if got := lines(RGManager, 12, "openvz", "two\nlines and a \x1b[0m"); len(got) != 1 || got[0] != "rgmanager[12]: [openvz] two lines and a ?[0m" {
		t.Errorf("%q", got)
	}
	if got := lines(RGManager, 1, "x", ""); len(got) != 1 {
		t.Errorf("%q", got)
	}
	words := ""
	for i := 0; i < 40; i++ {
		words += fmt.Sprintf("word%d ", i)
	}
	for name, text := range map[string]string{
		"words": words, "one long word": strings.Repeat("x", 500), "not ascii": strings.Repeat("äöü ", 100),
		"huge": strings.Repeat("words and words ", 500), "wide": strings.Repeat("w", 90) + " " + strings.Repeat("v", 90),
	} {
		for _, typ := range []string{"xen", strings.Repeat("long", 30)} {
			got := lines(RGManager, 4194304, typ, text)
			prefix := fmt.Sprintf("rgmanager[4194304]: [%.24s] ", typ)
			joined := ""
			for i, l := range got {
				if len(l) >= 126 || !strings.HasPrefix(l, prefix) || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%s: line %d of %d bytes: %q", name, i, len(l), l)
				}
				joined += strings.TrimPrefix(strings.TrimPrefix(l, prefix), "+ ")
			}
			if len(got) > maxLines {
				t.Errorf("%s: %d lines", name, len(got))
			}
			if name == "huge" != strings.HasSuffix(joined, " ...") {
				t.Errorf("%s: ends in %q", name, joined[len(joined)-10:])
			}
			if plain := strings.ReplaceAll(text, " ", ""); name != "huge" && name != "not ascii" && strings.ReplaceAll(joined, " ", "") != plain {
				t.Errorf("%s: text was lost: %q", name, joined)
			}
		}
	}
	for _, l := range lines(RGManager, 1, "xen", words) {
		if !regexp.MustCompile(`word\d+$`).MatchString(l) {
			t.Errorf("not cut between words: %q", l)
		}
	}
}

// shortDir is a folder whose name fits into a socket's address.
func shortDir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("/tmp", "ocf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	return d
}

func listen(t *testing.T, root string) *net.UnixConn {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(root, "dev/log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslog(t *testing.T) {
	root := shortDir(t)
	c := listen(t, root)
	w := World{Env: []string{RootVariable + "=" + root}, Now: time.Now}.complete()
	l := logger(w, "openvz")
	l.Log(LevelError, "start failed", "vm", "101")
	want := regexp.MustCompile(`^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d rgmanager\[\d+\]: \[openvz\] start failed vm=101$`)
	if got := receive(t, c); !want.MatchString(got) {
		t.Errorf("%q", got)
	}
	l.Log(LevelDebug, "not for the log")
	l.Log(0, "grave") // nothing is shown to everybody
	if got := receive(t, c); !strings.HasPrefix(got, "<26>") || !strings.HasSuffix(got, "grave") {
		t.Errorf("%q", got)
	}

	// The log daemon starts again: nothing is lost.
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "dev/log")); err != nil {
		t.Fatal(err)
	}
	c = listen(t, root)
	defer c.Close()
	l.Log(LevelInfo, "after")
	if got := receive(t, c); !strings.HasSuffix(got, "after") {
		t.Errorf("%q", got)
	}
}

func TestSyslogHangs(t *testing.T) {
	root := shortDir(t)
	c := listen(t, root) // and nobody reads
	defer c.Close()
	l := logger(World{Env: []string{RootVariable + "=" + root}, Now: time.Now}.complete(), "openvz")
	began := time.Now()
	for i := 0; i < 5000; i++ {
		l.Log(LevelInfo, "into the void")
	}
	if took := time.Since(began); took > patience {
		t.Errorf("a log daemon that hangs held us for %s", took)
	}
}

func TestNoSyslog(t *testing.T) {
	// A lab's node has no log daemon, but a folder of logs.
	root := t.TempDir()
	l := logger(World{Env: []string{RootVariable + "=" + root}, Now: time.Now}.complete(), "xen")
	l.Log(LevelInfo, "no folder: nowhere to write, and no failure")
	if err := os.MkdirAll(filepath.Join(root, "var/log"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.Log(LevelInfo, "one")
	l.Log(LevelWarning, "two")
	b, err := os.ReadFile(filepath.Join(root, "var/log/messages"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\S+ rgmanager\[\d+\]: \[xen\] one\n\S+ rgmanager\[\d+\]: \[xen\] two\n$`).Match(b) {
		t.Errorf("%s", b)
	}
}

func TestMissingEnv(t *testing.T) {
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{nil, "PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root"},
		{[]string{"PATH=/x"}, "HOME=/root"},
		{[]string{"HOME=/x", "PATH="}, "PATH=/sbin:/bin:/usr/sbin:/usr/bin"},
		{[]string{"HOME=/x", "LBVM_ROOT=/lab/a"}, "PATH=/lab/a/sbin:/lab/a/bin:/lab/a/usr/sbin:/lab/a/usr/bin"},
		{[]string{"HOME=/x", "PATH=/y"}, ""},
	} {
		if got := strings.Join(missingEnv(tt.env), " "); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.env, got, tt.want)
		}
	}
}
