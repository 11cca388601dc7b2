package sample

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// stepping is a clock whose Sleep passes at once and tells the test, which moves the counters.
type stepping struct {
	now   time.Time
	slept func()
}

func (c *stepping) Now() time.Time { return c.now }
func (c *stepping) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	if c.slept != nil {
		c.slept()
	}
	return nil
}
func (c *stepping) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

var _ clock.Clock = (*stepping)(nil)

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func node(t *testing.T) (Sampler, string, *stepping) {
	t.Helper()
	root := t.TempDir()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, "proc/sys/kernel/random/boot_id", "boot-1\n")
	write(t, root, "proc/stat", stat(100, 900))
	write(t, root, "proc/meminfo", "MemTotal: 4096000 kB\nMemFree: 1000 kB\nBuffers: 1024 kB\nCached: 2048 kB\n")
	write(t, root, "proc/loadavg", "0.75 0.50 0.25 1/100 1234\n")
	c := &stepping{now: time.Unix(1195668541, 0)}
	return Sampler{Host: h, Clock: c, Run: run.System{}}, root, c
}

// stat is a /proc/stat with that many ticks busy (half user, half system) and idle.
func stat(busy, idle int) string {
	line := func(name string) string {
		return strings.Join([]string{name, strconv.Itoa(busy / 2), "0", strconv.Itoa(busy - busy/2), strconv.Itoa(idle), "0", "0", "0", "0"}, " ") + "\n"
	}
	return line("cpu ") + line("cpu0") + line("cpu1") + "intr 1\nctxt 1\nbtime 1\nprocesses 1\n"
}

func one(t *testing.T, s Sampler, builtin string) Reading {
	t.Helper()
	return s.Measure(context.Background(), []Resource{{Name: builtin, Builtin: builtin}})[0]
}

func TestCPUIsTheShareSinceTheLastRun(t *testing.T) {
	s, root, c := node(t)
	c.slept = func() { write(t, root, "proc/stat", stat(130, 970)) } // first run: two looks a second apart
	if r := one(t, s, "cpu"); r.Err != nil || r.Value != "0.3000" {
		t.Errorf("first run: %q, %v; want 0.3", r.Value, r.Err)
	}
	c.slept = func() { t.Error("a second run has no need to wait") }
	c.now = c.now.Add(time.Minute)
	write(t, root, "proc/stat", stat(130+90, 970+10))
	if r := one(t, s, "cpu"); r.Err != nil || r.Value != "0.9000" {
		t.Errorf("second run: %q, %v; want 0.9", r.Value, r.Err)
	}
}

func TestCPULooksTwiceAfterARebootOrALongPause(t *testing.T) {
	for name, spoil := range map[string]func(root string, c *stepping){
		"reboot":          func(root string, _ *stepping) { write(t, root, "proc/sys/kernel/random/boot_id", "boot-2\n") },
		"long pause":      func(_ string, c *stepping) { c.now = c.now.Add(time.Hour) },
		"clock went back": func(_ string, c *stepping) { c.now = c.now.Add(-time.Hour) },
		"spoilt file":     func(root string, _ *stepping) { write(t, root, "var/run/lbvm/sample.cpu", "boot=boot-1\nat=x\n") },
	} {
		s, root, c := node(t)
		c.slept = func() { write(t, root, "proc/stat", stat(130, 970)) }
		one(t, s, "cpu")
		c.now = c.now.Add(time.Minute)
		spoil(root, c)
		waited := false
		c.slept = func() { waited = true; write(t, root, "proc/stat", stat(130+50, 970+50)) }
		if r := one(t, s, "cpu"); r.Err != nil || r.Value != "0.5000" || !waited {
			t.Errorf("%s: %q, %v, looked twice %v", name, r.Value, r.Err, waited)
		}
	}
}

func TestOtherBuiltins(t *testing.T) {
	s, root, c := node(t)
	write(t, root, "proc/diskstats", "   8       0 sda 1 0 1 1 1 0 1 1 0 1000 1 0 0 0 0\n   7       0 loop0 1 0 1 1 1 0 1 1 0 1000 1 0 0 0 0\n")
	write(t, root, "sys/block/.keep", "")
	head := "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	write(t, root, "proc/net/dev", head+"  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n")
	write(t, root, "proc/pressure/memory", "some avg10=1.00 avg60=25.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
	c.slept = func() {
		write(t, root, "proc/diskstats", "   8       0 sda 1 0 1 1 1 0 1 1 0 1250 1 0 0 0 0\n   7       0 loop0 1 0 1 1 1 0 1 1 0 2000 1 0 0 0 0\n")
		write(t, root, "proc/net/dev", head+"  eth0: 1600 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n    lo: 99999 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n")
	}
	for builtin, want := range map[string]string{"ram": "3", "load": "0.75", "io": "0.2500", "psi memory": "0.2500"} {
		if r := one(t, s, builtin); r.Err != nil || r.Value != want {
			t.Errorf("%s: %q, %v; want %s", builtin, r.Value, r.Err, want)
		}
	}
	write(t, root, "proc/net/dev", head+"  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n")
	if r := one(t, s, "net"); r.Err != nil || r.Value != "1000" {
		t.Errorf("net: %q, %v; want 1000", r.Value, r.Err)
	}
	for _, bad := range []string{"warp", "psi disk", "psi cpu"} { // the last: no such file here
		if r := one(t, s, bad); r.Err == nil {
			t.Errorf("%s gave %q", bad, r.Value)
		}
	}
}

// The configuration knows the samplers by name only; a name that one side lacks would be an error at night.
func TestTheConfigurationKnowsEveryBuiltin(t *testing.T) {
	if diff := cmp.Diff(conf.Builtins(), slices.Sorted(maps.Keys(Builtins()))); diff != "" {
		t.Error(diff)
	}
}

func TestOneFailingCommandCostsOnlyItself(t *testing.T) {
	s, _, _ := node(t)
	s.Clock = clock.System()
	start := time.Now()
	got := s.Measure(context.Background(), []Resource{
		{Name: "good", Command: `printf '%s\n' 1 2 | awk '{s+=$1;t=s;}END{print t/10}'`},
		{Name: "hangs", Command: "sleep 600", Timeout: 200 * time.Millisecond},
		{Name: "fails", Command: "echo 1; echo broken >&2; exit 3"},
		{Name: "words", Command: "echo high"},
		{Name: "two", Command: "echo 1; echo 2"},
		{Name: "silent", Command: ":"},
		{Name: "infinite", Command: "echo inf"},
		{Name: "last", Command: "echo ' -0.5 '"},
	})
	if took := time.Since(start); took > 4*time.Minute {
		t.Errorf("took %s: the hanging one held the others", took)
	}
	var values []string
	for _, r := range got {
		values = append(values, r.Value)
		if (r.Value == "") == (r.Err == nil) {
			t.Errorf("%s: value %q and error %v", r.Resource.Name, r.Value, r.Err)
		}
	}
	if diff := cmp.Diff([]string{"0.3", "", "", "", "", "", "", "-0.5"}, values); diff != "" {
		t.Error(diff)
	}
	if err := got[2].Err; err == nil || !strings.Contains(err.Error(), "exit code 3") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("the failing one says %v", err)
	}
	if err := got[1].Err; !errors.Is(err, run.ErrDeadline) {
		t.Errorf("the hanging one says %v", err)
	}
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(1195668541, 5)
	readings := []Reading{
		{Resource: Resource{Name: "cpu"}, Value: "0.01"},
		{Resource: Resource{Name: "ram", LogFile: "memory"}, Value: "512"},
		{Resource: Resource{Name: "bad"}, Err: errors.New("no")},
	}
	for i := 0; i < 2; i++ {
		if err := Record(dir, "openvz1.01100011.com", at.Add(time.Duration(i)*time.Minute), readings); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"openvz1.01100011.com-cpu":    "1195668541 0.01\n1195668601 0.01\n",
		"openvz1.01100011.com-memory": "1195668541 512\n1195668601 512\n",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("a failed reading left a log: %v", names)
	}
	if err := Record(dir, "../x", at, readings); err == nil {
		t.Error("a member named ../x was taken")
	}
	if err := Record(dir, "n", at, []Reading{{Resource: Resource{Name: "a", LogFile: "../../x"}, Value: "1"}}); err == nil {
		t.Error("a log outside the folder was taken")
	}
}

type lister struct {
	guests []host.GuestFact
	free   int64
	err    error
	mute   error
}

func (l lister) Guests(context.Context) ([]host.GuestFact, error) { return l.guests, l.err }
func (l lister) Version(context.Context) (string, string, error)  { return "xm", "3.0", nil }
func (l lister) FreeMemory(context.Context) (int64, error)        { return l.free, l.mute }

func TestFacts(t *testing.T) {
	s, _, c := node(t)
	guest := host.GuestFact{Type: "xen", Name: "web1", State: "running", Mem: 256 << 20, CPU: -1}
	f, err := s.Facts(context.Background(), "node1", map[string]hypervisor.Lister{
		"xen": lister{guests: []host.GuestFact{guest}, free: 1 << 30}, "openvz": lister{err: errors.New("dead")},
	})
	if err == nil || !strings.Contains(err.Error(), "openvz") {
		t.Errorf("the silent hypervisor was not told: %v", err)
	}
	want := host.Facts{Member: "node1", Boot: "boot-1", At: c.now, Cores: 2, MemTotal: 4096000 << 10, MemFree: 1 << 30,
		Guests: []host.GuestFact{guest}, Tools: map[string]string{"xm": "3.0"}, Lists: []string{"xen"}}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

// A hypervisor that does not say what is free leaves it unknown: what dom0 has is no guest's to take.
func TestFreeMemoryIsTheHypervisorsToSay(t *testing.T) {
	s, _, _ := node(t)
	f, err := s.Facts(context.Background(), "node1", map[string]hypervisor.Lister{"xen": lister{err: errors.New("dead"), mute: errors.New("dead")}})
	if err == nil || f.MemFree != 0 || f.MemTotal == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = s.Facts(context.Background(), "node1", map[string]hypervisor.Lister{"openvz": lister{}}); err != nil || f.MemFree == 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// However long a sampler may take, what is left of the run's time is enough for the facts.
func TestASlowSamplerLeavesTimeForTheFacts(t *testing.T) {
	s, _, _ := node(t)
	ctx, cancel := context.WithTimeout(context.Background(), factsTimeout+50*time.Millisecond)
	defer cancel()
	r := s.Measure(ctx, []Resource{{Name: "slow", Command: "sleep 600", Timeout: time.Hour}})[0]
	if r.Err == nil || ctx.Err() != nil {
		t.Errorf("%+v, %v", r, ctx.Err())
	}
}
