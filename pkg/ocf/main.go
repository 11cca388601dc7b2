package ocf

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/run"
)

// Main is an agent's main function. It does not return. xml is the metadata in rgmanager's form.
//
// SIGTERM, SIGINT and SIGHUP end the action's context, so that it can tidy up. A panic in an action makes it fail with
// CodeGeneric. A panic in a goroutine that the agent started by itself ends the process, which no library can
// prevent (Call.All starts goroutines whose panics are caught); Main makes it an end by SIGABRT, which every manager
// takes for a failure of unknown outcome, and keeps what Go prints in CrashFile.
func Main(xml []byte, a Agent, options ...Option) {
	run.KeeperMain()
	abortOnCrash()
	fillDescriptors()
	// Caught and never read, so that a reader that went away is an error of the write and not our end, while
	// the programs that we start still have the ordinary signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	env := os.Environ()
	for _, add := range missingEnv(env) {
		key, value, _ := strings.Cut(add, "=")
		if err := os.Setenv(key, value); err == nil {
			env = append([]string{add}, env...) // the first of a name counts
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer cancel()
	w := World{
		Args: os.Args, Env: env,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: time.Now, Context: ctx,
		Human: terminal(os.Stderr) || terminal(os.Stdout), process: true,
	}
	w.Box = BoxFile(w.Getenv(RootVariable))
	os.Exit(int(Run(w, xml, a, options...)))
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// fillDescriptors opens 0, 1 and 2 where the manager closed them (rgmanager closes stdin and stderr for
// meta-data), so that no file of ours becomes the standard output of anything.
func fillDescriptors() {
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDWR, 0)
		if err != nil {
			return // without /dev/null there is nothing to fill them with
		}
		if fd > 2 {
			if err := syscall.Close(fd); err != nil {
				return // it is one descriptor more, which harms nobody
			}
			return
		}
	}
}

// RootVariable names the variable that holds the folder below which the node lies; empty on a real node.
const RootVariable = "LBVM_ROOT"

// missingEnv is what a program needs and rgmanager does not give: PATH and HOME.
func missingEnv(env []string) []string {
	w := World{Env: env}
	var add []string
	if w.Getenv("PATH") == "" {
		add = append(add, "PATH="+strings.Join(programDirs(w.Getenv(RootVariable)), ":"))
	}
	if w.Getenv("HOME") == "" {
		add = append(add, "HOME=/root")
	}
	return add
}

// programDirs are the folders in which programs are looked for.
func programDirs(root string) []string {
	var dirs []string
	for _, d := range []string{"/sbin", "/bin", "/usr/sbin", "/usr/bin"} {
		dirs = append(dirs, filepath.Join("/", root, d))
	}
	return dirs
}
