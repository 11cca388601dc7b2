package rgmanager

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// resource is an instance of a type in a group's tree, with every value that its agent gets.
type resource struct {
	rule     *rule
	values   []value // declared parameters that have a value, the primary one first
	actions  []action
	enforce  bool // __enforce_timeouts
	children []*resource
}

type value struct{ name, value string }

// name is the primary value.
func (r *resource) name() string { return r.values[0].value }

// id is TYPE:NAME; of a top-level resource it is the name of the group.
func (r *resource) id() string { return r.rule.typ + ":" + r.name() }

func (r *resource) get(name string) string {
	v, _ := r.lookup(name)
	return v
}

func (r *resource) lookup(name string) (string, bool) {
	for _, v := range r.values {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

// migratory: a top-level resource whose type declares migrate, without children.
func (r *resource) migratory() bool { return r.rule.has("migrate") && len(r.children) == 0 }

// keepsOnDelete and quietOnAdd are the exceptions for guests that the manager does not own alone.
func (r *resource) keepsOnDelete() bool { return !r.rule.destroy && r.migratory() }
func (r *resource) quietOnAdd() bool    { return !r.rule.initOnAdd && r.migratory() }

func (r *resource) autostart() bool {
	v, ok := r.lookup("autostart")
	if !ok {
		return true
	}
	return !strings.EqualFold(v, "no") && atoi(v) != 0
}

func (r *resource) exclusive() bool {
	v := r.get("exclusive")
	return strings.EqualFold(v, "yes") || atoi(v) > 0
}

func (r *resource) recovery() string {
	if v := r.get("recovery"); v != "" {
		return v
	}
	return "restart"
}

// builder makes trees of the elements below <rm>.
type builder struct {
	rules []*rule
	seen  map[string]int // instances by id
	say   func(string)
}

// buildTrees gives the groups of a configuration in its order. An element of a known type without its primary or a
// required attribute ends the list of its siblings: whatever stands behind it is not there for rgmanager.
func buildTrees(rules []*rule, elements []element, say func(string)) []*resource {
	b := &builder{rules: rules, seen: map[string]int{}, say: say}
	return b.list(elements, nil, "/cluster/rm")
}

func (b *builder) list(elements []element, parents []*resource, where string) []*resource {
	var out []*resource
	for i, e := range elements {
		rule := findRule(b.rules, e.typ)
		if rule == nil {
			continue
		}
		r, err := b.one(rule, e, parents)
		if err != nil {
			b.say(fmt.Sprintf("No resource found @ %s/child::*[%d]: %v", where, i+1, err))
			return out
		}
		isRef := e.isRef
		b.seen[r.id()]++
		if n := b.seen[r.id()]; n > 1 && !isRef {
			b.say(fmt.Sprintf("Primary attribute collision. type=%s attr=%s value=%s", rule.typ, rule.params[0].name, r.name()))
			continue
		} else if rule.max > 0 && n > rule.max {
			b.say(fmt.Sprintf("Error: Max references exceeded for resource %s (type %s)", r.name(), rule.typ))
			continue
		}
		r.children = b.list(e.children, append(slices.Clone(parents), r), where+"/"+e.typ)
		out = append(out, r)
	}
	return out
}

func (b *builder) one(rule *rule, e element, parents []*resource) (*resource, error) {
	r := &resource{rule: rule, actions: slices.Clone(rule.actions)}
	for i, p := range rule.params {
		v, ok := e.attrs[p.name]
		switch {
		case ok:
		case p.inherit != "":
			v, ok = inherited(p.inherit, parents)
		case p.hasDefault:
			v, ok = p.value, true
		}
		if !ok && (i == 0 || p.required) {
			return nil, fmt.Errorf("<%s> lacks %q", e.typ, p.name)
		}
		if ok {
			r.values = append(r.values, value{p.name, v})
		}
	}
	if len(r.values) == 0 {
		return nil, fmt.Errorf("type %s declares no parameter", rule.typ)
	}
	if v := e.attrs["__enforce_timeouts"]; atoi(v) > 0 || strings.EqualFold(v, "yes") {
		r.enforce = true
	}
	for _, c := range e.children {
		if c.typ == "action" {
			r.override(c.attrs)
		}
	}
	return r, nil
}

// override is an <action> element inside of a resource in cluster.conf.
func (r *resource) override(a map[string]string) {
	interval, hasInterval := a["interval"]
	timeout, hasTimeout := a["timeout"]
	depth, hasDepth := a["depth"]
	found := false
	for i := range r.actions {
		x := &r.actions[i]
		if x.name != a["name"] || depth != "*" && hasDepth && x.depth != atoi(depth) {
			continue
		}
		found = true
		if hasInterval {
			x.interval = expandTime(interval)
		}
		if hasTimeout {
			x.timeout = expandTime(timeout)
		}
	}
	if !found && hasInterval && hasTimeout && hasDepth {
		r.actions = append(r.actions, action{name: a["name"], timeout: expandTime(timeout), interval: expandTime(interval), depth: max(atoi(depth), 0)})
	}
}

// inherited finds `attr` of the parent, or `type%attr` of the nearest ancestor of that type.
func inherited(what string, parents []*resource) (string, bool) {
	typ, attr, typed := strings.Cut(what, "%")
	if !typed {
		attr = what
	}
	for i := len(parents) - 1; i >= 0; i-- {
		if !typed || parents[i].rule.typ == typ {
			return parents[i].lookup(attr)
		}
	}
	return "", false
}

// startOrder is the order in which the children of r start: by level, then those without one as they stand.
func (r *resource) startOrder() []*resource {
	return r.ordered(func(c childRule) int { return c.start }, false)
}

// stopOrder: those without a level first, in reverse, then by stop level.
func (r *resource) stopOrder() []*resource {
	return r.ordered(func(c childRule) int { return c.stop }, true)
}

func (r *resource) ordered(level func(childRule) int, stop bool) []*resource {
	levels := map[*resource]int{}
	var listed, rest []*resource
	for _, c := range r.children {
		l := 0
		for _, cr := range r.rule.children {
			if cr.typ == c.rule.typ {
				l = level(cr)
			}
		}
		levels[c] = l
		if l >= 1 && l <= 100 {
			listed = append(listed, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(listed, func(a, b *resource) int { return levels[a] - levels[b] })
	if stop {
		slices.Reverse(rest)
		return append(rest, listed...)
	}
	return append(listed, rest...)
}

// environment is what rgmanager builds for an action, in its order, and the lab's root behind it.
func (r *resource) environment(root string, depth, refcnt int, timeout time.Duration) []string {
	var env []string
	for _, v := range r.values {
		env = append(env, "OCF_RESKEY_"+v.name+"="+v.value)
	}
	meta := seconds(timeout)
	if r.enforce { // inverted in rgmanager, too
		meta = 0
	}
	return append(env,
		"OCF_RA_VERSION_MAJOR=1",
		"OCF_RA_VERSION_MINOR=0",
		"OCF_ROOT="+agentDir,
		"OCF_RESOURCE_INSTANCE="+r.id(),
		"OCF_RESOURCE_TYPE="+r.rule.typ,
		fmt.Sprintf("OCF_CHECK_LEVEL=%d", depth),
		fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_refcnt=%d", refcnt),
		fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_timeout=%d", meta),
		rootVariable+"="+root)
}
