package openvz

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// config is what the emulation needs of vz.conf and of a container's file. Paths are the node's own.
type config struct {
	found            bool
	path             string // of the container's file, below the root
	private, root    string
	lockDir, dumpDir string
	disabled         bool
	onBoot, stopMode string
	mem              int64
	hostname, ip     string
	stopTimeout      time.Duration
}

const defaultMem = 256 << 20

// page is the unit of beancounters.
const page = 4096

func readConfig(n *lab.Node, id string) config {
	values := map[string]string{
		"LOCKDIR": "/var/lib/vz/lock", "DUMPDIR": "/vz/dump", "VE_PRIVATE": "/vz/private/$VEID", "VE_ROOT": "/vz/root/$VEID",
	}
	// A node without a vz.conf has the defaults.
	if b, err := os.ReadFile(n.Path("/etc/vz/vz.conf")); err == nil {
		parseConfig(b, values)
	}
	c := config{path: n.Path("/etc/vz/conf/" + id + ".conf")}
	if b, err := os.ReadFile(c.path); err == nil {
		c.found = true
		parseConfig(b, values)
	}
	place := func(key string) string {
		return strings.NewReplacer("${VEID}", id, "$VEID", id).Replace(values[key])
	}
	c.private, c.root = place("VE_PRIVATE"), place("VE_ROOT")
	c.lockDir, c.dumpDir = n.Path(values["LOCKDIR"]), n.Path(values["DUMPDIR"])
	c.disabled = values["DISABLED"] == "yes"
	c.onBoot, c.stopMode = values["ONBOOT"], values["VE_STOP_MODE"]
	c.hostname, c.ip = values["HOSTNAME"], values["IP_ADDRESS"]
	c.mem = defaultMem
	for _, key := range []string{"PHYSPAGES", "PRIVVMPAGES"} {
		_, limit, _ := strings.Cut(values[key], ":")
		if pages, err := strconv.ParseInt(limit, 10, 64); err == nil && pages > 0 && pages < 1<<30 {
			c.mem = pages * page
			break
		}
	}
	c.stopTimeout = 120 * time.Second
	if s, err := strconv.Atoi(values["STOP_TIMEOUT"]); err == nil && s > 0 {
		c.stopTimeout = time.Duration(s) * time.Second
	}
	return c
}

// parseConfig reads KEY=value lines; what follows the last quote is not read.
func parseConfig(b []byte, values map[string]string) {
	for _, line := range strings.Split(string(b), "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if i := strings.LastIndex(value, `"`); strings.HasPrefix(value, `"`) && i > 0 {
			value = value[1:i]
		}
		values[key] = value
	}
}

func (c config) defaultDump(id string) string { return filepath.Join(c.dumpDir, "Dump."+id) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// spec is the container as a guest of the lab: a disk below its private area, and files that every boot writes.
func (c *call) spec() lab.GuestSpec {
	below := func(name string) string { return filepath.Join(c.conf.private, name) }
	return lab.GuestSpec{
		Type: "openvz", VM: c.id, MemBytes: c.conf.mem, Disks: []string{below("disk")},
		Boot: []string{below("etc/mtab"), below("etc/resolv.conf"), below("var/run/utmp"), below("var/log/wtmp")},
	}
}
