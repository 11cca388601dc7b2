package kill

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/lbvm/lbvm/internal/lab/labtest"
)

// Variables of the environment.
const (
	binVariable     = "LBVM_BIN"
	killsVariable   = "LBVM_KILLS"
	seedVariable    = "LBVM_KILL_SEED"
	episodeVariable = "LBVM_KILL"
	typeVariable    = "LBVM_KILL_TYPE"
)

// moduleRoot is where go.mod lies; a test runs in its package's folder.
const moduleRoot = "../.."

// agents are the agents' types, and the folders that they are built from.
var agents = [...]string{"openvz", "xen", "kvm", "vmexec", "lbvm"}

// together is how many VMs have their turn at a time: agents wait more than they work.
const together = "32"

// built is the folder with the programs; it is filled by the first test that asks.
var built struct {
	once sync.Once
	dir  string
	temp bool
	err  error
}

// The test program plays the guests too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "guest" {
		os.Exit(labtest.Main(m))
	}
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", together); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	code := labtest.Main(m)
	if built.temp {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// number reads a variable that holds a number.
func number(t *testing.T, variable string, otherwise int64) int64 {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok || text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// bin is the folder with the programs, its agents in agents/.
func bin(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if dir, ok := os.LookupEnv(binVariable); ok && dir != "" {
			built.dir, built.err = filepath.Abs(dir)
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "lbvm-kill-bin-"); built.err != nil {
			return
		}
		built.temp = true
		for _, p := range []string{"lbvm-lab", "lbmonitor"} {
			built.err = errors.Join(built.err, build(filepath.Join(built.dir, p), "cmd/"+p, ""))
		}
		for _, a := range agents {
			built.err = errors.Join(built.err, build(agentIn(built.dir, a), "agents/"+a, ""))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func agentIn(dir, typ string) string { return filepath.Join(dir, "agents", typ+".sh") }

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
