package hypervisor

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func TestBusyContainers(t *testing.T) {
	s := newStage(t, func([]string) run.Result { return says("") })
	d, err := New("openvz", s.tools)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.(Meter).Busy(context.Background()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the kernel's file: %v", err)
	}
	s.file(vestat, string(sample(t, "vestat-2.2")))
	got, err := d.(Meter).Busy(context.Background())
	want := []Busy{{"302", "cycles", 1048603937010, 427034187248480}, {"301", "cycles", 701812592320, 427043845492614}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	s.file(vestat, string(sample(t, "vestat-2.2-jiffies")))
	got, err = d.(Meter).Busy(context.Background())
	if diff := cmp.Diff([]Busy{{"101", "jiffies", 27188 + 10 + 7896, 152899846}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Half an answer measures nothing.
func TestVestatCutOff(t *testing.T) {
	whole := sample(t, "vestat-2.2")
	for n := range len(whole) {
		cut := whole[:n]
		got, err := parseVestat(cut)
		if err == nil && strings.Count(string(cut), "\n") != 2+len(got) {
			t.Fatalf("%d bytes gave %v", n, got)
		}
		for _, b := range got {
			if b.Time != 1048603937010 && b.Time != 701812592320 {
				t.Errorf("%d bytes gave %v", n, b)
			}
		}
	}
	for _, text := range []string{
		strings.Replace(string(whole), "142926", "-", 1), strings.Replace(string(whole), "142926", "1 42926", 1),
		strings.Replace(string(whole), "142926", "", 1), strings.Replace(string(whole), "used", "usage", 1),
		strings.TrimSuffix(string(whole), "\n"),
	} {
		if got, err := parseVestat([]byte(text)); !errors.Is(err, ErrAnswer) || got != nil {
			t.Errorf("%v %v", got, err)
		}
	}
}

func TestBusyDomains(t *testing.T) {
	for name, want := range map[string][]Busy{
		"xm-3.1-list": {{"vm2", "7", 812.3, 0}, {"vm3", "8", 9.4, 0}, {"vm4", "9", 0, 0}, {"vm6", "11", 0, 0}, {"vm7", "12", 14, 0}, {"vm8", "13", 4, 0}, {"vm9", "14", 4, 0}},
	} {
		s := newStage(t, func([]string) run.Result { return says(string(sample(t, name))) })
		d, err := New("xen", s.tools)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.(Meter).Busy(context.Background())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	rows := []xenRow{{name: "vm1", id: 3, time: 5}, {name: leavingPrefix + "vm1", id: 4, time: 7}, {name: "vm2", id: 5, time: 1, unclear: true}, {name: "vm3" + incomingSuffix, id: 6, time: 2}}
	if got := busyDomains(rows); len(got) != 0 {
		t.Errorf("of what nobody knows: %v", got)
	}
}

func TestBusyByLibvirt(t *testing.T) {
	const list = " Id   Name   State\n----------------------\n 1    vm1    running\n 2    vm2    running\n 3    vm3    running\n -    vm4    shut off\n\n"
	info, err := os.ReadFile(filepath.Join("testdata/captured", "virsh-9.0.0-dominfo-running"))
	if err != nil {
		t.Fatal(err)
	}
	stats := says(string(sample(t, "virsh-9.0.0-domstats")))
	s := newStage(t, nil)
	s.play = func(argv []string) run.Result {
		words := strings.Join(argv, " ")
		switch {
		case strings.Contains(words, " list"):
			return says(list)
		case strings.Contains(words, " domstats"):
			return stats
		case strings.HasSuffix(words, "dominfo vm3"):
			return fails(1, "error: failed to get domain 'vm3'")
		}
		return says(string(info))
	}
	d, err := New("kvm", s.tools)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.(Meter).Busy(context.Background())
	if diff := cmp.Diff([]Busy{{Name: "vm1", Time: 14.235123456}, {Name: "vm2", Time: 1.4}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// RHEL 6's virsh has no domstats.
	stats = fails(1, "error: unknown command: 'domstats'")
	got, err = d.(Meter).Busy(context.Background())
	if diff := cmp.Diff([]Busy{{Name: "vm1", Time: 1.4}, {Name: "vm2", Time: 1.4}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []run.Result{fails(1, "error: failed to connect to the hypervisor"), says("Domain: 'vm1'\n  cpu.time=14"), says("Domain: 'vm1'\n  cpu.time=\n"), says("cpu.time=3\n")} {
		stats = bad
		if got, err := d.(Meter).Busy(context.Background()); err == nil {
			t.Errorf("%q gave %v", bad.Stdout, got)
		}
	}
	for text, want := range map[string]float64{"CPU time: 12.3s\n": 12.3, "CPU time: 12.3\n": -1, "": -1, "CPU time: s\n": -1, "CPU time: -1s\n": -1, "CPU time: NaNs\n": -1} {
		if v, ok := parseCPUTime([]byte(text)); ok != (want >= 0) || ok && v != want {
			t.Errorf("%q: %v %v", text, v, ok)
		}
	}
}

func FuzzParseBusy(f *testing.F) {
	for _, pattern := range []string{"vestat-*", "virsh-9.0.0-domstats"} {
		for _, b := range samples(f, pattern) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseVestat(b)
		for _, x := range list {
			if err != nil || host.CheckName(x.Name) != nil || x.Time < 0 || x.Of <= 0 {
				t.Errorf("%+v, %v", x, err)
			}
		}
		seconds, err := parseDomStats(b)
		for name, v := range seconds {
			if err != nil || name == "" || v < 0 || math.IsInf(v, 0) {
				t.Errorf("%q %v, %v", name, v, err)
			}
		}
		if v, ok := parseCPUTime(b); ok && !(v >= 0) {
			t.Errorf("%v", v)
		}
	})
}
