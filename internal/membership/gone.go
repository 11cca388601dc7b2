package membership

import (
	"context"
	"fmt"

	"github.com/lbvm/lbvm/internal/host"
)

// Gone affirms that what node had in boot is over: it has booted anew, which it says itself below shared, or it is
// away and was fenced. left says that it left the cluster in order with what it had: no fencing speaks for it then,
// since the only one on record may be of an earlier time. With boot "" no boot speaks for it. Where the members are
// not known nobody is gone. Only true means anything.
func Gone(ctx context.Context, m Membership, shared, node, boot string, left bool) (bool, error) {
	members, err := m.Members(ctx)
	if err != nil {
		return false, fmt.Errorf("whether %s is gone is not known: %w", node, err)
	}
	if boot != "" {
		f, err := host.ReadFacts(shared, node)
		if err == nil && f.Boot != "" && f.Boot != boot {
			return true, nil
		}
	}
	if left {
		return false, nil
	}
	if x, ok := Find(members, node); ok && x.Online {
		return false, nil
	}
	yes, err := m.Fenced(ctx, node)
	if err != nil {
		return false, fmt.Errorf("whether %s was fenced is not known: %w", node, err)
	}
	return yes, nil
}
