package rgmanager

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// rule is what an agent's meta-data says of its type, as far as rgmanager reads it.
type rule struct {
	typ       string
	path      string // of the agent; "" is the built-in service
	max       int    // references in the configuration; 0 is unlimited
	initOnAdd bool
	destroy   bool // destroy_on_delete
	children  []childRule
	actions   []action
	params    []param // the primary one first
}

type childRule struct {
	typ         string
	start, stop int // levels; 0 is none
	forbid      bool
}

type action struct {
	name              string
	timeout, interval time.Duration
	depth             int
}

type param struct {
	name                                string
	value                               string
	hasDefault                          bool
	primary, required, unique, reconfig bool
	inherit                             string
}

func (r *rule) has(name string) bool {
	for _, a := range r.actions {
		if a.name == name {
			return true
		}
	}
	return false
}

func (r *rule) timeout(name string) time.Duration {
	for _, a := range r.actions {
		if a.name == name {
			return a.timeout
		}
	}
	return 0
}

// parseRule reads what an agent printed for meta-data. Its messages are rgmanager's own complaints that do not
// cost the type.
func parseRule(src []byte) (*rule, []string, error) {
	root, err := parseXML(src)
	if err != nil {
		return nil, nil, fmt.Errorf("not an XML document: %w", err)
	}
	if root.name != "resource-agent" {
		return nil, nil, fmt.Errorf("the root element is <%s>, not <resource-agent>", root.name)
	}
	typ := root.get("name")
	if typ == "" {
		return nil, nil, errors.New("the agent has no name")
	}
	if strings.EqualFold(typ, "action") {
		return nil, nil, errors.New("the name action is reserved")
	}
	r := &rule{typ: typ, initOnAdd: true, destroy: true}
	for _, s := range root.all("special") {
		if s.get("tag") == "rgmanager" {
			r.special(s)
		}
	}
	var said []string
	for _, list := range root.all("actions") {
		said = append(said, r.readActions(list)...)
	}
	for _, list := range root.all("parameters") {
		if err := r.readParams(list); err != nil {
			return nil, nil, err
		}
	}
	if len(r.actions) == 0 {
		return nil, nil, errors.New("the agent declares no action: rgmanager would crash on its first instance")
	}
	return r, said, nil
}

func (r *rule) special(s *xmlNode) {
	for _, a := range s.all("attributes") {
		if v, ok := a.attr("maxinstances"); ok {
			r.max = max(atoi(v), 0)
		}
		if v, ok := a.attr("init_on_add"); ok {
			r.initOnAdd = atoi(v) != 0
		}
		if v, ok := a.attr("destroy_on_delete"); ok {
			r.destroy = atoi(v) != 0
		}
	}
	for _, c := range s.all("child") {
		typ := c.get("type")
		if typ == "" {
			break
		}
		r.children = append(r.children, childRule{typ: typ, start: atoi(c.get("start")), stop: atoi(c.get("stop")), forbid: atoi(c.get("forbid")) != 0})
	}
}

func (r *rule) readActions(list *xmlNode) []string {
	var said []string
	for _, n := range list.all("action") {
		a := action{name: n.get("name"), timeout: expandTime(n.get("timeout"))}
		if a.name == "" {
			break
		}
		if v, ok := n.attr("interval"); ok {
			a.interval = max(expandTime(v), time.Second)
		}
		if a.name == "status" || a.name == "monitor" {
			a.depth = max(atoi(n.get("depth")), 0)
		}
		if old := r.find(a.name, a.depth); old != nil {
			said = append(said, fmt.Sprintf("Replacing action '%s' depth %d: timeout: %d->%d interval: %d->%d", a.name, a.depth,
				seconds(old.timeout), seconds(a.timeout), seconds(old.interval), seconds(a.interval)))
			*old = a
			continue
		}
		r.actions = append(r.actions, a)
	}
	return said
}

func (r *rule) find(name string, depth int) *action {
	for i := range r.actions {
		if r.actions[i].name == name && r.actions[i].depth == depth {
			return &r.actions[i]
		}
	}
	return nil
}

func (r *rule) readParams(list *xmlNode) error {
	for _, n := range list.all("parameter") {
		p := param{name: n.get("name"), primary: yes(n.get("primary")), required: yes(n.get("required")), unique: yes(n.get("unique")),
			reconfig: yes(n.get("reconfig")), inherit: n.get("inherit")}
		if p.name == "" {
			break
		}
		if p.inherit != "" && (p.primary || p.required || p.unique) {
			return fmt.Errorf("parameter %q cannot inherit and be primary, unique or required", p.name)
		}
		for _, c := range n.all("content") {
			p.value, p.hasDefault = c.attr("default")
		}
		if !p.primary {
			r.params = append(r.params, p)
			continue
		}
		if len(r.params) > 0 && r.params[0].primary {
			return fmt.Errorf("parameters %q and %q are both primary", r.params[0].name, p.name)
		}
		r.params = append([]param{p}, r.params...)
	}
	return nil
}

// yes reads a boolean as rgmanager does: "true" is false.
func yes(s string) bool { return atoi(s) != 0 || strings.HasPrefix(s, "y") }

// atoi is C's: leading blanks, a sign and digits; 0 where there are none.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

// expandTime reads "30", "30s", "1h30m". A part with an unknown suffix counts for nothing.
func expandTime(s string) time.Duration {
	var total time.Duration
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		if i == j {
			i++
			continue
		}
		unit := time.Second
		if j < len(s) {
			unit = unitOf(s[j])
			j++
		}
		total += time.Duration(atoi(s[i:min(j, len(s))])) * unit
		i = j
	}
	return total
}

func unitOf(c byte) time.Duration {
	switch c {
	case 's', 'S', ' ':
		return time.Second
	case 'm', 'M':
		return time.Minute
	case 'h', 'H':
		return time.Hour
	case 'd', 'D':
		return 24 * time.Hour
	case 'w', 'W':
		return 7 * 24 * time.Hour
	case 'y', 'Y':
		return 365 * 24 * time.Hour
	}
	return 0
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// serviceRule is the lab's own service.sh: a group of resources that does nothing by itself.
func serviceRule() *rule {
	level := func(typ string, start, stop int) childRule { return childRule{typ: typ, start: start, stop: stop} }
	def := func(name, value string, reconfig bool) param {
		return param{name: name, value: value, hasDefault: true, reconfig: reconfig}
	}
	return &rule{
		typ: "service", max: 1, initOnAdd: true, destroy: true,
		params: []param{
			{name: "name", primary: true, required: true, unique: true},
			{name: "domain", reconfig: true}, def("autostart", "1", true), def("exclusive", "0", true), def("nfslock", "0", false),
			def("nfs_client_cache", "0", false), def("recovery", "restart", true), {name: "depend"}, def("depend_mode", "hard", false),
			def("max_restarts", "0", false), def("restart_expire_time", "0", false), def("priority", "0", false),
		},
		// No status: rgmanager never asks service.sh for one.
		actions: []action{{name: "start", timeout: 5 * time.Second}, {name: "stop", timeout: 5 * time.Second}, {name: "reconfig", timeout: 5 * time.Second},
			{name: "recover", timeout: 5 * time.Second}, {name: "meta-data", timeout: 5 * time.Second}, {name: "validate-all", timeout: 5 * time.Second}},
		children: []childRule{level("lvm", 1, 9), level("fs", 2, 8), level("clusterfs", 3, 7), level("netfs", 4, 6), level("nfsexport", 5, 5),
			level("nfsclient", 6, 4), level("ip", 7, 2), level("smb", 8, 3), level("script", 9, 1)},
	}
}
