package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/top"
	"github.com/lbvm/lbvm/pkg/balance"
)

// asLbm is argv[0] by which this test's program knows that it is to be lbm; it starts itself as /proc/self/exe.
const asLbm = "lbm-under-test"

func TestMain(m *testing.M) {
	if os.Args[0] == asTold {
		toldMain()
		return
	}
	if os.Args[0] == asLbm || os.Args[0] == "/proc/self/exe" {
		main()
		return
	}
	os.Exit(m.Run())
}

// watchable is a bench with passes, samples, facts and moves.
func watchable(t *testing.T) *bench {
	t.Helper()
	b := explainable(t)
	now := b.clock.Now()
	for i, n := range []string{x1, x2} {
		if err := host.WriteFacts(filepath.Join(b.root, "gfs"), host.Facts{Member: n, Boot: "boot", At: now.Add(-20 * time.Second), Cores: 4, MemTotal: 8 << 30, MemFree: int64(i+1) << 30}); err != nil {
			t.Fatal(err)
		}
	}
	journal := balance.OpenJournal(filepath.Join(b.root, "gfs/lbvm/log", balance.JournalName))
	for _, m := range []balance.Move{
		{Txn: "1", VM: "xen:centos2", From: x1, To: x2, By: "lbm", Why: "asked for", Begin: now.Add(-2 * time.Hour)},
		{Txn: "1", VM: "xen:centos2", From: x1, To: x2, Begin: now.Add(-2 * time.Hour), End: now.Add(-119 * time.Minute), Outcome: balance.OutcomeMoved, Owner: x2},
		{Txn: "2", VM: "xen:centos1", From: x1, To: x2, By: "lbmonitor", Why: "hot", Begin: now.Add(-5 * time.Second)},
	} {
		if err := journal.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestTopOnce(t *testing.T) {
	b := watchable(t)
	for _, args := range [][]string{{"top", "--once"}, {"top"}} { // nobody sees the second one at a terminal
		if code := b.lbm(args...); code != 0 {
			t.Fatalf("%d %s", code, b.errors.String())
		}
		for _, want := range []string{"LBVM xen  3 of 3 nodes online  1 VM  last pass 0s ago: 1 balanced, 1 to move", "VMs by decision", "migrate to " + x2,
			"for 5s    in flight xen:centos1 from " + x1, "119m ago  moved     xen:centos2", x1 + "       1  8.0G   #########.  0.90    #########.", "lblog has not run on node " + x3} {
			if !strings.Contains(b.out.String(), want) {
				t.Errorf("no %q in\n%s", want, b.out.String())
			}
		}
	}
	b.environ = []string{"LANG=C", "LC_ALL=de_AT.UTF-8"}
	if code := b.lbm("top", "--once"); code != 0 || !strings.Contains(b.out.String(), "█") {
		t.Errorf("%d\n%s", code, b.out.String())
	}
	if code := b.lbm("top", "-o", "json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	var s top.Snapshot
	if err := json.Unmarshal(b.out.Bytes(), &s); err != nil || len(s.Nodes) != 3 || len(s.VMs) != 1 || len(s.Moves) != 2 || *s.Nodes[0].Values["cpu"].Newest != 0.9 || s.Nodes[0].Values["cpu"].Means[top.Points-1] == nil || strings.Contains(b.out.String(), ": null\n  \"moves\"") {
		t.Errorf("%s %v", b.out.String(), err)
	}
	if err := os.Remove(filepath.Join(b.root, "gfs/lbvm/log", balance.PassesName)); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("top", "--once"); code != 0 || !strings.Contains(b.out.String(), "no pass of the balancer in 24 hours") || !strings.Contains(b.out.String(), x2) {
		t.Errorf("without passes: %d\n%s%s", code, b.out.String(), b.errors.String())
	}
	if err := os.Remove(filepath.Join(b.root, "gfs/lbvm/cluster")); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("top", "--once"); code != exitFailed || b.out.Len() > 0 {
		t.Errorf("without the shared storage: %d\n%s", code, b.out.String())
	}
	for _, args := range [][]string{{"x"}, {"--interval", "1ms"}, {"-o", "xml"}} {
		if code := b.lbm(append([]string{"top"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

// typist is somebody at a terminal.
type typist struct {
	t     *testing.T
	cmd   *exec.Cmd
	other *os.File
	seen  chan string
	tty   *os.File
	was   *unix.Termios
	glass *glass
}

// atTerminal starts lbm top on a terminal, below the bench's root and at its time.
func atTerminal(t *testing.T, b *bench) *typist {
	t.Helper()
	tty, other := real.Terminal(t, 120, 40)
	was, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "etc/lbvm-clock", string(clock.Scaled{Start: time.Now(), Epoch: b.clock.Now(), Scale: 1}.Format()))
	p := &typist{t: t, other: other, seen: make(chan string, 1000), tty: tty, was: was, glass: newGlass(120, 40)}
	p.cmd = &exec.Cmd{Path: "/proc/self/exe", Args: []string{asLbm, "top", "--interval", "1s"}, Env: []string{"LBVM_ROOT=" + b.root, "TERM=xterm", "LANG=en_US.UTF-8"},
		Stdin: tty, Stdout: tty, Stderr: tty, SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.seen)
		piece := make([]byte, 64<<10)
		for {
			n, err := other.Read(piece)
			if err != nil {
				return
			}
			p.seen <- string(piece[:n])
		}
	}()
	return p
}

// awaits looks at the screen until that text is on it.
func (p *typist) awaits(text string) {
	p.t.Helper()
	for limit := time.NewTimer(4 * time.Minute); ; {
		select {
		case piece, open := <-p.seen:
			if p.glass.write(piece); strings.Contains(p.glass.String(), text) {
				limit.Stop()
				return
			}
			if !open {
				p.t.Fatalf("it ended before %q was shown:\n%s", text, p.glass)
			}
		case <-limit.C:
			p.t.Fatalf("never shown: %q in\n%s", text, p.glass)
		}
	}
}

func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := p.other.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for its end, and looks whether the terminal is as it was.
func (p *typist) ends(code int) {
	p.t.Helper()
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != code {
		p.t.Errorf("exit code %d, want %d (%v)", p.cmd.ProcessState.ExitCode(), code, err)
	}
	is, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil || *is != *p.was {
		p.t.Errorf("the terminal was left as %+v, it was %+v (%v)", is, p.was, err)
	}
}

// A person starts it on a terminal, looks, asks why, and quits.
func TestTopOnATerminal(t *testing.T) {
	b := watchable(t)
	p := atTerminal(t, b)
	p.awaits("xen:centos1")
	p.types("s")
	p.awaits("VMs by name")
	p.types("\r") // the bench has no cluster that could be asked, which is said
	p.awaits("asking the cluster manager")
	p.types("q")
	p.awaits("MOVES of")
	p.types("q")
	p.ends(0)
}

// However it is ended, the terminal is as it was.
func TestTopIsEndedBySignals(t *testing.T) {
	b := watchable(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		p := atTerminal(t, b)
		p.awaits("xen:centos1")
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		p.ends(exitInterrupted)
	}
}

// With the shared storage away it says so, goes on showing what it read, and ends at once.
func TestTopWithTheSharedStorageAway(t *testing.T) {
	b := watchable(t)
	p := atTerminal(t, b)
	p.awaits("xen:centos1")
	if err := os.Remove(filepath.Join(b.root, "gfs/lbvm/cluster")); err != nil {
		t.Fatal(err)
	}
	p.awaits("(is it mounted?)")
	p.types("q")
	p.ends(0)
	// One that does not even answer: a named pipe holds its reader as a hung file system does.
	if err := syscall.Mkfifo(filepath.Join(b.root, "gfs/lbvm/cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = atTerminal(t, b)
	p.awaits("has not answered for")
	p.types("q")
	p.ends(0)
}
