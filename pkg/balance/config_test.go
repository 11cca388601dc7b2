package balance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

const testResources = "resource cpu { builtin cpu; logfile cpu-usage; } resource ram { builtin ram; } resource users { cmd who | wc -l; }"

func compile(t *testing.T, src string) (*Config, []conf.Diagnostic) {
	t.Helper()
	f, diags := conf.Parse("/etc/cluster/lbvm.conf", []byte(src))
	r, more := conf.ParseResources("/etc/cluster/lbresources.conf", []byte(testResources))
	if f == nil || r == nil {
		t.Fatalf("%v %v", diags, more)
	}
	c, diags := NewConfig(f, r)
	return c, diags
}

// decideRule gives what the algorithm says in the world of one hot node, at 14:30.
func decideRule(t *testing.T, algorithm string) (*Pass, []conf.Diagnostic) {
	t.Helper()
	in := world()
	s := in.Samples.(*MemorySamples)
	steady(s, "n2", "ram", 256, 5)
	steady(s, "n3", "ram", 2048, 5)
	c, diags := compile(t, "balance 101;\ndefault {\n    algorithm {\n"+algorithm+"\n    }\n}\n")
	in.Config = c
	return mustDecide(t, in), diags
}

// The manual's examples, in working Perl.
func TestManualRules(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"example 1", "if (average(res('cpu',5)) > 0.70)\n{\n   migrate();\n}", "n3"},
		{"example 2", "if ((average(res('cpu',5)) > 0.70) && average(res2('cpu',2)) < 0.40)\n{\n   migrate();\n}", "n3"},
		{"example 2, colder", "if ((average(res('cpu',5)) > 0.70) && average(res2('cpu',2)) < 0.05) { migrate(); }", ""},
		{"example 3", `my ($sec,$min,$hour,$mday,$mon,$year,$wday,$yday,$isdst) = localtime(time);
if ((average(res('cpu',5)) > 0.60 && min(res2('ram',2)) > 512) &&
    ($hour >= 8 && $hour <= 18))
{
   migrate();
}`, "n3"},
		{"example 3 at night", "my ($sec,$min,$hour) = localtime(time); if (average(res('cpu',5)) > 0.60 && $hour >= 20) { migrate(); }", ""},
		{"minimum", "if ( min(res('cpu', 5)) > 0.50 ) {\n migrate(); }", "n3"},
		{"increasing", "my @cpu = res('cpu', 3); if ( average(@cpu) > 0.50 && $cpu[0] >= $cpu[1] && $cpu[1] >= $cpu[2] ) { migrate(); }", "n3"},
		{"meridian and max", "migrate() if meridian(res('cpu', 5)) > 0.5 and max(res2('cpu', 5), 0) < 0.2;", "n3"},
		{"by weight", "migrate(1 - average(res2('ram', 2)) / 4096) if average(res('cpu', 5)) > 0.5;", "n2"},
		{"an error after migrate()", "migrate(); my $x = 5 / 0;", ""},
		{"a caught lack of data", "my $ok = eval { res2('users', 5); 1 }; migrate();", ""},
		{"a bad weight", "migrate('much');", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, diags := decideRule(t, c.rule)
			if conf.HasErrors(diags) {
				t.Fatalf("%v", diags)
			}
			d := p.Decisions[0]
			if d.Target != c.want || (d.Verdict == Migrate) != (c.want != "") {
				t.Errorf("target %q, want %q: %s (%+v)", d.Target, c.want, d.Why, d)
			}
		})
	}
}

func TestWhy(t *testing.T) {
	p, _ := decideRule(t, "if (average(res('cpu',5)) > 0.70 && average(res2('cpu',2)) < 0.40)\n{\n   migrate();\n}")
	d := p.Decisions[0]
	want := "lbvm.conf:6 said migrate as average(res('cpu',5)) > 0.70 (0.9 > 0.70), average(res2('cpu',2)) < 0.40 (0.1 < 0.40)"
	if d.Why != want {
		t.Errorf("got  %s\nwant %s", d.Why, want)
	}
	if d.Line == nil || d.Line.Line != 6 || d.Line.Text != "migrate();" || d.Line.File != "/etc/cluster/lbvm.conf" {
		t.Errorf("%+v", d.Line)
	}
	if len(d.Candidates[1].Trace.Steps) == 0 {
		t.Error("no trace of the target")
	}
}

// Each refused rule says where and why, and the other VMs go on.
func TestRefusedRules(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"example 1 as printed", "if ((average(res('cpu',5)) > 0.70)\n{\n   migrate();\n}", ""},
		{"0800", "my ($s,$m,$hour) = localtime(time); migrate() if $hour >= 0800;", "Illegal octal digit '8'"},
		{"unknown resource", "migrate() if average(res('cpus', 5)) > 0.7;", `unknown resource "cpus" (lbresources.conf has: cpu ram users)`},
		{"interval", "migrate() if average(res('cpu', 0)) > 0.7;", "the interval must be a whole number of minutes"},
		{"files", "open(F, '/etc/passwd'); migrate();", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, diags := compile(t, "balance 101, 102;\ndefault { algorithm { migrate(); } }\nveid 101 {\n    algorithm {\n"+c.rule+"\n    }\n}\n")
			if !conf.HasErrors(diags) {
				t.Fatalf("accepted: %v", diags)
			}
			var first conf.Diagnostic
			for _, d := range diags {
				if d.Severity == conf.Error {
					first = d
					break
				}
			}
			if first.Line < 5 || !strings.Contains(first.Text, c.want) || first.Source == "" {
				t.Errorf("%s", first.Format())
			}
			in := world()
			in.Config = cfg
			p := mustDecide(t, in)
			if got := moves(p); !slices.Equal(got, []string{"openvz:102 n1->n3"}) {
				t.Errorf("moves %q", got)
			}
			if d := p.Decisions[0]; d.Err == nil || !strings.Contains(d.Why, "its algorithm is broken: /etc/cluster/lbvm.conf:") {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestUnknownResourceAtRunTime(t *testing.T) {
	p, _ := decideRule(t, "my $what = 'x' . 'y'; migrate() if average(res($what, 5)) > 0;")
	if d := p.Decisions[0]; d.Verdict != Stay || d.Err == nil || !strings.Contains(d.Why, `unknown resource "xy"`) {
		t.Errorf("%+v", d)
	}
}

func TestNewConfig(t *testing.T) {
	c, diags := compile(t, "balance 101; interval 30s; cooldown 1h; default { info hot; algorithm { migrate(); } } xen:web { algorithm { report(); } }")
	if conf.HasErrors(diags) {
		t.Fatal(diags)
	}
	if !reflect.DeepEqual(c.Rails, RailSettings{Interval: 30 * time.Second, Stale: 90 * time.Second, Settle: time.Minute, Cooldown: time.Hour}) || c.Rails.Horizon() != 25*time.Hour {
		t.Errorf("%+v %v", c.Rails, c.Rails.Horizon())
	}
	if c.Default.Info != "hot" || c.Rules["xen:web"] == nil || c.Rules["xen:web"].Name != "xen:web" || len(c.Digest) != 16 {
		t.Errorf("%+v", c)
	}
	if want := []Resource{{"cpu", "cpu-usage", true, true}, {"ram", "ram", false, false}, {"users", "users", false, false}}; !slices.Equal(c.Resources, want) {
		t.Errorf("%+v", c.Resources)
	}
}

// The whole way: files of samples, the configuration, a decision.
func TestFromFiles(t *testing.T) {
	dir := t.TempDir()
	for node, load := range map[string]float64{"n1": 0.9, "n2": 0.3, "n3": 0.1} {
		var b strings.Builder
		for i := 20; i >= 0; i-- {
			fmt.Fprintf(&b, "%d %g\n", testNow.Add(-time.Duration(i)*time.Minute-7*time.Second).Unix(), load)
		}
		if err := os.WriteFile(filepath.Join(dir, node+"-cpu-usage"), []byte(b.String()), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	in := world()
	in.Config, _ = compile(t, "balance 101; default { algorithm { migrate() if average(res('cpu',5)) > 0.70 && average(res2('cpu',2)) < 0.40; } }")
	in.Samples = in.Config.Logs(dir)
	if got := moves(mustDecide(t, in)); !slices.Equal(got, []string{"openvz:101 n1->n3"}) {
		t.Errorf("moves %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "n1-cpu-usage")); err != nil {
		t.Fatal(err)
	}
	in.Samples = in.Config.Logs(dir)
	p := mustDecide(t, in)
	if d := p.Decisions[0]; d.Verdict != Stay || d.Why != "no data for cpu on n1" || !errors.Is(d.Err, ErrNoData) {
		t.Errorf("%+v", d)
	}
}

func BenchmarkDecidePerl(b *testing.B) {
	for _, share := range []float64{0.1, 1} {
		b.Run(fmt.Sprintf("200x5000/hot=%v", share), func(b *testing.B) {
			in := big(200, 5000, share)
			var src strings.Builder
			fmt.Fprintf(&src, "balance %s;\n", strings.Join(in.Config.Balance, ", "))
			for _, vm := range in.Config.Balance {
				fmt.Fprintf(&src, "veid %s { algorithm { if (average(res('cpu',5)) > 0.70 && average(res2('cpu',5)) < 0.40) { migrate(); } } }\n", vm)
			}
			f, diags := conf.Parse("lbvm.conf", []byte(src.String()))
			r, _ := conf.ParseResources("r", []byte(testResources))
			if f == nil {
				b.Fatal(diags)
			}
			in.Config, diags = NewConfig(f, r)
			if conf.HasErrors(diags) {
				b.Fatal(diags)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := Decide(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A rule that goes on for ever costs its own VMs only, however many there are: the pass must come to its end.
func TestARuleWithoutAnEnd(t *testing.T) {
	in := world()
	var diags []conf.Diagnostic
	in.Config, diags = compile(t, "balance 101, 102, web;\n101 { algorithm { migrate(); } }\ndefault { algorithm { res2('cpu', 1); while (1) { } } }\n")
	if conf.HasErrors(diags) {
		t.Fatal(diags)
	}
	runs := 0
	loop := in.Config.Default.Program
	in.Config.Default.Program = counted{loop, &runs}
	in.Config.Balance = append([]string{"102", "web"}, in.Config.Balance...)
	p := mustDecide(t, in)
	if got := moves(p); !slices.Equal(got, []string{"openvz:101 n1->n3"}) || runs != maxOver {
		t.Errorf("moves %q after %d runs of the rule", got, runs)
	}
	for _, vm := range []string{"openvz:102", "xen:web"} {
		if d := decisionOf(t, p, vm); d.Verdict != Stay || !strings.Contains(d.Why, "limit") {
			t.Errorf("%s: %s", vm, d.Why)
		}
	}
}

// counted counts the runs of a program.
type counted struct {
	Program
	runs *int
}

func (c counted) Run(ctx context.Context, o perl.Options) (perl.Value, error) {
	*c.runs++
	return c.Program.Run(ctx, o)
}
