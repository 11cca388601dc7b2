package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func bootChecks() []Check {
	return []Check{{Name: "boot", About: "what the cluster needs is started at boot, the hypervisor before the manager, and xendomains is off", idle: noLinks, do: checkBoot}}
}

// startLinks and stopLinks are where init finds what it starts with the node and what it stops when that goes down.
func startLinks() []string { return []string{"/etc/rc.d/rc3.d", "/etc/rc3.d", "/etc/rc2.d"} }
func stopLinks() []string  { return []string{"/etc/rc.d/rc6.d", "/etc/rc6.d"} }

const systemdWants = "/etc/systemd/system/multi-user.target.wants"

func noLinks(n *node) string {
	if len(n.links(startLinks(), 'S')) == 0 && !n.exists(systemdWants) {
		return "there are no links of init here"
	}
	return ""
}

// links are the services of the first folder that is there, with what stands between the letter and the name.
func (n *node) links(dirs []string, letter byte) map[string]string {
	for _, dir := range dirs {
		entries, err := os.ReadDir(n.h.Path(dir))
		if err != nil {
			continue
		}
		out := map[string]string{}
		for _, e := range entries {
			name := e.Name()
			if len(name) < 4 || name[0] != letter {
				continue
			}
			if _, err := strconv.Atoi(name[1:3]); err == nil {
				out[name[3:]] = name[1:]
			}
		}
		return out
	}
	return nil
}

func checkBoot(_ context.Context, n *node) {
	starts, stops := n.links(startLinks(), 'S'), n.links(stopLinks(), 'K')
	if len(n.of("xen")) > 0 {
		if l, on := starts["xendomains"]; on {
			n.say("boot.xendomains", nil, "S%s is there", l)
		} else if n.exists(filepath.Join(systemdWants, "xendomains.service")) {
			n.say("boot.xendomains", nil, "%s/xendomains.service is there", systemdWants)
		}
	}
	if len(starts) == 0 {
		return // systemd orders by what the units say
	}
	for _, x := range [][2]string{{"openvz", "vz"}, {"xen", "xend"}, {"kvm", "libvirtd"}} {
		if len(n.here(x[0])) == 0 {
			continue
		}
		if s, on := starts[x[1]]; on && starts["rgmanager"] != "" && s > starts["rgmanager"] {
			n.say("boot.order", nil, "S%s comes after S%s", s, starts["rgmanager"])
		}
		if k, on := stops[x[1]]; on && stops["rgmanager"] != "" && k < stops["rgmanager"] {
			n.say("boot.order", nil, "K%s comes before K%s", k, stops["rgmanager"])
		}
	}
	needed := []string{"cman", "rgmanager"}
	if noShare(n) == "" {
		needed = append(needed, "lbvm")
	}
	if noCLVM(n) == "" {
		needed = append(needed, "clvmd")
	}
	if noISCSI(n) == "" {
		needed = append(needed, "iscsi")
	}
	if noMultipath(n) == "" {
		needed = append(needed, "multipathd")
	}
	if table, _, err := n.read("/etc/fstab"); err == nil {
		for _, m := range parseMounts(table) {
			if strings.HasPrefix(m.kind, "gfs") {
				needed = append(needed, m.kind)
			}
		}
	}
	for _, name := range needed {
		if _, on := starts[name]; !on && n.exists("/etc/init.d/"+name) {
			n.say("boot.off", []string{"SERVICE", name}, "%s is not started at boot", name)
		}
	}
}
