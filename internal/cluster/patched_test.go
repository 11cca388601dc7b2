package cluster

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// patched is a cibadmin that makes our patches, as far as they go, for the version that it has.
type patched struct {
	t      *testing.T
	text   string
	before func(n int) // before the patch n, from 1 on
	codes  []int       // of the patches, in their order; then 0
	lost   int         // the patch with that number, and all later ones, are not answered
	arrive bool        // a lost patch has been made all the same
	noBump bool        // nor is --bump
	n      int
}

var (
	versionPattern = regexp.MustCompile(`epoch="(\d+)" num_updates="(\d+)" admin_epoch="(\d+)"`)
	createPattern  = regexp.MustCompile(`<change operation="create" path="/cib/configuration/constraints" position="\d+">(.*?)</change>`)
	deletePattern  = regexp.MustCompile(`<change operation="delete" path="/cib/configuration/constraints/rsc_location\[@id='([^']*)'\]"/>`)
	modifyPattern  = regexp.MustCompile(`<change operation="modify" [^>]*nvpair\[@id='([^']*)'\]"><change-list><change-attr name="value" operation="set" value="([^"]*)"/>`)
	roomPattern    = regexp.MustCompile(`<change operation="create" path="/cib/configuration/resources/(?:[^"]*/)?[a-z_]+\[@id='([^']*)'\]" position="0">(.*?)</change>`)
)

func (p *patched) raise() {
	p.text = versionPattern.ReplaceAllStringFunc(p.text, func(s string) string {
		var epoch, updates, admin int
		if _, err := fmt.Sscanf(s, `epoch="%d" num_updates="%d" admin_epoch="%d"`, &epoch, &updates, &admin); err != nil {
			p.t.Fatal(err)
		}
		return fmt.Sprintf(`epoch="%d" num_updates="0" admin_epoch="%d"`, epoch+1, admin)
	})
}

func (p *patched) edit(old, new string) {
	p.t.Helper()
	if !strings.Contains(p.text, old) {
		p.t.Fatalf("no %s in %s", old, p.text)
	}
	p.text = strings.Replace(p.text, old, new, 1)
	p.raise()
}

func (p *patched) answer(args []string) (run.Result, error) {
	switch args[0] {
	case "--query":
		return run.Result{Stdout: []byte(p.text)}, nil
	case "--bump":
		if p.noBump {
			return run.Result{}, run.ErrDeadline
		}
		p.raise()
		return run.Result{}, nil
	case "--patch":
	default:
		return run.Result{Code: 64}, nil
	}
	p.n++
	if p.before != nil {
		p.before(p.n)
	}
	lost := p.lost > 0 && p.n >= p.lost
	if lost && !p.arrive {
		return run.Result{}, run.ErrDeadline
	}
	v := versionPattern.FindStringSubmatch(p.text)
	if !strings.Contains(args[2], fmt.Sprintf(`<source admin_epoch="%s" epoch="%s" num_updates="%s"/>`, v[3], v[1], v[2])) {
		return run.Result{Code: 103}, nil
	}
	if p.n <= len(p.codes) && p.codes[p.n-1] != 0 {
		return run.Result{Code: p.codes[p.n-1], Stderr: []byte("Call failed: anything")}, nil
	}
	for _, m := range deletePattern.FindAllStringSubmatch(args[2], -1) {
		p.edit(regexp.MustCompile(`(?s)<rsc_location id="`+m[1]+`"[^>]*(/>|[^>/]>.*?</rsc_location>)`).FindString(p.text), "")
	}
	for _, m := range createPattern.FindAllStringSubmatch(args[2], -1) {
		p.edit("</constraints>", m[1]+"</constraints>")
	}
	for _, m := range modifyPattern.FindAllStringSubmatch(args[2], -1) {
		old := regexp.MustCompile(`<nvpair id="` + m[1] + `"[^>]*/>`).FindString(p.text)
		p.edit(old, regexp.MustCompile(`value="[^"]*"`).ReplaceAllString(old, `value="`+m[2]+`"`))
	}
	for _, m := range roomPattern.FindAllStringSubmatch(args[2], -1) {
		old := regexp.MustCompile(`<(primitive|group|meta_attributes) [^>]*id="` + m[1] + `"[^>]*>`).FindString(p.text)
		p.edit(old, old+m[2])
	}
	if lost {
		return run.Result{}, run.ErrDeadline
	}
	return run.Result{}, nil
}

// inWords tells what a patch asks for.
func inWords(patch string) (out []string) {
	for _, m := range createPattern.FindAllStringSubmatch(patch, -1) {
		x := regexp.MustCompile(`rsc="([^"]*)".* value="([^"]*)" type="string"`).FindStringSubmatch(m[1])
		out = append(out, "prefer "+x[1]+" on "+x[2])
	}
	for _, m := range deletePattern.FindAllStringSubmatch(patch, -1) {
		out = append(out, "forget "+m[1])
	}
	for _, m := range modifyPattern.FindAllStringSubmatch(patch, -1) {
		out = append(out, m[1]+"="+m[2])
	}
	for _, m := range roomPattern.FindAllStringSubmatch(patch, -1) {
		out = append(out, m[1]+" "+regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(m[2])[1])
	}
	return out
}
