package conf

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/pkg/syntax"
)

// notify reads who is told of what: names of events, with commas between them, then a command or a URL. No shell reads
// the command, so that quotes and blanks within an argument would not be what they look like.
func (p *mainParser) notify(s Statement) (Notify, bool) {
	words := p.Pieces(s.Key.End, s.Value.End, "")
	first := slices.IndexFunc(words, func(w Value) bool { return strings.HasPrefix(w.Text, "/") || strings.Contains(w.Text, ":/") })
	const example = "write for example: notify failed, nothing /usr/local/bin/page; or notify all https://HOST/PATH;"
	if first < 0 {
		p.Fail(s.Value.Span, example, "notify needs a command, by its absolute path, or a URL")
		return Notify{}, false
	}
	n := Notify{Span: words[first].Span}
	n.End = words[len(words)-1].End
	if !p.notifyEvents(&n, p.Pieces(s.Key.End, words[first].Start, ","), s.Key) {
		return Notify{}, false
	}
	if !strings.HasPrefix(words[first].Text, "/") {
		n.URL = words[first].Text
		if len(words) > first+1 {
			p.Fail(words[first+1].Span, "take it out: what is sent to a URL is JSON", "nothing stands behind the URL of notify")
			return Notify{}, false
		}
		u, err := url.Parse(n.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			p.Fail(n.Span, example, "this is no http or https URL") // which may hold a password: it is not repeated
			return Notify{}, false
		}
		return n, true
	}
	for _, w := range words[first:] {
		if strings.ContainsAny(w.Text, "'\"`$\\\x00") {
			p.Fail(w.Span, "no shell reads it: write a script that does what you want, and name that", "an argument of notify holds no quotes, $ or \\: %s", w.Text)
			return Notify{}, false
		}
		n.Command = append(n.Command, w.Text)
	}
	return n, true
}

func (p *mainParser) notifyEvents(n *Notify, words []Value, key Value) bool {
	if len(words) == 0 {
		p.Fail(key.Span, "the events are: all "+strings.Join(NotifyEvents(), " "), "notify names no event")
		return false
	}
	ok := true
	for _, w := range words {
		switch {
		case w.Text == "all":
			n.Events = NotifyEvents()
		case !slices.Contains(NotifyEvents(), w.Text):
			hint := "the events are: all " + strings.Join(NotifyEvents(), " ")
			if near := syntax.Nearest(w.Text, append(NotifyEvents(), "all")); near != "" {
				hint = "did you mean " + near + "?"
			}
			p.Fail(w.Span, hint, "unknown event %q", w.Text)
			ok = false
		case !n.Wants(w.Text):
			n.Events = append(n.Events, w.Text)
		}
	}
	return ok
}
