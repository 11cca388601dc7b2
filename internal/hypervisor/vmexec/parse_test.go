package vmexec

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// lxc is the sample that is installed beside the agents.
func lxc(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../packaging/lbvm.d/lxc.sample")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whole uses everything that a definition may hold.
const whole = `# a technology
config /etc/x/%{name}.conf;
disk /disks/%{name};
disk '/disks/%{name} two';
memory 2G;
status {
    run xtool "state" --of=%{name} '%%{literal}';  # trailing
    timeout 5s;
    running exit 0 output "^%{name} up$";
    paused exit 0 output "^%{name} frozen$";
    stopped exit 0 3 output "^%{name} down$" error "^$";
    remains exit 4;
    leaving exit 5; arriving exit 6; unknown exit 7;
}
start { run xtool start
            %{config}; timeout 1m; done exit 0 9; failed output "ERROR"; }
stop xtool stop %{name};
destroy { sh 'xtool kill "$VM_NAME" || true'; }
thaw xtool thaw %{name};
save xtool save %{name} %{image};
restore { run /opt/x/restore %{image}; }
migrate xtool move %{name} %{target};
`

func parsed(t *testing.T, text string) *Definition {
	t.Helper()
	d, diags := Parse("x", "x", []byte(text))
	if d == nil {
		t.Fatalf("%v", diags)
	}
	return d
}

func TestParseWhole(t *testing.T) {
	d := parsed(t, whole)
	if !d.Saves() || !d.Migrates() || d.memory != 2<<30 || len(d.disks) != 2 || d.config == nil {
		t.Errorf("%+v", d)
	}
	h, err := host.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := values{"name": "web 1", "config": "/c", "image": "/i", "target": "n2"} // a blank, to see that words stay words
	for name, want := range map[string][]string{
		status: {"xtool", "state", "--of=web 1", "%{literal}"}, start: {"xtool", "start", "/c"}, stop: {"xtool", "stop", "web 1"},
		destroy: {"/bin/sh", "-c", `xtool kill "$VM_NAME" || true`}, thaw: {"xtool", "thaw", "web 1"}, save: {"xtool", "save", "web 1", "/i"},
		restore: {h.Path("/opt/x/restore"), "/i"}, migrate: {"xtool", "move", "web 1", "n2"},
	} {
		c, err := d.commands[name].made(h, v)
		if err == nil && name != destroy {
			t.Errorf("%s: the program is not there, and that was no error", name)
		}
		if len(c.Argv) > 0 && c.Argv[0] == "" {
			c.Argv[0] = "xtool"
		}
		if !slices.Equal(c.Argv, want) {
			t.Errorf("%s: %q, not %q", name, c.Argv, want)
		}
		if name == destroy && (!slices.Contains(c.Env, "VM_NAME=web 1") || !slices.Contains(c.Env, "VM_CONFIG=/c")) {
			t.Errorf("%s: environment %q", name, c.Env)
		}
	}
}

// What an answer means: each row, two that disagree, and all that stands in none is unknown.
func TestMeanings(t *testing.T) {
	d := parsed(t, whole+"\n")
	for _, c := range []struct {
		r    run.Result
		want hypervisor.State
	}{
		{run.Result{Stdout: []byte("web up\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("other down\nweb up\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("web frozen\n")}, hypervisor.Paused},
		{run.Result{Stdout: []byte("web down\n")}, hypervisor.Stopped},
		{run.Result{Code: 3, Stdout: []byte("web down\n")}, hypervisor.Stopped},
		{run.Result{Code: 4}, hypervisor.Remains},
		{run.Result{Code: 5}, hypervisor.Migrating},
		{run.Result{Code: 6}, hypervisor.Arriving},
		{run.Result{Code: 7}, hypervisor.Unknown},
		{run.Result{}, hypervisor.Unknown},
		{run.Result{Code: 1}, hypervisor.Unknown},
		{run.Result{Code: 1, Stdout: []byte("web down\n")}, hypervisor.Unknown},
		{run.Result{Stdout: []byte("web down\n"), Stderr: []byte("no: really not")}, hypervisor.Unknown}, // a condition fails
		{run.Result{Stdout: []byte("other up\n")}, hypervisor.Unknown},
		{run.Result{Stdout: []byte("Xweb up\n")}, hypervisor.Unknown},
		{run.Result{Stdout: []byte("web up\nweb down\n")}, hypervisor.Unknown}, // rows disagree
		{run.Result{Stdout: []byte("web down\n"), Truncated: true}, hypervisor.Unknown},
	} {
		s, err := d.meaning(c.r, "web")
		if s != c.want || (err != nil) != (c.want == hypervisor.Unknown) {
			t.Errorf("%s: %s, %v; want %s", answer(c.r), s, err, c.want)
		}
	}
	// A name is its letters, not an expression.
	if s, _ := d.meaning(run.Result{Stdout: []byte("webX1 down\n")}, "web.1"); s != hypervisor.Unknown {
		t.Errorf("web.1 is %s where webX1 is down", s)
	}
}

func TestOutcome(t *testing.T) {
	d := parsed(t, whole)
	for _, c := range []struct {
		of string
		r  run.Result
		ok bool
	}{
		{start, run.Result{}, true}, {start, run.Result{Code: 9}, true}, {start, run.Result{Code: 1}, false},
		{start, run.Result{Stdout: []byte("ERROR 7")}, false}, {stop, run.Result{}, true}, {stop, run.Result{Code: 9}, false},
	} {
		if err := d.commands[c.of].outcome(c.r, "web"); (err == nil) != c.ok {
			t.Errorf("%s, %s: %v", c.of, answer(c.r), err)
		}
	}
}

const (
	good      = "status { run x %{name}; running exit 0 output up; stopped exit 0 output down; }\n"
	goodWhole = good + "start x %{name};\nstop x %{name};\n"
)

// faults are definitions with the first line of what is said of each.
func faults() []struct{ name, text, want string } {
	return []struct{ name, text, want string }{
		{"empty", "", "1:1: error: there is no status"},
		{"no stop", good + "start x %{name};", "1:1: error: there is no stop"},
		{"unknown key", goodWhole + "sotp x;", `4:1: error: unknown key "sotp"`},
		{"given twice", goodWhole + "stop y %{name};", "4:1: error: stop was given already, at line 3"},
		{"no semicolon", good + "start x %{name}\nstop x %{name};", "2:15: error: start lacks its semicolon"},
		{"no semicolon at the end", good + "start x %{name};\nstop x %{name}", "3:14: error: stop lacks its semicolon"},
		{"open block", goodWhole + "thaw { run x %{name};", "4:6: error: the block of thaw is not closed"},
		{"open quote", goodWhole + "thaw x '%{name};\n", "4:8: error: a quote is not closed"},
		{"unknown placeholder", goodWhole + "thaw x %{nmae};", "4:8: error: %{nmae} means nothing here"},
		{"an image in start", "start x %{name} %{image};\nstop x %{name};\n" + good, "1:17: error: %{image} means nothing here"},
		{"open placeholder", goodWhole + "thaw x %{name;", "4:8: error: a placeholder is not closed"},
		{"no guest", goodWhole + "thaw x --all;", "4:1: error: thaw does not say which guest is meant"},
		{"no guest in sh", goodWhole + "thaw { sh 'x --all'; }", "4:1: error: thaw does not say which guest is meant"},
		{"placeholder in sh", goodWhole + "thaw { sh 'x %{name}'; }", "4:14: error: %{name} means nothing here"},
		{"sh without quotes", goodWhole + "thaw { sh x y; }", "4:8: error: sh has one text, not 2 words"},
		{"run and sh", goodWhole + "thaw { run x %{name}; sh 'x'; }", "4:1: error: thaw has run and sh"},
		{"nothing to run", goodWhole + "thaw { timeout 5s; }", "4:1: error: thaw runs nothing"},
		{"save alone", goodWhole + "disk /d;\nsave x %{name} %{image};", "5:1: error: there is save and no restore"},
		{"restore alone", goodWhole + "restore x %{image};", "4:1: error: there is restore and no save"},
		{"save without a disk", goodWhole + "save x %{name} %{image};\nrestore x %{image};", "4:1: error: save without a disk"},
		{"save without an image", goodWhole + "disk /d;\nsave x %{name};\nrestore x %{image};", "5:1: error: save does not say where the image is"},
		{"migrate without a target", goodWhole + "migrate x %{name};", "4:1: error: migrate does not say whereto"},
		{"relative program", goodWhole + "thaw bin/x %{name};", `4:6: error: "bin/x" is a relative path`},
		{"program put in", goodWhole + "thaw %{name} x;", "4:6: error: nothing is put into the name of a program"},
		{"status in short", "status x %{name};\nstart x %{name};\nstop x %{name};", "1:1: error: status says what its answers mean, in a block"},
		{"nothing is stopped", "status { run x %{name}; running exit 0; }\nstart x %{name};\nstop x %{name};", "1:1: error: status does not say by what a guest is known to be stopped"},
		{"a row without conditions", strings.Replace(goodWhole, "stopped exit 0 output down", "stopped", 1), "1:51: error: stopped has no condition"},
		{"not a condition", strings.Replace(goodWhole, "output down", "says down", 1), `1:66: error: "says" is no condition`},
		{"not an expression", strings.Replace(goodWhole, "output down", `output "do(wn"`, 1), "1:73: error: not a regular expression"},
		{"no code", strings.Replace(goodWhole, "exit 0 output down", `exit output down`, 1), "1:59: error: exit is followed by one or more codes"},
		{"a code too high", strings.Replace(goodWhole, "exit 0 output down", `exit 256`, 1), "1:64: error: 256 is no exit code"},
		{"not found is not stopped", strings.Replace(goodWhole, "exit 0 output down", `exit 0 127 output down`, 1), "1:51: error: exit 127 never means that a guest is stopped"},
		{"killed is not stopped", strings.Replace(goodWhole, "exit 0 output down", `exit 137 output down`, 1), "1:51: error: exit 137 never means"},
		{"a code alone", strings.Replace(goodWhole, "exit 0 output down", `exit 1`, 1), "1:51: warning: exit 1 alone means stopped"},
		{"a shell's words", goodWhole + "thaw x %{name} | y;", "4:6: warning: no shell reads this command"},
		{"config is not known", goodWhole + "thaw x %{config};", "4:1: warning: thaw uses the guest's configuration"},
		{"a meaning of another block", strings.Replace(goodWhole, "start x %{name};", "start { run x %{name}; running exit 0; }", 1), `2:24: error: unknown key "running"`},
		{"relative disk", goodWhole + "disk %{name};", "4:6: error: disk is an absolute path"},
		{"memory without a unit", goodWhole + "memory 512;", "4:8: error: memory: "},
		{"timeout", goodWhole + "thaw { run x %{name}; timeout 2h; }", "4:23: error: timeout is a time of at most 1h"},
		{"stray", goodWhole + "}", "4:1: error: '}' begins no statement"},
		{"a brace in a value", goodWhole + "thaw x %{name} {};", "4:16: error: a { stands in the value of thaw"},
		{"a zero byte", goodWhole + "thaw x %{name}\x00;", "4:15: error: a zero byte"},
	}
}

func TestFaults(t *testing.T) {
	for _, c := range faults() {
		d, diags := Parse("x", "x", []byte(c.text))
		if len(diags) == 0 {
			t.Errorf("%s: nothing is wrong", c.name)
			continue
		}
		got := fmt.Sprintf("%d:%d: %s: %s", diags[0].Line, diags[0].Col, diags[0].Severity, diags[0].Text)
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, not %s (%q)", c.name, got, c.want, diags)
		}
		if (d == nil) != syntax.HasErrors(diags) {
			t.Errorf("%s: a definition in spite of errors", c.name)
		}
	}
}

// A file that is being written holds a part of what it will hold. Wherever it is cut off it is refused, or means the same
// of status, start and stop as the whole.
func TestHalfAFileIsNotBelieved(t *testing.T) {
	for _, text := range []string{whole, string(lxc(t)), goodWhole} {
		full := parsed(t, text)
		believed := 0
		for n := range len(text) {
			d, _ := Parse("x", "x", []byte(text[:n]))
			if d == nil {
				continue
			}
			believed++
			for _, name := range []string{status, start, stop} {
				if got, want := fmt.Sprintf("%+v", *d.commands[name]), fmt.Sprintf("%+v", *full.commands[name]); shape(got) != shape(want) {
					t.Fatalf("cut off at byte %d, %s is\n%s\nand not\n%s", n, name, got, want)
				}
			}
		}
		t.Logf("%d of %d beginnings are definitions", believed, len(text))
	}
}

// shape is a printed command without the addresses of its patterns.
func shape(s string) string {
	out := []string{}
	for _, w := range strings.Fields(s) {
		if i := strings.Index(w, "0x"); i >= 0 {
			w = w[:i] + "0x"
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// The installed sample is without a fault, and says what lxc-info of Debian 12 prints (LXC 5.0, as captured there).
func TestSample(t *testing.T) {
	d, diags := Parse("lxc", "lxc", lxc(t))
	if d == nil || len(diags) > 0 {
		t.Fatalf("%v", diags)
	}
	for _, c := range []struct {
		r    run.Result
		want hypervisor.State
	}{
		{run.Result{Stdout: []byte("State:          RUNNING\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("State:          STARTING\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("State:          STOPPING\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("State:          ABORTING\n")}, hypervisor.Running},
		{run.Result{Stdout: []byte("State:          FROZEN\n")}, hypervisor.Paused},
		{run.Result{Stdout: []byte("State:          STOPPED\n")}, hypervisor.Stopped},
		{run.Result{Code: 1, Stderr: []byte("web doesn't exist\n")}, hypervisor.Stopped},
		{run.Result{Code: 1, Stderr: []byte("Insufficent privileges to control web\n")}, hypervisor.Unknown},
	} {
		if s, err := d.meaning(c.r, "web"); s != c.want {
			t.Errorf("%s: %s, %v", answer(c.r), s, err)
		}
	}
	if d.Saves() || d.Migrates() {
		t.Error("LXC cannot save")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(lxc(f))
	for _, c := range faults() {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		d, diags := Parse("x", "x", src)
		for _, x := range diags {
			if x.Line < 1 || x.Col < 1 || x.Text == "" {
				t.Errorf("%+v", x)
			}
			_ = x.Format()
		}
		if d == nil {
			if !syntax.HasErrors(diags) {
				t.Error("no definition and no error")
			}
			return
		}
		for _, name := range []string{status, start, stop} {
			c := d.commands[name]
			if c == nil || len(c.words) == 0 && c.shell == "" {
				t.Fatalf("%s is missing", name)
			}
			for _, w := range c.words {
				if w.at.End > len(src) || w.at.Start >= w.at.End {
					t.Errorf("%+v", w)
				}
			}
		}
		for _, r := range []run.Result{{Code: 126}, {Code: 127}, {Code: 137}, {Truncated: true}} {
			if s, err := d.meaning(r, "x"); s.Clean() && (r.Truncated || len(d.commands[status].rows) == 0) || err == nil && s == hypervisor.Unknown {
				t.Errorf("%+v is %s, %v", r, s, err)
			}
		}
	})
}
