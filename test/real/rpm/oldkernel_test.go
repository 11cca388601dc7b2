package rpm

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
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
// process; uname speaks of a 2.6. It is a filter of numbers, inherited by all children, and no old kernel: flags that came
// later to older calls, and what the kernel shows in /proc, stay as they are.
func oldKernelExec(how string, argv []string) error {
	runtime.LockOSThread() // the filter is the thread's, and the program's after exec
	action := uint32(unix.SECCOMP_RET_ERRNO | uint32(syscall.ENOSYS))
	if how == "kill" {
		action = unix.SECCOMP_RET_KILL_PROCESS
	}
	const archAt, numberAt = 4, 0 // in struct seccomp_data
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: archAt},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AUDIT_ARCH_X86_64, Jf: 2},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberAt},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: newAMD64, Jt: 2, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberAt},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: new386, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
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
			r := newRoot(t)
			r.rpm(append([]string{"-i", "--ignorearch", "--noscripts"}, packages(t, dist, arch)...)...)
			lab := r.path("usr/bin/lbvm-lab")
			if out, err := under(t, "errno", t.TempDir(), lab, "demo", "--scale", "20"); err != nil || !strings.Contains(out, "no guest ran twice") {
				t.Errorf("%v\n%s", err, out)
			}
			for _, argv := range [][]string{{"usr/sbin/lbm", "--help"}, {"usr/libexec/lbvm/agents/openvz.sh", "meta-data"}} {
				argv[0] = r.path(argv[0])
				if out, err := under(t, "errno", "", argv...); err != nil {
					t.Errorf("%s: %v, %s", argv, err, out)
				}
			}
		})
	}
	// The filter bites: a call of today fails under it.
	if out, err := under(t, "kill", "", os.Args[0], "-test.run=^TestNewCall$", "-test.v"); err == nil || strings.Contains(out, "it was made") {
		t.Errorf("a new call passed: %q", out)
	}
}

// TestNewCall makes a system call that Linux 2.6.32 does not have.
func TestNewCall(t *testing.T) {
	if _, err := unix.Getrandom(make([]byte, 1), 0); err != nil {
		t.Fatal(err)
	}
	t.Log("it was made")
}
