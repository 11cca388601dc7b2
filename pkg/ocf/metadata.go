package ocf

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Metadata is what an agent says of itself, read as rgmanager reads it.
type Metadata struct {
	Name    string // the type of its resources
	Version string
	Short   string
	Long    string
	Params  []Param
	Actions []Action
	// What rgmanager keeps of a type.
	MaxInstances    int
	InitOnAdd       bool // stop it where it is new in the configuration
	DestroyOnDelete bool // stop it where it was taken out of the configuration
	raw             []byte
}

// Param is one parameter.
type Param struct {
	Name                                string
	Primary, Required, Unique, Reconfig bool
	Inherit                             string // "attr" or "type%attr" of the parent
	Type                                string // string, integer or boolean
	Default                             string
	HasDefault                          bool // an empty default is a value
	Short, Long                         string
}

// Action is one action that a manager may call.
type Action struct {
	Name     string
	Timeout  time.Duration // 0 is none
	Interval time.Duration
	Depth    int
}

// XML is the text that was parsed, byte for byte.
func (m *Metadata) XML() []byte { return append([]byte(nil), m.raw...) }

// Param finds a parameter.
func (m *Metadata) Param(name string) (Param, bool) {
	for _, p := range m.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// Primary is the parameter that names a resource: the one so marked, else the first.
func (m *Metadata) Primary() (Param, bool) {
	for i := range m.Params {
		if m.Params[i].Primary {
			return m.Params[i], true
		}
	}
	if len(m.Params) > 0 {
		return m.Params[0], true
	}
	return Param{}, false
}

// Action finds an action: that of the depth, else the one of the greatest lesser depth, else any.
func (m *Metadata) Action(name string, depth int) (Action, bool) {
	var best Action
	found := false
	for _, a := range m.Actions {
		if a.Name == name && (!found || (a.Depth <= depth && (best.Depth > depth || a.Depth > best.Depth))) {
			best, found = a, true
		}
	}
	return best, found
}

// ParseMetadata reads an agent's metadata. It refuses what would make rgmanager drop the type or crash.
func ParseMetadata(text []byte) (*Metadata, error) {
	m, x, err := parseMetadata(text, true)
	if err != nil {
		return nil, err
	}
	m.raw = append([]byte(nil), text...)
	m.Short, m.Long = oneLine(x.first("shortdesc").text), oneLine(x.first("longdesc").text)
	for i, p := range x.first("parameters").all("parameter") { // each of them is one of m.Params
		m.Params[i].Short, m.Params[i].Long = oneLine(p.first("shortdesc").text), oneLine(p.first("longdesc").text)
	}
	return m, nil
}

// parseMetadata is ParseMetadata without the texts for humans, which no action needs. It gives the document as well,
// in which they are if texts says so.
func parseMetadata(text []byte, texts bool) (*Metadata, *element, error) {
	x, err := readXML(text, texts)
	if err != nil {
		return nil, nil, fmt.Errorf("reading metadata: %w", err)
	}
	m, err := metadataOf(x)
	return m, x, err
}

func metadataOf(x *element) (*Metadata, error) {
	if x.name != "resource-agent" {
		return nil, fmt.Errorf("reading metadata: the document is a <%s> and no <resource-agent>", x.name)
	}
	if space, ok := x.attr("xmlns"); ok {
		return nil, fmt.Errorf("reading metadata: resource-agent is in the namespace %q", space)
	}
	m := &Metadata{InitOnAdd: true, DestroyOnDelete: true}
	m.Name, _ = x.attr("name")
	m.Version, _ = x.attr("version")
	if m.Name == "" || strings.EqualFold(m.Name, "action") {
		return nil, fmt.Errorf("reading metadata: %q cannot be the name of a type", m.Name)
	}
	params, actions := x.first("parameters"), x.first("actions")
	m.Params, m.Actions = make([]Param, 0, params.count()), make([]Action, 0, actions.count())
	for p := params.kids; p != nil; p = p.next {
		if p.name != "parameter" {
			continue
		}
		if err := m.addParam(p); err != nil {
			return nil, fmt.Errorf("reading metadata of %q: %w", m.Name, err)
		}
	}
	for a := actions.kids; a != nil; a = a.next {
		if a.name != "action" {
			continue
		}
		if err := m.addAction(a); err != nil {
			return nil, fmt.Errorf("reading metadata of %q: %w", m.Name, err)
		}
	}
	if len(m.Actions) == 0 {
		return nil, fmt.Errorf("reading metadata of %q: it declares no action", m.Name)
	}
	for s := x.kids; s != nil; s = s.next {
		if tag, _ := s.attr("tag"); s.name != "special" || tag != "rgmanager" {
			continue
		}
		kept := s.first("attributes")
		if v, ok := kept.attr("maxinstances"); ok {
			m.MaxInstances = max(0, atoi(v))
		}
		if v, ok := kept.attr("init_on_add"); ok {
			m.InitOnAdd = atoi(v) != 0
		}
		if v, ok := kept.attr("destroy_on_delete"); ok {
			m.DestroyOnDelete = atoi(v) != 0
		}
	}
	return m, nil
}

func (m *Metadata) addParam(x *element) error {
	var p Param
	p.Name, _ = x.attr("name")
	if p.Name == "" {
		return errors.New("a parameter has no name")
	}
	if _, ok := m.Param(p.Name); ok {
		return fmt.Errorf("parameter %q stands twice", p.Name)
	}
	p.Primary, p.Required = truth(x, "primary"), truth(x, "required")
	p.Unique, p.Reconfig = truth(x, "unique"), truth(x, "reconfig")
	p.Inherit, _ = x.attr("inherit")
	if p.Inherit != "" && (p.Primary || p.Unique || p.Required) {
		return fmt.Errorf("parameter %q cannot inherit and be primary, unique or required", p.Name)
	}
	if old, ok := m.Primary(); ok && old.Primary && p.Primary {
		return fmt.Errorf("parameters %q and %q are both primary", old.Name, p.Name)
	}
	content := x.first("content")
	p.Type, _ = content.attr("type")
	p.Default, p.HasDefault = content.attr("default")
	m.Params = append(m.Params, p)
	return nil
}

func (m *Metadata) addAction(x *element) error {
	var a Action
	a.Name, _ = x.attr("name")
	if a.Name == "" {
		return errors.New("an action has no name")
	}
	for _, d := range []struct {
		name string
		to   *time.Duration
	}{{"timeout", &a.Timeout}, {"interval", &a.Interval}} {
		v, ok := x.attr(d.name)
		if !ok {
			continue
		}
		t, err := expandTime(v)
		if err != nil {
			return fmt.Errorf("%s of action %q: %w", d.name, a.Name, err)
		}
		*d.to = t
	}
	if v, ok := x.attr("depth"); ok {
		a.Depth = max(0, atoi(v))
	}
	for _, b := range m.Actions {
		if a.Name == b.Name && a.Depth == b.Depth {
			return fmt.Errorf("action %q of depth %d stands twice", a.Name, a.Depth)
		}
	}
	m.Actions = append(m.Actions, a)
	return nil
}

// oneLine is a text of the XML without its layout.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// truth reads a boolean attribute as rgmanager does: "true" is false.
func truth(x *element, name string) bool {
	v, _ := x.attr(name)
	return atoi(v) != 0 || strings.HasPrefix(v, "y")
}

// atoi is C's: it reads as far as there are digits.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	n := 0
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1<<27; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return sign * n
}

// maxSeconds bounds every duration of a manager: a hundred years.
const maxSeconds = 100 * 31536000

// expandTime reads rgmanager's durations: digits with an optional s, m, h, d, w or y, summed ("1h30m").
func expandTime(s string) (time.Duration, error) {
	var total, n int64
	digits := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' {
			n, digits = n*10+int64(c-'0'), true
			if n > maxSeconds {
				return 0, fmt.Errorf("%q is too long", s)
			}
			continue
		}
		unit := int64(0)
		switch c {
		case 's', 'S':
			unit = 1
		case 'm', 'M':
			unit = 60
		case 'h', 'H':
			unit = 3600
		case 'd', 'D':
			unit = 86400
		case 'w', 'W':
			unit = 604800
		case 'y', 'Y':
			unit = 31536000
		}
		if unit == 0 || !digits {
			return 0, fmt.Errorf("%q is not a time such as 30, 30s or 1h30m", s)
		}
		total, n, digits = total+n*unit, 0, false
		if total > maxSeconds {
			return 0, fmt.Errorf("%q is too long", s)
		}
	}
	if digits {
		total += n
	} else if s == "" {
		return 0, errors.New("it is empty")
	}
	return time.Duration(total) * time.Second, nil
}
