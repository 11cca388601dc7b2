package move

import (
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// notLive is what the source or the target has found of a VM's disks that forbids to have them open on both: their
// replication. What a node does not say forbids nothing here; the agent looks again before it sends.
func (m Mover) notLive(r Request, p plan) (node, why string) {
	if p.kind != handoff.Live || m.Shared == "" {
		return "", ""
	}
	for _, node := range []string{p.source, r.Target} {
		f, err := host.ReadFacts(m.Shared, node)
		if err != nil {
			continue // the facts are asked for by themselves
		}
		for _, v := range f.VMs {
			if v.Type == r.Type && v.Name == r.VM && v.NotLive != "" {
				return node, v.NotLive
			}
		}
	}
	return "", ""
}

// goesOtherwise makes the move one that closes the disks before they are opened elsewhere.
func (p *plan) goesOtherwise(node, why string) (string, error) {
	if p.byManager {
		return "", fmt.Errorf("it cannot be moved while it runs: node %s says: %s; mend that, or move it without --method=manager, with its memory in an image", node, why)
	}
	p.kind = handoff.Image
	return fmt.Sprintf("not live: node %s says: %s; its memory goes in an image", node, why), nil
}
