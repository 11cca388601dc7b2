package ccs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Agent is a file of the agents' folder and what it printed when it was run with meta-data.
type Agent struct {
	Name     string
	Metadata []byte
}

// Agents lists a map from name to metadata in the order of the names.
func Agents(metadata map[string][]byte) []Agent {
	var out []Agent
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		out = append(out, Agent{name, metadata[name]})
	}
	return out
}

// Note is what LoadRules has to say of an agent.
type Note struct {
	Agent   string
	Type    string // "" where it was not found out
	Ignored bool   // the cluster manager does not know the type from this agent
	Text    string
}

func (n Note) String() string {
	if n.Ignored {
		return n.Agent + ": ignored: " + n.Text
	}
	return n.Agent + ": " + n.Text
}

// LoadRules reads the types of all agents as the cluster manager does, and tells which agents it would ignore, and
// why. Of two agents of one type the first counts; the cluster manager takes them in the order in which the
// folder happens to list them, so two are always a mistake.
//
// Facts: load_resource_rules and store_rule in rgmanager's resrules.c.
func LoadRules(agents []Agent) (Rules, []Note) {
	out := Rules{}
	var notes []Note
	for _, a := range agents {
		note := func(typ string, ignored bool, text string) { notes = append(notes, Note{a.Name, typ, ignored, text}) }
		if why := ignoredName(a.Name); why != "" {
			note("", true, why)
			continue
		}
		t, said, err := ParseMetadata(a.Metadata)
		if err != nil {
			note("", true, err.Error())
			continue
		}
		if first, again := out.Find(t.Name); again {
			note(t.Name, true, fmt.Sprintf("the type %q is that of %s already", t.Name, first.Agent))
			continue
		}
		for _, s := range said {
			note(t.Name, false, s)
		}
		t.Agent = a.Name
		out[t.Name] = t
	}
	return out, notes
}

// RunsAsAgent tells whether the cluster manager would run a file of the agents' folder for its metadata, and if
// not, why. mode is that of the file behind a symbolic link.
func RunsAsAgent(name string, mode fs.FileMode) (runs bool, why string) {
	switch {
	case ignoredName(name) != "":
		return false, ignoredName(name)
	case mode.IsDir():
		return false, "a folder"
	case mode&0o111 == 0:
		return false, "not executable"
	}
	return true, ""
}

func ignoredName(name string) string {
	name = path.Base(name)
	if strings.HasSuffix(name, "~") {
		return "a name that ends in ~"
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 && len(name)-i >= 4 && strings.EqualFold(name[i:i+4], ".rpm") {
		return "bad extension " + name[i:]
	}
	return ""
}

// ParseMetadata reads what one agent printed for meta-data, as far as the cluster manager does. An error says why
// the manager does not know the type; the texts beside a type are what else is odd about it.
func ParseMetadata(src []byte) (*Type, []string, error) {
	if len(src) == 0 {
		return nil, nil, errors.New("it prints nothing for meta-data")
	}
	d, err := Parse("meta-data", src)
	if err != nil {
		return nil, nil, err
	}
	root := d.Root()
	if _, spaced := root.Attr("xmlns"); root.Tag() != "resource-agent" || spaced {
		return nil, nil, fmt.Errorf("the root element is not a plain <resource-agent> but <%s>", root.Tag())
	}
	t := &Type{InitOnAdd: true, DestroyOnDelete: true} // what the manager takes where the metadata says nothing
	t.Name, _ = root.Attr("name")
	switch {
	case t.Name == "":
		return nil, nil, errors.New("<resource-agent> has no name")
	case strings.EqualFold(t.Name, "action"):
		return nil, nil, errors.New(`the type "action" is reserved`)
	}
	said := t.readSpecial(special(root))
	said = append(said, t.readActions(root.named("actions"))...)
	if err := t.readParams(root.named("parameters")); err != nil {
		return nil, nil, err
	}
	if t.Primary() == "" {
		said = append(said, "no parameter is primary: references to this type are not found, and it is restarted at every new configuration")
	}
	if len(t.Actions) == 0 {
		said = append(said, "it declares no action: rgmanager crashes when cluster.conf has a resource of this type")
	}
	return t, said, nil
}

func special(root Element) []Element {
	return slices.DeleteFunc(root.named("special"), func(e Element) bool {
		tag, _ := e.Attr("tag") // missing is none
		return tag != "rgmanager"
	})
}

// nth is the attribute of the n-th (from 0) child of that name in the first parent where it has one: the manager
// asks by XPath for `parent/tag[n]/@attr`.
func nth(parents []Element, tag string, n int, attr string) (string, bool) {
	for _, p := range parents {
		if all := p.named(tag); n < len(all) {
			if v, ok := all[n].Attr(attr); ok {
				return v, true
			}
		}
	}
	return "", false
}

func (t *Type) readSpecial(parents []Element) (said []string) {
	number := func(attr string, n int) (int, bool) {
		v, ok := nth(parents, "attributes", n, attr)
		return atoi(v), ok
	}
	if n, ok := number("maxinstances", 0); ok {
		t.MaxInstances = max(n, 0)
	}
	if n, ok := number("init_on_add", 0); ok {
		t.InitOnAdd = n != 0
	}
	if n, ok := number("destroy_on_delete", 0); ok {
		t.DestroyOnDelete = n != 0
	}
	for i := 0; ; i++ {
		typ, ok := nth(parents, "child", i, "type")
		if !ok {
			return said
		}
		get := func(attr string) int {
			v, _ := nth(parents, "child", i, attr) // missing is 0
			return atoi(v)
		}
		c := Child{Type: typ, Start: get("start"), Stop: get("stop"), Forbid: get("forbid") != 0}
		t.Children = append(t.Children, c)
		if ordered := c.Start != 0 || c.Stop != 0; ordered && !c.Forbid && !(level(c.Start) && level(c.Stop)) {
			said = append(said, fmt.Sprintf("children of type %q with start level %d and stop level %d: only 1 to 100 are ever run", c.Type, c.Start, c.Stop))
		}
	}
}

func level(n int) bool { return n >= 1 && n <= 100 }

func (t *Type) readActions(parents []Element) (said []string) {
	for i := 0; ; i++ {
		name, ok := nth(parents, "action", i, "name")
		if !ok {
			return said
		}
		a := Action{Name: name}
		if v, ok := nth(parents, "action", i, "timeout"); ok {
			a.Timeout = ParseDuration(v)
		}
		if v, ok := nth(parents, "action", i, "interval"); ok {
			a.Interval = max(ParseDuration(v), time.Second)
		}
		if v, ok := nth(parents, "action", i, "depth"); ok && checks(name) {
			a.Depth = max(atoi(v), 0)
		}
		at := slices.IndexFunc(t.Actions, func(b Action) bool { return b.Name == a.Name && b.Depth == a.Depth })
		if at < 0 {
			t.Actions = append(t.Actions, a)
			continue
		}
		old := t.Actions[at]
		said = append(said, fmt.Sprintf("Replacing action '%s' depth %d: timeout: %d->%d interval: %d->%d", a.Name, a.Depth,
			seconds(old.Timeout), seconds(a.Timeout), seconds(old.Interval), seconds(a.Interval)))
		t.Actions[at] = a
	}
}

// checks tells which actions have depths.
func checks(action string) bool { return action == "status" || action == "monitor" }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (t *Type) readParams(parents []Element) error {
	for i := 0; ; i++ {
		name, ok := nth(parents, "parameter", i, "name")
		if !ok {
			return nil
		}
		is := func(attr string) bool {
			v, _ := nth(parents, "parameter", i, attr) // missing is no
			return atoi(v) != 0 || strings.HasPrefix(v, "y")
		}
		p := Param{Name: name, Primary: is("primary"), Required: is("required"), Unique: is("unique"), Reconfig: is("reconfig")}
		if p.Primary && t.Primary() != "" {
			return fmt.Errorf("the parameters %q and %q are both primary", t.Primary(), p.Name)
		}
		p.Inherit, ok = nth(parents, "parameter", i, "inherit")
		if ok && (p.Primary || p.Required || p.Unique) {
			return fmt.Errorf("the parameter %q cannot inherit and be primary, unique, or required", p.Name)
		}
		if !ok {
			p.Default, p.HasDefault = nth(contents(parents, i), "content", 0, "default")
		}
		t.Params = append(t.Params, p)
		if last := len(t.Params) - 1; p.Primary { // the manager exchanges it with the first
			t.Params[0], t.Params[last] = t.Params[last], t.Params[0]
		}
	}
}

// contents gives the n-th parameter of each list.
func contents(parents []Element, n int) []Element {
	var out []Element
	for _, p := range parents {
		if all := p.named("parameter"); n < len(all) {
			out = append(out, all[n])
		}
	}
	return out
}
