package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

// ground is what a command on one VM stands on.
type ground struct {
	id     host.Identity
	shared string // joined with the root, its marker seen; "" where the cluster has none
	svc    cluster.Service
	mover  move.Mover
}

// ref is TYPE:VM.
func (g ground) ref() string { return g.svc.VMType + ":" + g.svc.VM }

// request is what a Mover is asked, but for the target.
func (g ground) request(why string) move.Request {
	return move.Request{Type: g.svc.VMType, VM: g.svc.VM, By: "lbm", Why: why + " on " + g.id.Member}
}

// place finds this node's cluster and its shared storage.
func (w world) place(ctx context.Context) (host.Identity, string, error) {
	id, err := w.host.Identity()
	if err != nil {
		return id, "", refused(err)
	}
	shared, err := w.sharedDir(ctx, id)
	switch {
	case err == nil || errors.Is(err, host.ErrNotShared):
		return id, shared, nil
	case ctx.Err() != nil:
		return id, "", cli.Exit("interrupted: nothing was changed", exitInterrupted)
	}
	return id, "", refused(err)
}

// readVM is onVM for what shows a VM while the shared storage does not answer: there is nothing in ground by which it is moved.
func (w world) readVM(c *cli.Context, do func(g ground, asJSON bool) error) error {
	if c.NArg() != 1 {
		return tooMany(c, "lbm "+c.Command.Name+" needs a VM")
	}
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	st, err := w.manager().Status(c.Context)
	if err != nil {
		return err
	}
	g := ground{}
	if g.svc, err = resolve(st, c.Args().First()); err != nil {
		return refused(w.orHalf(c.Context, c.Args().First(), err))
	}
	return do(g, asJSON)
}

// ground finds the VM that a person names, and all that is needed to ask for its move.
func (w world) ground(ctx context.Context, vm string) (ground, error) {
	id, shared, err := w.place(ctx)
	if err != nil {
		return ground{}, err
	}
	st, err := w.manager().Status(ctx)
	if ctx.Err() != nil {
		return ground{}, cli.Exit("interrupted: nothing was changed", exitInterrupted)
	}
	if err != nil {
		return ground{}, refused(err)
	}
	g := ground{id: id, shared: shared}
	if g.svc, err = resolve(st, vm); err != nil {
		return g, refused(w.orHalf(ctx, vm, err))
	}
	g.mover = w.mover(ctx, id, shared)
	return g, nil
}

// mover asks for moves.
func (w world) mover(ctx context.Context, id host.Identity, shared string) move.Mover {
	members := membership.Of(w.host, w.run)
	return move.Mover{Manager: w.manager(), Shared: shared, Clock: w.clock, Wait: w.wait, Log: w.quiet(), Waiting: w.progress(),
		Fresh: w.fresh(ctx), Journal: w.journal(id),
		Gone: func(ctx context.Context, node, boot string, left bool) (bool, error) {
			return membership.Gone(ctx, members, shared, node, boot, left)
		}}
}

// quiet is a log for errors only: what a request came to is said by the command.
func (w world) quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(w.stderr)
	log.SetLevel(logrus.ErrorLevel)
	return log
}

// journal is that of the moves.
func (w world) journal(id host.Identity) *balance.FileJournal {
	return balance.OpenJournal(filepath.Join(w.host.Path(id.LogDir), balance.JournalName))
}

// onVM is what the commands on one VM that ask the cluster manager begin with.
func (w world) onVM(c *cli.Context, do func(g ground, asJSON bool) error) error {
	if c.NArg() != 1 {
		return tooMany(c, "lbm "+c.Command.Name+" needs a VM")
	}
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	g, err := w.ground(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	return do(g, asJSON)
}

// amender changes hand-off records for a command. Without shared storage there are none.
func (w world) amender(ctx context.Context, by string, dry bool) (amend.Amender, error) {
	id, shared, err := w.place(ctx)
	if err == nil && shared == "" {
		err = refused(fmt.Errorf("%w: there are no hand-off records", host.ErrNotShared))
	}
	return amend.Amender{Host: w.host, ID: id, Shared: shared, Members: membership.Of(w.host, w.run),
		Clock: w.clock, Wait: w.wait, By: by, Dry: dry}, err
}

// namedVM finds the VM that a person names in the cluster's configuration, without asking rgmanager, which may
// be in trouble itself. A VM that has been taken out of it is found by its full name TYPE:VM.
// service is "" then.
func (w world) namedVM(name string) (typ, vm, service string, err error) {
	conf, err := cluster.Configured(context.Background(), w.host, w.run, w.kind(context.Background()))
	if err != nil {
		return "", "", "", refused(err)
	}
	svc, err := resolve(cluster.Status{Services: conf.Machines}, name)
	if err == nil {
		return svc.VMType, svc.VM, svc.ID, nil
	}
	if typ, vm, ok := strings.Cut(name, ":"); ok && errors.Join(host.CheckName(typ), host.CheckName(vm)) == nil {
		return typ, vm, "", nil
	}
	return "", "", "", refused(w.orHalf(context.Background(), name, err))
}

// confirm asks a person to type a word. Whoever types another, or cannot be asked, has refused.
func (w world) confirm(ctx context.Context, question, word string) error {
	fmt.Fprintf(w.stdout, "%s\nType %s to go on: ", question, word)
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(w.stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case got := <-answer:
		if got == word {
			return nil
		}
		fmt.Fprintln(w.stdout)
		return cli.Exit("not confirmed: nothing was changed (--yes confirms without a question)", exitRefused)
	case <-ctx.Done():
		fmt.Fprintln(w.stdout)
		return cli.Exit("interrupted: nothing was changed", exitInterrupted)
	}
}

// ended turns what a Mover's request came to into an exit code, and tells what to look at.
func ended(err error) error {
	var away *move.Away
	switch {
	case err == nil:
		return nil
	case errors.As(err, &away) && errors.Is(err, move.ErrRefused):
		return cli.Exit(err.Error()+"\n"+awayText(away), exitRefused)
	case errors.As(err, &away):
		return cli.Exit(unknownText(away), exitUnknown)
	case errors.Is(err, move.ErrRefused) && errors.Is(err, context.Canceled):
		return cli.Exit("interrupted: nothing was changed", exitInterrupted)
	case errors.Is(err, move.ErrRefused):
		return refused(err)
	case errors.Is(err, move.ErrElsewhere):
		return cli.Exit(fmt.Sprintf("%v; changed so far: it runs there; check with lbm list", err), exitPartly)
	case errors.Is(err, move.ErrUnverified):
		return cli.Exit(fmt.Sprintf("%v; unknown: check with clustat and lbm list", err), exitUnknown)
	}
	return cli.Exit(fmt.Sprintf("%v; unknown: check with clustat and lbm list; lbm repair may help", err), exitFailed)
}

// watching says, when a person interrupts, that what has begun is not cut off. The clock that is waited by has no part
// in that, and so has a second interrupt.
func (w world) watching(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		fmt.Fprintln(w.stderr, "lbm: interrupted: what has begun is not undone, and is watched to its end; interrupt again to stop watching (lbm history tells the end then) ...")
	})
}
