package openvz

import (
	"fmt"

	"github.com/lbvm/lbvm/internal/lab"
)

// version is that of vzctl. What it changes:
//
//	3.0.23  VE is called CT, VEID CTID
//	3.0.24  status tells of a dump at the default place; a failed dump is deleted
//	3.1     restore of what runs is 32 and not 31; a full restore deletes the dump
//	4.0     "successfully" is spelt so; vps.premount is run (an older one runs vps.mount only)
//	4.1     start tries to restore a dump first; the init script starts what ran before
//	4.3.1   a cold start deletes the dump
//	4.10    set --save writes through a link
//	7       status says VEID again, paused and suspended; a dump is a folder
type version struct{ major, minor, patch int }

// versionOf is the one that the node plays.
func versionOf(n *lab.Node) (v version, text string) {
	text = n.Setting(versionFile, "3.0.22")
	fmt.Sscanf(text, "%d.%d.%d", &v.major, &v.minor, &v.patch) // what is missing is 0
	return v, text
}

func (v version) before(major, minor, patch int) bool {
	o := version{major, minor, patch}
	if v.major != o.major {
		return v.major < o.major
	}
	if v.minor != o.minor {
		return v.minor < o.minor
	}
	return v.patch < o.patch
}
