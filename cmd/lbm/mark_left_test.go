package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// The init script notes what stays when it stops, and takes the notes back when it starts: a node that joins again without a
// boot would keep them for ever. A cluster without shared storage has no records. A start that cannot does not fail the boot.
func TestInitScript(t *testing.T) {
	sh := real.Need(t, "sh")
	text, err := os.ReadFile("../../packaging/init/lbvm")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ action, id, lbm, want string }{
		{"start", "shared=/gfs\n", "exit 0", "mark-left --back\n"},
		{"start", "shared=/gfs\n", "exit 3", "mark-left --back\n"},
		{"stop", "shared=/gfs\n", "exit 0", "mark-left\n"},
		{"start", "shared=none\n", "exit 3", ""},
		{"stop", "shared=none\n", "exit 3", ""},
		{"stop", "", "exit 3", ""},
		{"restart", "shared=/gfs\n", "exit 0", ""},
	} {
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
		script := string(text)
		for _, path := range []string{"/etc/cluster/", "/usr/sbin/lbm", "/var/lock/subsys/", "/usr/libexec/"} {
			if !strings.Contains(script, path) {
				t.Fatalf("the script does not name %s", path)
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
		if err != nil {
			t.Errorf("%s %q, lbm says %s: %v %s", test.action, test.id, test.lbm, err, out)
		}
		called, err := os.ReadFile(filepath.Join(root, "called"))
		if string(called) != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s %q: it ran %q, want %q", test.action, test.id, called, test.want)
		}
		if told := strings.Contains(string(out), "as soon as this node is a member"); told != (test.want == "mark-left --back\n" && test.lbm != "exit 0") {
			t.Errorf("%s %q, lbm says %s: %s", test.action, test.id, test.lbm, out)
		}
	}
}
