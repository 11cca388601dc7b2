package rpm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oldSpec is a package with the files that the manual of 2008 names.
const oldSpec = `%global debug_package %{nil}
%global __os_install_post %{nil}
Name: lbvm
Version: 1.0
Release: 1
Summary: the LBVM of 2008
License: GPL
Group: x
BuildArch: x86_64
AutoReqProv: no
%description
x
%package openvz
Summary: x
Group: x
AutoReqProv: no
%description openvz
x
%install
mkdir -p $RPM_BUILD_ROOT/usr/share/cluster $RPM_BUILD_ROOT/usr/share/lbvm $RPM_BUILD_ROOT/etc/cluster $RPM_BUILD_ROOT/usr/sbin
for f in share/cluster/lbvm.sh share/cluster/openvz.sh share/lbvm/lblog share/lbvm/lbmonitor sbin/lbm; do
	echo '#!/bin/sh' >$RPM_BUILD_ROOT/usr/$f; chmod 755 $RPM_BUILD_ROOT/usr/$f; done
echo 'balance 101;' >$RPM_BUILD_ROOT/etc/cluster/lbvm.conf
echo 'resource cpu { cmd cpu; }' >$RPM_BUILD_ROOT/etc/cluster/lbresources.conf
%files
%defattr(-,root,root,-)
/usr/sbin/lbm
/usr/share/lbvm/*
/usr/share/cluster/lbvm.sh
%config(noreplace) /etc/cluster/*
%files openvz
%defattr(-,root,root,-)
/usr/share/cluster/openvz.sh
`

func upgradeFromOld(t *testing.T, dist string) {
	dir := t.TempDir()
	spec := filepath.Join(dir, "old.spec")
	if err := os.WriteFile(spec, []byte(oldSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "", "rpmbuild", "-bb", "--quiet", "--target", "x86_64-redhat-linux", "--define", "_topdir "+dir, "--define", "_rpmdir "+dir, spec); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := newRoot(t)
	r.rpm("-i", filepath.Join(dir, "x86_64/lbvm-1.0-1.x86_64.rpm"), filepath.Join(dir, "x86_64/lbvm-openvz-1.0-1.x86_64.rpm"))
	// As the manual asks: the configuration is moved to the shared storage, and linked. The other file was changed in place.
	r.write("gfs/lbvm.conf", "balance 101, 102;\n", 0o644)
	if err := os.Remove(r.path("etc/cluster/lbvm.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/gfs/lbvm.conf", r.path("etc/cluster/lbvm.conf")); err != nil {
		t.Fatal(err)
	}
	r.write("etc/cluster/lbresources.conf", "resource mine { cmd mine; }\n", 0o644)
	var list []string
	for _, p := range packages(t, dist, "x86_64") {
		if !strings.Contains(p, "lbvm-xen") {
			list = append(list, p)
		}
	}
	out, err := r.try(append([]string{"-U"}, list...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, a := range []string{"lbvm", "openvz"} {
		if got, err := r.in("/usr/share/cluster/"+a+".sh", "meta-data"); err != nil || got != read(t, top+"/metadata/"+a+".xml") {
			t.Errorf("%s after the upgrade: %v, %q", a, err, got)
		}
	}
	const said = `warning: /etc/cluster/lbvm.conf saved as /etc/cluster/lbvm.conf.rpmsave
warning: /etc/cluster/lbresources.conf saved as /etc/cluster/lbresources.conf.rpmsave
lbvm: /etc/cluster/lbvm.conf is in its place again, as it was
lbvm: /etc/cluster/lbresources.conf is in its place again, as it was`
	if out != said {
		t.Errorf("the upgrade said %q", out)
	}
	if got := r.read("gfs/lbvm.conf"); got != "balance 101, 102;\n" {
		t.Errorf("lbvm.conf on the shared storage is now %q", got)
	}
	if to, err := os.Readlink(r.path("etc/cluster/lbvm.conf")); err != nil || to != "/gfs/lbvm.conf" {
		t.Errorf("the link to lbvm.conf: %q, %v", to, err)
	}
	if got := r.read("etc/cluster/lbresources.conf"); got != "resource mine { cmd mine; }\n" {
		t.Errorf("lbresources.conf is now %q", got)
	}
	if left, err := filepath.Glob(r.path("etc/cluster/*.lbvm-1.0")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if r.has("usr/share/lbvm/lbmonitor") {
		t.Error("the old lbmonitor is still there")
	}
	if to, err := os.Readlink(r.path("usr/share/lbvm/lblog")); err != nil || to != "../../libexec/lbvm/lblog" {
		t.Errorf("lblog is %q, %v", to, err)
	}
}

func lifecycle(t *testing.T, dist string) {
	next := again(t, dist, "2", func(programs string) { // a program that differs, as that of a later release does
		f, err := os.OpenFile(filepath.Join(programs, "agents/openvz.sh"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("later")
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	freshen(t, dist, next)
	r := newRoot(t)
	r.record()
	r.rpm(append([]string{"-i"}, packages(t, dist, "x86_64")...)...)
	r.called()
	first := r.read("usr/share/cluster/openvz.sh")
	r.write("etc/cron.d/lbvm", "# mine\n", 0o644)
	kept := []string{"var/lib/lbvm/blackbox", "etc/cluster/lbvm.id", "etc/cluster/cluster.conf", "etc/cluster/cluster.conf.lbvm-7", "gfs/lbvm.conf", "gfs/lbresources.conf",
		"gfs/lbvm/log/migrate.log", "gfs/lbvm/handoff/xen-web1/state", "gfs/lbvm/handoff/xen-web1/image-7", "gfs/xen/images/web1.img"}
	for _, name := range kept {
		r.write(name, "of "+name, 0o600)
	}
	if err := os.Symlink("../../gfs/lbvm.conf", r.path("etc/cluster/lbvm.conf")); err != nil {
		t.Fatal(err)
	}

	out, err := r.try(append([]string{"-U"}, next...)...)
	if err != nil || out != "" {
		t.Errorf("upgrade: %v, %q", err, out)
	}
	if got := r.called(); got != callsComing {
		t.Errorf("the scripts of the upgrade called %s", got)
	}
	if got := r.read("usr/share/cluster/openvz.sh"); got != first+"later" {
		t.Error("the upgrade did not bring its agent")
	}
	if got := r.read("etc/cron.d/lbvm"); got != "# mine\n" {
		t.Errorf("the changed cron file became %q", got)
	}
	out, err = r.try(append([]string{"-U", "--oldpackage"}, packages(t, dist, "x86_64")...)...)
	if err != nil || out != "" {
		t.Errorf("downgrade: %v, %q", err, out)
	}
	if got := r.called(); got != callsComing {
		t.Errorf("the scripts of the downgrade called %s", got)
	}
	if r.read("usr/share/cluster/openvz.sh") != first {
		t.Error("the downgrade did not bring its agent back")
	}
	out, err = r.try(append([]string{"-e"}, names()...)...)
	if err != nil || strings.TrimSpace(out) != "warning: /etc/cron.d/lbvm saved as /etc/cron.d/lbvm.rpmsave" {
		t.Errorf("erase: %v, %q", err, out)
	}
	if got := r.called(); got != callsGoing {
		t.Errorf("the scripts of the erasure called %s", got)
	}
	for _, gone := range []string{"etc/vz/conf/vps.premount", "etc/vz/conf/vps.mount", "etc/libvirt/hooks/qemu", "etc/cluster/lbvm.conf.sample",
		"usr/sbin/lbm", "usr/libexec/lbvm", "usr/share/lbvm", "usr/share/cluster/openvz.sh", "usr/share/cluster/lbvm.sh", "usr/share/doc/lbvm-2.0.0"} {
		if r.has(gone) {
			t.Errorf("%s is left behind", gone)
		}
	}
	for _, name := range kept {
		if got := r.read(name); got != "of "+name && name != "var/lib/lbvm/blackbox" { // there the agents have noted that they were tried
			t.Errorf("%s is now %q", name, got)
		}
	}
	for _, name := range []string{"etc/cron.d/lbvm.rpmsave", "etc/cluster/lbvm.conf"} {
		if !r.has(name) {
			t.Errorf("%s is gone", name)
		}
	}
}

// freshen: rpm -F, given all packages of a release, upgrades those that are installed and brings no other.
func freshen(t *testing.T, dist string, next []string) {
	t.Helper()
	r := newRoot(t)
	r.rpm("-i", filepath.Join(dist, "x86_64/lbvm-2.0.0-1.x86_64.rpm"), filepath.Join(dist, "x86_64/lbvm-xen-2.0.0-1.x86_64.rpm"))
	r.rpm(append([]string{"-F"}, next...)...)
	out, err := r.try("-qa")
	got := strings.Fields(out)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []string{"lbvm-2.0.0-2.x86_64", "lbvm-xen-2.0.0-2.x86_64"}) {
		t.Errorf("rpm -F: %v, %q", err, out)
	}
}

// badAgent: what does not answer as rgmanager asks never gets into its folder.
func badAgent(t *testing.T, dist string) {
	r := newRoot(t)
	r.rpm(append([]string{"-i"}, packages(t, dist, "x86_64")...)...)
	first := r.read("usr/share/cluster/openvz.sh")
	for name, program := range map[string]string{
		"it prints nothing":       "#!/bin/sh\nexit 0\n",
		"it fails":                "#!/bin/sh\ncat <<X\n<?xml version=\"1.0\"?>\n<resource-agent name=\"openvz\">\n</resource-agent>\nX\nexit 3\n",
		"it prints another's":     "#!/bin/sh\ncat <<X\n<?xml version=\"1.0\"?>\n<resource-agent name=\"xen\">\n</resource-agent>\nX\n",
		"half of it":              "#!/bin/sh\necho '<?xml version=\"1.0\"?>'\necho '<resource-agent name=\"openvz\">'\n",
		"validate-all crashes":    "#!/bin/sh\n[ $1 = meta-data ] || kill -SEGV $$\ncat <<X\n<?xml version=\"1.0\"?>\n<resource-agent name=\"openvz\">\n</resource-agent>\nX\n",
		"it is not a program":     "\x7fELF nonsense",
		"something is before XML": "#!/bin/sh\necho hello\ncat <<X\n<?xml version=\"1.0\"?>\n<resource-agent name=\"openvz\">\n</resource-agent>\nX\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := root{t, r.dir}
			r.write("usr/libexec/lbvm/agents/openvz.sh", program, 0o755)
			out, err := r.in("/usr/libexec/lbvm/activate", "xen", "openvz", "lbvm")
			if err == nil || !strings.Contains(out, "openvz.sh does not answer on this node: the old one stays") || strings.Contains(out, "xen.sh") {
				t.Errorf("%v, %q", err, out)
			}
			if r.read("usr/share/cluster/openvz.sh") != first || r.has("usr/share/cluster/openvz.sh~") {
				t.Error("rgmanager's folder was changed")
			}
		})
	}
	t.Run("in a package", func(t *testing.T) {
		bad := again(t, dist, "3", func(programs string) {
			if err := os.WriteFile(filepath.Join(programs, "agents/openvz.sh"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		})
		r := root{t, r.dir}
		out, _ := r.try(append([]string{"-U"}, bad...)...) // rpm's own exit code differs between its releases
		if !strings.Contains(out, "the old one stays") || r.read("usr/share/cluster/openvz.sh") != first {
			t.Errorf("the upgrade said %q", out)
		}
	})
	t.Run("no room", func(t *testing.T) {
		r := root{t, r.dir}
		r.write("usr/libexec/lbvm/agents/openvz.sh", first+"later", 0o755)
		if err := os.Remove(r.path("bin/cp")); err != nil {
			t.Fatal(err)
		}
		r.write("bin/cp", "#!/bin/sh\n: half >\"$2\"\nexit 1\n", 0o755)
		out, err := r.in("/usr/libexec/lbvm/activate", "openvz")
		if err == nil || !strings.Contains(out, "Make room and run: /usr/libexec/lbvm/activate openvz") || r.read("usr/share/cluster/openvz.sh") != first || r.has("usr/share/cluster/openvz.sh~") {
			t.Errorf("%v, %q", err, out)
		}
	})
}

func oldKernel(t *testing.T, dist string) {
	for release, ok := range map[string]bool{
		"2.6.9-89.EL": false, "2.6.18-128.el5": false, "2.6.31": false, "2.6.30.10": false, "2.4.21": false,
		"2.6.32-754.el6.i686": true, "2.6.32": true, "2.6.39": true, "3.10.0-1160": true, "6.1.0": true,
	} {
		r := newRoot(t)
		if err := os.Remove(r.path("bin/uname")); err != nil {
			t.Fatal(err)
		}
		r.write("bin/uname", "#!/bin/sh\necho "+release+"\n", 0o755)
		out, err := r.try("-i", filepath.Join(dist, "x86_64/lbvm-2.0.0-1.x86_64.rpm"))
		if ok != r.has("usr/sbin/lbm") || ok != (err == nil) || !ok && !strings.Contains(out, "needs 2.6.32 or later (CentOS 6). Nothing was installed.") {
			t.Errorf("%s: %v, %q", release, err, out)
		}
	}
}
