package real

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// self makes this test program an agent that tells what it was given.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "tell.sh" {
		tell()
	}
	os.Exit(m.Run())
}

func tell() {
	// The Go runtime fills 0, 1 and 2 with /dev/null where they were closed.
	out := strings.Join(os.Args[1:], " ") + "\n" + strings.Join(os.Environ(), "\n") + "\n"
	for _, fd := range []string{"0", "1", "2"} {
		to, err := os.Readlink("/proc/self/fd/" + fd)
		if err != nil {
			to = err.Error()
		}
		out += fd + " " + to + "\n"
	}
	dir, err := os.Getwd()
	if err != nil {
		os.Exit(99)
	}
	out += "dir " + dir + "\n"
	if os.Args[1] == "meta-data" {
		os.Stdout.WriteString(out)
		os.Exit(3)
	}
	if err := os.WriteFile(os.Getenv("OCF_RESKEY_out"), []byte(out), 0o600); err != nil {
		os.Exit(98)
	}
	os.Exit(42)
}

func agent(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "tell.sh")
	if err := os.Symlink(self, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMetaData(t *testing.T) {
	out, code := MetaData(t, agent(t), "A=b")
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"meta-data\nA=b\n0 /dev/null", "\n1 pipe:", "\n2 /dev/null", "\ndir /\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestAction(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	env := Env("tell", []Param{{"name", "a b"}, {"out", file}}, 20)
	if code := Action(t, env, agent(t), "migrate", "node2"); code != 42 {
		t.Fatalf("exit code %d", code)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `migrate node2
OCF_RESKEY_name=a b
OCF_RESKEY_out=` + file + `
OCF_RA_VERSION_MAJOR=1
OCF_RA_VERSION_MINOR=0
OCF_ROOT=/usr/share/cluster
OCF_RESOURCE_INSTANCE=tell:a b
OCF_RESOURCE_TYPE=tell
OCF_CHECK_LEVEL=0
OCF_RESKEY_RGMANAGER_meta_refcnt=0
OCF_RESKEY_RGMANAGER_meta_timeout=20
0 /dev/null
1 /dev/null
2 /dev/null
dir /
`
	if string(got) != want {
		t.Errorf("the agent saw\n%s\nwant\n%s", got, want)
	}
}

func TestNeed(t *testing.T) {
	if p := Need(t, "sh"); !filepath.IsAbs(p) {
		t.Errorf("sh is at %q", p)
	}
	t.Run("missing", func(t *testing.T) {
		t.Setenv(RequireVariable, "")
		skipped := false
		t.Run("inner", func(t *testing.T) {
			defer func() { skipped = t.Skipped() }()
			Need(t, "no-such-program-of-lbvm")
			t.Error("it went on without the program")
		})
		if !skipped {
			t.Error("it was not skipped")
		}
	})
}
