package hypervisor

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func stackIn(file string) toolstack { return file[:2] }

// newXLStage is a node whose only toolstack is xl.
func newXLStage(t *testing.T, play func(argv []string) run.Result) *stage {
	t.Helper()
	s := newStage(t, play)
	s.install(xl)
	if err := os.Remove(filepath.Join(s.root, "usr/sbin/xm")); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) install(program string) {
	s.t.Helper()
	if err := os.Chmod(s.file("/usr/sbin/"+program, ""), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func TestParseXLList(t *testing.T) {
	rows, err := parseXenList(xl, sample(t, "xl-4.17-list"))
	if err != nil {
		t.Fatal(err)
	}
	for vm, want := range map[string]Detail{
		"vm1": {State: Running, Letters: "-b----"}, "vm2": {State: Migrating, Letters: "---ss-", Suspended: true},
		"vm3": {State: Torso, Letters: "--p---", NeverRan: true}, "vm4": {State: Migrating, Letters: "---ss-", Handed: true},
		"vm5": {State: Remains, Letters: "---sc-", Sick: "it crashed"}, "vm6": {State: Remains, Letters: "---sr-"},
		"vm7": {State: Remains, Letters: "---s--"}, "vm8": {State: Paused, Letters: "--p---"},
		"vm9": {State: Running, Letters: "------", NeverRan: true}, "vm10": {State: Remains, Letters: "--psSd"},
		"vm11": {State: Remains, Letters: "---sw-"}, "vm12": {State: Arriving, Letters: "--p---", NeverRan: true},
		"vm13": {State: Absent}, "a.name.longer.than.forty.letters.moves.columns": {State: Running, Letters: "r-----"},
	} {
		got := lookUp(rows, vm)
		if got.Rows = nil; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", vm, got, want)
		}
	}
}

// What one tool may say is not what the other may say.
func TestLettersStandInTheirPlaces(t *testing.T) {
	for text, want := range map[string][2]bool{ // xm, xl
		"-b----": {true, true}, "---sc-": {true, true}, "---ss-": {false, true}, "---sr-": {false, true}, "--psSd": {false, true},
		"-b---": {true, false}, "b-----": {false, false}, "r": {false, false}, "": {false, false}, "----d-": {false, false}, "r-----d": {false, false},
	} {
		l := letters(text)
		if got := [2]bool{l.valid(xm), l.valid(xl)}; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	// xl's reason is no sign of life.
	if r := (xenRow{id: 3, letters: "---sr-"}); !r.neverRan() {
		t.Error("r in the fifth place is taken for running")
	}
	known := "Name ID Mem VCPUs State Time(s)\nDomain-0 0 512 2 r----- 99.0\nvm1 512 1 0.0\n"
	if _, err := parseXenList(xl, []byte(known)); err == nil {
		t.Error("xl knows no domain that is not there")
	}
}

func TestXLStateUnknown(t *testing.T) {
	for name, r := range map[string]run.Result{
		"no hypervisor": {Code: 1, Stderr: sample(t, "xl-4.17-error")},
		"absent":        {Code: 2, Stderr: sample(t, "xl-4.6-absent")},
		"silence":       {},
		"cut off":       {Stdout: sample(t, "xl-4.17-list"), Truncated: true},
		"one bad row":   says(string(sample(t, "xl-4.17-list")) + "libxl: error: libxl_domain.c:1\n"),
	} {
		s := newXLStage(t, func([]string) run.Result { return r })
		if got, err := s.driver("xen").State(context.Background(), "vm1"); got != Unknown || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// The words that go to xl, and those that go to xm.
func TestFieldXen_a8fec4d6f(t *testing.T) {
	ctx := context.Background()
	for stack, want := range map[toolstack][]string{
		xm: {"xm create /etc/xen/vm1 on_poweroff=destroy on_reboot=destroy on_crash=destroy", "xm migrate --live vm1 node2", "xm restore /mem"},
		xl: {`xl create /etc/xen/vm1 name="vm1" on_poweroff="destroy" on_reboot="destroy" on_crash="destroy"`,
			"xl migrate -s ssh -o BatchMode=yes -o ConnectTimeout=30 vm1 node2", "xl restore /mem"},
	} {
		s := newStage(t, (&xend{}).play)
		if stack == xl {
			s = newXLStage(t, (&xend{}).play)
		}
		s.file("/etc/xen/vm1", "memory = 256\n")
		d := s.driver("xen")
		g, err := d.Guest(ctx, "vm1", nil)
		if err == nil {
			err = d.Start(ctx, g)
		}
		if err == nil {
			err = d.(Live).Migrate(ctx, "vm1", "node2")
		}
		if err == nil {
			err = d.Restore(ctx, g, s.file("mem", ""))
		}
		if err != nil {
			t.Error(err)
		}
		s.wantChanges(want...)
		if tool, _, _ := d.(Lister).Version(ctx); tool != stack {
			t.Errorf("it calls itself %s", tool)
		}
	}
}

// Where both tools are, xend's lock decides.
func TestToolstack(t *testing.T) {
	for _, c := range []struct {
		has  []string
		lock string
		want toolstack
	}{
		{[]string{xm}, "", xm}, {[]string{xm}, "/var/lock/subsys/xend", xm},
		{[]string{xl}, "", xl}, {[]string{xl}, "/var/lock/subsys/xend", xl},
		{[]string{xm, xl}, "", xl}, {[]string{xm, xl}, "/var/lock/subsys/xend", xm}, {[]string{xm, xl}, "/var/lock/xend", xm},
		{nil, "", xm},
	} {
		s := newStage(t, nil)
		if err := os.Remove(filepath.Join(s.root, "usr/sbin/xm")); err != nil {
			t.Fatal(err)
		}
		for _, p := range c.has {
			s.install(p)
		}
		if c.lock != "" {
			s.file(c.lock, "")
		}
		if got := stackOf(s.tools); got != c.want {
			t.Errorf("%v with lock %q: %s", c.has, c.lock, got)
		}
	}
}

// A guest without drivers for an orderly shutdown hears the power button.
func TestXLShutdown(t *testing.T) {
	x := &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}}
	s := newXLStage(t, func(argv []string) run.Result {
		if argv[1] == "shutdown" && argv[2] != "-F" {
			return fails(1, "PV control interface not available: external graceful shutdown not possible.\nUse \"-F\" to fallback to ACPI power event.\n")
		}
		if argv[1] == "shutdown" {
			argv = []string{xl, "shutdown", argv[3]}
		}
		return x.play(argv)
	})
	if err := s.driver("xen").Shutdown(context.Background(), "vm1"); err != nil {
		t.Error(err)
	}
	s.wantChanges("xl shutdown vm1", "xl shutdown -F vm1")
	// One that has just gone was asked in vain.
	x = &xend{rows: []xenRow{vmRow("vm1", "-b----", 4)}}
	s = newXLStage(t, func(argv []string) run.Result {
		if argv[1] == "shutdown" {
			x.rows = nil
			return fails(2, string(sample(t, "xl-4.6-absent")))
		}
		return x.play(argv)
	})
	if err := s.driver("xen").Shutdown(context.Background(), "vm1"); err != nil {
		t.Error(err)
	}
}

func TestXLInfo(t *testing.T) {
	info, err := parseXenInfo(sample(t, "xl-4.17-info"))
	if err != nil || info != (xenInfo{"4.17.1", 8011, 16282, 8}) {
		t.Errorf("%+v, %v", info, err)
	}
}

func xlConfigs() []xenConfig {
	return []xenConfig{
		{name: "places", text: "name=\"vm1\"\nmemory=64\ndisk=['/shared/a.img,raw,xvda,rw', '/dev/vg/b,raw,xvdb,w', '/shared/c.qcow2,qcow2,xvdc']\n", mem: 64,
			witnesses: []Witness{{"/shared/a.img", false}, {"/dev/vg/b", true}, {"/shared/c.qcow2", false}}},
		{name: "names", text: "disk=['format=raw, vdev=xvda, access=rw, target=/shared/a,b.img', 'vdev=hdc,access=ro,format=raw,target=/shared/cd.iso']\n",
			witnesses: []Witness{{"/shared/a,b.img", false}}},
		{name: "xm's", text: "disk=['phy:vg/a,xvda,w','file:/shared/b.img,xvdb,w!','tap:aio:/shared/c.img,xvdc,w','tap2:tapdisk:qcow2:/d,xvdd,w','file:/cd.iso,hdc:cdrom,r','drbd:r0,xvde,w']\n",
			witnesses: []Witness{{"/dev/vg/a", true}, {"/shared/b.img", false}, {"/shared/c.img", false}, {"/d", false}}},
		{name: "no medium", text: "disk=[',raw,hdc,devtype=cdrom', '/cd.iso,,hdd,cdrom']\n"},
		{name: "script", text: "disk=['vdev=xvda,format=raw,script=block-drbd,target=r0']\n"},
		{name: "relative", text: "disk=['x.img,raw,xvda,rw']\n", bad: "absolute path"},
		{name: "empty", text: "disk=['']\n", bad: "absolute path"},
		{name: "access", text: "disk=['/x,raw,xvda,maybe']\n", bad: "neither rw nor ro"},
	}
}

func TestXLConfig(t *testing.T) {
	for _, c := range xlConfigs() {
		g, err := xenGuest(xl, []byte(c.text), host.Host{})
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
