package ocf

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Main is an agent's main function. It does not return.
func Main(xml []byte, a Agent) {
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
	os.Exit(int(Run(World{
		Args: os.Args, Env: env,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: time.Now,
	}, xml, a)))
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
		var dirs []string
		for _, d := range []string{"/sbin", "/bin", "/usr/sbin", "/usr/bin"} {
			dirs = append(dirs, filepath.Join("/", w.Getenv(RootVariable), d))
		}
		add = append(add, "PATH="+strings.Join(dirs, ":"))
	}
	if w.Getenv("HOME") == "" {
		add = append(add, "HOME=/root")
	}
	return add
}
