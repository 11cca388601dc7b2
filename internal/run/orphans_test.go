package run

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// brood is a tool with a child in its session and one that has made itself a daemon. Each says who it is and then waits
// for ever, with its end of the pipe open.
const brood = `
/bin/sh -c 'trap "" TERM; exec 8<>"$1" 9>"$2"; echo "child $$" >&9; read x <&8' sh "$1" "$2" &
setsid /bin/sh -c 'exec 8<>"$1" 9>"$2"; echo "daemon $$" >&9; read x <&8' sh "$1" "$3" &
exec 8<>"$1" 9>"$4"; echo "tool $PPID" >&9; read x <&8`

// The agent is killed, and then its keeper: its tool dies, and the tool's child goes on without the lock. Who has the lock
// next ends it, and not what has made itself a daemon (xl leaves one for each domain).
func TestOrphansOfAKilledKeeper(t *testing.T) {
	for _, agentLives := range []bool{false, true} {
		dir := t.TempDir()
		lock, note := filepath.Join(dir, "lock"), filepath.Join(dir, "note")
		never, child, daemon, tool := newFifo(t), newFifo(t), newFifo(t), newFifo(t)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "/bin/sh", "-c", brood, "sh", never.path, child.path, daemon.path, tool.path)
		cmd.Env = append(os.Environ(), agentVariable+"="+lock, noteVariable+"="+note)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		id := func(f fifo) (int, io.ReadCloser) {
			t.Helper()
			line, end := f.read()
			pid, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
			if err != nil {
				t.Fatal(err)
			}
			return pid, end
		}
		childID, childEnd := id(child)
		daemonID, _ := id(daemon)
		t.Cleanup(func() { kill(daemonID, syscall.SIGKILL) })
		keeper, toolEnd := id(tool)
		if text, err := os.ReadFile(note); err != nil || !strings.HasPrefix(string(text), fmt.Sprintf("%d ", keeper)) || !strings.HasSuffix(string(text), " /bin/sh\n") {
			t.Errorf("the note says %q, %v", text, err)
		}
		if !agentLives {
			kill(cmd.Process.Pid, syscall.SIGKILL)
			if err := cmd.Wait(); err == nil {
				t.Error("the agent was not killed")
			}
		}
		kill(keeper, syscall.SIGKILL)
		awaitEnd(t, toolEnd)
		if agentLives { // it has the lock, and ends them itself
			if err := cmd.Wait(); err == nil {
				t.Error("what had lost its keeper succeeded")
			}
		} else {
			f, err := os.Open(lock)
			if err == nil {
				err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := statOf(childID); !ok {
				t.Fatal("the child has not outlived its keeper: nothing is tried here")
			}
			found, err := EndOrphans(note)
			// The tool lets its files go before it is dead: it may be found as well.
			if err != nil || !slices.Contains(found.PIDs, childID) || slices.Contains(found.PIDs, daemonID) || len(found.PIDs) > 2 || found.Tool != "/bin/sh" {
				t.Errorf("ended %+v, %v; wanted %d", found, err, childID)
			}
			f.Close()
		}
		awaitEnd(t, childEnd)
		if _, _, ok := statOf(daemonID); !ok {
			t.Error("a daemon was ended")
		}
		if text, err := os.ReadFile(note); len(text) > 0 || err != nil {
			t.Errorf("the note still says %q, %v", text, err)
		}
		if again, err := EndOrphans(note); err != nil || len(again.PIDs) > 0 {
			t.Errorf("%+v, %v", again, err)
		}
	}
}

// A tool that has ended leaves no note, whatever goes on in its session; so nothing of it is ever ended.
func TestNoNoteStaysOfAToolThatEnded(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	never, child := newFifo(t), newFifo(t)
	for _, script := range []string{"exit 3", "kill -9 $$", `/bin/sh -c 'exec 8<>"$1" 9>"$2"; echo "$$" >&9; read x <&8' sh "$1" "$2" >/dev/null 2>&1 & exit 3`} {
		_, err := Keeper{Lock: lockFile(t), Note: note}.Run(short(t, patience), sh(script, never.path, child.path))
		if text, rerr := os.ReadFile(note); rerr != nil || len(text) > 0 {
			t.Errorf("%s: the note says %q, %v (%v)", script, text, rerr, err)
		}
	}
	line, end := child.read()
	if found, err := EndOrphans(note); err != nil || len(found.PIDs) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	kill(pid, syscall.SIGKILL)
	awaitEnd(t, end)
	if _, err := (Keeper{Note: note}).Run(short(t, patience), Command{Argv: []string{"/does/not/exist"}}); err == nil {
		t.Error("it ran what does not exist")
	}
	if text, err := os.ReadFile(note); err != nil || len(text) > 0 {
		t.Errorf("the note says %q, %v", text, err)
	}
}

// A session whose leader is of another age has the number only. What nobody can read is the note of nothing.
func TestNumbersThatAreUsedAgain(t *testing.T) {
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", "echo; read x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	session, start, ok := statOf(pid)
	if !ok || session != pid {
		t.Fatalf("session %d of %d", session, pid)
	}
	note := filepath.Join(t.TempDir(), "note")
	for text, want := range map[string]int{
		fmt.Sprintf("%d %d tool\n", pid, start-1):     0, // the leader is younger: the number was used again
		fmt.Sprintf("%d %d tool\n", pid, start+1):     0, // nobody began before its leader
		fmt.Sprintf("%d %d tool\n", pid+1<<22, start): 0,
		fmt.Sprintf("%d %d", pid, start):              0,
		"1 0 tool\n":                                  0,
		"-1 0 tool\n":                                 0,
		"":                                            0,
		fmt.Sprintf("%d %d tool\n", os.Getpid(), 0):   0,
	} {
		if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := EndOrphans(note)
		if err != nil || len(found.PIDs) != want {
			t.Errorf("%q: %+v, %v", text, found, err)
		}
		if left, err := os.ReadFile(note); err != nil || len(left) > 0 {
			t.Errorf("%q: the note still says %q, %v", text, left, err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "exit status 1") { // read at the end of its input
		t.Errorf("it was ended: %v", err)
	}
}
