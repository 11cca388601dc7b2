package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/setup"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// States of a step.
const (
	growDone   = "done"
	growTodo   = "to do"
	growByHand = "by hand"
	growWaits  = "waits"
)

// growStep is one thing that a new node needs.
type growStep struct {
	step, node, state, what string
	do                      func(context.Context) error // of what is to do
}

// growth is a node that joins, as far as it has come.
type growth struct {
	w      world
	c      *cli.Context
	name   string
	node   ccs.NewNode
	doc    *ccs.Document
	id     host.Identity
	shared string // "" none, or not seen
	steps  []growStep

	part    setup.Part // what the new node says
	partErr error
	online  bool // it is a member of the cluster, whether or not its manager runs
	mine    setup.Part
	silent  []string // nodes of which it was said that they do not tell their iSCSI name
}

func (w world) addNode(c *cli.Context, name string) error {
	if cluster.Kind(w.host, "") == cluster.NamePacemaker {
		return refused(errors.New("this cluster is Pacemaker's: pcs cluster node add; then lbm init --join there"))
	}
	n, err := newNode(c, name)
	if err != nil {
		return err
	}
	g := &growth{w: w, c: c, name: name, node: n}
	if err := g.look(c.Context); err != nil {
		return refused(err)
	}
	if err := g.show(); err != nil {
		return err
	}
	todo := slices.ContainsFunc(g.steps, func(s growStep) bool { return s.state == growTodo })
	switch {
	case c.Bool("dry-run"):
		return g.preview()
	case !todo:
		return g.left()
	case !c.Bool("yes"):
		if err := w.confirm(c.Context, "What is to do would be done now.", name); err != nil {
			return err
		}
	}
	changed := []string{}
	for _, s := range g.steps {
		if s.state != growTodo {
			continue
		}
		if err := c.Context.Err(); err != nil {
			return cli.Exit(g.soFar("interrupted", changed), exitInterrupted)
		}
		fmt.Fprintf(w.stdout, "%s on %s ...\n", s.step, s.node)
		if err := s.do(c.Context); err != nil {
			code := exitFailed
			var exit cli.ExitCoder
			if errors.As(err, &exit) {
				if code = exit.ExitCode(); code == exitUnknown { // published, and not every member has told so
					fmt.Fprintln(w.stderr, "lbm: warning:", err)
					changed = append(changed, s.step)
					continue
				}
			}
			if len(changed) == 0 && code == exitRefused {
				return err
			}
			return cli.Exit(g.soFar(err.Error(), changed), exitFailed)
		}
		changed = append(changed, s.step)
	}
	// What came of it may have made room for more.
	if err := g.look(c.Context); err != nil {
		return err
	}
	return g.left()
}

func (g *growth) soFar(why string, changed []string) string {
	if len(changed) == 0 {
		return why + "; nothing was changed"
	}
	return fmt.Sprintf("%s; changed so far: %s. Mend the cause and run it again: it goes on there", why, strings.Join(changed, ", "))
}

// look asks each step whether it is done.
func (g *growth) look(ctx context.Context) error {
	w := g.w
	doc, err := ccs.Load(w.host.Path(host.ClusterXML))
	if err != nil {
		return err
	}
	g.doc, g.steps = doc, nil
	if g.id, g.shared, err = w.place(ctx); err != nil && !errors.Is(err, host.ErrNoIdentity) {
		return err
	}
	if strings.EqualFold(g.name, g.id.Member) {
		return fmt.Errorf("%s is this node", g.name)
	}
	if g.mine, err = setup.Look(w.host, ""); err != nil {
		return err
	}
	limited, cancel := w.wait.WithTimeout(ctx, statusLimit)
	st, err := w.manager().Status(limited)
	cancel()
	if err != nil && !errors.Is(err, cluster.ErrNoStates) {
		return err
	}
	if !st.Quorate {
		return errors.New("the cluster has no quorum")
	}
	nodes := doc.Nodes()
	known := slices.ContainsFunc(nodes, func(n ccs.Node) bool { return strings.EqualFold(n.Name, g.name) })
	count := len(nodes)
	if !known {
		count++
	}
	if err := g.journals(ctx, count); err != nil {
		return err
	}
	if err := g.clusterConf(ctx, known); err != nil {
		return err
	}
	g.ask(ctx)
	i := slices.IndexFunc(st.Members, func(m cluster.Member) bool { return strings.EqualFold(m.Name, g.name) && m.Online })
	g.online = i >= 0
	g.onNode(g.online && st.Members[i].Manager)
	return nil
}

func (g *growth) add(s growStep) { g.steps = append(g.steps, s) }

func (g *growth) here() string {
	if g.id.Member != "" {
		return g.id.Member
	}
	return "this node"
}

// journals: a node that finds none of its own left cannot mount.
func (g *growth) journals(ctx context.Context, nodes int) error {
	all, err := setup.CountJournals(ctx, g.w.host, g.w.run)
	if err != nil {
		return err
	}
	for _, j := range all {
		s := growStep{step: "journals of " + j.Mount, node: g.here()}
		switch {
		case j.Err != nil:
			s.state, s.what = growByHand, fmt.Sprintf("%v; it needs %d: %s", j.Err, nodes, strings.Join(j.AddCommand(1), " "))
		case j.Have >= nodes:
			s.state, s.what = growDone, fmt.Sprintf("%d for %d nodes", j.Have, nodes)
		default:
			s.state, s.what = growTodo, fmt.Sprintf("%s (it has %d, and there will be %d nodes)", strings.Join(j.AddCommand(nodes-j.Have), " "), j.Have, nodes)
			s.do = func(ctx context.Context) error {
				fmt.Fprintln(g.w.stdout, "  this writes into the mounted file system of all nodes: it is waited for to its end, also after a Ctrl-C; a second one ends lbm alone")
				return j.Add(ctx, g.w.host, g.w.run, nodes)
			}
		}
		g.add(s)
	}
	return nil
}

// clusterConf: the running cluster knows the node before the node comes.
func (g *growth) clusterConf(ctx context.Context, known bool) error {
	s := growStep{step: "cluster.conf", node: g.here(), state: growTodo, what: "lbm ccs addnode " + g.name + " --update"}
	if g.c.String("fence") != "" {
		s.what = "lbm ccs addnode " + g.name + " --fence " + g.c.String("fence") + " --update"
	}
	s.do = func(context.Context) error { return g.edit() }
	if !known {
		if _, _, err := g.doc.AddNode(g.node); err != nil { // before anything else is done for it
			return err
		}
		g.add(s)
		return nil
	}
	version, err := g.doc.Version()
	if err != nil {
		return err
	}
	limited, cancel := g.w.wait.WithTimeout(ctx, statusLimit)
	running, err := cluster.NewPublisher(g.w.host, g.w.run).Running(limited)
	cancel()
	if err != nil {
		return err
	}
	s.what = "lbm ccs update"
	s.do = func(context.Context) error { return g.w.update(g.c, !g.c.Bool("no-wait")) }
	if running >= version {
		s.state, s.what, s.do = growDone, fmt.Sprintf("it names %s, and the cluster runs with version %d", g.name, running), nil
	}
	g.add(s)
	return nil
}

// edit adds the node to cluster.conf and publishes that: one version.
func (g *growth) edit() error {
	return g.w.edit(g.c, func(d *ccs.Document) (x edition, err error) {
		x.edits, x.told, err = d.AddNode(g.node)
		return x, err
	})
}

// preview shows what the edit would do.
func (g *growth) preview() error {
	if slices.ContainsFunc(g.steps, func(s growStep) bool { return s.step == "cluster.conf" && s.state == growTodo }) {
		fmt.Fprintln(g.w.stdout)
		if slices.ContainsFunc(g.doc.Nodes(), func(n ccs.Node) bool { return strings.EqualFold(n.Name, g.name) }) {
			return g.w.update(g.c, false)
		}
		return g.edit()
	}
	return nil
}

// ask hears what the new node has.
func (g *growth) ask(ctx context.Context) {
	args := []string{"node", "prepare", "--probe"}
	if g.id.Shared != "" {
		args = append(args, "--shared", g.id.Shared)
	}
	r, err := g.w.peer(ctx, g.name, args...)
	switch {
	case err != nil:
	case r.Code == noCommand:
		err = errors.New("lbm is not installed there")
	case r.Code != 0:
		err = fmt.Errorf("lbm there ends with %d: %s", r.Code, strings.Join(strings.Fields(string(r.Stderr)), " "))
	default:
		g.part, err = partOf(r.Stdout)
	}
	g.partErr = err
}

// noCommand is the exit code of a shell that does not find a program.
const noCommand = 127

// there runs lbm on the new node. input is its standard input.
func (g *growth) there(input []byte, args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := g.w.peerWith(ctx, g.name, input, args...)
		if err == nil && r.Code != 0 {
			err = fmt.Errorf("lbm %s on %s ends with %d: %s", strings.Join(args, " "), g.name, r.Code, strings.Join(strings.Fields(string(r.Stderr)+" "+string(r.Stdout)), " "))
		}
		if err == nil {
			fmt.Fprintf(g.w.stdout, "  %s says: %s\n", g.name, strings.Join(strings.Fields(string(r.Stdout)), " "))
		}
		return err
	}
}

// onNode are the steps of the new node itself.
func (g *growth) onNode(member bool) {
	if g.partErr != nil {
		g.byHand(member)
		return
	}
	p := g.part
	step := func(name string, done bool, what string, do func(context.Context) error) {
		s := growStep{step: name, node: g.name, state: growTodo, what: what, do: do}
		if done {
			s.state, s.do = growDone, nil
		}
		g.add(s)
	}
	if p.ISCSI && g.mine.Initiator != "" {
		taken := g.initiators()
		args := []string{"node", "prepare", "--initiator"}
		for _, t := range taken {
			args = append(args, "--taken", t)
		}
		switch {
		case p.Initiator != "" && !slices.Contains(taken, p.Initiator):
			step("iSCSI name", true, p.Initiator, nil)
		case g.online:
			g.add(growStep{step: "iSCSI name", node: g.name, state: growByHand, what: g.renaming(fmt.Sprintf("it has %q", p.Initiator))})
		default:
			step("iSCSI name", false, fmt.Sprintf("a new one by iscsi-iname (it has %q)", p.Initiator), g.there(nil, args...))
		}
	}
	var lacks []string
	for _, m := range g.mine.Modules {
		if !slices.Contains(p.Modules, m) {
			lacks = append(lacks, m)
		}
	}
	args := []string{"node", "prepare"}
	for _, m := range lacks {
		args = append(args, "--module", m)
	}
	if len(g.mine.Modules) > 0 {
		what := "modprobe " + strings.Join(lacks, " ")
		if len(lacks) == 0 {
			what = strings.Join(p.Modules, " ")
		}
		// A member has what it needs: what is not a module there is built in.
		step("kernel modules", len(lacks) == 0 || member, what, g.there(nil, args...))
	}
	g.copyConf(step, member)
	g.services(member)
	switch {
	case g.id.UUID == "":
	case p.Joined && strings.EqualFold(p.Member, g.name):
		step("lbvm.id", true, "lbm init was run there", nil)
		g.links(step)
	case g.id.Shared == "":
		step("lbvm.id", false, "lbm init --no-shared --member "+g.name, g.there(nil, "init", "--no-shared", "--member", g.name))
	case p.Share:
		step("lbvm.id", false, "lbm init --join", g.there(nil, "init", "--shared", g.id.Shared, "--join", "--member", g.name))
		g.links(step)
	default:
		g.add(growStep{step: "lbvm.id", node: g.name, state: growWaits, what: g.id.Shared + " is not mounted there yet"})
		g.links(func(name string, done bool, what string, _ func(context.Context) error) {
			s := growStep{step: name, node: g.name, state: growWaits, what: what}
			if done {
				s.state = growDone
			}
			g.add(s)
		})
	}
}

// renaming is how a member gets another iSCSI name: a restart of iscsi takes the disks from under what runs there.
func (g *growth) renaming(has string) string {
	return fmt.Sprintf("another (%s), and it is a member: allow a new name (iscsi-iname) on the target; lbm evacuate %s; there stop rgmanager, the share and cman; "+
		"then echo InitiatorName=NAME > /etc/iscsi/initiatorname.iscsi; service iscsi restart", has, g.name)
}

// copyConf puts the text of this node, as it is then, in place there.
func (g *growth) copyConf(step func(string, bool, string, func(context.Context) error), member bool) {
	own := g.mine
	done := g.part.Cluster == own.Cluster && g.part.Digest == own.Digest
	what := "in place before cman starts there"
	named := slices.ContainsFunc(g.doc.Nodes(), func(n ccs.Node) bool { return strings.EqualFold(n.Name, g.name) })
	step("copy of cluster.conf", named && (done || member), what, func(ctx context.Context) error {
		text, err := os.ReadFile(g.w.host.Path(host.ClusterXML))
		if err != nil {
			return err
		}
		return g.there(text, "node", "prepare", "--cluster-conf", g.name)(ctx)
	})
}

// initiators are the iSCSI names of this node and of the others, as far as they can be asked.
func (g *growth) initiators() []string {
	out := []string{g.mine.Initiator}
	for _, n := range g.doc.Nodes() {
		if strings.EqualFold(n.Name, g.name) || strings.EqualFold(n.Name, g.id.Member) {
			continue
		}
		r, err := g.w.peer(g.c.Context, n.Name, "node", "prepare", "--probe")
		if err == nil && r.Code == 0 {
			if p, err := partOf(r.Stdout); err == nil && p.Initiator != "" {
				out = append(out, p.Initiator)
				continue
			}
		}
		if !slices.Contains(g.silent, n.Name) {
			g.silent = append(g.silent, n.Name)
			fmt.Fprintf(g.w.stderr, "lbm: warning: the iSCSI name of %s is not known; lbm doctor --all compares them\n", n.Name)
		}
	}
	return out
}

// services are started by a person: what starts them in which order is the distribution's.
func (g *growth) services(member bool) {
	s := growStep{step: "services", node: g.name, state: growByHand, what: strings.Join(g.starts(), "; ")}
	if member {
		s.state, s.what = growDone, "it is a member, and rgmanager runs"
	}
	g.add(s)
}

// starts are the commands by which a node of this kind comes up.
func (g *growth) starts() []string {
	var names []string
	has := func(program, service string) {
		if _, ok := g.w.host.Has(program); ok {
			names = append(names, service)
		}
	}
	has("iscsiadm", "iscsi")
	has("multipath", "multipathd")
	names = append(names, "cman")
	has("clvmd", "clvmd")
	if all, err := setup.CountJournals(g.c.Context, g.w.host, nothing{}); err == nil {
		for _, j := range all {
			if !slices.Contains(names, j.Kind) {
				names = append(names, j.Kind)
			}
		}
	}
	has("vzctl", "vz")
	has("xm", "xend")
	has("virsh", "libvirtd")
	names = append(names, "lbvm", "rgmanager")
	var out []string
	for _, n := range names {
		out = append(out, "service "+n+" start")
	}
	return append(out, "chkconfig each of them on")
}

// nothing runs nothing: only the mounts are wanted.
type nothing struct{}

func (nothing) Run(context.Context, run.Command) (run.Result, error) {
	return run.Result{}, run.ErrNotFound
}

// links of the VMs that were taken in.
func (g *growth) links(step func(string, bool, string, func(context.Context) error)) {
	if g.shared == "" {
		return
	}
	all, err := adopt.Adopter{Host: g.w.host, ID: g.id, Shared: g.shared}.Unlinked(g.name)
	if err != nil {
		g.add(growStep{step: "links", node: g.name, state: growByHand, what: err.Error()})
		return
	}
	for _, p := range all {
		step("links of "+p.Ref(), false, "lbm add --join "+p.Ref(), g.there(nil, "add", "--join", "--", p.Ref()))
	}
}

// byHand is what to type on a node that cannot be asked.
func (g *growth) byHand(member bool) {
	say := func(step, format string, args ...any) {
		g.add(growStep{step: step, node: g.name, state: growByHand, what: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains(g.silent, g.name) {
		g.silent = append(g.silent, g.name)
		fmt.Fprintf(g.w.stderr, "lbm: warning: %s cannot be asked (%v): what it needs is for you to do\n", g.name, g.partErr)
	}
	switch {
	case g.mine.Initiator == "":
	case g.online:
		say("iSCSI name", "if it is %s: %s", g.mine.Initiator, g.renaming("the same as "+g.here()))
	default:
		say("iSCSI name", "another than %s: echo InitiatorName=$(iscsi-iname) > /etc/iscsi/initiatorname.iscsi", g.mine.Initiator)
	}
	if len(g.mine.Modules) > 0 && !member {
		say("kernel modules", "modprobe -a %s", strings.Join(g.mine.Modules, " "))
	}
	if !member {
		say("copy of cluster.conf", "before cman starts there: scp %s:%s %s", g.here(), host.ClusterXML, host.ClusterXML)
	}
	g.services(member)
	switch {
	case g.id.UUID == "":
	case g.id.Shared == "":
		say("lbvm.id", "lbm init --no-shared --member %s", g.name)
	default:
		say("lbvm.id", "lbm init --shared %s --join --member %s", g.id.Shared, g.name)
		g.links(func(name string, done bool, what string, _ func(context.Context) error) { say(name, "%s", what) })
	}
}

func (g *growth) show() error {
	var rows [][]string
	for _, s := range g.steps {
		rows = append(rows, []string{s.step, s.node, s.state, s.what})
	}
	return term.Table(g.w.stdout, []string{"STEP", "ON", "STATE", "WHAT"}, rows)
}

// left tells what remains.
func (g *growth) left() error {
	var rest []growStep
	for _, s := range g.steps {
		if s.state != growDone {
			rest = append(rest, s)
		}
	}
	if len(rest) == 0 {
		fmt.Fprintf(g.w.stdout, "\n%s is a node of the cluster; nothing is left to do. lbm doctor --all looks it over\n", g.name)
		return nil
	}
	fmt.Fprintln(g.w.stdout, "\nleft to do:")
	for _, s := range rest {
		fmt.Fprintf(g.w.stdout, "  %s, %s: %s\n", s.node, s.step, s.what)
	}
	fmt.Fprintf(g.w.stdout, "then: lbm node add %s\n", g.name)
	return cli.Exit("", exitPartly)
}
