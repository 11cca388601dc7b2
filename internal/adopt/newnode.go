package adopt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Unlinked are the adopted VMs of which a member has not noted that it has their links: those that a node needs which joins
// the cluster later.
func (a Adopter) Unlinked(member string) ([]Plan, error) {
	all, err := a.Adopted()
	if err != nil {
		return nil, err
	}
	var out []Plan
	for _, p := range all {
		if len(p.Links) == 0 || p.Type != "openvz" {
			continue // what is found by its path needs none
		}
		b, err := os.ReadFile(filepath.Join(a.Shared, Finished, p.key(), "joined."+member))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if string(b) != hasLinks && p.Member != member {
			out = append(out, p)
		}
	}
	return out, nil
}
