package ccs

import (
	"strings"
	"time"
)

// Type is what the cluster manager knows of a type of resource from its agent's metadata.
type Type struct {
	Name  string
	Agent string // what the agent's file was called to LoadRules; "" for DefaultRules
	// Params are the declared parameters, the primary one first. An attribute that is not declared does not
	// exist for the cluster manager.
	Params []Param
	// Partial says that the agent may declare more than Params: then every further attribute of an element
	// counts as one that cannot be reconfigured. Metadata that was read is never partial.
	Partial         bool
	Actions         []Action
	Children        []Child
	MaxInstances    int  // how many references there may be in the whole file; 0 is any number
	InitOnAdd       bool // init_on_add: stop is run on every node when a group of this type appears
	DestroyOnDelete bool // destroy_on_delete: stopped when a group of this type is removed
}

// Param is a parameter that an agent declares.
type Param struct {
	Name       string
	Primary    bool // its value is the resource's name
	Required   bool
	Unique     bool // no two resources of the type may have the same value; so it is with the primary one
	Reconfig   bool // a new value needs no restart
	HasDefault bool
	Default    string
	Inherit    string // "attr" of the parent or "type%attr" of the nearest ancestor of that type; "" is none
}

// Action is an action that an agent declares, or that cluster.conf overrides. An interval of 0 is never.
type Action struct {
	Name              string
	Timeout, Interval time.Duration
	Depth             int
}

// Child is a type of resource that stands below another in an order of its own: by rising levels of 1 to 100. A
// level of 0 is none.
type Child struct {
	Type        string
	Start, Stop int
	Forbid      bool // an element of that type is passed over
}

// Rules are the types that the cluster's agents define, by name.
type Rules map[string]*Type

// Find gives the type of an element. The cluster manager compares the names without their case, unless the element
// stands below a type that lists it among its children.
func (r Rules) Find(tag string) (*Type, bool) {
	if t, ok := r[tag]; ok {
		return t, true
	}
	for name, t := range r {
		if strings.EqualFold(name, tag) {
			return t, true
		}
	}
	return nil, false
}

// Primary is the parameter that names a resource, "" where none does.
func (t *Type) Primary() string {
	if len(t.Params) > 0 && t.Params[0].Primary {
		return t.Params[0].Name
	}
	return ""
}

// Param finds a declared parameter.
func (t *Type) Param(name string) (Param, bool) {
	for _, p := range t.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// Declares tells whether the agent declares an action. What it does not declare is never run, and counts as done.
func (t *Type) Declares(action string) bool {
	for _, a := range t.Actions {
		if a.Name == action {
			return true
		}
	}
	return false
}

// child is the first mention of a type among the children.
func (t *Type) child(name string) (Child, bool) {
	for _, c := range t.Children {
		if c.Type == name {
			return c, true
		}
	}
	return Child{}, false
}

// ParseDuration reads a time as the cluster manager does: numbers with an s, m, h, d, w or y behind them, or with
// nothing, added up. What it cannot read counts as nothing; there is no error.
func ParseDuration(s string) time.Duration {
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
		}
		total += min(time.Duration(atoi(s[i:j])), longest/max(unit, 1)) * unit
		i = j
	}
	return min(total, longest)
}

// longest keeps sums far from overflow; the cluster manager's own int is done with at 68 years.
const longest = 100 * 365 * 24 * time.Hour

func unitOf(c byte) time.Duration {
	const day = 24 * time.Hour
	switch c {
	case 's', 'S':
		return time.Second
	case 'm', 'M':
		return time.Minute
	case 'h', 'H':
		return time.Hour
	case 'd', 'D':
		return day
	case 'w', 'W':
		return 7 * day
	case 'y', 'Y':
		return 365 * day
	}
	return 0
}
