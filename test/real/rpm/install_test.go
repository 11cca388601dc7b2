package rpm

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// What the scripts and the owners of a node's files must find, beyond what rpm itself verifies.
var installed = []string{
	"-rwxr-xr-x 0:0 /usr/sbin/lbm",
	"-rwxr-xr-x 0:0 /usr/libexec/lbvm/lbmonitor",
	"-rwxr-xr-x 0:0 /usr/libexec/lbvm/lblog",
	"-rwxr-xr-x 0:0 /usr/libexec/lbvm/activate",
	"-rwxr-xr-x 0:0 /usr/libexec/lbvm/agents/openvz.sh",
	"-rwxr-xr-x 0:0 /usr/share/cluster/lbvm.sh",
	"-rwxr-xr-x 0:0 /usr/share/cluster/openvz.sh",
	"-rwxr-xr-x 0:0 /usr/share/cluster/xen.sh",
	"-rwxr-xr-x 0:0 /usr/lib/ocf/resource.d/lbvm/xen",
	"Lrwxrwxrwx 0:0 /usr/share/lbvm/lblog -> ../../libexec/lbvm/lblog",
	"Lrwxrwxrwx 0:0 /usr/libexec/lbvm/lbm -> ../../sbin/lbm",
	"Lrwxrwxrwx 0:0 /usr/bin/lbvm-lab -> ../libexec/lbvm/lbvm-lab",
	"-rw-r--r-- 0:0 /etc/cron.d/lbvm",
	"-rw-r--r-- 0:0 /etc/logrotate.d/lbvm",
	"-rw-r--r-- 0:0 /etc/cluster/lbvm.conf.sample",
	"-rw-r--r-- 0:0 /etc/cluster/lbresources.conf.sample",
	"-rwxr-xr-x 0:0 /etc/rc.d/init.d/lbvm",
	"-rw-r--r-- 0:0 /usr/lib/systemd/system/lbvm.service",
	"-rwxr-xr-x 0:0 /etc/rc.d/init.d/lbvm-evacuate",
	"-rw-r--r-- 0:0 /etc/sysconfig/lbvm",
	"-rw-r--r-- 0:0 /usr/lib/systemd/system/lbvm-evacuate.service",
	"-rw-r--r-- 0:0 /etc/bash_completion.d/lbm",
	"-rw-r--r-- 0:0 /usr/share/man/man8/lbm.8.gz",
	"-rw-r--r-- 0:0 /usr/share/man/man7/lbvm-openvz.7.gz",
	"-rw-r--r-- 0:0 /usr/share/man/man5/lbvm.conf.5.gz",
}

func install(t *testing.T, dist string) {
	r := newRoot(t)
	r.write("usr/sbin/ccs_update_schema", "#!/bin/sh\necho schema >>/calls\n", 0o755)
	r.write("sbin/chkconfig", "#!/bin/sh\necho chkconfig $* >>/calls\n", 0o755)
	r.rpm(append([]string{"-i"}, packages(t, dist, "x86_64")...)...)
	list := strings.Join(r.files(names()...), "\n")
	if strings.Contains(list, "missing") {
		t.Errorf("not all files are there:\n%s", list)
	}
	for _, want := range installed {
		if !strings.Contains("\n"+list+"\n", "\n"+want+"\n") {
			t.Errorf("there is no %q in\n%s", want, list)
		}
	}
	if out, err := r.try("-Va"); err != nil || out != "" {
		t.Errorf("rpm -V: %q, %v", out, err)
	}
	calls := strings.Fields(r.read("calls"))
	if got := strings.Join(calls, " "); strings.Count(got, "schema") != len(agents()) || strings.Count(got, "chkconfig --add lbvm") != 2 || strings.Count(got, "chkconfig --add lbvm-evacuate") != 1 {
		t.Errorf("the scripts called %q", got)
	}
	for a := range agents() {
		if r.read("usr/share/cluster/"+a+".sh") != r.read("usr/libexec/lbvm/agents/"+a+".sh") {
			t.Errorf("%s in rgmanager's folder is another program than the package's", a)
		}
		out, err := r.in("/usr/share/cluster/"+a+".sh", "meta-data")
		if err != nil || out != read(t, top+"/metadata/"+a+".xml") {
			t.Errorf("%s meta-data: %v\n%s", a, err, out)
		}
	}
	entries, err := os.ReadDir(r.path("usr/share/cluster"))
	if err != nil || len(entries) != len(agents()) {
		t.Errorf("rgmanager's folder holds %v, %v", entries, err)
	}
	if out, err := r.in("/usr/sbin/lbm", "--version"); err != nil || out != "lbm version 2.0.0-1\n" {
		t.Errorf("%q, %v", out, err)
	}
	t.Run("man pages", func(t *testing.T) {
		man := real.Need(t, "mandoc")
		for page, word := range map[string]string{"man8/lbm.8.gz": "lbm migrate", "man5/lbvm.conf.5.gz": "STATEMENTS", "man7/lbvm-openvz.7.gz": "on_stop"} {
			out, err := run(t, "", "sh", "-c", "zcat "+r.path("usr/share/man/"+page)+" | "+man+" -T ascii | col -b")
			if err != nil || !strings.Contains(out, word) {
				t.Errorf("%s has no %q: %v", page, word, err)
			}
		}
	})
	t.Run("completion", func(t *testing.T) {
		script := `. "$1"; COMP_WORDS=(lbm mig); COMP_CWORD=1; _lbvm_complete; echo "${COMPREPLY[*]}"`
		cmd := exec.Command(real.Need(t, "bash"), "-c", script, "bash", r.path("etc/bash_completion.d/lbm"))
		cmd.Env = append(os.Environ(), "PATH="+r.path("usr/sbin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != "migrate\n" {
			t.Errorf("%q, %v", out, err)
		}
	})
}
