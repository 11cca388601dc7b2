package adopt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
)

// Folders of adoptions below the shared storage: those that are not finished, and those that are.
const (
	Unfinished = "lbvm/adopt"
	Finished   = "lbvm/adopted"
	lockName   = "lbvm/lock/adopt"
)

// Ends of the names that are given to what is not deleted.
const (
	origSuffix   = ".lbvm-orig"
	partSuffix   = ".lbvm-part"
	editedSuffix = ".lbvm-edited"
)

// Plan is all that an adoption has decided. Paths are the node's, not joined with its root.
type Plan struct {
	Format int    `json:"format"`
	Type   string `json:"type"`
	VM     string `json:"vm"`
	Member string `json:"member"` // the node that has the original
	Config string `json:"config"`

	Retire    []File `json:"retire"`            // what gets another name, in this order
	Defined   *File  `json:"defined,omitempty"` // libvirt's own file of the guest, which it removes when the guest is undefined
	Autostart bool   `json:"autostart,omitempty"`
	Copies    []Copy `json:"copies"`
	Texts     []Text `json:"texts"` // what is written to the shared storage
	Links     []Link `json:"links"` // on every node
	Root      string `json:"root"`  // a folder that every node has for itself: where the VM is mounted; "" is none

	Devices []string `json:"devices"` // block devices, files and DRBD resources that stay where they are
	Bridges []string `json:"bridges"`
	Nets    []string `json:"nets,omitempty"` // as hypervisor.Shape has them
	// Own is what no other VM may have: disks and private areas as they are before, DRBD resources. A disk that is only read
	// and stays where it is is nobody's own.
	Own []string `json:"own,omitempty"`

	Balance string            `json:"balance"` // its name in lbvm.conf
	Service string            `json:"service"` // its service's name
	Domain  string            `json:"domain"`
	Manager string            `json:"manager,omitempty"` // as cluster.Kind names it; "" is rgmanager
	Params  map[string]string `json:"params"`            // further attributes of its element
	Vouched []string          `json:"vouched"`           // nodes for which a person has vouched

	Notes []string `json:"notes"` // what a person should know

	// What is asked for behind the last step, which a resume does as well: that the cluster gets the new cluster.conf, and that it
	// starts the VM.
	Publish bool `json:"publish,omitempty"`
	Start   bool `json:"start,omitempty"`

	Removal *Removal `json:"removal,omitempty"` // the VM is given back, and not taken in
}

// File is a file of the node that gets another name.
type File struct {
	Path string `json:"path"`
	To   string `json:"to,omitempty"` // "" is Path with the end of an original's name
	Sum  string `json:"sha256"`
}

func (f File) to() string {
	if f.To != "" {
		return f.To
	}
	return f.Path + origSuffix
}

// Copy is a tree or an image that goes to the shared storage.
type Copy struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Tree    bool   `json:"tree"`
	Bytes   int64  `json:"bytes"` // allocated
	Entries int64  `json:"entries"`
}

// Text is a small file whose bytes are known.
type Text struct {
	Path string `json:"path"`
	Like string `json:"like"` // the original, whose owner and mode it takes
	Body []byte `json:"body"`
}

// Link is a symbolic link on every node.
type Link struct {
	Path string `json:"path"`
	To   string `json:"to"`
}

// Ref is TYPE:VM.
func (p Plan) Ref() string { return p.Type + ":" + p.VM }

func (p Plan) key() string { return p.Type + "-" + p.VM }

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (p Plan) write(dir string, at func(string) error) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := atomicfile.FsyncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "plan"), append(b, '\n'), atomicfile.Options{Mode: 0o600,
		At: func(x atomicfile.Point) error { return at("plan/" + string(x)) }})
}

func readPlan(dir string) (Plan, error) {
	b, err := os.ReadFile(filepath.Join(dir, "plan"))
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return Plan{}, fmt.Errorf("reading %s: %w", filepath.Join(dir, "plan"), err)
	}
	if p.Format != 1 {
		return Plan{}, fmt.Errorf("%s: format %d is not known", filepath.Join(dir, "plan"), p.Format)
	}
	for _, name := range []string{p.Type, p.VM, p.Member} {
		if err := host.CheckName(name); err != nil {
			return Plan{}, fmt.Errorf("%s: %w", filepath.Join(dir, "plan"), err)
		}
	}
	if filepath.Base(dir) != p.key() {
		return Plan{}, fmt.Errorf("%s speaks of %s", filepath.Join(dir, "plan"), p.Ref())
	}
	return p, nil
}

// plans gives the plans below a folder of the shared storage, by name. A folder without a plan is one of a run that has
// not begun, or has been taken back.
func plans(dir string) ([]Plan, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Plan
	for _, e := range entries {
		p, err := readPlan(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Ref() < out[j].Ref() })
	return out, nil
}

// Begun gives the adoptions that are not finished, of all nodes.
func (a Adopter) Begun() ([]Plan, error) { return plans(filepath.Join(a.Shared, Unfinished)) }

// Adopted gives the adoptions that are finished, of all nodes.
func (a Adopter) Adopted() ([]Plan, error) { return plans(filepath.Join(a.Shared, Finished)) }

// Find gives the unfinished adoption that a person means: by VM, TYPE:VM or configuration; "" is the only one.
func (a Adopter) Find(name string) (Plan, error) {
	all, err := a.Begun()
	if err != nil {
		return Plan{}, err
	}
	var found []Plan
	var are []string
	for _, p := range all {
		are = append(are, p.Ref()+" on "+p.Member)
		if name == "" || name == p.VM || name == p.Ref() || name == p.Config {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return Plan{}, ErrNone
	case len(found) == 0:
		return Plan{}, fmt.Errorf("%w: no adoption of %q is unfinished; there are %s", ErrRefused, name, strings.Join(are, ", "))
	}
	return Plan{}, fmt.Errorf("%w: more than one adoption is unfinished: name one of %s", ErrRefused, strings.Join(are, ", "))
}

// given are the VMs that were given back: a node that was off then has its links still.
func (a Adopter) given() ([]Plan, error) { return plans(filepath.Join(a.Shared, Removed)) }

// Known gives the adoption of TYPE:VM, finished or not, or how it was given back.
func (a Adopter) Known(ref string) (Plan, error) {
	for _, list := range []func() ([]Plan, error){a.Begun, a.Adopted, a.given} {
		all, err := list()
		if err != nil {
			return Plan{}, err
		}
		for _, p := range all {
			if p.Ref() == ref {
				return p, nil
			}
		}
	}
	return Plan{}, fmt.Errorf("%w: %s was not adopted by lbm add", ErrRefused, ref)
}
