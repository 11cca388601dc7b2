package hypervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/lbvm/lbvm/internal/host"
)

// A guest of KVM is a process of the node, whether libvirtd lives or not: where libvirt cannot tell, or should not be
// believed alone, the process table is read.

// qemu is the process of a guest.
type qemu struct {
	pid      int
	incoming bool // it was started to wait for a guest's memory, and may have got it since
	hung     bool // it hangs in the kernel: libvirtd says whose it is, and nobody how it was started
}

// plain: it was not started to wait for a guest's memory, for certain.
func (q qemu) plain() bool { return !q.incoming && !q.hung }

// qemuOf finds the process of vm. Its error says that not all of the table could be read: nothing is known then.
func (t Tools) qemuOf(ctx context.Context, vm string) (qemu, bool, error) {
	proc := t.Host.Path("/proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return qemu{}, false, fmt.Errorf("looking for the process of %s: %w", vm, err)
	}
	var doubt error
	noted := sync.OnceValues(func() (map[int]string, error) { return notedProcesses(t.Host) })
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		stat := statOf(dir)
		var cmd []byte
		hangs := mayHang(dir, stat)
		switch {
		case hangs && !stat.guestLike() && !known(t.Host, pid, vm): // a node has many that wait for a disk: no child for each
			continue
		case hangs && anothers(noted, pid, vm) && !known(t.Host, pid, vm): // each child would cost a second, where all of a node's guests hang
			continue
		case hangs && doubt != nil: // one is enough to wait for
			err = errHung
		default:
			cmd, err = t.args(ctx, dir, hangs)
		}
		switch {
		case errors.Is(err, errHung):
			if known(t.Host, pid, vm) {
				return qemu{pid: pid, hung: true}, true, nil
			}
			if _, nerr := noted(); nerr != nil || stat.guestLike() {
				doubt = errors.Join(fmt.Errorf("looking for the process of %s: %d may be it, and %w", vm, pid, err), nerr)
			}
			continue
		case errors.Is(err, fs.ErrNotExist), err != nil && strings.Contains(err.Error(), "no such process"): // it has ended
			continue
		case err != nil:
			return qemu{}, false, fmt.Errorf("looking for the process of %s: %w", vm, err)
		}
		if p, ok := parseQEMU(cmd, vm); ok {
			p.pid = pid
			return p, true, nil
		}
	}
	// A table in which we do not stand does not show all of this node's.
	if _, err := os.Stat(filepath.Join(proc, strconv.Itoa(os.Getpid()))); err != nil {
		return qemu{}, false, fmt.Errorf("looking for the process of %s: %w", vm, err)
	}
	return qemu{}, false, doubt
}

// parseQEMU reads a command line: `-name guest=VM,debug-threads=on`, or `-name VM` from libvirt before 1.3.
func parseQEMU(cmd []byte, vm string) (qemu, bool) {
	args := strings.Split(string(bytes.TrimRight(cmd, "\x00")), "\x00")
	program := filepath.Base(args[0])
	found, p := false, qemu{}
	for i, a := range args[1:] {
		switch {
		case a == "-incoming":
			p.incoming = true
		case a == "-name" && i+2 < len(args):
			name, _, _ := strings.Cut(args[i+2], ",")
			guest, is := strings.CutPrefix(name, "guest=")
			found = found || is && guest == vm || name == vm && (strings.Contains(program, "qemu") || strings.Contains(program, "kvm"))
		}
	}
	return p, found
}

// noQEMU is nil if no process of this node is the guest vm.
func (t Tools) noQEMU(ctx context.Context, vm string) error {
	p, ok, err := t.qemuOf(ctx, vm)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errDoubt, err)
	case ok:
		return fmt.Errorf("%w: process %d is %s", errDoubt, p.pid, vm)
	}
	return nil
}

// statusFiles is where libvirtd keeps what it knows of its running guests, for the libvirtd after it.
const statusFiles = "/var/run/libvirt/qemu"

// domStatus is what such a file says.
type domStatus struct {
	state string
	pid   int
}

// statusOf reads the file of vm; false is that there is none, or none that can be read.
func statusOf(h host.Host, vm string) (domStatus, bool) {
	b, err := os.ReadFile(h.Path(filepath.Join(statusFiles, vm+".xml")))
	if err != nil {
		return domStatus{}, false
	}
	root, err := parseXML(b)
	if err != nil || root.name != "domstatus" {
		return domStatus{}, false
	}
	pid, err := strconv.Atoi(root.attrs["pid"])
	return domStatus{state: root.attrs["state"], pid: pid}, err == nil
}

// ran tells whether libvirtd has seen the process run before it went down: it writes so when the guest goes on, also where
// that was behind a move or a restore (src/conf/domain_conf.c: virDomainObjFormat). What is arriving is paused there.
func ran(h host.Host, vm string, pid int) bool {
	st, ok := statusOf(h, vm)
	return ok && st.state == "running" && st.pid == pid
}

// withoutLibvirtd is the answer where libvirtd is down: its guests run on without it. What such a one does nobody
// can say; it counts as running.
func (t Tools) withoutLibvirtd(ctx context.Context, err error, vm string) (Detail, error) {
	p, ok, table := t.qemuOf(ctx, vm)
	switch {
	case table != nil:
		return Detail{}, fmt.Errorf("%w; %w", err, table)
	case ok && !p.plain() && !ran(t.Host, vm, p.pid): // it may still be waiting for its memory
		return Detail{}, fmt.Errorf("%w; process %d is it, and came or comes from elsewhere", err, p.pid)
	case ok:
		return Detail{State: Running, Presumed: true, Rows: []string{fmt.Sprintf("libvirtd is down, process %d runs", p.pid)}}, nil
	}
	return Detail{State: Absent, Rows: []string{"libvirtd is down, no process"}}, nil
}
