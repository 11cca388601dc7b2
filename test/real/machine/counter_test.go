package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// definition is the counter as a technology for the agent vmexec.
const definition = `memory 16M;
disk /gfs/vm/%{name}.disk;
status {
    run /lbvm/inside counter status %{name};
    timeout 60s;
    running exit 0 output "^running$";
    stopped exit 0 output "^stopped$";
}
start   { run /lbvm/inside counter start %{name}; timeout 60s; }
stop    { run /lbvm/inside counter end %{name}; timeout 60s; }
destroy { run /lbvm/inside counter end %{name}; timeout 60s; }
save    { run /lbvm/inside counter save %{name} %{image}; timeout 5m; }
restore { run /lbvm/inside counter restore %{name} %{image}; timeout 60s; }
`

// slowFile makes the counter's save last until it is gone.
const slowFile = "/run/slow"

// counter is a container that counts, in a process of the node: a boot writes to its disk and begins at 1; saving writes its
// number and ends it. Where and what it counts stands in a log on the shared storage.
func counter(args []string) error {
	verb, vm := args[0], args[1]
	pidFile := "/run/counter-" + vm
	switch verb {
	case "be":
		return count1(vm, number(args[2]), pidFile)
	case "status":
		if counterPid(pidFile) > 0 {
			fmt.Println("running")
		} else {
			fmt.Println("stopped")
		}
		return nil
	case "start":
		if err := os.WriteFile("/gfs/vm/"+vm+".disk", []byte("booted "+time.Now().String()+"\n"), 0o600); err != nil {
			return err
		}
		return launch(vm, 0, pidFile)
	case "restore":
		b, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		return launch(vm, number(strings.TrimSpace(string(b))), pidFile)
	case "save", "end":
		pid := counterPid(pidFile)
		if pid == 0 {
			return errors.New("it does not run")
		}
		if verb == "save" {
			f, err := os.Create(args[2])
			if err != nil {
				return err
			}
			if _, err := os.Stat(slowFile); err == nil { // the start of a dump is written, and it takes its time
				if _, err := f.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
				if err := os.WriteFile(slowFile+".begun", nil, 0o600); err != nil {
					return err
				}
				time.Sleep(time.Hour)
			}
			if err := f.Close(); err != nil {
				return err
			}
			if err := os.WriteFile(pidFile+".to", []byte(args[2]), 0o600); err != nil {
				return err
			}
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return err
		}
		for counterPid(pidFile) != 0 {
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	}
	return fmt.Errorf("counter %q", args)
}

// counterPid is the process of a counter that runs; one that has ended and was not waited for is none.
func counterPid(pidFile string) int {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	stat, err := os.ReadFile(filepath.Join("/proc", string(b), "stat"))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return 0
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	return pid
}

func launch(vm string, from int, pidFile string) error {
	if counterPid(pidFile) != 0 {
		return errors.New("it runs")
	}
	cmd := exec.Command("/lbvm/inside", "counter", "be", vm, strconv.Itoa(from))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

// count1 is the counter's process.
func count1(vm string, n int, pidFile string) error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	node, err := os.Hostname()
	if err != nil {
		return err
	}
	for {
		select {
		case <-end:
			to, err := os.ReadFile(pidFile + ".to")
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := os.Remove(pidFile + ".to"); err != nil {
				return err
			}
			return os.WriteFile(string(to), []byte(strconv.Itoa(n)+"\n"), 0o600)
		case <-time.After(time.Second):
		}
		n++
		f, err := os.OpenFile("/gfs/vm/"+vm+".log", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(f, "%s %d\n", node, n); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
}

// lives reads such a log: where the counter counted from what to what, a line each time that it moved or began anew.
func lives(log string) string {
	var out []string
	node, first, last := "", 0, 0
	flush := func() {
		if node != "" {
			out = append(out, fmt.Sprintf("%s %d-%d", node, first, last))
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		at, number, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Sprintf("a torn line: %q", line)
		}
		if at != node || n != last+1 {
			flush()
			node, first = at, n
		}
		last = n
	}
	flush()
	return strings.Join(out, ", ")
}
