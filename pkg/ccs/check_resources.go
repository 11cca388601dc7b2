package ccs

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

const endsList = "the manager would drop it and everything behind it, and STOP what it dropped"

// define checks an element of <resources>.
func (c *checker) define(e Element) {
	t := c.of(e.Tag())
	if t == nil || t.Name != e.Tag() {
		c.unknown(e, t, "<resources>")
		return
	}
	if c.complete(e, t) {
		c.unique(e, t)
		if name, ok := e.Attr(t.Primary()); ok {
			c.defined[refKey{t.Name, name}] = e
		}
	}
	c.values(e, t)
	for _, child := range e.Children() {
		if child.Tag() == "action" {
			c.action(child)
		} else {
			c.add(Warning, child, "below a definition the manager reads only <action>: put it below the reference", "<%s> stands in the definition of a <%s>", child.Tag(), e.Tag())
		}
	}
}

// groups checks what stands directly below <rm>.
func (c *checker) groups(rm Element) {
	var all []Element
	for _, e := range rm.Children() {
		if !notGroup(e.Tag()) {
			all = append(all, e)
		}
	}
	c.groupIDs = make(map[string]bool, len(all))
	for _, e := range all {
		name, ok := e.Attr("ref")
		if t := c.of(e.Tag()); t != nil && !ok {
			name, _ = e.Attr(t.Primary()) // complete tells where it is missing
		}
		c.groupIDs[e.Tag()+":"+name] = true
	}
	for _, e := range all {
		c.group(e)
	}
}

// group checks an element directly below <rm> and all within it.
func (c *checker) group(e Element) {
	t := c.of(e.Tag())
	if t == nil {
		c.add(Warning, e, "the manager passes over types that no agent defines", "the type <%s> is not known here", e.Tag())
	}
	if v, ok := e.Attr("autostart"); ok && v != "0" && v != "1" && v != "no" {
		c.add(Warning, e, "it is read as a number: write 1 or 0", "autostart=%q means %v", v, autostarts(v))
	}
	if v, ok := e.Attr("exclusive"); ok && v != "0" && v != "1" && !strings.EqualFold(v, "yes") && !strings.EqualFold(v, "no") {
		c.add(Warning, e, "it is read as a number, or yes: write 1 or 0", "exclusive=%q means %v", v, atoi(v) > 0)
	}
	if name, ok := e.Attr("domain"); ok && name != "" && !c.domainNames[strings.ToLower(name)] {
		c.add(Warning, e, "the manager then lets it run on every node", "the failover domain %q does not exist", name)
	}
	if v, ok := e.Attr("recovery"); ok && !slices.Contains([]string{"restart", "relocate", "disable", "restart-disable"}, v) {
		c.add(Warning, e, "the manager knows restart, relocate, disable and restart-disable", "recovery=%q", v)
	}
	if v, ok := e.Attr("depend"); ok && v != "" && !c.groupIDs[v] {
		c.add(Warning, e, "write TYPE:NAME of a group, as in service:web", "depend=%q names no group", v)
	}
	if t != nil && t.Declares("migrate") && slices.ContainsFunc(e.Children(), func(x Element) bool { return c.of(x.Tag()) != nil }) {
		c.add(Warning, e, "only a group without resources in it migrates alive", "<%s> holds resources", e.Tag())
	}
	if v, ok := e.Attr("__independent_subtree"); ok {
		c.add(Warning, e, "the manager does not read it at the top", "__independent_subtree=%q of a group", v)
	}
	c.resource(e, nil)
}

func (c *checker) resource(e Element, parent *Type) {
	t := c.of(e.Tag())
	if t != nil {
		if c.instance(e, t); parent != nil {
			c.below(e, t, parent)
		}
	} else if parent != nil {
		c.unknown(e, t, "<"+parent.Name+">")
	}
	for _, child := range e.Children() {
		if child.Tag() != "action" {
			c.resource(child, t)
			continue
		}
		if _, ref := e.Attr("ref"); ref {
			c.add(Warning, child, "the manager reads it in the definition only: put it there", "<action> stands below a reference")
		}
		c.action(child)
	}
}

// instance checks a resource as a reference or as one of its own.
func (c *checker) instance(e Element, t *Type) {
	if len(t.Actions) == 0 && !t.Partial {
		c.add(Fatal, e, "rgmanager crashes at a resource whose agent declares no action", "the agent of <%s> declares no action", e.Tag())
	}
	ref, isRef := e.Attr("ref")
	if !isRef {
		if c.complete(e, t) {
			c.unique(e, t)
		}
		c.values(e, t)
		return
	}
	key := refKey{t.Name, ref}
	def, ok := c.defined[key]
	if !ok {
		c.add(Fatal, e, "the manager leaves it out of its service", "<%s ref=%q> names nothing in <resources>", e.Tag(), ref)
		return
	}
	if c.refs[key]++; t.MaxInstances > 0 && c.refs[key] > t.MaxInstances {
		c.add(Fatal, e, "the manager leaves it out of its service", "<%s ref=%q> is reference %d, the agent allows %d", e.Tag(), ref, c.refs[key], t.MaxInstances)
	}
	for _, a := range e.Attrs() {
		if a.Name == "ref" || strings.HasPrefix(a.Name, "__") {
			continue
		}
		if v, has := def.Attr(a.Name); !has || v != a.Value {
			c.add(Warning, e, "the manager takes the values of the definition", "%s=%q of the reference to %q is not read", a.Name, a.Value, ref)
		}
	}
}

// below checks a resource's place.
func (c *checker) below(e Element, t, parent *Type) {
	if _, ref := e.Attr("ref"); !ref {
		for _, a := range []string{"domain", "autostart", "exclusive", "recovery"} {
			if _, has := e.Attr(a); !has {
				continue
			}
			if _, declared := t.Param(a); declared {
				c.add(Warning, e, "the manager reads it of a group only, directly below <rm>", "%s of <%s> in <%s> has no effect", a, e.Tag(), parent.Name)
			}
		}
	}
	child, listed := parent.child(t.Name)
	switch {
	case listed && child.Forbid && e.Tag() == t.Name:
		c.add(Warning, e, "the manager passes over it", "a <%s> may not stand in a <%s>", e.Tag(), parent.Name)
	case e.Tag() != t.Name:
		c.add(Warning, e, "the case of the name counts in places: it may start in another order", "<%s> is the type %q", e.Tag(), t.Name)
	}
}

// unknown tells of a type that no agent defines, where the agents are known.
func (c *checker) unknown(e Element, t *Type, where string) {
	switch {
	case t != nil:
		c.add(Warning, e, "the manager looks for it letter by letter here", "<%s> in %s is not read: the type is written %q", e.Tag(), where, t.Name)
	case c.installed && e.Tag() != "action":
		c.add(Warning, e, "the manager passes over types that no agent defines", "the type <%s> in %s is not known here", e.Tag(), where)
	}
}

// complete reports the attributes without which the manager ends its list of siblings.
func (c *checker) complete(e Element, t *Type) bool {
	ok := true
	for _, p := range t.Params {
		if !p.Primary && !p.Required {
			continue
		}
		if v, has := e.Attr(p.Name); !has || v == "" && p.Primary {
			c.add(Fatal, e, endsList, "<%s> has no %s", e.Tag(), p.Name)
			ok = false
		} else if v == "" {
			c.add(Warning, e, "the agent wants a value", "%s of <%s> is empty", p.Name, e.Tag())
		}
	}
	return ok
}

func (c *checker) unique(e Element, t *Type) {
	for _, p := range t.Params {
		if !p.Primary && !p.Unique {
			continue
		}
		v, ok := e.Attr(p.Name)
		if !ok {
			continue
		}
		key := uniqueKey{t, p.Name, v}
		if first, again := c.seen[key]; again {
			c.add(Fatal, e, "the manager keeps the first and drops this one", "<%s %s=%q> stands in line %d already", e.Tag(), p.Name, v, first)
		} else {
			c.seen[key], _ = e.Position()
		}
		if p.Primary {
			c.name(e, v)
		}
	}
}

// values looks at attributes that say other than they seem.
func (c *checker) values(e Element, t *Type) {
	for _, a := range e.n.attrs {
		own := strings.HasPrefix(a.name, "__")
		if !own && !t.Partial && c.installed {
			if _, declared := t.Param(a.name); !declared && a.name != "ref" {
				c.add(Warning, e, "the manager drops attributes that the agent does not declare", "%s is no attribute of <%s>", a.name, e.Tag())
			}
		}
		if n := a.value.end - a.value.start; n >= maxValue {
			c.add(Warning, e, fmt.Sprintf("values are kept in %d bytes", maxValue), "%s has %d bytes", a.name, n)
		}
	}
	_, max := e.Attr("__max_failures")
	if _, expire := e.Attr("__failure_expire_time"); max != expire {
		c.add(Warning, e, "neither works without the other", "only one of __max_failures and __failure_expire_time is given")
	}
	_, max = e.Attr("__max_restarts")
	if _, expire := e.Attr("__restart_expire_time"); max != expire {
		c.add(Warning, e, "neither works without the other", "only one of __max_restarts and __restart_expire_time is given")
	}
}

// maxValue is what RHEL 6 keeps of a value.
const maxValue = 4096

// action checks a schedule.
func (c *checker) action(e Element) {
	name, ok := e.Attr("name")
	switch {
	case !ok:
		c.add(Warning, e, "the manager reads no <action> from here on", "<action> has no name")
	case name == "monitor":
		c.add(Warning, e, "rgmanager never runs monitor: write status", "<action name=%q>", name)
	}
}

func (c *checker) name(e Element, v string) {
	c.text(e, "name", v)
	if n := len(e.Tag()) + 1 + len(v); n > 63 {
		c.add(Warning, e, "the manager keeps 63 bytes of TYPE:NAME", "%s:%s has %d bytes", e.Tag(), v, n)
	}
}

// text checks a name for what the cluster's tools print unescaped.
func (c *checker) text(e Element, what, v string) {
	if strings.ContainsAny(v, `&<"`) {
		c.add(Warning, e, "clustat and ccs_config_dump print it unescaped", "the %s %q holds one of & < \"", what, v)
	}
	if strings.ContainsFunc(v, unicode.IsControl) || strings.TrimSpace(v) != v {
		c.add(Warning, e, "the cluster's tools print it as it is, and nobody can type it", "the %s %q begins or ends with white space, or holds a control character", what, v)
	}
}
