package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// statusLimit bounds what only looks.
const statusLimit = 30 * time.Second

func (w world) listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "show every virtual machine of the cluster",
		Description: "STATE is the cluster manager's word. HANDOFF is the record on the shared storage, the truth about\n" +
			"where the VM is; it says `running NODE` in quiet times. RULE tells which block of lbvm.conf decides\n" +
			"for the VM, or - where the balancer leaves it alone.\n\n" +
			"   lbm list\n   lbm list -o json\n\n" +
			"Exit codes: 0 shown, 1 the cluster manager does not answer, 2 usage, 4 the shared storage does not answer:\nshown is what is known without it.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm list takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.list(c.Context, asJSON)
		},
	}
}

// listed is a row of lbm list. Unknown is null.
type listed struct {
	VM   string `json:"vm"`
	Type string `json:"type"`
	// Technology is the one that an administrator has defined, of a VM of the type vmexec.
	Technology *string `json:"technology"`
	Service    string  `json:"service"`
	Node       *string `json:"node"`
	Away       bool    `json:"node_away"` // Node is no member any more
	State      string  `json:"state"`
	Frozen     bool    `json:"frozen"`
	Handoff    *string `json:"handoff"`
	Rule       *string `json:"rule"`
}

func (w world) list(ctx context.Context, asJSON bool) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	st, err := w.manager().Status(ctx)
	if err != nil {
		return err
	}
	hangs := w.answers(ctx)
	if hangs != nil && !errors.Is(hangs, errHangs) {
		return hangs
	}
	w.hung(hangs)
	file, err := w.configuration(ctx)
	if err != nil && hangs == nil {
		fmt.Fprintln(w.stderr, "lbm:", err)
	}
	records := w.records(ctx, err)
	rows := []listed{}
	for _, s := range st.Services {
		if s.VM == "" {
			continue
		}
		r := listed{VM: s.VM, Type: s.VMType, Service: s.ID, State: s.State.String(), Frozen: s.Frozen, Handoff: records(s), Rule: ruleOf(file, st, s)}
		if t := s.Params["type"]; s.VMType == vmexec.Type && t != "" {
			r.Technology = &t
		}
		if s.Owner != "" {
			owner := s.Owner
			r.Node = &owner
			r.Away = !slices.ContainsFunc(st.Members, func(m cluster.Member) bool { return m.Online && m.Name == owner })
		}
		rows = append(rows, r)
	}
	halves, halvesKnown, err := w.halves(ctx)
	if err != nil {
		fmt.Fprintln(w.stderr, "lbm:", err)
	}
	var end error
	if hangs != nil {
		end = cli.Exit("", exitUnknown)
	}
	if asJSON {
		if err := term.JSON(w.stdout, struct {
			Quorate    bool      `json:"quorate"`
			VMs        []listed  `json:"vms"`
			Unfinished []halfRow `json:"unfinished"`
		}{st.Quorate, rows, halfRows(halves, halvesKnown)}); err != nil {
			return err
		}
		return end
	}
	var cells [][]string
	for _, r := range rows {
		state := r.State
		if r.Frozen {
			state += " [Z]"
		}
		typ := r.Type
		if r.Technology != nil {
			typ += " (" + *r.Technology + ")"
		}
		node := text(r.Node)
		if r.Away {
			node += ", away"
		}
		cells = append(cells, []string{r.VM, typ, r.Service, node, state, text(r.Handoff), text(r.Rule)})
	}
	if err := term.Table(w.stdout, []string{"VM", "TYPE", "SERVICE", "NODE", "STATE", "HANDOFF", "RULE"}, cells); err != nil {
		return err
	}
	if !st.Quorate {
		fmt.Fprintln(w.stdout, "\nThe cluster has no quorum: nothing is moved.")
	}
	for _, h := range halves {
		fmt.Fprintf(w.stdout, "\n%s: %s;\n%s.\n", h.Ref(), h.Text(), h.Next())
	}
	return end
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// records reads hand-off records, where there is a shared storage. What was said already is not said again.
func (w world) records(ctx context.Context, said error) func(cluster.Service) *string {
	none := func(cluster.Service) *string { return nil }
	say := func(err error) {
		if said == nil || said.Error() != err.Error() {
			fmt.Fprintln(w.stderr, "lbm:", err)
		}
	}
	id, err := w.host.Identity()
	if err != nil {
		say(err)
		return none
	}
	shared, err := w.sharedDir(ctx, id)
	if errors.Is(err, host.ErrNotShared) {
		return none
	}
	if err != nil {
		say(err)
		return none
	}
	return func(s cluster.Service) *string {
		st, err := handoff.ReadState(shared, s.VMType, s.VM)
		if err != nil {
			fmt.Fprintln(w.stderr, "lbm:", err)
			return nil
		}
		out := handoffWords(st)
		return &out
	}
}

// ruleOf names the block of lbvm.conf that decides for a VM.
func ruleOf(f *conf.File, st cluster.Status, s cluster.Service) *string {
	if f == nil {
		return nil
	}
	for _, name := range f.Balance {
		if got, err := resolve(st, name); err != nil || got.VM != s.VM || got.VMType != s.VMType {
			continue
		}
		rule := "none"
		if f.Default != nil {
			rule = "default"
		}
		for _, n := range []string{name, s.VM, s.VMType + ":" + s.VM} {
			if f.Block(n) != nil {
				rule = "own"
			}
		}
		return &rule
	}
	return nil
}

// listBalanced is the manual's lbm -l.
func (w world) listBalanced(ctx context.Context) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	file, err := w.configuration(ctx)
	if errors.Is(err, errHangs) {
		return cli.Exit(fmt.Sprintf("%v: which VMs are balanced is not known; lbm list tells where all are", err), exitUnknown)
	}
	if err != nil {
		return err
	}
	st, err := w.manager().Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w.stdout, "Balanced virtual machine(s):")
	missing := false
	for _, name := range file.Balance {
		s, err := resolve(st, name)
		switch {
		case err != nil:
			missing = true
			fmt.Fprintf(w.stderr, "lbm: %v\n", err)
		case s.Owner == "":
			fmt.Fprintf(w.stdout, "%s is %s\n", name, s.State)
		case s.State == cluster.Started:
			fmt.Fprintf(w.stdout, "%s on node %s\n", name, s.Owner)
		default:
			fmt.Fprintf(w.stdout, "%s on node %s (%s)\n", name, s.Owner, s.State)
		}
	}
	if missing {
		return cli.Exit("", exitFailed)
	}
	return nil
}
