package libvirt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// makeGuest puts the guest's files into shared: kernel, initial file system, disk, and its XML in shared/kvm.
func makeGuest(t *testing.T, dir, shared string) {
	t.Helper()
	k, err := os.ReadFile(real.Kernel(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	initrd := real.Initrd(t, dir, guestInit, "mount", "sleep", "echo")
	write := func(path string, text []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, mode)); err != nil {
			t.Fatal(err)
		}
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
const patience = 6 * time.Minute

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
