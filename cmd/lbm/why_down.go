package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/internal/why"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/ccs"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func (w world) whyDownCommand() *cli.Command {
	return &cli.Command{
		Name: "why-down", Usage: "say why a service does not run, and what to type next", ArgsUsage: "SERVICE",
		Description: "Puts together what the cluster manager says of the service, what its agents said last (the journal of all\n" +
			"nodes, the black box of this one), the hand-off record and the fencing of nodes that are away, and tells it\n" +
			"in one paragraph, with the next command. SERVICE is a service of cluster.conf or the VM in it. Nothing is\n" +
			"changed. With Pacemaker it tells of failed actions, constraints, standby, maintenance and fencing as well.\n\n" +
			"   lbm why-down web1\n   lbm why-down service:centos\n   lbm why-down -o json openvz:101\n\n" +
			"Exit codes: 0 it is told, 1 failed, 2 usage, 3 there is no such service, 4 the cluster manager does not tell.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return tooMany(c, "lbm why-down needs a service or a VM")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.whyDown(c.Context, c.Args().First(), asJSON)
		},
	}
}

// whyRow is the JSON of lbm why-down.
type whyRow struct {
	Service string   `json:"service"`
	VM      *string  `json:"vm"`
	Down    bool     `json:"down"`
	State   string   `json:"state"`
	Owner   *string  `json:"owner"`
	Cause   string   `json:"cause"`
	Text    string   `json:"text"`
	Next    *string  `json:"next"` // the command; null where only waiting helps
	On      *string  `json:"on"`   // the node on which; null: this one
	Then    []string `json:"then"`
}

func (w world) whyDown(ctx context.Context, name string, asJSON bool) error {
	v, err := w.whyAsked(ctx, name)
	if err != nil {
		return refused(w.orHalf(ctx, name, err))
	}
	a := why.Explain(v)
	a.Text, a.Next = w.inItsWords(a.Text), w.inItsWords(a.Next)
	for i, t := range a.Then {
		a.Then[i] = w.inItsWords(t)
	}
	if root := w.host.Root(); root != "" { // paths are told as the node's own
		a.Text = strings.ReplaceAll(a.Text, root, "")
	}
	if asJSON {
		row := whyRow{Service: v.Service, Down: a.Down, State: v.State.State.String(), Owner: known(v.State.Owner), Cause: string(a.Cause), Text: a.Text,
			Next: known(a.Next), On: known(a.On), Then: append([]string{}, a.Then...)}
		if v.VM != "" {
			ref := v.Type + ":" + v.VM
			row.VM = &ref
		}
		if err := term.JSON(w.stdout, row); err != nil {
			return err
		}
	} else {
		for _, line := range wrapped(a.Text, 100) {
			fmt.Fprintln(w.stdout, line)
		}
		if a.Next != "" {
			on := ""
			if a.On != "" && !strings.EqualFold(a.On, v.Self) {
				on = " (on " + a.On + ")"
			}
			fmt.Fprintf(w.stdout, "next:  %s%s\n", a.Next, on)
		}
		for _, t := range a.Then {
			fmt.Fprintf(w.stdout, "       %s\n", t)
		}
	}
	if a.Cause == why.Silent || a.Cause == why.NoManager {
		return cli.Exit("", exitUnknown)
	}
	return nil
}

// whyAsked finds the service, and gathers what is known.
func (w world) whyAsked(ctx context.Context, name string) (why.View, error) {
	if w.kind(ctx) == cluster.NamePacemaker {
		c, err := cluster.Configured(ctx, w.host, w.run, cluster.NamePacemaker)
		if err != nil {
			return why.View{}, err
		}
		svc, err := resolve(cluster.Status{Services: c.Machines}, name)
		if err != nil {
			return why.View{}, err
		}
		v := w.whyKnown(ctx, why.View{Service: svc.ID, Type: svc.VMType, VM: svc.VM, Pacemaker: &cluster.Facts{}})
		if v.ManagerErr == nil {
			f, err := cluster.PacemakerFacts(ctx, w.host, w.run, svc.ID)
			v.Pacemaker, v.ManagerErr = &f, err
		}
		return v, nil
	}
	doc, err := ccs.Load(w.host.Path(host.ClusterXML))
	if err != nil {
		return why.View{}, err
	}
	svc, group, err := whichService(doc, name)
	if err != nil {
		return why.View{}, err
	}
	return w.whyView(ctx, doc, svc, group), nil
}

// whichService finds what a person names: a VM or the service that holds it, or any other service of cluster.conf.
func whichService(doc *ccs.Document, name string) (cluster.Service, ccs.Service, error) {
	all := doc.Services()
	svc, err := resolve(cluster.Status{Services: cluster.Machines(doc)}, name)
	if err == nil {
		group, _ := doc.Service(svc.ID)
		return svc, group, nil
	}
	for _, s := range all {
		if s.ID() != name && s.Name != name {
			continue
		}
		if vms := slices.DeleteFunc(cluster.Machines(doc), func(m cluster.Service) bool { return m.ID != s.ID() }); len(vms) > 0 {
			return vms[0], s, nil // of several VMs the first speaks for the service
		}
		return cluster.Service{ID: s.ID()}, s, nil
	}
	var are []string
	for _, s := range all {
		are = append(are, s.ID())
	}
	return svc, ccs.Service{}, fmt.Errorf("%w and no service %q in cluster.conf, which has %s", errNoVM, name, strings.Join(are, ", "))
}

// whyView gathers what is known. What cannot be learned is a part of it.
func (w world) whyView(ctx context.Context, doc *ccs.Document, svc cluster.Service, group ccs.Service) why.View {
	v := why.View{Service: svc.ID, Type: svc.VMType, VM: svc.VM, Autostart: autostarts(group.Attrs["autostart"]), Recovery: group.Attrs["recovery"], Domain: group.Domain()}
	for _, d := range doc.Domains() {
		if strings.EqualFold(d.Name, v.Domain) {
			v.Restricted = d.Restricted
			for _, n := range d.Nodes {
				v.Nodes = append(v.Nodes, n.Name)
			}
		}
	}
	return w.whyKnown(ctx, v)
}

// whyKnown asks all others than the configuration.
func (w world) whyKnown(ctx context.Context, v why.View) why.View {
	v.Now, v.Gone, v.Fenced, v.Proved = w.clock.Now(), map[string]bool{}, map[string]string{}, map[string]bool{}
	w.askManager(ctx, &v)
	id, err := w.host.Identity()
	if err != nil {
		return v // before lbm init there is neither record nor journal
	}
	v.Self, v.Shared = id.Member, id.Shared
	if v.VM == "" || v.Shared == "" {
		return v
	}
	shared, err := w.sharedDir(ctx, id)
	v.ShareErr, v.Hangs = err, errors.Is(err, errHangs)
	switch {
	case err == nil:
		w.askRecords(ctx, &v, shared, w.host.Path(id.LogDir))
	case v.Hangs && v.State.Owner != "":
		w.askFencing(ctx, &v, membership.Of(w.host, w.run), v.State.Owner)
	}
	w.askBox(&v)
	slices.SortStableFunc(v.Actions, func(a, b why.Action) int { return a.At.Compare(b.At) })
	return v
}

// autostarts reads the attribute as rgmanager does: "no", and what does not begin with a number above 0, is off.
func autostarts(value string) bool {
	value = strings.TrimSpace(value)
	return value == "" || strings.TrimLeft(value, "0") != "" && strings.ContainsAny(value[:1], "0123456789")
}

func (w world) askManager(ctx context.Context, v *why.View) {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	st, err := w.manager().Status(ctx)
	if errors.Is(err, cluster.ErrNoStates) {
		v.StatesErr, err = err, nil
	}
	v.ManagerErr, v.Quorate, v.Members = err, st.Quorate, st.Members
	for _, s := range st.Services {
		if s.ID == v.Service && s.VM == v.VM && s.VMType == v.Type {
			// One of which the manager says nothing at all is not known to it.
			v.State, v.Known = s, s.State != cluster.Unknown || s.Owner != "" || !s.Since.IsZero()
		}
	}
	if v.VM == "" && err == nil && v.StatesErr == nil {
		v.State, v.Known, v.ManagerErr = cluster.Group(ctx, w.host, w.run, w.clock, v.Service)
	}
}

func (w world) askRecords(ctx context.Context, v *why.View, shared, logs string) {
	dir, err := handoff.Open(shared, v.Type, v.VM)
	if err != nil {
		v.RecordErr = err
		return
	}
	v.Record, v.RecordErr = dir.Read()
	if v.Record.Image != "" {
		v.Published, err = dir.HasImage(v.Record.Image)
		v.RecordErr = errors.Join(v.RecordErr, err)
	}
	if moving, err := handoff.Relocating(shared, v.Type, v.VM); err == nil {
		v.Moving = moving
	}
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	members := membership.Of(w.host, w.run)
	for _, x := range []struct {
		node, boot string
		left       bool
	}{{v.Record.Node, v.Record.Boot, v.Record.Left}, {v.Record.To, "", false}, {v.State.Owner, "", false}} {
		if _, asked := v.Gone[x.node]; asked || x.node == "" || slices.ContainsFunc(v.Members, func(m cluster.Member) bool { return m.Online && strings.EqualFold(m.Name, x.node) }) {
			continue
		}
		gone, err := membership.Gone(ctx, members, shared, x.node, x.boot, x.left)
		v.Gone[x.node] = gone && err == nil
		w.askFencing(ctx, v, members, x.node)
	}
	v.Actions = append(v.Actions, noted(filepath.Join(logs, balance.JournalName), v.Type+":"+v.VM)...)
}

// askFencing learns whether a node that is away was fenced.
func (w world) askFencing(ctx context.Context, v *why.View, members membership.Membership, node string) {
	e := membership.EvidenceOf(ctx, members, node)
	fenced, err := members.Fenced(ctx, node)
	v.Fenced[node], v.Proved[node] = e.Fencing, err == nil && fenced && !e.Owed
}

// noted are the failures of agents in the journal that all nodes write.
func noted(journal, vm string) []why.Action {
	b, err := os.ReadFile(journal)
	if err != nil {
		return nil // nothing was ever noted, or it is away with the storage
	}
	var out []why.Action
	for _, l := range strings.Split(string(b), "\n") {
		at, p, err := keyval.ParseRecord(l)
		if err != nil || p.Get("event") != "agent" || p.Get("vm") != vm {
			continue
		}
		switch outcome := p.Get("outcome"); outcome {
		case "booted", "adopted", "resumed", "taken over": // it has run since
			out = nil
		case "failed", "double run", "hand-off unknown", "state not written":
			text := p.Get("why")
			if outcome != "failed" {
				text = outcome + ": " + text
			}
			out = append(out, why.Action{At: at, Node: p.Get("node"), Name: p.Get("action"), Text: text})
		}
	}
	return out
}

// askBox adds what this node's own agents did last.
func (w world) askBox(v *why.View) {
	all, err := ocf.ReadBox(ocf.BoxFile(w.host.Root()))
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return // no agent of ours has run here, or the box is damaged: lbm blackbox says so
	}
	for _, r := range all {
		if r.Type != v.Type || r.Name != v.VM || !slices.Contains([]string{"start", "stop", "migrate", "migrate_to", "migrate_from"}, r.Action) {
			continue
		}
		if lab, is := w.clock.(clock.Scaled); is { // agents live in the machine's time; journals, and so we, in the lab's
			r.At = lab.Of(r.At)
		}
		switch {
		case !r.Ended && r.Lives:
			v.Actions = append(v.Actions, why.Action{At: r.At, Node: v.Self, Name: r.Action, Work: true})
		case r.Failed():
			v.Actions = append(v.Actions, why.Action{At: r.At, Node: v.Self, Name: r.Action, Text: boxText(r)})
		case r.Action == "start": // it has run since
			v.Actions = slices.DeleteFunc(v.Actions, func(a why.Action) bool { return a.At.Before(r.At) })
		}
	}
}

// boxText is how an action ended, with the programs that it ran.
func boxText(r ocf.BoxRecord) string {
	row := boxRow(r)
	text := "it was killed"
	if r.Ended {
		text = "exit " + row[3]
	}
	if r.Error != "" {
		text += ": " + r.Error
	}
	if tools := row[len(row)-1]; tools != "" {
		text += " (programs: " + tools + ")"
	}
	return text
}
