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
	settings := map[string][]string{}
	for _, line := range strings.Split(text, "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = append(settings[key], value)
		}
	}
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
	named("WantedBy", "multi-user.target")
	is("Type", "oneshot")
	is("RemainAfterExit", "yes") // else systemd has nothing to stop
	is("ExecStart", "-/usr/libexec/lbvm/lblog", "-/usr/sbin/lbm mark-left --back")
	is("ExecStop", "/usr/sbin/lbm mark-left")
	return faults
}
