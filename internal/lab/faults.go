package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is a trick of an emulated program: from the NTH time on that it could happen, it happens TIMES times.
type Fault struct {
	Tool  string `json:"tool"`
	Name  string `json:"name"`
	VM    string `json:"vm"` // * is any
	Nth   int    `json:"nth"`
	Times int    `json:"times"`
}

// FaultType is the technology of a tool's VMs, "" for a tool that has no faults.
func FaultType(tool string) string {
	return map[string]string{"vzctl": "openvz", "xm": "xen", "xl": "xen", "virsh": "kvm"}[tool]
}

// FaultNames lists the faults that a tool knows.
func FaultNames(tool string) []string {
	domains := []string{"save-fails", "restore-fails", "slow-stop", "dead-row", "reboot-gap", "migrate-fails"}
	switch tool {
	case "vzctl":
		return []string{"dump-fails", "disk-full", "kill-fails", "umount-busy", "undump-fails", "rst-missing", "cpt-missing", "slow-stop",
			"lock-held", "lock-stale", "conf-deleted"}
	case "xm":
		return append(domains, "migrate-lost", "migrate-rc3", "xend-down", "inactive-row")
	case "xl":
		return append(domains, "migrate-target", "handshake-undefined", "handshake-torso", "incoming-stays", "null-row", "loses-name", "save-killed", "libxl-down")
	case "virsh":
		return []string{"save-fails", "restore-fails", "slow-stop", "migrate-fails", "incoming-stays", "libvirtd-down", "hangs", "no-state", "long-shutdown", "destroy-fails",
			"lock-missing", "unsafe", "same-uuid", "daemon-dies", "source-lost", "finish-lost"}
	}
	return nil
}

// FaultMeaning says in a few words what a fault of a tool does.
func FaultMeaning(tool, name string) string {
	if tool != "vzctl" && name == "slow-stop" {
		return "the guest does not hear that it shall shut down, and runs on until it is destroyed"
	}
	for _, m := range meanings {
		if m[0] == name {
			return m[1]
		}
	}
	return ""
}

var meanings = [...][2]string{
	{"dump-fails", "a dump breaks off; a whole chkpnt thaws the container, a step leaves it frozen"},
	{"disk-full", "no space left while dumping, exit 16"},
	{"kill-fails", "the frozen container cannot be killed"},
	{"umount-busy", "unmounting fails; chkpnt, and stop of 3.0.22, end with 0 all the same"},
	{"undump-fails", "a dump cannot be used, exit 17"},
	{"rst-missing", "/proc/rst is not there, exit 17"},
	{"cpt-missing", "/proc/cpt is not there, exit 16"},
	{"slow-stop", "the guest does not shut down by itself; vzctl kills it when STOP_TIMEOUT is over"},
	{"lock-held", "a living process holds the container's lock, exit 9"},
	{"lock-stale", "a dead process has left the container's lock"},
	{"conf-deleted", "the container's configuration is gone: status says deleted, all else is 14"},
	{"save-fails", "saving breaks off, the domain goes on"},
	{"restore-fails", "the image cannot be restored"},
	{"migrate-fails", "the move breaks off, the domain goes on here"},
	{"migrate-lost", "exit 0, and the domain is nowhere"},
	{"migrate-rc3", "exit 3, says that the domain does not exist; it goes on"},
	{"migrate-target", "the target cannot take it, the domain goes on here"},
	{"handshake-undefined", "the last word is lost: it runs there, and here stands NAME--migratedaway"},
	{"handshake-torso", "the last word is lost: NAME--incoming there, NAME--migratedaway here"},
	{"incoming-stays", "the move breaks off, and what arrived stays there: NAME--incoming by xl, a paused NAME by virsh"},
	{"dead-row", "the domain ends, and a row in state s stays; destroying it changes nothing"},
	{"reboot-gap", "the guest reboots: it is away for a second or two, then boots anew"},
	{"xend-down", "xend does not answer"},
	{"libxl-down", "libxl cannot reach the hypervisor"},
	{"inactive-row", "a domain that has ended stands in the list with no id and no state"},
	{"libvirtd-down", "libvirtd does not answer; its guests run on"},
	{"hangs", "virsh does not come back"},
	{"no-state", "the domain's state is told as no state"},
	{"long-shutdown", "the guest is in shutdown for seconds"},
	{"destroy-fails", "the domain cannot be destroyed"},
	{"lock-missing", "the images are not locked, as on storage that holds no locks"},
	{"unsafe", "libvirt does not know the storage as shared, and migrates with --unsafe only"},
	{"same-uuid", "both hosts have one uuid: no migration"},
	{"daemon-dies", "libvirtd dies in the middle of a move; the guest goes on here"},
	{"source-lost", "the guest dies in the middle of a move"},
	{"finish-lost", "the target's last word is lost: it runs there, and a paused copy stays here as long as the images are locked; without locks it runs on both"},
	{"null-row", "a dying domain without a name stands in the list"},
	{"loses-name", "a domain that is destroyed or saved loses its name, and stands in the list as (null) until it is destroyed by its number"},
	{"save-killed", "xl is killed while it saves: the domain stands suspended for ever"},
}

// SetFault switches a fault on.
func (n *Node) SetFault(f Fault) error {
	names := FaultNames(f.Tool)
	if !slices.Contains(names, f.Name) {
		return fmt.Errorf("%s knows no fault %q, only: %s", f.Tool, f.Name, strings.Join(names, " "))
	}
	if f.Nth < 1 || f.Times < 1 {
		return fmt.Errorf("fault %s %s: NTH and TIMES begin with 1", f.Tool, f.Name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, &f)
	return nil
}

// Faults are those that are set and have not happened yet as often as they shall.
func (n *Node) Faults() []Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := []Fault{}
	for _, f := range n.faults {
		if f.Times > 0 {
			list = append(list, Fault{f.Tool, f.Name, f.VM, max(f.Nth, 1), f.Times})
		}
	}
	return list
}

// ClearFaults switches all faults off.
func (n *Node) ClearFaults() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = nil
}

// Fault is asked where a fault could happen, and tells whether it does.
func (n *Node) Fault(tool, name, vm string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	happens := false
	for _, f := range n.faults {
		if f.Tool != tool || f.Name != name || f.VM != "*" && f.VM != vm || f.Times == 0 {
			continue
		}
		if f.Nth--; f.Nth <= 0 {
			f.Times--
			happens = true
		}
	}
	return happens
}
