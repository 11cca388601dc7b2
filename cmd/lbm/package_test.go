package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// The package registers both init scripts, after an install as after an upgrade from a release that had but one.
func TestPackageRegistersInitScripts(t *testing.T) {
	sh := real.Need(t, "sh")
	spec, err := os.ReadFile("../../packaging/rpm/lbvm.spec")
	if err != nil {
		t.Fatal(err)
	}
	_, post, found := strings.Cut(string(spec), "\n%post\n")
	post, _, ended := strings.Cut(post, "\n\n%post ")
	if !found || !ended {
		t.Fatal("the spec has no script after an install")
	}
	for what, count := range map[string]string{"install": "1", "upgrade": "2"} {
		root := t.TempDir()
		script := strings.ReplaceAll(post, "%{_libexecdir}", root+"/usr/libexec")
		for _, path := range []string{"/sbin/chkconfig", "/etc/rc.d/init.d/", "/run/systemd/system", "/usr/sbin/ccs_update_schema"} {
			script = strings.ReplaceAll(script, " "+path, " "+root+path)
		}
		for name, text := range map[string]string{
			"post": script, "sbin/chkconfig": "#!" + sh + "\necho \"$@\" >>" + root + "/called\n",
			"usr/libexec/lbvm/activate": "#!" + sh + "\n", "etc/rc.d/init.d/lbvm": "", "etc/rc.d/init.d/lbvm-evacuate": "",
		} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command(sh, filepath.Join(root, "post"), count).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", what, err, out)
		}
		called, err := os.ReadFile(filepath.Join(root, "called"))
		if string(called) != "--add lbvm\n--add lbvm-evacuate\n" {
			t.Errorf("%s: chkconfig was told %q, %v", what, called, err)
		}
	}
}
