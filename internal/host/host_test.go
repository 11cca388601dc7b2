package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// node is a root with a few files.
type node struct {
	Host
	t    *testing.T
	root string
}

func newNode(t *testing.T) node {
	t.Helper()
	root := t.TempDir()
	h, err := New(root)
	if err != nil {
		t.Fatal(err)
	}
	return node{h, t, root}
}

func (n node) file(abs, text string) {
	n.t.Helper()
	p := filepath.Join(n.root, abs)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func TestNew(t *testing.T) {
	for in, want := range map[string]string{"": "", "/": "", "//": "", "/lab/nodes/node1/": "/lab/nodes/node1", "/a/../b": "/b"} {
		if h, err := New(in); err != nil || h.Root() != want {
			t.Errorf("%q: %q, %v", in, h.Root(), err)
		}
	}
	for _, in := range []string{"lab", "./lab", "../x"} {
		if h, err := New(in); err == nil || !strings.Contains(err.Error(), RootVariable) {
			t.Errorf("%q: %q, %v", in, h.Root(), err)
		}
	}
}

func TestFromEnviron(t *testing.T) {
	h, err := FromEnviron([]string{"PATH=/bin", "LBVM_ROOTS=/no", "LBVM_ROOT=/lab/n1", "X=LBVM_ROOT=/y"})
	if err != nil || h.Root() != "/lab/n1" {
		t.Errorf("%q, %v", h.Root(), err)
	}
	for _, env := range [][]string{nil, {"PATH=/bin"}, {"LBVM_ROOT="}} {
		if h, err := FromEnviron(env); err != nil || h.Root() != "" {
			t.Errorf("%q: %q, %v", env, h.Root(), err)
		}
	}
	if _, err := FromEnviron([]string{"LBVM_ROOT=lab"}); err == nil {
		t.Error("a relative root was taken")
	}
}

func TestPath(t *testing.T) {
	real, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := New("/lab/n1")
	if err != nil {
		t.Fatal(err)
	}
	for abs, want := range map[string]string{
		"/etc/hosts": "/lab/n1/etc/hosts", "/": "/lab/n1", "/a//b/": "/lab/n1/a/b", "/../../../etc/shadow": "/lab/n1/etc/shadow", "/a/../../..": "/lab/n1",
	} {
		if got := lab.Path(abs); got != want {
			t.Errorf("%q: %q", abs, got)
		}
	}
	if got := real.Path("/etc/hosts"); got != "/etc/hosts" {
		t.Errorf("%q", got)
	}
}

func TestName(t *testing.T) {
	n := newNode(t)
	if name, err := n.Name(); err == nil {
		t.Errorf("no file gave %q", name)
	}
	n.file("/etc/hostname", "node1.example.com\n")
	if name, err := n.Name(); name != "node1.example.com" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	for _, bad := range []string{"", "\n", "a b\n", "../x\n", "-x\n"} {
		n.file("/etc/hostname", bad)
		if name, err := n.Name(); !errors.Is(err, ErrName) {
			t.Errorf("%q gave %q, %v", bad, name, err)
		}
	}
	if name, err := (Host{}).Name(); err != nil || name == "" {
		t.Errorf("this machine: %q, %v", name, err)
	}
}

func TestBootID(t *testing.T) {
	n := newNode(t)
	if id, err := n.BootID(); err == nil {
		t.Errorf("no file gave %q", id)
	}
	n.file("/proc/sys/kernel/random/boot_id", "\n")
	if id, err := n.BootID(); err == nil {
		t.Errorf("an empty file gave %q", id)
	}
	n.file("/proc/sys/kernel/random/boot_id", "b1\n")
	if id, err := n.BootID(); id != "b1" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

func TestLookup(t *testing.T) {
	n := newNode(t)
	n.file("/usr/sbin/vzctl", "")
	n.file("/usr/bin/vzctl", "")
	if p, err := n.Lookup("vzctl"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that may not be executed: %q, %v", p, err)
	}
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		if err := os.Chmod(filepath.Join(n.root, dir, "vzctl"), 0o755); err != nil {
			t.Fatal(err)
		}
		if p, err := n.Lookup("vzctl"); p != filepath.Join(n.root, dir, "vzctl") || err != nil {
			t.Errorf("%q, %v", p, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(n.root, "sbin/vzctl"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := n.Lookup("vzctl"); p != filepath.Join(n.root, "usr/sbin/vzctl") || err != nil {
		t.Errorf("a folder is in the way: %q, %v", p, err)
	}
	if p, err := n.Lookup("sh"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program of the machine was found: %q, %v", p, err)
	}
}

func TestEnviron(t *testing.T) {
	lab, err := New("/lab/n1")
	if err != nil {
		t.Fatal(err)
	}
	path := "PATH=/lab/n1/sbin:/lab/n1/bin:/lab/n1/usr/sbin:/lab/n1/usr/bin"
	for _, c := range []struct{ got, want []string }{
		{Host{}.Environ(), []string{"PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C"}},
		{Host{}.ShellEnviron(), []string{"PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C"}},
		{lab.Environ(), []string{path, "HOME=/root", "LC_ALL=C", "LBVM_ROOT=/lab/n1"}},
		{lab.ShellEnviron(), []string{path + ":/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C", "LBVM_ROOT=/lab/n1"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"101", "web-1", "a.b_c:d+e", "_x", "node1.example.com", strings.Repeat("a", MaxName)} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", ".x", "-x", "--force", "a/b", "a b", "a\nb", "a\x00b", "$(x)", "a;b", "a'b", "a\"b", "a%b", "a=b", "ä", "\xff", strings.Repeat("a", MaxName+1)} {
		if err := CheckName(bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestVersion(t *testing.T) {
	if Version() == "" {
		t.Error("no version")
	}
}

func FuzzCheckName(f *testing.F) {
	f.Add("web-1")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		if filepath.Base(name) != name || strings.ContainsAny(name, " \t\n=\"'$`\\*?[]{}<>|;&()!~#%/") || strings.HasPrefix(name, "-") {
			t.Errorf("%q passed", name)
		}
	})
}
