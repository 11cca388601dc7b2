package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show one VM whole", ArgsUsage: "VM",
		Description: "Its service and owner, its hand-off record and memory image, what it uses, its rule and the rails that hold\n" +
			"it now, the nodes that it could go to as lbm migrate would rank them, whether each sees its configuration\n" +
			"and disks, what cluster.conf says of it, and its last moves.\n\n" +
			"   lbm show 101\n   lbm show xen:web1 -o json\n\n" +
			"Exit codes: 0 shown, 1 the cluster manager does not answer, 2 usage, 3 there is no such VM,\n4 the shared storage does not answer, or is not mounted here: shown is what is known without it.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if err := w.answers(c.Context); !errors.Is(err, errHangs) {
				return w.onVM(c, func(g ground, asJSON bool) error { return w.showVM(c.Context, g, asJSON) })
			}
			return w.readVM(c, func(g ground, asJSON bool) error { return w.showVM(c.Context, g, asJSON) })
		},
	}
}

// shownVM is the JSON of lbm show. Unknown is null.
type shownVM struct {
	VM         string            `json:"vm"`
	Service    string            `json:"service"`
	State      string            `json:"state"`
	Frozen     bool              `json:"frozen"`
	Owner      *string           `json:"owner"`
	LastOwner  *string           `json:"last_owner"`
	Since      *time.Time        `json:"since"`
	Beside     []string          `json:"beside"` // other VMs of its service
	Passes     *string           `json:"passes"` // how a move would pass it: live, image, cold
	Handoff    *string           `json:"handoff"`
	Image      *string           `json:"image"` // of its memory
	Mem        *int64            `json:"mem_bytes"`
	Cores      *float64          `json:"cpu_cores"`
	Rule       *string           `json:"rule"`
	Verdict    *string           `json:"verdict"` // of the balancer, now
	Why        *string           `json:"why"`
	Rails      []explainedVeto   `json:"rails"` // that hold it wherever it would go
	Apart      []string          `json:"apart"`
	Together   []string          `json:"together"`
	Candidates []candidateRow    `json:"candidates"`
	Ready      []readyRow        `json:"ready"`
	Params     map[string]string `json:"params"` // of cluster.conf
	Moves      []happening       `json:"moves"`  // the last ones
}

// readyRow tells whether a node sees what the VM is started from.
type readyRow struct {
	Node    string   `json:"node"`
	Lacks   []string `json:"lacks"`
	NotLive *string  `json:"not_live"`
}

// lastMoves is how many are shown.
const lastMoves = 5

func (w world) showVM(ctx context.Context, g ground, asJSON bool) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := w.scene(ctx)
	if err != nil {
		return err
	}
	v := g.svc
	out := shownVM{VM: g.ref(), Service: v.ID, State: v.State.String(), Frozen: v.Frozen, Owner: known(v.Owner), LastOwner: known(v.LastOwner), Since: some(v.Since),
		Beside: []string{}, Rails: []explainedVeto{}, Apart: s.group(g, func() [][]string { return s.file.Apart }),
		Together: s.group(g, func() [][]string { return s.file.Together }), Candidates: []candidateRow{}, Ready: []readyRow{}, Params: map[string]string{}, Moves: []happening{}}
	maps.Copy(out.Params, v.Params)
	if s.hangs == nil {
		out.Passes = known(g.mover.Kind(v))
	}
	w.hung(s.hangs)
	for _, x := range s.st.Services {
		if x.ID == v.ID && x.VM != "" && (x.VM != v.VM || x.VMType != v.VMType) {
			out.Beside = append(out.Beside, x.VMType+":"+x.VM)
		}
	}
	out.Rule = ruleOf(s.file, s.st, v)
	st, has, err := s.record(v)
	switch {
	case err != nil:
		s.doubts = append(s.doubts, err.Error())
	case has:
		out.Handoff, out.Image = known(handoffWords(st)), known(st.Image)
	}
	for _, m := range s.st.Members {
		for _, x := range s.facts[m.Name].VMs {
			if x.Type == v.VMType && x.Name == v.VM {
				out.Ready = append(out.Ready, readyRow{m.Name, append([]string{}, x.Lacks...), known(x.NotLive)})
			}
		}
	}
	if s.hangs == nil {
		w.decisionsOf(ctx, g, s, &out)
	}
	all, err := w.movesOf(s, g.ref())
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
	}
	out.Moves = append(out.Moves, all...)
	if asJSON {
		if err := term.JSON(w.stdout, out); err != nil {
			return err
		}
	} else if err := w.writeShown(s, out); err != nil {
		return err
	}
	w.doubts(s)
	return s.unseen()
}

// handoffWords is a record in a few words.
func handoffWords(st handoff.State) string {
	text := st.Phase.String()
	if st.Node != "" {
		text += " " + st.Node
	}
	if st.To != "" {
		text += "->" + st.To
	}
	if st.Left {
		text += ", left"
	}
	return text
}

// group are the VMs that a statement of lbvm.conf names with this one.
func (s *scene) group(g ground, lists func() [][]string) []string {
	out := []string{}
	if s.file == nil {
		return out
	}
	for _, list := range lists() {
		var with []string
		in := false
		for _, name := range list {
			got, err := resolve(s.st, name)
			switch {
			case err != nil:
			case got.VM == g.svc.VM && got.VMType == g.svc.VMType:
				in = true
			default:
				with = append(with, got.VMType+":"+got.VM)
			}
		}
		if in {
			out = append(out, with...)
		}
	}
	return out
}

// decisionsOf asks what the balancer would do with the VM now, and where a person's wish would have it go.
func (w world) decisionsOf(ctx context.Context, g ground, s *scene, out *shownVM) {
	if out.Rule != nil && s.config != nil {
		pass, _, err := w.explainNow(ctx, explainQuery{vm: g.ref()})
		var d balance.Decision
		if err == nil {
			d, err = decisionOn(pass, g.ref())
		}
		if err == nil {
			out.Verdict, out.Why, out.Rails = known(verdict(d)), known(d.Why), vetoes(d.Vetoes)
		} else {
			s.doubts = append(s.doubts, err.Error())
		}
	}
	f, err := w.fleet(ctx)
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
		return
	}
	for _, d := range s.doubts { // said already
		f.told["lbm: "+d] = true
	}
	in, err := f.look(ctx)
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
		return
	}
	for _, vm := range in.View.VMs {
		if vm.ID() == g.ref() {
			out.Mem, out.Cores = some(vm.Mem), some(vm.Cores)
		}
	}
	wish := balance.Wish{VMs: append([]string{g.ref()}, out.Beside...), Start: g.svc.State == cluster.Stopped || g.svc.State == cluster.Disabled}
	list, err := balance.Grant(ctx, in, wish)
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
		return
	}
	for _, d := range list {
		if d.VM == g.ref() {
			out.Candidates = candidateRows(d)
		}
	}
}

// movesOf are the last moves of a VM.
func (w world) movesOf(s *scene, ref string) ([]happening, error) {
	moves, err := w.moves(s, s.at.Add(-30*24*time.Hour))
	if err != nil {
		return nil, err
	}
	out := []happening{}
	for _, m := range moves {
		if m.VM != ref {
			continue
		}
		out = append(out, ofMove(m))
	}
	return out[max(0, len(out)-lastMoves):], nil
}

func (w world) writeShown(s *scene, v shownVM) error {
	out := w.stdout
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	where := v.State
	if v.Owner != nil {
		where += " on " + *v.Owner
	}
	if v.Frozen {
		where += ", frozen"
	}
	if v.Since != nil {
		where += ", since " + v.Since.In(s.at.Location()).Format("2006-01-02 15:04:05")
	}
	fmt.Fprintln(out, v.VM)
	line("service", "%s, %s", v.Service, where)
	if len(v.Beside) > 0 {
		line("beside it", "%s, which go with it", strings.Join(v.Beside, ", "))
	}
	if s.hangs == nil {
		line("hand-off", "%s; a move passes it %s", orNothing(text(v.Handoff)), map[string]string{"live": "live", "image": "with its memory in an image", "cold": "cold: it boots anew"}[text(v.Passes)])
	} else {
		line("hand-off", "not known")
	}
	if v.Image != nil {
		line("image", "%s", *v.Image)
	}
	var uses []string
	if v.Mem != nil {
		uses = append(uses, fmt.Sprintf("%d MiB", *v.Mem>>20))
	}
	if v.Cores != nil {
		uses = append(uses, fmt.Sprintf("%.2f processors", *v.Cores))
	}
	line("uses", "%s", orNothing(strings.Join(uses, ", ")))
	rule := "none: the balancer leaves it alone"
	switch {
	case v.Rule != nil:
		rule = *v.Rule
	case s.file == nil:
		rule = "not known"
	}
	line("rule", "%s", rule)
	if v.Verdict != nil {
		line("now", "%s: %s", *v.Verdict, text(v.Why))
	}
	for _, x := range v.Rails {
		line("rail", "%s: %s", x.Rail, x.Text)
	}
	if len(v.Apart) > 0 {
		line("apart from", "%s", strings.Join(v.Apart, ", "))
	}
	if len(v.Together) > 0 {
		line("with", "%s", strings.Join(v.Together, ", "))
	}
	var params []string
	for _, k := range slices.Sorted(maps.Keys(v.Params)) {
		params = append(params, fmt.Sprintf("%s=%q", k, v.Params[k]))
	}
	line("params", "%s", strings.Join(params, " "))
	if s.hangs != nil {
		return nil
	}
	fmt.Fprintln(out)
	var cells [][]string
	for _, c := range v.Candidates {
		rank, load := "", ""
		if c.Rank != nil {
			rank = fmt.Sprint(*c.Rank)
		}
		if c.Projected != nil && c.Resource != nil {
			load = fmt.Sprintf("%s %.2f", *c.Resource, *c.Projected)
		}
		var against []string
		for _, x := range c.Vetoes {
			against = append(against, x.Text)
		}
		cells = append(cells, []string{c.Node, rank, load, fmt.Sprint(c.Guests), sees(v.Ready, c.Node), strings.Join(against, "; ")})
	}
	if err := term.Table(out, []string{"CANDIDATE", "RANK", "WOULD BE", "GUESTS", "CONFIGURATION, DISKS", "AGAINST IT"}, cells); err != nil {
		return err
	}
	if len(v.Moves) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	cells = nil
	for _, h := range v.Moves {
		cells = append(cells, h.row())
	}
	return term.Table(out, []string{"TIME", "VM", "EVENT", "FROM", "TO", "OUTCOME", "MEMORY", "TOOK", "BY", "WHY"}, cells)
}

// sees tells whether a node sees what the VM is started from.
func sees(ready []readyRow, node string) string {
	for _, r := range ready {
		if r.Node == node && len(r.Lacks) > 0 {
			return "lacks " + strings.Join(r.Lacks, "; ")
		}
		if r.Node == node {
			return "seen"
		}
	}
	return "not known"
}
