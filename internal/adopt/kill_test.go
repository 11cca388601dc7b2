package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes this test program a run of its own, of which the test can kill the whole process.
const childVariable = "LBVM_TEST_ADOPT"

// child adopts, resumes or undoes: args are a kind and what to do. The adoption is finished or taken back with 0, refused
// with 3.
func child(dir string, args []string) int {
	b := bench{dir: dir}
	for _, k := range kinds() {
		if k.label() == args[0] {
			b.k = k
		}
	}
	a, ctx := b.adopter("node1"), context.Background()
	err := func() error {
		if args[1] == "add" {
			p, err := a.Look(ctx, b.request())
			if err != nil {
				return err
			}
			return a.Add(ctx, p)
		}
		p, err := a.Find(b.k.vm)
		if err != nil {
			return err
		}
		if args[1] == "undo" {
			return a.Undo(ctx, p)
		}
		return a.Resume(ctx, p)
	}()
	switch {
	case errors.Is(err, ErrRefused):
		fmt.Fprintln(os.Stderr, err)
		return 3
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// start starts a child.
func (b bench) start(t *testing.T, what string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", b.k.label(), what)
	cmd.Env = append(os.Environ(), childVariable+"="+b.dir)
	var said bytes.Buffer
	cmd.Stderr = &said
	must(t, cmd.Start())
	return cmd, &said
}

// Killed with SIGKILL at any moment, in the tool's copying too, an adoption is resumed or taken back to a whole.
// LBVM_ADOPT_KILLS says how many runs are killed while one of their steps is begun or done, for each technology.
func TestKilledAtRandom(t *testing.T) {
	kills := 4
	if v := os.Getenv("LBVM_ADOPT_KILLS"); v != "" {
		var err error
		kills, err = strconv.Atoi(v)
		must(t, err)
	}
	seed := time.Now().UnixNano()
	if v := os.Getenv("LBVM_ADOPT_SEED"); v != "" {
		var err error
		seed, err = strconv.ParseInt(v, 10, 64)
		must(t, err)
	}
	t.Logf("LBVM_ADOPT_SEED=%d", seed)
	r := rand.New(rand.NewSource(seed))
	for _, k := range kinds() {
		t.Run(k.label(), func(t *testing.T) {
			whole := time.Hour
			for range 3 { // the shortest, so that few runs end before they are killed
				b := newBench(t, k)
				began := time.Now()
				cmd, said := b.start(t, "add")
				if err := cmd.Wait(); err != nil {
					t.Fatalf("%v: %s", err, said)
				}
				whole = min(whole, time.Since(began))
			}
			landed := map[string]int{}
			hits := 0
			for i := 0; hits < kills && i < 20*kills; i++ {
				then := []string{"resume", "undo", "undo, resume", "resume, undo", "resume, resume", "undo, undo"}[r.Intn(6)]
				dir := filepath.Join(t.TempDir(), strconv.Itoa(i))
				must(t, os.Mkdir(dir, 0o755))
				where := killedAt(t, newBench(t, k), then, whole, r)
				if where != "after the end" && where != "before the first" { // it was at work
					hits++
				}
				if landed[where]++; where == "after the end" { // the moments follow the machine's load
					whole = whole * 3 / 4
				} else {
					whole = whole * 21 / 20
				}
			}
			t.Logf("%d killed at work; one run takes %s; killed in %v", hits, whole, landed)
			if hits < kills {
				t.Errorf("only %d of %d were killed at work", hits, kills)
			}
		})
	}
}

// killedAt kills a run at some moment of the time that it takes, and all but the last of what comes then. It tells in
// which step the first one was killed.
func killedAt(t *testing.T, b bench, then string, whole time.Duration, r *rand.Rand) string {
	t.Helper()
	before := listing(t, b.dir)
	kill := func(what string) error {
		cmd, said := b.start(t, what)
		after := time.Duration(r.Int63n(int64(whole)))
		timer := time.AfterFunc(after, func() {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		})
		defer timer.Stop()
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return errKilled
			}
			if exit.ExitCode() == 3 {
				return fmt.Errorf("%w: %s", ErrRefused, said)
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	}
	if err := kill("add"); err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	where := b.lastStep(t)
	settle(t, b, before, then, func(undo, last bool) error {
		what := map[bool]string{true: "undo", false: "resume"}[undo]
		if !last {
			return kill(what)
		}
		cmd, said := b.start(t, what)
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 3 {
			return fmt.Errorf("%w: %s", ErrRefused, said)
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
	return where
}

// lastStep is the last line of the journal, in short.
func (b bench) lastStep(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "shared", Unfinished, b.k.name+"-"+b.k.vm, "journal"))
	if errors.Is(err, os.ErrNotExist) {
		if adopted, err := b.adopter("node1").Adopted(); err == nil && len(adopted) == 1 {
			return "after the end"
		}
		return "before the first"
	}
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	w := strings.Fields(lines[len(lines)-1])
	if len(w) < 3 { // torn
		return "in the first line"
	}
	return w[1] + " " + w[2]
}
