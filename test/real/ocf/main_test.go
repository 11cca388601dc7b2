package ocf

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// binVariable names the folder with the programs of a build.
const binVariable = "LBVM_BIN"

// moduleRoot is where go.mod lies; a test runs in its package's folder.
const moduleRoot = "../../.."

// agents are all of ours.
var agents = [...]string{"openvz", "xen", "kvm", "vmexec", "lbvm"}

// built is the folder with the programs; it is filled by the first test that asks.
var built struct {
	once sync.Once
	dir  string
	temp bool
	err  error
}

// together is how many tests run at a time: they wait more than they work.
const together = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", together); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	code := m.Run()
	if built.temp {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// bin is the folder with the programs, its agents in agents/.
func bin(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if dir, ok := os.LookupEnv(binVariable); ok && dir != "" {
			built.dir, built.err = filepath.Abs(dir)
			return
		}
		built.temp = true
		if built.dir, built.err = os.MkdirTemp("", "lbvm-ocf-bin-"); built.err != nil {
			return
		}
		for _, p := range []string{"lbm", "lblog", "lbmonitor", "lbvm-lab"} {
			built.err = errors.Join(built.err, build(filepath.Join(built.dir, p), "cmd/"+p))
		}
		for _, a := range agents {
			built.err = errors.Join(built.err, build(filepath.Join(built.dir, "agents", a+".sh"), "agents/"+a))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func build(out, folder string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "./"+folder)
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", folder, err, text)
	}
	return nil
}

// ocfRoot is where Pacemaker and ocf-tester look for agents.
const ocfRoot = "/usr/lib/ocf"

// providerPrefix begins the name of every folder of ours; the number of the process ends it.
const providerPrefix = "lbvmtest"

// install copies the agents to where Pacemaker finds them, as a provider that no other test has, and takes them away
// when the test is over. It also takes away what a test left that was killed.
func install(t *testing.T) (provider string) {
	t.Helper()
	dir := real.NeedFile(t, filepath.Join(ocfRoot, "resource.d"))
	old, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range old {
		if of, ok := strings.CutPrefix(e.Name(), providerPrefix); ok {
			pid, err := strconv.Atoi(of[:strings.IndexByte(of+"x", 'x')])
			if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// Other tests of this process have a provider of their own.
	home, err := os.MkdirTemp(dir, fmt.Sprintf("%s%dx", providerPrefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		put(t, filepath.Join(bin(t), "agents", a+".sh"), filepath.Join(home, a))
	}
	return filepath.Base(home)
}

// put copies a program.
func put(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}
