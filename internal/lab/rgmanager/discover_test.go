package rgmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDiscovery runs agents under rgmanager's conditions and looks at what they saw.
func TestDiscovery(t *testing.T) {
	b := newBench(t, "")
	dir := filepath.Join(b.l.Root("node1"), "usr/share/cluster")
	see := filepath.Join(b.TempDir(), "seen")
	script := "#!/bin/sh\n{ /bin/cat /proc/$$/environ | /usr/bin/tr '\\0' '\\n'; echo \"args $*\"; pwd; for f in 0 1 2; do if [ -e /proc/$$/fd/$f ]; then echo \"$f open\"; else echo \"$f closed\"; fi; done; } > " + see + "\n"
	b.write(filepath.Join(dir, "seer"), script, 0o711)
	b.write(filepath.Join(dir, "code3"), "#!/bin/sh\necho '"+strings.ReplaceAll(plainXML(), `"plain"`, `"three"`)+"'\nexit 3\n", 0o755)
	b.write(filepath.Join(dir, "twice"), "#!/bin/sh\necho '"+strings.ReplaceAll(plainXML(), `"plain"`, `"PLAIN"`)+"'\n", 0o755)
	for _, skipped := range []string{"old~", "plain.sh.rpmsave", "plain.sh.RPMNEW"} {
		b.write(filepath.Join(dir, skipped), "#!/bin/sh\necho '"+strings.ReplaceAll(plainXML(), `"plain"`, `"skipped"`)+"'\n", 0o755)
	}
	b.write(filepath.Join(dir, "notexec"), "#!/bin/sh\n", 0o644)
	b.write(filepath.Join(dir, "broken"), "#!/bin/sh\necho hello\n", 0o755)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	n := b.m.node("node1")
	n.setAlive(true)
	var said []string
	rules, err := n.discover(func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for name := range rules {
		types = append(types, strings.ToLower(name))
	}
	slices.Sort(types)
	if want := []string{"guest", "plain", "service", "three"}; !slices.Equal(types, want) {
		t.Errorf("types %q, wanted %q", types, want)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"bad extension .rpmsave", "bad extension .RPMNEW", " is that of ", "/broken: ignored: meta-data:1:1: "} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among what was said:\n%s", want, all)
		}
	}
	got, err := os.ReadFile(see)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(daemonEnv(n.root), "\n") + "\nargs meta-data\n/\n0 closed\n1 open\n2 closed\n"
	if string(got) != want {
		t.Errorf("meta-data saw\n%swanted\n%s", got, want)
	}
}

// TestActionConditions compares what an action sees, byte for byte, with rgmanager's own.
func TestActionConditions(t *testing.T) {
	b := newBench(t, `<service name="centos"><plain name="a &amp; b" undeclared="x"/></service><guest name="101" domain="d"/>`)
	for _, agent := range []string{"guest.sh", "plain.sh"} {
		script := strings.Replace(fakeAgent, `echo "${LBVM_ROOT##*/} $1`, `fds=$(for f in 0 1 2; do /usr/bin/readlink /proc/$$/fd/$f; done)
{ /bin/cat /proc/$$/environ; echo "$fds"; pwd; echo "$# $1 $2"; umask; } > "$LBVM_ROOT/../../seen-$1-$OCF_RESOURCE_TYPE"
echo "${LBVM_ROOT##*/} $1`, 1)
		b.write(filepath.Join(b.l.Root("node1"), "usr/share/cluster", agent), script, 0o755)
	}
	b.m.bootAll()
	b.settle()
	b.pass(time.Minute)
	b.wantTool("node1", "clusvcadm -M guest:101 -m node2", 0, "Trying to migrate guest:101 to node2...Success\n")
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	root := b.l.Root("node1")
	common := func(typ, id string, depth, refcnt, timeout int) []string {
		return []string{"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0", "OCF_ROOT=/usr/share/cluster", "OCF_RESOURCE_INSTANCE=" + id,
			"OCF_RESOURCE_TYPE=" + typ, fmt.Sprintf("OCF_CHECK_LEVEL=%d", depth), fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_refcnt=%d", refcnt),
			fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_timeout=%d", timeout), "LBVM_ROOT=" + root}
	}
	plain := []string{"OCF_RESKEY_name=a & b", "OCF_RESKEY_autostart=1", "OCF_RESKEY_exclusive=0", "OCF_RESKEY_recovery=restart",
		"OCF_RESKEY_max_restarts=0", "OCF_RESKEY_restart_expire_time=0", "OCF_RESKEY_service_name=centos", "OCF_RESKEY_empty="}
	guest := []string{"OCF_RESKEY_name=101", "OCF_RESKEY_domain=d", "OCF_RESKEY_autostart=1", "OCF_RESKEY_exclusive=0", "OCF_RESKEY_recovery=restart",
		"OCF_RESKEY_max_restarts=0", "OCF_RESKEY_restart_expire_time=0", "OCF_RESKEY_empty="}
	for _, tt := range []struct {
		file, args string
		env        []string
	}{
		{"start-plain", "1 start ", append(plain, common("plain", "plain:a & b", 0, 0, 300)...)},
		{"stop-plain", "1 stop ", append(plain, common("plain", "plain:a & b", 0, 0, 300)...)},
		{"status-plain", "1 status ", append(plain, common("plain", "plain:a & b", 10, 1, 20)...)},
		{"start-guest", "1 start ", append(guest, common("guest", "guest:101", 0, 0, 300)...)},
		{"migrate-guest", "2 migrate node2", append(guest, common("guest", "guest:101", 0, 1, 600)...)},
	} {
		got, err := os.ReadFile(b.l.Path("seen-" + tt.file))
		if err != nil {
			t.Error(err)
			continue
		}
		want := strings.Join(tt.env, "\x00") + "\x00/dev/null\n/dev/null\n/dev/null\n/\n" + tt.args + fmt.Sprintf("\n%04o\n", umask)
		if string(got) != want {
			t.Errorf("%s saw\n%s\nwanted\n%s", tt.file, strings.ReplaceAll(string(got), "\x00", "\n"), strings.ReplaceAll(want, "\x00", "\n"))
		}
	}
}
