package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// callOn is a call on a node, outside of any action.
func callOn(n node) *Call {
	w, _, log := n.world("start")
	c := &Call{Action: "start", Type: "kit", Name: "k1", Instance: "kit:k1", Timeout: time.Minute, World: w.complete(), Log: log}
	n.t.Cleanup(func() { c.hold.end(c) })
	return c
}

// both are the two ways to run a program; most promises are the same.
func both(c *Call) map[string]func(context.Context, ...string) (Output, error) {
	return map[string]func(context.Context, ...string) (Output, error){"Query": c.Query, "Change": c.Change}
}

func TestWhatAProgramSees(t *testing.T) {
	n := newNode(t, "")
	n.write("usr/sbin/tool", "#!/bin/sh\n/bin/pwd; /usr/bin/env | /usr/bin/sort; /bin/readlink /proc/self/fd/0; echo \"$# $1 $2\"; echo bad >&2; exit 9", 0o755)
	c := callOn(n)
	c.World.Env = append(c.World.Env, "HOME=/home/x", "PATH=/somewhere:/bin", "LANG=de_DE", "OCF_RESKEY_secret=x")
	for name, run := range both(c) {
		out, err := run(context.Background(), "tool", "a b; $(x)", "'c'")
		if err != nil || out.ExitCode != 9 || string(out.Stderr) != "bad\n" || out.Took <= 0 || out.Truncated {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		want := "/\nHOME=/home/x\nLBVM_ROOT=" + n.root + "\nLC_ALL=C\nPATH=/somewhere:/bin\nPWD=/\n/dev/null\n2 a b; $(x) 'c'\n"
		if string(out.Stdout) != want {
			t.Errorf("%s: the program saw\n%swant\n%s", name, out.Stdout, want)
		}
		if p := n.root + "/usr/sbin/tool"; len(out.Argv) != 3 || out.Argv[0] != p || out.Err().Error() != p+` 'a b; $(x)' ''\''c'\''': exit code 9: bad` {
			t.Errorf("%s: %q, %v", name, out.Argv, out.Err())
		}
	}
}

func TestOutputErr(t *testing.T) {
	for _, tt := range []struct {
		out  Output
		want string
	}{
		{Output{Argv: []string{"/bin/a"}, Stdout: []byte("fine"), Stderr: []byte("a warning")}, "<nil>"},
		{Output{Argv: []string{"/bin/a", "b"}, ExitCode: 3}, "/bin/a b: exit code 3"},
		{Output{Argv: []string{"/bin/a"}, ExitCode: 1, Stdout: []byte("out\nlast\n\n")}, "/bin/a: exit code 1: last"},
		{Output{Argv: []string{"/bin/a"}, ExitCode: 1, Stdout: []byte("out\n"), Stderr: []byte("Error: no\n")}, "/bin/a: exit code 1: Error: no"},
		{Output{Argv: []string{"/bin/a"}, ExitCode: 1, Stderr: bytes.Repeat([]byte("x"), 9999)}, "/bin/a: exit code 1: " + strings.Repeat("x", 300)},
	} {
		if got := fmt.Sprint(tt.out.Err()); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestOutputOfAProgramIsBounded(t *testing.T) {
	c := callOn(newNode(t, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"))
	for name, run := range both(c) {
		out, err := run(context.Background(), "tool")
		if err != nil || len(out.Stdout) != 1<<20 || len(out.Stderr) != 1<<20 || !out.Truncated {
			t.Errorf("%s: %d and %d bytes, %t, %v", name, len(out.Stdout), len(out.Stderr), out.Truncated, err)
		}
	}
}

func TestLookup(t *testing.T) {
	n := newNode(t, "")
	n.program("usr/bin/last", "echo usr/bin")
	n.program("usr/bin/first", "echo usr/bin")
	n.program("sbin/first", "echo sbin")
	n.write("sbin/last/x", "", 0o644)    // a folder
	n.write("bin/last", "text\n", 0o644) // no program
	n.program("opt/own", "echo opt")
	if err := os.Symlink("own", filepath.Join(n.root, "opt/link")); err != nil {
		t.Fatal(err)
	}
	c := callOn(n)
	for name, run := range both(c) {
		for program, want := range map[string]string{"first": "sbin", "last": "usr/bin", "/opt/own": "opt", "/opt/link": "opt"} {
			if out, err := run(context.Background(), program); err != nil || strings.TrimSpace(string(out.Stdout)) != want {
				t.Errorf("%s %s: %q, %v", name, program, out.Stdout, err)
			}
		}
		for program, want := range map[string]Code{
			"sh": CodeInstalled, "/bin/sh": CodeInstalled, // the real node's are not this node's
			"own": CodeInstalled, "/bin/last": CodeInstalled, "/opt": CodeInstalled, "..": CodeInstalled,
			"opt/own": CodeConfigured, "./first": CodeConfigured, "../first": CodeConfigured,
			"": CodeGeneric,
		} {
			if out, err := run(context.Background(), program); err == nil || codeOf(err) != want {
				t.Errorf("%s %q: code %d, %v, %s", name, program, codeOf(err), err, out.Stdout)
			}
		}
		if _, err := run(context.Background()); err == nil { // no argument at all
			t.Errorf("%s: no program at all, and no error", name)
		}
	}
	// A script whose interpreter is missing is a program that is not installed.
	n.write("usr/bin/torn", "#!/no/such/interpreter\n", 0o755)
	if _, err := c.Query(context.Background(), "torn"); codeOf(err) != CodeInstalled {
		t.Error(err)
	}
	// The manager learns it.
	for do, want := range map[string]Code{"query": CodeInstalled, "change": CodeInstalled} {
		n := newNode(t, "")
		w, _, log := n.world("start", "do="+do, "tool=missing")
		if got := Run(w, []byte(kitXML), kit{}); got != want || n.exists("var") || !strings.Contains(log.String(), "missing is not installed here (exit 5)") {
			t.Errorf("%s: exit %d, log %q", do, got, log)
		}
	}
}

func TestProgramsEndWithTheirContext(t *testing.T) {
	c := callOn(newNode(t, "echo x"))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, run := range both(c) {
		if out, err := run(ended, "tool"); !errors.Is(err, context.Canceled) || len(out.Stdout) > 0 {
			t.Errorf("%s: %v, %q", name, err, out.Stdout)
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"a-b_c./:=@%+,9": "a-b_c./:=@%+,9", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "ä": "'ä'", "$x": "'$x'", "*": "'*'", "~": "'~'", "a\nb": "'a\nb'"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	for root, want := range map[string]string{"": "/etc/x", "/": "/etc/x", "/lab/a": "/lab/a/etc/x", "lab": "/lab/etc/x"} {
		w := World{Env: []string{RootVariable + "=" + root}}
		for _, file := range []string{"/etc/x", "etc/x"} {
			if got := w.Path(file); got != want {
				t.Errorf("%q %q: %s", root, file, got)
			}
		}
	}
}
