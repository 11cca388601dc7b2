package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lbvm/lbvm/internal/run"
)

// A restart stops a service by a target-role of its own, and starts it where it was. Who disables it meanwhile has the last word,
// also where the restart is cut off.
func TestPacemakerRestart(t *testing.T) {
	started := captured(t, "crm_mon-2.1.5-started.xml")
	stopped := strings.Replace(started, `managed="true" failed="false" failure_ignored="false" nodes_running_on="1">
      <node name="n1" id="1" cached="true"/>
    </resource>`, `managed="true" failed="false" failure_ignored="false" nodes_running_on="0"/>`, 1)
	stopped = strings.Replace(stopped, `<resource id="win1" resource_agent="ocf:lbvm:kvm" role="Started"`, `<resource id="win1" resource_agent="ocf:lbvm:kvm" role="Stopped"`, 1)
	if _, after, _ := strings.Cut(stopped, `<resource id="win1"`); stopped == started || !strings.HasPrefix(after, ` resource_agent="ocf:lbvm:kvm" role="Stopped"`) {
		t.Fatal("the text does not fit")
	}
	const stop, start = "win1-meta stopped", "win1-meta-target-role=Started"
	disabled := func(p *patched) { p.edit(`name="target-role" value="stopped"`, `name="target-role" value="Stopped"`) }
	for name, x := range map[string]struct {
		mon    []string
		before func(p *patched)      // the restart
		slept  func(p *patched) bool // at the first wait; true ends the restart
		want   error
		calls  []string
		role   string
	}{
		"done": {mon: []string{started, started, started, started, stopped, stopped, stopped, started},
			calls: []string{stop, "prefer win1 on n1", start, "forget cli-prefer-win1"}, role: "Started"},
		"cut off": {mon: []string{started, started, started}, slept: func(*patched) bool { return true },
			want: context.Canceled, calls: []string{stop, start}, role: "Started"},
		"cut off, and somebody has disabled it": {mon: []string{started}, slept: func(p *patched) bool { disabled(p); return true },
			want: context.Canceled, calls: []string{stop}, role: "Stopped"},
		"somebody disables it": {mon: []string{started, started, started, stopped}, slept: func(p *patched) bool { disabled(p); return false },
			want: errRole, calls: []string{stop, "prefer win1 on n1", "forget cli-prefer-win1"}, role: "Stopped"},
		"the stop fails": {mon: []string{started, started, strings.Replace(started, `<resource id="win1" resource_agent="ocf:lbvm:kvm" role="Started" active="true" orphaned="false" blocked="false"`, `<resource id="win1" resource_agent="ocf:lbvm:kvm" role="Started" active="true" orphaned="false" blocked="true"`, 1)},
			want: ErrAborted, calls: []string{stop, start}, role: "Started"},
		"an administrator has sent it where it is": {mon: []string{started, started, stopped, started},
			before: func(p *patched) {
				p.edit("</constraints>", `<rsc_location id="cli-prefer-win1" rsc="win1" node="n1" score="INFINITY"/></constraints>`)
			}, calls: []string{stop, start}, role: "Started"},
		"it is disabled": {mon: []string{started}, before: func(p *patched) {
			p.edit(`<meta_attributes id="win1-meta">`, `<meta_attributes id="win1-meta"><nvpair id="x" name="target-role" value="Stopped"/>`)
		}, want: errRole, role: "Stopped"},
		"it is stopped": {mon: []string{stopped}, want: ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPacemaker(t, "started")
			w.answers["crm_mon"] = nil
			for _, text := range x.mon {
				w.answers["crm_mon"] = append(w.answers["crm_mon"], run.Result{Stdout: []byte(text)})
			}
			if x.before != nil {
				x.before(w.cib)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := w.pacemaker(func(n int) {
				if n == 1 && x.slept != nil && x.slept(w.cib) {
					cancel()
				}
			}).Restart(ctx, "primitive:win1")
			if (err == nil) != (x.want == nil) || x.want != nil && !errors.Is(err, x.want) {
				t.Errorf("%v", err)
			}
			if diff := cmp.Diff(x.calls, w.requests()); diff != "" {
				t.Error(diff)
			}
			if x.role != "" && strings.Count(w.cib.text, `name="target-role" value="`+x.role+`"`) == 0 || strings.Contains(w.cib.text, `value="stopped"`) || strings.Contains(w.cib.text, "cli-prefer-lifetime") {
				text, _, _ := strings.Cut(w.cib.text, "<status>")
				t.Error(text)
			}
		})
	}
	w := newPacemaker(t, "started")
	if err := w.pacemaker(nil).Restart(context.Background(), "primitive:nosuch"); !errors.Is(err, ErrNoService) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("%v", err)
	}
}

// A service that is stopped for a restart is known by that: who finds that the restart's mover has died starts it again.
func TestRestartingIsTold(t *testing.T) {
	for role, want := range map[string]bool{restarting: true, "Stopped": false, "Started": false} {
		w := newPacemaker(t, "started")
		w.cib.edit(`<meta_attributes id="win1-meta">`, `<meta_attributes id="win1-meta"><nvpair id="x" name="target-role" value="`+role+`"/>`)
		st, err := w.pacemaker(nil).Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range st.Services {
			if is := s.VM == "win1" && want; s.Restarting != is {
				t.Errorf("%s: %s: %v", role, s.VM, s.Restarting)
			}
		}
	}
}

// What is stopped for a restart is started again only if nobody has disabled it since he looked.
func TestPacemakerStartsAgain(t *testing.T) {
	for role, calls := range map[string][]string{restarting: {"win1-meta-target-role=Started"}, "Stopped": nil} {
		w := newPacemaker(t, "started")
		w.cib.edit(`<meta_attributes id="win1-meta">`, `<meta_attributes id="win1-meta"><nvpair id="win1-meta-target-role" name="target-role" value="`+role+`"/>`)
		err := w.pacemaker(nil).(interface {
			StartAgain(context.Context, string) error
		}).StartAgain(context.Background(), "primitive:win1")
		if refused := errors.Is(err, errRole); refused != (calls == nil) || !refused && err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if diff := cmp.Diff(calls, w.requests()); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
}
