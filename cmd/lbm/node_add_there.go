package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// What the new node needs itself, as far as it can be asked, and what a person types where it cannot.

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
