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
func (t Tools) args(ctx context.Context, dir string, hangs bool) ([]byte, error) {
	path := filepath.Join(dir, "cmdline")
	if !hangs {
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

// notedProcesses is whose guest each process is, by libvirtd's notes.
func notedProcesses(h host.Host) (map[int]string, error) {
	notes, err := os.ReadDir(h.Path(statusFiles))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	whose := map[int]string{}
	for _, n := range notes {
		name, ok := strings.CutSuffix(n.Name(), ".xml")
		if st, known := statusOf(h, name); ok && known {
			whose[st.pid] = name
		}
	}
	return whose, nil
}

// anothers tells whether libvirtd notes that the process is another guest's.
func anothers(noted func() (map[int]string, error), pid int, vm string) bool {
	whose, err := noted()
	return err == nil && whose[pid] != "" && whose[pid] != vm
}

// known tells whether libvirt's note of vm names the process, whatever that does, or its control group is vm's, also when libvirt has
// given it up: it kills a guest whose monitor does not answer, and forgets it, while it hangs.
func known(h host.Host, pid int, vm string) bool {
	groups, err := os.ReadFile(h.Path(fmt.Sprintf("/proc/%d/cgroup", pid)))
	if err == nil && inGroup(string(groups), vm) {
		return true
	}
	st, ok := statusOf(h, vm)
	return ok && st.pid == pid
}

// guestLike: it bears a name of QEMU's, or one that libvirt gives it (set_process_name: qemu:VM).
func (s procStat) guestLike() bool {
	comm := strings.ToLower(s.comm)
	return strings.Contains(comm, "qemu") || strings.Contains(comm, "kvm")
}

// inGroup finds vm's own group in /proc/PID/cgroup, as the versions of libvirt have called it: /libvirt/qemu/VM, /machine/VM.libvirt-qemu,
// /machine/qemu-7-VM.libvirt-qemu, /machine.slice/machine-qemu\x2d7\x2dVM.scope, with groups for its parts below (docs/cgroups.rst).
func inGroup(text, vm string) bool {
	for _, line := range strings.Split(text, "\n") {
		parent := ""
		for _, name := range strings.Split(line, "/") {
			plain, own := strings.CutSuffix(name, ".libvirt-qemu")
			if !own {
				plain, own = strings.CutSuffix(unescapeUnit(name), ".scope")
			}
			guest := strings.TrimPrefix(strings.TrimPrefix(plain, "machine-"), "qemu-") // a number before it came with libvirt 1.3
			number, rest, _ := strings.Cut(guest, "-")
			_, err := strconv.Atoi(number)
			numbered := err == nil && (rest == vm || rest == hostLike(vm, len("qemu-"+number+"-")))
			if own && (guest == vm || numbered) || name == vm && parent == "qemu" {
				return true
			}
			parent = name
		}
	}
	return false
}

// hostLike is what libvirt since 1.3.1 makes of a guest's name for its group, behind a start of so many bytes
// (virDomainMachineNameAppendValid): no "_", ":" or "+", one "-" or "." of several, and 64 bytes in all. Two guests may come to the same.
func hostLike(vm string, start int) string {
	out, skip := "", true
	for _, c := range vm {
		if start+len(out) >= 64 {
			break
		}
		mark := c == '.' || c == '-'
		if mark && !skip || !mark && !strings.ContainsRune("_:+", c) {
			out += string(c)
		}
		skip = mark || skip && strings.ContainsRune("_:+", c)
	}
	return strings.TrimRight(out, "-.")
}

// unescapeUnit undoes systemd's \xNN.
func unescapeUnit(name string) string {
	for {
		before, after, found := strings.Cut(name, `\x`)
		if !found || len(after) < 2 {
			return name
		}
		c, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil {
			return name
		}
		name = before + string(rune(c)) + after[2:]
	}
}
