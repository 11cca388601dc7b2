package lockfile

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// LOCK_NB does not keep its word on GFS2: once another node has asked for a lock, and was refused, whoever asks on the
// holder's own node sleeps in the kernel until the holder lets go, and no signal wakes him (Linux 6.1, test/real/machine: the kernel
// has promised the lock to the other node and queues all others behind). A stop that looks whether its ticket is alive would
// wait for the relocator, which waits for that stop. So who holds a lock on this node is read from the kernel's own list
// first.

// gfsMagic is what statfs says of GFS and GFS2.
const gfsMagic = 0x01161970

// kernelLocks is the kernel's list of locks.
const kernelLocks = "/proc/locks"

// heldHere tells whether a process of this node holds a lock that keeps f from being locked so. In doubt it is false: the kernel is
// asked then.
func heldHere(f *os.File, how int) bool {
	var fs syscall.Statfs_t
	if syscall.Fstatfs(int(f.Fd()), &fs) != nil || fs.Type != gfsMagic {
		return false
	}
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	list, err := os.ReadFile(kernelLocks)
	return err == nil && listed(list, uint64(st.Dev), st.Ino, how&syscall.LOCK_EX != 0)
}

// listed finds a flock of that file among lines like
//
//	1: FLOCK  ADVISORY  WRITE 297 fe:20:16972 0 EOF
//
// whose sixth word is the device, in hexadecimal, and the inode. One that waits has -> behind the number. Two that
// only read keep each other from nothing.
func listed(list []byte, dev, inode uint64, alone bool) bool {
	for _, line := range strings.Split(string(bytes.TrimSpace(list)), "\n") {
		w := strings.Fields(line)
		if len(w) < 6 || w[1] != "FLOCK" || !alone && w[3] != "WRITE" {
			continue
		}
		id := strings.Split(w[5], ":")
		if len(id) != 3 {
			continue
		}
		major, err1 := strconv.ParseUint(id[0], 16, 32)
		minor, err2 := strconv.ParseUint(id[1], 16, 32)
		number, err3 := strconv.ParseUint(id[2], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil && number == inode && major == majorOf(dev) && minor == minorOf(dev) {
			return true
		}
	}
	return false
}

// majorOf and minorOf take a device's number apart as the C library does.
func majorOf(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&^0xfff }
func minorOf(dev uint64) uint64 { return dev&0xff | dev>>12&^0xff }
