package rpm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The first system call numbers that Linux 2.6.32 does not have: both are recvmmsg, of 2.6.33.
const (
	newAMD64 = 299
	new386   = 337
)

// newFlags are the uses of older calls that came after 2.6.32, as far as a filter can tell them: it sees numbers and flags, and
// nothing behind a pointer. 2.6.32 passes some of them over in silence; here each is an error, so that who needs it is seen.
var newFlags = []struct {
	amd64, i386 uint32 // the call's number
	arg         uint32
	test        uint16 // BPF_JSET: has one of these bits; BPF_JGE: is that or more
	value       uint32
	errno       syscall.Errno
}{
	{2, 5, 1, unix.BPF_JSET, oPath | oTmpfile, syscall.EINVAL},     // open
	{257, 295, 2, unix.BPF_JSET, oPath | oTmpfile, syscall.EINVAL}, // openat
	{72, 221, 1, unix.BPF_JGE, unix.F_SETPIPE_SZ, syscall.EINVAL},  // fcntl, fcntl64: of 2.6.35, and seals
	{72, 221, 1, unix.BPF_JSET, 0x20, syscall.EINVAL},              // locks of open files, of 3.15: 36 to 38
	{157, 172, 0, unix.BPF_JGE, unix.PR_SET_MM, syscall.EINVAL},    // prctl: of 3.3, and all that came after it
	{56, 120, 0, unix.BPF_JSET, unix.CLONE_PIDFD, syscall.EINVAL},  // clone: of 5.2; 2.6.32 passes it over, and pidfds are not to be had
	{285, 324, 1, unix.BPF_JGE, 2, syscall.EOPNOTSUPP},             // fallocate: all but KEEP_SIZE
}

const (
	oPath    = unix.O_PATH // 2.6.39
	oTmpfile = 0x400000    // 3.11; unix.O_TMPFILE has O_DIRECTORY in it
)

// asOldKernel makes this test program run another one without the system calls that came after 2.6.32.
const asOldKernel = "LBVM_TEST_OLD_KERNEL"

func TestMain(m *testing.M) {
	if v, ok := os.LookupEnv(asOldKernel); ok {
		err := oldKernelExec(v, os.Args[1:])
		fmt.Fprintln(os.Stderr, "old kernel:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// oldKernelExec becomes the program argv. A system call that 2.6.32 does not have answers ENOSYS, or with kill ends the
// process; newFlags are errors; uname speaks of a 2.6. All children inherit that. It is a filter and no old kernel: what a call
// does, and what the kernel shows in /proc and /sys, stay as they are.
func oldKernelExec(how string, argv []string) error {
	runtime.LockOSThread() // the filter is the thread's, and the program's after exec
	action := uint32(unix.SECCOMP_RET_ERRNO | uint32(syscall.ENOSYS))
	if how == "kill" {
		action = unix.SECCOMP_RET_KILL_PROCESS
	}
	filter := slices.Concat(
		callsOf(unix.AUDIT_ARCH_X86_64, newAMD64, action, func(i int) uint32 { return newFlags[i].amd64 }),
		callsOf(unix.AUDIT_ARCH_I386, new386, action, func(i int) uint32 { return newFlags[i].i386 }),
		[]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS}}, // no other kind of program
	)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const uname26 = 0x0020000
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, uname26, 0, 0); errno != 0 {
		return errno
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	env := make([]string, 0, len(os.Environ()))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, asOldKernel+"=") {
			env = append(env, v)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	return syscall.Exec(path, argv, env)
}

// callsOf is the filter's part for programs of one architecture. Places are those in struct seccomp_data.
func callsOf(arch, firstNew, action uint32, number func(flag int) uint32) []unix.SockFilter {
	const archAt, numberAt, argsAt = 4, 0, 16
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	jump := func(test uint16, k uint32, otherwise uint8) unix.SockFilter { // else so many are passed over
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jf: otherwise}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	part := []unix.SockFilter{load(numberAt), jump(unix.BPF_JGE, firstNew, 1), answer(action)}
	for i, f := range newFlags {
		part = append(part, jump(unix.BPF_JEQ, number(i), 4), load(argsAt+8*f.arg), jump(f.test, f.value, 1),
			answer(unix.SECCOMP_RET_ERRNO|uint32(f.errno)), load(numberAt))
	}
	part = append(part, answer(unix.SECCOMP_RET_ALLOW))
	return append([]unix.SockFilter{load(archAt), jump(unix.BPF_JEQ, arch, uint8(len(part)))}, part...)
}

// under runs a program as on an old kernel.
func under(t *testing.T, how, dir string, argv ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, dir, "env", append([]string{asOldKernel + "=" + how, self}, argv...)...)
}

// oldCalls runs the packages' programs of both architectures without what is newer than Linux 2.6.32.
func oldCalls(t *testing.T, dist string) {
	if out, err := under(t, "errno", "", "uname", "-r"); err != nil || !strings.HasPrefix(out, "2.6.") {
		t.Fatalf("uname says %q, %v", out, err)
	}
	for _, arch := range []string{"x86_64", "i386"} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.rpm(append([]string{"-i", "--ignorearch", "--noscripts"}, packages(t, dist, arch)...)...)
			lab := r.path("usr/bin/lbvm-lab")
			if out, err := under(t, "errno", t.TempDir(), lab, "demo", "--scale", "20"); err != nil || !strings.Contains(out, "no guest ran twice") {
				t.Errorf("%v\n%s", err, out)
			}
			everyProgram(t, newCluster(t, r, true))
		})
	}
	// The filter bites: a call of today fails under it.
	if out, err := under(t, "kill", "", os.Args[0], "-test.run=^TestNewCall$", "-test.v"); err == nil || strings.Contains(out, "it was made") {
		t.Errorf("a new call passed: %q", out)
	}
	if out, err := under(t, "errno", "", os.Args[0], "-test.run=^TestNewFlag$", "-test.v"); err != nil || !strings.Contains(out, "--- PASS: TestNewFlag") {
		t.Errorf("new flags: %v, %q", err, out)
	}
}

// TestNewCall makes a system call that Linux 2.6.32 does not have.
func TestNewCall(t *testing.T) {
	if _, err := unix.Getrandom(make([]byte, 1), 0); err != nil {
		t.Fatal(err)
	}
	t.Log("it was made")
}

// TestNewFlag uses old calls as Linux 2.6.32 could not. Under the filter each fails.
func TestNewFlag(t *testing.T) {
	_, filtered := unix.Getrandom(make([]byte, 1), 0)
	if filtered == nil {
		t.Skip("only where the old kernel is played: TestPackages runs this program so")
	}
	name := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	for call, do := range map[string]func() error{
		"openat with O_PATH":            func() error { _, err := unix.Open(name, unix.O_PATH, 0); return err },
		"openat with O_TMPFILE":         func() error { _, err := unix.Open(filepath.Dir(name), unix.O_TMPFILE|unix.O_RDWR, 0o600); return err },
		"fcntl with F_OFD_SETLK":        func() error { return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}) },
		"fcntl with F_GETPIPE_SZ":       func() error { _, err := unix.FcntlInt(f.Fd(), unix.F_GETPIPE_SZ, 0); return err },
		"prctl with CHILD_SUBREAPER":    func() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) },
		"fallocate with COLLAPSE_RANGE": func() error { return unix.Fallocate(fd, unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096) },
	} {
		if err := do(); err != unix.EINVAL && err != unix.EOPNOTSUPP {
			t.Errorf("%s: %v", call, err)
		}
	}
	if err := unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 4096); err != nil {
		t.Errorf("what 2.6.32 had: %v", err)
	}
}
