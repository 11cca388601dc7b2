package ocf

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// napSlack is by how much a nap of the runtime's watcher may become longer in a status check.
const napSlack = "2000000" // ns

// napLonger lets the thread by which Go's runtime watches over the others (sysmon) sleep longer. As long as the program
// lives it naps for 20 us at a time, and a status check mostly waits for a tool: the thirty or more awakenings cost
// a twentieth of the whole check. By a greater timer slack (proc(5): timerslack_ns, since Linux 4.6) a nap lasts up to
// 2 ms. So much later the runtime notices that a system call lasts and lets another goroutine work meanwhile, which is
// nothing to deadlines of seconds. Without /proc, on older kernels and for others than root everything stays as it is.
func napLonger() {
	tid, err := secondThread()
	if err != nil {
		return
	}
	fd, err := syscall.Open("/proc/"+tid+"/timerslack_ns", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, err = syscall.Write(fd, []byte(napSlack))
	if closing := syscall.Close(fd); err != nil || closing != nil {
		return // it naps as before
	}
}

// secondThread is the id of this process's second thread, the first that the runtime begins. Nearly always that is the
// number behind the process's own, and to ask whether it is one of ours costs next to nothing. Else it stands in the
// list of the threads, which the kernel gives in the order of their beginning.
func secondThread() (string, error) {
	pid := syscall.Getpid()
	if unix.Tgkill(pid, pid+1, 0) == nil {
		return strconv.Itoa(pid + 1), nil
	}
	return secondListed()
}

func secondListed() (string, error) {
	fd, err := syscall.Open("/proc/self/task", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	var list [256]byte // . and .. and some more, in entries of 24 bytes
	n, err := syscall.ReadDirent(fd, list[:])
	if closing := syscall.Close(fd); err == nil {
		err = closing
	}
	if err != nil {
		return "", err
	}
	var names [2]string
	if _, n, all := syscall.ParseDirent(list[:n], len(names), names[:0]); n == len(names) {
		return all[1], nil
	}
	return "", syscall.ESRCH
}
