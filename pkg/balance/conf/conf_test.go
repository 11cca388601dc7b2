package conf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, src string) *File {
	t.Helper()
	f, diags := Parse("lbvm.conf", []byte(src))
	if f == nil {
		t.Fatalf("refused:\n%s", format(diags))
	}
	return f
}

func format(diags []Diagnostic) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.Format())
	}
	return b.String()
}

func TestManual(t *testing.T) {
	src, err := os.ReadFile("testdata/manual/lbvm.conf")
	if err != nil {
		t.Fatal(err)
	}
	f, diags := Parse("lbvm.conf", src)
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", format(diags))
	}
	if want := (Paths{"/vz", "/etc/cluster/lbresources.conf", "/var/log/lb", ""}); f.Paths != want {
		t.Errorf("paths %+v", f.Paths)
	}
	if f.Virtualization != "openvz" || !slices.Equal(f.Balance, []string{"201", "202", "centos1"}) {
		t.Errorf("virtualization %q, balance %q", f.Virtualization, f.Balance)
	}
	if f.Interval != time.Minute || f.Stale != 3*time.Minute || f.Settle != 2*time.Minute || f.Cooldown != 30*time.Minute {
		t.Errorf("times %v %v %v %v", f.Interval, f.Stale, f.Settle, f.Cooldown)
	}
	if f.Default == nil || !strings.Contains(f.Default.Algorithm.Text, "average(res('cpu',5)) > 0.70)") || !f.Default.HasInfo || f.Default.Info.Text != "" {
		t.Errorf("default: %+v", f.Default)
	}
	if b := f.Block("201"); b == nil || b.Info.Text != "# 201 runs the shop: don't move it at night" || b.Info.Line != 21 {
		t.Errorf("201: %+v", b)
	}
	if b := f.Block("202"); b == nil || !strings.HasSuffix(strings.TrimSpace(b.Algorithm.Text), "}") || !strings.Contains(b.Algorithm.Text, "<= 18))") {
		t.Errorf("202: %+v", b)
	}
}

// Every value is where it says, so that an edit of these bytes changes just it.
func TestPlaces(t *testing.T) {
	src, err := os.ReadFile("testdata/manual/lbvm.conf")
	if err != nil {
		t.Fatal(err)
	}
	f := mustParse(t, string(src))
	check := func(v Value, want string) {
		t.Helper()
		if got := string(src[v.Start:v.End]); got != want {
			t.Errorf("bytes %q, want %q", got, want)
		}
		line := Line(src, v.Line)
		if !strings.HasPrefix(line[v.Col-1:], strings.SplitN(want, "\n", 2)[0]) {
			t.Errorf("line %d col %d of %q is not at %q", v.Line, v.Col, want, line)
		}
	}
	for _, s := range f.Statements {
		check(s.Key, s.Key.Text)
		check(Value{Span: s.Span}, string(src[s.Key.Start:s.Value.End])+";")
		for _, i := range s.Items {
			check(i, i.Text)
		}
		if s.Items == nil {
			check(s.Value, s.Value.Text)
		}
	}
	for _, b := range append(f.Blocks, f.Default) {
		check(b.Head, b.Head.Text)
		if b.HasInfo && b.Info.Text != "" {
			check(b.Info, b.Info.Text)
		}
		check(b.Algorithm, b.Algorithm.Text)
		if src[b.End-1] != '}' || src[b.Algorithm.Start-1] != '{' || src[b.Algorithm.End] != '}' {
			t.Errorf("block %s is not between braces", b.Head.Text)
		}
	}
	// The round trip: statements and blocks cut out and put together again mean the same.
	var again bytes.Buffer
	for _, s := range f.Statements {
		again.Write(append(src[s.Start:s.End:s.End], '\n'))
	}
	for _, b := range append([]*Block{f.Default}, f.Blocks...) {
		again.Write(append(src[b.Start:b.End:b.End], '\n'))
	}
	g := mustParse(t, again.String())
	if g.Paths != f.Paths || !slices.Equal(g.Balance, f.Balance) || len(g.Blocks) != len(f.Blocks) {
		t.Errorf("not the same:\n%s", again.String())
	}
	for i, b := range g.Blocks {
		if b.VM != f.Blocks[i].VM || b.Algorithm.Text != f.Blocks[i].Algorithm.Text || b.Info.Text != f.Blocks[i].Info.Text {
			t.Errorf("block %d differs", i)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty", "", ""},
		{"comments", "# a\n   # b\n", ""},
		{"crlf and bom", "\xef\xbb\xbflogdir /l;\r\nbalance 1;\r\n", "1"},
		{"blanks for commas", "balance 1 2\n 3;", "1 2 3"},
		{"value on the next line", "balance\n  1,\n  2;", "1 2"},
		{"comment in a list", "balance 1, # not 9; or 8\n 2;", "1 2"},
		{"typed name", "balance openvz:201; veid openvz:201 { algorithm { } }", "openvz:201"},
		{"veid and default as one line", "balance 1;default{info a;algorithm{}}veid 1{algorithm{}}", "1"},
		{"empty statement", ";;balance 1;;", "1"},
		{"hash inside a word", "logdir /a#b;balance 1;", "1"},
		{"braces that close nothing", "balance 1; veid 1 { algorithm { my $s = \"}\" . '}' . q{ {} }; my @a = (1); my $n = $#a; $s =~ s/}//; # }\n } }", "1"},
		{"a long algorithm", "balance 1; veid 1 { algorithm { my $s = '" + strings.Repeat("} {", 50_000) + "'; } }", "1"},
		{"semicolon behind a block", "balance 1; veid 1 { algorithm { }; };", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, diags := Parse("lbvm.conf", []byte(c.src))
			if len(diags) > 0 {
				t.Fatalf("diagnostics:\n%s", format(diags))
			}
			if got := strings.Join(f.Balance, " "); got != c.want {
				t.Errorf("balance %q, want %q", got, c.want)
			}
		})
	}
}

// A file of thousands of blocks is read in a moment.
func TestManyBlocks(t *testing.T) {
	var b strings.Builder
	b.WriteString("balance 1;\n")
	const n = 5000
	for i := range n {
		fmt.Fprintf(&b, "veid v%d { info x; algorithm { if (average(res('cpu', 5)) > 0.7) { migrate(); } # it is %d\n } }\n", i, i)
	}
	f := mustParse(t, b.String())
	if len(f.Blocks) != n || !strings.Contains(f.Blocks[n-1].Algorithm.Text, "it is 4999") {
		t.Errorf("%d blocks", len(f.Blocks))
	}
}

func TestTimes(t *testing.T) {
	f := mustParse(t, "stale 4; interval 30s; settle 5 intervals; cooldown 2h;")
	if f.Interval != 30*time.Second || f.Stale != 2*time.Minute || f.Settle != 150*time.Second || f.Cooldown != 2*time.Hour {
		t.Errorf("times %v %v %v %v", f.Interval, f.Stale, f.Settle, f.Cooldown)
	}
	f = mustParse(t, "interval 2m; stale 10m; cooldown 1d;")
	if f.Stale != 10*time.Minute || f.Settle != 4*time.Minute || f.Cooldown != 24*time.Hour || f.CooldownFixed {
		t.Errorf("times %v %v %v %v", f.Stale, f.Settle, f.Cooldown, f.CooldownFixed)
	}
	if f = mustParse(t, "cooldown 5s\tfixed;"); f.Cooldown != 5*time.Second || !f.CooldownFixed {
		t.Errorf("a fixed cool-down: %v %v", f.Cooldown, f.CooldownFixed)
	}
	if _, diags := Parse("lbvm.conf", []byte("cooldown fixed;")); len(diags) == 0 {
		t.Error("a fixed cool-down without a time is taken")
	}
}

// The golden files hold whole listings: each file in testdata/bad with what is said of it.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Base(name)
			var diags []Diagnostic
			if strings.HasPrefix(base, "resources") {
				_, diags = ParseResources(base, src)
			} else {
				_, diags = Parse(base, src)
			}
			golden := strings.TrimSuffix(name, ".conf") + ".golden"
			got := format(diags)
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestManualResources(t *testing.T) {
	src, err := os.ReadFile("testdata/manual/lbresources.conf")
	if err != nil {
		t.Fatal(err)
	}
	r, diags := ParseResources("lbresources.conf", src)
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", format(diags))
	}
	want := `(cat /proc/stat |grep ^cpu\ |awk '{print $4,$2+$3+$4}' && sleep 3 && cat /proc/stat |grep ^cpu\ |awk '{print $4,$2+$3+$4}')` +
		` | awk '{idle+=$1;sum +=$2;idle=-idle;sum=-sum}END{print 1-idle/sum}'`
	if len(r.List) != 1 || r.List[0].Cmd != want || r.List[0].Name != "cpu" || r.List[0].LogFile != "cpu-usage" || r.List[0].Log() != "cpu-usage" {
		t.Errorf("got %+v\nwant %s", r.List, want)
	}
}

// The shell and awk take the manual's command, broken lines and all.
func TestManualCommandRuns(t *testing.T) {
	for _, need := range []string{"sh", "awk", "grep"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("%s is not here: %v", need, err)
		}
	}
	src, err := os.ReadFile("testdata/manual/lbresources.conf")
	if err != nil {
		t.Fatal(err)
	}
	r, _ := ParseResources("lbresources.conf", src)
	cmd := r.List[0].Cmd
	stat := filepath.Join(t.TempDir(), "stat")
	for from, to := range map[string]string{"cat /proc/stat": "cat " + stat, "sleep 3": "echo 'cpu  10 0 10 60 99' > " + stat} {
		if !strings.Contains(cmd, from) {
			t.Fatalf("no %q in %s", from, cmd)
		}
		cmd = strings.ReplaceAll(cmd, from, to)
	}
	if err := os.WriteFile(stat, []byte("cpu  0 0 0 0 0\ncpu0 1 2 3 4 5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The manual takes column 4, which is the system's time, for the idle one: 1 - 10/20.
	out, err := exec.Command("sh", "-c", cmd).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) == "" {
		t.Fatalf("%v: %s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "0.5" {
		t.Errorf("got %s", got)
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"plain", "uptime", "uptime"},
		{"semicolon in single quotes", "awk '{a;b}'", "awk '{a;b}'"},
		{"semicolon in double quotes", `echo "a;b\";c"`, `echo "a;b\";c"`},
		{"semicolon in parentheses", "(a; b) | c", "(a; b) | c"},
		{"semicolon in a group", "{ a; b; }", "{ a; b; }"},
		{"quotes in a substitution in quotes", `echo "$(echo "x;y")"`, `echo "$(echo "x;y")"`},
		{"back quotes", "echo `a; b`", "echo `a; b`"},
		{"escaped semicolon", `find . -exec a {} \;`, `find . -exec a {} \;`},
		{"braces of a parameter", `echo ${x#a;b}`, `echo ${x#a;b}`},
		{"continuation", "a \\\n  b", "a   b"},
		{"break in single quotes", "awk '{a\n b}'", "awk '{a b}'"},
		{"continuation in single quotes", "awk '{a \\\n b}'", "awk '{a b}'"},
		{"comment lines", "a &&\n # don't; stop\n b", "a && b"},
		{"comment behind", "a && # why; it's\n b", "a && b"},
		{"hash in a word", "grep ^#x a#b", "grep ^#x a#b"},
		{"escaped blank at the end", `grep ^cpu\ `, `grep ^cpu\ `},
		{"crlf", "a\r\n b", "a b"},
		{"tabs stay", "a\tb", "a\tb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, diags := ParseResources("r", []byte("resource x { cmd "+c.src+"; logfile y; }"))
			if r == nil {
				t.Fatalf("refused:\n%s", format(diags))
			}
			if got := r.List[0].Cmd; got != c.want || r.List[0].LogFile != "y" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBuiltins(t *testing.T) {
	src := "resource cpu { builtin cpu; timeout 20s; }\nresource in { builtin net eth0; logfile net-in; }\n"
	r, diags := ParseResources("r", []byte(src))
	if r == nil || len(diags) > 0 {
		t.Fatalf("refused:\n%s", format(diags))
	}
	in, ok := r.Find("in")
	if !ok || !slices.Equal(in.Builtin, []string{"net", "eth0"}) || r.List[0].Timeout != 20*time.Second || src[in.Start:in.End] != strings.TrimSpace(src[strings.Index(src, "\n"):]) {
		t.Errorf("got %+v", r.List)
	}
}

func TestVMResources(t *testing.T) {
	src := "vmresource cpu { builtin cpu; }\nresource cpu { builtin cpu; }\nresource mem { builtin ram; logfile m; }\nvmresource mem { cmd vm-mem; timeout 5s; }\nresource io { builtin io; }\nvmresource io { cmd a; }\nvmresource ram2 { cmd b; }\n"
	r, diags := ParseResources("r", []byte(src))
	if r == nil || len(diags) > 0 {
		t.Fatalf("refused:\n%s", format(diags))
	}
	var got []string
	for _, x := range r.VMs {
		got = append(got, x.Name+" "+r.Part(x)+" "+x.Cmd)
	}
	if want := []string{"cpu cpu ", "mem ram vm-mem", "io  a", "ram2  b"}; !slices.Equal(got, want) || len(r.List) != 3 || r.VMs[1].Timeout != 5*time.Second {
		t.Errorf("got %q beside %+v", got, r.List)
	}
}

func TestLoad(t *testing.T) {
	files := map[string]string{
		"/etc/cluster/lbvm.conf": "resources /r.conf; balance 1;",
		"/r.conf":                "resource cpu { builtin cpu; }",
	}
	read := func(p string) ([]byte, error) {
		s, ok := files[p]
		if !ok {
			return nil, os.ErrNotExist
		}
		return []byte(s), nil
	}
	f, r, diags, err := Load(read, "/etc/cluster/lbvm.conf")
	if err != nil || f == nil || r == nil || len(diags) > 0 {
		t.Fatalf("%v %v %v %v", f, r, diags, err)
	}
	delete(files, "/r.conf")
	if f, r, _, err = Load(read, "/etc/cluster/lbvm.conf"); !errors.Is(err, os.ErrNotExist) || f == nil || r != nil {
		t.Errorf("%v %v %v", f, r, err)
	}
	files["/etc/cluster/lbvm.conf"] = "nonsense"
	if f, _, diags, err = Load(read, "/etc/cluster/lbvm.conf"); err != nil || f != nil || !HasErrors(diags) {
		t.Errorf("%v %v %v", f, diags, err)
	}
}

func addSeeds(f *testing.F) {
	for _, pattern := range []string{"testdata/manual/*", "testdata/bad/*.conf"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Add([]byte("veid {"))
	f.Add([]byte("resource x { cmd a\\"))
}

func checkDiagnostics(t *testing.T, src []byte, accepted bool, diags []Diagnostic) {
	if accepted == HasErrors(diags) {
		t.Fatalf("accepted is %v with %v", accepted, diags)
	}
	lines := bytes.Count(src, []byte("\n")) + 1
	for _, d := range diags {
		if d.Line < 1 || d.Line > lines || d.Col < 1 || d.Text == "" {
			t.Fatalf("bad place or text: %+v", d)
		}
		_ = d.Format()
	}
}

func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		file, diags := Parse("f", src)
		checkDiagnostics(t, src, file != nil, diags)
		if file == nil {
			return
		}
		for _, s := range file.Statements {
			if src[s.End-1] != ';' || string(src[s.Key.Start:s.Key.End]) != s.Key.Text {
				t.Fatalf("statement out of place: %+v", s)
			}
		}
		for _, b := range file.Blocks {
			if string(src[b.Algorithm.Start:b.Algorithm.End]) != b.Algorithm.Text || src[b.End-1] != '}' || b.VM == "" {
				t.Fatalf("block out of place: %+v", b)
			}
		}
	})
}

func FuzzParseResources(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		r, diags := ParseResources("f", src)
		checkDiagnostics(t, src, r != nil, diags)
		if r == nil {
			return
		}
		for _, x := range r.List {
			if (x.Cmd == "") == (x.Builtin == nil) || src[x.End-1] != '}' || strings.ContainsAny(x.Cmd, "\n") {
				t.Fatalf("bad resource: %+v", x)
			}
		}
	})
}

func TestLogsPush(t *testing.T) {
	for src, want := range map[string]bool{"balance 1;": false, "logs push;": true} {
		if f, diags := Parse("c", []byte(src+"\ndefault { algorithm relief; }")); f == nil || len(diags) > 0 || f.Push != want {
			t.Errorf("%s: %v %s", src, f, format(diags))
		}
	}
	if f, diags := Parse("c", []byte("logs pull;")); f != nil || len(diags) != 1 || diags[0].Col != 6 || diags[0].Hint != "write logs push; or leave it out" {
		t.Errorf("%v %s", f, format(diags))
	}
}

func TestClusterManager(t *testing.T) {
	for text, want := range map[string]string{"": "", "cluster pacemaker;": "pacemaker", "cluster rgmanager;": "rgmanager"} {
		if f := mustParse(t, text); f.Cluster != want {
			t.Errorf("%q: %q", text, f.Cluster)
		}
	}
	for _, text := range []string{"cluster heartbeat;", "cluster;", "cluster pacemaker rgmanager;", "cluster pacemaker; cluster pacemaker;"} {
		if f, diags := Parse("x", []byte(text)); f != nil || len(diags) != 1 {
			t.Errorf("%q: %+v", text, diags)
		}
	}
}

func TestRailsAndNeighbours(t *testing.T) {
	f, diags := Parse("lbvm.conf", []byte("balance 1, 2; rail cycle-guard off;\nrail cycle-guard on; apart 1, xen:2;\napart 3, 4; together 5, 6, 7;\n1 { rail settling off; algorithm relief; }\n"))
	if f == nil || len(diags) > 0 {
		t.Fatal(diags)
	}
	if len(f.Rails) != 2 || f.Rails[0].On || !f.Rails[1].On || f.Rails[0].Name.Text != "cycle-guard" || len(f.Apart) != 2 || len(f.Together) != 1 || len(f.Together[0]) != 3 || f.Apart[0][1] != "xen:2" {
		t.Errorf("%+v", f)
	}
	b := f.Block("1")
	if b == nil || !b.Builtin || b.Algorithm.Text != "relief" || len(b.Rails) != 1 || b.Rails[0].On {
		t.Errorf("%+v", b)
	}
	for src, want := range map[string]string{
		"rail cycle-gard off;": "did you mean cycle-guard?", "rail stale-data off;": "cannot be switched", "rail settling maybe;": "on or off", "rail settling;": "on or off",
		"apart 1;": "apart needs two VMs", "together 1, 1;": "twice", "apart 1, a/b;": "is not the name of a VM", "1 { algorithm best; }": "unknown algorithm", "1 { rail settling off algorithm relief; }": "on or off",
		"1 { algorithm relief; algorithm { } }": "a second algorithm",
	} {
		_, diags := Parse("lbvm.conf", []byte("balance 1; "+src))
		text := ""
		for _, d := range diags {
			text += d.Format()
		}
		if !HasErrors(diags) || !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s", src, text, want)
		}
	}
}

func TestNotifyAndMetrics(t *testing.T) {
	f, diags := Parse("lbvm.conf", []byte("balance 1;\nnotify move,failed /usr/local/bin/page --to ops,night; # who is awake\nnotify failed , nothing https://u:p@hooks.example.org:8443/lbvm?k=v;\n"+
		"notify all /bin/log;\nnotify move move http://[::1]/;\nmetrics /var/lib/node_exporter;\n"))
	if f == nil || len(diags) > 0 {
		t.Fatal(diags)
	}
	if len(f.Notify) != 4 || f.Paths.Metrics != "/var/lib/node_exporter" {
		t.Fatalf("%+v", f)
	}
	if n := f.Notify[0]; !slices.Equal(n.Events, []string{"move", "failed"}) || !slices.Equal(n.Command, []string{"/usr/local/bin/page", "--to", "ops,night"}) || n.URL != "" || n.Line != 2 || n.Col != 20 {
		t.Errorf("%+v", n)
	}
	if n := f.Notify[1]; !slices.Equal(n.Events, []string{"failed", "nothing"}) || n.Command != nil || n.URL != "https://u:p@hooks.example.org:8443/lbvm?k=v" || n.Wants("move") || !n.Wants("nothing") {
		t.Errorf("%+v", n)
	}
	if n := f.Notify[2]; !slices.Equal(n.Events, NotifyEvents()) || len(n.Command) != 1 {
		t.Errorf("%+v", n)
	}
	if n := f.Notify[3]; len(n.Events) != 1 {
		t.Errorf("%+v", n)
	}
	for src, want := range map[string]string{
		"notify moved /bin/log;":                 "lbvm.conf:1:19: error: unknown event \"moved\"\n    balance 1; notify moved /bin/log;\n                      ^\n  did you mean move?\n",
		"notify /bin/log;":                       "lbvm.conf:1:12: error: notify names no event",
		"notify move;":                           "notify needs a command, by its absolute path, or a URL",
		"notify move page;":                      "notify needs a command",
		"notify move ftp://host/;":               "is no http or https URL",
		"notify move https:///path;":             "is no http or https URL",
		"notify move https://h/ x;":              "lbvm.conf:1:35: error: nothing stands behind the URL",
		"notify move /bin/mail -s \"it moved\";": "a script that does what you want",
		"notify move /bin/echo $VM;":             "holds no quotes, $",
		"notify;":                                "notify has no value",
		"metrics var/lib;":                       "metrics is an absolute path",
		"metrics /a; metrics /b;":                "metrics was given already",
	} {
		f, diags := Parse("lbvm.conf", []byte("balance 1; "+src))
		text := ""
		for _, d := range diags {
			text += d.Format()
		}
		if f != nil || !strings.Contains(text, want) {
			t.Errorf("%s:\n%swant\n%s", src, text, want)
		}
	}
}
