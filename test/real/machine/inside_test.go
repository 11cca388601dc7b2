package machine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// insideName is this test program as a machine's first process.
const insideName = "inside"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == insideName {
		os.Exit(inside(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// request asks a machine to run a program; an answer is what came of it.
type request struct {
	ID    int
	Argv  []string
	Env   []string
	Stdin string
	Limit time.Duration
}

type answer struct {
	ID   int
	Out  string // of both streams
	Code int    // -1: it was ended at its limit, or could not be started; Out says which
	Took time.Duration
}

// hello is the first line that a machine sends.
const hello = "the machine is up"

// insidePath is the search path in the machine: xl has helpers of its own.
const insidePath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/xen-4.17/bin"

// inside is what the program does in a machine: serve as its first process, or an exercise.
func inside(args []string) int {
	var err error
	if len(args) == 0 {
		err = serve()
	} else if e, ok := exercises[args[0]]; ok {
		err = e(args[1:])
	} else {
		err = fmt.Errorf("no exercise %q", args)
	}
	if err != nil {
		fmt.Println("inside:", err)
		return 1
	}
	return 0
}

// serve runs what the test asks for, all at once, for ever. As the first process it must not end.
func serve() error {
	port, err := waitPort()
	if err != nil {
		fmt.Println("inside:", err)
		time.Sleep(time.Hour)
	}
	var one sync.Mutex
	send := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(`{"Code":-1}`)
		}
		one.Lock()
		defer one.Unlock()
		if _, err := port.Write(append(b, '\n')); err != nil {
			fmt.Println("inside: answering:", err)
		}
	}
	send(hello)
	in := bufio.NewReader(port)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil { // nobody is there yet, or any more
			time.Sleep(100 * time.Millisecond)
			continue
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Printf("inside: %v: %q\n", err, line)
			continue
		}
		go func() { send(r.run()) }()
	}
}

func waitPort() (*os.File, error) {
	var err error
	for range 300 {
		var f *os.File
		var found []string
		if found, _ = filepath.Glob("/dev/vport*p1"); len(found) == 0 {
			err = errors.New("no port to the test")
		} else if f, err = os.OpenFile(found[0], os.O_RDWR, 0); err == nil {
			return f, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}

func (r request) run() answer {
	ctx, done := context.WithTimeout(context.Background(), r.Limit)
	defer done()
	began := time.Now()
	cmd := exec.CommandContext(ctx, r.Argv[0], r.Argv[1:]...)
	cmd.Env = append([]string{insidePath, "LC_ALL=C", "HOME=/root"}, r.Env...)
	cmd.Stdin = strings.NewReader(r.Stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // daemons inherit the pipe
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	a := answer{ID: r.ID, Out: out.String(), Took: time.Since(began)}
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		a.Code, a.Out = -1, a.Out+"\n(ended: it took longer than "+r.Limit.String()+")"
	case errors.As(err, &ended):
		if a.Code = ended.ExitCode(); a.Code < 0 {
			a.Code = 128 + int(ended.Sys().(syscall.WaitStatus).Signal())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		a.Code, a.Out = -1, a.Out+err.Error()
	}
	return a
}
