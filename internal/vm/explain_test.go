package vm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// explain asks for an explanation, checks that it changed nothing anywhere, and gives its text.
func (n *node) explain(action string, more ...string) string {
	n.w.t.Helper()
	n.calls, n.logs = nil, nil
	xml := metadata.OpenVZ()
	if n.w.typ == "xen" {
		xml = metadata.Xen()
	}
	var out bytes.Buffer
	before, truth, now := n.w.everything(), fmt.Sprintf("%+v", n.g), n.w.clock.now
	args := append([]string{"/usr/share/cluster/" + n.w.typ + ".sh", "--explain"}, strings.Fields(action)...)
	w := ocf.World{Args: args, Now: n.w.clock.Now, WithTimeout: n.w.clock.WithTimeout, Log: n, Stdout: &out,
		Env: append([]string{host.RootVariable + "=" + n.root, "OCF_RESKEY_name=101", "OCF_RESKEY_RGMANAGER_meta_timeout=300"}, more...)}
	if code := ocf.Run(w, xml, n.agent()); code != 0 {
		n.w.t.Errorf("explaining %s: exit %d", action, code)
	}
	if n.w.everything() != before {
		n.w.t.Errorf("explaining %s changed a byte:\n%s", action, out.String())
	}
	if fmt.Sprintf("%+v", n.g) != truth || len(n.calls) > 0 || n.w.clock.now != now || len(n.logs) > 0 {
		n.w.t.Errorf("explaining %s changed the guest, used %q, waited, or logged %q:\n%s", action, n.calls, n.logs, out.String())
	}
	n.w.ok()
	return out.String()
}

// commands are the commands that an explanation tells.
func commands(text string) []string {
	out := []string{}
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "would run: "); ok {
			out = append(out, rest)
		}
	}
	return out
}

// For each row of each table the explanation names it, says what it does, and changes no byte. Where the action
// succeeds, and no tool fails or the guest changes meanwhile, it tells the commands that the action then uses, and the
// record that it leaves.
func TestEveryRowIsExplained(t *testing.T) {
	for _, table := range []struct {
		action string
		cases  []rowCase
	}{{"stop", stopCases()}, {"start", startCases()}, {"migrate_from", arriveCases()}} {
		for _, c := range table.cases {
			t.Run(table.action+"/"+c.row+"/"+c.phase.String()+" "+c.name, func(t *testing.T) {
				w, n := c.world(t)
				action, env := table.action, []string{"OCF_RESKEY_on_stop=" + c.onStop()}
				if action == "migrate_from" {
					action = "--dialect pacemaker " + action
					env = append(env, "OCF_RESKEY_CRM_meta_migrate_source=node2")
				}
				text := n.explain(action, env...)
				if !strings.Contains(text, "\n  found: the guest is ") && !strings.Contains(text, "\n  found: the tool is not installed") {
					t.Errorf("it does not say what the guest is:\n%s", text)
				}
				_, rest, ok := strings.Cut(text, "\n  row ")
				name, rest, _ := strings.Cut(rest, " of the "+table.action+" table: ")
				if !ok || name != fmt.Sprintf("%q", c.row) || strings.TrimSpace(rest) == "" {
					t.Errorf("it names the row %s:\n%s", name, text)
				}
				// What happens to a tool or to the guest meanwhile nobody can tell beforehand.
				if len(n.fails) > 0 || w.clock.onSleep != nil {
					return
				}
				told := strings.Fields(strings.Trim(fmt.Sprint(commands(text)), "[]"))
				err := n.do(table.action, map[string]string{"on_stop": c.param})
				if got := fmt.Sprint(told); got != fmt.Sprint(n.calls) {
					t.Errorf("it tells %s, and what is used is %q:\n%s", got, n.calls, text)
				}
				if (err == nil) != strings.Contains(text, "(exit 0)\n") || err != nil && !strings.Contains(text, "(exit 1)") && !strings.Contains(text, "(exit 5)") {
					t.Errorf("the action answers %v, and it tells\n%s", err, text)
				}
				last := ""
				for _, line := range strings.Split(text, "\n") {
					if rest, ok := strings.CutPrefix(line, "  record: "); ok {
						_, last, _ = strings.Cut(rest, " -> ")
						last, _, _ = strings.Cut(last, " (")
					}
				}
				if st := w.state(); last != "" && last != placeText(st) || last == "" && st.Phase != c.phase {
					t.Errorf("the record is %s, and it tells %q:\n%s", placeText(st), last, text)
				}
			})
		}
	}
}

// What is no row is explained as well, and changes nothing either.
func TestExplainBesideTheTables(t *testing.T) {
	for _, c := range []struct {
		name, typ, action string
		setup             func(w *world)
		want              []string
		commands          string
	}{
		{"a bystander's stop", "openvz", "stop", func(w *world) { w.put(handoff.Running, "node2", "") },
			[]string{"its record says running node2", "node2 is a member", "not even the lock", "(exit 0)"}, "[]"},
		{"a start while the other node is away", "openvz", "start", func(w *world) { w.put(handoff.Running, "node2", ""); w.nodes["node2"].online = false },
			[]string{"node2 is away and not proved gone", "(exit 1)"}, "[]"},
		{"a start after the other node was fenced", "openvz", "start", func(w *world) { w.put(handoff.Running, "node2", ""); w.nodes["node2"].dies() },
			[]string{"node2 is proved gone", "record: starting node1 -> running node1", "(exit 0)"}, "[start]"},
		{"a start where the members are not known", "openvz", "start", func(w *world) { w.put(handoff.Running, "node2", ""); w.lostKernel = true },
			[]string{"found: nobody knows whether node2 is gone", "found: the cluster's members are not known", "(exit 1)"}, "[]"},
		{"a bystander's stop that finds something left", "openvz", "stop", func(w *world) { w.put(handoff.Running, "node2", ""); isIn(hypervisor.Remains)(w.nodes["node1"]) },
			[]string{"has left something behind", "removing what is left", "not even the lock", "(exit 0)"}, "[destroy]"},
		{"a stop while it is still coming in", "xen", "stop", func(w *world) { w.put(handoff.Sending, "node2", "node1"); isIn(hypervisor.Torso)(w.nodes["node1"]) },
			[]string{"its memory is not complete", "it waits up to 3m20s for guest or record to change, without the lock", "left alone", "(exit 1)"}, "[]"},
		{"migrate_from without its guest", "xen", "--dialect pacemaker migrate_from", func(w *world) { w.put(handoff.Sent, "node2", "node1") },
			[]string{"it waits up to 6m40s", "has not arrived", "(exit 1)"}, "[]"},
		{"a stop without the share", "openvz", "stop", func(w *world) { isRunning(w.nodes["node1"]); unmount(w) },
			[]string{"nothing can be written down", "is it mounted?", "(exit 0)"}, "[shutdown]"},
		{"a start without the share", "openvz", "start", unmount, []string{"not starting 101", "(exit 1)"}, "[]"},
		{"an image with a changed disk", "openvz", "start", func(w *world) { w.put(handoff.Suspended, "node2", ""); w.nodes["node2"].byHand() },
			[]string{"image " + txn + " is published", "it claims the image", "it logs, and writes into the journal (critical): memory lost", "(exit 0)"}, "[start]"},
		{"a record that is damaged", "openvz", "start", func(w *world) { w.put(handoff.Running, "node2", ""); damage(w) }, []string{"reading", "(exit 1)"}, "[]"},
		{"status, absent", "openvz", "status", nil, []string{"(exit 7)"}, "[]"},
		{"status, its own", "openvz", "status", func(w *world) { w.must(w.nodes["node1"].do("start")) }, []string{"has made it its own", "(exit 0)"}, "[]"},
		{"status that adopts", "xen", "status", func(w *world) { w.put(handoff.Sent, "node2", "node1"); isRunning(w.nodes["node1"]) },
			[]string{"the record is looked at", "record: sent node1 -> running node1", "(exit 0)"}, "[]"},
		{"status, another has it", "openvz", "status", func(w *world) { w.put(handoff.Running, "node2", ""); isRunning(w.nodes["node1"]) },
			[]string{"double run", "(exit 1)"}, "[]"},
		{"a probe", "xen", "--dialect pacemaker monitor", nil, []string{"monitor of xen:101, as pacemaker calls it", "(exit 7)"}, "[]"},
		{"migrate", "xen", "migrate node2", func(w *world) { w.must(w.nodes["node1"].do("start")) },
			[]string{"record: running node1 -> sending node1 to node2", "record: sending node1 to node2 -> sent node2", "(exit 0)"}, "[migrate]"},
		{"migrate, refused", "xen", "migrate node2", nil, []string{"nothing was changed", "(exit 150)"}, "[]"},
		{"migrate_to, refused", "xen", "--dialect pacemaker migrate_to", nil, []string{"nothing was changed", "(exit 1)"}, "[]"},
		{"a live ticket", "xen", "stop", func(w *world) {
			w.must(w.nodes["node1"].do("start"))
			w.ticket(handoff.Live, w.nodes["node1"], w.nodes["node2"])
		}, []string{"a ticket of test asks for live to node2", "it uses the ticket up", "-> sent node2", "(exit 0)"}, "[migrate]"},
		{"a void ticket", "xen", "stop", func(w *world) {
			w.must(w.nodes["node1"].do("start"))
			w.must(w.ticket(handoff.Live, w.nodes["node1"], w.nodes["node2"]).Withdraw())
		}, []string{"there is no ticket", "(exit 0)"}, "[save]"},
		{"validate", "xen", "validate-all", nil, []string{"(exit 0)"}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.typ, "node1", "node2")
			if c.setup != nil {
				c.setup(w)
			}
			text := w.nodes["node1"].explain(c.action, "OCF_RESKEY_CRM_meta_migrate_target=node2", "OCF_RESKEY_CRM_meta_migrate_source=node2")
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			if got := fmt.Sprint(commands(text)); got != c.commands {
				t.Errorf("it tells %s, want %s:\n%s", got, c.commands, text)
			}
		})
	}
}
