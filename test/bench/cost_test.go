package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

const (
	rounds = 60 // each program runs so often, in turns with the others
	series = 6  // so many series of rounds are tried before an agent counts as too dear: the machine may be busy

	// So many times its yardstick an agent may cost, in processor time: 1.5 (docs/performance.md). Beside the other tests
	// of `make test`, which keep the processors busy, single checks are a little above it.
	mostMetaData  = 1.5
	mostCheck     = 1.5
	mostCheckBusy = 1.8

	// So many files a check may look at: the kernel takes 2 us and more for each, and an error for one that is missing
	// costs more. This holds on a busy machine too. With less than the least the count itself were wrong: the runtime's
	// one, the mark of the VM, its tool, /dev/null and the black box.
	mostLooks, leastLooks = 16, 5
)

// most is what a row may cost. The table is made on a machine that does nothing else.
func (r row) most() float64 {
	switch {
	case r.tool == "":
		return mostMetaData
	case *tableFile != "":
		return mostCheck
	}
	return mostCheckBusy
}

// yardstick is the least that a row can cost.
func yardstick(r row, f map[string]figures) time.Duration {
	least := f[emptyName].cpu
	if r.tool != "" {
		least += f[r.tool].cpu
	}
	return least
}

func (r row) ratio(f map[string]figures) float64 {
	return float64(f[r.name].cpu) / float64(yardstick(r, f))
}

// TestCost measures, prints the table and fails where one of our agents costs more than it may.
func TestCost(t *testing.T) {
	withTools(t, func(t *testing.T) {
		all := rows(t)
		count(t, all)
		var programs []program
		for _, r := range all {
			programs = append(programs, r.program)
		}
		for try := 1; ; try++ {
			f, err := measure(programs, rounds)
			if err != nil {
				t.Fatal(err)
			}
			var dear []string
			for _, r := range all {
				if ratio := r.ratio(f); r.ours && ratio > r.most() {
					dear = append(dear, fmt.Sprintf("%s costs %.2f times its yardstick, %.1f is the most", r.name, ratio, r.most()))
				}
			}
			text := table(all, f) + sizes(t)
			if len(dear) > 0 && try < series {
				t.Logf("series %d: %s", try, strings.Join(dear, "; "))
				continue
			}
			t.Logf("series %d of at most %d\n%s", try, series, text)
			if *tableFile != "" {
				if err := os.WriteFile(*tableFile, []byte(text), 0o644); err != nil {
					t.Error(err)
				}
			}
			for _, d := range dear {
				t.Error(d)
			}
			return
		}
	})
}

// table shows all rows, for humans.
func table(all []row, f map[string]figures) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s %9s %9s %9s %10s %7s %6s %6s\n", "", "wall ms", "CPU ms", "CPU sum", "yardstick", "ratio", "forks", "execs")
	for _, r := range all {
		g := f[r.name]
		fmt.Fprintf(&b, "%-22s %9s %9s %9s", r.name, ms(g.wall), ms(g.cpu), ms(g.sum))
		forks, execs := "", ""
		if r.counted {
			forks, execs = strconv.Itoa(r.forks), strconv.Itoa(r.exec)
		}
		if r.tool == "" && !strings.HasSuffix(r.name, "meta-data") {
			fmt.Fprintf(&b, " %10s %7s %6s %6s\n", "", "", forks, execs)
			continue
		}
		fmt.Fprintf(&b, " %10s %7.2f %6s %6s\n", ms(yardstick(r, f)), r.ratio(f), forks, execs)
	}
	fmt.Fprintf(&b, "%d rounds in turns; medians; CPU is user and system time of a program and of the children that it waited for\n", rounds)
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// count has strace count the processes that each row starts and the programs that these become.
func count(t *testing.T, all []row) {
	t.Helper()
	strace := ""
	t.Run("strace", func(t *testing.T) { strace = real.Need(t, "strace") })
	if strace == "" {
		return
	}
	for i, r := range all {
		text := trace(t, strace, r.program)
		forks, execs := counted(text)
		if r.ours && (forks != r.forks || execs != r.exec) {
			t.Errorf("%s: %d forks and %d programs, want %d and %d", r.name, forks, execs, r.forks, r.exec)
		}
		if looks := looksAt(text); r.ours && r.tool != "" && (looks > mostLooks || looks < leastLooks) {
			t.Errorf("%s looks at %d files, want %d to %d:\n%s", r.name, looks, leastLooks, mostLooks, text)
		} else if r.ours {
			t.Logf("%s looks at %d files", r.name, looks)
		}
		all[i].forks, all[i].exec, all[i].counted = forks, execs, true
	}
}

// trace runs a program under strace.
func trace(t *testing.T, strace string, p program) string {
	t.Helper()
	file := t.TempDir() + "/trace"
	argv := append([]string{strace, "-f", "-qq", "-o", file, "-e", "trace=fork,vfork,clone,clone3,execveat,%file", "-e", "signal=none"}, p.argv...)
	if _, err := (program{p.name + " (traced)", argv, p.env}).run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// counted reads strace's lines: `PID call(args) = result`, of which a call that was interrupted stands in two. The
// program itself is not counted.
func counted(text string) (forks, execs int) {
	for _, line := range strings.Split(text, "\n") {
		_, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		switch {
		case strings.HasPrefix(call, "execve"):
			if strings.Contains(call, "= 0") || strings.Contains(call, "<unfinished") {
				execs++
			}
		case strings.HasPrefix(call, "fork("), strings.HasPrefix(call, "vfork("),
			strings.HasPrefix(call, "clone") && !strings.Contains(call, "CLONE_THREAD"):
			forks++
		}
	}
	return forks, execs - 1
}

// looksAt counts the files that the traced program itself opens or asks for, found or not. Who becomes another program is
// a child of it, and not a thread.
func looksAt(text string) (looks int) {
	lines := strings.Split(text, "\n")
	self, _, _ := strings.Cut(lines[0], " ")
	children := map[string]bool{}
	for _, line := range lines {
		if pid, call, _ := strings.Cut(line, " "); pid != self && strings.HasPrefix(strings.TrimSpace(call), "execve") {
			children[pid] = true
		}
	}
	for _, line := range lines {
		pid, call, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(strings.TrimSpace(call), "(")
		switch name {
		case "open", "openat", "openat2", "stat", "lstat", "newfstatat", "fstatat64", "stat64", "lstat64", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "unlink", "unlinkat":
			if !children[pid] {
				looks++
			}
		}
	}
	return looks
}

func TestCounted(t *testing.T) {
	const text = `7 execve("/a", ["a"], 0x7 /* 1 var */) = 0
7 clone(child_stack=0xc0, flags=CLONE_VM|CLONE_THREAD|CLONE_SETTLS, tls=0xc1) = 8
8 clone(child_stack=NULL, flags=CLONE_VM|CLONE_PIDFD|CLONE_VFORK|SIGCHLD <unfinished ...>
9 execve("/sbin/b", ["b"], 0x7 /* 1 var */) = -1 ENOENT (No such file or directory)
9 execve("/bin/b", ["b"], 0x7 /* 1 var */ <unfinished ...>
8 <... clone resumed>, parent_tid=[14]) = 9
9 <... execve resumed>) = 0
9 vfork() = 10
9 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88) = 11
`
	if forks, execs := counted(text); forks != 3 || execs != 1 {
		t.Errorf("%d forks and %d programs", forks, execs)
	}
}

func TestLooksAt(t *testing.T) {
	const text = `7 execve("/a", ["a"], 0x7 /* 1 var */) = 0
7 openat(AT_FDCWD, "/sys/x", O_RDONLY) = 3
7 clone(child_stack=0xc0, flags=CLONE_VM|CLONE_THREAD|CLONE_SETTLS, tls=0xc1 <unfinished ...>
8 newfstatat(AT_FDCWD, "/sbin/b", 0xc0, 0) = -1 ENOENT (No such file or directory)
8 newfstatat(AT_FDCWD, "/bin/b",  <unfinished ...>
7 <... clone resumed>, tls=0xc1) = 8
8 <... newfstatat resumed>{st_mode=S_IFREG|0755, st_size=1, ...}, 0) = 0
8 clone(child_stack=NULL, flags=CLONE_VM|CLONE_PIDFD|CLONE_VFORK|SIGCHLD <unfinished ...>
9 chdir("/") = 0
9 execve("/bin/b", ["b"], 0x7 /* 1 var */) = 0
9 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
7 unlink("/x") = 0
`
	if n := looksAt(text); n != 4 {
		t.Errorf("%d files", n)
	}
}
