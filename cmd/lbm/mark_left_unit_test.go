package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// systemd's unit does what the init script does, and stops between the cluster manager and what lies below it: units stop
// in the order opposite to that of their start.
func TestSystemdUnit(t *testing.T) {
	text, err := os.ReadFile("../../packaging/systemd/lbvm.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range unitFaults(string(text)) {
		t.Error(bad)
	}
	for _, m := range []struct{ what, from, to string }{
		{"it stops before the cluster manager", "Before=pacemaker.service rgmanager.service", "After=pacemaker.service rgmanager.service"},
		{"it is forgotten beside rgmanager", "Before=pacemaker.service rgmanager.service", "Before=pacemaker.service"},
		{"it stops when the share has gone", " remote-fs.target", ""},
		{"it is never stopped", "RemainAfterExit=yes\n", ""},
		{"a stop notes nothing", "ExecStop=/usr/sbin/lbm mark-left\n", ""},
		{"a stop hides that noting failed", "ExecStop=/usr/sbin", "ExecStop=-/usr/sbin"},
		{"a stop takes back", "ExecStop=/usr/sbin/lbm mark-left\n", "ExecStop=/usr/sbin/lbm mark-left --back\n"},
		{"a start leaves the notes", "ExecStart=-/usr/sbin/lbm mark-left --back\n", ""},
		{"a start that fails is never stopped", "ExecStart=-/usr/sbin/lbm", "ExecStart=/usr/sbin/lbm"},
		{"guests are shut down before it", " libvirt-guests.service", ""},
		{"libvirt 8's guests are shut down before it", "After=virt-guest-shutdown.target", "After="},
		{"nobody asks for the target", "Wants=virt-guest-shutdown.target\n", ""},
		{"a restart of the node forgets it", "WantedBy=multi-user.target", "Alias=lbvm-notes.service"},
	} {
		if strings.Count(string(text), m.from) != 1 {
			t.Errorf("%s: %q does not stand once in the unit: the fault must follow it", m.what, m.from)
			continue
		}
		if len(unitFaults(strings.Replace(string(text), m.from, m.to, 1))) == 0 {
			t.Errorf("not seen: %s", m.what)
		}
	}
}

func unitFaults(text string) (faults []string) {
	settings := unitSettings(text)
	named := func(key string, units ...string) {
		have := strings.Fields(strings.Join(settings[key], " "))
		for _, u := range units {
			if !slices.Contains(have, u) {
				faults = append(faults, key+" does not name "+u)
			}
		}
	}
	is := func(key string, want ...string) {
		if !slices.Equal(settings[key], want) {
			faults = append(faults, key+" is "+strings.Join(settings[key], "; "))
		}
	}
	named("Before", "pacemaker.service", "rgmanager.service")
	named("After", "corosync.service", "cman.service", "remote-fs.target")
	faults = append(faults, guestFaults(settings)...)
	named("WantedBy", "multi-user.target")
	is("Type", "oneshot")
	is("RemainAfterExit", "yes") // else systemd has nothing to stop
	is("ExecStart", "-/usr/libexec/lbvm/lblog", "-/usr/sbin/lbm mark-left --back")
	is("ExecStop", "/usr/sbin/lbm mark-left")
	return faults
}

// guestFaults are those of the order to the units that stop guests by themselves when the machine stops.
func guestFaults(settings map[string][]string) (faults []string) {
	after := strings.Fields(strings.Join(settings["After"], " "))
	for _, u := range []string{"virt-guest-shutdown.target", "libvirtd.service", "libvirt-guests.service", "xendomains.service", "vz.service"} {
		if !slices.Contains(after, u) {
			faults = append(faults, "After does not name "+u)
		}
	}
	if !slices.Contains(settings["Wants"], "virt-guest-shutdown.target") {
		faults = append(faults, "Wants does not name virt-guest-shutdown.target")
	}
	return faults
}

// The unit of evacuations stops before all that the VMs need, within a bound, and is not stopped by hand: that would empty a
// node that stays.
func TestEvacuateUnit(t *testing.T) {
	text, err := os.ReadFile("../../packaging/systemd/lbvm-evacuate.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range evacuateUnitFaults(string(text)) {
		t.Error(bad)
	}
	for _, m := range []struct{ what, from, to string }{
		{"the cluster manager stops first", "After=pacemaker.service rgmanager.service", "Before=pacemaker.service rgmanager.service"},
		{"guests are shut down under it", " libvirt-guests.service", ""},
		{"nobody asks for the target", "Wants=virt-guest-shutdown.target\n", ""},
		{"a restart empties the node", "RefuseManualStop=yes\n", ""},
		{"it holds the shutdown for ever", "TimeoutStopSec=1h", "TimeoutStopSec=infinity"},
		{"systemd's own bound cuts it", "TimeoutStopSec=1h\n", ""},
		{"the failback ends with the start", "KillMode=process\n", ""},
		{"it is never stopped", "RemainAfterExit=yes\n", ""},
	} {
		if strings.Count(string(text), m.from) != 1 {
			t.Errorf("%s: %q does not stand once in the unit: the fault must follow it", m.what, m.from)
			continue
		}
		if len(evacuateUnitFaults(strings.Replace(string(text), m.from, m.to, 1))) == 0 {
			t.Errorf("not seen: %s", m.what)
		}
	}
}

func evacuateUnitFaults(text string) []string {
	settings := unitSettings(text)
	faults := guestFaults(settings)
	after := strings.Fields(strings.Join(settings["After"], " "))
	for _, u := range []string{"pacemaker.service", "rgmanager.service", "lbvm.service", "remote-fs.target"} {
		if !slices.Contains(after, u) {
			faults = append(faults, "After does not name "+u)
		}
	}
	for key, want := range map[string]string{"RefuseManualStop": "yes", "TimeoutStopSec": "1h", "KillMode": "process", "RemainAfterExit": "yes", "Type": "oneshot",
		"ExecStart": "/etc/rc.d/init.d/lbvm-evacuate start", "ExecStop": "/etc/rc.d/init.d/lbvm-evacuate stop"} {
		if !slices.Equal(settings[key], []string{want}) {
			faults = append(faults, key+" is "+strings.Join(settings[key], "; "))
		}
	}
	return faults
}

// unitSettings are the values of each setting of a unit.
func unitSettings(text string) map[string][]string {
	settings := map[string][]string{}
	for _, line := range strings.Split(text, "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}
