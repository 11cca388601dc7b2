package ocf

import (
	"errors"
	"os"
	"runtime/debug"
	"syscall"
)

// CrashFile is where a node keeps what Go printed when an agent crashed in an action that changes something, below its
// root: the manager has put the agent's standard error on /dev/null.
func CrashFile(root string) string {
	return World{Env: []string{RootVariable + "=" + root}}.Path("var/lib/lbvm/crash")
}

// maxCrash bounds the crash file, as long as no single crash is longer.
const maxCrash = 256 << 10

// abortOnCrash makes what no recover can catch (a panic in a goroutine that the agent started by itself, two goroutines
// that write one map, memory that ran out) an end by SIGABRT. All managers take that for "failed, and nobody knows how".
// Go's own exit code would be 2: to Pacemaker "wrong arguments, never try again on this node".
func abortOnCrash() { debug.SetTraceback("crash") }

// keepCrash has what Go prints of a crash kept for the administrator. Where the node has no place for it, it is lost.
func keepCrash(w World) {
	path := CrashFile(w.Getenv(RootVariable))
	err := bounded(boxDiskWait, func() error {
		how := os.O_WRONLY | os.O_CREATE | os.O_APPEND | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
		if fi, err := os.Stat(path); err == nil && fi.Size() > maxCrash {
			how |= os.O_TRUNC
		}
		f, err := os.OpenFile(path, how, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close()) // the runtime has its own copy
	})
	if err != nil {
		return
	}
}
