package ccs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StatusInterval gives the edit by which the manager checks a resource every interval, at all depths: an
// <action name="status" depth="*" interval="..."/> within the element of the resource (reference: reslist.c,
// store_action). The manager looks no more often than rm's status_poll_interval, 10 seconds by default.
func (d *Document) StatusInterval(resource Element, interval time.Duration) (Edit, error) {
	if interval < time.Second || interval%time.Second != 0 {
		return nil, fmt.Errorf("%s is not a whole number of seconds above 0", interval)
	}
	text := inUnits(interval)
	for _, a := range resource.named("action") {
		name, _ := a.Attr("name")
		depth, _ := a.Attr("depth")
		if name == "status" && depth == "*" {
			return SetAttr{a, "interval", text}, nil
		}
	}
	return Insert{At: resource, Where: Into, XML: Markup("action", []Attr{{"name", "status"}, {"depth", "*"}, {"interval", text}})}, nil
}

// inUnits writes a duration in the manager's words.
func inUnits(d time.Duration) string {
	s := int64(d / time.Second)
	for _, u := range []struct {
		of   int64
		unit string
	}{{3600, "h"}, {60, "m"}} {
		if s%u.of == 0 {
			return strconv.FormatInt(s/u.of, 10) + u.unit
		}
	}
	return strconv.FormatInt(s, 10) + "s"
}

// Resource finds the element that defines a resource of some group, by TYPE:NAME, or by NAME where only one is called
// so. For a reference that is the definition in <resources>: there alone the manager reads actions.
func (d *Document) Resource(name string) (Element, error) {
	typ, want, typed := strings.Cut(name, ":")
	if !typed {
		want = name
	}
	defs := d.definitions()
	var found []Element
	var walk func(Element)
	walk = func(e Element) {
		for _, c := range e.Children() {
			if notGroup(c.Tag()) {
				continue
			}
			if ref, is := c.Attr("ref"); is {
				c = defs[[2]string{c.Tag(), ref}]
			}
			if n, ok := c.Attr(primaryOf(c.Tag())); ok && n == want && (!typed || c.Tag() == typ) && !slices.Contains(found, c) {
				found = append(found, c)
			}
			walk(c)
		}
	}
	walk(d.rm())
	switch len(found) {
	case 0:
		return Element{}, fmt.Errorf("there is no resource %q", name)
	case 1:
		return found[0], nil
	}
	var are []string
	for _, e := range found {
		line, _ := e.Position()
		are = append(are, fmt.Sprintf("<%s> in line %d", e.Tag(), line))
	}
	return Element{}, fmt.Errorf("%q may be any of %s: name one as TYPE:NAME", name, strings.Join(are, ", "))
}
