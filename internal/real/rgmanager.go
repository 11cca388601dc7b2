package real

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Param is one parameter of a resource in cluster.conf, with its value.
type Param struct{ Name, Value string }

// Env is the whole environment that rgmanager gives an action, in its order. The first parameter is the primary one.
func Env(typ string, params []Param, timeout int) []string {
	var env []string
	name := ""
	for i, p := range params {
		env = append(env, "OCF_RESKEY_"+p.Name+"="+p.Value)
		if i == 0 {
			name = p.Value
		}
	}
	return append(env,
		"OCF_RA_VERSION_MAJOR=1",
		"OCF_RA_VERSION_MINOR=0",
		"OCF_ROOT=/usr/share/cluster",
		"OCF_RESOURCE_INSTANCE="+typ+":"+name,
		"OCF_RESOURCE_TYPE="+typ,
		"OCF_CHECK_LEVEL=0",
		"OCF_RESKEY_RGMANAGER_meta_refcnt=0",
		"OCF_RESKEY_RGMANAGER_meta_timeout="+strconv.Itoa(timeout),
	)
}

// closed stands for a descriptor that the child does not have.
const closed = ^uintptr(0)

// limit ends what would hang a test for ever.
const limit = 2 * time.Minute

// MetaData calls an agent with meta-data as rgmanager does: 0 and 2 closed, 1 a pipe, / the folder. env is the
// daemon's own environment. It gives what the agent printed and its exit code (or the negative number of a signal).
func MetaData(t testing.TB, agent string, env ...string) ([]byte, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, err := start([]string{agent, "meta-data"}, env, []uintptr{closed, w.Fd(), closed})
	if closing := w.Close(); closing != nil {
		t.Fatal(closing)
	}
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(limit, func() { end(t, pid) })
	defer stop.Stop()
	var out bytes.Buffer
	if _, err := io.Copy(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), wait(t, pid)
}

// Action calls an agent for an action as rgmanager does: that environment and no other, / the folder, all three
// descriptors on /dev/null. It gives the exit code, or the negative number of a signal.
func Action(t testing.TB, env []string, agent string, args ...string) int {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	return run(t, env, []uintptr{null.Fd(), null.Fd(), null.Fd()}, agent, args)
}

// ActionClosed is Action with all three descriptors closed, which is worse than anything that rgmanager does.
func ActionClosed(t testing.TB, env []string, agent string, args ...string) int {
	t.Helper()
	return run(t, env, []uintptr{closed, closed, closed}, agent, args)
}

func run(t testing.TB, env []string, files []uintptr, agent string, args []string) int {
	t.Helper()
	pid, err := start(append([]string{agent}, args...), env, files)
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(limit, func() { end(t, pid) })
	defer stop.Stop()
	return wait(t, pid)
}

func start(argv, env []string, files []uintptr) (int, error) {
	if env == nil {
		env = []string{}
	}
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: env, Files: files})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	return pid, nil
}

func wait(t testing.TB, pid int) int {
	t.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

func end(t testing.TB, pid int) {
	t.Logf("the agent (process %d) did not end within %s: killed", pid, limit)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Log(err)
	}
}
