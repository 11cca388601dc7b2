package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// Variables of a run.
const (
	partVariable  = "LBVM_MACHINE" // xen or gfs2: what is to be played
	cacheVariable = "LBVM_CACHE"
	binVariable   = "LBVM_BIN"
	logVariable   = "LBVM_LOG"
)

const defaultCache = "/var/cache/lbvm-test"

// wanted skips what was not asked for: emulated machines take minutes.
func wanted(t *testing.T, part string) {
	t.Helper()
	if got := os.Getenv(partVariable); got != part {
		t.Skipf("skipped: emulated machines take minutes; run make test-%s", part)
	}
	real.NeedRoot(t)
	for _, p := range []string{"qemu-system-x86_64", "bash", "tar"} {
		real.Need(t, p)
	}
}

// image is the folder with the machines' disk and kernels; it is made where it is missing, or older than its recipe.
func image(t *testing.T) string {
	t.Helper()
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		cache = defaultCache
	}
	dir := filepath.Join(cache, "image")
	made, err := os.Stat(filepath.Join(dir, "versions"))
	recipe, err2 := os.ReadFile("image.sh")
	if err2 != nil {
		t.Fatal(err2)
	}
	if err == nil {
		of, err := os.ReadFile(filepath.Join(dir, "recipe"))
		if err == nil && string(of) == string(recipe) {
			t.Logf("the machines' disk is that of %s, from %s", made.ModTime().UTC().Format(time.DateOnly), dir)
			return dir
		}
	}
	for _, p := range []string{"mmdebstrap", "mkfs.ext4", "cpio"} {
		real.Need(t, p)
	}
	ctx, done := context.WithTimeout(context.Background(), 20*time.Minute)
	defer done()
	began := time.Now()
	if out, err := exec.CommandContext(ctx, "bash", "image.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("making the machines' disk: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "recipe"), recipe, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the machines' disk was made in %s in %.0f s", dir, time.Since(began).Seconds())
	return dir
}

// programs puts what a machine is to run into a tar file: this test itself, and our own.
func programs(t *testing.T, dir string) string {
	t.Helper()
	in := filepath.Join(dir, "programs")
	must(t, os.MkdirAll(in, 0o755))
	self, err := os.Executable()
	must(t, err)
	must(t, copyFile(self, filepath.Join(in, "inside")))
	sources := map[string]string{"lbm": "cmd/lbm", "lblog": "cmd/lblog"}
	for _, a := range []string{"xen", "vmexec"} {
		sources["agents/"+a+".sh"] = "agents/" + a
	}
	for built, source := range sources {
		to := filepath.Join(in, filepath.Base(built))
		if bin := os.Getenv(binVariable); bin != "" {
			must(t, copyFile(filepath.Join(bin, built), to))
			continue
		}
		build := exec.Command(real.Need(t, "go"), "build", "-trimpath", "-o", to, "./"+source)
		build.Dir = "../../.."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	tar := filepath.Join(dir, "programs.tar")
	if out, err := exec.Command("tar", "-C", in, "-cf", tar, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, os.RemoveAll(in))
	return tar
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// versions is what the machines are made of, a line each.
func versions(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "versions"))
	must(t, err)
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}
