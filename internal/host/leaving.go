package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
)

// LeavingDir holds a note of each member that is about to leave the cluster in order, below the shared storage.
const LeavingDir = "lbvm/leaving"

func leavingPath(shared, member string) string { return filepath.Join(shared, LeavingDir, member) }

// NoteLeaving says that this node is about to leave the cluster in this boot: nothing may be sent to it from now on. Who
// sends says so before it looks for the note, and who leaves notes so before it looks for what is being sent to it: one of
// the two sees the other. The boot must have been published.
func (h Host) NoteLeaving(shared, member string) error {
	boot, err := h.BootID()
	if err != nil {
		return err
	}
	if err := CheckName(member); err != nil {
		return err
	}
	// Not its parents: below a mount point that has lost its share there is nothing to be made.
	if err := os.Mkdir(filepath.Join(shared, LeavingDir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("noting that %s leaves: %w", member, err)
	}
	p := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "member", Value: member}, {Key: "boot", Value: boot}}
	if err := atomicfile.Write(leavingPath(shared, member), p.Format(), atomicfile.Options{}); err != nil {
		return fmt.Errorf("noting that %s leaves: %w", member, err)
	}
	return nil
}

// DropLeaving takes the note back: this node is a member and stays one, or has booted anew.
func (h Host) DropLeaving(shared, member string) error {
	err := os.Remove(leavingPath(shared, member))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("taking back that %s leaves: %w", member, err)
	}
	return nil
}

// IsLeaving tells whether member has noted that it is about to leave, in the boot that it publishes. A note that cannot
// be read is an error: then nobody knows.
func IsLeaving(shared, member string) (bool, error) {
	if err := CheckName(member); err != nil {
		return false, err
	}
	b, err := os.ReadFile(leavingPath(shared, member))
	if errors.Is(err, fs.ErrNotExist) && AsksAnew(filepath.Dir(filepath.Join(shared, LeavingDir)), filepath.Join(shared, LeavingDir)) {
		b, err = os.ReadFile(leavingPath(shared, member))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("whether %s is about to leave: %w", member, err)
	}
	p, err := keyval.Parse(b)
	if err != nil {
		return false, fmt.Errorf("whether %s is about to leave: %w", member, err)
	}
	f, err := ReadFacts(shared, member)
	if err != nil { // a note of an earlier boot stands for nothing, but which boot is this?
		return true, nil
	}
	return p.Get("boot") == f.Boot, nil
}

// AsksAnew opens folders, the outer one first, so that NFS asks its server what is in them: a node that has looked for a file in vain takes
// it for missing for up to a minute (nfs(5): lookupcache, acdirmax). A preflight looks for a note of leaving, and the stop after it would not
// see one that came in between; who had watched a stop that wrote the memory would find no image. It is false where not all are there.
func AsksAnew(folders ...string) bool {
	for _, dir := range folders {
		f, err := os.Open(dir)
		if err != nil || f.Close() != nil {
			return false
		}
	}
	return true
}
