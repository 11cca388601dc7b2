package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
)

// TestMain makes the test program lbvm-lab and all of the tools that it plays: by the name it is called with.
func TestMain(m *testing.M) {
	if !strings.HasSuffix(os.Args[0], ".test") {
		main()
	}
	os.Exit(m.Run())
}

// TestScripts runs whole labs with the real agents.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	programs := programs(t)
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{T: t, dir: t.TempDir(), env: []string{"PATH=" + programs + ":/usr/bin:/bin", "HOME=/root"}}
			t.Cleanup(s.down)
			for i, line := range strings.Split(string(text), "\n") {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					s.line(i+1, strings.NewReplacer("$WORK", s.dir, "$PROGRAMS", programs).Replace(line))
				}
			}
		})
	}
}

// script runs lines: `exec COMMAND`, `stdout REGEXP`, `stderr REGEXP` and `code NUMBER` of the last one, `exists PATH...`,
// `write PATH TEXT`, `env KEY=VALUE`. A line that begins with ! holds if the rest does not; one that begins with
// eventually is tried again until it holds, for minutes.
type script struct {
	*testing.T
	dir            string
	env            []string
	stdout, stderr string
	code           int
}

func (s *script) line(n int, line string) {
	again, eventually := strings.CutPrefix(line, "eventually ")
	for end := time.Now().Add(4 * time.Minute); eventually && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s.holds(n, again) {
			return
		}
	}
	if s.holds(n, again) {
		return
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "lab/log/manager.log"))
	if err != nil {
		log = []byte(err.Error())
	}
	s.Fatalf("line %d does not hold: %s\nstdout:\n%sstderr:\n%smanager.log:\n%s", n, line, s.stdout, s.stderr, log)
}

func (s *script) holds(n int, line string) bool {
	rest, not := strings.CutPrefix(line, "! ")
	verb, arg, _ := strings.Cut(rest, " ")
	ok := false
	switch verb {
	case "exec":
		ok = s.exec(words(arg)) == 0
	case "code":
		ok = strconv.Itoa(s.code) == arg
	case "stdout":
		ok = regexp.MustCompile("(?m)" + strings.Trim(arg, "'")).MatchString(s.stdout)
	case "stderr":
		ok = regexp.MustCompile("(?m)" + strings.Trim(arg, "'")).MatchString(s.stderr)
	case "exists":
		ok = true
		for _, path := range words(arg) {
			_, err := os.Lstat(filepath.Join(s.dir, path))
			ok = ok && err == nil
		}
	case "write":
		path, text, _ := strings.Cut(arg, " ")
		path = filepath.Join(s.dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			s.Fatal(err)
		}
		ok = true
	case "env":
		s.env = append(s.env, arg)
		ok = true
	default:
		s.Fatalf("line %d: no such verb: %s", n, line)
	}
	return ok != not
}

// words splits at blanks; single quotes keep a word together.
func words(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

func (s *script) exec(argv []string) int {
	path := argv[0]
	switch {
	case path == "lbvm-lab":
		path = filepath.Join(strings.Split(strings.TrimPrefix(s.env[0], "PATH="), ":")[0], path)
	case strings.Contains(path, "/"):
		path = filepath.Join(s.dir, path)
	}
	var stdout, stderr bytes.Buffer
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: s.dir, Env: s.env, Stdout: &stdout, Stderr: &stderr}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	s.stdout, s.stderr = stdout.String(), stderr.String()
	s.code = cmd.ProcessState.ExitCode()
	return s.code
}

// down stops whatever the script left running.
func (s *script) down() {
	l, d, err := lab.Open(filepath.Join(s.dir, "lab"))
	if err != nil {
		return
	}
	a := app{stdout: io.Discard, stderr: os.Stderr, wait: clock.System()}
	if err := a.down(context.Background(), l, d, false, time.Minute); err != nil {
		s.Error(err)
	}
}

// programs gives a folder with this very program and the agents: those that make test built, or built here.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "agents"), 0o755), copyFile(self, filepath.Join(dir, "lbvm-lab"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"openvz", "xen", "kvm", "lbvm"} {
		agent := filepath.Join(dir, "agents", name+".sh")
		if bin, ok := os.LookupEnv("LBVM_BIN"); ok {
			if err := copyFile(filepath.Join(bin, "agents", name+".sh"), agent); err != nil {
				t.Fatal(err)
			}
			continue
		}
		cmd := exec.Command("go", "build", "-o", agent, "github.com/lbvm/lbvm/agents/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building the agent %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
