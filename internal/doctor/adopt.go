package doctor

import (
	"context"

	"github.com/lbvm/lbvm/internal/adopt"
)

// checkAdopt looks for what was begun on this node. That of another node is named there, and by lbm status.
func checkAdopt(_ context.Context, n *node) {
	if n.shErr != nil {
		n.unknown("%v", n.shErr)
		return
	}
	halves, err := adopt.Halves(n.shared)
	if err != nil {
		n.unknown("%v", err)
		return
	}
	for _, h := range halves {
		if h.Member == n.name {
			n.say("adopt.unfinished", []string{"TYPE:VM", h.Ref()}, "%s: %s", h.Ref(), h.Text())
		}
	}
}
