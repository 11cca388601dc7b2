package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"

	"github.com/lbvm/lbvm/internal/clock"
)

// The files are read by the library that lblog's samplers use.
func TestProc(t *testing.T) {
	l := Layout{t.TempDir()}
	c := clock.NewFake(time.Unix(1e9, 0))
	n := &Node{Name: "a", Root: l.Root("a"), Layout: l, Clock: c, base: 0.25}
	p := newProc(n)
	dir := filepath.Join(n.Root, "proc")
	share := func() float64 {
		t.Helper()
		fs, err := procfs.NewFS(dir)
		if err != nil {
			t.Fatal(err)
		}
		before, err := fs.Stat()
		if err != nil {
			t.Fatal(err)
		}
		c.Advance(10 * time.Second)
		if err := p.write(); err != nil {
			t.Fatal(err)
		}
		after, err := fs.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if len(after.CPU) != processors {
			t.Errorf("%d processors", len(after.CPU))
		}
		a, b := after.CPUTotal, before.CPUTotal
		busy := a.User + a.System - b.User - b.System
		total := busy + a.Idle - b.Idle
		if total < 19.9 || total > 20.1 {
			t.Errorf("two processors counted %.2f seconds in ten", total)
		}
		return busy / total
	}
	if err := p.write(); err != nil {
		t.Fatal(err)
	}
	near := func(got, want float64) {
		t.Helper()
		if got < want-0.01 || got > want+0.01 {
			t.Errorf("busy %.3f, want %.3f", got, want)
		}
	}
	near(share(), 0.25)
	if _, err := os.Stat(filepath.Join(dir, "vz")); err == nil {
		t.Error("a node that never had a container counts for some")
	}
	runs, frozen := &Guest{Type: "openvz", VM: "101", load: 0.5, MemBytes: 1 << 30}, &Guest{Type: "xen", load: 0.5, frozen: true, MemBytes: 1 << 30}
	n.guests = map[*Guest]bool{runs: true, frozen: true}
	near(share(), 0.75)
	near(runs.Seconds(), 10)
	n.base = 0.9
	near(share(), 1) // the guest gets five of the fourteen parts that are wanted
	near(runs.Seconds(), 10+20*0.5/1.4)
	near(frozen.Seconds(), 0)
	want := vestatHead() + "       101      13714          0       3428      20000          45714285714                    0          40000000000          34285714285                    0                    0          0\n"
	if b, err := os.ReadFile(filepath.Join(dir, "vz/vestat")); err != nil || string(b) != want {
		t.Errorf("vestat: %v\n%s", err, b)
	}

	fs, err := procfs.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := fs.Meminfo(); err != nil || *m.MemTotal != 8<<20 || *m.MemAvailable != (8<<20)-(5<<19) {
		t.Errorf("meminfo: %v %v", m, err)
	}
	if load, err := fs.LoadAvg(); err != nil || load.Load1 <= 0.5 {
		t.Errorf("loadavg: %+v %v", load, err)
	}
	if info, err := fs.CPUInfo(); err != nil || len(info) != processors {
		t.Errorf("cpuinfo: %v %v", info, err)
	}
	if net, err := fs.NetDev(); err != nil || net["eth0"].RxBytes == 0 {
		t.Errorf("net/dev: %v %v", net, err)
	}
	if psi, err := fs.PSIStatsForResource("cpu"); err != nil || psi.Some.Total == 0 {
		t.Errorf("pressure: %+v %v", psi, err)
	}
	block, err := blockdevice.NewFS(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := block.ProcDiskstats(); err != nil || len(d) != 1 || d[0].DeviceName != "sda" || d[0].IOsTotalTicks == 0 {
		t.Errorf("diskstats: %+v %v", d, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*.new"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "uptime")); err != nil {
		t.Error(err)
	}
}

// A dom0's kernel sees what is its own; its domains' part shows in the list of domains alone.
func TestProcOfADom0(t *testing.T) {
	l := Layout{t.TempDir()}
	c := clock.NewFake(time.Unix(1e9, 0))
	n := &Node{Name: "a", Root: l.Root("a"), Layout: l, Clock: c, base: 0.1}
	if err := os.MkdirAll(filepath.Dir(n.Path(capabilities)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.Path(capabilities), []byte("control_d\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := newProc(n)
	vz, web := &Guest{Type: "openvz", VM: "101", load: 0.2, MemBytes: 1 << 30}, &Guest{Type: "xen", VM: "web1", load: 0.6, MemBytes: 2 << 30}
	n.guests = map[*Guest]bool{vz: true, web: true}
	c.Advance(100 * time.Second)
	if err := p.write(); err != nil {
		t.Fatal(err)
	}
	fs, err := procfs.NewFS(n.Path("/proc"))
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if got < want-0.05 || got > want+0.05 {
			t.Errorf("%s: %.2f, want %.2f", what, got, want)
		}
	}
	st, err := fs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	near("busy by its kernel", st.CPUTotal.User+st.CPUTotal.System, 60)
	near("idle by its kernel", st.CPUTotal.Idle, 140)
	own, mem := n.Dom0()
	near("Domain-0", own, 60)
	near("web1", web.Seconds(), 120)
	if want := int64(memSystem + 1<<30); mem != want {
		t.Errorf("Domain-0 has %d bytes, want %d", mem, want)
	}
	if m, err := fs.Meminfo(); err != nil || *m.MemTotal != uint64(memSystem+1<<30)>>10 || *m.MemAvailable >= uint64(n.FreeMemory())>>10 {
		t.Errorf("meminfo: %v %v", m, err)
	}
	if load, err := fs.LoadAvg(); err != nil || load.Load1 > 0.7 {
		t.Errorf("loadavg: %+v %v", load, err)
	}
}
