package pacemaker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// guestInit says that it is up, and counts, ten times a second, on the console.
const guestInit = `#!/bin/sh
mount -t proc p /proc; mount -t devtmpfs d /dev
echo GUEST-UP; n=0; while :; do n=$((n+1)); echo "tick $n"; usleep 100000; done
`

// Its kernel says on the console only why it falls over: other words of its, of a machine that is slow, would stand among the numbers.
const guestXML = `<domain type='qemu'>
  <name>NAME</name>
  <uuid>UUID</uuid>
  <memory unit='MiB'>96</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>/gfs/vmlinuz</kernel><initrd>/gfs/initrd</initrd><cmdline>console=ttyS0 loglevel=1 panic=1</cmdline></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/gfs/NAME.img'/><target dev='vda' bus='virtio'/></disk>
    <serial type='file'><source path='/gfs/NAME.console' append='on'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`

// guest is a VM of the bench, and what the host has read on its console.
type guest struct {
	name, uuid string
	path       string // of its console, as the host has it

	mu     sync.Mutex
	ticks  []tick
	ups    int
	cameUp []time.Time // when the host saw each
	broken []string    // numbers that do not follow each other
	rest   string      // a line that is not whole yet
	read   int64
}

// tick is a number that the guest has counted to, in its boot up.
type tick struct {
	up, n int
	at    time.Time // when the host saw it
}

// newGuest puts a guest's files on the shared storage.
func (b *bench) newGuest(name string) *guest {
	b.t.Helper()
	write := func(path string, text []byte) {
		path = filepath.Join(b.shared, path)
		b.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)))
	}
	if !exists(filepath.Join(b.shared, "vmlinuz")) {
		k, err := os.ReadFile(real.Kernel(b.t, b.dir))
		b.must(err)
		write("vmlinuz", k)
		write("initrd", real.Initrd(b.t, b.dir, guestInit, "mount", "usleep", "echo"))
	}
	id := make([]byte, 16)
	_, err := rand.Read(id)
	b.must(err)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	g := &guest{name: name, uuid: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), path: filepath.Join(b.shared, name+".console")}
	write(name+".img", make([]byte, 8<<20))
	write("kvm/"+name+".xml", []byte(strings.NewReplacer("NAME", name, "UUID", g.uuid).Replace(guestXML)))
	b.guests[name] = g
	return g
}

// look reads what the console has more, and says whether it was anything.
func (g *guest) look(now time.Time) error {
	f, err := os.Open(g.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	k, err := f.ReadAt(buf, g.read)
	if k == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	g.read += int64(k)
	g.hear(string(buf[:k]), now)
	return nil
}

// hear takes what the guest has written.
func (g *guest) hear(text string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := strings.Split(g.rest+text, "\n")
	g.rest = lines[len(lines)-1]
	for _, l := range lines[:len(lines)-1] {
		l = strings.TrimSpace(l)
		last := 0
		if len(g.ticks) > 0 && g.ticks[len(g.ticks)-1].up == g.ups {
			last = g.ticks[len(g.ticks)-1].n
		}
		switch word, number, _ := strings.Cut(l, " "); {
		case strings.HasSuffix(l, "GUEST-UP"):
			g.ups++
			g.cameUp = append(g.cameUp, now)
		case word == "tick":
			n, err := strconv.Atoi(number)
			if err != nil || n != last+1 {
				g.broken = append(g.broken, fmt.Sprintf("%s: boot %d: %q after %d", g.name, g.ups, l, last))
			}
			g.ticks = append(g.ticks, tick{g.ups, n, now})
		default:
			// A guest that is killed within a line leaves a part of it before the next one's first words.
			if strings.Contains(l, "tick") && !strings.Contains(l, "GUEST-UP") {
				g.broken = append(g.broken, fmt.Sprintf("%s: boot %d: two wrote at once: %q", g.name, g.ups, l))
			}
		}
	}
}

// now is how often the guest came up, and how far it has counted since.
func (g *guest) now() tick {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ticks) == 0 || g.ticks[len(g.ticks)-1].up != g.ups {
		return tick{up: g.ups}
	}
	return g.ticks[len(g.ticks)-1]
}

// gap is the longest time between two numbers of one boot that the host saw after from, and before to or at first behind it.
func (g *guest) gap(from, to time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	longest := time.Duration(0)
	for i := 1; i < len(g.ticks); i++ {
		a, b := g.ticks[i-1], g.ticks[i]
		if a.up == b.up && b.at.After(from) && a.at.Before(to) {
			longest = max(longest, b.at.Sub(a.at))
		}
	}
	return longest
}

// counts waits until the guest has counted further, and wants it to be in that boot.
func (b *bench) counts(g *guest, ups int) {
	b.t.Helper()
	from := g.now()
	b.until(fmt.Sprintf("%s counts on from %d in boot %d", g.name, from.n, ups), func() bool {
		now := g.now()
		return now.up > ups || now.up == ups && now.n > 0 && (from.up < ups || now.n > from.n+2)
	})
	if now := g.now(); now.up != ups {
		b.tell()
		b.t.Fatalf("%s came up %d times, want %d:\n%s", g.name, now.up, ups, strings.Join(b.boots(g), "\n"))
	}
}
