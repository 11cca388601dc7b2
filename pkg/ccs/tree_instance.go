package ccs

import (
	"slices"
	"strings"
	"time"
)

// Name is the value of the primary parameter; where the type has none, the first value.
func (i *Instance) Name() string { return i.res.values[0].value }

// ID is TYPE:NAME; of a group it is what clusvcadm and clustat call it.
func (i *Instance) ID() string { return i.res.id }

// Value is the value of a declared parameter and whether it has one.
func (i *Instance) Value(param string) (string, bool) {
	for _, v := range i.Values {
		if v.Name == param {
			return v.Value, true
		}
	}
	return "", false
}

// Ref tells whether the instance is a reference to a definition in <resources>.
func (i *Instance) Ref() bool { return !i.res.inline }

// Definition is the element that holds the values: that in <resources> for a reference.
func (i *Instance) Definition() Element { return i.res.element }

// Group is the instance at the top: what the cluster manager starts and stops as one.
func (i *Instance) Group() *Instance {
	for i.Parent != nil {
		i = i.Parent
	}
	return i
}

// Walk gives the instance and all below it, parents first, in the order of the tree.
func (i *Instance) Walk(yield func(*Instance) bool) { i.walk(yield) }

func (i *Instance) walk(yield func(*Instance) bool) bool {
	if !yield(i) {
		return false
	}
	for _, c := range i.Children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// Group finds a group by its id, "service:centos". The case counts.
func (t *Tree) Group(id string) *Instance { return t.byID[id] }

// Migratory tells whether the cluster manager would migrate a group alive: its type declares migrate, and it
// holds nothing. What stands within a service never is.
func (i *Instance) Migratory() bool {
	return i.Parent == nil && i.Type.Declares("migrate") && len(i.Children) == 0
}

// KeptOnDelete tells whether a group goes on running when it is removed from the file.
func (i *Instance) KeptOnDelete() bool { return !i.Type.DestroyOnDelete && i.Migratory() }

// QuietOnAdd tells whether a group is not stopped on every node when it appears in the file.
func (i *Instance) QuietOnAdd() bool { return !i.Type.InitOnAdd && i.Migratory() }

// Autostart tells whether a group starts by itself: unless autostart is "no" or no number but 0. "yes" is no number.
func (i *Instance) Autostart() bool {
	v, ok := i.Value("autostart")
	return !ok || autostarts(v)
}

func autostarts(v string) bool { return v != "no" && atoi(v) != 0 }

// Exclusive tells whether a group wants a node for itself.
func (i *Instance) Exclusive() bool {
	v, _ := i.Value("exclusive") // missing is no
	return exclusive(v)
}

func exclusive(v string) bool { return strings.EqualFold(v, "yes") || atoi(v) > 0 }

// Recovery is what is done when a group fails: "restart" where it says nothing.
func (i *Instance) Recovery() string {
	if v, _ := i.Value("recovery"); v != "" {
		return v
	}
	return "restart"
}

// Timeout is what the agent declares for an action, 0 where it declares none.
func (i *Instance) Timeout(action string, depth int) time.Duration {
	for _, a := range i.Actions {
		if a.Name == action && (!checks(action) || a.Depth == depth) {
			return a.Timeout
		}
	}
	return 0
}

// StartOrder gives the children in the order in which they start, each with all below it before the next: those
// with a start level by rising level, then those of types that the metadata does not list, in the order of the
// file. A child whose type has a stop level and no start level never starts.
func (i *Instance) StartOrder() []*Instance {
	return append(i.leveled(func(c Child) int { return c.Start }, false), i.unleveled()...)
}

// StopOrder gives the children in the order in which they stop: first those of types without a level, the last of
// the file first, then by rising stop level, the last of each type first.
func (i *Instance) StopOrder() []*Instance {
	out := i.unleveled()
	slices.Reverse(out)
	return append(out, i.leveled(func(c Child) int { return c.Stop }, true)...)
}

func (i *Instance) leveled(of func(Child) int, backwards bool) []*Instance {
	if len(i.Children) == 0 {
		return nil
	}
	listed := slices.DeleteFunc(slices.Clone(i.Type.Children), func(c Child) bool { return !level(of(c)) })
	slices.SortStableFunc(listed, func(a, b Child) int { return of(a) - of(b) })
	var out []*Instance
	for _, c := range listed {
		var same []*Instance
		for _, x := range i.Children {
			if x.Type.Name == c.Type {
				same = append(same, x)
			}
		}
		if backwards {
			slices.Reverse(same)
		}
		out = append(out, same...)
	}
	return out
}

func (i *Instance) unleveled() []*Instance {
	var out []*Instance
	for _, x := range i.Children {
		if !slices.ContainsFunc(i.Type.Children, func(c Child) bool { return c.Type == x.Type.Name && (c.Start != 0 || c.Stop != 0) }) {
			out = append(out, x)
		}
	}
	return out
}

// readFlags reads the attributes that are the instance's own, whatever the metadata declares.
func (i *Instance) readFlags() {
	v, _ := i.Element.Attr("__enforce_timeouts") // missing is no
	i.EnforceTimeouts = atoi(v) > 0 || strings.EqualFold(v, "yes")
	if i.Parent == nil { // the manager does not look there
		return
	}
	v, _ = i.Element.Attr("__independent_subtree")
	i.NonCritical = atoi(v) == 2 || strings.EqualFold(v, "non-critical")
	i.Independent = i.NonCritical || atoi(v) == 1 || strings.EqualFold(v, "yes")
}

// resolve gives the values with those that are inherited. One that is inherited from nowhere is none.
func (i *Instance) resolve() []Attr {
	out := make([]Attr, 0, len(i.res.values))
	for _, s := range i.res.values {
		v, ok := s.value, true
		if s.inherit {
			v, ok = i.Parent.inherited(s.value)
		}
		if ok {
			out = append(out, Attr{s.param.Name, v})
		}
	}
	return out
}

// inherited finds `attr` in i, or `type%attr` in the nearest of that type, from i upwards.
func (i *Instance) inherited(what string) (string, bool) {
	typ, attr, typed := strings.Cut(what, "%")
	if !typed {
		attr = what
	}
	for typed && i != nil && i.Type.Name != typ {
		i = i.Parent
	}
	if i == nil {
		return "", false
	}
	return i.Value(attr)
}

// override is what <action> elements inside of a resource's own element change; those of a reference are not read.
// Where depth is missing or "*", all depths are meant. A schedule of a new depth needs timeout, interval and depth.
func override(actions []Action, e Element) []Action {
	own := e.named("action")
	if len(own) == 0 {
		return actions
	}
	actions = slices.Clone(actions)
	for _, x := range own {
		name, ok := x.Attr("name")
		if !ok {
			break
		}
		interval, hasInterval := x.Attr("interval")
		timeout, hasTimeout := x.Attr("timeout")
		depth, hasDepth := x.Attr("depth")
		hasDepth = hasDepth && checks(name) && !strings.HasPrefix(depth, "*")
		found := false
		for j := range actions {
			a := &actions[j]
			if a.Name != name || hasDepth && a.Depth != max(atoi(depth), 0) {
				continue
			}
			found = true
			if hasInterval {
				a.Interval = ParseDuration(interval)
			}
			if hasTimeout {
				a.Timeout = ParseDuration(timeout)
			}
		}
		if !found && hasInterval && hasTimeout && hasDepth {
			actions = append(actions, Action{name, ParseDuration(timeout), ParseDuration(interval), max(atoi(depth), 0)})
		}
	}
	return actions
}
