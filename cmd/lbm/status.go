package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/doctor"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "the cluster at a glance, problems first",
		Description: "Each problem stands on a line with what to do about it; behind them the cluster in a few lines. It asks\n" +
			"the cluster manager once and reads the shared storage, where that answers; lbm doctor looks at this node\n" +
			"more closely.\n\n" +
			"   lbm status\n   lbm status -o json\n   watch lbm status\n\n" +
			"Exit codes: 0 no problem, 1 errors, or the cluster manager does not answer, 2 usage, 6 only warnings.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm status takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.status(c.Context, asJSON)
		},
	}
}

// problem is a line of lbm status.
type problem struct {
	Severity string `json:"severity"` // error, warning
	About    string `json:"about"`    // a node, TYPE:VM, or cluster
	Text     string `json:"text"`
	Next     string `json:"next"` // what to do
}

const (
	severe = "error"
	mild   = "warning"
)

// glance is the JSON of lbm status.
type glance struct {
	Cluster  string         `json:"cluster"`
	At       time.Time      `json:"at"`
	Quorate  bool           `json:"quorate"`
	Problems []problem      `json:"problems"`
	Nodes    []memberRow    `json:"nodes"`
	States   map[string]int `json:"vms_by_state"`
	Flying   []flyingRow    `json:"moves_in_flight"`
	LastPass *time.Time     `json:"last_pass_at"`
}

type flyingRow struct {
	VM    string    `json:"vm"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Begin time.Time `json:"begun_at"`
	By    string    `json:"by"`
}

func (w world) status(ctx context.Context, asJSON bool) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := w.scene(ctx)
	if err != nil {
		return err
	}
	g := glance{Cluster: s.id.Cluster, At: s.at, Quorate: s.st.Quorate, Nodes: s.memberRows(), States: map[string]int{}, Flying: []flyingRow{}}
	g.Problems = append([]problem{}, s.ofCluster()...)
	g.Problems = append(g.Problems, s.ofNodes()...)
	g.Problems = append(g.Problems, s.ofVMs()...)
	g.Problems = append(g.Problems, s.ofHalves()...)
	g.Problems = append(g.Problems, w.ofVersion(ctx)...)
	for _, v := range s.st.Services {
		if v.VM != "" {
			g.States[v.State.String()]++
		}
	}
	moves, err := w.moves(s, s.at.Add(-24*time.Hour))
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
	}
	for _, m := range moves {
		if m.End.IsZero() {
			g.Flying = append(g.Flying, flyingRow{m.VM, m.From, m.To, m.Begin, m.By})
		}
	}
	g.Problems = append(g.Problems, s.ofMoves(moves)...)
	pass, err := w.lastPass(s)
	if err != nil {
		s.doubts = append(s.doubts, err.Error())
	}
	if !pass.IsZero() {
		g.LastPass = &pass
	}
	g.Problems = append(g.Problems, s.ofPasses(pass)...)
	for _, d := range s.doubts {
		p := problem{mild, "cluster", d, "lbm doctor"}
		switch {
		case strings.Contains(d, "lbm init"):
			p.Next = "lbm init --help"
		case strings.Contains(d, host.ConfFile):
			p.Next = "lbm check"
		}
		g.Problems = append(g.Problems, p)
	}
	for i, p := range g.Problems {
		g.Problems[i].Text, g.Problems[i].Next = w.inItsWords(p.Text), w.inItsWords(p.Next)
	}
	slices.SortStableFunc(g.Problems, func(a, b problem) int { return strings.Compare(a.Severity, b.Severity) })
	if asJSON {
		err = term.JSON(w.stdout, g)
	} else {
		err = w.writeGlance(s, g)
	}
	switch {
	case err != nil:
		return err
	case len(g.Problems) == 0:
		return nil
	case g.Problems[0].Severity == severe:
		return cli.Exit("", exitFailed)
	}
	return cli.Exit("", exitWarnings)
}

func (s *scene) ofCluster() (out []problem) {
	if s.hangs != nil {
		p := problem{severe, "cluster", fmt.Sprintf("%v; below is what is known without it", s.hangs), "fence_tool ls; lbm doctor"}
		if !errors.Is(s.hangs, errHangs) {
			p.About, p.Next = s.id.Member, "mount "+s.id.Shared+" on this node; lbm doctor tells what is wrong with it"
		}
		out = append(out, p)
	}
	if !s.st.Quorate {
		out = append(out, problem{severe, "cluster", "the cluster has no quorum: no VM is started or moved", "bring the other nodes up; cman_tool status tells the votes"})
	}
	if s.hangs == nil && s.shared != "" && s.free != nil {
		if bytes, err := s.free(s.shared); err == nil && bytes < doctor.LeastRoom { // an error is the doctor's to tell
			out = append(out, problem{severe, "cluster", fmt.Sprintf("the shared storage is full (%d KiB are free): no record, ticket or image can be written, and nothing moves", bytes>>10), "df -h " + s.id.Shared + "; lbm purge"})
		}
	}
	return out
}

func (s *scene) ofNodes() (out []problem) {
	for _, m := range s.st.Members {
		switch {
		case !m.Online:
			out = append(out, problem{severe, m.Name, "is no member of the cluster", "lbm why-down VM tells of each VM that it had; to bring it back: boot it, or there: service cman start; service lbvm start; service rgmanager start"})
			continue
		case !m.Manager:
			out = append(out, problem{severe, m.Name, "is a member, and the cluster manager does not run there", "service rgmanager start"})
		case m.Estranged:
			out = append(out, problem{mild, m.Name, "is online and not in cluster.conf", "lbm ccs show"})
		}
		if s.shared == "" {
			continue
		}
		f, ok := s.facts[m.Name]
		switch age := s.at.Sub(f.At); {
		case !ok || f.At.IsZero():
			out = append(out, problem{mild, m.Name, "lblog has not run there since it came up: nothing moves there", "see that cron runs it: /etc/cron.d/lbvm"})
		case age > s.stale():
			out = append(out, problem{mild, m.Name, "was measured " + ago(age) + ": nothing moves there", "lblog --dry-run there tells what it complains of"})
		case age < -s.stale():
			out = append(out, problem{mild, m.Name, "was measured in the future: nothing moves there", "compare the clocks"})
		}
		if why := s.closed[m.Name]; why != "" {
			out = append(out, s.ofClosed(m, why))
		}
	}
	return out
}

// ofClosed is a node to which nothing is sent.
func (s *scene) ofClosed(m cluster.Member, why string) problem {
	p := problem{mild, m.Name, "nothing is sent there: it is evacuated", "lbm failback " + m.Name}
	if n := s.guests(m.Name); n > 0 {
		p.Text += fmt.Sprintf(", and %s there", verb(make([]string, n), "1 VM is", fmt.Sprintf("%d VMs are", n)))
		p.Next = "lbm evacuate " + m.Name + " goes on, lbm failback " + m.Name + " opens it"
	}
	if strings.Contains(why, "mark-left") {
		p.Text, p.Next = "nothing is sent there: it is about to leave the cluster", "if it stays: lbm mark-left --back there"
	}
	return p
}

func (s *scene) ofVMs() (out []problem) {
	for _, v := range s.st.Services {
		if v.VM == "" {
			continue
		}
		ref := v.VMType + ":" + v.VM
		half := slices.ContainsFunc(s.halves, func(h adopt.Half) bool { return h.Ref() == ref }) // told below, with what to do
		add := func(severity, text, next string) { out = append(out, problem{severity, ref, text, next}) }
		switch v.State {
		case cluster.Failed:
			next := "lbm why-down " + v.VM
			if s.shared != "" && v.VMType != "vm" { // else no record tells whether it still runs
				next += "; lbm repair " + v.VM
			}
			add(severe, v.ID+" is failed", next)
		case cluster.Stopped, cluster.Recoverable:
			add(severe, v.ID+" is "+v.State.String(), "lbm why-down "+v.VM)
		case cluster.Unknown:
			if !half {
				add(mild, "what "+v.ID+" does is not known", "lbm why-down "+v.VM)
			}
		}
		if v.Frozen {
			add(mild, v.ID+" is frozen: nobody moves or recovers it", "clusvcadm -U "+v.ID)
		}
		if v.Partial {
			add(severe, "a part of "+v.ID+" is stopped, maybe the VM", "lbm why-down "+v.VM)
		}
		if s.away(v.Owner) {
			add(severe, v.ID+" is on "+v.Owner+", which is away", "lbm why-down "+v.VM)
		}
		st, has, err := s.record(v)
		switch {
		case err != nil:
			add(severe, err.Error(), "lbm handoff "+v.VM)
		case has && v.State == cluster.Started && !(st.Phase == handoff.Running && st.Node == v.Owner):
			add(severe, fmt.Sprintf("%s is started on %s, and its hand-off record says %s", v.ID, v.Owner, strings.TrimSpace(st.Phase.String()+" "+st.Node)), "lbm handoff "+v.VM)
		case has && st.Phase == handoff.Running && (v.State == cluster.Disabled || v.State == cluster.Stopped):
			add(severe, fmt.Sprintf("%s is %s, and its hand-off record says running %s", v.ID, v.State, st.Node), "lbm repair "+v.VM)
		case v.State == cluster.Disabled && !half && !v.Since.IsZero() && s.at.Sub(v.Since) < recently: // by a repair that was killed in the middle, too
			add(mild, fmt.Sprintf("%s was disabled %s: nobody starts it", v.ID, ago(s.at.Sub(v.Since))), "if that was not meant: lbm place "+v.VM)
		}
	}
	return out
}

// away tells whether a service's owner is no member: then the manager's word on the service is an old one.
func (s *scene) away(owner string) bool {
	return owner != "" && !slices.ContainsFunc(s.st.Members, func(m cluster.Member) bool { return m.Name == owner && m.Online })
}

// lost says how many of the VMs that are counted are on nodes that are away.
func (s *scene) lost() string {
	n := 0
	for _, v := range s.st.Services {
		if v.VM != "" && s.away(v.Owner) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of them on nodes that are away", n)
}

// recently is how long a failed move is told of, and a service that somebody has disabled.
const recently = time.Hour

func (s *scene) ofMoves(moves []balance.Move) (out []problem) {
	for _, m := range moves {
		later := func(n balance.Move) bool {
			return n.VM == m.VM && n.Outcome == balance.OutcomeMoved && (n.Begin.After(m.Begin) || n.End.After(m.End) && !m.End.IsZero())
		}
		switch {
		case slices.ContainsFunc(moves, later): // all is well with it by now
		case m.End.IsZero() && s.at.Sub(m.Begin) > recently:
			out = append(out, problem{mild, m.VM, fmt.Sprintf("its move to %s was begun %s and has no end", m.To, ago(s.at.Sub(m.Begin))), "lbm history " + m.VM})
		case !m.End.IsZero() && m.Outcome != balance.OutcomeMoved && s.at.Sub(m.End) < recently:
			out = append(out, problem{mild, m.VM, fmt.Sprintf("its move to %s %s ended as %s", m.To, ago(s.at.Sub(m.End)), m.Outcome), "lbm history " + m.VM})
		}
	}
	return out
}

// ofPasses: a balancer that is meant to decide each minute, and does not.
func (s *scene) ofPasses(last time.Time) []problem {
	if s.file == nil || len(s.file.Balance) == 0 {
		return nil
	}
	const next = "clustat: is the service of lbvm started? lbmonitor --dry-run tells what it complains of"
	switch age := s.at.Sub(last); {
	case last.IsZero():
		return []problem{{mild, "cluster", "the balancer has not decided yet", next}}
	case age > 5*s.file.Interval:
		return []problem{{mild, "cluster", "the balancer decided last " + ago(age), next}}
	}
	return nil
}

func (w world) writeGlance(s *scene, g glance) error {
	if len(g.Problems) > 0 {
		var cells [][]string
		for _, p := range g.Problems {
			cells = append(cells, []string{p.Severity, p.About, p.Text, p.Next})
		}
		if err := term.Table(w.stdout, []string{"PROBLEM", "OF", "WHAT", "WHAT TO DO"}, cells); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout)
	}
	quorum, online := "with quorum", 0
	if !g.Quorate {
		quorum = "WITHOUT QUORUM"
	}
	for _, n := range g.Nodes {
		if n.Online && n.Manager {
			online++
		}
	}
	total := 0
	var states []string
	for i := cluster.Unknown; i <= cluster.Migrating; i++ {
		if n := g.States[i.String()]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, i))
			total += n
		}
	}
	fmt.Fprintf(w.stdout, "cluster %s %s: %d of %d nodes up, %s", g.Cluster, quorum, online, len(g.Nodes), vms(total))
	if total > 0 {
		fmt.Fprintf(w.stdout, " (%s%s)", strings.Join(states, ", "), s.lost())
	}
	fmt.Fprintln(w.stdout)
	for _, m := range g.Flying {
		if m.From == m.To {
			fmt.Fprintf(w.stdout, "restarting %s on %s since %s, by %s\n", m.VM, m.From, ago(s.at.Sub(m.Begin)), m.By)
			continue
		}
		fmt.Fprintf(w.stdout, "moving %s from %s to %s since %s, by %s\n", m.VM, m.From, m.To, ago(s.at.Sub(m.Begin)), m.By)
	}
	if g.LastPass != nil {
		fmt.Fprintf(w.stdout, "the balancer decided %s\n", ago(s.at.Sub(*g.LastPass)))
	}
	fmt.Fprintln(w.stdout)
	return w.memberTable(s, g.Nodes)
}
