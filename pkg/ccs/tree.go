package ccs

import (
	"maps"
	"slices"
	"strings"
)

// Tree is what the cluster manager makes of <rm>: its groups, with all that belongs to each. It does not change.
//
// Facts: build_tree and do_load_resource in rgmanager's restree.c, load_resource and store_resource in reslist.c.
type Tree struct {
	Groups  []*Instance // in the order of the file
	Dropped []Drop      // what stands in the file and not in the tree

	rules     Rules
	resources []*resource // defined ones, then the others as the tree was built
	byRef     map[refKey]*resource
	byID      map[string]*Instance // the groups
	instances int
}

// Instance is a resource in the place where it stands in the tree.
type Instance struct {
	Type     *Type
	Values   []Attr   // the parameters that have a value, with inherited ones, as the agent gets them; the name first
	Actions  []Action // the type's, with what cluster.conf says of them
	Children []*Instance
	Parent   *Instance // nil of a group
	Element  Element   // its element; that of a reference where it is one

	EnforceTimeouts bool // __enforce_timeouts: without it no action is ever timed out
	Independent     bool // __independent_subtree: restarted without its siblings when it fails
	NonCritical     bool // __independent_subtree="2": given up without its siblings when it fails

	res  *resource
	tree *Tree
	n    int // among all instances of the tree
}

// Drop is an element that the cluster manager reads and does not take.
type Drop struct {
	Element Element
	ID      string // as of Instance; "TYPE:" where it has no name
	Reason  DropReason
	At      Element // for DropBehind: the element behind which the manager reads no further; else the same as Element
}

// DropReason says why an element was dropped.
type DropReason int

// The reasons.
const (
	DropIncomplete DropReason = iota + 1 // its primary or a required parameter is missing: its siblings behind it go with it
	DropBehind                           // it stands behind one that is incomplete
	DropCollision                        // a resource of its type has the same primary or unique value
	DropNoResource                       // its reference names no resource
	DropInline                           // its reference names a resource that is not defined in <resources>
	DropInstances                        // there are as many references as the type may have
	DropForbidden                        // the type around it forbids it
)

// resource is what stands behind the instances: a definition, or an element without a reference.
type resource struct {
	typ     *Type
	n       int // among all of the tree
	id      string
	values  []setting
	actions []Action
	element Element
	inline  bool
	refs    int
}

type setting struct {
	param   *Param
	value   string
	inherit bool // value says from where
}

type (
	refKey    struct{ typ, name string }
	uniqueKey struct {
		typ         *Type
		attr, value string
	}
)

// ResourceTree builds the tree. nil rules are DefaultRules.
func (d *Document) ResourceTree(r Rules) *Tree {
	if r == nil {
		r = DefaultRules()
	}
	r = r.with(d.rm().named("resource-defaults"))
	n := len(d.all)
	t := &Tree{rules: r, byRef: make(map[refKey]*resource, n), resources: make([]*resource, 0, n)}
	b := builder{Tree: t, folded: map[string]*Type{}, seen: make(map[uniqueKey]bool, n)}
	for name, typ := range r {
		b.folded[strings.ToLower(name)] = typ
	}
	b.define(d.rm().child("resources"))
	t.Groups = b.children(nil, d.rm())
	t.byID = make(map[string]*Instance, len(t.Groups))
	for _, g := range t.Groups {
		if t.byID[g.ID()] == nil {
			t.byID[g.ID()] = g
		}
	}
	return t
}

type builder struct {
	*Tree
	folded map[string]*Type
	seen   map[uniqueKey]bool
}

func (b *builder) drop(e, at Element, t *Type, why DropReason) {
	name, ok := e.Attr(t.Primary())
	if ref, isRef := e.Attr("ref"); isRef || !ok {
		name = ref
	}
	b.Dropped = append(b.Dropped, Drop{e, t.Name + ":" + name, why, at})
}

// define reads <resources>: type by type in the order of their names, and of each until one is incomplete.
func (b *builder) define(resources Element) {
	byTag := map[string][]Element{}
	for _, e := range resources.Children() {
		byTag[e.Tag()] = append(byTag[e.Tag()], e)
	}
	types := slices.SortedFunc(maps.Keys(byTag), func(x, y string) int {
		return strings.Compare(strings.ToLower(x), strings.ToLower(y))
	})
	for _, tag := range types {
		t, ok := b.rules[tag]
		if !ok {
			continue
		}
		for i, e := range byTag[tag] {
			r := b.read(e, t)
			if r == nil {
				b.dropFrom(byTag[tag][i:], t)
				break
			}
			if !b.store(r) {
				b.drop(e, e, t, DropCollision)
			}
		}
	}
}

// dropFrom drops an incomplete element and those behind it.
func (b *builder) dropFrom(list []Element, t *Type) {
	b.drop(list[0], list[0], t, DropIncomplete)
	for _, e := range list[1:] {
		b.drop(e, list[0], t, DropBehind)
	}
}

// children reads what stands below an element: first the types that the parent's metadata lists, in its order, then
// the others. Each list ends at an incomplete element.
func (b *builder) children(parent *Instance, e Element) []*Instance {
	all := e.Children()
	var out []*Instance
	var listed []Child
	if parent != nil {
		listed = parent.Type.Children
	}
	for _, c := range listed {
		t, ok := b.rules[c.Type]
		if !ok || c.Forbid {
			continue
		}
		for i, x := range all {
			if x.Tag() != c.Type {
				continue
			}
			inst, more := b.load(parent, x, t)
			if !more {
				b.dropFrom(slices.DeleteFunc(slices.Clone(all[i:]), func(y Element) bool { return y.Tag() != c.Type }), t)
				break
			}
			out = appendInstance(out, inst)
		}
	}
	for i, x := range all {
		t, skip := b.untyped(parent, x)
		if skip {
			continue
		}
		inst, more := b.load(parent, x, t)
		if !more {
			b.drop(x, x, t, DropIncomplete)
			for _, y := range all[i+1:] {
				if t, skip := b.untyped(parent, y); !skip {
					b.drop(y, x, t, DropBehind)
				}
			}
			break
		}
		out = appendInstance(out, inst)
	}
	return out
}

func appendInstance(list []*Instance, i *Instance) []*Instance {
	if i == nil {
		return list
	}
	return append(list, i)
}

// untyped gives the type of an element that the parent's metadata does not list. skip: there is none.
func (b *builder) untyped(parent *Instance, e Element) (t *Type, skip bool) {
	t, ok := b.folded[strings.ToLower(e.Tag())]
	if !ok {
		return nil, true
	}
	if parent == nil {
		return t, false
	}
	c, listed := parent.Type.child(e.Tag())
	if listed && c.Forbid {
		b.drop(e, e, t, DropForbidden)
	}
	return t, listed
}

// load makes an instance of an element, nil where it is dropped. more is false where the manager reads no further.
func (b *builder) load(parent *Instance, e Element, t *Type) (inst *Instance, more bool) {
	var res *resource
	if ref, ok := e.Attr("ref"); ok {
		res = b.byRef[refKey{t.Name, ref}]
		if res == nil || res.inline {
			why := DropNoResource
			if res != nil {
				why = DropInline
			}
			b.drop(e, e, t, why)
			return nil, true
		}
	} else {
		if res = b.read(e, t); res == nil {
			return nil, false
		}
		res.inline = true
		if !b.store(res) {
			b.drop(e, e, t, DropCollision)
			return nil, true
		}
	}
	if t.MaxInstances > 0 && res.refs >= t.MaxInstances {
		b.drop(e, e, t, DropInstances)
		return nil, true
	}
	res.refs++
	inst = &Instance{Type: t, Actions: res.actions, Parent: parent, Element: e, res: res, tree: b.Tree, n: b.instances}
	b.instances++
	inst.readFlags()
	inst.Values = inst.resolve()
	if len(e.n.children) > 0 {
		inst.Children = b.children(inst, e)
	}
	return inst, true
}

// read takes the values of an element. nil: it is incomplete.
func (b *builder) read(e Element, t *Type) *resource {
	r := &resource{typ: t, element: e, values: make([]setting, 0, len(t.Params))}
	for i := range t.Params {
		p := &t.Params[i]
		v, ok := e.Attr(p.Name)
		switch {
		case ok:
			r.values = append(r.values, setting{p, v, false})
		case p.Primary || p.Required:
			return nil
		case p.Inherit != "":
			r.values = append(r.values, setting{p, p.Inherit, true})
		case p.HasDefault:
			r.values = append(r.values, setting{p, p.Default, false})
		}
	}
	if t.Partial {
		r.values = append(r.values, undeclared(e, t)...)
	}
	if len(r.values) == 0 {
		return nil
	}
	r.id = t.Name + ":" + r.values[0].value
	r.actions = override(t.Actions, e)
	return r
}

func undeclared(e Element, t *Type) (out []setting) {
	for _, a := range e.n.attrs {
		if _, declared := t.Param(a.name); declared || a.name == "ref" || strings.HasPrefix(a.name, "__") {
			continue
		}
		v, _ := e.Attr(a.name) // it is there
		out = append(out, setting{&Param{Name: a.name}, v, false})
	}
	return out
}

// store takes a resource unless one of its type has the same primary or unique value.
func (b *builder) store(r *resource) bool {
	var few [4]uniqueKey
	keys := few[:0]
	for _, s := range r.values {
		if s.param.Primary || s.param.Unique {
			keys = append(keys, uniqueKey{r.typ, s.param.Name, s.value})
		}
	}
	for _, k := range keys {
		if b.seen[k] {
			return false
		}
	}
	for _, k := range keys {
		b.seen[k] = true
	}
	r.n = len(b.resources)
	b.resources = append(b.resources, r)
	if r.values[0].param.Primary {
		b.byRef[refKey{r.typ.Name, r.values[0].value}] = r
	}
	return true
}
