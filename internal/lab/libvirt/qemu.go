package libvirt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// begin makes a domain run without memory, as it stands before its QEMU goes on. Called under the daemon's lock.
func (d *daemon) begin(n *lab.Node, x *domain, s state) *running {
	x.run = &running{n: n, id: d.next, state: s, gone: make(chan struct{}), since: time.Now()}
	d.next++
	return x.run
}

// fill gives a domain its guest: booted, or frozen with the memory it had.
func (d *daemon) fill(n *lab.Node, x *domain, r *running, m *lab.Memory) error {
	g, err := n.Boot(lab.GuestSpec{Type: "kvm", VM: x.conf.Name, MemBytes: x.conf.bytes(), Disks: x.conf.written(), Memory: m})
	if err != nil {
		return err
	}
	d.mu.Lock()
	r.guest = g
	destroyed := x.run != r
	d.mu.Unlock()
	if destroyed { // meanwhile
		g.Kill()
		return lab.ErrGone
	}
	return r.show(x.conf.Name)
}

// start boots a domain that stands in the table: memory, disks and their locks first.
func (d *daemon) start(n *lab.Node, x *domain, r *running) error {
	if err := d.fits(n, x); err != nil {
		return err
	}
	if err := d.claim(x, r); err != nil {
		return err
	}
	return d.fill(n, x, r, nil)
}

// claim locks the images of a domain that is about to run.
func (d *daemon) claim(x *domain, r *running) error {
	missing := r.n.Fault("virsh", "lock-missing", x.conf.Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if x.run != r {
		return lab.ErrGone
	}
	return r.lock(x.conf, missing)
}

// fits tells whether the node has the disks, and memory enough.
func (d *daemon) fits(n *lab.Node, x *domain) error {
	for _, disk := range x.conf.Disks {
		if !exists(n.Path(disk.Path)) {
			return refuse("Cannot access storage file '%s': No such file or directory", disk.Path)
		}
	}
	free := n.FreeMemory()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.domains {
		if o != x && o.run != nil && o.run.guest == nil {
			free -= o.conf.bytes()
		}
	}
	if x.conf.bytes() > free {
		return refusal("internal error: process exited while connecting to monitor: cannot set up guest memory 'pc.ram': Cannot allocate memory")
	}
	return nil
}

// lock takes the images that the domain writes to, as QEMU does from 2.10 on. anyway leaves it, as storage without locks does.
func (r *running) lock(c config, anyway bool) error {
	if anyway || r.n.Setting(locksFile, "yes") == "no" {
		return nil
	}
	for _, disk := range c.Disks {
		if !disk.Writes || disk.Shared {
			continue
		}
		f, err := os.OpenFile(r.n.Path(disk.Path), os.O_RDWR, 0)
		if err != nil {
			r.unlock()
			return refuse("Cannot access storage file '%s': %v", disk.Path, err)
		}
		r.images = append(r.images, f)
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			r.unlock()
			return refuse("internal error: qemu unexpectedly closed the monitor: qemu-system-x86_64: -blockdev: Failed to get \"write\" lock\nIs another process using the image [%s]?", disk.Path)
		}
	}
	return nil
}

// unlock gives the images back.
func (r *running) unlock() {
	for _, f := range r.images {
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
		}
	}
	r.images = nil
}

// show makes the files by which a running QEMU is seen without libvirtd: its pid file and its command line.
func (r *running) show(name string) error {
	pid := fmt.Sprint(r.guest.PID)
	for path, text := range map[string]string{
		pidFile(name):               pid + "\n",
		"/proc/" + pid + "/cmdline": strings.Join([]string{"/usr/libexec/qemu-kvm", "-name", "guest=" + name + ",debug-threads=on", "-S", ""}, "\x00"),
	} {
		file := r.n.Path(path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// hide takes them away.
func (r *running) hide(name string) {
	if r.guest == nil {
		return
	}
	if err := errors.Join(os.RemoveAll(r.n.Path(pidFile(name))), os.RemoveAll(r.n.Path(fmt.Sprint("/proc/", r.guest.PID)))); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
}

func pidFile(name string) string { return "/var/run/libvirt/qemu/" + name + ".pid" }

// clean takes away what a node that lost its power has left of QEMUs.
func clean(n *lab.Node) {
	old, err := filepath.Glob(n.Path("/proc/[0-9]*/cmdline"))
	for _, f := range old {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(f)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
}

// hostUUID is one for each name of a node.
func hostUUID(name string) string {
	h := fmt.Sprintf("%x", sha256.Sum256([]byte("host "+name)))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}
