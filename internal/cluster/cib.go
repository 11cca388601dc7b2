package cluster

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// cib is the part of Pacemaker's configuration that is read.
type cib struct {
	Options []nvpairs `xml:"configuration>crm_config>cluster_property_set"`
	Nodes   []struct {
		Name string `xml:"uname,attr"`
		Type string `xml:"type,attr"`
	} `xml:"configuration>nodes>node"`
	Defaults  []nvpairs   `xml:"configuration>rsc_defaults>meta_attributes"`
	Templates []primitive `xml:"configuration>resources>template"`
	Single    []primitive `xml:"configuration>resources>primitive"`
	Groups    []struct {
		ID         string      `xml:"id,attr"`
		Meta       []nvpairs   `xml:"meta_attributes"`
		Primitives []primitive `xml:"primitive"`
	} `xml:"configuration>resources>group"`

	started []byte // the text, as asIfStarted gives it
}

type primitive struct {
	ID       string      `xml:"id,attr"`
	Class    string      `xml:"class,attr"`
	Provider string      `xml:"provider,attr"`
	Type     string      `xml:"type,attr"`
	Template string      `xml:"template,attr"`
	Params   []nvpairs   `xml:"instance_attributes"`
	Meta     []nvpairs   `xml:"meta_attributes"`
	Ops      []operation `xml:"operations>op"`
}

type nvpairs struct {
	ID   string    `xml:"id,attr"`
	Ref  string    `xml:"id-ref,attr"` // of the set that stands elsewhere
	Rule *struct{} `xml:"rule"`
	List []struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	} `xml:"nvpair"`
}

// machine is a resource that is a VM.
type machine struct {
	id, service string // of the primitive in the CIB; of the service
	leads       string // whose scores hold for all that moves with it: of later members of a group Pacemaker tells only where they are
	name, typ   string
	params      map[string]string
	live        bool // Pacemaker migrates it
	disabled    bool // by target-role
	restarting  bool // and that for a restart of ours
	stick       int  // how much more it likes to stay, all that moves with it together
}

// infinity is Pacemaker's. What is added to it stays it.
const infinity = 1000000

func parseCIB(text []byte) (cib, error) {
	var c cib
	d := struct {
		XMLName xml.Name `xml:"cib"`
		*cib
	}{cib: &c}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		return cib{}, fmt.Errorf("%w: %w in %s", ErrAnswer, err, quoteStart(string(text)))
	}
	if err := c.complete(text); err != nil {
		return cib{}, err
	}
	return c, nil
}

// get is a value of the first set that has it. Sets with rules hold at times only, and are not counted on.
func get(name string, sets ...[]nvpairs) string {
	for _, set := range sets {
		for _, s := range set {
			if s.Rule != nil {
				continue
			}
			for _, p := range s.List {
				if p.Name == name {
					return p.Value
				}
			}
		}
	}
	return ""
}

// nodes are the members, without remote nodes.
func (c cib) nodes() (out []string) {
	for _, n := range c.Nodes {
		if n.Type == "" || n.Type == "member" || n.Type == "normal" {
			out = append(out, n.Name)
		}
	}
	return out
}

// machines are the VMs: our agents' resources, and those of resource-agents' VirtualDomain and Xen, which bear the
// resource's name and move as their own agent does it, as a <vm> of rgmanager's.
func (c cib) machines() []machine {
	var out []machine
	add := func(p primitive, service, leads string, group []nvpairs, stick int) {
		m, ok := p.machine()
		if !ok {
			return
		}
		m.service, m.leads, m.stick = service, leads, stick
		m.live = isTrue(get("allow-migrate", p.Meta, group, c.Defaults))
		role := get(targetRole, p.Meta, group, c.Defaults)
		m.disabled, m.restarting = strings.EqualFold(role, "Stopped"), role == restarting
		out = append(out, m)
	}
	for _, p := range c.Single {
		add(p, "primitive:"+p.ID, p.ID, nil, score(get("resource-stickiness", p.Meta, c.Defaults)))
	}
	for _, g := range c.Groups {
		sum := 0
		for _, p := range g.Primitives {
			sum = min(infinity, sum+score(get("resource-stickiness", p.Meta, g.Meta, c.Defaults)))
		}
		for _, p := range g.Primitives {
			add(p, "group:"+g.ID, g.Primitives[0].ID, g.Meta, sum)
		}
	}
	return out
}

// machine is the VM that a primitive runs by an agent of ours, or by resource-agents' VirtualDomain or Xen; false: it runs none.
func (p primitive) machine() (machine, bool) {
	typ, name := "", ""
	switch {
	case p.Class == "ocf" && p.Provider == "lbvm" && slices.Contains(vmTypes(), p.Type):
		typ, name = p.Type, get("name", p.Params)
	case p.Class == "ocf" && p.Provider == "heartbeat" && (p.Type == "VirtualDomain" || p.Type == "Xen"):
		typ, name = "vm", p.ID
	}
	if host.CheckName(name) != nil {
		return machine{}, false
	}
	return machine{id: p.ID, name: name, typ: typ, params: p.params()}, true
}

func (p primitive) params() map[string]string {
	out := map[string]string{}
	for _, s := range slices.Backward(p.Params) { // the first set that has one counts
		for _, x := range s.List {
			out[x.Name] = x.Value
		}
	}
	return out
}

func isTrue(s string) bool {
	return slices.Contains([]string{"true", "on", "yes", "y", "1"}, strings.ToLower(s))
}

// score reads one of Pacemaker's, 0 where it is none.
func score(s string) int {
	switch strings.ToUpper(s) {
	case "INFINITY", "+INFINITY":
		return infinity
	case "-INFINITY":
		return -infinity
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "+"))
	if err != nil {
		return 0
	}
	return max(-infinity, min(infinity, n))
}

// placements are the nodes on which a machine may run and, from where it is now, would stay once it was there: the
// constraint of a move ends with the move, and what Pacemaker likes better elsewhere then goes back.
func (c cib) placements(p machine, v pacemakerView, s scores, owner string) []Placement {
	out := []Placement{}
	for _, m := range v.members {
		n, known := s.of(p.leads, m.Name)
		if !known || n <= -infinity || !m.Online || !m.Manager && m.Name != owner {
			continue
		}
		if back, known := s.of(p.leads, owner); m.Name != owner && owner != "" && known && p.stick < infinity {
			// Of two nodes that it likes alike Pacemaker takes the one with fewer resources.
			if there, here := plus(n, p.stick), plus(back, -p.stick); here > there || here == there && p.stick <= 0 {
				continue
			}
		}
		out = append(out, Placement{m.Name, n})
	}
	return out
}

// plus adds as Pacemaker does: what is infinite stays so.
func plus(a, b int) int {
	if a >= infinity || a <= -infinity {
		return a
	}
	return max(-infinity, min(infinity, a+b))
}

// asIfStarted is the configuration in which no VM is stopped on purpose, and none is held by the constraint of a move
// of ours, which ends within its lifetime: who asks where it may run does not ask about these. One that an administrator has
// laid for longer holds.
func asIfStarted(text []byte, now time.Time) []byte {
	roles := regexp.MustCompile(`name="target-role" value="[Ss]topped"`)
	moves := regexp.MustCompile(`(?s)<rsc_location id="cli-prefer-[^"]*"[^>]*>\s*<rule [^>]*>.*?</rsc_location>`)
	end := regexp.MustCompile(`<date_expression id="cli-prefer-lifetime-end-[^"]*"[^>]* end="([^"]*)"`)
	text = roles.ReplaceAll(text, []byte(`name="target-role" value="Started"`))
	return moves.ReplaceAllFunc(text, func(c []byte) []byte {
		if m := end.FindSubmatch(c); m != nil {
			if at, err := time.Parse("2006-01-02 15:04:05Z07:00", string(m[1])); err == nil && at.Before(now.Add(lifetimeMinutes*time.Minute)) {
				return nil
			}
		}
		return c
	})
}

// held tells whether an administrator has sent the resource somewhere for longer than a move of ours lasts (crm_resource --move):
// Pacemaker has one such constraint of a resource, and ours would take its place. started is asIfStarted's.
func held(started []byte, resource string) bool {
	return bytes.Contains(started, []byte(`<rsc_location id="cli-prefer-`+resource+`"`))
}
