package sample

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// meter tells what it was given.
type meter struct {
	list []hypervisor.Busy
	err  error
}

func (m *meter) Busy(context.Context) ([]hypervisor.Busy, error) { return m.list, m.err }

func TestFootprintsAreWhatCountersGrewBy(t *testing.T) {
	s, root, c := node(t)
	xen := &meter{list: []hypervisor.Busy{{Name: "a", Run: "3", Time: 100}, {Name: "b", Run: "4", Time: 7}, {Name: "gone", Run: "5", Time: 1}}}
	vz := &meter{list: []hypervisor.Busy{{Name: "a", Time: 1e9, Of: 4e9}}}
	meters := map[string]hypervisor.Meter{"xen": xen, "openvz": vz, "kvm": &meter{err: errors.New("nobody has a guest of it")}}
	look := func() (cpu []float64, err error) {
		f := host.Facts{Boot: "boot-1", Cores: 4}
		for _, name := range []string{"xen:a", "xen:b", "xen:new", "openvz:a"} {
			typ, vm, _ := strings.Cut(name, ":")
			f.Guests = append(f.Guests, host.GuestFact{Type: typ, Name: vm, CPU: -1})
		}
		err = s.Footprints(context.Background(), &f, meters, nil, true)
		for _, g := range f.Guests {
			cpu = append(cpu, g.CPU)
		}
		return cpu, err
	}
	want := func(what string, want ...float64) {
		t.Helper()
		got, err := look()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", what, err, diff)
		}
	}
	want("the first look", -1, -1, -1, -1)
	c.now = c.now.Add(time.Minute)
	xen.list = []hypervisor.Busy{{Name: "a", Run: "3", Time: 160}, {Name: "b", Run: "9", Time: 70}, {Name: "new", Run: "6", Time: 30}}
	vz.list[0].Time, vz.list[0].Of = 4e9, 10e9 // by its own clock, half of a processor
	want("a grew, b was started anew, new has come", 0.25, -1, -1, 0.125)
	c.now = c.now.Add(time.Second)
	xen.list[0].Time = 161
	want("too soon", -1, -1, -1, -1)
	c.now = c.now.Add(59 * time.Second)
	xen.list[0].Time, xen.list[1].Time = 160, 70+241 // one more than there is: two looks are no instants
	want("and after a minute", 0, 1, 0, -1)
	c.now = c.now.Add(time.Minute)
	xen.list[0].Time, xen.list[1].Time = 3, 311+300
	want("counters that say what cannot be", -1, -1, 0, -1)
	c.now = c.now.Add(time.Hour)
	want("after a long pause", -1, -1, -1, -1)
	write(t, root, "proc/sys/kernel/random/boot_id", "boot-1\n")

	c.now = c.now.Add(time.Minute)
	xen.err = errors.New("xend is down")
	if got, err := look(); err == nil || got[0] != -1 || got[3] != -1 {
		t.Errorf("a tool that is down: %v %v", got, err)
	}
}

// A dry run leaves no trace.
func TestFootprintsDryRun(t *testing.T) {
	s, root, _ := node(t)
	f := host.Facts{Boot: "boot-1", Cores: 2, Guests: []host.GuestFact{{Type: "xen", Name: "a", CPU: -1}}}
	m := map[string]hypervisor.Meter{"xen": &meter{list: []hypervisor.Busy{{Name: "a", Time: 1}}}}
	if err := s.Footprints(context.Background(), &f, m, nil, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, host.RunDir)); !os.IsNotExist(err) {
		t.Errorf("it wrote: %v", err)
	}
}

func TestFootprintsByCommand(t *testing.T) {
	type seen struct {
		CPU  float64
		Mem  int64
		Uses map[string]float64
	}
	for _, x := range []struct {
		name string
		r    []VMResource
		fail string
		want [3]seen // xen:a, xen:b, kvm:b
	}{
		{"cpu instead of the meter", []VMResource{{Name: "cpu", Part: "cpu", Command: "printf 'a 0.25\\nelsewhere 1\\nkvm:b -\\n'"}}, "",
			[3]seen{{0.25, 1 << 30, nil}, {-1, 1 << 30, nil}, {-1, 1 << 30, nil}}},
		{"ram", []VMResource{{Name: "ram", Part: "ram", Command: "printf 'a 512\\nxen:b 0.5\\n'"}}, "",
			[3]seen{{0.75, 512 << 20, nil}, {0.75, 1 << 19, nil}, {0.75, 0, nil}}},
		{"another", []VMResource{{Name: "io", Command: "printf 'a 12\\n\\nxen:b 0\\n'"}}, "",
			[3]seen{{0.75, 1 << 30, map[string]float64{"io": 12}}, {0.75, 1 << 30, map[string]float64{"io": 0}}, {0.75, 1 << 30, nil}}},
		{"nothing", []VMResource{{Name: "cpu", Part: "cpu", Command: "true"}}, "", [3]seen{{-1, 1 << 30, nil}, {-1, 1 << 30, nil}, {-1, 1 << 30, nil}}},
		{"it fails", []VMResource{{Name: "cpu", Part: "cpu", Command: "echo a 0.5; echo no >&2; false"}}, "exit code 1: no", [3]seen{{-1, 1 << 30, nil}, {-1, 1 << 30, nil}, {-1, 1 << 30, nil}}},
		{"it breaks off", []VMResource{{Name: "cpu", Part: "cpu", Command: "printf 'a 0.5\\nxen:b 0.1'"}}, "the last line has no end", [3]seen{{-1, 1 << 30, nil}, {-1, 1 << 30, nil}, {-1, 1 << 30, nil}}},
		{"a header", []VMResource{{Name: "io", Command: "printf 'NAME IO\\na 12\\n'"}}, `line 1: not a number: it printed "IO"`, [3]seen{{0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
		{"a third word", []VMResource{{Name: "io", Command: "echo a 12 13"}}, `line 1 is "a 12 13"`, [3]seen{{0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
		{"below 0", []VMResource{{Name: "io", Command: "echo a -3"}}, "which cannot be", [3]seen{{0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
		{"per cent", []VMResource{{Name: "cpu", Part: "cpu", Command: "echo a 30"}}, "which cannot be", [3]seen{{-1, 1 << 30, nil}, {-1, 1 << 30, nil}, {-1, 1 << 30, nil}}},
		{"two of a name", []VMResource{{Name: "io", Command: "echo b 3"}}, "write the type as well", [3]seen{{0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
		{"twice", []VMResource{{Name: "io", Command: "echo a 3; echo xen:a 4"}}, "a second value of xen:a", [3]seen{{0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
		{"one fails, the other does not", []VMResource{{Name: "io", Command: "false"}, {Name: "net", Command: "echo a 3"}}, "measuring io of the VMs", [3]seen{{0.75, 1 << 30, map[string]float64{"net": 3}}, {0.75, 1 << 30, nil}, {0.75, 1 << 30, nil}}},
	} {
		s, _, c := node(t)
		busy := func(v float64) map[string]hypervisor.Meter {
			list := []hypervisor.Busy{{Name: "a", Time: v}, {Name: "b", Time: v}}
			return map[string]hypervisor.Meter{"xen": &meter{list: list}, "kvm": &meter{list: list}}
		}
		facts := func() host.Facts {
			return host.Facts{Boot: "boot-1", Cores: 1, Guests: []host.GuestFact{{Type: "xen", Name: "a", CPU: -1, Mem: 1 << 30}, {Type: "xen", Name: "b", CPU: -1, Mem: 1 << 30}, {Type: "kvm", Name: "b", CPU: -1, Mem: 1 << 30}}}
		}
		f := facts()
		if err := s.Footprints(context.Background(), &f, busy(0), nil, true); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(time.Minute)
		f = facts()
		err := s.Footprints(context.Background(), &f, busy(45), x.r, true)
		if x.fail == "" && err != nil || x.fail != "" && (err == nil || !strings.Contains(err.Error(), x.fail)) {
			t.Errorf("%s: %v, want %q", x.name, err, x.fail)
		}
		var got [3]seen
		for i, g := range f.Guests {
			got[i] = seen{g.CPU, g.Mem, g.Uses}
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s:\n%s", x.name, diff)
		}
	}
}

func FuzzParsePerVM(f *testing.F) {
	for _, text := range []string{"a 1\nxen:b 0.5\n", "b 1\n", "a -\n", "a 1", "a 1e999\n", "\n\n", "a 0x10\n"} {
		f.Add([]byte(text), "cpu")
		f.Add([]byte(text), "")
	}
	guests := []host.GuestFact{{Type: "xen", Name: "a"}, {Type: "xen", Name: "b"}, {Type: "kvm", Name: "b"}}
	f.Fuzz(func(t *testing.T, out []byte, part string) {
		found, err := parsePerVM(out, part, guests)
		for id, v := range found {
			if err != nil || v < 0 || math.IsNaN(v) || math.IsInf(v, 0) || part == "cpu" && v > 1 || !strings.Contains(id, ":") {
				t.Errorf("%q says %s %v, %v", out, id, v, err)
			}
		}
		if len(found) > 0 && !strings.HasSuffix(string(out), "\n") {
			t.Errorf("%q is cut off and gave %v", out, found)
		}
	})
}
