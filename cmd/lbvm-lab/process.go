package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/libvirt"
	"github.com/lbvm/lbvm/internal/lab/openvz"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
	"github.com/lbvm/lbvm/internal/lab/xen"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// managerLock is held by the manager of a lab as long as it lives; its text names the process.
const managerLock = "manager.lock"

// process is one of the lab's own processes, if the first argument names one. Users do not start them.
func process(ctx context.Context, args []string, stderr io.Writer) (code int, done bool) {
	var err error
	switch {
	case len(args) > 0 && args[0] == "guest":
		return lab.GuestMain(args[1:]), true
	case len(args) == 3 && args[0] == "node-daemon":
		err = nodeDaemon(ctx, lab.Layout{Dir: args[1]}, args[2])
	case len(args) == 2 && args[0] == "manager":
		err = manager(ctx, args[1])
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintf(stderr, "lbvm-lab %s: %v\n", args[0], err)
		return 1, true
	}
	return 0, true
}

func nodeDaemon(ctx context.Context, l lab.Layout, node string) error {
	tools := map[string]lab.Tool{}
	maps.Copy(tools, openvz.Tools())
	maps.Copy(tools, xen.Tools())
	maps.Copy(tools, libvirt.Tools())
	return lab.RunNode(ctx, l, node, l.Path("bin/lbvm-lab"), tools)
}

func manager(ctx context.Context, dir string) (err error) {
	l, d, err := lab.Open(dir)
	if err != nil {
		return err
	}
	lock, err := lockfile.Try(l.Path(managerLock), fmt.Sprintf("pid %d", os.Getpid()))
	if err != nil {
		return err
	}
	defer lock.Close()
	c := clock.Scaled{Start: d.Start, Epoch: d.Epoch, Scale: d.Scale}
	return rgmanager.Run(ctx, rgmanager.Options{Layout: l, Clock: c, Power: power{l}})
}
