package ccs

import "slices"

// with gives the rules with the defaults that <resource-defaults> of a document sets: <service recovery="relocate"/> in it
// is the default of every service. They are none for primary and unique parameters; an inherited one is not inherited
// any more. So one line of it changes all resources of its type.
//
// Facts: load_defaults in rgmanager's reslist.c (cluster 3), which RHEL 5 does not have.
func (r Rules) with(defaults []Element) Rules {
	out := Rules{}
	seen := map[[2]string]bool{} // of two for one parameter the first counts
	for _, block := range defaults {
		for _, e := range block.Children() {
			t, ok := r[e.Tag()] // letter by letter
			if !ok {
				continue
			}
			if out[t.Name] == nil {
				c := *t
				c.Params = slices.Clone(t.Params)
				out[t.Name] = &c
			}
			for _, a := range e.Attrs() {
				if key := [2]string{t.Name, a.Name}; !seen[key] {
					seen[key] = true
					out[t.Name].setDefault(a)
				}
			}
		}
	}
	if len(out) == 0 {
		return r
	}
	for name, t := range r {
		if out[name] == nil {
			out[name] = t
		}
	}
	return out
}

func (t *Type) setDefault(a Attr) {
	i := slices.IndexFunc(t.Params, func(p Param) bool { return p.Name == a.Name })
	switch {
	case i < 0 && t.Partial:
		t.Params = append(t.Params, Param{Name: a.Name, Default: a.Value, HasDefault: true})
	case i < 0 || t.Params[i].Primary || t.Params[i].Unique || t.Params[i].Inherit == a.Value:
	default:
		t.Params[i].Inherit, t.Params[i].Default, t.Params[i].HasDefault = "", a.Value, true
	}
}

// defaults checks <resource-defaults>.
func (c *checker) defaults(rm Element) {
	for _, block := range rm.named("resource-defaults") {
		for _, e := range block.Children() {
			t := c.of(e.Tag())
			if t == nil || t.Name != e.Tag() {
				c.unknown(e, t, "<resource-defaults>")
				continue
			}
			for _, a := range e.Attrs() {
				p, declared := t.Param(a.Name)
				switch {
				case declared && (p.Primary || p.Unique):
					c.add(Warning, e, "the manager reads no default for what makes a resource one of its own", "%s of <%s> in <resource-defaults>", a.Name, e.Tag())
				case !declared && !t.Partial && c.installed:
					c.add(Warning, e, "the manager drops attributes that the agent does not declare", "%s is no attribute of <%s>", a.Name, e.Tag())
				}
			}
		}
	}
}
