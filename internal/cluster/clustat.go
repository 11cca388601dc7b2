package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// report is what `clustat -x` prints.
type report struct {
	note     string // text in front of the XML: why there are no states
	quorate  bool
	managed  bool // the manager answers on this node
	members  []Member
	groups   []group
	hasGroup bool // a <groups> section is there
	names    map[string]bool
}

type group struct {
	id               string
	state            State
	frozen, partial  bool
	owner, lastOwner string
	since            time.Time
}

// parseClustat reads the output of `clustat -x`. clustat escapes nothing: a value ends at the quote behind which
// the next attribute or the end of the tag follows, and entities are plain text. All that the caller relies on
// must be there.
func parseClustat(text string) (report, error) {
	r := report{names: map[string]bool{}}
	start := strings.Index(text, "<?xml")
	if start < 0 {
		if start = strings.Index(text, "<clustat"); start < 0 {
			return r, fmt.Errorf("%w: no XML in %s", ErrAnswer, quoteStart(text))
		}
	}
	r.note = strings.TrimSpace(text[:start])
	rest := text[start:]
	seen := map[string]bool{}
	attrs := map[string]string{} // of the tag at hand
	for {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		t, after, err := readTag(rest[i:], attrs)
		if err != nil {
			return r, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		rest = after
		seen[t.name] = true
		if err := r.take(t); err != nil {
			return r, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
	}
	for _, need := range []string{"clustat", "quorum", "nodes", "/clustat"} {
		if !seen[need] {
			return r, fmt.Errorf("%w: <%s> is missing", ErrAnswer, need)
		}
	}
	if r.hasGroup && !seen["/groups"] {
		return r, fmt.Errorf("%w: </groups> is missing", ErrAnswer)
	}
	return r, nil
}

func (r *report) take(t tag) error {
	var err error
	switch t.name {
	case "quorum":
		if r.quorate, err = t.flag("quorate"); err == nil {
			r.managed, err = t.flag("groupmember")
		}
	case "node":
		err = r.takeNode(t)
	case "groups":
		r.hasGroup = true
	case "group":
		err = r.takeGroup(t)
	}
	return err
}

func (r *report) takeNode(t tag) error {
	if t.attrs["qdisk"] == "1" {
		return nil // the quorum disk is listed as a node
	}
	m := Member{Name: t.attrs["name"]}
	if m.Name == "" {
		return fmt.Errorf("a node without a name")
	}
	var err error
	for _, f := range []struct {
		attr string
		to   *bool
		must bool
	}{{"state", &m.Online, true}, {"local", &m.Local, true}, {"rgmanager", &m.Manager, true}, {"estranged", &m.Estranged, false}} {
		if _, there := t.attrs[f.attr]; !there && !f.must {
			continue
		}
		if *f.to, err = t.flag(f.attr); err != nil {
			return fmt.Errorf("node %q: %w", m.Name, err)
		}
	}
	if id := t.attrs["nodeid"]; id != "" {
		if _, err := strconv.ParseUint(id, 0, 32); err != nil {
			return fmt.Errorf("node %q: nodeid=%q is no number", m.Name, id)
		}
	}
	for _, old := range r.members {
		if old.Name == m.Name {
			return fmt.Errorf("the node %q stands twice", m.Name)
		}
	}
	r.members = append(r.members, m)
	return nil
}

func (r *report) takeGroup(t tag) error {
	g := group{id: t.attrs["name"], owner: t.attrs["owner"], lastOwner: t.attrs["last_owner"]}
	if typ, name, ok := strings.Cut(g.id, ":"); !ok || typ == "" || name == "" {
		return fmt.Errorf("a group of the name %q", g.id)
	}
	if g.owner == "" {
		return fmt.Errorf("group %q: owner is missing", g.id)
	}
	flags, err := strconv.ParseUint(t.attrs["flags"], 0, 32)
	if err != nil {
		return fmt.Errorf("group %q: flags=%q is no number", g.id, t.attrs["flags"])
	}
	g.frozen, g.partial = flags&1 != 0, flags&2 != 0
	g.state = stateOf(t.attrs["state"], t.attrs["state_str"])
	if g.owner == "unknown" { // a node id that is in no list: where it is cannot be said
		g.owner, g.state = "none", Unknown
	}
	g.owner, g.lastOwner = nobody(g.owner), nobody(g.lastOwner)
	if sec, err := strconv.ParseInt(t.attrs["last_transition"], 10, 64); err == nil && sec > 0 {
		g.since = time.Unix(sec, 0)
	}
	if r.names[g.id] {
		return fmt.Errorf("the group %q stands twice", g.id)
	}
	r.names[g.id] = true
	r.groups = append(r.groups, g)
	return nil
}

func nobody(owner string) string {
	if owner == "none" || owner == "unknown" {
		return ""
	}
	return owner
}

// stateOf believes a state only where its number and its word agree. uninitialized (115) and checking (116) say
// nothing about where a VM is.
func stateOf(number, word string) State {
	for _, s := range [...]struct {
		number, word string
		state        State
	}{
		{"110", "stopped", Stopped}, {"111", "starting", Starting}, {"112", "started", Started}, {"113", "stopping", Stopping}, {"114", "failed", Failed},
		{"117", "recoverable", Recoverable}, {"118", "recovering", Recovering}, {"119", "disabled", Disabled}, {"120", "migrating", Migrating},
	} {
		if s.number == number && s.word == word {
			return s.state
		}
	}
	return Unknown
}

// tag is one piece of markup: name is "clustat" or "/clustat".
type tag struct {
	name  string
	attrs map[string]string
}

// flag reads an attribute that is 0 or 1.
func (t tag) flag(name string) (bool, error) {
	switch t.attrs[name] {
	case "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, fmt.Errorf("<%s>: %s=%q is neither 0 nor 1", t.name, name, t.attrs[name])
}

// readTag reads the markup at the start of s and gives what follows it. The attributes are kept in a map that is used
// again: a cluster may have thousands of services.
func readTag(s string, attrs map[string]string) (tag, string, error) {
	clear(attrs)
	if strings.HasPrefix(s, "<?") {
		_, after, ok := strings.Cut(s, "?>")
		if !ok {
			return tag{}, "", fmt.Errorf("unfinished %s", quoteStart(s))
		}
		return tag{name: "?"}, after, nil
	}
	n := 1 + len(s[1:]) - len(strings.TrimLeft(s[1:], "/abcdefghijklmnopqrstuvwxyz_"))
	t := tag{name: strings.TrimSuffix(s[1:n], "/"), attrs: attrs}
	if n > 1 && s[n-1] == '/' && n > 2 { // <name/>
		n--
	}
	rest := s[n:]
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if after, ok := strings.CutPrefix(rest, "/>"); ok {
			return t, after, nil
		}
		if after, ok := strings.CutPrefix(rest, ">"); ok {
			return t, after, nil
		}
		key, value, ok := strings.Cut(rest, `="`)
		if !ok || !isKey(key) {
			return tag{}, "", fmt.Errorf("unreadable %s", quoteStart(s))
		}
		end := valueEnd(value)
		if end < 0 {
			return tag{}, "", fmt.Errorf("unfinished %s", quoteStart(s))
		}
		if _, again := t.attrs[key]; again {
			return tag{}, "", fmt.Errorf("%s stands twice in %s", key, quoteStart(s))
		}
		t.attrs[key] = value[:end]
		rest = value[end+1:]
	}
}

// valueEnd finds the closing quote: the first behind which an attribute or the end of the tag follows.
func valueEnd(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '\n' && i > 0 {
			return -1 // no value runs over a line
		}
		if s[i] != '"' {
			continue
		}
		after := s[i+1:]
		rest := strings.TrimLeft(after, " \t\r\n")
		if strings.HasPrefix(rest, "/>") || strings.HasPrefix(rest, ">") {
			return i
		}
		if key, _, ok := strings.Cut(rest, `="`); ok && len(rest) < len(after) && isKey(key) {
			return i
		}
	}
	return -1
}

func isKey(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

// quoteStart is the beginning of a text for a message.
func quoteStart(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strconv.Quote(s)
}
