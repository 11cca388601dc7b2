package ocf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// boxWorld is a world whose actions are written down.
func boxWorld(path, action string, env ...string) World {
	w, _, _ := world(&testLog{}, action, append([]string{"OCF_RESKEY_name=t1"}, env...)...)
	w.Box, w.Now, w.boxWait = path, time.Now, patience // a disk may be slow: here nothing shall be missed
	return w
}

func newBox(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "lbvm", "blackbox")
}

func boxed(t testing.TB, path, action string, env ...string) Code {
	t.Helper()
	return Run(boxWorld(path, action, env...), []byte(testXML), toy{})
}

func readBox(t testing.TB, path string) []BoxRecord {
	t.Helper()
	all, err := ReadBox(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// brief is a record in a few words.
func brief(r BoxRecord) string {
	out := r.Action + " " + r.Instance
	if r.Ended {
		out += fmt.Sprintf(" %d", int(r.Code))
	}
	if r.Notable {
		out += " notable"
	}
	return out
}

func briefs(all []BoxRecord) string {
	var out []string
	for _, r := range all {
		out = append(out, brief(r))
	}
	return strings.Join(out, "; ")
}

func TestBoxRecordsActions(t *testing.T) {
	path := newBox(t)
	before := time.Now().Truncate(time.Millisecond)
	for _, a := range []struct{ action, do string }{
		{"start", "ok"}, {"status", "ok"}, {"status", "fail"}, {"validate-all", "ok"}, {"migrate node2", "still"}, {"stop", "gone"}, {"stop", "panic"},
	} {
		boxed(t, path, a.action, "OCF_RESKEY_do="+a.do)
	}
	Run(boxWorld(path, "stop"), []byte(strings.Replace(testXML, `name="name"`, `name="id"`, 1)), toy{}) // a missing parameter
	all := readBox(t, path)
	want := "start toy:t1 0 notable; status toy:t1 0; status toy:t1 1 notable; validate-all toy:t1 0; migrate toy:t1 150 notable; " +
		"stop toy:t1 0 notable; stop toy:t1 1 notable; stop toy: 0 notable"
	if got := briefs(all); got != want {
		t.Fatalf("the box says\n%s\nwant\n%s", got, want)
	}
	r := all[2]
	if r.ID != 3 || r.At.Before(before) || r.At.After(time.Now()) || r.Agent != "/usr/share/cluster/toy.sh" || r.Type != "toy" || r.Dialect != RGManager ||
		r.Name != "t1" || r.PID != os.Getpid() || r.Took < 0 || r.Error != "it broke" || len(r.Env) != 12 || !r.Failed() || r.Lives {
		t.Errorf("%+v", r)
	}
	if all[1].Failed() || !all[4].Failed() || !strings.Contains(all[6].Error, "panic: the toy broke") || !strings.Contains(all[7].Error, "missing") {
		t.Errorf("%+v", all)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != boxSize || fi.Mode() != 0o640 || boxSize > 500_000 {
		t.Errorf("%v, %v", fi, err)
	}
	if fi, err := os.Stat(filepath.Dir(path)); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestBoxLeavesOut(t *testing.T) {
	path := newBox(t)
	boxed(t, path, "meta-data")
	boxed(t, path, "")
	boxed(t, path, "--help")
	boxed(t, path, "--explain start")
	boxed(t, path, "status", NoBoxVariable+"=1")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	if _, err := ReadBox(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestBoxFile(t *testing.T) {
	for root, want := range map[string]string{"": "/var/lib/lbvm/blackbox", "/lab/n1": "/lab/n1/var/lib/lbvm/blackbox"} {
		if got := BoxFile(root); got != want {
			t.Errorf("%q: %s", root, got)
		}
	}
}

// Twenty resources, a status check each: what was notable is still there hours later.
func TestBoxKeepsTheNotable(t *testing.T) {
	path := newBox(t)
	boxed(t, path, "start")
	boxed(t, path, "status", "OCF_RESKEY_do=perm")
	for range 3 * boxSlots {
		boxed(t, path, "status", "OCF_RESKEY_name=t2") // the first of a name counts: it is t1's
	}
	all := readBox(t, path)
	if got := briefs(all[:3]); got != "start toy:t1 0 notable; status toy:t1 4 notable; status toy:t1 0" || len(all) != 2+boxSlots {
		t.Errorf("%d records: %s", len(all), got)
	}
	if first, last := all[2].ID, all[len(all)-1].ID; first != 2+2*boxSlots+1 || last != 2+3*boxSlots {
		t.Errorf("from %d to %d", first, last)
	}
	for range 2 * boxSlots {
		boxed(t, path, "stop")
	}
	if all = readBox(t, path); len(all) != boxSlots || strings.Count(briefs(all), "stop toy:t1 0 notable") != boxSlots {
		t.Errorf("%d records: %s", len(all), briefs(all))
	}
}

// A status check that finds gone what had run is what somebody will look for. Elsewhere it is the ordinary answer.
func TestBoxNotesWhatIsGone(t *testing.T) {
	for _, tt := range []struct {
		before string
		env    []string
		want   bool
	}{
		{"", nil, false}, {"stop", nil, false}, {"start", nil, true}, {"status", nil, true}, {"recover", nil, true}, {"validate-all", nil, false},
		{"start", []string{"OCF_RESOURCE_INSTANCE=other"}, false},
		{"start", []string{"LBVM_DIALECT=pacemaker", "OCF_RESKEY_CRM_meta_interval=0", "OCF_RESKEY_CRM_meta_timeout=20000"}, false},
	} {
		path := newBox(t)
		if tt.before != "" {
			boxed(t, path, tt.before)
		}
		action := "status"
		if len(tt.env) > 1 {
			action = "monitor"
		}
		xml := strings.Replace(testXML, `<action name="recover"`, `<action name="monitor" timeout="20"/><action name="recover"`, 1)
		if code := Run(boxWorld(path, action, append(tt.env, "OCF_RESKEY_do=gone")...), []byte(xml), toy{}); code != CodeNotRunning {
			t.Fatalf("%s: %d", action, code)
		}
		all := readBox(t, path)
		if r := all[len(all)-1]; r.Notable != tt.want || r.Failed() || r.Error != "" {
			t.Errorf("after %q, %v: %+v", tt.before, tt.env, r)
		}
	}
}

func TestBoxDigest(t *testing.T) {
	digest := func(env ...string) string {
		path := newBox(t)
		boxed(t, path, "status", env...)
		return readBox(t, path)[0].Env
	}
	plain := digest("OCF_RESKEY_size=1", "OCF_RESKEY_flag=1")
	for _, same := range [][]string{
		{"OCF_RESKEY_flag=1", "OCF_RESKEY_size=1"},
		{"OCF_RESKEY_flag=1", "OCF_RESKEY_size=1", "OCF_CHECK_LEVEL=10", "OCF_RESKEY_RGMANAGER_meta_timeout=7", "HOME=/x"},
	} {
		if got := digest(same...); got != plain {
			t.Errorf("%v: %s, not %s", same, got, plain)
		}
	}
	if digest("OCF_RESKEY_size=2", "OCF_RESKEY_flag=1") == plain || digest("OCF_RESKEY_size=1") == plain {
		t.Error("a changed parameter does not show")
	}
	script := func(args string) string {
		path := newBox(t)
		boxed(t, path, "--dialect=heartbeat "+args+" status")
		return readBox(t, path)[0].Env
	}
	if script("t1 ok") == script("t1 fail") {
		t.Error("a changed parameter of a Heartbeat script does not show")
	}
}

func TestBoxTools(t *testing.T) {
	path := newBox(t)
	during := ""
	agent := toy{func(_ context.Context, c *Call) {
		c.Ran([]string{"/usr/sbin/xm", "list", "web1"}, 0, 12345*time.Microsecond, nil)
		c.Ran([]string{"/usr/sbin/xm", "save"}, 0, 5*time.Second, errors.New("deadline passed"))
		c.Runs([]string{"/usr/sbin/xm", "destroy", "web1"})
		r := readBox(t, path)[0]
		during = fmt.Sprint(r.Lives, r.Failed(), r.Ended, r.Tools)
		c.Ran([]string{"/usr/sbin/xm", "destroy", "web1"}, 3, time.Second, nil)
		c.Ran(nil, 0, 0, nil)
	}}
	Run(boxWorld(path, "stop"), []byte(testXML), agent)
	want := "[{/usr/sbin/xm list web1 true 0 12.345ms } {/usr/sbin/xm save true 0 5s deadline passed} {/usr/sbin/xm destroy web1 "
	if got := "true false false " + want + "false 0 0s }]"; during != got {
		t.Errorf("while it worked:\n%s\nwant\n%s", during, got)
	}
	r := readBox(t, path)[0]
	if got := fmt.Sprint(r.Tools); got != want+"true 3 1s }]" || r.MoreTools != 0 {
		t.Errorf("at the end:\n%s, and %d more", got, r.MoreTools)
	}
}

// A program is written down before it runs: this one copies the box.
func TestBoxNotesProgramsThatWork(t *testing.T) {
	path, seen := newBox(t), filepath.Join(t.TempDir(), "seen")
	code := Run(boxWorld(path, "start"), []byte(testXML), toy{func(ctx context.Context, c *Call) {
		if out, err := c.Query(ctx, "/bin/cp", path, seen); err != nil || out.ExitCode != 0 {
			t.Errorf("%v: %s", err, out.Stderr)
		}
	}})
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, x := range []struct {
		path  string
		ended bool
	}{{seen, false}, {path, true}} {
		r := readBox(t, x.path)[0]
		if len(r.Tools) != 1 || r.Tools[0].Ended != x.ended || r.Ended != x.ended || !strings.HasPrefix(r.Tools[0].Command, "/bin/cp /") {
			t.Errorf("%+v", r)
		}
	}
}

// A process of the same number that began at another time is another one.
func TestBoxKnowsItsProcess(t *testing.T) {
	path := newBox(t)
	w := boxWorld(path, "start")
	c := &Call{Action: "start", Type: "toy", Instance: "toy:t1", World: w, began: w.Now()}
	if c.box = openBox(w, c); c.box == nil || !readBox(t, path)[0].Lives {
		t.Fatal("this process is not known")
	}
	c.box.change(func(r *BoxRecord) { r.born++ })
	if readBox(t, path)[0].Lives {
		t.Error("another process is taken for it")
	}
}

// However long everything is, a record fits in its slot and keeps its last program.
func TestBoxTextIsBounded(t *testing.T) {
	long := strings.Repeat("long ", 300)
	r := BoxRecord{ID: 1<<64 - 1, At: time.Now(), Agent: long, Type: long, Dialect: Pacemaker, Action: long, Instance: long, Name: long, Depth: 1<<31 - 1,
		Probe: true, Env: strings.Repeat("f", 12), PID: 1<<31 - 1, Notable: true, Ended: true, Code: 255, Took: 1<<63 - 1, Error: long + "the end",
		MoreTools: 1<<31 - 1, born: 1<<64 - 1}
	for i := range keptTools {
		r.Tools = append(r.Tools, BoxTool{Command: fmt.Sprint(i, long), Ended: true, Took: 1<<63 - 1, Error: long})
	}
	text := r.text(boxText)
	if len(text) > boxText {
		t.Fatalf("%d bytes:\n%s", len(text), text)
	}
	got, err := parseBoxText(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tools) == 0 || !strings.HasPrefix(got.Tools[len(got.Tools)-1].Command, "23long") || !strings.HasSuffix(got.Error, "the end") || len(got.Error) != maxBoxError {
		t.Errorf("%+v\n%s", got, text)
	}
	// Ordinary ones: the last programs win, the others are counted.
	path := newBox(t)
	Run(boxWorld(path, "start"), []byte(testXML), toy{func(_ context.Context, c *Call) {
		for i := range 40 {
			c.Ran([]string{"/usr/sbin/vzctl", "exec", fmt.Sprint(i), "some words more"}, 0, time.Millisecond, nil)
		}
	}})
	got = readBox(t, path)[0]
	n := len(got.Tools)
	if n < 8 || n+got.MoreTools != 40 || !strings.Contains(got.Tools[n-1].Command, " 39 ") {
		t.Errorf("%d and %d more: %+v", n, got.MoreTools, got.Tools)
	}
}

func TestBoxTextRoundTrip(t *testing.T) {
	r := BoxRecord{ID: 7, At: time.Date(2026, 11, 21, 3, 4, 5, 6e6, time.UTC), Agent: "a=b", Type: "xen", Dialect: Heartbeat, Action: "start", Instance: "p 1", Name: "web1",
		Depth: 10, Probe: true, Env: "00ff", PID: 12, Notable: true, Ended: true, Code: 5, Took: 1500 * time.Microsecond, Error: "doing x: why=y", MoreTools: 2, born: 99,
		Tools: []BoxTool{{Command: "a b"}, {Command: "c", Ended: true, Code: -1, Took: time.Minute}, {Command: "d", Ended: true, Error: "no"}}}
	got, err := parseBoxText(r.text(boxText))
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", r) {
		t.Errorf("%v\n%+v\n%+v", err, got, r)
	}
	r.Instance, r.Error = "a\nid=9\x1b[2J", "x\x00y\nz"
	if got, err = parseBoxText(r.text(boxText)); err != nil || got.ID != 7 || got.Instance != "a id=9?[2J" || got.Error != "x?y z" {
		t.Errorf("%v %+v", err, got)
	}
}

// A check that lasts is written down before its first program, so that one that hangs there is seen.
func TestBoxOfACheckThatHangs(t *testing.T) {
	path := newBox(t)
	w := boxWorld(path, "status")
	c := &Call{Action: "status", Type: "toy", Instance: "toy:t1", World: w, began: w.Now()}
	c.box = openBox(w, c)
	defer c.box.end(CodeOK, nil, 0)
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		// The file is there a moment before it is a box.
		if all, err := ReadBox(path); err == nil && len(all) == 1 && !all[0].Ended && all[0].Action == "status" {
			return
		}
		select {
		case <-wait.C:
			t.Fatal("it was not written down")
		default:
			runtime.Gosched()
		}
	}
}

// What the black box reads and writes without fmt and time.ParseDuration is what these would.
func TestBoxNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, 9, 10, 12345678, 1<<32 - 1, 1<<64 - 1} {
		for _, width := range []int{1, 6, 8, 20} {
			if got, want := string(appendPadded([]byte("x"), n, 10, width)), fmt.Sprintf("x%0*d", width, n); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if got, want := string(appendPadded(nil, n, 16, width)), fmt.Sprintf("%0*x", width, n); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
	for _, d := range []time.Duration{0, time.Microsecond, 999999 * time.Microsecond, time.Second, 90*time.Minute + 30*time.Millisecond, 1<<63 - 1} {
		d = d.Truncate(time.Microsecond)
		text := string(appendDuration(nil, d))
		got, err := parseBoxDuration(text)
		std, other := time.ParseDuration(text)
		if err != nil || got != d || other != nil || std != d {
			t.Errorf("%s became %q, then %s (%v); time says %s (%v)", d, text, got, err, std, other)
		}
	}
	for _, s := range []string{"", "s", "1", ".5s", "-1.5s", "1.x00000s", "1.-5s", "+1s", "1m", "9223372037.0s", "99999999999999999999s"} {
		if d, err := parseBoxDuration(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
	if d, err := parseBoxDuration("1.5s"); d != 1500*time.Millisecond || err != nil {
		t.Error(d, err)
	}
}
