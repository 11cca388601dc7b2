package cluster

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// pacemakerView is what crm_mon tells of nodes and resources.
type pacemakerView struct {
	quorate     bool
	maintenance bool // of the whole cluster: it looks, and does nothing
	members     []Member
	lost        map[string]bool // nodes that are not whole members: what is said to run there may run elsewhere
	resources   map[string]mon
}

// mon is a resource in crm_mon's answer.
type mon struct {
	ID         string `xml:"id,attr"`
	Role       string `xml:"role,attr"`
	TargetRole string `xml:"target_role,attr"`
	Orphaned   string `xml:"orphaned,attr"`
	Blocked    string `xml:"blocked,attr"`
	Managed    string `xml:"managed,attr"`
	Failed     string `xml:"failed,attr"`
	Nodes      []struct {
		Name string `xml:"name,attr"`
	} `xml:"node"`
	since map[string]time.Time // of the last start, by node
}

// monNode is a node as crm_mon tells of it.
type monNode struct {
	Name        string `xml:"name,attr"`
	Type        string `xml:"type,attr"`
	Online      string `xml:"online,attr"`
	Standby     string `xml:"standby,attr"`
	StandbyFail string `xml:"standby_onfail,attr"`
	Maintenance string `xml:"maintenance,attr"`
	Pending     string `xml:"pending,attr"`
	Unclean     string `xml:"unclean,attr"`
	Shutdown    string `xml:"shutdown,attr"`
}

// crmMon is the part of crm_mon's XML that is read: Pacemaker 1.1 to 3, whose schema is api-result.rng.
type crmMon struct {
	XMLName xml.Name
	Summary struct {
		DC struct {
			Present string `xml:"present,attr"`
			Quorum  string `xml:"with_quorum,attr"`
		} `xml:"current_dc"`
		Options struct {
			Maintenance string `xml:"maintenance-mode,attr"`
		} `xml:"cluster_options"`
	} `xml:"summary"`
	Nodes     []monNode `xml:"nodes>node"`
	Resources []mon     `xml:"resources>resource"`
	Groups    []struct {
		Resources []mon `xml:"resource"`
	} `xml:"resources>group"`
	History []struct {
		Name      string `xml:"name,attr"`
		Resources []struct {
			ID         string `xml:"id,attr"`
			Operations []struct {
				Task   string `xml:"task,attr"`
				RC     string `xml:"rc,attr"`
				Change string `xml:"last-rc-change,attr"`
			} `xml:"operation_history"`
		} `xml:"resource_history"`
	} `xml:"node_history>node"`
}

// parseCrmMon reads the XML of `crm_mon -1`. All that the caller relies on must be there.
func parseCrmMon(text []byte) (pacemakerView, error) {
	var x crmMon
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&x); err != nil {
		return pacemakerView{}, fmt.Errorf("%w: %w in %s", ErrAnswer, err, quoteStart(string(text)))
	}
	switch {
	case x.XMLName.Local != "pacemaker-result" && x.XMLName.Local != "crm_mon":
		return pacemakerView{}, fmt.Errorf("%w: <%s>", ErrAnswer, x.XMLName.Local)
	case x.Summary.DC.Present == "":
		return pacemakerView{}, fmt.Errorf("%w: no word of the DC", ErrAnswer)
	case len(x.Nodes) == 0:
		return pacemakerView{}, fmt.Errorf("%w: no node", ErrAnswer)
	}
	v := pacemakerView{lost: map[string]bool{}, resources: map[string]mon{},
		quorate:     x.Summary.DC.Present == "true" && x.Summary.DC.Quorum == "true",
		maintenance: x.Summary.Options.Maintenance == "true"}
	for _, n := range x.Nodes {
		if n.Type == "remote" {
			continue
		}
		if err := host.CheckName(n.Name); err != nil || n.Online != "true" && n.Online != "false" {
			return v, fmt.Errorf("%w: a node that is not understood: %q", ErrAnswer, n.Name)
		}
		if slices.ContainsFunc(v.members, func(m Member) bool { return m.Name == n.Name }) {
			return v, fmt.Errorf("%w: the node %q stands twice", ErrAnswer, n.Name)
		}
		v.lost[n.Name] = n.Online != "true" || n.Unclean != "false"
		v.members = append(v.members, Member{Name: n.Name, Online: n.Online == "true" && n.Unclean == "false",
			Manager: n.Online == "true" && n.Standby == "false" && n.StandbyFail != "true" && n.Maintenance != "true" &&
				n.Pending == "false" && n.Unclean == "false" && n.Shutdown != "true"})
	}
	all := x.Resources
	for _, g := range x.Groups {
		all = append(all, g.Resources...)
	}
	for _, r := range all {
		if _, twice := v.resources[r.ID]; r.ID == "" || twice {
			return v, fmt.Errorf("%w: the resource %q has no name or stands twice", ErrAnswer, r.ID)
		}
		r.since = map[string]time.Time{}
		v.resources[r.ID] = r
	}
	for _, n := range x.History {
		for _, r := range n.Resources {
			for _, o := range r.Operations {
				at, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", o.Change, time.Local)
				known, ok := v.resources[r.ID]
				if err == nil && ok && o.RC == "0" && (o.Task == "start" || o.Task == "migrate_from") && at.After(known.since[n.Name]) {
					known.since[n.Name] = at
				}
			}
		}
	}
	return v, nil
}

// service is what crm_mon says of a machine. Pacemaker's guesses count for nothing: where a node is not a whole member, or
// one resource stands on two nodes, nobody knows where the VM is.
func (v pacemakerView) service(p machine) Service {
	s := Service{ID: p.service, VM: p.name, VMType: p.typ, Live: p.live, LiveOnly: p.live, Restarting: p.restarting, MayRun: []Placement{}, Params: p.params}
	r, ok := v.resources[p.id]
	if !ok || !v.quorate {
		return s
	}
	if len(r.Nodes) == 1 {
		s.Owner = r.Nodes[0].Name
		s.Since = r.since[s.Owner]
	}
	s.Frozen = r.Managed == "false" && r.Blocked != "true"
	running := len(r.Nodes) > 0
	switch {
	case len(r.Nodes) > 1 || running && v.lost[s.Owner] || r.Orphaned == "true" || r.Managed != "true" && r.Managed != "false":
	case r.Blocked == "true":
		s.State = Failed
	case r.Role == "Migrating":
		s.State = Migrating
	case r.Role == "Stopping":
		s.State = Stopping
	case r.Role == "Starting":
		s.State = Starting
	case r.Failed == "true":
		s.State = Recovering
	case r.Role == "Started" && running:
		s.State = Started
	case r.Role == "Stopped" && !running && (strings.EqualFold(r.TargetRole, "Stopped") || p.disabled):
		s.State = Disabled
	case r.Role == "Stopped" && !running:
		s.State = Stopped
	}
	return s
}
