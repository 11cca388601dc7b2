package cluster

import (
	"encoding/xml"
	"fmt"
)

// branch is a resource with all that it holds: a primitive, a template, a group, a clone, a bundle.
type branch struct {
	XMLName xml.Name
	primitive
	Inner []branch `xml:",any"`
}

// nested is a primitive, however nested, with what stands in the section resources and holds it.
type nested struct {
	primitive
	service string // "primitive:web1", "clone:c"
}

func branches(text []byte) ([]branch, error) {
	var d struct {
		Resources struct {
			Inner []branch `xml:",any"`
		} `xml:"configuration>resources"`
	}
	if err := xml.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%w: %w in %s", ErrAnswer, err, quoteStart(string(text)))
	}
	return d.Resources.Inner, nil
}

func (b branch) each(do func(branch)) {
	do(b)
	for _, x := range b.Inner {
		x.each(do)
	}
}

// shares are what primitives may take from elsewhere: templates, and sets by their ids.
type shares struct {
	templates map[string]primitive
	sets      map[string]nvpairs
}

func sharesOf(all []branch) shares {
	s := shares{map[string]primitive{}, map[string]nvpairs{}}
	for _, top := range all {
		top.each(func(b branch) {
			if b.XMLName.Local == "template" {
				s.templates[b.ID] = b.primitive
			}
			for _, list := range [][]nvpairs{b.Params, b.Meta} {
				for _, x := range list {
					if x.ID != "" {
						s.sets[x.ID] = x
					}
				}
			}
		})
	}
	return s
}

// complete puts into a primitive what it takes from elsewhere. Its own sets come first, as with Pacemaker.
func (s shares) complete(p primitive) primitive {
	refer := func(list []nvpairs) (out []nvpairs) {
		for _, x := range list {
			if there, ok := s.sets[x.Ref]; ok && x.Ref != "" {
				x = there
			}
			out = append(out, x)
		}
		return out
	}
	p.Params, p.Meta = refer(p.Params), refer(p.Meta)
	if t, ok := s.templates[p.Template]; ok && p.Template != "" {
		p.Class, p.Provider, p.Type = t.Class, t.Provider, t.Type
		p.Params, p.Meta = append(p.Params, refer(t.Params)...), append(p.Meta, refer(t.Meta)...)
		p.Ops = append(p.Ops, t.Ops...)
	}
	return p
}

// complete does so with all primitives that are read.
func (c *cib) complete(text []byte) error {
	all, err := branches(text)
	if err != nil {
		return err
	}
	s := sharesOf(all)
	for i, p := range c.Single {
		c.Single[i] = s.complete(p)
	}
	for _, g := range c.Groups {
		for i, p := range g.Primitives {
			g.Primitives[i] = s.complete(p)
		}
	}
	return nil
}

// everywhere are all primitives of a configuration, however nested.
func everywhere(text []byte) ([]nested, error) {
	all, err := branches(text)
	if err != nil {
		return nil, err
	}
	s := sharesOf(all)
	var out []nested
	for _, top := range all {
		top.each(func(b branch) {
			if b.XMLName.Local == "primitive" {
				out = append(out, nested{s.complete(b.primitive), top.XMLName.Local + ":" + top.ID})
			}
		})
	}
	return out, nil
}
