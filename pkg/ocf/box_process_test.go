package ocf

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// boxWriterVariable makes this program an agent that acts again and again on the box that it names; with a number in
// boxTimesVariable so often, otherwise until it is killed.
const (
	boxWriterVariable = "LBVM_TEST_BOX"
	boxTimesVariable  = "LBVM_TEST_BOX_TIMES"
)

func boxWriter() int {
	times, err := strconv.Atoi(os.Getenv(boxTimesVariable))
	if err != nil {
		times = 1 << 30
	}
	for i := range times {
		action := []string{"status", "start", "status", "stop"}[i%4]
		w := boxWorld(os.Getenv(boxWriterVariable), action, "OCF_RESOURCE_INSTANCE=w"+strconv.Itoa(os.Getpid()), "OCF_RESKEY_do="+[]string{"ok", "fail"}[i/4%2])
		Run(w, []byte(testXML), toy{func(_ context.Context, c *Call) {
			for _, tool := range []string{"/bin/a", "/bin/b", "/bin/c"} {
				c.Runs([]string{tool})
				c.Ran([]string{tool}, 0, 0, nil)
			}
		}})
	}
	return 0
}

func startWriter(t *testing.T, path string, times int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = []string{boxWriterVariable + "=" + path}
	if times > 0 {
		c.Env = append(c.Env, boxTimesVariable+"="+strconv.Itoa(times))
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Eight processes at once: each action has a number of its own, and the last ones are all there.
func TestBoxManyWriters(t *testing.T) {
	const writers, times = 8, 100
	path := newBox(t)
	var all []*exec.Cmd
	for range writers {
		all = append(all, startWriter(t, path, times))
	}
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	records := readBox(t, path)
	n, ok := parseBoxHeader(loadBox(t, path)[:len(boxHeader([boxRings]uint64{}))])
	t.Logf("%d of %d actions were written down", n[ringAll], writers*times)
	if !ok || n[ringAll] > writers*times || n[ringAll] < writers*times/2 {
		t.Errorf("%v %v", n, ok)
	}
	ids, unended, ring := map[uint64]bool{}, 0, 0
	for _, r := range records {
		if ids[r.ID] {
			t.Errorf("number %d was given twice", r.ID)
		}
		ids[r.ID] = true
		if !r.Ended {
			unended++
		}
		if r.ID > n[ringAll]-boxSlots {
			ring++
		}
	}
	if unended > 0 || ring != boxSlots {
		t.Errorf("%d without an end, %d of the last %d: %s", unended, ring, boxSlots, briefs(records))
	}
}

// Writers are killed at any point. The file always reads, and the next writer goes on from where it is.
func TestBoxKilledWriters(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	path := newBox(t)
	last, unended := uint64(0), 0
	const kills = 150
	for i := range kills {
		if i%10 == 0 && os.Remove(path) == nil { // also while it is made
			last = 0
		}
		c := startWriter(t, path, 0)
		// The writer is up when the box has grown or, at last, in any case soon.
		for began := time.Now(); time.Since(began) < patience; {
			if fi, err := os.Stat(path); err == nil && fi.Size() > 0 && i%10 == 0 || err == nil && topID(path) > last {
				break
			}
		}
		for end := time.Now().Add(time.Duration(r.Intn(3000)) * time.Microsecond); time.Now().Before(end); {
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		all, err := ReadBox(path)
		if err != nil && i%10 != 0 {
			t.Fatalf("after kill %d: %v", i, err)
		}
		for _, x := range all {
			if !x.Ended && x.PID == c.Process.Pid {
				unended++
				if x.Lives || !x.Failed() {
					t.Errorf("killed, and it is said to live: %+v", x)
				}
			}
		}
		if i%10 == 0 {
			continue
		}
		top := topID(path)
		if top < last {
			t.Fatalf("kill %d: the numbers went from %d to %d", i, last, top)
		}
		boxed(t, path, "recover")
		all = readBox(t, path)
		if x := all[len(all)-1]; x.Action != "recover" || !x.Ended || x.ID <= top {
			t.Fatalf("after kill %d (numbers up to %d) the next action left %+v", i, top, x)
		}
		last = topID(path)
	}
	t.Logf("%d of %d kills left an action without its end", unended, kills)
	if unended < kills/20 {
		t.Errorf("only %d of %d kills hit an action", unended, kills)
	}
}

// topID is the highest number in the box, whatever state it is in.
func topID(path string) uint64 {
	all, err := ReadBox(path)
	if err != nil {
		return 0
	}
	top := uint64(0)
	for _, r := range all {
		top = max(top, r.ID)
	}
	return top
}

type process struct{ pid int }

func (p process) wait(t *testing.T) int {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	return status.ExitStatus()
}

// toyProcess starts the toy, copied to where anybody can read it.
func toyProcess(t *testing.T, dir string, env []string, uid uint32, args ...string) process {
	t.Helper()
	agent := filepath.Join(dir, "toy.sh")
	if _, err := os.Stat(agent); err != nil {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		program, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(agent, program, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pid, err := syscall.ForkExec(agent, append([]string{agent}, args...), &syscall.ProcAttr{Dir: "/", Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}})
	if err != nil {
		t.Fatal(err)
	}
	return process{pid}
}

// An agent that hangs is seen at its work, killed it is seen without an end, also long after.
func TestBoxSeesAKilledAgent(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := BoxFile(root)
	p := toyProcess(t, root, []string{"OCF_RESKEY_name=t1", "OCF_RESKEY_do=hang", RootVariable + "=" + root}, uint32(os.Geteuid()), "status")
	var all []BoxRecord
	for end := time.Now().Add(patience); len(all) == 0 && time.Now().Before(end); {
		var err error
		if all, err = ReadBox(path); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errBoxFile) {
			t.Fatal(err)
		}
	}
	if len(all) != 1 || all[0].Ended || !all[0].Lives || all[0].Failed() || all[0].PID != p.pid {
		t.Fatalf("while it works: %+v", all)
	}
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for { // dead, and nobody has waited for it: its remains do not count
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		if err != nil || strings.Contains(string(b), ") Z ") {
			break
		}
	}
	if all = readBox(t, path); len(all) != 1 || all[0].Lives || !all[0].Failed() {
		t.Errorf("killed: %+v", all)
	}
	p.wait(t)
	for range 2 * boxSlots {
		boxed(t, path, "status")
	}
	if all = readBox(t, path); all[0].PID != p.pid || all[0].Ended || len(all) != boxSlots+1 {
		t.Errorf("later: %d records, the first %+v", len(all), all[0])
	}
}
