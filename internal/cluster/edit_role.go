package cluster

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// restarting is the target-role of a resource that is stopped for a restart of ours. Pacemaker reads it in any case as Stopped,
// and so do all tools; nobody else writes it in small letters. Whoever disables the resource meanwhile writes another one.
const restarting = "stopped"

// errRole says that somebody else has set the target-role.
var errRole = errors.New("its target-role was set by somebody else")

// setRole is the edit that sets the target-role of a resource or a group, if it is from.
func (c CIB) setRole(resource, to string, from func(role string) bool) (Edit, error) {
	e := Edit{from: c.version, text: c.text}
	s, err := elements(c.text, "resources")
	if err != nil {
		return e, err
	}
	at := slices.IndexFunc(s.children, func(x element) bool { return x.id == resource && (x.name == "primitive" || x.name == "group") })
	if at < 0 {
		return e, ErrNoService
	}
	x := s.children[at]
	set, pair, role, err := findRole(x.text)
	switch {
	case err != nil:
		return e, err
	case !from(role):
		return e, fmt.Errorf("%w: it is %q", errRole, role)
	case role == to:
		return e, nil
	}
	nvpair := func(id string) string {
		return ccs.Markup("nvpair", []ccs.Attr{{Name: "id", Value: id}, {Name: "name", Value: targetRole}, {Name: "value", Value: to}})
	}
	path := fmt.Sprintf("/cib/configuration/resources/%s[@id='%s']", x.name, resource)
	// In the text: cibadmin prints it, so values are in double quotes and hold no ">".
	where, markup := `^<[^>]*[^>/]>`, ""
	switch {
	case pair != "":
		where, markup = `<nvpair [^>]*\bid="`+regexp.QuoteMeta(pair)+`"[^>]*>(\s*</nvpair>)?`, nvpair(pair)
		e.changes = append(e.changes, fmt.Sprintf(`<change operation="modify" path="%s/meta_attributes[@id='%s']/nvpair[@id='%s']"><change-list><change-attr name="value" operation="set" value="%s"/></change-list><change-result>%s</change-result></change>`, path, set, pair, to, markup))
	case set != "":
		where, markup = `<meta_attributes [^>]*\bid="`+regexp.QuoteMeta(set)+`"[^>]*>`, nvpair(set+"-"+targetRole)
		e.changes = append(e.changes, fmt.Sprintf(`<change operation="create" path="%s/meta_attributes[@id='%s']" position="0">%s</change>`, path, set, markup))
	default:
		set = resource + "-meta_attributes"
		markup = ccs.Markup("meta_attributes", []ccs.Attr{{Name: "id", Value: set}}, nvpair(set+"-"+targetRole))
		e.changes = append(e.changes, fmt.Sprintf(`<change operation="create" path="%s" position="0">%s</change>`, path, markup))
	}
	span := regexp.MustCompile(where).FindIndex(x.text)
	if span == nil {
		return e, fmt.Errorf("%w: the %s of %s", ErrAnswer, targetRole, resource)
	}
	begin, end := x.start+span[0], x.start+span[1]
	if pair == "" { // behind an opening tag
		if tag, empty := bytes.CutSuffix(e.text[begin:end], []byte("/>")); empty {
			begin, markup = begin+len(tag), ">"+markup+"</meta_attributes>"
		} else {
			begin = end
		}
	}
	text := append(slices.Clone(e.text[:begin]), markup...)
	e.text = append(text, e.text[end:]...)
	return e, nil
}

const targetRole = "target-role"

// findRole looks for the target-role in a resource's own sets that hold at all times: the ids of the set and of the pair, or of the
// set in which there is room for it.
func findRole(text []byte) (set, pair, role string, err error) {
	var x struct {
		Meta []struct {
			ID   string    `xml:"id,attr"`
			Rule *struct{} `xml:"rule"`
			List []struct {
				ID    string `xml:"id,attr"`
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"nvpair"`
		} `xml:"meta_attributes"`
	}
	if err := xml.Unmarshal(text, &x); err != nil {
		return "", "", "", fmt.Errorf("%w: a resource: %w", ErrAnswer, err)
	}
	for _, m := range x.Meta {
		if m.ID == "" || m.Rule != nil {
			continue
		}
		for _, p := range m.List {
			if p.Name == targetRole && p.ID != "" {
				return m.ID, p.ID, p.Value, nil
			}
		}
		if set == "" { // it may be empty, as a role that was deleted has left it
			set = m.ID
		}
	}
	return set, "", "", nil
}
