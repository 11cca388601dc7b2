package kill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// plan is where in an action its agent is killed.
type plan struct {
	share   float64 // of the time that the action takes; below 0: by event
	event   int     // right after the n-th event
	written bool    // counting from the first write of the state record on
}

func (p plan) String() string {
	switch {
	case p.event == 0:
		return fmt.Sprintf("after %.0f %% of its time", p.share*100)
	case p.written:
		return fmt.Sprintf("at event %d from the first write of the record on", p.event)
	}
	return fmt.Sprintf("at event %d", p.event)
}

// trap waits for the moment of a plan, and kills. Events are: a tool begins for the VM, a tool has ended, and every
// name that appears or vanishes in the folder that is watched.
type trap struct {
	plan  plan
	group bool        // the whole process group
	wrote func() bool // whether the action has written the record

	mu     sync.Mutex
	pid    int
	events int // all
	after  int // of these from the first write on
	fired  bool
	last   string // event
}

// event tells the trap what happened.
func (t *trap) event(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fired || t.pid == 0 {
		return
	}
	t.events++
	if t.wrote() {
		t.after++
	}
	t.last = what
	n := t.events
	if t.plan.written {
		n = t.after
	}
	if t.plan.event > 0 && n == t.plan.event {
		t.fire()
	}
}

// tick is the end of the time.
func (t *trap) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fired && t.pid != 0 {
		t.last = "time"
		t.fire()
	}
}

func (t *trap) fire() {
	t.fired = true
	pid := t.pid
	if t.group {
		pid = -pid
	}
	// The error says that it has ended just now, which its exit code tells too.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.last = err.Error()
	}
}

// spring runs an agent into the trap. killed is false where it ended before the moment had come.
func (t *trap) spring(tb testing.TB, c call, length time.Duration, folder string, ours func(name string) bool) (killed bool, code int, took time.Duration) {
	tb.Helper()
	stop, err := watch(folder, ours, t.event)
	if err != nil {
		tb.Fatalf("watching %s: %v", folder, err)
	}
	defer stop()
	t.mu.Lock() // nothing is missed between the start and the knowledge of its process
	p := c.begin(tb)
	t.pid = p.cmd.Process.Pid
	t.mu.Unlock()
	if t.plan.event == 0 && t.plan.share >= 0 {
		timer := time.AfterFunc(time.Duration(t.plan.share*float64(length)), t.tick)
		defer timer.Stop()
	}
	code = p.wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pid = 0
	return code == -int(syscall.SIGKILL), code, p.took
}

const watched = unix.IN_CREATE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE

// watch tells of every change of a folder's names, and of those of the images that appear in it.
func watch(folder string, ours func(string) bool, tell func(string)) (stop func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, folder, watched); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return // closed
			}
			for _, name := range names(buf[:n]) {
				if !ours(name) {
					continue
				}
				if strings.HasSuffix(name, ".part") {
					// It may be gone already; then there is nothing to watch.
					if _, err := unix.InotifyAddWatch(fd, filepath.Join(folder, name), watched); err != nil && !errors.Is(err, unix.ENOENT) {
						name += " (not watched)"
					}
				}
				tell("file " + name)
			}
		}
	}()
	return func() { f.Close(); <-done }, nil
}

// names are the names in a batch of events.
func names(b []byte) []string {
	var out []string
	for len(b) >= unix.SizeofInotifyEvent {
		size := int(binary.NativeEndian.Uint32(b[unsafe.Offsetof(unix.InotifyEvent{}.Len):]))
		name := b[unix.SizeofInotifyEvent : unix.SizeofInotifyEvent+size]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		out = append(out, string(name))
		b = b[unix.SizeofInotifyEvent+size:]
	}
	return out
}

// changes tells whether a call of a tool changes a guest.
func changes(argv []string) bool {
	if len(argv) < 2 {
		return false
	}
	switch argv[0] {
	case "vzctl":
		return slices.Contains([]string{"start", "stop", "mount", "umount", "chkpnt", "restore"}, argv[1])
	case "virsh":
		return slices.Contains([]string{"create", "shutdown", "destroy", "suspend", "resume", "save", "restore", "migrate", "domjobabort"}, argv[1])
	case "xm":
		return slices.Contains([]string{"create", "shutdown", "destroy", "pause", "unpause", "save", "restore", "migrate"}, argv[1])
	}
	return false
}
