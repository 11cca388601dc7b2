package doctor

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

func storageChecks() []Check {
	return []Check{
		{Name: "clvm", About: "LVM locks in the cluster (locking_type 3) and clvmd runs", idle: noCLVM, do: checkCLVM},
		{Name: "iscsi", About: "the initiator has a name, and each target that the node logs in to at boot has a session", idle: noISCSI, do: checkISCSI},
		{Name: "multipath", About: "multipathd runs, and no path is out of order", idle: noMultipath, do: checkMultipath},
	}
}

// noCLVM: clustered volumes are in use where cluster.conf has an lvm resource or clvmd is installed.
func noCLVM(n *node) string {
	if n.doc != nil {
		for _, r := range n.doc.Definitions() {
			if r.Type == "lvm" {
				return ""
			}
		}
		for _, s := range n.doc.Services() {
			if len(s.VMs("lvm")) > 0 {
				return ""
			}
		}
	}
	if n.installed("clvmd") {
		return ""
	}
	return "clvmd is not installed, and cluster.conf names no volume"
}

func checkCLVM(_ context.Context, n *node) {
	text, there, err := n.read("/etc/lvm/lvm.conf")
	switch locking, library := setting(text, "locking_type"), setting(text, "locking_library"); {
	case err != nil:
		n.unknown("%v", err)
	case !there:
		n.say("clvm.locking", nil, "there is no /etc/lvm/lvm.conf: locking_type is 1")
	case locking == "3", locking == "2" && strings.Contains(library, "clusterlock"): // 2: a library of one's own, as once on Debian
	case locking == "":
		n.say("clvm.locking", nil, "/etc/lvm/lvm.conf names no locking_type: it is 1")
	default:
		n.say("clvm.locking", nil, "/etc/lvm/lvm.conf: locking_type = %s", locking)
	}
	n.daemon("clvm.daemon", "clvmd")
}

// daemon says a fault where no process of that name is there.
func (n *node) daemon(fault, name string) {
	switch is, err := n.runs(name); {
	case err != nil:
		n.unknown("whether %s runs: %v", name, err)
	case !is:
		n.say(fault, nil, "no process is called %s", name)
	}
}

// setting is the last value of `key = value` in lvm.conf, without quotes and comments.
func setting(text, key string) string {
	found := ""
	for _, l := range strings.Split(text, "\n") {
		l, _, _ = strings.Cut(l, "#")
		if k, v, ok := strings.Cut(l, "="); ok && strings.TrimSpace(k) == key {
			found = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return found
}

// nodeRecords are where open-iscsi keeps the targets that it knows.
func nodeRecords() []string { return []string{"/var/lib/iscsi/nodes", "/etc/iscsi/nodes"} }

func noISCSI(n *node) string {
	if !n.installed("iscsiadm") {
		return "no iSCSI initiator is installed"
	}
	for _, dir := range nodeRecords() {
		if found, err := filepath.Glob(n.h.Path(dir) + "/*"); err == nil && len(found) > 0 {
			return ""
		}
	}
	return "no iSCSI target is known here"
}

func checkISCSI(ctx context.Context, n *node) {
	switch name, err := n.initiator(); {
	case err != nil:
		n.unknown("%v", err)
	case name == "":
		n.say("iscsi.name", nil, "/etc/iscsi/initiatorname.iscsi names none")
	}
	r, err := n.ask(ctx, askLimit, "iscsiadm", "-m", "session")
	none := r.Code == 21 || strings.Contains(string(r.Stderr), "No active sessions") // "no objects found"
	if err != nil || r.Code != 0 && !none {
		n.unknown("iscsiadm -m session: exit %d: %v %s", r.Code, err, r.Stderr)
		return
	}
	sessions := strings.Fields(string(r.Stdout))
	for _, dir := range nodeRecords() {
		targets, err := filepath.Glob(n.h.Path(dir) + "/*")
		if err != nil {
			n.unknown("%v", err)
		}
		for _, t := range targets {
			target := filepath.Base(t)
			if !slices.Contains(sessions, target) && n.automatic(filepath.Join(dir, target)) {
				n.say("iscsi.session", []string{"TARGET", target}, "%s has no session", target)
			}
		}
	}
}

// initiator is this node's iSCSI name.
func (n *node) initiator() (string, error) {
	text, there, err := n.read("/etc/iscsi/initiatorname.iscsi")
	if !there && err == nil {
		text, _, err = n.read("/etc/initiatorname.iscsi") // before open-iscsi 2.0
	}
	for _, l := range strings.Split(text, "\n") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(l), "InitiatorName="); ok {
			return strings.TrimSpace(v), err
		}
	}
	return "", err
}

// automatic tells whether a target is logged in to at boot, as it is unless its record says otherwise. The record is a
// folder of portals, each a file or a folder with a file for each interface.
func (n *node) automatic(dir string) bool {
	for _, pattern := range []string{"/*", "/*/*"} {
		found, err := filepath.Glob(n.h.Path(dir) + pattern)
		if err != nil {
			continue
		}
		for _, f := range found {
			text, _, err := n.read(strings.TrimPrefix(f, n.h.Root()))
			if err != nil {
				continue // a folder
			}
			if v := setting(text, "node.startup"); v != "" {
				return v != "manual" && v != "onboot"
			}
		}
	}
	return true
}

func noMultipath(n *node) string {
	if !n.exists("/etc/multipath.conf") {
		return "there is no /etc/multipath.conf"
	}
	return ""
}

func checkMultipath(ctx context.Context, n *node) {
	n.daemon("multipath.daemon", "multipathd")
	r, err := n.ask(ctx, askLimit, "multipath", "-ll")
	if err != nil || r.Code != 0 {
		n.unknown("multipath -ll: exit %d: %v %s", r.Code, err, r.Stderr)
		return
	}
	for _, l := range strings.Split(string(r.Stdout), "\n") {
		// "| `- 3:0:0:1 sdb 8:16 active ready running", before 0.4.9 " \_ 3:0:0:1 sdb 8:16 [active][ready]".
		for _, bad := range []string{"failed", "faulty", "offline", "shaky"} {
			if strings.Contains(l, bad) {
				n.say("multipath.path", nil, "%s", strings.Trim(l, "|`-\\_ "))
				break
			}
		}
	}
}
