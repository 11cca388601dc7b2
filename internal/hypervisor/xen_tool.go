package hypervisor

import (
	"context"
	"fmt"
	"os"
)

// toolstack is the program by which domains are driven: xm, which asks xend, or xl, which has no daemon behind it. They
// take almost the same words; where they differ stands here, in xen_parse.go (the fifth letter) and in xen_disk.go.
//
// Which version it is changes nothing that we do: both are judged by what they print. xl answers an unknown name by 2
// until 4.6 and by 1 from 4.7 on, xm by 1 or by 3; the words stay.
type toolstack = string

const (
	xm toolstack = "xm"
	xl toolstack = "xl"
)

// tool is the program of this node. Where both are installed xend's lock decides, as it does for xl itself: as long as it
// stands there xl refuses to change anything.
func (x *xen) tool() toolstack {
	if x.stack == "" {
		x.stack = stackOf(x.tools)
	}
	return x.stack
}

// xendLocks are where xend's init script says that it runs.
var xendLocks = [...]string{"/var/lock/subsys/xend", "/var/lock/xend"}

func stackOf(t Tools) toolstack {
	if _, ok := t.Host.Has(xl); !ok {
		return xm
	}
	for _, lock := range xendLocks {
		if _, err := os.Stat(t.Host.Path(lock)); err == nil {
			if _, ok := t.Host.Has(xm); ok {
				return xm
			}
		}
	}
	return xl
}

// endings are overridden at each start: see Start.
var endings = [...]string{"on_poweroff", "on_reboot", "on_crash"}

// create is the command that makes a domain. Its arguments are lines of configuration: xl wants quotation marks around
// a string, to xm they would be a part of it. xl does not take the file's name for a domain's.
func (x *xen) create(g Guest) []string {
	argv, form := []string{x.tool(), "create", g.Config}, "%s=%s"
	if x.tool() == xl {
		form = `%s="%s"`
		argv = append(argv, fmt.Sprintf(form, "name", g.Name))
	}
	for _, e := range endings {
		argv = append(argv, fmt.Sprintf(form, e, "destroy"))
	}
	return argv
}

// sshForXL is how xl reaches the other node: it must never ask for a password, and not wait for a dead node for ever.
const sshForXL = "ssh -o BatchMode=yes -o ConnectTimeout=30"

// push is the command that moves a domain. xl hands the node's name to a shell; it has passed host.CheckName, by which
// it is one plain word.
func (x *xen) push(vm, target string) []string {
	if x.tool() == xl {
		return []string{xl, "migrate", "-s", sshForXL, vm, target}
	}
	return []string{xm, "migrate", "--live", vm, target}
}

// askToEnd asks the domain to shut down. It is nil if there is none. A guest without drivers for it hears xl's power
// button.
func (x *xen) askToEnd(ctx context.Context, vm string) error {
	err := x.tools.change(ctx, x.tool(), "shutdown", vm)
	if said(err, "pv control interface not available") {
		err = x.tools.change(ctx, x.tool(), "shutdown", "-F", vm)
	}
	if absentText(err) {
		return nil
	}
	return err
}

// absentText: the tool knows no such domain.
func absentText(err error) bool {
	return said(err, "domain '") && said(err, "does not exist") || said(err, "is an invalid domain identifier")
}
