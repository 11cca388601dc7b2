package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
)

// EvacuatedDir holds a note of each member that was evacuated, below the shared storage.
const EvacuatedDir = "lbvm/evacuated"

// Evacuation is the note of a member that was evacuated. While it holds, nothing is sent there; what was there is in it
// until it has come home.
type Evacuation struct {
	Member string
	Since  time.Time
	By     string
	Boot   string   // it holds for this boot of the member, which was shut down; "" until it is taken back
	Open   bool     // it is taken back: VMs are sent there again
	VMs    []string // TYPE:NAME of what was there and has not come home
}

func evacuationPath(shared, member string) string {
	return filepath.Join(shared, EvacuatedDir, member)
}

// WriteEvacuation notes an evacuation, in place of an earlier note.
func WriteEvacuation(shared string, e Evacuation) error {
	if err := CheckName(e.Member); err != nil {
		return err
	}
	// Not its parents: below a mount point that has lost its share there is nothing to be made.
	if err := os.Mkdir(filepath.Join(shared, EvacuatedDir), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("noting that %s is evacuated: %w", e.Member, err)
	}
	p := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "member", Value: e.Member}, {Key: "since", Value: e.Since.Format(time.RFC3339)}, {Key: "by", Value: e.By}}
	if e.Boot != "" {
		p = append(p, keyval.Pair{Key: "boot", Value: e.Boot})
	}
	if e.Open {
		p = append(p, keyval.Pair{Key: "open", Value: "yes"})
	}
	for _, vm := range e.VMs {
		p = append(p, keyval.Pair{Key: "vm", Value: vm})
	}
	if err := atomicfile.Write(evacuationPath(shared, e.Member), p.Format(), atomicfile.Options{}); err != nil {
		return fmt.Errorf("noting that %s is evacuated: %w", e.Member, err)
	}
	return nil
}

// DropEvacuation takes the note away: all is home.
func DropEvacuation(shared, member string) error {
	err := os.Remove(evacuationPath(shared, member))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("taking back that %s is evacuated: %w", member, err)
	}
	return nil
}

// ReadEvacuation reads the note of a member; there tells whether there is one. A note that cannot be read is an error.
func ReadEvacuation(shared, member string) (e Evacuation, there bool, err error) {
	if err := CheckName(member); err != nil {
		return e, false, err
	}
	b, err := os.ReadFile(evacuationPath(shared, member))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err == nil {
		e, err = parseEvacuation(b)
	}
	if err == nil && e.Member != member {
		err = fmt.Errorf("it speaks of %q", e.Member)
	}
	if err != nil {
		return e, false, fmt.Errorf("whether %s is evacuated: %w", member, err)
	}
	return e, true, nil
}

func parseEvacuation(b []byte) (e Evacuation, err error) {
	p, err := keyval.Parse(b)
	if err != nil {
		return e, err
	}
	if v := p.Get("format"); v != "1" {
		return e, fmt.Errorf("format %q is not known", v)
	}
	e = Evacuation{Member: p.Get("member"), By: p.Get("by"), Boot: p.Get("boot"), Open: p.Get("open") == "yes"}
	for _, x := range p {
		if x.Key == "vm" {
			e.VMs = append(e.VMs, x.Value)
		}
	}
	e.Since, err = time.Parse(time.RFC3339, p.Get("since"))
	return e, err
}

// Holds tells whether nothing is to be sent to the member now.
func (e Evacuation) Holds(shared string) bool {
	if e.Open {
		return false
	}
	if e.Boot == "" {
		return true
	}
	f, err := ReadFacts(shared, e.Member)
	return err != nil || f.Boot == e.Boot // which boot is this?
}

// Evacuations are the notes of all members, in the order of their names.
func Evacuations(shared string) ([]Evacuation, error) {
	entries, err := os.ReadDir(filepath.Join(shared, EvacuatedDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("which nodes are evacuated: %w", err)
	}
	var out []Evacuation
	var errs []error
	for _, x := range entries {
		if CheckName(x.Name()) != nil || strings.HasPrefix(x.Name(), atomicfile.TempPrefix) { // a note that is being written
			continue
		}
		e, there, err := ReadEvacuation(shared, x.Name())
		if there {
			out = append(out, e)
		}
		errs = append(errs, err)
	}
	slices.SortFunc(out, func(a, b Evacuation) int { return cmp.Compare(a.Member, b.Member) })
	return out, errors.Join(errs...)
}

// Closed tells why nothing may be sent to a member: it is about to leave the cluster, or it is evacuated. "" is nothing.
// What cannot be read is an error: then nobody knows.
func Closed(shared, member string) (why string, err error) {
	leaves, err := IsLeaving(shared, member)
	switch {
	case err != nil:
		return "", err
	case leaves:
		return fmt.Sprintf("node %s has noted that it is about to leave the cluster: if it stays, run lbm mark-left --back there", member), nil
	}
	e, there, err := ReadEvacuation(shared, member)
	if err != nil || !there || !e.Holds(shared) {
		return "", err
	}
	return fmt.Sprintf("node %s is evacuated since %s: lbm failback %[1]s opens it again", member, e.Since.Format(time.RFC3339)), nil
}
