package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/run"
)

// Device is what a VM needs on every node and what is not copied: a block device, a kernel, a DRBD resource; told by what
// every node must see alike.
type Device struct {
	Path  string
	Bytes int64
	Head  string // of its first 64 KiB
}

func (d Device) String() string { return fmt.Sprintf(deviceWord+"%s %d %s", d.Path, d.Bytes, d.Head) }

const deviceWord = "device "

// drbdPrefix stands before the name of a DRBD resource in the place of a path.
const drbdPrefix = "drbd:"

func (a Adopter) device(ctx context.Context, path string) (Device, error) {
	if name, ok := strings.CutPrefix(path, drbdPrefix); ok {
		return Device{Path: path, Head: "known"}, a.drbd(ctx, name)
	}
	f, err := os.Open(a.Host.Path(path))
	if errors.Is(err, unix.EMEDIUMTYPE) || errors.Is(err, unix.EROFS) { // a DRBD device that is secondary here
		return Device{Path: path, Head: "secondary"}, nil
	}
	if err != nil {
		return Device{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Device{}, err
	}
	d := Device{Path: path}
	switch {
	case fi.Mode().Type() == fs.ModeDevice && unix.Major(uint64(fi.Sys().(*syscall.Stat_t).Rdev)) == drbdMajor:
		return Device{Path: path, Head: "secondary"}, nil // of which one node may read, and the other not
	case fi.Mode().Type() == fs.ModeDevice:
		// What this node has read before may be older than what is there.
		if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0); err != nil && !errors.Is(err, unix.EACCES) {
			return d, fmt.Errorf("%s: %w", path, err)
		}
	case !fi.Mode().IsRegular():
		return Device{}, fmt.Errorf("%s is neither a block device nor a file", path)
	}
	if d.Bytes, err = f.Seek(0, io.SeekEnd); err != nil {
		return d, err
	}
	head := make([]byte, min(d.Bytes, 64<<10))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return d, err
	}
	d.Head = sum(head)[:16]
	return d, nil
}

// drbdMajor is the device number that DRBD has in every kernel.
const drbdMajor = 147

// drbd looks whether this node knows a resource.
func (a Adopter) drbd(ctx context.Context, name string) error {
	program, err := a.Host.Lookup("drbdadm")
	if err != nil {
		return fmt.Errorf("DRBD resource %s: %w", name, err)
	}
	r, err := a.Query.Run(ctx, run.Command{Argv: []string{program, "role", name}, Env: a.Host.Environ()})
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("DRBD resource %s: drbdadm role: exit %d: %s", name, r.Code, lastLines(r.Stderr))
	}
	return nil
}
