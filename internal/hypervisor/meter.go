package hypervisor

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// Busy is how long a guest has kept processors of this node busy so far. It only grows while the guest runs.
type Busy struct {
	Name string
	Run  string  // another for each run of the guest here, by which the count begins anew; "" where the tool does not say
	Time float64 // processor seconds; where Of is given, in its unit
	Of   float64 // for how long it has been counted; 0: nobody says, and Time is in seconds
}

// Meter is a driver that tells how busy its guests are. One that is not in the list was not measured, and an error means that
// none was.
type Meter interface {
	Busy(ctx context.Context) ([]Busy, error)
}

// vestat is where OpenVZ's kernels count.
const vestat = "/proc/vz/vestat"

// Busy reads what the kernel counts.
func (o *openVZ) Busy(context.Context) ([]Busy, error) {
	b, err := os.ReadFile(o.tools.Host.Path(vestat))
	if err != nil {
		return nil, fmt.Errorf("reading how busy the containers are: %w", err)
	}
	return parseVestat(b)
}

// parseVestat reads a row for each container. user, nice, system and the first uptime are in jiffies; used, on all
// processors, and the second uptime are in cycles. Kernels that do not count cycles leave used at 0.
func parseVestat(b []byte) ([]Busy, error) {
	bad := func(line string) ([]Busy, error) {
		return nil, fmt.Errorf("%w: %s: %s", ErrAnswer, vestat, quoteStart([]byte(line)))
	}
	text, whole := strings.CutSuffix(string(b), "\n")
	lines := strings.Split(text, "\n")
	if !whole || len(lines) < 2 || !strings.HasPrefix(lines[0], "Version: 2.") {
		return bad(text)
	}
	header := strings.Fields(lines[1])
	column := func(name string, nth int) int {
		for i, w := range header {
			if w == name {
				if nth--; nth == 0 {
					return i
				}
			}
		}
		return -1
	}
	at := [...]int{column("VEID", 1), column("user", 1), column("nice", 1), column("system", 1), column("uptime", 1), column("uptime", 2), column("used", 1)}
	for _, i := range at {
		if i < 0 {
			return bad(lines[1])
		}
	}
	var out []Busy
	for _, line := range lines[2:] {
		w := strings.Fields(line)
		if len(w) != len(header) || host.CheckName(w[at[0]]) != nil {
			return bad(line)
		}
		var n [len(at)]float64
		for i := 1; i < len(at); i++ {
			v, err := strconv.ParseUint(w[at[i]], 10, 64)
			if err != nil {
				return bad(line)
			}
			n[i] = float64(v)
		}
		x := Busy{Name: w[at[0]], Run: "cycles", Time: n[6], Of: n[5]}
		if x.Time == 0 || x.Of == 0 {
			x.Run, x.Time, x.Of = "jiffies", n[1]+n[2]+n[3], n[4]
		}
		if x.Of > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// Busy reads the seconds in the list of domains. What arrives has not begun yet.
func (x *xen) Busy(ctx context.Context) ([]Busy, error) {
	rows, err := x.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking how busy the domains are: %w", err)
	}
	return busyDomains(rows), nil
}

func busyDomains(rows []xenRow) []Busy {
	var out []Busy
	count := map[string]int{}
	for _, r := range rows {
		part, name := r.role()
		if r.id <= 0 || r.unclear || part != plain && part != leaving || host.CheckName(name) != nil {
			continue
		}
		count[name]++
		out = append(out, Busy{Name: name, Run: strconv.Itoa(r.id), Time: r.time})
	}
	once := out[:0]
	for _, b := range out {
		if count[b.Name] == 1 { // of two domains nobody knows which is the guest
			once = append(once, b)
		}
	}
	return once
}

// Busy asks for all domains at once (libvirt 1.2.8 and later), and for each by itself where that does not tell.
func (k *kvm) Busy(ctx context.Context) ([]Busy, error) {
	r, err := k.ask(ctx, "list", "--all")
	if err != nil {
		return nil, fmt.Errorf("asking how busy the domains are: %w", err)
	}
	names, err := parseVirshList(r.Stdout)
	if err != nil {
		return nil, fmt.Errorf("asking how busy the domains are: %w", err)
	}
	known := map[string]float64{}
	r, err = k.ask(ctx, "domstats", "--cpu-total", "--list-active")
	if err == nil {
		known, err = parseDomStats(r.Stdout)
	} else if said(err, "unknown command") {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking how busy the domains are: %w", err)
	}
	var out []Busy
	for _, name := range names {
		if checkKVMName(name) != nil { // cannot be one of ours
			continue
		}
		seconds, ok := known[name]
		if !ok {
			r, err := k.ask(ctx, "dominfo", name)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil { // it has gone since, or its row is not to be had: not measured
				continue
			}
			if seconds, ok = parseCPUTime(r.Stdout); !ok {
				continue
			}
		}
		out = append(out, Busy{Name: name, Time: seconds})
	}
	return out, nil
}

// parseDomStats reads the processor seconds that `virsh domstats --cpu-total` gives: a line Domain: 'NAME', and KEY=VALUE
// lines. A domain without cpu.time (its node counts by no cgroup) is left out.
func parseDomStats(out []byte) (map[string]float64, error) {
	if len(out) > 0 && out[len(out)-1] != '\n' {
		return nil, fmt.Errorf("%w: virsh domstats: it is cut off: %s", ErrAnswer, quoteStart(out))
	}
	seconds, name := map[string]float64{}, ""
	for _, line := range strings.Split(string(out), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "Domain: '"); ok {
			var closed bool
			if name, closed = strings.CutSuffix(rest, "'"); !closed || name == "" {
				return nil, fmt.Errorf("%w: virsh domstats: %s", ErrAnswer, quoteStart([]byte(line)))
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: virsh domstats: %s", ErrAnswer, quoteStart([]byte(line)))
		}
		if key != "cpu.time" {
			continue
		}
		ns, err := strconv.ParseUint(value, 10, 64)
		if _, twice := seconds[name]; err != nil || twice {
			return nil, fmt.Errorf("%w: virsh domstats: %s", ErrAnswer, quoteStart([]byte(line)))
		}
		seconds[name] = float64(ns) / 1e9
	}
	return seconds, nil
}

// parseCPUTime reads `CPU time: 12.3s` of virsh dominfo.
func parseCPUTime(out []byte) (float64, bool) {
	text, ok := strings.CutSuffix(infoOf(out)["cpu time"], "s")
	if !ok || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}
