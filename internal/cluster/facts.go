package cluster

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Facts are what Pacemaker tells of why it does not run a service.
type Facts struct {
	Role        string          // the target-role that it has by itself or by its group, as it is written; "" none
	Restarting  bool            // that role was set for a restart of ours
	Maintenance bool            // of the whole cluster
	Unmanaged   bool            // the resource itself is not managed
	Stickiness  int             // of all that moves with it
	Nodes       []NodeFacts     // every node, in crm_mon's order
	Bans        []Ban           // what forbids it nodes
	Failures    []FailedAction  // of its resources, in crm_mon's order
	Fencing     []FencingAction // that are under way, or have failed
}

// NodeFacts is why a node takes nothing.
type NodeFacts struct{ Name, Why string } // "offline", "standby", ...; "" it could

// Ban is a constraint that forbids a node.
type Ban struct{ ID, Node string }

// FailedAction is what an agent was asked in vain, with what it said.
type FailedAction struct {
	Resource, Node, Task string
	Status               string // "error", "not installed", "Timed Out"
	Reason               string // the agent's own word; "" none
	At                   time.Time
}

// FencingAction is a fencing that is under way ("pending") or has failed.
type FencingAction struct{ Node, Status string }

// PacemakerFacts asks crm_mon and cibadmin of a service ("primitive:web1", "group:web").
func PacemakerFacts(ctx context.Context, h host.Host, r run.Runner, service string) (Facts, error) {
	m := &pacemaker{h, r, clock.System()}
	out, err := m.mon(ctx)
	if err != nil {
		return Facts{}, err
	}
	c, err := ReadCIB(ctx, h, r)
	if err != nil {
		return Facts{}, err
	}
	return facts(out, c, service)
}

func facts(mon []byte, c CIB, service string) (Facts, error) {
	var x struct {
		Summary struct {
			Options struct {
				Maintenance string `xml:"maintenance-mode,attr"`
			} `xml:"cluster_options"`
		} `xml:"summary"`
		Bans []struct {
			ID       string `xml:"id,attr"`
			Resource string `xml:"resource,attr"`
			Node     string `xml:"node,attr"`
			Weight   string `xml:"weight,attr"`
		} `xml:"bans>ban"`
		Failures []struct {
			Key    string `xml:"op_key,attr"`
			Node   string `xml:"node,attr"`
			Exit   string `xml:"exitstatus,attr"`
			Status string `xml:"status,attr"`
			Reason string `xml:"exitreason,attr"`
			Task   string `xml:"task,attr"`
			At     string `xml:"last-rc-change,attr"`
		} `xml:"failures>failure"`
		Fencing []struct {
			Target string `xml:"target,attr"`
			Status string `xml:"status,attr"`
		} `xml:"fence_history>fence_event"`
		Nodes []monNode `xml:"nodes>node"`
	}
	if err := xml.NewDecoder(bytes.NewReader(mon)).Decode(&x); err != nil {
		return Facts{}, fmt.Errorf("%w: %w in %s", ErrAnswer, err, quoteStart(string(mon)))
	}
	f := Facts{Maintenance: x.Summary.Options.Maintenance == "true"}
	id := resource(service)
	mine := map[string]bool{id: true}
	for _, p := range c.all {
		if p.service == service {
			mine[p.ID] = true
		}
	}
	for _, m := range c.read.machines() {
		if m.service == service {
			f.Stickiness = m.stick
			break
		}
	}
	for _, p := range c.read.Single {
		if "primitive:"+p.ID == service {
			f.Role, f.Unmanaged = get("target-role", p.Meta, c.read.Defaults), isFalse(get("is-managed", p.Meta, c.read.Defaults))
		}
	}
	for _, g := range c.read.Groups {
		if "group:"+g.ID == service {
			f.Role, f.Unmanaged = get("target-role", g.Meta, c.read.Defaults), isFalse(get("is-managed", g.Meta, c.read.Defaults))
		}
	}
	f.Restarting = f.Role == restarting
	for _, n := range x.Nodes {
		if n.Type == "remote" {
			continue
		}
		why := ""
		switch {
		case n.Unclean == "true":
			why = "away, and not fenced yet"
		case n.Online != "true":
			why = "offline"
		case n.Pending == "true":
			why = "on its way in"
		case n.Shutdown == "true":
			why = "on its way out"
		case n.Standby == "true" || n.StandbyFail == "true":
			why = "in standby"
		case n.Maintenance == "true":
			why = "in maintenance"
		}
		f.Nodes = append(f.Nodes, NodeFacts{n.Name, why})
	}
	for _, b := range x.Bans {
		if mine[b.Resource] && score(b.Weight) <= -infinity { // crm_mon lists what only likes another node better, too
			f.Bans = append(f.Bans, Ban{b.ID, b.Node})
		}
	}
	for _, a := range x.Failures {
		name, _, _ := strings.Cut(a.Key, "_"+a.Task+"_")
		if !mine[name] {
			continue
		}
		at, _ := time.Parse("2006-01-02 15:04:05Z07:00", a.At) // 1.1 writes it otherwise: then it is not told
		status := a.Exit
		if a.Status != "complete" && a.Status != "" {
			status = a.Status
		}
		f.Failures = append(f.Failures, FailedAction{name, a.Node, a.Task, status, a.Reason, at})
	}
	for _, e := range x.Fencing {
		if e.Status == "pending" || e.Status == "failed" {
			f.Fencing = append(f.Fencing, FencingAction{e.Target, e.Status})
		}
	}
	return f, nil
}

func isFalse(s string) bool { return s != "" && !isTrue(s) }
