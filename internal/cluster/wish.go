package cluster

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// wish is the constraint of a move of ours: it prefers the target until it ends. It has the id and the words of one that
// `crm_resource --move --lifetime` lays, so that an administrator sees it where he looks for such, and `crm_resource --clear`
// takes it away. It is not laid by that command, which takes a ban of the target away with it, nor taken away by --clear, which
// does the same: both go by a patch for the version that was read.
type wish struct{ resource, target, end string }

func newWish(resource, target string, now time.Time) wish {
	return wish{resource, target, now.Add(lifetime).UTC().Format("2006-01-02 15:04:05Z")}
}

func (w wish) id() string { return "cli-prefer-" + w.resource }

func (w wish) markup() string {
	attr := func(list ...string) (out []ccs.Attr) {
		for i := 0; i+1 < len(list); i += 2 {
			out = append(out, ccs.Attr{Name: list[i], Value: list[i+1]})
		}
		return out
	}
	return ccs.Markup("rsc_location", attr("id", w.id(), "rsc", w.resource),
		ccs.Markup("rule", attr("id", "cli-prefer-rule-"+w.resource, "score", "INFINITY", "boolean-op", "and"),
			ccs.Markup("expression", attr("id", "cli-prefer-expr-"+w.resource, "attribute", "#uname", "operation", "eq", "value", w.target, "type", "string")),
			ccs.Markup("date_expression", attr("id", "cli-prefer-lifetime-end-"+w.resource, "operation", "lt", "end", w.end))))
}

// among gives the place of that very constraint, -1 if another one or none bears its id.
func (w wish) among(all []element) int {
	return slices.IndexFunc(all, func(x element) bool { return x.id == w.id() && sameXML(x.text, []byte(w.markup())) })
}

// lay is the edit that lays it, in the place of one that a killed mover has left. What an administrator has laid since the
// resource was looked at is not touched: a ban of the target, and a move of his own.
func (w wish) lay(c CIB, now time.Time) (Edit, error) {
	e := Edit{from: c.version, text: c.text}
	s, err := elements(c.text, "constraints")
	if err != nil || w.among(s.children) >= 0 {
		return e, err
	}
	if held(asIfStarted(c.text, now), w.resource) {
		return e, fmt.Errorf("%w: an administrator's constraint, %s, has come meanwhile", ErrDependency, w.id())
	}
	for _, x := range s.children {
		switch {
		case x.id == w.id():
			if err := e.drop("constraints", x.name, x.id); err != nil {
				return e, err
			}
		case strings.HasPrefix(x.id, "cli-ban-"+w.resource+"-on-") && x.about[w.target] && !over(x.text, now):
			return e, fmt.Errorf("%w: an administrator's constraint, %s, has come meanwhile", ErrDependency, x.id)
		}
	}
	return e, e.create("constraints", w.markup())
}

// over tells whether the lifetime of a constraint (crm_resource --lifetime) has ended: Pacemaker leaves it where it is, and goes by
// it no more.
func over(constraint []byte, now time.Time) bool {
	m := regexp.MustCompile(`<date_expression [^>]*\bend="([^"]*)"`).FindSubmatch(constraint)
	if m == nil {
		return false
	}
	at, err := time.Parse("2006-01-02 15:04:05Z07:00", string(m[1]))
	return err == nil && !at.After(now)
}

// takeAway is the edit that takes that very constraint away, and nothing where it is gone or another one stands in its place.
func (w wish) takeAway(c CIB) (Edit, error) {
	e := Edit{from: c.version, text: c.text}
	s, err := elements(c.text, "constraints")
	if err != nil {
		return e, err
	}
	if at := w.among(s.children); at >= 0 {
		err = e.drop("constraints", s.children[at].name, w.id())
	}
	return e, err
}

// edit changes Pacemaker's configuration on behalf of a request.
func (m *pacemaker) edit(ctx context.Context, op string, edit func(CIB) (Edit, error)) error {
	_, err := EditCIB(ctx, m.host, m.run, false, edit)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrCIB):
		return &Refusal{Op: op, By: "cibadmin", Text: flat(err.Error()), Unchanged: true, Why: reason(err)}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// reason is the manager's reason in an error.
func reason(err error) error {
	for _, why := range []error{ErrDependency, ErrNoService, errRole, run.ErrNotFound} {
		if errors.Is(err, why) {
			return why
		}
	}
	return ErrFailed
}

// sameXML tells whether two elements say the same: blanks between elements and the order of attributes mean nothing.
func sameXML(a, b []byte) bool {
	x, err1 := plainXML(a)
	y, err2 := plainXML(b)
	return err1 == nil && err2 == nil && x == y
}

// plainXML writes markup in one way.
func plainXML(text []byte) (string, error) {
	var b strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch x := t.(type) {
		case xml.StartElement:
			var all []string
			for _, a := range x.Attr {
				all = append(all, fmt.Sprintf(" %s=%q", a.Name.Local, a.Value))
			}
			slices.Sort(all)
			b.WriteString("<" + x.Name.Local + strings.Join(all, "") + ">")
		case xml.EndElement:
			b.WriteString("</" + x.Name.Local + ">")
		case xml.CharData:
			b.WriteString(strings.TrimSpace(string(x)))
		}
	}
}
