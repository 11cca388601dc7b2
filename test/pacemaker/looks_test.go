package pacemaker

import (
	"regexp"
	"slices"
	"strings"
)

// looks asks what shows the cluster, its samples and its past.
func (b *bench) looks() {
	b.t.Helper()
	n := b.nodes["node1"]
	for _, x := range []struct {
		want string
		argv []string
	}{
		{"web1", []string{"list", "-o", "json"}},
		{"primitive:web1", []string{"show", "web1"}},
		{"node3", []string{"nodes"}},
		{"node3", []string{"top", "--once"}},
		{"web1", []string{"history"}},
		{"", []string{"eval", "--vm", "web1", "average(res('blocked', 2))"}},
	} {
		out := n.does(append([]string{"lbm"}, x.argv...)...)
		if !strings.Contains(out, x.want) {
			b.t.Fatalf("lbm %q does not tell of %s: %s", x.argv, x.want, out)
		}
	}
	// What is wrong is for it to say: node3 was lost a moment ago, and lblog may be late.
	out, err := n.try("lbm", "status")
	if code := b.code([]string{"lbm", "status"}, out, err); code != 0 && code != 1 && code != 6 || !strings.Contains(out, "node") {
		b.t.Fatalf("lbm status ended with %d: %s", code, out)
	}
	b.say("lbm status:\n%s", out)
	b.examines()
}

// examines has lbm doctor look at what is Pacemaker's: it finds nothing, and then what was done to it.
func (b *bench) examines() {
	b.t.Helper()
	n := b.nodes["node1"]
	finds := func() (out []string) {
		text, err := n.try("lbm", "doctor", "--verbose")
		if code := b.code([]string{"lbm", "doctor"}, text, err); code == 2 || code == 3 {
			b.t.Fatalf("lbm doctor ended with %d: %s", code, text)
		}
		for _, m := range regexp.MustCompile(`\[((cib|fencing|agents|members|identity|names)\.[a-z]+|kvm\.away|kvm\.libvirt)\]`).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		b.say("lbm doctor:\n%s", text)
		return out
	}
	if found := finds(); len(found) > 0 {
		b.t.Fatalf("lbm doctor finds %q on a cluster that is as it should be", found)
	}
	n.does("crm_resource", "--resource", "db1", "--ban", "--node", "node3")
	n.does("crm_attribute", "--name", "no-quorum-policy", "--update", "stop")
	found := finds()
	n.does("crm_attribute", "--name", "no-quorum-policy", "--update", "freeze")
	n.does("crm_resource", "--resource", "db1", "--clear")
	if !slices.Equal(found, []string{"cib.freeze", "cib.left"}) {
		b.t.Fatalf("lbm doctor finds %q", found)
	}
}
