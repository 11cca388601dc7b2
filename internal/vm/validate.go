package vm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Validate checks that this node could run the VM.
func (a *Agent) Validate(ctx context.Context, c *ocf.Call) error {
	l, err := a.begin(c, "validate-all")
	if err != nil {
		return err
	}
	defer l.end()
	switch v := l.params()["on_stop"]; v {
	case "", "suspend", "suspend-only", "shutdown":
	default: // stop takes it for suspend
		return ocf.Errorf(ocf.CodeConfigured, "on_stop=%q is none of suspend, suspend-only and shutdown", v)
	}
	for _, n := range numbers() {
		if err := n.check(l.params()[n.param]); err != nil {
			return ocf.Errorf(ocf.CodeConfigured, "%w", err)
		}
	}
	if err := l.checkHealth(); err != nil {
		return ocf.Errorf(ocf.CodeConfigured, "%w", err)
	}
	if err := checkMapping(l.params()[mappingParam]); err != nil {
		return ocf.Errorf(ocf.CodeConfigured, "%w", err)
	}
	if _, err := l.driver.Guest(ctx, l.vm, l.params()); err != nil {
		return ocf.Errorf(ocf.CodeConfigured, "reading the configuration of %s: %w", l.vm, err)
	}
	if d, err := l.detail(ctx); d.NoProgram {
		return l.notInstalled()
	} else if errors.Is(err, hypervisor.ErrNoProgram) {
		return installed(err)
	}
	if err := l.reach(); err != nil && !errors.Is(err, host.ErrNotShared) {
		return ocf.Errorf(ocf.CodeConfigured, "looking at the shared storage: %w", err)
	}
	if bad := l.audit(ocf.LevelWarning); len(bad) > 0 {
		return ocf.Errorf(ocf.CodeConfigured, "%s", strings.Join(bad, "; "))
	}
	return nil
}

// audit logs what of this node's set-up works against the manager, and gives the grave part of it. rgmanager validates
// nothing, so each start looks too.
func (l *life) audit(odd ocf.Level) []string {
	x, ok := l.driver.(hypervisor.Auditor)
	if !ok {
		return nil
	}
	bad, other, err := x.Audit(l.vm, l.params(), l.shared)
	if err != nil {
		l.log(ocf.LevelWarning, "the node's set-up cannot be looked at", "error", err)
	}
	for _, b := range bad {
		l.log(ocf.LevelError, b)
	}
	for _, o := range other {
		l.log(odd, o)
	}
	return bad
}

// number is a parameter that counts something, with its bounds.
type number struct {
	param       string
	least, most int
	counts      string
}

// numbers are all of them. The last two are the manager's own: the VM goes by unknown_limit alone.
func numbers() []number {
	return []number{
		{unknownParam, 0, mostUnknown, "checks"},
		{limitParam, 0, mostLimit, "checks"},
		{readyParam, 0, mostReady, "seconds"},
		{"max_restarts", 0, 1000, "restarts"},
		{"restart_expire_time", 0, 366 * 24 * 3600, "seconds"},
	}
}

// check is nil for "", which is the default.
func (n number) check(value string) error {
	if value == "" {
		return nil
	}
	if v, err := strconv.Atoi(value); err != nil || v < n.least || v > n.most {
		return fmt.Errorf("%s=%q is not a number of %s from %d to %d", n.param, value, n.counts, n.least, n.most)
	}
	return nil
}

// mappingParam says under which names nodes are reached for a live move: MEMBER:ADDRESS,MEMBER:ADDRESS.
const mappingParam = "migration_mapping"

func checkMapping(mapping string) error {
	_, err := addressOf(mapping, "")
	return err
}

// addressOf is where a member is reached: the one place where its name becomes an address, whichever tool is given it.
// The record, the members and the journal know the member only.
func addressOf(mapping, member string) (string, error) {
	address := member
	for _, pair := range strings.Split(mapping, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, to, ok := strings.Cut(pair, ":")
		if !ok || host.CheckName(name) != nil || host.CheckName(to) != nil {
			return "", fmt.Errorf("%s: %q is not MEMBER:ADDRESS", mappingParam, pair)
		}
		if name == member {
			address = to
		}
	}
	return address, nil
}

// push is Live.Migrate to a member.
func (l *life) push(ctx context.Context, x hypervisor.Live, member string) error {
	to, err := addressOf(l.params()[mappingParam], member)
	if err != nil {
		return err
	}
	return x.Migrate(ctx, l.vm, to)
}
