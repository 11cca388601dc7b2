package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// The init script notes what stays when it stops, and takes the notes back when it starts: a node that joins again without a
// boot would keep them for ever. A cluster without shared storage has no records. A start that cannot does not fail the boot.
// It has its place in the order of the node's services.
func TestInitScript(t *testing.T) {
	sh := real.Need(t, "sh")
	text, err := os.ReadFile("../../packaging/init/lbvm")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range initScriptFaults(t, sh, string(text), false) {
		t.Error(bad)
	}
	for _, m := range []struct{ what, from, to string }{
		{"a start leaves the notes", "mark-left --back ||", "list >/dev/null ||"},
		{"a start notes instead of taking back", "mark-left --back ||", "mark-left ||"},
		{"a stop notes nothing", "! records || /usr/sbin/lbm mark-left\n", ":\n"},
		{"a stop hides that noting failed", "! records || /usr/sbin/lbm mark-left\n", "! records || /usr/sbin/lbm mark-left || :\n"},
		{"a restart notes", ";; # nothing runs", "! records || /usr/sbin/lbm mark-left ;; # nothing runs"},
		{"init never stops it", "\ttouch \"$lock\"\n", ""},
		{"a start that fails fails the boot", "\t\techo \"lbvm: run", "\t\texit 1; echo \"lbvm: run"},
		{"it asks for records that no cluster without shared storage has", "records() { grep -q '^shared=/'", "records() { grep -q '^shared='"},
		{"it stops before rgmanager", "2345 98 20", "2345 98 00"},
		{"it stops when the share has gone", "2345 98 20", "2345 98 75"},
		{"it starts before the share is there", "2345 98 20", "2345 25 20"},
		{"it is not stopped at a halt", "Default-Stop:      0 1 6", "Default-Stop:      1"},
	} {
		if strings.Count(string(text), m.from) != 1 {
			t.Errorf("%s: %q does not stand once in the script: the fault must follow it", m.what, m.from)
			continue
		}
		if len(initScriptFaults(t, sh, strings.Replace(string(text), m.from, m.to, 1), true)) == 0 {
			t.Errorf("not seen: %s", m.what)
		}
	}
}

// initScriptFaults is what is wrong with the init script: with the order in which init runs it, and with what it runs. With
// one it looks no further than the first.
func initScriptFaults(t *testing.T, sh, text string, one bool) (faults []string) {
	t.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	// The places of the services beside it in RHEL 4 to 6: rgmanager 99 01, gfs 26 74, gfs2 26 74, clvmd 24 76, cman 21 79.
	if m := regexp.MustCompile(`(?m)^# chkconfig: 2345 (\d+) (\d+)$`).FindStringSubmatch(text); m == nil {
		fault("init does not know its place")
	} else {
		at, err := strconv.Atoi(m[1])
		to, err2 := strconv.Atoi(m[2])
		if err != nil || err2 != nil || at <= 26 || at >= 99 || to <= 1 || to >= 74 {
			fault("it starts at %d and stops at %d: not between rgmanager and the shared storage", at, to)
		}
	}
	if !regexp.MustCompile(`(?m)^# Default-Stop: +0 1 6$`).MatchString(text) {
		fault("it is not stopped whenever the node is")
	}
	for _, test := range []struct {
		action, id, lbm, want string
		fails                 bool
	}{
		{"start", "shared=/gfs\n", "exit 0", "mark-left --back\n", false},
		{"start", "shared=/gfs\n", "exit 3", "mark-left --back\n", false},
		{"stop", "shared=/gfs\n", "exit 0", "mark-left\n", false},
		{"start", "shared=none\n", "exit 3", "", false},
		{"stop", "shared=none\n", "exit 3", "", false},
		{"stop", "", "exit 3", "", false},
		{"stop", "shared=/gfs\n", "exit 3", "mark-left\n", true}, // what is not noted must not be called done
		{"restart", "shared=/gfs\n", "exit 0", "", false},
	} {
		if one && len(faults) > 0 {
			break
		}
		root := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		script := text
		for _, path := range []string{"/etc/cluster/", "/usr/sbin/lbm", "/var/lock/subsys/", "/usr/libexec/"} {
			if !strings.Contains(script, path) {
				return append(faults, "the script does not name "+path)
			}
			script = strings.ReplaceAll(script, path, root+path)
		}
		write("script", script)
		write("var/lock/subsys/.keep", "")
		write("usr/sbin/lbm", "#!"+sh+"\necho \"$@\" >>"+root+"/called\n"+test.lbm+"\n")
		if test.id != "" {
			write("etc/cluster/lbvm.id", test.id)
		}
		out, err := exec.Command(sh, filepath.Join(root, "script"), test.action).CombinedOutput()
		if (err != nil) != test.fails {
			fault("%s %q, lbm says %s: %v %s", test.action, test.id, test.lbm, err, out)
		}
		if _, err := os.Stat(filepath.Join(root, "var/lock/subsys/lbvm")); test.action == "start" && err != nil {
			fault("%s: init will not stop it: %v", test.action, err)
		}
		called, err := os.ReadFile(filepath.Join(root, "called"))
		if string(called) != test.want || (err != nil) != (test.want == "") {
			fault("%s %q: it ran %q, want %q", test.action, test.id, called, test.want)
		}
		if told := strings.Contains(string(out), "as soon as this node is a member"); told != (test.want == "mark-left --back\n" && test.lbm != "exit 0") {
			fault("%s %q, lbm says %s: %s", test.action, test.id, test.lbm, out)
		}
	}
	return faults
}
