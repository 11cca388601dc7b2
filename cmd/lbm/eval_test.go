package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const fixture = `{"now": 1199969100, "tz": "Europe/Vienna", "data": {
  "1": {"cpu": [0.91, 0.85, 0.72, 0.66, 0.61]}, "2": {"cpu": [0.10, 0.12, 0.40]}}}`

func fixtureFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fixture.json")
	if err := os.WriteFile(path, []byte(fixture), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvalFixture(t *testing.T) {
	b := newBench(t, nil)
	f := fixtureFile(t)
	for _, c := range []struct {
		name    string
		args    []string
		code    int
		out     string
		stderr  string // a part
		silence bool   // nothing on standard error
	}{
		{"a value", []string{"average(res('cpu', 5))"}, 0, "value:   0.75\n", "", true},
		{"values", []string{"res('cpu', 2), undef, 'x', 1 > 2, [1]"}, 0, "value:   0.91, 0.85, undef, \"x\", \"\" (false), ARRAY\n", "", true},
		{"nothing", []string{"()"}, 0, "value:   nothing\n", "", true},
		{"a rule", []string{"print \"hot\\n\"; migrate() if max(res('cpu', 5)) > 0.9; report();"}, 0, "value:   1\noutput:  hot\nactions: migrate, report\n", "", true},
		{"trace", []string{"--trace", "average(res('cpu',5)) > 0.70"}, 0,
			"res('cpu',5)  ->  0.91 0.85 0.72 0.66 0.61\naverage(res('cpu',5))  ->  0.75\naverage(res('cpu',5)) > 0.70  ->  0.75 > 0.70 is true\nvalue:   1\n", "", true},
		{"the fixture's time", []string{"my ($s, $m, $h) = localtime; \"$h:$m\""}, 0, "value:   \"13:45\"\n", "", true},
		{"another time", []string{"--at", "2008-01-10 23:05", "(localtime)[2]"}, 0, "value:   23\n", "", true},
		{"another zone", []string{"--at", "2008-07-10T12:00:00Z", "(localtime)[2]"}, 0, "value:   14\n", "", true},
		{"it dies", []string{"migrate();\nmy $x = 1 / 0;"}, exitFailed, "actions: migrate (void: the code did not come to its end)\n",
			"error: Illegal division by zero\n    my $x = 1 / 0;\n            ^\n", false},
		{"it does not compile", []string{"if (1) { migrate(); "}, exitFailed, "", "algorithm:1:", false},
		{"a trap", []string{"max(res('cpu', 5) > 0.5)"}, 0, "value:   1\n", "[W1]\n    max(res('cpu', 5) > 0.5)\n        ^\n  write max(res('cpu', 5)) > 0.5\n", false},
		{"unknown resource", []string{"res('gpu', 5)"}, exitFailed, "", "unknown resource \"gpu\"", false},
		{"without an end", []string{"1 while 1"}, exitFailed, "", "limit: more than 1000000 steps", false},
		{"no time", []string{"--at", "noon", "1"}, exitUsage, "", "--at \"noon\" is no time", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := b.lbm(append([]string{"eval", "--fixture", f}, c.args...)...)
			if code != c.code || b.out.String() != c.out || !strings.Contains(b.errors.String(), c.stderr) || c.silence && b.errors.Len() > 0 {
				t.Errorf("%d, want %d\n%s%s", code, c.code, b.out.String(), b.errors.String())
			}
		})
	}
}

func TestEvalFromStandardInputAndFile(t *testing.T) {
	b := newBench(t, nil)
	f := fixtureFile(t)
	b.stdin = strings.NewReader("migrate()\n  if 1;\n")
	if code := b.lbm("eval", "-", "--fixture", f); code != 0 || b.out.String() != "value:   1\nactions: migrate\n" {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	rule := filepath.Join(t.TempDir(), "rule")
	if err := os.WriteFile(rule, []byte("# a rule\nmigrate() if ;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("eval", "--file", rule, "--fixture", f); code != exitFailed || !strings.Contains(b.errors.String(), rule+":2:14: error") {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
}

func TestEvalUsage(t *testing.T) {
	b := newBench(t, nil)
	f := fixtureFile(t)
	for _, args := range [][]string{{}, {"1", "2"}, {"--batch"}, {"--batch", "--fixture", f, "1"}, {"--fixture", f}, {"--fixture", f, "--vm", "101", "1"},
		{"--file", f, "1"}, {"--vm", "101", "--node", "n", "1"}, {"-o", "xml", "1"}, {"--bogus"}} {
		if code := b.lbm(append([]string{"eval"}, args...)...); code != exitUsage {
			t.Errorf("%v: %d %s", args, code, b.errors.String())
		}
	}
	if code := b.lbm("eval", "--help"); code != 0 || !strings.Contains(b.out.String(), "--target node2") {
		t.Errorf("%d %s", code, b.out.String())
	}
	for _, c := range []struct{ file, want string }{{"/nosuch", "no such file"}, {f + ".bad", "reading a fixture"}} {
		if c.file != "/nosuch" {
			if err := os.WriteFile(c.file, []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if code := b.lbm("eval", "--fixture", c.file, "1"); code != exitFailed || !strings.Contains(b.errors.String(), c.want) {
			t.Errorf("%d %s", code, b.errors.String())
		}
	}
}

// The oracle's header, with its cases, is a fixture; internal/trial compares all answers.
func TestEvalBatch(t *testing.T) {
	b := newBench(t, nil)
	b.stdin = strings.NewReader(`{"code": "print 1; migrate() if average(res('cpu', 5)) > 0.7; undef"}` + "\nnonsense\n" + `{"code": "die \"x\\n\""}` + "\n")
	if code := b.lbm("eval", "--batch", "--fixture", "../../pkg/balance/perl/testdata/oracle.json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	lines := strings.Split(b.out.String(), "\n")
	if len(lines) != 4 || lines[0] != `{"value":[null],"stdout":"1","actions":["migrate"],"error":""}` || !strings.Contains(lines[1], `"error":"the line is not`) ||
		lines[2] != `{"value":[],"stdout":"","actions":[],"error":"x\n"}` {
		t.Errorf("%s", b.out.String())
	}
}

// recorded is a bench with an hour of samples: xen1 hot, xen2 cool, xen3 in between; half an hour ago it was otherwise.
func recorded(t *testing.T) *bench {
	t.Helper()
	b := ready(t, nil)
	for node, loads := range map[string][2]float64{"xen1": {0.2, 0.9}, "xen2": {0.8, 0.1}, "xen3": {0.5, 0.5}} {
		var s strings.Builder
		for i := 60; i >= 0; i-- {
			load := loads[0]
			if i < 30 {
				load = loads[1]
			}
			fmt.Fprintf(&s, "%d %g\n", 1290000600-int64(i)*60, load)
		}
		b.write(t, "gfs/lbvm/log/"+node+".01100011.com-cpu", s.String())
	}
	b.write(t, "gfs/lbresources.conf", "resource cpu { builtin cpu; }\n")
	return b
}

const (
	x1 = "xen1.01100011.com"
	x2 = "xen2.01100011.com"
	x3 = "xen3.01100011.com"
)

func TestEvalRecorded(t *testing.T) {
	b := recorded(t)
	at := func(minutes int) string {
		return time.Unix(1290000600-int64(minutes)*60, 0).Format(time.RFC3339)
	}
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		out    []string // parts, in this order
		stderr string
	}{
		{"this node", []string{"average(res('cpu', 5))"}, 0, []string{"res: " + x1 + "   res2: -   at: ", "value:   0.9\n"}, ""},
		{"another node", []string{"--node", x2, "average(res('cpu', 5))"}, 0, []string{"res: " + x2, "value:   0.1\n"}, ""},
		{"a target", []string{"--target", x2, "--trace", "average(res2('cpu', 5)) < 0.40"}, 0,
			[]string{"res2: " + x2, "average(res2('cpu', 5)) < 0.40  ->  0.1 < 0.40 is true\n", "value:   1\n"}, ""},
		{"an hour ago", []string{"--at", at(40), "--target", x2, "max(res('cpu', 5)), max(res2('cpu', 5))"}, 0, []string{"value:   0.2, 0.8\n"}, ""},
		{"a VM goes to two nodes", []string{"--vm", "centos2", "migrate() if max(res('cpu', 2)) < max(res2('cpu', 2))"}, 0,
			[]string{"res: " + x2 + "   res2: " + x1, "actions: migrate\n", "res: " + x2 + "   res2: " + x3, "actions: migrate\n"}, ""},
		{"a VM's domain", []string{"--vm", "xen:centos1", "res2('cpu', 1)"}, 0, []string{"res: " + x1 + "   res2: " + x2, "value:   0.1\n"}, ""},
		{"whose limit", []string{"--vm", "xen:centos1", "res2('cpu', 1); 1 while 1"}, exitFailed, nil, "algorithm of VM xen:centos1 on node " + x2 + ": limit: more than 1000000 steps"},
		{"once where no target is asked", []string{"--vm", "centos2", "1 + 1"}, 0, []string{"res: " + x2 + "   res2: -", "value:   2\n"}, ""},
		{"its own rule", []string{"--vm", "101"}, 0, []string{"res: " + x3, "actions: report\n"}, ""},
		{"the default rule", []string{"--vm", "centos1", "--trace"}, 0, []string{"average(res('cpu', 5)) > 0.7  ->  0.9 > 0.7 is true\n", "actions: migrate\n"}, ""},
		{"given nodes", []string{"--vm", "101", "--node", x1, "--target", x2}, 0, []string{"res: " + x1, "actions: report\n"}, ""},
		{"no target", []string{"res2('cpu', 1)"}, exitFailed, []string{"res: " + x1}, "name it with --target"},
		{"no data", []string{"--node", "nosuch", "migrate(); eval { res('cpu', 1) }; 1"}, exitFailed, []string{"actions: migrate (void"}, "no data for cpu on nosuch"},
		{"stale", []string{"--at", "2011-01-01T00:00:00Z", "res('cpu', 1)"}, exitFailed, nil, "no fresh data for cpu"},
		{"unknown resource", []string{"res('gpu', 1)"}, exitFailed, nil, "error: unknown resource \"gpu\" (lbresources.conf has: cpu)"},
		{"no such VM", []string{"--vm", "nosuch", "1"}, exitFailed, nil, `there is no VM "nosuch"`},
		{"offline and online", []string{"--config", filepath.Join(b.root, "other.conf"), "average(res('cpu', 5))"}, exitFailed, nil, "no such file"},
		{"the built-in rule", []string{"--vm", "101", "--config", b.builtin(t)}, exitFailed, nil, "has the built-in rule relief"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := b.lbm(append([]string{"eval"}, c.args...)...)
			rest, ok := b.out.String(), true
			for _, want := range c.out {
				var found bool
				_, rest, found = strings.Cut(rest, want)
				ok = ok && found
			}
			if code != c.code || !ok || !strings.Contains(b.errors.String(), c.stderr) {
				t.Errorf("%d, want %d and %q\n%s%s", code, c.code, c.out, b.out.String(), b.errors.String())
			}
		})
	}
}

// builtin is an lbvm.conf whose rule is relief.
func (b *bench) builtin(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.root, "etc/cluster/lbvm.conf"))
	if err != nil {
		t.Fatal(err)
	}
	paths, _, _ := strings.Cut(string(text), "default")
	name := filepath.Join(t.TempDir(), "lbvm.conf")
	if err := os.WriteFile(name, []byte(paths+"\nveid 101 { algorithm relief; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// With both nodes given the cluster need not answer.
func TestEvalWithoutTheCluster(t *testing.T) {
	b := recorded(t)
	delete(b.tools.answers, "clustat")
	if code := b.lbm("eval", "--vm", "101", "--node", x1, "--target", x2); code != 0 || !strings.Contains(b.out.String(), "actions: report\n") {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	if code := b.lbm("eval", "--vm", "101"); code != exitFailed || !strings.Contains(b.errors.String(), `finding the node of "101"`) {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
}

func TestEvalBatchInterrupted(t *testing.T) {
	b := newBench(t, nil)
	r, w := io.Pipe() // nothing comes
	defer w.Close()
	b.stdin = r
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if code := b.main(ctx, []string{"lbm", "eval", "--batch", "--fixture", fixtureFile(t)}); code != exitInterrupted {
		t.Errorf("%d %s", code, b.errors.String())
	}
}

// At an instant before a move the VM was where the journal says that it came from.
func TestEvalWhereTheVMWas(t *testing.T) {
	b := recorded(t)
	b.write(t, "gfs/lbvm/log/migrate.log", `2010-11-17T13:00:00Z event=begin txn=a vm=xen:centos1 from=xen3.01100011.com to=xen2.01100011.com kind=live by=lbmonitor why=x
2010-11-17T13:00:03Z event=end txn=a vm=xen:centos1 from=xen3.01100011.com to=xen2.01100011.com outcome=moved owner=xen2.01100011.com memory=kept seconds=3 why=""
2010-11-17T13:12:00Z event=begin txn=d vm=xen:centos2 from=xen1.01100011.com to=xen3.01100011.com kind=live by=lbm why=x
2010-11-17T13:12:09Z event=end txn=d vm=xen:centos2 from=xen1.01100011.com to=xen3.01100011.com outcome=moved owner=xen3.01100011.com memory=kept seconds=9 why=""
2010-11-17T13:20:00Z event=begin txn=b vm=xen:centos1 from=xen2.01100011.com to=xen1.01100011.com kind=live by=lbmonitor why=x
2010-11-17T13:20:03Z event=end txn=b vm=xen:centos1 from=xen2.01100011.com to=xen1.01100011.com outcome=moved owner=xen1.01100011.com memory=kept seconds=3 why=""
2010-11-17T13:25:00Z event=begin txn=c vm=xen:centos1 from=xen1.01100011.com to=xen2.01100011.com kind=live by=lbm why=x
2010-11-17T13:25:01Z event=end txn=c vm=xen:centos1 from=xen1.01100011.com to=xen2.01100011.com outcome=failed owner=xen1.01100011.com memory=kept seconds=1 why=no
`)
	for at, want := range map[string]string{"2010-11-17T12:59:00Z": x3, "2010-11-17T13:10:00Z": x2, "2010-11-17T13:24:00Z": x1} {
		b.lbm("eval", "--vm", "centos1", "--at", at, "1")
		if !strings.HasPrefix(b.out.String(), "res: "+want+" ") {
			t.Errorf("at %s: %s%s", at, b.out.String(), b.errors.String())
		}
	}
}

func TestEvalJSON(t *testing.T) {
	b := recorded(t)
	if code := b.lbm("eval", "-o", "json", "--vm", "centos2", "--target", x1, "migrate(0.5) if average(res2('cpu', 3)) > 0.5"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	var got evaluation
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || len(got.Runs) != 1 || *got.VM != "xen:centos2" || !got.At.Equal(time.Unix(1290000600, 0)) {
		t.Fatalf("%v %s", err, b.out.String())
	}
	r := got.Runs[0]
	if *r.Node != x2 || *r.Target != x1 || *r.Weight != 0.5 || r.Actions[0] != "migrate" || len(r.Trace) == 0 || len(r.Reads) != 1 || r.Reads[0].Count != 3 || *r.Reads[0].Average != 0.9 {
		t.Errorf("%s", b.out.String())
	}
	if code := b.lbm("eval", "-o", "json", "1 +"); code != exitFailed || !strings.Contains(b.out.String(), `"runs": []`) || !strings.Contains(b.out.String(), `"severity": "error"`) {
		t.Errorf("%d %s", code, b.out.String())
	}
}
