package ocf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/run"
)

// Main is an agent's main function. It does not return. xml is the metadata in rgmanager's form, nil where WithParsed gives it.
//
// SIGTERM, SIGINT and SIGHUP end the action's context, so that it can tidy up; a status check or monitor has nothing to
// tidy up in its first 20 ms and is ended by them as any program. A panic in an action makes it fail with CodeGeneric. A panic in a goroutine that the agent started by itself ends the process, which no library can
// prevent (Call.All starts goroutines whose panics are caught); Main makes it an end by SIGABRT, which every manager
// takes for a failure of unknown outcome, and keeps what Go prints in CrashFile.
func Main(xml []byte, a Agent, options ...Option) {
	run.KeeperMain()
	switch first, last := ends(os.Args); {
	case isStatus(first) || isStatus(last):
		// It waits more than it works: one goroutine at a time will do, and wakes no threads for others. Done
		// first, while the processor that goes has not begun to hold memory (package quick does it earlier).
		runtime.GOMAXPROCS(1)
		napLonger()
	case first != actionMetaData && last != actionMetaData:
		runtime.GOMAXPROCS(runtime.NumCPU())
	}
	abortOnCrash()
	env := os.Environ()
	if add := missingEnv(env); len(add) > 0 {
		for _, a := range add {
			key, value, _ := strings.Cut(a, "=")
			if err := os.Setenv(key, value); err != nil {
				continue // names and values of ours: the kernel's limit at most, which exec will tell
			}
		}
		env = append(add, env...) // the first of a name counts
	}
	w := World{
		Args: os.Args, Env: env,
		Stdin: os.Stdin, Stdout: stream(1), Stderr: stream(2),
		Now: time.Now, process: true,
	}
	ctx, cancel := heed(w)
	defer cancel()
	w.Context = ctx
	w.Human = terminal(2) || terminal(1)
	w.Box = BoxFile(w.Getenv(RootVariable))
	os.Exit(int(Run(w, xml, a, options...)))
}

// ends are the first and the last argument, one of which is the action.
func ends(args []string) (first, last string) {
	if n := len(args); n > 1 {
		return args[1], args[n-1]
	}
	return "", ""
}

// heed gives the context that the signals end. To listen for them costs a quarter of all that a status check costs, so
// an action that only asks begins when it has lasted for a moment: ended before, it has nothing to tidy up.
func heed(w World) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(context.Background())
	listen := func() {
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		go func() { end(fmt.Errorf("%w by signal: %s", context.Canceled, <-got)) }()
	}
	if r, err := parseRequest(w); err == nil && !r.explain {
		if r.action == actionMetaData {
			return ctx, func() { end(nil) }
		}
		if isStatus(r.action) {
			later := time.AfterFunc(moment, listen)
			return ctx, func() { later.Stop(); end(nil) }
		}
	}
	listen()
	return ctx, func() { end(nil) }
}

// moment is how long an action that only asks is not told of signals: they end it as they end any program.
const moment = 20 * time.Millisecond

// stream is standard output or standard error. A reader that went away is an error of the write: os.File would end
// the process by SIGPIPE, and to catch that costs a thread.
type stream int

// Write writes all of p.
func (s stream) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := syscall.Write(int(s), p[done:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EAGAIN) { // somebody made our terminal or pipe not wait
			fds := []unix.PollFd{{Fd: int32(s), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err == nil || errors.Is(err, syscall.EINTR) {
				continue
			}
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

func terminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// RootVariable names the variable that holds the folder below which the node lies; empty on a real node.
const RootVariable = "LBVM_ROOT"

// missingEnv is what a program needs and rgmanager does not give: PATH and HOME.
func missingEnv(env []string) []string {
	w := World{Env: env}
	var add []string
	if w.Getenv("PATH") == "" {
		root := rootPrefix(w.Getenv(RootVariable))
		add = append(add, "PATH="+root+"/sbin:"+root+"/bin:"+root+"/usr/sbin:"+root+"/usr/bin")
	}
	if w.Getenv("HOME") == "" {
		add = append(add, "HOME=/root")
	}
	return add
}

// programDirs are the folders in which programs are looked for, in the order of missingEnv's PATH.
func programDirs(root string) []string {
	root = rootPrefix(root)
	return []string{root + "/sbin", root + "/bin", root + "/usr/sbin", root + "/usr/bin"}
}

// rootPrefix is what stands before the paths of a node; "" on a real one.
func rootPrefix(root string) string {
	if root == "" {
		return ""
	}
	return strings.TrimSuffix(filepath.Join("/", root), "/")
}
