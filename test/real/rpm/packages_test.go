package rpm

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

const top = "../../.."

var built = flag.String("dist", "", "a folder in which make rpm has put packages: they are not built again")

// agents are the rgmanager agents with the package of each.
func agents() map[string]string {
	return map[string]string{"lbvm": "lbvm", "openvz": "lbvm-openvz", "xen": "lbvm-xen", "kvm": "lbvm-kvm", "vmexec": "lbvm-vmexec"}
}

// names are all packages.
func names() []string {
	list := []string{"lbvm-pacemaker", "lbvm-lab"}
	for _, p := range agents() {
		list = append(list, p)
	}
	return list
}

// build makes the packages as a user would.
func build(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"rpmbuild", "rpm", "git", "make"} {
		real.Need(t, tool)
	}
	real.NeedRoot(t)
	if *built != "" {
		return *built
	}
	dist := t.TempDir()
	if out, err := run(t, top, "make", "rpm", "DIST="+dist); err != nil {
		t.Fatalf("make rpm: %v\n%s", err, out)
	}
	return dist
}

// again makes x86_64 packages of a later release out of programs that were built. change changes the programs first.
func again(t *testing.T, dist, release string, change func(programs string)) []string {
	t.Helper()
	programs := filepath.Join(t.TempDir(), "bin")
	unpack(t, dist, programs)
	if change != nil {
		change(programs)
	}
	out := t.TempDir()
	args := []string{"-bb", "--quiet", "--target", "x86_64-redhat-linux", "--define", "lbvm_release " + release, "--define", "lbvm_programs " + programs,
		"--define", "_topdir " + out, "--define", "_sourcedir " + dist, "--define", "_rpmdir " + out, "packaging/rpm/lbvm.spec"}
	if text, err := run(t, top, "rpmbuild", args...); err != nil {
		t.Fatalf("rpmbuild of release %s: %v\n%s", release, err, text)
	}
	return packages(t, out, "x86_64")
}

// unpack takes the programs out of the packages, as make build leaves them.
func unpack(t *testing.T, dist, programs string) {
	t.Helper()
	r := newRoot(t)
	r.rpm(append([]string{"-i", "--noscripts"}, packages(t, dist, "x86_64")...)...)
	if err := os.MkdirAll(filepath.Join(programs, "agents"), 0o755); err != nil {
		t.Fatal(err)
	}
	from := r.path("usr/libexec/lbvm")
	for _, p := range []string{"lbm", "lblog", "lbmonitor", "lbvm-lab"} {
		text := read(t, filepath.Join(from, p))
		if err := os.WriteFile(filepath.Join(programs, p), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for a := range agents() {
		text := read(t, filepath.Join(from, "agents", a+".sh"))
		if err := os.WriteFile(filepath.Join(programs, "agents", a+".sh"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func packages(t *testing.T, dist, arch string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dist, arch, "*.rpm"))
	if err != nil || len(list) < len(agents())+2 {
		t.Fatalf("packages of %s: %q, %v", arch, list, err)
	}
	return list
}

// TestPackages is one test, since the packages take a minute or two to build.
func TestPackages(t *testing.T) {
	dist := build(t)
	t.Run("rpm 4.8 can read them", func(t *testing.T) { readable(t, dist) })
	t.Run("rpmlint", func(t *testing.T) { lint(t, dist) })
	t.Run("the source package", func(t *testing.T) { source(t, dist) })
	t.Run("every file", func(t *testing.T) { everyFile(t, dist) })
	t.Run("install", func(t *testing.T) { install(t, dist) })
	t.Run("upgrade from 1.0", func(t *testing.T) { upgradeFromOld(t, dist) })
	t.Run("upgrade, downgrade, erase", func(t *testing.T) { lifecycle(t, dist) })
	t.Run("upgrade in a cluster at work", func(t *testing.T) { upgradeAtWork(t, dist) })
	t.Run("make install", func(t *testing.T) { makeInstall(t, dist) })
	t.Run("an agent that does not answer", func(t *testing.T) { badAgent(t, dist) })
	t.Run("an old kernel", func(t *testing.T) { oldKernel(t, dist) })
	t.Run("the installed tree runs the demo, with the system calls of Linux 2.6.32", func(t *testing.T) { oldCalls(t, dist) })
}

func readable(t *testing.T, dist string) {
	for _, arch := range []string{"x86_64", "i386"} {
		for _, p := range packages(t, dist, arch) {
			out, err := run(t, "", "rpm", "-qp", "--qf", "%{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO} %{ARCH}\n", p)
			if err != nil || !strings.Contains(out, "gzip 8 "+arch+"\n") {
				t.Errorf("%s: %q, %v", p, out, err)
			}
			out, err = run(t, "", "rpm", "-Kv", p)
			if err != nil || !strings.Contains(out, "Header SHA1 digest: OK") || !strings.Contains(out, "MD5 digest: OK") {
				t.Errorf("%s: %q, %v", p, out, err)
			}
			out, err = run(t, "", "rpm", "-qp", "--requires", p)
			for _, need := range strings.Fields(out) {
				if strings.HasPrefix(need, "rpmlib(") && !strings.Contains("rpmlib(CompressedFileNames) rpmlib(FileDigests) rpmlib(PayloadFilesHavePrefix)", need) {
					t.Errorf("%s requires %s, which rpm 4.8 has not", p, need)
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func lint(t *testing.T, dist string) {
	rpmlint := real.Need(t, "rpmlint")
	args := append([]string{"-c", top + "/packaging/rpm/rpmlint.toml"}, packages(t, dist, "x86_64")...)
	args = append(args, packages(t, dist, "i386")...)
	args = append(args, sourcePackage(t, dist), top+"/packaging/rpm/lbvm.spec")
	out, err := run(t, "", rpmlint, args...)
	if err != nil || strings.Contains(out, ": E: ") || !strings.Contains(out, "; 0 errors,") && !strings.Contains(out, " 0 errors,") {
		t.Errorf("%v\n%s", err, out)
	}
}

func sourcePackage(t *testing.T, dist string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dist, "*.src.rpm"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// source builds the packages anew from the source package, in a network namespace without any network.
func source(t *testing.T, dist string) {
	pkg := sourcePackage(t, dist)
	out, err := run(t, "", "rpm", "-qpl", pkg)
	if err != nil || !strings.Contains(out, "lbvm.spec\n") || !strings.Contains(out, ".tar.gz\n") {
		t.Errorf("%q, %v", out, err)
	}
	archives, err := filepath.Glob(filepath.Join(dist, "lbvm-*.tar.gz"))
	if err != nil || len(archives) != 1 {
		t.Fatal(archives, err)
	}
	out, err = run(t, "", "tar", "tzf", archives[0])
	if err != nil || !strings.Contains(out, "/vendor/modules.txt\n") || !strings.Contains(out, "/vendor/github.com/urfave/cli/v2/") {
		t.Errorf("the archive holds no modules: %v", err)
	}
	again := t.TempDir()
	out, err = run(t, "", real.Need(t, "unshare"), "--net", "rpmbuild", "--rebuild", "--quiet", "--target", "x86_64-redhat-linux",
		"--define", "_topdir "+again, "--define", "_rpmdir "+again, pkg)
	if err != nil {
		t.Fatalf("rpmbuild --rebuild: %v\n%s", err, out)
	}
	for _, p := range packages(t, dist, "x86_64") {
		want, err := run(t, "", "rpm", "-qpl", p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := run(t, "", "rpm", "-qpl", filepath.Join(again, "x86_64", filepath.Base(p)))
		if err != nil || got != want {
			t.Errorf("%s: built anew it holds other files: %v\n%s", filepath.Base(p), err, got)
		}
	}
}
