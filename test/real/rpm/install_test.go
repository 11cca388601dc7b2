package rpm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// contents lists what a package brings: kind and mode, owner, flags (c configuration, n not replaced, g made by a script, d page), name,
// target of a link. The pages are counted, since the list shall not change with each of them.
func contents(t *testing.T, dist, arch string) string {
	t.Helper()
	var all strings.Builder
	for _, p := range packages(t, dist, arch) {
		out, err := run(t, "", "rpm", "-qp", "--qf", `[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} .%{FILEFLAGS:fflags} %{FILENAMES} %{FILELINKTOS}\n]`, p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s\n", strings.TrimSuffix(filepath.Base(p), "-2.0.0-1."+arch+".rpm"))
		lines := strings.Split(strings.TrimSpace(out), "\n")
		sort.SliceStable(lines, func(i, j int) bool { return strings.Fields(lines[i])[3] < strings.Fields(lines[j])[3] })
		for _, l := range lines {
			if w := strings.Fields(l); !strings.HasPrefix(l, "d") && strings.HasPrefix(w[3], "/usr/share/doc/lbvm-2.0.0/docs/") {
				if strings.Join(w[:3], " ") != "-rw-r--r-- root:root .d" {
					t.Errorf("%s: %s", p, l)
				}
				continue
			}
			fmt.Fprintf(&all, "    %s\n", strings.TrimRight(l, " "))
		}
	}
	return all.String()
}

// Every file of the packages of both architectures, with its mode and its owner, is in testdata/files.txt. UPDATE=1 writes it.
func everyFile(t *testing.T, dist string) {
	got := contents(t, dist, "x86_64")
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile("testdata/files.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, "testdata/files.txt"); got != want {
		t.Errorf("the packages hold\n%s\nand testdata/files.txt has\n%s", got, want)
	}
	if other := contents(t, dist, "i386"); other != got {
		t.Errorf("the packages for i386 hold\n%s", other)
	}
}

// recorders are programs of a node that scripts of packages could call. They write down that they were.
var recorders = []string{"usr/sbin/ccs_update_schema", "sbin/chkconfig", "sbin/service", "bin/systemctl", "usr/sbin/clusvcadm", "usr/sbin/cman_tool", "usr/sbin/rg_test", "sbin/initctl", "usr/bin/killall", "bin/kill"}

func (r root) record() {
	r.t.Helper()
	for _, p := range recorders {
		if err := os.RemoveAll(r.path(p)); err != nil {
			r.t.Fatal(err)
		}
		r.write(p, "#!/bin/sh\necho "+filepath.Base(p)+" $* >>/calls\n", 0o755)
	}
	for _, dir := range []string{"run/systemd/system", "etc/vz/conf", "etc/libvirt/hooks"} {
		if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
}

// called tells what the scripts called since it was asked last, each call once, in order of the alphabet.
func (r root) called() string {
	r.t.Helper()
	if !r.has("calls") {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(r.read("calls")), "\n")
	if err := os.Remove(r.path("calls")); err != nil {
		r.t.Fatal(err)
	}
	sort.Strings(lines)
	return strings.Join(slices.Compact(lines), "; ")
}

// What scripts call when packages come and go: the schema is made anew and the init scripts are registered; nothing is started,
// stopped or restarted.
const (
	callsComing = "ccs_update_schema; chkconfig --add lbvm; chkconfig --add lbvm-evacuate; systemctl daemon-reload"
	callsGoing  = "chkconfig --del lbvm; chkconfig --del lbvm-evacuate; systemctl --no-reload disable lbvm.service lbvm-evacuate.service"
)

func install(t *testing.T, dist string) {
	r := newRoot(t)
	r.record()
	r.rpm(append([]string{"-i"}, packages(t, dist, "x86_64")...)...)
	if out, err := r.try("-Va"); err != nil || out != "" {
		t.Errorf("rpm -V, which compares every file with its package: %q, %v", out, err)
	}
	if got := r.called(); got != callsComing {
		t.Errorf("the scripts called %s", got)
	}
	for door, guard := range map[string]string{"etc/vz/conf/vps.premount": "vps.premount", "etc/libvirt/hooks/qemu": "qemu"} {
		if to, err := os.Readlink(r.path(door)); err != nil || to != "/usr/libexec/lbvm/guard/"+guard {
			t.Errorf("%s: %q, %v", door, to, err)
		}
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
	t.Run("man pages", func(t *testing.T) { manPages(t, r) })
	t.Run("the manual", func(t *testing.T) { manual(t, r.path("usr/share/doc/lbvm-2.0.0")) })
	t.Run("a node without a cluster", func(t *testing.T) { doctorAlone(t, r) })
}

// manPages reads every page where it was installed, by the program that administrators type.
func manPages(t *testing.T, r root) {
	man, mandoc := real.Need(t, "mman"), real.Need(t, "mandoc")
	pages, err := filepath.Glob(r.path("usr/share/man/man?/*.gz"))
	if err != nil || len(pages) != 11 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	sources, err := filepath.Glob(top + "/docs/man/*")
	if err != nil || len(sources) != len(pages) {
		t.Errorf("docs/man has %d pages, %v", len(sources), err)
	}
	for _, page := range pages {
		name, section, _ := strings.Cut(strings.TrimSuffix(filepath.Base(page), ".gz"), ".")
		if rest, s, ok := strings.Cut(section, "."); ok { // lbvm.conf.5
			name, section = name+"."+rest, s
		}
		out, err := run(t, "", "env", "PAGER=cat", "MANPAGER=cat", man, "-M", r.path("usr/share/man"), section, name)
		if err != nil || !strings.Contains(regexp.MustCompile(".\b").ReplaceAllString(out, ""), "\nNAME\n") || strings.Count(out, "\n") < 20 {
			t.Errorf("man %s %s: %v, %q", section, name, err, out[:min(200, len(out))])
		}
		if out, err := run(t, "", "sh", "-c", "zcat "+page+" | "+mandoc+" -T lint -W warning"); err != nil || out != "" {
			t.Errorf("%s: %v, %s", page, err, out)
		}
	}
}

// manual looks whether the installed pages are those of the sources, and whether the links between them lead somewhere.
func manual(t *testing.T, dir string) {
	sources, err := filepath.Glob(top + "/docs/*.md")
	if err != nil || len(sources) == 0 {
		t.Fatal(sources, err)
	}
	links := 0
	for _, source := range append(sources, top+"/README.md", top+"/CHANGELOG.md") {
		page := filepath.Join(dir, strings.TrimPrefix(source, top+"/"))
		text := read(t, page)
		if text != read(t, source) {
			t.Errorf("%s is not the page of the sources", page)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: a link to %s: %v", page, m[1], err)
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links", links)
	}
}

// doctorAlone asks the installed doctor about the node on which the packages lie, which is in no cluster.
func doctorAlone(t *testing.T, r root) {
	r = root{t, r.dir}
	out, err := r.in("/usr/sbin/lbm", "doctor")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 && exit.ExitCode() != 4 || !strings.Contains(out, "[members.") {
		t.Errorf("%v, %s", err, out)
	}
	if strings.Contains(out, "[agents.") {
		t.Errorf("the agents are as the packages have put them there: %s", out)
	}
}
