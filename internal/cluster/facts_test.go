package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/run"
)

// What real clusters told of why something does not run.
func TestFacts(t *testing.T) {
	at := time.Date(2026, 11, 22, 4, 13, 45, 0, time.UTC)
	up := []NodeFacts{{"n1", ""}, {"n2", ""}, {"n3", ""}}
	for name, x := range map[string]struct {
		mon, service string
		edit         func(mon, cib string) (string, string)
		want         Facts
	}{
		"started":  {mon: "started", service: "primitive:win1", want: Facts{Nodes: up, Stickiness: 100}},
		"disabled": {mon: "started", service: "primitive:win2", want: Facts{Nodes: up, Stickiness: 100, Role: "Stopped"}},
		"restarting": {mon: "started", service: "primitive:win2", edit: func(mon, cib string) (string, string) {
			return mon, strings.Replace(cib, `value="Stopped"`, `value="stopped"`, 1)
		}, want: Facts{Nodes: up, Stickiness: 100, Role: "stopped", Restarting: true}},
		"unmanaged": {mon: "started", service: "primitive:win3", want: Facts{Nodes: up, Stickiness: 100, Unmanaged: true}},
		"a group":   {mon: "started", service: "group:web", want: Facts{Nodes: up, Stickiness: 200, Bans: []Ban{{"l2", "n3"}}}},
		"a stop failed": {mon: "stop-failed", service: "primitive:win4", want: Facts{Nodes: []NodeFacts{{"n1", ""}, {"n2", ""}, {"n3", "in standby"}}, Stickiness: 100,
			Failures: []FailedAction{{"win4", "n3", "stop", "error", "", at}}}},
		"of another": {mon: "stop-failed", service: "primitive:win1", want: Facts{Nodes: []NodeFacts{{"n1", ""}, {"n2", ""}, {"n3", "in standby"}}, Stickiness: 100}},
		"maintenance, its agent's word, and a fencing": {mon: "maintenance", service: "primitive:win1", edit: func(mon, cib string) (string, string) {
			mon = strings.Replace(mon, `maintenance-mode="false"`, `maintenance-mode="true"`, 1)
			return strings.Replace(mon, "<bans>", `<failures><failure op_key="win1_start_0" node="n2" exitstatus="error" exitreason="no share" exitcode="1" call="1" status="Timed Out" last-rc-change="2026-11-22 04:13:45Z" queued="0" exec="1" interval="0" task="start"/></failures>
			<fence_history><fence_event action="reboot" target="n3" client="x" origin="n1" status="pending"/><fence_event action="reboot" target="n2" client="x" origin="n1" status="success"/></fence_history><bans>`, 1), cib
		}, want: Facts{Nodes: []NodeFacts{{"n1", ""}, {"n2", "in maintenance"}, {"n3", ""}}, Stickiness: 100, Maintenance: true,
			Failures: []FailedAction{{"win1", "n2", "start", "Timed Out", "no share", at}}, Fencing: []FencingAction{{"n3", "pending"}}}},
		"a node is away":     {mon: "node-lost", service: "primitive:win1", want: Facts{Nodes: []NodeFacts{{"n1", ""}, {"n2", "offline"}, {"n3", ""}}, Stickiness: 100}},
		"two may be running": {mon: "inquorate", service: "primitive:win1", want: Facts{Nodes: []NodeFacts{{"n1", ""}, {"n2", "away, and not fenced yet"}, {"n3", "away, and not fenced yet"}}, Stickiness: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			mon, text := captured(t, "crm_mon-2.1.5-"+x.mon+".xml"), captured(t, "cibadmin-2.1.5-query.xml")
			if x.edit != nil {
				mon, text = x.edit(mon, text)
			}
			c, err := newCIB([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := facts([]byte(mon), c, x.service)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(x.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	// Before 2.0.3 crm_mon knows its XML by another option.
	w := newPacemaker(t, "started")
	w.answers["crm_mon"] = append([]run.Result{{Code: 64, Stderr: []byte("crm_mon: unrecognized option '--output-as=xml'")}}, w.answers["crm_mon"]...)
	if f, err := PacemakerFacts(context.Background(), w.h, w, "primitive:win1"); err != nil || len(f.Nodes) != 3 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := facts([]byte("<pacemaker-result><nodes>"), CIB{}, "primitive:x"); err == nil {
		t.Error("half an answer")
	}
}
