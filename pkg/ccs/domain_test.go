package ccs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScore(t *testing.T) {
	dom := func(flags string, nodes ...DomainNode) Domain {
		return Domain{Name: "d", Ordered: strings.Contains(flags, "o"), Restricted: strings.Contains(flags, "r"), NoFailback: strings.Contains(flags, "n"), Nodes: nodes}
	}
	a, b := DomainNode{"a", 1}, DomainNode{"b", 2}
	all := []string{"a", "b", "c"}
	for _, c := range []struct {
		name    string
		d       Domain
		node    string
		online  []string
		started bool
		owner   string
		want    Score
	}{
		{"offline", Domain{}, "a", []string{"b"}, false, "", Illegal},
		{"offline in its domain", dom("", a), "a", []string{"b"}, false, "", Illegal},
		{"nobody is online", Domain{}, "", nil, false, "", Illegal},
		{"no domain", Domain{}, "a", all, false, "", Best},
		{"outside, restricted", dom("r", a), "c", all, false, "", Illegal},
		{"outside, restricted, no member of it online", dom("r", a), "c", []string{"c"}, false, "", Illegal},
		{"outside, a member of it online", dom("", a), "c", all, false, "", Good},
		{"outside, no member of it online", dom("", a, b), "c", []string{"c"}, false, "", Best},
		{"empty domain", dom(""), "c", all, false, "", Best},
		{"empty restricted domain", dom("r"), "c", all, false, "", Illegal},
		{"unordered: all alike", dom("", DomainNode{"a", 0}, DomainNode{"b", 0}), "b", all, false, "", Best},
		{"ordered: first", dom("o", a, b), "a", all, false, "", Best},
		{"ordered: second", dom("o", a, b), "b", all, false, "", Better},
		{"ordered: second while the first is down", dom("o", a, b), "b", []string{"b", "c"}, false, "", Best},
		{"ordered: equal", dom("o", a, DomainNode{"b", 1}), "b", all, false, "", Best},
		{"ordered: no priority beats 1", dom("o", a, DomainNode{"b", 0}), "b", all, false, "", Best},
		{"ordered: 1 behind no priority", dom("o", a, DomainNode{"b", 0}), "a", all, false, "", Better},
		{"ordered and restricted", dom("or", a, b), "b", all, true, "b", Better},
		{"without failback the owner stays", dom("on", a, b), "b", all, true, "b", Best},
		{"without failback the first is only better", dom("on", a, b), "a", all, true, "b", Better},
		{"not started: the first", dom("on", a, b), "a", all, false, "b", Best},
		{"not started: the owner", dom("on", a, b), "b", all, false, "b", Better},
		{"owner down: the first", dom("on", a, b), "a", []string{"a", "c"}, true, "b", Best},
		{"no owner", dom("on", a, b), "a", all, true, "", Best},
		{"unordered without failback", dom("n", DomainNode{"a", 0}, DomainNode{"b", 0}), "a", all, true, "b", Better},
		{"the owner outside gains nothing", dom("on", a, b), "c", all, true, "c", Good},
		{"owner outside: the first", dom("on", a, b), "a", all, true, "c", Better},
		{"another case is online but outside", dom("r", DomainNode{"A", 0}), "a", all, false, "", Illegal},
		{"another case keeps others from being best", dom("", DomainNode{"A", 0}), "c", all, false, "", Good},
	} {
		if got := c.d.Score(c.node, c.online, c.started, c.owner); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if !(Illegal < Good && Good < Better && Better < Best) {
		t.Error("the scores are out of order")
	}
}

func TestDomains(t *testing.T) {
	d := parse(t, `<cluster><rm><failoverdomains>
		<failoverdomain name="one" ordered="1" restricted="yes" nofailback="2x">
			<failoverdomainnode name="a" priority="7"/>
			<failoverdomainnode name="b" priority="101"/>
			<failoverdomainnode name="c" priority="0"/>
			<failoverdomainnode name="d" priority="-3"/>
			<failoverdomainnode name="e" priority=" 100 "/>
			<failoverdomainnode name="f"/>
			<failoverdomainnode name="A" priority="1"/>
			<failoverdomainnode name="lost" priority="1"/>
		</failoverdomain>
		<failoverdomain name="two" ordered="yes"><failoverdomainnode name="a" priority="5"/><failoverdomainnode/><failoverdomainnode name="lost"/></failoverdomain>
		<failoverdomain name="ONE"/>
		<failoverdomain name="lost"/>
	</failoverdomains></rm></cluster>`)
	want := []Domain{
		{Name: "one", Ordered: true, NoFailback: true, Line: 2, Nodes: []DomainNode{{"a", 7}, {"b", 0}, {"c", 0}, {"d", 0}, {"e", 100}, {"f", 0}}},
		{Name: "two", Line: 12, Nodes: []DomainNode{{"a", 0}}},
	}
	if diff := cmp.Diff(want, d.Domains()); diff != "" {
		t.Error(diff)
	}
	if got, ok := d.Domain("TWO"); !ok || got.Name != "two" {
		t.Errorf("TWO: %v %v", got, ok)
	}
	if got, ok := d.Domain("lost"); ok || got.Score("x", []string{"x"}, false, "") != Best {
		t.Errorf("lost: %v %v", got, ok)
	}
}

func TestAtoi(t *testing.T) {
	for in, want := range map[string]int{"": 0, "yes": 0, "1": 1, " 12x": 12, "-4": -4, "+5": 5, "0x10": 0, "99999999999999": 1 << 30, "\t\n7": 7, "--1": 0} {
		if got := atoi(in); got != want {
			t.Errorf("atoi(%q) = %d, want %d", in, got, want)
		}
	}
}
