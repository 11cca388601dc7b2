package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// errNotMe says that lbvm.id names another node, as a copied one does. Whoever believed it would take that node's VMs
// for its own, and boot them again.
var errNotMe = errors.New("this is another node")

// myself is errNotMe where the cluster calls this node by another name than lbvm.id. Where the cluster does not say,
// nobody contradicts.
func (l *life) myself(ctx context.Context) error {
	x, ok := l.members.(interface {
		Self(context.Context) (string, error)
	})
	if !ok {
		return nil
	}
	name, err := x.Self(ctx)
	if err != nil || strings.EqualFold(name, l.me) {
		return nil
	}
	return fmt.Errorf("%w: %s says %q, and the cluster calls it %q (was the file copied?): run lbm init --join here", errNotMe, host.IDFile, l.me, name)
}
