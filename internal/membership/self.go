package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// ErrNotMe says that lbvm.id names another node, as a copied one does. Whoever believed it would take that node's VMs
// for its own, and tell the others that it had booted anew.
var ErrNotMe = errors.New("this is another node")

// CheckSelf is ErrNotMe where the cluster calls this node by another name than lbvm.id, which says member. Where the
// cluster does not say, nobody contradicts.
func CheckSelf(ctx context.Context, m Membership, member string) error {
	_, err := Self(ctx, m, member)
	return err
}

// Self is CheckSelf that tells whether the cluster says so itself: with false and nil it does not answer.
func Self(ctx context.Context, m Membership, member string) (said bool, err error) {
	if l, ok := m.(later); ok {
		m = l.is()
	}
	x, ok := m.(interface {
		Self(context.Context) (string, error)
	})
	if !ok {
		return false, nil
	}
	name, err := x.Self(ctx)
	if err != nil || strings.EqualFold(name, member) {
		return err == nil, nil
	}
	if x, ok := m.(*pacemaker); ok && !x.lists(ctx, name) {
		return false, nil
	}
	return true, fmt.Errorf("%w: %s says %q, and the cluster calls it %q (was the file copied?): run lbm init --join here", ErrNotMe, host.IDFile, member, name)
}

// Self is what cman calls this node, where it answers: "Node name" of cman_tool status.
func (c *cman) Self(ctx context.Context) (string, error) {
	answer, err := c.tool(ctx, "cman_tool", "status")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(answer), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "Node name" && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%w: cman_tool status names no node", ErrAnswer)
}
