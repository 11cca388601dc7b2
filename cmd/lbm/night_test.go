package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// The manual, the help of confirm-down and what the commands advise are one text: protocol.Freeing.
func TestTheManualSaysWhatFreesAVM(t *testing.T) {
	const page = "../../docs/moving.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, x := range []struct {
		head string
		left bool
	}{{"NODE was lost: a fencing is owed, for which the cluster manager waits too, whatever the record says:\n", false}, {"NODE has left the cluster in order:\n", true}} {
		part := regexp.MustCompile(regexp.QuoteMeta(x.head) + "((?:  .*\n)*)").FindStringSubmatchIndex(text)
		if part == nil {
			t.Fatalf("%s does not say %q", page, x.head)
		}
		want := indented(protocol.Freeing("VM", "NODE", x.left))
		if got := text[part[2]:part[3]]; got != want && os.Getenv("UPDATE") == "" {
			t.Errorf("%s says\n%s\nwant (UPDATE=1 writes it)\n%s", page, got, want)
		}
		text = text[:part[2]] + want + text[part[3]:]
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var help bytes.Buffer
	w := world{stdout: &help}
	w.main(context.Background(), []string{"lbm", "confirm-down", "--help"})
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for _, left := range []bool{true, false} {
		if !strings.Contains(plain(help.String()), plain(indented(protocol.Freeing("VM", "NODE", left)))) {
			t.Errorf("the help says\n%s", help.String())
		}
	}
}

// What ends a request whose VM is on a node that is away tells what is known, what is not, and what to do, in that order.
func TestWhatBecameOfItIsNotKnown(t *testing.T) {
	away := func(change func(*move.Away)) *move.Away {
		a := &move.Away{Type: "openvz", VM: "101", Node: "node2", Service: "service:centos", Found: "service:centos is stopping on node2, and the record says suspending node2", Held: true, Named: true}
		change(a)
		return a
	}
	for _, test := range []struct {
		name   string
		err    error
		code   int
		says   []string // in this order
		silent []string
	}{
		{"the source died", fmt.Errorf("%w: %w", move.ErrUnverified, away(func(*move.Away) {})), exitUnknown,
			[]string{"node2, which had it, is no member", "known:", "service:centos is stopping on node2", "not known:", "fence_node node2", "fence_ack_manual node2", "lbm confirm-down 101 node2", "lbm handoff 101"},
			[]string{"unknown: check", "deadline", "given service:centos up", "-U"}},
		{"nobody can tell", fmt.Errorf("%w: %w", move.ErrUnverified, away(func(a *move.Away) { a.Doubt = errors.New("fence_tool: no answer") })), exitUnknown,
			[]string{"not known:", "the VM with it: fence_tool: no answer."}, []string{"nothing proves"}},
		{"refused", fmt.Errorf("%w: nothing was changed: %w", move.ErrRefused, away(func(a *move.Away) { a.Doubt = errors.New("fence_tool: no answer") })), exitRefused,
			[]string{"refused: nothing was changed", "fence_tool: no answer", "fence_node node2"}, []string{"lblog", "unknown: check"}},
		{"confirmed already", fmt.Errorf("%w: %w", move.ErrRefused, away(func(a *move.Away) { a.Named = false })), exitRefused,
			[]string{"fence_node node2", "fence_ack_manual node2"}, []string{"confirm-down"}},
		{"left in order", fmt.Errorf("%w: %w", move.ErrRefused, away(func(a *move.Away) { a.Left, a.Held = true, false })), exitRefused,
			[]string{"boot node2", "lbm confirm-down 101 node2", "given service:centos up", "lbm repair 101"}, []string{"fence_node", "-U"}},
		{"left in order, frozen", fmt.Errorf("%w: %w", move.ErrRefused, away(func(a *move.Away) { a.Left, a.Frozen = true, true })), exitRefused,
			[]string{"lbm confirm-down 101 node2", "is frozen", "clusvcadm -U service:centos; clusvcadm -d service:centos; lbm repair 101"}, []string{"fence_node"}},
		{"frozen and confirmed", fmt.Errorf("%w: %w", move.ErrRefused, away(func(a *move.Away) { a.Named, a.Frozen = false, true })), exitRefused,
			[]string{"clusvcadm -U service:centos; clusvcadm -d service:centos; lbm repair 101"}, []string{"fence_node", "confirm-down"}},
	} {
		err := ended(test.err)
		var exit cli.ExitCoder
		if !errors.As(err, &exit) || exit.ExitCode() != test.code {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		rest := err.Error()
		for _, s := range test.says {
			_, after, ok := strings.Cut(rest, s)
			if !ok {
				t.Errorf("%s: %q is missing, or not at its place, in\n%s", test.name, s, err)
				break
			}
			rest = after
		}
		for _, s := range test.silent {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%s: it says %q:\n%s", test.name, s, err)
			}
		}
	}
}

// What the cluster manager waits for is said before and after a person has confirmed.
func TestTheManagerWaitsToo(t *testing.T) {
	svc := cluster.Service{ID: "service:centos", VM: "101", VMType: "openvz", Owner: "node2", State: cluster.Started}
	waits := func(change func(*held)) string {
		h := held{svc: svc, found: true}
		change(&h)
		return h.waits("node2", false)
	}
	if got := waits(func(*held) {}); !strings.Contains(got, "waits until node2 is fenced") || !strings.Contains(got, "fence_ack_manual node2") || strings.Contains(got, "confirm-down") {
		t.Error(got)
	}
	if got := waits(func(h *held) { h.svc.Frozen = true }); strings.Contains(got, "fence") || !strings.Contains(got, "clusvcadm -U service:centos") {
		t.Error(got)
	}
	for name, change := range map[string]func(*held){
		"stopped":  func(h *held) { h.svc.State = cluster.Stopped },
		"failed":   func(h *held) { h.svc.State = cluster.Failed },
		"another":  func(h *held) { h.svc.Owner = "node1" },
		"no one":   func(h *held) { h.svc.Owner = "" },
		"unknown":  func(h *held) { h.err = errors.New("no answer") },
		"no group": func(h *held) { h.found = false },
	} {
		if got := waits(change); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What is waited for is told to a person at a terminal, now and then, and to nobody else.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	fake := clock.NewFake(time.Unix(1290000000, 0))
	w := world{stderr: &out, clock: fake, wait: fake}
	if w.progress() != nil {
		t.Error("told to a pipe")
	}
	w.terminal = true
	tell := w.progress()
	for i := 0; i < 100; i++ { // 20 s
		tell("the fencing of node2")
		fake.Advance(200 * time.Millisecond)
	}
	tell("the cluster manager")
	if got := out.String(); got != "    2s  waiting for the fencing of node2\n   17s  waiting for the fencing of node2\n   20s  waiting for the cluster manager\n" {
		t.Errorf("%s", got)
	}
}

// In a lab the seconds are the lab's, and how often it is told is not.
func TestProgressInALab(t *testing.T) {
	var out bytes.Buffer
	lab, real := clock.NewFake(time.Unix(1195668541, 0)), clock.NewFake(time.Unix(1290000000, 0))
	tell := world{stderr: &out, clock: lab, wait: real, terminal: true}.progress()
	for i := 0; i < 20; i++ {
		lab.Advance(time.Minute)
		real.Advance(time.Second)
		tell("the fencing of node2")
	}
	if got := out.String(); got != "  2m0s  waiting for the fencing of node2\n  17m0s  waiting for the fencing of node2\n" {
		t.Errorf("%s", got)
	}
}

// A request is told about only where a person sits.
func TestGroundTells(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		b := ready(t, nil)
		b.terminal = terminal
		g, err := b.ground(context.Background(), "xen:centos1")
		if err != nil || (g.mover.Waiting != nil) != terminal {
			t.Errorf("terminal %v: %v, %v", terminal, g.mover.Waiting != nil, err)
		}
	}
}

// A restart is no cold move that has lost its memory.
func TestRestartInHistory(t *testing.T) {
	b := ready(t, nil)
	at := time.Unix(1290000000, 0)
	j := balance.OpenJournal(b.root + "/gfs/lbvm/log/migrate.log")
	for i, m := range []balance.Move{
		{Txn: "a", VM: "xen:centos1", From: "xen1", To: "xen1", Kind: "cold", By: "lbm", Why: "restart asked for", Begin: at},
		{Txn: "b", VM: "xen:centos2", From: "xen1", To: "xen2", Kind: "cold", By: "lbm", Why: "asked for", Begin: at},
		{Txn: "c", VM: "openvz:101", From: "xen1", To: "xen1", Kind: "cold", By: "lbm", Why: "restart asked for", Begin: at},
	} {
		if err := j.Append(m); err != nil {
			t.Fatal(err)
		}
		m.End, m.Outcome, m.Memory = at.Add(time.Minute), balance.OutcomeMoved, balance.MemoryLost
		if i == 2 {
			m.Outcome, m.Memory, m.Why = balance.OutcomeFailed, balance.MemoryKept, "it was not restarted"
		}
		if err := j.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	if code := b.lbm("history"); code != 0 {
		t.Fatal(b.errors.String())
	}
	plain := regexp.MustCompile(" +").ReplaceAllString(b.out.String(), " ")
	for _, want := range []string{"xen:centos1 restart xen1 xen1 restarted - 1m0s lbm restart asked for\n", "xen:centos2 move cold xen1 xen2 moved lost 1m0s lbm asked for\n", "openvz:101 restart xen1 xen1 failed kept 1m0s lbm it was not restarted\n"} {
		if !strings.Contains(plain, want) {
			t.Errorf("%q is not in\n%s", want, plain)
		}
	}
	var out bytes.Buffer
	w := world{stdout: &out}
	if err := w.tellMove(balance.Move{VM: "xen:centos1", From: "xen1", To: "xen1", Kind: "cold", Begin: at, End: at.Add(time.Minute), Outcome: balance.OutcomeMoved, Memory: balance.MemoryLost}, nil, true, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind": "restart"`, `"outcome": "restarted"`, `"memory": null`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in\n%s", want, out.String())
		}
	}
}

// In a lab the black box speaks in the time of the journals.
func TestBlackboxInALab(t *testing.T) {
	b := boxBench(t)
	b.clock = clock.Scaled{Start: time.Unix(1290000000, 0), Epoch: time.Unix(1195668541, 0), Scale: 60}
	all, err := ocf.ReadBox(ocf.BoxFile(b.root))
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	want := time.Unix(1195668541, 0).Add(60 * all[0].At.Sub(time.Unix(1290000000, 0))).Local().Format("2006-01-02 15:04:05")
	if code := b.lbm("blackbox", "--all"); code != 0 || !strings.Contains(b.out.String(), want) || !strings.Contains(b.errors.String(), "TIME is the lab's") {
		t.Errorf("%d, %s is not in\n%s%s", code, want, b.out.String(), b.errors.String())
	}
}

// A cluster that is not set up yet says so in words, and only where it matters.
func TestNoConfigurationYet(t *testing.T) {
	b := ready(t, map[string]string{"xen3": "offline"})
	if err := os.Remove(b.root + "/gfs/lbvm.conf"); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("list"); code != 0 || !strings.Contains(b.errors.String(), "there is no /etc/cluster/lbvm.conf yet") || strings.Contains(b.errors.String(), "no such file") {
		t.Errorf("%d %s", code, b.errors.String())
	}
	if !strings.Contains(b.out.String(), "xen3.01100011.com, away  started") || strings.Count(b.out.String(), "away") != 1 {
		t.Errorf("a node that is away is shown so:\n%s", b.out.String())
	}
	if code := b.lbm("migrate", "centos2", "xen1.01100011.com"); code != exitRefused || strings.Contains(b.errors.String(), "lbvm.conf") || !strings.Contains(b.errors.String(), "lblog has not run") {
		t.Errorf("%d %s", code, b.errors.String())
	}
}
