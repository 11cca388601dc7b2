package ocf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// toyAgent is the toy as a program.
func toyAgent(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "toy.sh")
	if err := os.Symlink(self, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMetaDataProcess(t *testing.T) {
	agent := toyAgent(t)
	for i := 0; i < 20; i++ {
		if out, code := real.MetaData(t, agent); code != 0 || string(out) != testXML {
			t.Fatalf("exit %d, printed %q", code, out)
		}
	}
	// rgmanager's own environment is passed on; nothing in it matters.
	if out, code := real.MetaData(t, agent, "OCF_RESKEY_name=x", "PATH=", "LBVM_ROOT=relative"); code != 0 || string(out) != testXML {
		t.Errorf("exit %d, printed %q", code, out)
	}
}

func TestMetaDataOfNobody(t *testing.T) {
	real.NeedRoot(t)
	// The test program must be readable to nobody, which the build's folder is not.
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(dir, "toy.sh")
	if err := os.WriteFile(agent, program, 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gone := ^uintptr(0)
	pid, err := syscall.ForkExec(agent, []string{agent, "meta-data"}, &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: []uintptr{gone, f.Fd(), gone},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}})
	if err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 0 {
		t.Fatalf("%v, status %d", err, status)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != testXML {
		t.Errorf("%v, printed %q", err, b)
	}
}

// TestMetaDataUnread closes the pipe before the agent writes: not even that may end it by a signal.
func TestMetaDataUnread(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	agent := toyAgent(t)
	gone := ^uintptr(0)
	pid, err := syscall.ForkExec(agent, []string{agent, "meta-data"}, &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: []uintptr{gone, w.Fd(), gone}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("%v, status %v", err, status)
	}
}

func TestActionProcess(t *testing.T) {
	agent := toyAgent(t)
	env := func(do string) []string {
		return real.Env("toy", []real.Param{{Name: "name", Value: "t1"}, {Name: "do", Value: do}}, 0)
	}
	for _, tt := range []struct {
		args []string
		do   string
		want int
	}{
		{[]string{"start"}, "ok", 0},
		{[]string{"start"}, "fail", 1},
		{[]string{"stop"}, "ok", 0},
		{[]string{"stop"}, "gone", 0},
		{[]string{"stop"}, "panic", 1},
		{[]string{"stop"}, "code256", 1},
		{[]string{"status"}, "ok", 0},
		{[]string{"status"}, "gone", 7},
		{[]string{"status"}, "panic", 1},
		{[]string{"recover"}, "ok", 0},
		{[]string{"migrate", "node2"}, "ok", 0},
		{[]string{"migrate", "node2"}, "still", 150},
		{[]string{"migrate"}, "ok", 6},
		{[]string{"validate-all"}, "perm", 4},
		{[]string{"monitor"}, "ok", 3},
		{nil, "ok", 2},
	} {
		if got := real.Action(t, env(tt.do), agent, tt.args...); got != tt.want {
			t.Errorf("%v, %s: exit %d, want %d", tt.args, tt.do, got, tt.want)
		}
		if got := real.ActionClosed(t, env(tt.do), agent, tt.args...); got != tt.want {
			t.Errorf("%v, %s, all closed: exit %d, want %d", tt.args, tt.do, got, tt.want)
		}
		// Nothing is set at all.
		bare := map[bool]int{true: tt.want, false: 6}[len(tt.args) == 0 || tt.args[0] == "monitor"]
		if len(tt.args) > 0 && tt.args[0] == "stop" {
			bare = 0
		}
		if got := real.Action(t, nil, agent, tt.args...); got != bare {
			t.Errorf("%v without environment: exit %d, want %d", tt.args, got, bare)
		}
	}
}

func TestWhatAnActionSees(t *testing.T) {
	agent := toyAgent(t)
	file := filepath.Join(t.TempDir(), "seen")
	env := real.Env("toy", []real.Param{{Name: "name", Value: `a & "b"`}, {Name: "do", Value: "tell"}, {Name: "file", Value: file}}, 33)
	want := `action=start name=a & "b" instance=toy:a & "b" timeout=33s depth=0 size=3
deadline in 31s
PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root
dir=/
0=/dev/null
1=/dev/null
2=/dev/null
next descriptor above 2: true
`
	for name, call := range map[string]func(testing.TB, []string, string, ...string) int{"null": real.Action, "closed": real.ActionClosed} {
		if code := call(t, env, agent, "start"); code != 0 {
			t.Errorf("%s: exit %d", name, code)
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Errorf("%s: the agent saw\n%s\nwant\n%s", name, b, want)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHang lets a whole process run into its deadline: rgmanager, where it enforces one, would wait no longer.
func TestHang(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/log"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := append(real.Env("toy", []real.Param{{Name: "name", Value: "t1"}, {Name: "do", Value: "hang"}}, 1), "LBVM_ROOT="+root)
	if got := real.Action(t, env, toyAgent(t), "stop"); got != 1 {
		t.Errorf("exit %d", got)
	}
	b, err := os.ReadFile(filepath.Join(root, "var/log/messages"))
	if err != nil || !strings.Contains(string(b), "[toy] stop of toy:t1 failed: no end after 1s") {
		t.Errorf("%v: %s", err, b)
	}
}

func BenchmarkMetaDataProcess(b *testing.B) {
	agent := toyAgent(b)
	for i := 0; i < b.N; i++ {
		if _, code := real.MetaData(b, agent); code != 0 {
			b.Fatal(code)
		}
	}
}

// TestMetaDataSignalsBlocked: for meta-data, and for it alone, the agent has the daemon's blocked signals.
func TestMetaDataSignalsBlocked(t *testing.T) {
	env := real.Need(t, "env")
	if err := exec.Command(env, "--block-signal", "true").Run(); err != nil {
		t.Skipf("skipped: this env cannot block signals: %v", err)
	}
	out, err := exec.Command(env, "-i", "--block-signal", toyAgent(t), "meta-data").Output()
	if err != nil || string(out) != testXML {
		t.Errorf("%v, printed %q", err, out)
	}
}
