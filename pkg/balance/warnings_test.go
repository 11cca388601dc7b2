package balance

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// The rule language warns of traps only if it is told what each function is for.
func TestTrapsAreWarnedOf(t *testing.T) {
	r, diags := conf.ParseResources("lbresources.conf", []byte("resource cpu { builtin cpu; }\n"))
	if r == nil {
		t.Fatal(diags)
	}
	for _, c := range []struct{ rule, want string }{
		{"migrate() if min(res('cpu', 5) > 0.50);", "the comparison stands inside min()"},
		{"migrate() if average(res('cpu', 5)) > 0.7 && meridian(res2('cpu', 2) < 0.5);", "the comparison stands inside meridian()"},
		{"migrate() if res('cpu', 5) > 0.50;", "res"},
		{"my $x = max(res2('cpu', 5));", "migrate"},
	} {
		f, diags := conf.Parse("lbvm.conf", []byte("balance 101;\ndefault { algorithm { "+c.rule+" } }\n"))
		if f == nil {
			t.Fatal(diags)
		}
		_, diags = NewConfig(f, r)
		found := false
		for _, d := range diags {
			found = found || d.Severity == conf.Warning && d.Line == 2 && strings.Contains(d.Text, c.want)
		}
		if !found {
			t.Errorf("%s: no warning that says %q: %v", c.rule, c.want, diags)
		}
	}
}
