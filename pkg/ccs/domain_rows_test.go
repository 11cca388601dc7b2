package ccs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDomainRows asks the file, not a Domain made by hand: each row is a sentence on how rgmanager's fo_domain.c reads
// and scores failover domains.
func TestDomainRows(t *testing.T) {
	const (
		a1, b2 = `<failoverdomainnode name="a" priority="1"/>`, `<failoverdomainnode name="b" priority="2"/>`
		all    = "a b c"
	)
	dom := func(attrs, nodes string) string {
		return `<failoverdomain name="d" ` + attrs + `>` + nodes + `</failoverdomain>`
	}
	for _, c := range []struct {
		says    string
		domains string
		asks    string // the service's domain
		online  string
		owner   string // "" is not started
		want    string // the scores of a, b and c
	}{
		{"a node that is not online may not run it", dom("", a1), "d", "b", "", "illegal best illegal"},
		{"no domain: every node is best", "", "", all, "", "best best best"},
		{"a domain that does not exist: every node is best", dom(`restricted="1"`, a1), "e", all, "", "best best best"},
		{"outside a restricted domain: illegal", dom(`restricted="1"`, a1), "d", all, "", "best illegal illegal"},
		{"also while no member of it is online", dom(`restricted="1"`, a1), "d", "b c", "", "illegal illegal illegal"},
		{"outside, while a member is online: good", dom("", a1), "d", all, "", "best good good"},
		{"outside, while no member is online: best", dom("", a1), "d", "b c", "", "illegal best best"},
		{"the lowest priority of those online is best, others better", dom(`ordered="1"`, a1+b2), "d", all, "", "best better good"},
		{"offline members do not count for it", dom(`ordered="1"`, a1+b2), "d", "b c", "", "illegal best good"},
		{"without order all members are best", dom("", a1+b2), "d", all, "", "best best good"},
		{"ordered=yes is no order", dom(`ordered="yes"`, a1+b2), "d", all, "", "best best good"},
		{"restricted=true is no restriction", dom(`restricted="true"`, a1), "d", all, "", "best good good"},
		{"a flag is any number but 0", dom(`ordered="-1" restricted="2x"`, a1+b2), "d", all, "", "best better illegal"},
		{"a priority over 100 is 0, which goes before 1", dom(`ordered="1"`, a1+`<failoverdomainnode name="b" priority="101"/>`), "d", all, "", "better best good"},
		{"so is one below 1", dom(`ordered="1"`, a1+`<failoverdomainnode name="b" priority="-5"/>`), "d", all, "", "better best good"},
		{"so is one that is no number", dom(`ordered="1"`, a1+`<failoverdomainnode name="b" priority="high"/>`), "d", all, "", "better best good"},
		{"so is none", dom(`ordered="1"`, a1+`<failoverdomainnode name="b"/>`), "d", all, "", "better best good"},
		{"100 is a priority", dom(`ordered="1"`, a1+`<failoverdomainnode name="b" priority="100"/>`), "d", all, "", "best better good"},
		{"the name of a domain is found in any case", dom(`restricted="1"`, a1), "D", all, "", "best illegal illegal"},
		{"a node in another case is outside, and yet keeps others from being best", dom("", `<failoverdomainnode name="A"/>`), "d", all, "", "good good good"},
		{"a node that stands twice ends the list of nodes", dom("", a1+`<failoverdomainnode name="A"/>`+b2), "d", all, "", "best good good"},
		{"a node without a name ends the list of nodes", dom("", a1+`<failoverdomainnode/>`+b2), "d", all, "", "best good good"},
		{"a domain that stands twice ends the list of domains", dom(`restricted="1"`, a1) + dom("", "") + `<failoverdomain name="e" restricted="1"/>`, "e", all, "", "best best best"},
		{"the first of two counts", dom(`restricted="1"`, a1) + dom("", b2), "d", all, "", "best illegal illegal"},
		{"a domain without a name ends the list of domains", `<failoverdomain/>` + dom(`restricted="1"`, a1), "d", all, "", "best best best"},
		{"no failback: the owner counts as best, a better one as better", dom(`ordered="1" nofailback="1"`, a1+b2), "d", all, "b", "better best good"},
		{"with failback the better one wins", dom(`ordered="1"`, a1+b2), "d", all, "b", "best better good"},
		{"no failback says nothing of a service that is not started", dom(`ordered="1" nofailback="1"`, a1+b2), "d", all, "", "best better good"},
		{"nor of one whose owner is offline", dom(`ordered="1" nofailback="1"`, a1+b2), "d", "a c", "b", "best illegal good"},
		{"no failback keeps no owner from outside", dom(`ordered="1" nofailback="1"`, a1+b2), "d", all, "c", "better better good"},
		{"asked of the target alone, one outside an unrestricted domain is best: a start there is not refused", dom("", a1), "d", "c", "", "illegal illegal best"},
	} {
		d := parse(t, `<cluster><rm><failoverdomains>`+c.domains+`</failoverdomains><service name="s" domain="`+c.asks+`" priority="1"/></rm></cluster>`)
		s, _ := d.Service("service:s")
		x, _ := d.Domain(s.Domain()) // none where it is not found
		var got []string
		for _, node := range []string{"a", "b", "c"} {
			got = append(got, x.Score(node, strings.Fields(c.online), c.owner != "", c.owner).String())
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.says, diff)
		}
	}
}
