package ccs

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity tells whether a finding stops a write.
type Severity int

// The severities.
const (
	Warning Severity = iota
	Fatal            // the document is not written
)

func (s Severity) String() string {
	if s == Fatal {
		return "error"
	}
	return "warning"
}

// Finding is one thing that is wrong with a document, where, and why it matters.
type Finding struct {
	Severity  Severity
	File      string
	Line, Col int
	Text, Why string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s (%s)", f.File, f.Line, f.Col, f.Severity, f.Text, f.Why)
}

// Release is a release of the cluster suite, for what only one of them minds.
type Release int

// The releases.
const (
	RHEL5 Release = 5 // ccsd hands the file to joining nodes
	RHEL6 Release = 6 // cman_tool validates the file against a schema
)

// Check judges the document by what the cluster's programs do with it. nil rules are DefaultRules; with rules of
// LoadRules it also tells of types that no agent defines, and of attributes that no agent declares. What only
// some releases mind is checked for those that are named; where none is, for all.
func (d *Document) Check(r Rules, on ...Release) []Finding {
	installed := r != nil
	if r == nil {
		r = DefaultRules()
	}
	if len(on) == 0 {
		on = []Release{RHEL5, RHEL6}
	}
	c := checker{d: d, rules: r, installed: installed, on: on, seen: make(map[uniqueKey]int, len(d.all)), defined: map[refKey]Element{}, refs: map[refKey]int{}, domainNames: map[string]bool{}}
	c.file()
	c.carried()
	c.cluster()
	c.nodes()
	c.fencing()
	c.domains()
	c.manager()
	if rm := d.rm(); !rm.IsZero() {
		for _, e := range rm.child("resources").Children() {
			c.define(e)
		}
		c.defaults(rm)
		c.groups(rm)
		c.schema(rm)
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	return c.found
}

type checker struct {
	d           *Document
	rules       Rules
	installed   bool // the rules are those of real agents: what is not in them does not exist
	on          []Release
	found       []Finding
	seen        map[uniqueKey]int  // -> line
	defined     map[refKey]Element // in <resources>
	refs        map[refKey]int
	domainNames map[string]bool // in lower case
	groupIDs    map[string]bool
	types       map[string]*Type
}

func (c *checker) add(s Severity, e Element, why, format string, args ...any) {
	line, col := e.Position()
	c.addAt(s, line, col, why, fmt.Sprintf(format, args...))
}

func (c *checker) addAt(s Severity, line, col int, why, text string) {
	c.found = append(c.found, Finding{s, c.d.name, line, col, text, why})
}

// of gives the type of an element, nil where none is known.
func (c *checker) of(tag string) *Type {
	t, known := c.types[tag]
	if !known {
		if c.types == nil {
			c.types = map[string]*Type{}
		}
		t, _ = c.rules.Find(tag) // nil where there is none
		c.types[tag] = t
	}
	return t
}
