package libvirt

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
)

// shown is a domain as a question finds it, apart from the daemon's lock.
type shown struct {
	id                    int
	conf                  config
	state                 state
	persistent, autostart bool
	saved                 bool
	seconds               float64
}

// look copies what a question asks about.
func (c *call) look(x *domain) shown {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.list()
	s := shown{conf: x.conf, state: x.now(), persistent: x.persistent, autostart: x.autostart, saved: exists(c.managed(x.conf.Name))}
	if r := x.run; r != nil {
		s.id = r.id
		if r.guest != nil {
			s.seconds = 0.1 + r.guest.Seconds()
		}
	}
	return s
}

// all is every domain, running ones first, by number and then by name.
func (c *call) all() (out []shown) {
	c.d.mu.Lock()
	list := slices.Clone(c.d.list())
	c.d.mu.Unlock()
	for _, x := range list {
		out = append(out, c.look(x))
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if (a.id == 0) != (b.id == 0) {
			return a.id != 0
		}
		return a.id < b.id || a.id == b.id && a.conf.Name < b.conf.Name
	})
	return out
}

// word is the state as a question shows it.
func (c *call) word(s shown) state {
	if c.n.Fault("virsh", "no-state", s.conf.Name) {
		return state{"no state", "unknown"}
	}
	return s.state
}

func (c *call) list(_ context.Context, w words) int {
	chosen := func(s shown) bool {
		on := s.id != 0
		byState := w.has("state-running") && s.state.name == isRunning || w.has("state-paused") && s.state.name == isPaused ||
			w.has("state-shutoff") && !on || w.has("state-other") && on && s.state.name != isRunning && s.state.name != isPaused
		switch {
		case w.has("state-running") || w.has("state-paused") || w.has("state-shutoff") || w.has("state-other"):
			if !byState {
				return false
			}
		case w.has("inactive") && on, !w.has("inactive") && !w.has("all") && !on:
			return false
		}
		return !(w.has("transient") && s.persistent || w.has("persistent") && !s.persistent || w.has("autostart") && !s.autostart || w.has("no-autostart") && s.autostart ||
			w.has("with-managed-save") && !s.saved || w.has("without-managed-save") && s.saved)
	}
	var rows [][3]string
	for _, s := range c.all() {
		if !chosen(s) {
			continue
		}
		id, word := "-", c.word(s).name
		if s.id != 0 {
			id = fmt.Sprint(s.id)
		}
		if w.has("managed-save") && s.saved {
			word = "saved"
		}
		rows = append(rows, [3]string{id, s.conf.Name, word})
		switch {
		case w.has("uuid") && w.has("name"):
			c.say("%s %s", s.conf.UUID, s.conf.Name)
		case w.has("uuid"):
			c.say("%s", s.conf.UUID)
		case w.has("name"):
			c.say("%s", s.conf.Name)
		case w.has("id") && s.id != 0:
			c.say("%d", s.id)
		}
	}
	if w.has("uuid") || w.has("name") || w.has("id") {
		return 0
	}
	c.table(rows)
	return 0
}

// table is the list in the version's columns.
func (c *call) table(rows [][3]string) {
	if c.old {
		c.extra(" %-5s %-30s %s", "Id", "Name", "State")
		c.extra("%s", strings.Repeat("-", 52))
		for _, r := range rows {
			c.say(" %-5s %-30s %s", r[0], r[1], r[2])
		}
		return
	}
	head := [3]string{"Id", "Name", "State"}
	var width [3]int
	for _, r := range append([][3]string{head}, rows...) {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	line := func(r [3]string) string {
		return fmt.Sprintf(" %-*s   %-*s   %s", width[0], r[0], width[1], r[1], r[2])
	}
	c.extra("%s", line(head))
	c.extra("%s", strings.Repeat("-", width[0]+width[1]+width[2]+9))
	for _, r := range rows {
		c.say("%s", line(r))
	}
}

func (c *call) domstate(_ context.Context, x *domain, w words) int {
	s := c.word(c.look(x))
	if w.has("reason") {
		c.say("%s (%s)", s.name, s.why)
	} else {
		c.say("%s", s.name)
	}
	return 0
}

func (c *call) domid(_ context.Context, x *domain, _ words) int {
	if s := c.look(x); s.id != 0 {
		c.say("%d", s.id)
	} else {
		c.say("-")
	}
	return 0
}

func (c *call) dominfo(_ context.Context, x *domain, _ words) int {
	s := c.look(x)
	row := func(name, format string, args ...any) { c.say("%-15s %s", name+":", fmt.Sprintf(format, args...)) }
	yes := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	if s.id != 0 {
		row("Id", "%d", s.id)
	} else {
		row("Id", "-")
	}
	row("Name", "%s", s.conf.Name)
	row("UUID", "%s", s.conf.UUID)
	row("OS Type", "%s", s.conf.OS)
	row("State", "%s", c.word(s).name)
	row("CPU(s)", "%d", s.conf.VCPUs)
	if s.id != 0 {
		row("CPU time", "%.1fs", s.seconds)
	}
	row("Max memory", "%d KiB", s.conf.KiB)
	row("Used memory", "%d KiB", s.conf.KiB)
	row("Persistent", "%s", yes(s.persistent, "yes", "no"))
	row("Autostart", "%s", yes(s.autostart, "enable", "disable"))
	row("Managed save", "%s", yes(s.saved, "yes", "no"))
	row("Security model", "none")
	row("Security DOI", "0")
	return 0
}

// number is a state as domstats gives it.
func number(state string) int {
	return map[string]int{"no state": 0, isRunning: 1, isPaused: 3, isLeaving: 4, "shut off": 5}[state]
}

func (c *call) domstats(_ context.Context, w words) int {
	var of []shown
	if name := w["domain"]; name != "" {
		x := c.d.find(name)
		if x == nil {
			return c.unknown(name)
		}
		of = append(of, c.look(x))
	} else {
		of = c.all()
	}
	for _, s := range of {
		if w.has("list-active") && s.id == 0 {
			continue
		}
		c.say("Domain: '%s'", s.conf.Name)
		c.say("  state.state=%d", number(c.word(s).name))
		if s.id != 0 {
			c.say("  cpu.time=%d", int64(s.seconds*1e9))
		}
		c.say("  balloon.current=%d\n  balloon.maximum=%d\n  vcpu.current=%d\n  vcpu.maximum=%d\n", s.conf.KiB, s.conf.KiB, s.conf.VCPUs, s.conf.VCPUs)
	}
	return 0
}

func (c *call) domblklist(_ context.Context, x *domain, _ words) int {
	width := len("Target")
	for _, d := range x.conf.Disks {
		width = max(width, len(d.Target))
	}
	longest := len("Source")
	for _, d := range x.conf.Disks {
		longest = max(longest, len(d.Path))
	}
	c.extra(" %-*s   Source", width, "Target")
	c.extra("%s", strings.Repeat("-", width+longest+6))
	for _, d := range x.conf.Disks {
		c.say(" %-*s   %s", width, d.Target, d.Path)
	}
	return 0
}

// dumpxml gives the XML as it was given, with the number of a domain that runs.
func (c *call) dumpxml(_ context.Context, x *domain, _ words) int {
	s := c.look(x)
	text := strings.TrimSpace(s.conf.XML)
	if at := strings.Index(text, "<domain "); at >= 0 && s.id != 0 {
		text = text[:at] + fmt.Sprintf("<domain id='%d' ", s.id) + text[at+len("<domain "):]
	}
	c.say("%s", text)
	return 0
}

func (c *call) version(context.Context, words) int {
	v := map[bool][2]string{true: {"0.10.2", "0.12.1"}, false: {"9.0.0", "7.2.22"}}[c.old]
	c.say("Compiled against library: libvirt %s\nUsing library: libvirt %s\nUsing API: QEMU %s\nRunning hypervisor: QEMU %s", v[0], v[0], v[0], v[1])
	return 0
}

func (c *call) nodeInfo(context.Context, words) int {
	c.say("CPU model:           x86_64\nCPU(s):              2\nCPU frequency:       2000 MHz\nCPU socket(s):       1\nCore(s) per socket:  2\nThread(s) per core:  1\nNUMA cell(s):        1\nMemory size:         %d KiB", memoryKiB)
	return 0
}

const memoryKiB = 8 << 20

func (c *call) nodeMemory(context.Context, words) int {
	c.say("%-7s: %20d KiB\n%-7s: %20d KiB\n%-7s: %20d KiB\n%-7s: %20d KiB", "total", memoryKiB, "free", c.n.FreeMemory()>>10, "buffers", 0, "cached", 0)
	return 0
}

func (c *call) capabilities(context.Context, words) int {
	c.say("<capabilities>\n\n  <host>\n    <uuid>%s</uuid>\n    <cpu>\n      <arch>x86_64</arch>\n      <model>qemu64</model>\n    </cpu>\n    <migration_features>\n      <live/>\n      <uri_transports>\n        <uri_transport>tcp</uri_transport>\n      </uri_transports>\n    </migration_features>\n  </host>\n\n  <guest>\n    <os_type>hvm</os_type>\n    <arch name='x86_64'>\n      <domain type='qemu'/>\n      <domain type='kvm'/>\n    </arch>\n  </guest>\n\n</capabilities>",
		hostUUID(c.n.Name))
	return 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
