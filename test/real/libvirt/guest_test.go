package libvirt

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

const guestName = "vm1"

// guestInit says that it is up, and counts, on the console.
const guestInit = `#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
echo GUEST-UP; n=0; while :; do n=$((n+1)); echo "tick $n"; sleep 1; done
`

// kernelVariable names a kernel for the guest; without it one of /boot is taken, else Debian's for clouds is fetched.
const kernelVariable = "LBVM_TEST_KERNEL"

func kernel(t *testing.T, dir string) string {
	t.Helper()
	if k := os.Getenv(kernelVariable); k != "" {
		return real.NeedFile(t, k)
	}
	found, err := filepath.Glob("/boot/vmlinuz-*")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		sort.Strings(found)
		return found[len(found)-1]
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	kept := filepath.Join(cache, "lbvm-test", "vmlinuz")
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	apt, show, unpack := real.Need(t, "apt-get"), real.Need(t, "apt-cache"), real.Need(t, "dpkg-deb")
	out, err := exec.Command(show, "depends", "--important", "linux-image-cloud-amd64").Output()
	name := regexp.MustCompile(`Depends: (linux-image-[^ \n]+)`).FindStringSubmatch(string(out))
	if err != nil || name == nil {
		missing(t, fmt.Errorf("apt-cache knows no kernel for clouds: %v: %s", err, out))
	}
	fetch := exec.Command(apt, "download", "-q", name[1])
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		missing(t, fmt.Errorf("fetching %s: %v: %s", name[1], err, out))
	}
	debs, err := filepath.Glob(filepath.Join(dir, "linux-image-*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatal(debs, err)
	}
	if out, err := exec.Command(unpack, "-x", debs[0], filepath.Join(dir, "kernel")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, err = filepath.Glob(filepath.Join(dir, "kernel/boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	temp := kept + strconv.Itoa(os.Getpid())
	if err := errors.Join(os.MkdirAll(filepath.Dir(kept), 0o755), os.WriteFile(temp, b, 0o644), os.Rename(temp, kept)); err != nil {
		t.Fatal(err)
	}
	return kept
}

// missing skips the test, or is a failure as in real.Need.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv(real.RequireVariable) == "1" {
		t.Fatal(err)
	}
	t.Skipf("skipped: the guest cannot be made here: %v", err)
}

// makeGuest puts the guest's files into shared: kernel, initial file system, disk, and its XML in shared/kvm.
func makeGuest(t *testing.T, dir, shared string) {
	t.Helper()
	busybox, cpio := real.Need(t, "busybox"), real.Need(t, "cpio")
	k, err := os.ReadFile(kernel(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "initrd")
	write := func(path string, text []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, mode)); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(tree, "bin/busybox"), program, 0o755)
	for _, name := range []string{"sh", "mount", "sleep", "echo"} {
		if err := os.Symlink("busybox", filepath.Join(tree, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"proc", "sys", "dev"} {
		if err := os.Mkdir(filepath.Join(tree, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(tree, "init"), []byte(guestInit), 0o755)
	pack := exec.Command(cpio, "-o", "-H", "newc", "--quiet")
	pack.Dir = tree
	pack.Stdin = strings.NewReader(".\nbin\nproc\nsys\ndev\ninit\nbin/busybox\nbin/sh\nbin/mount\nbin/sleep\nbin/echo\n")
	initrd, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(shared, "vmlinuz"), k, 0o644)
	write(filepath.Join(shared, "initrd"), initrd, 0o644)
	write(filepath.Join(shared, "vm1.img"), make([]byte, 8<<20), 0o644)
	write(filepath.Join(shared, "kvm", guestName+".xml"), []byte(strings.ReplaceAll(guestXML, "SHARED", shared)), 0o644)
}

const guestXML = `<domain type='qemu'>
  <name>vm1</name>
  <uuid>11111111-2222-4333-8444-555555555501</uuid>
  <memory unit='MiB'>96</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>SHARED/vmlinuz</kernel><initrd>SHARED/initrd</initrd><cmdline>console=ttyS0 quiet panic=1</cmdline></os>
  <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='SHARED/vm1.img'/><target dev='vda' bus='virtio'/></disk>
    <serial type='file'><source path='SHARED/vm1.console' append='on'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`

// console is what the guest has written: how often it came up, and how far it counted since.
type console struct {
	ups, tick int
	broken    string // two numbers that do not follow each other
}

func readConsole(text string) console {
	var c console
	lines := strings.Split(text, "\n")
	for _, l := range lines[:len(lines)-1] { // the last one may not be whole
		l = strings.TrimSpace(l)
		if strings.HasSuffix(l, "GUEST-UP") {
			c.ups, c.tick = c.ups+1, 0
			continue
		}
		word, ok := strings.CutPrefix(l, "tick ")
		n, err := strconv.Atoi(word)
		if !ok || err != nil {
			continue
		}
		if n != c.tick+1 {
			c.broken = fmt.Sprintf("%d after %d", n, c.tick)
		}
		c.tick = n
	}
	return c
}

// patience is how long an event is waited for on a machine that is busy with other things.
const patience = 3 * time.Minute

// await looks until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// counts waits until the guest has counted further in the same boot, and wants an unbroken row.
func counts(t *testing.T, shared string, ups int) console {
	t.Helper()
	read := func() console {
		b, err := os.ReadFile(filepath.Join(shared, "vm1.console"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return readConsole(string(b))
	}
	from := read()
	var now console
	await(t, fmt.Sprintf("the guest counts on from %d", from.tick), func() bool {
		now = read()
		return now.ups > ups || now.ups == ups && now.tick > 0 && (from.ups < ups || now.tick > from.tick)
	})
	if now.ups != ups || now.broken != "" {
		t.Fatalf("the guest came up %d times, want %d; %s", now.ups, ups, now.broken)
	}
	return now
}
