package monitor

import (
	"maps"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

func TestSmooth(t *testing.T) {
	at := time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)
	now := func() *balance.View {
		return &balance.View{VMs: []balance.VM{{Name: "1", Type: "xen", Owner: "n1", Cores: 4}}}
	}
	pass := func(age time.Duration, owner string, cores float64) *balance.Pass {
		return &balance.Pass{At: at.Add(-age), View: balance.View{VMs: []balance.VM{{Name: "1", Type: "xen", Owner: owner, Cores: cores}}}}
	}
	for _, c := range []struct {
		name   string
		passes []*balance.Pass
		want   float64
	}{
		{"no pass", nil, 4},
		{"the last one", []*balance.Pass{pass(2*time.Minute, "n1", 9), pass(time.Minute, "n1", 1)}, 2},
		{"too old", []*balance.Pass{pass(3*time.Minute, "n1", 1)}, 4},
		{"it was elsewhere", []*balance.Pass{pass(time.Minute, "n2", 1)}, 4},
		{"nobody had measured it", []*balance.Pass{pass(time.Minute, "n1", 0)}, 4},
		{"of this very pass, looked at again", []*balance.Pass{pass(time.Minute, "n1", 1), pass(0, "n1", 2)}, 2},
	} {
		v := now()
		path := filepath.Join(t.TempDir(), balance.PassesName)
		for _, p := range c.passes {
			if err := balance.AppendPass(path, p); err != nil {
				t.Fatal(err)
			}
		}
		seen, last, err := balance.LastView(path, at)
		if err != nil {
			t.Fatal(err)
		}
		smooth(v, at, 3*time.Minute, seen, last)
		if got := v.VMs[0].Cores; math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSmoothOfOtherResources(t *testing.T) {
	at := time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)
	v := &balance.View{VMs: []balance.VM{{Name: "1", Type: "xen", Owner: "n1", Uses: map[string]float64{"io": 30, "net": 7}}}}
	path := filepath.Join(t.TempDir(), balance.PassesName)
	p := &balance.Pass{At: at.Add(-time.Minute), View: balance.View{VMs: []balance.VM{{Name: "1", Type: "xen", Owner: "n1", Uses: map[string]float64{"io": 0, "gone": 1}}}}}
	if err := balance.AppendPass(path, p); err != nil {
		t.Fatal(err)
	}
	seen, last, err := balance.LastView(path, at)
	if err != nil {
		t.Fatal(err)
	}
	smooth(v, at, 3*time.Minute, seen, last)
	if diff := cmp.Diff(map[string]float64{"io": 10, "net": 7}, v.VMs[0].Uses); diff != "" {
		t.Error(diff)
	}
}

// A node that has fallen silent says nothing of what its guests use now; their memory does not change.
func TestForgetOld(t *testing.T) {
	at := time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)
	for age, cpu := range map[time.Duration]float64{time.Minute: 0.5, 3 * time.Minute: -1} {
		f := host.Facts{At: at.Add(-age), Guests: []host.GuestFact{{CPU: 0.5, Mem: 5, Uses: map[string]float64{"io": 1}}}}
		forgetOld(&f, at, 3*time.Minute)
		if g := f.Guests[0]; g.CPU != cpu || g.Mem != 5 || (g.Uses == nil) != (cpu < 0) {
			t.Errorf("%s: %+v", age, g)
		}
	}
}

// What a VM uses is known of the node that it is on, and of no other.
func TestFootprintOfTheFacts(t *testing.T) {
	st := cluster.Status{Quorate: true, Members: []cluster.Member{{Name: "n1", Online: true, Manager: true}, {Name: "n2", Online: true, Manager: true}},
		Services: []cluster.Service{{ID: "service:a", VM: "1", VMType: "xen", Owner: "n1"}, {ID: "service:b", VM: "2", VMType: "xen", Owner: "n1"}, {ID: "service:c", VM: "3", VMType: "xen", Owner: "n2"}}}
	v, _ := view(st, func(member string) (host.Facts, error) {
		return host.Facts{Member: member, Cores: 8, Guests: []host.GuestFact{{Type: "xen", Name: "1", CPU: 0.25, Mem: 1 << 30, Uses: map[string]float64{"io": 3}}, {Type: "xen", Name: "2", CPU: -1}}}, nil
	}, func(string) (string, error) { return "", nil })
	if !maps.Equal(v.VMs[0].Uses, map[string]float64{"io": 3}) {
		t.Errorf("%v", v.VMs[0].Uses)
	}
	if a, b, c := v.VMs[0], v.VMs[1], v.VMs[2]; a.Cores != 2 || a.Mem != 1<<30 || b.Cores != 0 || c.Cores != 0 || c.Mem != 0 {
		t.Errorf("%+v", v.VMs)
	}
}

// Facts call a guest by its tool: that of the cluster suite's own <vm> is found by its name. One that was measured to do
// nothing is not unknown.
func TestFootprintOfAStockVM(t *testing.T) {
	st := cluster.Status{Quorate: true, Members: []cluster.Member{{Name: "n1", Online: true, Manager: true}},
		Services: []cluster.Service{{ID: "vm:1", VM: "1", VMType: "vm", Owner: "n1"}, {ID: "vm:2", VM: "2", VMType: "vm", Owner: "n1"}, {ID: "service:3", VM: "3", VMType: "kvm", Owner: "n1"}}}
	v, _ := view(st, func(member string) (host.Facts, error) {
		return host.Facts{Member: member, Cores: 8, Guests: []host.GuestFact{
			{Type: "kvm", Name: "1", CPU: 0.25, Mem: 1 << 30}, {Type: "kvm", Name: "2", CPU: 0.25}, {Type: "xen", Name: "2", CPU: 0.25}, {Type: "kvm", Name: "3", CPU: 0}}}, nil
	}, func(string) (string, error) { return "", nil })
	if a, b, c := v.VMs[0], v.VMs[1], v.VMs[2]; a.Cores != 2 || a.Mem != 1<<30 || b.Cores != 0 || c.Cores <= 0 || c.Cores > 0.01 {
		t.Errorf("%+v", v.VMs)
	}
}
