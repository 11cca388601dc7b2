package ccs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSteps(t *testing.T) {
	rules := suiteRules(t)
	tree := func(rm string) *Tree { return parse(t, `<cluster><rm>`+rm+`</rm></cluster>`).ResourceTree(rules) }
	for _, c := range []struct {
		name, before, after, down, up string
		replaced                      bool
	}{
		{"nothing", `<service name="s"/>`, `<service name="s"/>`, "", "", false},
		{"removed", `<service name="s"/>`, ``, "", "", false},
		{"new", ``, `<service name="s"><vm name="v"/></service>`, "", "", false},
		{"changed as a whole", `<service name="s"><vm name="v"/></service>`, `<service name="s" priority="1"><vm name="v"/></service>`, "", "", true},
		{"reconfigured, and so is a child", `<service name="s" domain="1"><vm name="v" domain="1"/></service>`, `<service name="s" domain="2"><vm name="v" domain="2"/></service>`,
			"", "reconfig service:s reconfig vm:v", false},
		{"in the order of the search: what has no level backwards, then by start level", `<service name="s"/>`,
			`<service name="s"><vm name="v"/><trivial name="t"/><script name="x" file="f"/><ip address="1"/></service>`, "", "start trivial:t start vm:v start ip:1 start script:x", false},
		{"that is no stop order either", `<service name="s"><vm name="v"/><trivial name="t"/><script name="x" file="f"/><ip address="1"/></service>`,
			`<service name="s"/>`, "stop trivial:t stop vm:v stop ip:1 stop script:x", "", false},
		{"below a type without listed children in the order of the file", `<trivial name="t"/>`, `<trivial name="t"><vm name="a"/><vm name="b"/></trivial>`, "", "start vm:a start vm:b", false},
		{"what is below a stop or a start goes with it", `<service name="s"><ip address="1"><vm name="v"/></ip></service>`, `<service name="s"><ip address="2"><vm name="v"/></ip></service>`, "stop ip:1", "start ip:2", false},
	} {
		d := Compare(tree(c.before), tree(c.after))
		for _, id := range []string{"service:s", "trivial:t"} {
			if strings.Contains(c.before+c.after, "<service") != (id == "service:s") {
				continue
			}
			down, up := d.Steps(id)
			text := func(steps []Step) string {
				var out []string
				for _, s := range steps {
					out = append(out, s.Action+" "+s.Instance.ID())
				}
				return strings.Join(out, " ")
			}
			if diff := cmp.Diff([]string{c.down, c.up}, []string{text(down), text(up)}); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
			if d.Replaced(id) != c.replaced {
				t.Errorf("%s: replaced %v", c.name, !c.replaced)
			}
		}
	}
}
