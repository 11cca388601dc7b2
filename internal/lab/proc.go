package lab

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// The machine that every node plays.
const (
	processors = 2
	memTotal   = 8 << 30
	memSystem  = 512 << 20 // what the node itself takes
	userHz     = 100
	procEvery  = 200 * time.Millisecond
	release    = "2.6.32-042stab145.3"
)

// proc keeps the files below a node's proc. Counters run in the lab's time.
type proc struct {
	n       *Node
	boot    time.Time
	last    time.Time
	busy    float64 // processor seconds
	own     float64 // of them, not the domains'
	dom0    bool    // the node is one: its kernel sees nothing of the domains
	idle    float64
	wait    float64 // processor seconds by which more was wanted than there is
	load    [3]float64
	running bool
	vz      bool // there has been a container
}

func newProc(n *Node) *proc {
	now := n.Clock.Now()
	_, err := os.Stat(n.Path(capabilities))
	return &proc{n: n, boot: now, last: now, dom0: err == nil}
}

func (p *proc) run(ctx context.Context) error {
	ticker := time.NewTicker(procEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := p.write(); err != nil {
				return fmt.Errorf("writing below proc: %w", err)
			}
		}
	}
}

// capabilities is there where the node is a dom0, and says so.
const capabilities = "/proc/xen/capabilities"

// share is what is wanted of the processors, and what of that by domains; above 1 it is more than there is.
func (n *Node) share() (all, domains float64) {
	n.mu.Lock()
	all = n.base
	n.mu.Unlock()
	for _, g := range n.all() {
		load := g.Load()
		if all += load; g.Type == "xen" {
			domains += load
		}
	}
	return all, domains
}

// Dom0 is what the node's own system has taken of the processors and has of memory, its containers among it.
func (n *Node) Dom0() (seconds float64, mem int64) {
	mem = memTotal - n.FreeMemory()
	for _, g := range n.all() {
		if g.Type == "xen" {
			mem -= g.MemBytes
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.own, mem
}

// Machine is what every node has.
func Machine() (cpus int, mem int64) { return processors, memTotal }

func (p *proc) write() error {
	want, domains := p.n.share()
	p.advance(p.n.Clock.Now(), want, domains)
	files := p.files()
	if rows := p.vestat(); rows != "" || p.vz {
		files["vz/vestat"], p.vz = vestatHead()+rows, true
	}
	for name, text := range files {
		if err := replace(p.n.Path("/proc/"+name), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// advance moves the counters to now.
func (p *proc) advance(now time.Time, want, domains float64) {
	seconds := max(now.Sub(p.last).Seconds(), 0)
	p.last = now
	share := min(want, 1)
	p.busy += share * seconds * processors
	p.idle += (1 - share) * seconds * processors
	p.wait += max(want-1, 0) * seconds
	p.own += share * seconds * processors * (want - domains) / max(want, 1e-9)
	p.n.mu.Lock()
	p.n.own = p.own
	p.n.mu.Unlock()
	for _, g := range p.n.all() {
		g.count(seconds, share/max(want, 1e-9))
	}
	if p.dom0 {
		want -= domains
	}
	for i, span := range [...]float64{60, 300, 900} {
		if !p.running {
			p.load[i] = want * processors
			continue
		}
		keep := math.Exp(-seconds / span)
		p.load[i] = p.load[i]*keep + want*processors*(1-keep)
	}
	p.running = true
}

func (p *proc) files() map[string]string {
	up := p.last.Sub(p.boot).Seconds()
	busy, idle, total, free := p.busy, p.idle, int64(memTotal), p.n.FreeMemory()
	if p.dom0 {
		busy, idle = p.own, p.idle+p.busy-p.own
		_, total = p.n.Dom0()
		free = memSystem / 2
	}
	jiffies := func(seconds float64) int64 { return int64(seconds * userHz) }
	var stat, cpuinfo strings.Builder
	row := func(name string, part float64) {
		fmt.Fprintf(&stat, "%s %d 0 %d %d 0 0 0 0\n", name,
			jiffies(busy*0.8*part), jiffies(busy*0.2*part), jiffies(idle*part))
	}
	row("cpu ", 1)
	for i := range processors {
		row(fmt.Sprintf("cpu%d", i), 1.0/processors)
		fmt.Fprintf(&cpuinfo, "processor\t: %d\nvendor_id\t: GenuineIntel\nmodel name\t: lab processor\ncpu MHz\t\t: 2000.000\n"+
			"cache size\t: 4096 KB\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\nflags\t\t: fpu tsc cx8\n\n",
			i, processors, i, processors)
	}
	runnable := 1 + int(math.Round(p.load[0]))
	fmt.Fprintf(&stat, "intr %d\nctxt %d\nbtime %d\nprocesses 1000\nprocs_running %d\nprocs_blocked 0\n",
		jiffies(up), jiffies(up)*2, p.boot.Unix(), runnable)
	pressure := func(kind float64) string {
		avg := min(100, 100*kind*max(p.load[0]/processors-1, 0))
		line := fmt.Sprintf("avg10=%.2f avg60=%.2f avg300=%.2f total=%d\n", avg, avg, avg, int64(p.wait*kind*1e6))
		return "some " + line + "full " + line
	}
	io := int64(p.busy * 1000 * 0.1) // a tenth of the busy time goes with the disk
	packets := int64(p.busy * 100)
	net := func(name string, n int64) string {
		return fmt.Sprintf("%6s: %d %d 0 0 0 0 0 0 %d %d 0 0 0 0 0 0\n", name, n*800, n, n*600, n)
	}
	return map[string]string{
		"stat":                 stat.String(),
		"cpuinfo":              cpuinfo.String(),
		"cpt":                  "",
		"rst":                  "",
		"sys/kernel/osrelease": release + "\n",
		"uptime":               fmt.Sprintf("%.2f %.2f\n", up, idle),
		"loadavg":              fmt.Sprintf("%.2f %.2f %.2f %d/100 1000\n", p.load[0], p.load[1], p.load[2], runnable),
		"meminfo": fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:        %8d kB\n"+
			"Cached:         %8d kB\nSwapTotal:      %8d kB\nSwapFree:       %8d kB\n", total>>10, free>>10, free>>10, 0, 0, 0, 0),
		"diskstats": fmt.Sprintf("   8       0 sda %d 0 %d %d %d 0 %d %d 0 %d %d\n",
			io/4, io*2, io/2, io/4, io*2, io/2, io, io),
		"net/dev": "Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			net("lo", packets/10) + net("eth0", packets),
		"pressure/cpu":    pressure(1),
		"pressure/io":     pressure(0.2),
		"pressure/memory": pressure(0),
	}
}

// vestat has a row for each container, as OpenVZ's kernels show them: jiffies of 1 ms, and cycles of 2 GHz.
func (p *proc) vestat() string {
	var rows []string
	for _, g := range p.n.all() {
		if g.Type != "openvz" {
			continue
		}
		g.mu.Lock()
		busy, here := g.busy, g.here
		g.mu.Unlock()
		const hz, cycles = 1e3, 2e9
		rows = append(rows, fmt.Sprintf("%10s %10d %10d %10d %10d %20d %20d %20d %20d %20d %20d %10d\n", g.VM,
			int64(busy*0.8*hz), 0, int64(busy*0.2*hz), int64(here*hz), int64((here*processors-busy)*cycles), 0, int64(here*cycles), int64(busy*cycles), 0, 0, 0))
	}
	slices.Sort(rows)
	return strings.Join(rows, "")
}

func vestatHead() string {
	return fmt.Sprintf("Version: 2.2\n%10s %10s %10s %10s %10s %20s %20s %20s %20s %20s %20s %10s\n",
		"VEID", "user", "nice", "system", "uptime", "idle", "strv", "uptime", "used", "maxlat", "totlat", "numsched")
}
