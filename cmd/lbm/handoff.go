package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
)

func (w world) handoffCommand() *cli.Command {
	return &cli.Command{
		Name: "handoff", Usage: "say what a VM's hand-off record means and what comes next", ArgsUsage: "VM",
		Description: "Prints the record, what it means, what the next stop and the next start would do on each node, and what\n" +
			"comes of the VM if a node dies now or an action was cut off. It is told from the tables by which the agents\n" +
			"decide; docs/handoff.md prints them all. It looks at no guest: on a node itself, the agent's --explain tells\n" +
			"what its action would do with what is there.\n\n" +
			"   lbm handoff 101\n   lbm handoff -o json xen:web1\n\n" +
			"Exit codes: 0 it is told, 1 failed, 2 usage, 3 refused: there is no such VM or no shared storage,\n4 the record cannot be read or the members are not known: told is what holds then.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return tooMany(c, "lbm handoff needs a VM")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			id, shared, err := w.place(c.Context)
			if err != nil {
				return err
			}
			if shared == "" {
				return refused(fmt.Errorf("%w: there are no hand-off records", host.ErrNotShared))
			}
			typ, vm, service, err := w.namedVM(c.Args().First())
			if err != nil {
				return err
			}
			o, err := w.outlook(c.Context, id, shared, typ, vm, service)
			if err != nil {
				return err
			}
			if err := w.tellOutlook(o, asJSON); err != nil {
				return err
			}
			if len(o.Doubts) > 0 {
				return cli.Exit(fmt.Sprintf("%s; nothing was changed", o.Doubts[0]), exitUnknown)
			}
			return nil
		},
	}
}

// outlook is what lbm handoff tells.
type outlook struct {
	VM      string        `json:"vm"` // TYPE:NAME
	Record  recordOutlook `json:"record"`
	Means   string        `json:"means"`
	Doubts  []string      `json:"doubts"` // what is not known
	Nodes   []nodeOutlook `json:"nodes"`
	Crashes []crashWords  `json:"crashes"`
	Cures   []string      `json:"cures"` // for the refusals among the starts
	cutOff  bool          // the phase is one of a passage, in which nothing rests
}

type recordOutlook struct {
	Phase  string  `json:"phase"`
	Number uint64  `json:"number"`
	Node   *string `json:"node"`
	Boot   *string `json:"boot"`
	To     *string `json:"to"`
	Left   bool    `json:"left"`
	Image  *string `json:"image"`
	Whole  *bool   `json:"image_published"`
	Why    *string `json:"why"`
	Agent  *string `json:"agent"`
}

type nodeOutlook struct {
	Node   string    `json:"node"`
	Member *bool     `json:"member"`
	Gone   *bool     `json:"gone"` // proved, of what it has by the record; null where nobody knows
	Part   string    `json:"part"` // in the record: has, target, none
	Absent actions   `json:"if_absent"`
	Runs   actions   `json:"if_running"`
	Dies   *rowWords `json:"if_it_dies"` // what a start elsewhere does then; null for a node that is proved gone
	view   [2]protocol.View
}

type actions struct {
	Stop  rowWords `json:"stop"`
	Start rowWords `json:"start"`
}

type rowWords struct {
	Row   string `json:"row"`
	Deed  string `json:"deed"`
	Words string `json:"words"`
	Rules []int  `json:"rules"`
}

type crashWords struct {
	When   string  `json:"when"`
	Killed *string `json:"if_cut_off"`
	Dies   *string `json:"if_a_node_dies"`
}

func wordsOf(r protocol.Row) rowWords {
	return rowWords{r.Name, r.Do.String(), r.Words, append([]int{}, r.Rules...)}
}

// outlook reads the record and asks who is a member. What is not known is told, and counts as it does for an agent.
func (w world) outlook(ctx context.Context, id host.Identity, shared, typ, vm, service string) (outlook, error) {
	o := outlook{VM: typ + ":" + vm, Doubts: []string{}, Crashes: []crashWords{}, Cures: []string{}}
	dir, err := handoff.Open(shared, typ, vm)
	if err != nil {
		return o, refused(err)
	}
	st, err := dir.Read()
	if err != nil {
		o.Doubts = append(o.Doubts, err.Error())
	}
	o.Record = recordOutlook{Phase: st.Phase.String(), Number: st.Seq, Node: known(st.Node), Boot: known(st.Boot), To: known(st.To),
		Left: st.Left, Image: known(st.Image), Why: known(st.Why), Agent: known(st.Agent)}
	o.Means = protocol.PhaseText(st.Phase)
	o.cutOff = !slices.Contains([]handoff.Phase{handoff.NoRecord, handoff.Down, handoff.Running, handoff.Suspended}, st.Phase)
	if st.Image != "" && st.Phase != handoff.Resuming {
		whole, err := dir.HasImage(st.Image)
		if err != nil {
			o.Doubts = append(o.Doubts, err.Error())
		} else {
			o.Record.Whole = &whole
		}
	}
	members := membership.Of(w.host, w.run)
	all, err := members.Members(ctx)
	if err != nil {
		o.Doubts = append(o.Doubts, fmt.Sprintf("the cluster's members are not known: %v", err))
	}
	node, to, doubts := proofs(ctx, members, shared, id.Member, st)
	o.Doubts = append(o.Doubts, doubts...)
	for _, name := range names(all, st, id.Member) {
		n := nodeOutlook{Node: name, Part: "none"}
		if m, ok := membership.Find(all, name); ok {
			n.Member = &m.Online
		}
		v := protocol.View{Phase: st.Phase, Mine: name == st.Node, ToMe: name == st.To, Image: o.Record.Whole != nil && *o.Record.Whole}
		v.NodeGone, v.ToGone = node != nil && *node && !v.Mine, to != nil && *to && !v.ToMe
		switch {
		case v.Mine:
			n.Part, n.Gone = "has", node
		case v.ToMe:
			n.Part, n.Gone = "target", to
		}
		n.Absent, n.view[0] = decide(v, protocol.Absent)
		n.Runs, n.view[1] = decide(v, protocol.Running)
		n.Dies = dies(st, n)
		o.Nodes = append(o.Nodes, n)
	}
	o.Means += o.aside()
	o.crashes(st.Phase)
	o.cures(service)
	return o, nil
}

// decide is what stop and start do where the guest is as given.
func decide(v protocol.View, guest protocol.Guest) (actions, protocol.View) {
	v.Guest = guest
	first := protocol.Find(protocol.Look(), v)
	if first.Do == protocol.GoOn {
		first = protocol.Find(protocol.Stop(), v)
	}
	start := protocol.Find(protocol.Start(), v)
	if v.Phase == handoff.PhaseUnknown {
		start = protocol.Row{Name: "record not readable", Do: protocol.RefuseUnread, Words: "the record cannot be read: nothing is started", Rules: []int{5}}
	}
	return actions{wordsOf(first), wordsOf(start)}, v
}

// proofs are whether the record's nodes are proved gone; nil is that nobody knows, or that there is none.
func proofs(ctx context.Context, m membership.Membership, shared, me string, st handoff.State) (node, to *bool, doubts []string) {
	ask := func(name, boot string, left bool) *bool {
		if name == "" || name == me {
			return nil
		}
		gone, err := membership.Gone(ctx, m, shared, name, boot, left)
		if err != nil {
			doubts = append(doubts, err.Error())
			return nil
		}
		return &gone
	}
	return ask(st.Node, st.Boot, st.Left), ask(st.To, "", false), doubts
}

// names are the members', and those of the record that are none.
func names(all []membership.Member, st handoff.State, me string) []string {
	var out []string
	for _, m := range all {
		out = append(out, m.Name)
	}
	for _, name := range []string{me, st.Node, st.To} {
		if _, ok := membership.Find(all, name); !ok && name != "" {
			all = append(all, membership.Member{Name: name})
			out = append(out, name)
		}
	}
	return out
}

// dies is what comes of the VM if the node dies and its death is proved; nil where it is proved already.
func dies(st handoff.State, n nodeOutlook) *rowWords {
	if n.Gone != nil && *n.Gone {
		return nil
	}
	who := protocol.AtOther
	switch n.Part {
	case "has":
		who = protocol.AtNode
	case "target":
		who = protocol.AtTo
	}
	for _, d := range protocol.Deaths() {
		if d.Phase == st.Phase && d.Who == who {
			r := protocol.Find(protocol.Start(), protocol.DeathView(st.Phase, who))
			words := d.Words
			if who == protocol.AtNode && st.Left {
				words += "; but it is marked as having left in order: only a new boot of it, or lbm confirm-down, proves its death"
			}
			return &rowWords{r.Name, d.Start.String(), words, append([]int{}, r.Rules...)}
		}
	}
	words := "nothing changes for this VM"
	if st.Phase == handoff.PhaseUnknown {
		words = "nobody knows what comes of it"
	}
	return &rowWords{Words: words, Deed: protocol.Nothing.String(), Rules: []int{}}
}

// crashes are the lines of the crash table for this phase.
func (o *outlook) crashes(phase handoff.Phase) {
	for _, c := range protocol.Crashes() {
		for _, p := range c.Phases {
			if p == phase {
				o.Crashes = append(o.Crashes, crashWords{c.When, known(c.Killed), known(c.Dies)})
			}
		}
	}
}

// cures are what to do where a start is refused now. For a node that is away the ways are told in their order.
func (o *outlook) cures(service string) {
	_, vm, _ := strings.Cut(o.VM, ":")
	told := map[protocol.Deed]bool{}
	for _, n := range o.Nodes {
		for _, v := range n.view {
			d := protocol.Find(protocol.Start(), v).Do
			if v.Phase == handoff.PhaseUnknown {
				d = protocol.RefuseUnread
			}
			c := protocol.CureOf(d)
			if !d.Refuses() || c.Do == "" || told[d] || v.Guest != protocol.Absent && d != protocol.RefuseUnread {
				continue
			}
			told[d] = true
			if has := o.has(); d == protocol.RefuseElsewhere && has != "" { // all is well with it
				o.Cures = append(o.Cures, fmt.Sprintf("%s has the VM by the record: it is started there, `clusvcadm -e %s -m %[1]s`", has, cmp.Or(service, "GROUP")))
				continue
			}
			if away := o.away(); d == protocol.RefuseElsewhere && away != "" {
				o.Cures = append(o.Cures, fmt.Sprintf("%s has it, is no member, and is not proved gone. What frees the VM, in this order:", away))
				for _, s := range protocol.Freeing(vm, away, o.Record.Left) {
					text := s.What
					if s.Command != "" {
						text = "`" + s.Command + "`: " + text
					}
					o.Cures = append(o.Cures, text)
				}
				continue
			}
			o.Cures = append(o.Cures, strings.NewReplacer("GROUP", cmp.Or(service, "GROUP"), "lbm confirm-down VM", "lbm confirm-down "+vm, "lbm repair VM", "lbm repair "+vm, "lbm handoff VM", "lbm handoff "+vm).Replace(c.Means+" "+c.Do))
		}
	}
}

// away is the record's node that is no member and not proved gone; "" is none.
func (o *outlook) away() string {
	for _, n := range o.Nodes {
		if n.Part != "none" && n.Member != nil && !*n.Member && (n.Gone == nil || !*n.Gone) {
			return n.Node
		}
	}
	return ""
}

// has is the record's one node that is a member, of a VM that is on no passage; "" is none.
func (o *outlook) has() string {
	for _, n := range o.Nodes {
		if n.Part == "has" && n.Member != nil && *n.Member && !o.cutOff {
			return n.Node
		}
	}
	return ""
}

// aside tells of the record's nodes that are away.
func (o *outlook) aside() string {
	text := ""
	for _, n := range o.Nodes {
		switch {
		case n.Part == "none" || n.Member == nil || *n.Member:
		case n.Gone != nil && *n.Gone:
			text += fmt.Sprintf("; %s is proved gone", n.Node)
		default:
			text += fmt.Sprintf("; %s is away, and not proved gone", n.Node)
		}
	}
	return text
}
