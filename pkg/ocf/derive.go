package ocf

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// PacemakerXML makes metadata in Pacemaker's form out of rgmanager's: a document of OCF 1.0, valid by the ra-api-1.dtd
// that comes with resource-agents. What means something to rgmanager alone is left out: special, primary, reconfig,
// inherit, and the parameters that say how it treats a service (domain, autostart, exclusive, recovery, depend,
// depend_mode, max_restarts, restart_expire_time, priority).
//
// status becomes monitor; migrate becomes migrate_to and migrate_from. Of an agent of OCF 1.0 that declares reload,
// Pacemaker believes that every parameter that is not unique can be changed by it (controld_cib.c:append_restart_list).
// So reload is declared only where that is true: where each of them is marked reconfig.
func PacemakerXML(rgmanager []byte) ([]byte, error) { return derive(rgmanager, false) }

// PacemakerXML11 is PacemakerXML in OCF 1.1 (ClusterLabs' OCF-spec, ra/1.1), where each parameter says by itself
// whether reload-agent can change it. Pacemaker understands that from its version 2.1 on and then sets
// OCF_RA_VERSION_MINOR=1. One document cannot serve both: ra-api-1.dtd refuses what is new, and Pacemaker uses
// reload-agent only of an agent whose version is 1.1 (controld_metadata.c:controld_cache_metadata).
func PacemakerXML11(rgmanager []byte) ([]byte, error) { return derive(rgmanager, true) }

type langText struct{ Lang, Text string }

// langTexts are the texts of a name in an element, as they were laid out.
func langTexts(x *element, name string) []langText {
	var out []langText
	for _, t := range x.all(name) {
		lang, _ := t.attr("lang")
		out = append(out, langText{lang, t.text})
	}
	return out
}

func derive(rgmanager []byte, eleven bool) ([]byte, error) {
	m, x, err := parseMetadata(rgmanager, true)
	if err != nil {
		return nil, err
	}
	d := derivation{m: m, eleven: eleven}
	d.line(0, `<?xml version="1.0"?>`)
	standard := "1.0"
	if eleven {
		standard = "1.1"
	} else {
		d.line(0, `<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">`)
	}
	own := strings.TrimSpace(x.first("version").text)
	if own == "" {
		own = "1.0"
	}
	d.line(0, `<resource-agent%s%s>`, pair("name", m.Name), pair("version", own))
	d.line(1, `<version>%s</version>`, standard)
	short := texts(langTexts(x, "shortdesc"), m.Name)
	long := texts(langTexts(x, "longdesc"), short[0].Text)
	if !eleven { // its DTD allows one of each
		short, long = short[:1], long[:1]
	}
	d.texts(1, "longdesc", long)
	d.texts(1, "shortdesc", short)
	d.line(1, `<parameters>`)
	for i, described := range x.first("parameters").all("parameter") { // each of them is one of m.Params
		if p := m.Params[i]; !policy(p.Name) {
			short := texts(langTexts(described, "shortdesc"), p.Name)
			d.param(p, short, texts(langTexts(described, "longdesc"), short[0].Text))
		}
	}
	d.line(1, `</parameters>`)
	d.line(1, `<actions>`)
	d.actions()
	d.line(1, `</actions>`)
	d.line(0, `</resource-agent>`)
	return d.out.Bytes(), nil
}

// derivation is a document that is being written.
type derivation struct {
	m      *Metadata
	eleven bool
	out    bytes.Buffer
}

func (d *derivation) line(depth int, format string, a ...any) {
	d.out.WriteString(strings.Repeat("    ", depth))
	fmt.Fprintf(&d.out, format, a...)
	d.out.WriteByte('\n')
}

// texts writes one element for each language.
func (d *derivation) texts(depth int, element string, all []langText) {
	for _, t := range all {
		lines := strings.Split(t.Text, "\n")
		if element == "shortdesc" || len(lines) == 1 && len(t.Text) < 80 {
			d.line(depth, `<%s%s>%s</%[1]s>`, element, pair("lang", t.Lang), escape(strings.Join(strings.Fields(t.Text), " ")))
			continue
		}
		d.line(depth, `<%s%s>`, element, pair("lang", t.Lang))
		for _, l := range lines {
			if l == "" {
				d.out.WriteByte('\n')
				continue
			}
			d.line(depth+1, `%s`, escape(l))
		}
		d.line(depth, `</%s>`, element)
	}
}

func (d *derivation) param(p Param, short, long []langText) {
	attrs := pair("name", p.Name)
	switch {
	case !d.eleven:
		attrs += flag("unique", single(p)) + flag("required", p.Required || p.Primary)
	default:
		if single(p) { // a group of its own: no two resources share this one value
			attrs += pair("unique-group", p.Name)
		}
		attrs += flag("required", p.Required || p.Primary) + flag("reloadable", p.Reconfig)
	}
	content := pair("type", contentType(p.Type))
	if p.HasDefault {
		content += pair("default", p.Default)
	}
	d.line(2, `<parameter%s>`, attrs)
	d.texts(3, "longdesc", long)
	d.texts(3, "shortdesc", short)
	d.line(3, `<content%s/>`, content)
	d.line(2, `</parameter>`)
}

// reloadTimeout is what Pacemaker gives an action of which nobody says more.
const reloadTimeout = 20 * time.Second

func (d *derivation) actions() {
	described := false
	reload := reloadTimeout
	for _, a := range d.m.Actions {
		switch a.Name {
		case "start", "stop", "recover", actionValidate:
			d.action(a.Name, a.Timeout, "")
		case actionMetaData:
			described = true
			d.action(a.Name, a.Timeout, "")
		case monitorOf(d.m):
			more := ""
			if a.Interval > 0 {
				more = pair("interval", inSeconds(a.Interval))
			}
			d.action("monitor", a.Timeout, more+pair("depth", fmt.Sprint(a.Depth)))
		case "migrate":
			d.action("migrate_to", a.Timeout, "")
			d.action("migrate_from", a.Timeout, "")
		case "reconfig":
			reload = a.Timeout
		}
	}
	switch {
	case d.eleven && reloadable(d.m):
		d.action("reload-agent", reload, "")
	case !d.eleven && allReloadable(d.m):
		d.action("reload", reload, "")
	}
	if !described {
		d.action(actionMetaData, 5*time.Second, "")
	}
}

func (d *derivation) action(name string, timeout time.Duration, more string) {
	d.line(2, `<action%s%s%s/>`, pair("name", name), pair("timeout", inSeconds(timeout)), more)
}

func inSeconds(t time.Duration) string { return fmt.Sprintf("%ds", int64(t/time.Second)) }

// single tells whether no two resources may have the same value. That is so of whatever names one.
func single(p Param) bool { return p.Unique || p.Primary }

// contentType is a type that OCF knows.
func contentType(t string) string {
	if t == "integer" || t == "boolean" {
		return t
	}
	return "string"
}

// monitorOf is the action that answers monitor. rgmanager's own monitor is never called by it and means the same.
func monitorOf(m *Metadata) string {
	if _, ok := m.Action("status", 0); ok {
		return "status"
	}
	return "monitor"
}

// reloadable tells whether a parameter may change while the resource runs.
func reloadable(m *Metadata) bool {
	for _, p := range m.Params {
		if p.Reconfig && !policy(p.Name) {
			return true
		}
	}
	return false
}

// allReloadable tells whether every parameter that is not unique may change while the resource runs, and one is there.
func allReloadable(m *Metadata) bool {
	some := false
	for _, p := range m.Params {
		switch {
		case policy(p.Name) || single(p):
		case !p.Reconfig:
			return false
		default:
			some = true
		}
	}
	return some
}

// texts tidies texts: no layout of the XML around their lines. Where there is none it is instead.
func texts(all []langText, instead string) []langText {
	var out []langText
	for _, t := range all {
		t.Text = dedent(t.Text)
		if t.Lang == "" {
			t.Lang = "en"
		}
		if t.Text != "" {
			out = append(out, t)
		}
	}
	if out == nil {
		return []langText{{"en", instead}}
	}
	return out
}

// dedent takes from all lines the space that they share at their beginning, and empty lines at both ends.
func dedent(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\t", "    "), "\n")
	least := -1
	for i, l := range lines {
		l = strings.TrimRight(l, " \r")
		lines[i] = l
		if n := len(l) - len(strings.TrimLeft(l, " ")); l != "" && i > 0 && (least < 0 || n < least) {
			least = n
		}
	}
	lines[0] = strings.TrimLeft(lines[0], " ")
	for i, l := range lines {
		if i > 0 && l != "" {
			lines[i] = l[max(0, least):]
		}
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// pair is an attribute with the space before it.
func pair(name, value string) string { return fmt.Sprintf(` %s="%s"`, name, escape(value)) }

func flag(name string, on bool) string {
	if on {
		return pair(name, "1")
	}
	return pair(name, "0")
}

// escape makes s fit for an attribute in double quotes and for text; a reader gives back the same characters.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;").Replace(s)
}
