package story

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binVariable names the folder with the programs of a build.
const binVariable = "LBVM_BIN"

// programs and agents are what a build leaves behind.
var (
	programs = [...]string{"lbm", "lblog", "lbmonitor", "lbvm-lab"}
	agents   = [...]string{"openvz", "xen", "kvm", "vmexec", "lbvm"}
)

// built is the folder with the programs; it is filled by the first test that asks.
var built struct {
	once sync.Once
	dir  string
	temp bool
	err  error
}

// together is how many stories are told at a time: they wait more than they work.
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
	built.once.Do(func() { built.dir, built.temp, built.err = makeBin() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func makeBin() (dir string, temp bool, err error) {
	if dir, ok := os.LookupEnv(binVariable); ok && dir != "" {
		dir, err = filepath.Abs(dir)
		for _, p := range programs {
			if _, serr := os.Stat(filepath.Join(dir, p)); serr != nil && err == nil {
				err = fmt.Errorf("%s: %w", binVariable, serr)
			}
		}
		for _, a := range agents {
			if _, serr := os.Stat(filepath.Join(dir, "agents", a+".sh")); serr != nil && err == nil {
				err = fmt.Errorf("%s: %w", binVariable, serr)
			}
		}
		return dir, false, err
	}
	if dir, err = os.MkdirTemp("", "lbvm-story-bin-"); err != nil {
		return "", false, err
	}
	for _, p := range programs {
		if err := build(filepath.Join(dir, p), "cmd/"+p, ""); err != nil {
			return dir, true, err
		}
	}
	for _, a := range agents {
		if err := build(filepath.Join(dir, "agents", a+".sh"), "agents/"+a, ""); err != nil {
			return dir, true, err
		}
	}
	return dir, true, nil
}

// build makes one program from a folder of the module. overlay may be a file of `go build -overlay`.
func build(out, folder, overlay string) error {
	args := []string{"build", "-trimpath", "-o", out}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, "./"+folder)...)
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", folder, err, text)
	}
	return nil
}

// moduleRoot is where go.mod lies; a test runs in its package's folder.
const moduleRoot = "../.."
