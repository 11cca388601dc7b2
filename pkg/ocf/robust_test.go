package ocf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// What an agent promises whatever becomes of the machine around it. Most of it is about a whole process.

// inTime runs something that must take at least least and less than limit. What a busy machine delays is tried again.
func inTime(t *testing.T, least, limit time.Duration, do func()) {
	t.Helper()
	var took time.Duration
	for try := 0; try < 10; try++ {
		began := time.Now()
		do()
		if took = time.Since(began); took < limit {
			break
		}
	}
	if took < least || took >= limit {
		t.Errorf("it took %s, not %s to %s", took, least, limit)
	}
}

// A hanging agent answers before Pacemaker's time is over: at that moment Pacemaker would kill it.
func TestAnswerBeforePacemakersTimeout(t *testing.T) {
	t.Parallel()
	env := []string{"OCF_RESKEY_name=t1", "OCF_RESKEY_do=hang", "OCF_RESKEY_CRM_meta_timeout=4000"}
	agent := toyAgent(t)
	inTime(t, 3*time.Second, 4*time.Second, func() {
		if code := real.Action(t, env, agent, "stop"); code != 1 {
			t.Errorf("exit %d", code)
		}
	})
}

func TestToldToEnd(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		n := newNode(t, "")
		n.fifo("ready")
		agent := n.start("stop", "do=tidy")
		n.line("ready")
		if err := agent.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if code := end(t, agent); code != 1 || !n.exists("tidied") {
			t.Errorf("%s: exit %d, tidied up: %t", sig, code, n.exists("tidied"))
		}
	}
}

func TestPanicOfOneOfMany(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	w, _, log := n.world("start", "do=one-panics")
	if code := Run(w, []byte(kitXML), kit{}); code != CodeGeneric || n.read("calls") != "x\n" {
		t.Errorf("exit %d, calls %q", code, n.read("calls"))
	}
	if !strings.Contains(log.String(), "critical: start of kit:k1 failed by a fault of the agent: panic: one of two") || !strings.Contains(log.String(), "command_kit_test.go") {
		t.Errorf("log: %s", log)
	}
}

func TestAll(t *testing.T) {
	c := &Call{}
	a, b := errors.New("a"), errors.New("b")
	give := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	if err := c.All(context.Background()); err != nil {
		t.Error(err)
	}
	if err := c.All(context.Background(), give(nil), give(nil)); err != nil {
		t.Error(err)
	}
	if err := c.All(context.Background(), give(a), give(nil), give(b)); !errors.Is(err, a) || !errors.Is(err, b) {
		t.Error(err)
	}
}

// A panic in a goroutine that the agent started by itself nobody can catch. It ends the process by a signal, which is
// "failed" to all managers, its text is kept, and the next action works.
func TestPanicInAGoroutineOfTheAgent(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	n.write("var/lib/lbvm/x", "", 0o600)
	if code := end(t, n.start("start", "do=own-goroutine-panics")); code != -int(syscall.SIGABRT) {
		t.Errorf("exit %d", code)
	}
	crash := n.read("var/lib/lbvm/crash")
	if !strings.Contains(crash, "panic: in a goroutine of its own") || !strings.Contains(crash, "command_kit_test.go") {
		t.Errorf("kept of the crash: %q", crash)
	}
	if code := end(t, n.start("stop")); code != 0 || n.read("calls") != "x\n" {
		t.Errorf("the next action: exit %d, calls %q", code, n.read("calls"))
	}
	if n.read("var/lib/lbvm/crash") != crash {
		t.Error("a good action wrote into the crash file")
	}
	// It does not grow for ever.
	n.write("var/lib/lbvm/crash", strings.Repeat("old\n", maxCrash/4+1), 0o600)
	if code := end(t, n.start("start", "do=own-goroutine-panics")); code != -int(syscall.SIGABRT) {
		t.Errorf("exit %d", code)
	}
	if crash = n.read("var/lib/lbvm/crash"); strings.Contains(crash, "old\n") || !strings.Contains(crash, "panic: in a goroutine of its own") {
		t.Errorf("%d bytes are kept", len(crash))
	}
}

// open runs an agent with the descriptors given, closed where they are nil.
func open(t *testing.T, argv, env []string, files [3]*os.File) int {
	t.Helper()
	fds := make([]uintptr, 3)
	for i, f := range files {
		fds[i] = ^uintptr(0)
		if f != nil {
			fds[i] = f.Fd()
		}
	}
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: env, Files: fds})
	if err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err == nil {
			break
		} else if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

func TestDescriptorsInEveryCombination(t *testing.T) {
	n := newNode(t, `readlink /proc/self/fd/0 >> calls; exec ls -x /proc/self/fd >> calls`)
	agent := agentProgram(t, "kit.sh")
	leak, err := syscall.Dup(0) // a manager's, without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	for mask := 0; mask < 8; mask++ {
		var files [3]*os.File
		for i := range files {
			if mask&(1<<i) != 0 {
				f, err := os.CreateTemp(t.TempDir(), "fd")
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				files[i] = f
			}
		}
		for _, tt := range []struct {
			action, do string
			want       int
		}{{"meta-data", "", 0}, {"start", "change", 0}, {"status", "query", 0}, {"status", "nonsense", 6}} {
			if code := open(t, []string{agent, tt.action}, n.env("do="+tt.do), files); code != tt.want {
				t.Errorf("open %03b, %s %s: exit %d", mask, tt.action, tt.do, code)
			}
		}
		for i, f := range files {
			if f == nil {
				continue
			}
			b, err := os.ReadFile(f.Name())
			want := ""
			if i == 1 {
				want = kitXML
			}
			if err != nil || string(b) != want {
				t.Errorf("open %03b: %d got %q, %v", mask, i, b, err)
			}
		}
	}
	// No descriptor of the agent has become one of the program's.
	if got := n.read("calls"); got != strings.Repeat("/dev/null\n0  1  2  3\n", 16) { // 3 is ls reading the folder
		t.Errorf("programs had %s", got)
	}
}

// Nobody reads what it prints: no action may end by that.
func TestOutputIntoAClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	n := newNode(t, "exit 0")
	agent := agentProgram(t, "kit.sh")
	for _, tt := range []struct {
		args string
		want int
	}{
		{"--dialect=heartbeat k1 do=query status", 0}, {"--dialect=heartbeat k1 do=nonsense status", 6}, {"--dialect=heartbeat k1 stop", 0},
		{"--help", 0}, {"--explain start", 0}, {"meta-data", 0}, {"stop", 0}, {"--bad", 2},
	} {
		if code := open(t, append([]string{agent}, strings.Fields(tt.args)...), n.env(), [3]*os.File{nil, w, w}); code != tt.want {
			t.Errorf("%s: exit %d, want %d", tt.args, code, tt.want)
		}
	}
	if code := open(t, []string{agent}, n.env(), [3]*os.File{nil, w, w}); code != 2 {
		t.Errorf("bare: exit %d", code)
	}
}

func TestClockThatSteps(t *testing.T) {
	real := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, then := range map[string]time.Time{
		"back an hour": real.Add(-time.Hour), "1970": time.Unix(0, 0), "zero": {}, "a century on": real.AddDate(100, 0, 0), "before 1970": time.Unix(-1<<40, 0),
	} {
		n := newNode(t, "exit 0")
		now := real
		w, _, log := n.world("start", "name=t1")
		w.Now, w.Box = func() time.Time { return now }, BoxFile(n.root)
		n.write("var/lib/x", "", 0o600)
		var soft time.Duration
		see := toy{func(ctx context.Context, c *Call) {
			now = then
			u, cancel := c.Until(ctx, 2, 3)
			defer cancel()
			if end, ok := u.Deadline(); ok {
				soft = time.Until(end)
			}
			if _, err := c.Change(ctx, "tool"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}}
		if code := Run(w, []byte(testXML), see); code != 0 {
			t.Errorf("%s: exit %d, %s", name, code, log)
		}
		if soft > 200*time.Second || then.Before(real) && soft < 190*time.Second {
			t.Errorf("%s: two thirds of five minutes are %s", name, soft)
		}
		if then.Before(real) && !strings.Contains(log.String(), "start of kit:k1 done in 0s") {
			t.Errorf("%s: log %s", name, log)
		}
	}
}

// inNamespace runs an agent where the mounts are as the script made them.
func inNamespace(t *testing.T, n node, script string, action string, params ...string) int {
	t.Helper()
	real.NeedRoot(t)
	probe := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", "mount --make-rprivate /"}, SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}}
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("skipped: no mounts of our own can be made here: %v: %s", err, out)
	}
	c := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", "mount --make-rprivate / && " + script + ` && exec "$0" "$1"`, agentProgram(t, "kit.sh"), action},
		Dir: "/", Env: n.env(params...), SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	said, err := os.CreateTemp(t.TempDir(), "said")
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	c.Stdin, c.Stdout, c.Stderr = null, null, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	code := end(t, c)
	if b, err := os.ReadFile(said.Name()); err != nil || len(b) > 0 {
		t.Errorf("it said %q, %v", b, err)
	}
	return code
}

func TestReadOnlyNode(t *testing.T) {
	n := newNode(t, "if ( : > written ) 2>/dev/null; then exit 3; fi; [ -e fail ] && exit 4; exit 0")
	n.write("var/run/lbvm/x", "", 0o600)
	log := listen(t, n.root)
	defer log.Close()
	readOnly := fmt.Sprintf("mount --bind %[1]s %[1]s && mount -o remount,bind,ro %[1]s", n.root)
	if code := inNamespace(t, n, readOnly, "stop", "do=ask-change-ask"); code != 0 {
		t.Errorf("exit %d", code)
	}
	if line := receive(t, log); !strings.Contains(line, "going on without a lock: ") {
		t.Errorf("log: %q", line)
	}
	n.write("fail", "", 0o600)
	if code := inNamespace(t, n, readOnly, "stop"); code != 1 {
		t.Errorf("a stop that fails: exit %d", code)
	}
}

// Without /dev/null there are still programs to run. (With descriptors closed as well, Go itself does not start.)
func TestNoDevNull(t *testing.T) {
	n := newNode(t, "read x; [ -z \"$x\" ] && [ ! -e /dev/null ] && echo \"$1\" >> calls")
	for _, tt := range []struct{ action, do string }{{"start", "change"}, {"status", "query"}, {"stop", "two-at-once"}} {
		if code := inNamespace(t, n, "mount -t tmpfs none /dev", tt.action, "do="+tt.do); code != 0 {
			t.Errorf("%s: exit %d", tt.action, code)
		}
	}
	if got := n.read("calls"); got != "start\nstatus\nstop\nstop\n" {
		t.Errorf("calls %q", got)
	}
}

// Nobody reads the log, and its socket is full. An action that has much to say still ends.
func TestLogThatHangs(t *testing.T) {
	n := newNode(t, "exit 1")
	c := listen(t, n.root)
	defer c.Close()
	full, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: filepath.Join(n.root, "dev/log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for {
		if err := full.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := full.Write([]byte("nobody reads this")); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for _, do := range []string{"change", "one-panics"} {
		if code := end(t, n.start("stop", "do="+do)); code != 1 {
			t.Errorf("%s: exit %d", do, code)
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("the log held two actions for %s", took)
	}
}

// What lies in the log's place is no log.
func TestLogThatIsNone(t *testing.T) {
	for name, make := range map[string]func(n node){
		"missing": func(node) {},
		"a file":  func(n node) { n.write("dev/log", "", 0o600) },
		"a fifo":  func(n node) { n.write("dev/x", "", 0o600); n.fifo("dev/log") },
		"a dead socket": func(n node) {
			c := listen(t, n.root)
			c.Close()
		},
	} {
		n := newNode(t, "exit 0")
		make(n)
		if code := end(t, n.start("stop")); code != 0 {
			t.Errorf("%s: exit %d", name, code)
		}
	}
}

func TestAbsurdEnvironments(t *testing.T) {
	var many []string
	for i := 0; i < 10_000; i++ {
		many = append(many, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", i%100)))
	}
	longest := strings.Repeat("x", 128<<10-64) // the kernel takes no longer one
	var large []string
	for i := 0; i < 12; i++ {
		large = append(large, fmt.Sprintf("LARGE_%d=%s", i, longest))
	}
	for name, tt := range map[string]struct {
		first []string // before the node's own
		want  int
	}{
		"many":           {many, 0},
		"large":          {large, 0},
		"odd":            {[]string{"", "=", "==", "=x", "no sign", "OCF_RESKEY_", "OCF_RESKEY_=x", "\xff\xfe=\x01", "OCF_CHECK_LEVEL=99999999999999999999", "OCF_CHECK_LEVEL=-", "OCF_RESOURCE_INSTANCE="}, 0},
		"twice":          {[]string{"OCF_RESKEY_do=query", "OCF_RESKEY_do=nonsense"}, 0},
		"long path":      {[]string{"PATH=" + longest, "HOME=" + longest}, 0},
		"long name":      {[]string{"OCF_RESKEY_name=" + longest}, 0},
		"long instance":  {[]string{"OCF_RESOURCE_INSTANCE=" + longest}, 0},
		"long timeout":   {[]string{"OCF_RESKEY_CRM_meta_timeout=" + strings.Repeat("9", 100_000)}, 0},
		"a root so long": {[]string{RootVariable + "=/" + longest}, 5}, // no program can lie there
		"no dialect":     {[]string{"LBVM_DIALECT=" + longest}, 0},
	} {
		n := newNode(t, `[ "$(env | wc -l)" -lt 8 ] && echo x >> calls`)
		env := append(tt.first, n.env()...)
		code := real.Action(t, env, agentProgram(t, "kit.sh"), "stop")
		if code != tt.want || (code == 0) != (n.read("calls") == "x\n") {
			t.Errorf("%s: exit %d, want %d; calls %q", name, code, tt.want, n.read("calls"))
		}
		if out, code := real.MetaData(t, agentProgram(t, "kit.sh"), env...); code != 0 || string(out) != kitXML {
			t.Errorf("%s: meta-data: exit %d, %d bytes", name, code, len(out))
		}
	}
}
