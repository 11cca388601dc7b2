package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func lookUp(rows []xenRow, vm string) Detail {
	var mine []xenRow
	for _, r := range rows {
		if r.belongs(vm) {
			mine = append(mine, r)
		}
	}
	return detailOf(mine)
}

func TestParseXMList(t *testing.T) {
	for _, c := range []struct {
		file, vm string
		want     State
		never    bool
	}{
		{"xm-3.0.2-list", "vm1", Running, false},
		{"xm-3.0.2-list", "a-name-that-is-much-longer-than-its-column", Running, false},
		{"xm-3.0.2-list", "labelled", Running, false},
		{"xm-3.0.2-list", "vm5", Remains, false},
		{"xm-3.0.2-list", "vm", Absent, false},
		{"xm-3.0.2-list-unclear", "vm1", Unknown, false},
		{"xm-3.0.2-list-unclear", "vm2", Running, false},
		{"xm-3.1-list", "vm1", Stopped, false}, // known to xend, not active
		{"xm-3.1-list", "vm2", Running, false},
		{"xm-3.1-list", "vm3", Migrating, false},
		{"xm-3.1-list", "vm4", Arriving, true},
		{"xm-3.1-list", "vm5", Remains, false},
		{"xm-3.1-list", "vm6", Running, true}, // whether it arrives is not for us to say
		{"xm-3.1-list", "vm7", Running, false},
		{"xm-3.1-list", "vm8", Paused, false},
		{"xm-3.1-list", "vm9", Remains, false},
		{"xm-3.1-list-empty", "vm1", Unknown, false},
		{"xm-4.4-list", "vm1", Running, false},
		{"xm-4.4-list", "a.name.longer.than.forty.letters.moves.columns", Running, false},
		{"xm-4.4-list", "vm3", Torso, true},
		{"xm-4.4-list", "vm4", Migrating, false},
		{"xm-4.4-list", "vm5", Remains, false},
		{"xm-4.4-list", "vm5b", Remains, false},
		{"xm-4.4-list", "vm6", Stopped, false},
		{"xm-4.4-list", "vm7", Running, true},
		{"xl-4.1-list", "vm1", Running, false},
		{"xl-4.1-list", "vm2", Absent, false},
	} {
		rows, err := parseXenList(stackIn(c.file), sample(t, c.file))
		if err != nil {
			if c.want != Unknown {
				t.Errorf("%s: %v", c.file, err)
			}
			continue
		}
		if d := lookUp(rows, c.vm); d.State != c.want || d.NeverRan != c.never {
			t.Errorf("%s: %s: %+v, want %v", c.file, c.vm, d, c.want)
		}
	}
}

func TestNeverRan(t *testing.T) {
	for _, c := range []struct {
		letters string
		time    float64
		want    bool
	}{
		{"------", 0, true}, {"--p---", 0, true}, {"-----", 0, true}, {"-b----", 0, false}, {"r-----", 0, false}, {"------", 0.1, false}, {"--p---", 3, false},
	} {
		if got := (xenRow{name: "a", id: 3, letters: letters(c.letters), time: c.time}).neverRan(); got != c.want {
			t.Errorf("%s %v: %v", c.letters, c.time, got)
		}
	}
}

func TestTheMostAliveRowDecides(t *testing.T) {
	row := func(name, state string, id int) xenRow {
		return xenRow{name: name, letters: letters(state), id: id, time: 5, line: name}
	}
	for _, c := range []struct {
		rows []xenRow
		want State
	}{
		{nil, Absent},
		{[]xenRow{row("Zombie-a", "-----d", 1), row("a", "-b----", 2)}, Running},
		{[]xenRow{row("a", "", -1), row("migrating-a", "r-----", 2)}, Migrating},
		{[]xenRow{row("Zombie-migrating-a", "-----d", 1)}, Remains},
		{[]xenRow{row("Zombie-a", "-b----", 1)}, Remains},
		{[]xenRow{row("migrating-a", "-----d", 1)}, Remains},
		{[]xenRow{row("a", "", -1), row("Zombie-a", "-----d", 2)}, Remains},
		{[]xenRow{row("a--incoming", "--p---", 2)}, Torso},
		{[]xenRow{row("a--migratedaway", "--p---", 2), row("Zombie-a", "-----d", 2)}, Migrating},
	} {
		for _, r := range c.rows {
			if !r.belongs("a") || r.belongs("b") {
				t.Errorf("%s belongs to the wrong one", r.name)
			}
		}
		if d := detailOf(c.rows); d.State != c.want || len(d.Rows) != len(c.rows) {
			t.Errorf("%v: %+v, want %v", c.rows, d, c.want)
		}
	}
}

func TestParseXMListRefuses(t *testing.T) {
	good := string(sample(t, "xm-3.1-list"))
	first, rest, _ := strings.Cut(good, "\n")
	for name, text := range map[string]string{
		"empty":           "",
		"only a header":   first + "\n",
		"no header":       rest,
		"cut in a line":   good[:len(good)-12],
		"no last newline": strings.TrimSuffix(good, "\n"),
		"an error inside": good + "Error: (111, 'Connection refused')\n",
		"five fields":     good + "vm77 5 512 1 0.0\n",
		"seven fields":    good + "vm 77 5 512 1 r----- 0.0\n",
		"no number":       good + "vm77 x 512 1 r----- 0.0\n",
		"memory":          good + "vm77 9 -512 1 r----- 0.0\n",
		"time":            good + "vm77 9 512 1 r----- nan\n",
		"another header":  "Name              Id  Mem(MB)  CPU VCPU(s)  State  Time(s)  Console\n" + rest,
		"words":           "Error: Unable to connect to xend: Connection refused. Is xend running?\n",
		"no dom0":         first + "\nvm1                                        7   512     1     -b----    812.3\n",
	} {
		if rows, err := parseXenList(xm, []byte(text)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}

func TestXenNames(t *testing.T) {
	s := newStage(t, nil)
	d := s.driver("xen").(*xen)
	ctx := context.Background()
	for _, vm := range []string{"", "7", "007", "migrating-a", "Zombie-a", "a--incoming", "a--migratedaway", "Domain-0", "-a", "a b", "a/b", "(null)"} {
		g := Guest{Name: vm}
		_, err1 := d.Guest(ctx, vm, nil)
		_, err2 := d.State(ctx, vm)
		for _, err := range []error{err1, err2, d.Start(ctx, g), d.Shutdown(ctx, vm), d.Save(ctx, vm, "/x"), d.Restore(ctx, g, "/x"), d.Migrate(ctx, vm, "b"), d.Thaw(ctx, vm)} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%q: %v", vm, err)
			}
		}
	}
	if len(s.calls) > 0 {
		t.Errorf("called %q", s.calls)
	}
	for _, vm := range []string{"a", "web1", "1a", "a.b", "amigrating-", "incoming"} {
		if err := checkXenName(vm); err != nil {
			t.Errorf("%q: %v", vm, err)
		}
	}
}

func TestXenStateUnknown(t *testing.T) {
	for name, r := range map[string]run.Result{
		"xend down":         {Code: 1, Stderr: sample(t, "xm-3.1-down")},
		"absent by another": {Code: 3, Stderr: sample(t, "xm-4.4-absent")},
		"silence":           {},
		"unclear":           {Stdout: sample(t, "xm-3.0.2-list-unclear")},
		"cut off":           {Stdout: sample(t, "xm-3.1-list"), Truncated: true},
		"code":              {Stdout: sample(t, "xm-3.1-list"), Code: 1},
	} {
		s := newStage(t, func([]string) run.Result { return r })
		if got, err := s.driver("xen").State(context.Background(), "vm1"); got != Unknown || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// xend is xm for a few domains, as far as a test of ours needs it.
type xend struct {
	rows    []xenRow
	down    int // so many lists fail
	deaf    bool
	remains bool // what was destroyed stays as a dying row for ever
	lists   int
}

func (x *xend) play(argv []string) run.Result {
	find := func(name string) int {
		for i, r := range x.rows {
			if r.name == name {
				return i
			}
		}
		return -1
	}
	absent := func(name string) run.Result {
		return fails(3, fmt.Sprintf("Error: Domain '%s' does not exist.\n", name))
	}
	switch argv[1] {
	case "list":
		x.lists++
		if x.down > 0 {
			x.down--
			return fails(1, "Error: Unable to connect to xend: Connection refused. Is xend running?\n")
		}
		out := "Name ID Mem VCPUs State Time(s)\nDomain-0 0 512 2 r----- 99.0\n"
		for _, r := range x.rows {
			out += fmt.Sprintf("%-40s %5d %5d %5d %10s %8.1f\n", r.name, r.id, 256, 1, r.letters, r.time)
		}
		return says(out)
	case "create":
		x.rows = append(x.rows, xenRow{name: filepath.Base(argv[2]), id: 5, letters: "-b----", time: 0.3})
	case "restore":
		x.rows = append(x.rows, xenRow{name: "vm1", id: 5, letters: "-b----", time: 0.3})
	case "unpause":
		x.rows[find(argv[2])].letters = "-b----"
	case "shutdown", "destroy", "save":
		i := find(argv[2])
		if i < 0 {
			return absent(argv[2])
		}
		switch {
		case argv[1] == "shutdown" && x.deaf:
		case x.remains:
			x.rows[i].letters = "---s--"
		default:
			x.rows = append(x.rows[:i], x.rows[i+1:]...)
		}
	case "migrate":
		x.rows = x.rows[:0]
	}
	return run.Result{}
}

func vmRow(name, state string, time float64) xenRow {
	return xenRow{name: name, id: 5, letters: letters(state), time: time}
}

func TestXenLife(t *testing.T) {
	ctx := context.Background()
	x := &xend{}
	s := newStage(t, x.play)
	s.file("/etc/xen/vm1", "memory = 256\n")
	d := s.driver("xen")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	state := func(want State) {
		t.Helper()
		if got, err := d.State(ctx, "vm1"); got != want || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	state(Absent)
	g, err := d.Guest(ctx, "vm1", nil)
	must(err)
	must(d.Start(ctx, g))
	state(Running)
	x.rows[0].letters, x.rows[0].time = "--p---", 7
	state(Paused)
	must(d.(Thawer).Thaw(ctx, "vm1"))
	state(Running)
	must(d.(Saver).Save(ctx, "vm1", filepath.Join(s.root, "mem")))
	state(Absent)
	s.file("mem", "image")
	if err := d.(Saver).Save(ctx, "vm1", filepath.Join(s.root, "mem")); err == nil {
		t.Error("saved over an image that exists")
	}
	must(d.Restore(ctx, g, filepath.Join(s.root, "mem")))
	state(Running)
	must(d.Shutdown(ctx, "vm1"))
	must(d.Start(ctx, g))
	must(d.(Live).Migrate(ctx, "vm1", "node2"))
	must(d.Destroy(ctx, "vm1"))
	must(d.Shutdown(ctx, "vm1"))
	const create = "xm create /etc/xen/vm1 on_poweroff=destroy on_reboot=destroy on_crash=destroy"
	s.wantChanges(create, "xm unpause vm1", "xm save vm1 /mem", "xm restore /mem", "xm shutdown vm1", create, "xm migrate --live vm1 node2")
	if err := d.(Live).Migrate(ctx, "vm1", "-x"); err == nil {
		t.Error("migrated to an option")
	}
	if err := d.Restore(ctx, g, filepath.Join(s.root, "gone")); err == nil {
		t.Error("restored from an image that is away")
	}
}

func TestXenShutdown(t *testing.T) {
	for _, c := range []struct {
		name    string
		x       *xend
		want    string // part of the error
		changes int
	}{
		{"deaf", &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}, deaf: true}, "still running", 1},
		{"paused", &xend{rows: []xenRow{vmRow("vm1", "--p---", 4)}}, "cannot hear", 0},
		{"leaving", &xend{rows: []xenRow{vmRow("migrating-vm1", "-b----", 4)}}, "cannot hear", 0},
		{"remains", &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}, remains: true}, "does not go away", 1},
		{"xend down", &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}, down: 1}, "Unable to connect", 0},
	} {
		s := newStage(t, c.x.play)
		ctx, cancel := context.WithCancel(context.Background())
		s.clock.after = func(waits int) {
			if waits == 20 {
				cancel()
			}
		}
		err := s.driver("xen").Shutdown(ctx, "vm1")
		if err == nil || !strings.Contains(err.Error(), c.want) || len(s.changes()) != c.changes {
			t.Errorf("%s: %v after %q", c.name, err, s.changes())
		}
		cancel()
	}
	// A hiccup of xend while the guest ends does not matter.
	x := &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}, deaf: true}
	s := newStage(t, x.play)
	s.clock.after = func(waits int) {
		switch waits {
		case 2:
			x.down = 2
		case 6:
			x.rows = nil
		}
	}
	if err := s.driver("xen").Shutdown(context.Background(), "vm1"); err != nil {
		t.Error(err)
	}
}

func TestXenDestroyTakesEveryName(t *testing.T) {
	for _, name := range []string{"vm1", "migrating-vm1", "vm1--incoming", "vm1--migratedaway", "Zombie-vm1"} {
		x := &xend{rows: []xenRow{vmRow("other", "r-----", 9), vmRow(name, "--p---", 0)}, down: 1}
		s := newStage(t, x.play)
		if err := s.driver("xen").Destroy(context.Background(), "vm1"); err != nil || len(x.rows) != 1 {
			t.Errorf("%s: %v, left %+v", name, err, x.rows)
		}
		s.wantChanges("xm destroy " + name)
	}
	x := &xend{rows: []xenRow{vmRow("vm1", "-b----", 9)}, remains: true}
	s := newStage(t, x.play)
	ctx, cancel := context.WithCancel(context.Background())
	s.clock.after = func(waits int) {
		if waits == 3 {
			cancel()
		}
	}
	if err := s.driver("xen").Destroy(ctx, "vm1"); !errors.Is(err, context.Canceled) || x.lists > 6 {
		t.Errorf("%v after %d looks", err, x.lists)
	}
}

func TestXenThawLeavesAnArrivingGuestAlone(t *testing.T) {
	s := newStage(t, (&xend{rows: []xenRow{vmRow("vm1", "--p---", 0)}}).play)
	if err := s.driver("xen").(Thawer).Thaw(context.Background(), "vm1"); err == nil || len(s.changes()) > 0 {
		t.Errorf("%v after %q", err, s.changes())
	}
}

func TestXenLister(t *testing.T) {
	s := newStage(t, func(argv []string) run.Result {
		switch argv[1] {
		case "list":
			return run.Result{Stdout: sample(t, "xm-4.4-list")}
		case "info":
			return run.Result{Stdout: sample(t, "xm-3.1-info")}
		}
		return fails(1, "")
	})
	l := s.driver("xen").(Lister)
	ctx := context.Background()
	got, err := l.Guests(ctx)
	if err != nil || len(got) != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := (host.GuestFact{Type: "xen", Name: "vm1", State: "running", Mem: 1 << 30, CPU: -1}); !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v", got[0])
	}
	if want := (host.GuestFact{Type: "xen", Name: "vm3", State: "torso", Mem: 1 << 30, CPU: -1}); !reflect.DeepEqual(got[2], want) {
		t.Errorf("%+v", got[2])
	}
	if tool, v, err := l.Version(ctx); tool != "xm" || v != "3.1.0-8.el5" || err != nil {
		t.Errorf("%s %s, %v", tool, v, err)
	}
	if n, err := l.FreeMemory(ctx); n != 2011<<20 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNewKnowsTwo(t *testing.T) {
	if _, err := New("qemu", Tools{}); !errors.Is(err, ErrUnknownDriver) {
		t.Error(err)
	}
	for _, name := range []string{"openvz", "xen"} {
		if _, err := New(name, Tools{}); err != nil {
			t.Error(err)
		}
	}
}

func TestAbsentText(t *testing.T) {
	for _, file := range []string{"xm-3.0.3-absent", "xm-4.4-absent"} {
		s := newStage(t, func([]string) run.Result { return fails(1, string(sample(t, file))) })
		if err := s.tools.change(context.Background(), xm, "destroy", "vm1"); !absentText(err) {
			t.Errorf("%s: %v", file, err)
		}
	}
	s := newStage(t, func([]string) run.Result { return fails(1, string(sample(t, "xm-3.1-down"))) })
	if err := s.tools.change(context.Background(), xm, "destroy", "vm1"); err == nil || absentText(err) {
		t.Errorf("xend down: %v", err)
	}
}

type xenConfig struct {
	name, text string
	mem        int64 // MiB
	witnesses  []Witness
	bad        string // part of the error
}

func xenConfigs() []xenConfig {
	return []xenConfig{
		{name: "plain", text: "name = \"vm1\"\nmemory = 256\ndisk = ['file:/shared/images/vm1.img,xvda,w']\n", mem: 256, witnesses: []Witness{{Path: "/shared/images/vm1.img"}}},
		{name: "all kinds", text: `# a guest
kernel = "/boot/vmlinuz" # with a comment
memory = '512'
vif = ['mac=00:16:3e:00:00:01, bridge=xenbr0']
disk = [
    'phy:/dev/vg/root,xvda1,w',   # a volume
    "phy:vg/swap,xvda2,w!",
    'tap:aio:/shared/a.img,xvdb,w',
    'tap2:tapdisk:qcow2:/shared/b.img,xvdc,w',
    'file:/shared/cd.iso,hdc:cdrom,r',
    ',hdd:cdrom,r',
    'drbd:r0,xvdd,w',
]
`, mem: 512, witnesses: []Witness{{"/dev/vg/root", true}, {"/dev/vg/swap", true}, {"/shared/a.img", false}, {"/shared/b.img", false}}},
		{name: "other code", text: "import os, re\narch = os.uname()[4]\nif re.search('64', arch):\n    lib = 'lib64'\nelse:\n    lib = 'lib'\ndevice_model = '/usr/' + lib + '/xen/bin/qemu-dm'\nextra = 'root=' + \\\n  'x'\nd = {'a': [1,\n2]}\n", mem: 0},
		{name: "last one counts", text: "memory = 1\nmemory = 2; x = 'vm1'\r\ndisk = []\r\n", mem: 2, witnesses: nil},
		{name: "read elsewhere", text: "memory = 64\nmaxmem = memory * 2\n", mem: 64},
		{name: "long text", text: "extra = '''a\nname = 'no'\n'''\nmemory = 8\n", mem: 8},
		{name: "no newline", text: "memory = 8", mem: 8},
		{name: "computed name", text: "name = 'vm' + '1'\n", bad: "line 1: name is computed"},
		{name: "name by percent", text: "id = 1\nname = 'vm%d' % id\n", bad: "line 2: name is computed"},
		{name: "conditional", text: "if x:\n  memory = 5\n", bad: "line 2: memory is computed"},
		{name: "conditional in a line", text: "if x: memory = 5\n", bad: "memory is computed"},
		{name: "behind a condition", text: "if x: y = 1;name = 'a'\n", bad: "name is computed"},
		{name: "appended", text: "disk = []\ndisk.append('file:/x,xvda,w')\n", bad: "line 2: disk is computed"},
		{name: "appended in passing", text: "disk = []\ny = disk.append('file:/x,xvda,w')\n", bad: "line 2: disk is computed"},
		{name: "added", text: "disk = []\ndisk += ['file:/x,xvda,w']\n", bad: "line 2: disk is computed"},
		{name: "chained", text: "x = disk = ['file:/x,xvda,w']\n", bad: "disk is computed"},
		{name: "loop", text: "for name in ['a']: pass\n", bad: "name is computed"},
		{name: "loop in a list", text: "x = [1 for name in ['a']]\n", bad: "name is computed"},
		{name: "raw text", text: "name = r'vm1'\n", bad: "name is computed"},
		{name: "two texts", text: "name = 'vm' '1'\n", bad: "name is computed"},
		{name: "list of a list", text: "disk = [['file:/x,xvda,w']]\n", bad: "disk is computed"},
		{name: "memory in hex", text: "memory = 0x100\n", bad: "memory is computed"},
		{name: "memory in words", text: "memory = 'much'\n", bad: "memory is not a number"},
		{name: "no memory", text: "memory = 0\n", bad: "memory is not a number"},
		{name: "name is a number", text: "name = 5\n", bad: "name is not a plain string"},
		{name: "disk is text", text: "disk = 'file:/x,xvda,w'\n", bad: "disk is not a list"},
		{name: "short disk", text: "disk = ['file:/x']\n", bad: "is not TYPE:PATH"},
		{name: "relative disk", text: "disk = ['file:x.img,xvda,w']\n", bad: "absolute path"},
		{name: "untyped disk", text: "disk = ['/x.img,xvda,w']\n", bad: "begin with its type"},
		{name: "open list", text: "disk = ['file:/x,xvda,w'\n", bad: "not closed"},
		{name: "open quote", text: "name = 'vm1\nmemory = 5\n", bad: "not closed"},
		{name: "closed twice", text: "x = 1)\n", bad: "not closed"},
	}
}

func TestXenConfig(t *testing.T) {
	for _, c := range xenConfigs() {
		g, err := xenGuest(xm, []byte(c.text), host.Host{})
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %+v, %v", c.name, g, err)
			}
			continue
		}
		if err != nil || g.Mem != c.mem<<20 || !reflect.DeepEqual(g.Witnesses, c.witnesses) {
			t.Errorf("%s: %+v, %v", c.name, g, err)
		}
	}
}

func TestXenGuest(t *testing.T) {
	s := newStage(t, nil)
	d := s.driver("xen")
	ctx := context.Background()
	s.file("/shared/xen/vm1", "name='vm1'\nmemory=128\ndisk=['file:/shared/images/vm1.img,xvda,w']\n")
	s.file("/etc/xen/vm2", "name='vm3'\n")
	g, err := d.Guest(ctx, "vm1", map[string]string{"path": "/shared/xen"})
	if err != nil || g.Name != "vm1" || g.Config != filepath.Join(s.root, "shared/xen/vm1") || g.Mem != 128<<20 ||
		!reflect.DeepEqual(g.Witnesses, []Witness{{Path: filepath.Join(s.root, "shared/images/vm1.img")}}) {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := d.Guest(ctx, "vm2", nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "vm3") {
		t.Errorf("another name: %v", err)
	}
	if _, err := d.Guest(ctx, "vm9", nil); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := d.Guest(ctx, "vm1", map[string]string{"path": "etc/xen"}); !errors.Is(err, ErrConfig) {
		t.Errorf("relative path: %v", err)
	}
}
