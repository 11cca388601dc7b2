package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// /proc/PID/cmdline lies in the process's own memory. As long as a thread of it hangs in the kernel with that memory's lock (a page
// fault on storage that is away), whoever reads it hangs, too, and on old kernels cannot be killed. /proc/PID/stat needs no such lock.

// argsMost is how long a process that may hang is waited for.
const argsMost = time.Second

// errHung says that a process hangs in the kernel, and that its command line cannot be read.
var errHung = errors.New("it hangs in the kernel, and its command line cannot be read")

// procStat is what is needed of /proc/PID/stat.
type procStat struct {
	comm    string
	waits   bool // in the kernel, for what cannot be broken off (D)
	kernel  bool // a thread of the kernel, which has no memory of its own
	threads int
}

// kernelThread is PF_KTHREAD of include/linux/sched.h.
const kernelThread = 0x00200000

// parseStat reads `PID (COMM) STATE ...`, where COMM may hold anything.
func parseStat(text string) (procStat, bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return procStat{}, false
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 18 {
		return procStat{}, false
	}
	flags, ferr := strconv.ParseUint(f[6], 10, 64)
	threads, terr := strconv.Atoi(f[17])
	return procStat{comm: text[open+1 : end], waits: f[0] == "D", kernel: flags&kernelThread != 0, threads: threads}, ferr == nil && terr == nil
}

// statOf reads one; what cannot be read does not wait.
func statOf(dir string) procStat {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return procStat{}
	}
	s, ok := parseStat(string(text))
	if !ok {
		return procStat{}
	}
	return s
}

// mayHang tells whether a thread of the process waits in the kernel.
func mayHang(dir string, s procStat) bool {
	if s.kernel || s.waits {
		return !s.kernel
	}
	if s.threads < 2 {
		return false
	}
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil { // it has ended
		return false
	}
	for _, t := range tasks {
		if statOf(filepath.Join(dir, "task", t.Name())).waits {
			return true
		}
	}
	return false
}

// args reads the command line of a process. One that may hang a child reads, which is left behind: errHung.
func (t Tools) args(ctx context.Context, dir string, s procStat) ([]byte, error) {
	path := filepath.Join(dir, "cmdline")
	if !mayHang(dir, s) {
		return os.ReadFile(path)
	}
	short, cancel := t.Clock.WithTimeout(ctx, argsMost)
	defer cancel()
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		r, err := t.ask(short, "cat", path)
		read <- answer{r.Stdout, err}
	}()
	select {
	case a := <-read:
		switch {
		case a.err == nil:
			return a.text, nil
		case said(a.err, "no such process"), said(a.err, "no such file"):
			return nil, fs.ErrNotExist
		}
		return nil, fmt.Errorf("%w: %w", errHung, a.err)
	case <-short.Done(): // what it takes to end a child is not waited for: this one may not end
		return nil, errHung
	}
}

// hung is whose process it is that hangs, as far as others tell: libvirtd's notes name their guest's process, whatever that does.
// maybe says that nobody knows, and that it looks like a guest's.
func hung(h host.Host, pid int, s procStat) (vm string, maybe bool, err error) {
	dir := h.Path(statusFiles)
	notes, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", true, err
	}
	for _, n := range notes {
		name, ok := strings.CutSuffix(n.Name(), ".xml")
		if st, known := statusOf(h, name); ok && known && st.pid == pid {
			return name, false, nil
		}
	}
	comm := strings.ToLower(s.comm)
	return "", strings.Contains(comm, "qemu") || strings.Contains(comm, "kvm"), nil
}
