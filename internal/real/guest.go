package real

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// KernelVariable names a kernel for Kernel.
const KernelVariable = "LBVM_TEST_KERNEL"

// Kernel is a Linux kernel for a guest: the one that KernelVariable names, else one of /boot, else Debian's for clouds, which is
// fetched into dir and kept in the user's cache. Without any the test is skipped as in Need.
func Kernel(t testing.TB, dir string) string {
	t.Helper()
	if k, _ := os.LookupEnv(KernelVariable); k != "" {
		return NeedFile(t, k)
	}
	found, err := filepath.Glob("/boot/vmlinuz-*")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		sort.Strings(found)
		return found[len(found)-1]
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	kept := filepath.Join(cache, "lbvm-test", "vmlinuz")
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	apt, show, unpack := Need(t, "apt-get"), Need(t, "apt-cache"), Need(t, "dpkg-deb")
	const what = "a kernel for guests"
	out, err := exec.Command(show, "depends", "--important", "linux-image-cloud-amd64").Output()
	name := regexp.MustCompile(`Depends: (linux-image-[^ \n]+)`).FindStringSubmatch(string(out))
	if err != nil || name == nil {
		lack(t, what, fmt.Errorf("apt-cache knows none for clouds: %v: %s", err, out))
	}
	fetch := exec.Command(apt, "download", "-q", name[1])
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		lack(t, what, fmt.Errorf("fetching %s: %v: %s", name[1], err, out))
	}
	debs, err := filepath.Glob(filepath.Join(dir, "linux-image-*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatal(debs, err)
	}
	if out, err := exec.Command(unpack, "-x", debs[0], filepath.Join(dir, "kernel")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, err = filepath.Glob(filepath.Join(dir, "kernel/boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	temp := kept + strconv.Itoa(os.Getpid())
	if err := errors.Join(os.MkdirAll(filepath.Dir(kept), 0o755), os.WriteFile(temp, b, 0o644), os.Rename(temp, kept)); err != nil {
		t.Fatal(err)
	}
	return kept
}

// Initrd is the initial file system of a guest that does nothing but run init, a shell script, with those programs of
// busybox. It is made below dir.
func Initrd(t testing.TB, dir, init string, programs ...string) []byte {
	t.Helper()
	busybox, cpio := Need(t, "busybox"), Need(t, "cpio")
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "initrd")
	for _, name := range []string{"bin", "proc", "sys", "dev"} {
		if err := os.MkdirAll(filepath.Join(tree, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(tree, "init"), []byte(init), 0o755), os.WriteFile(filepath.Join(tree, "bin/busybox"), program, 0o755)); err != nil {
		t.Fatal(err)
	}
	list := []string{".", "bin", "proc", "sys", "dev", "init", "bin/busybox"}
	for _, name := range append([]string{"sh"}, programs...) {
		if err := os.Symlink("busybox", filepath.Join(tree, "bin", name)); err != nil {
			t.Fatal(err)
		}
		list = append(list, "bin/"+name)
	}
	pack := exec.Command(cpio, "-o", "-H", "newc", "--quiet")
	pack.Dir, pack.Stdin = tree, strings.NewReader(strings.Join(list, "\n")+"\n")
	initrd, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	return initrd
}
