package machine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// machine is an emulated one.
type machine struct {
	t      *testing.T
	name   string
	number int
	cmd    *exec.Cmd
	ended  chan struct{}
	conn   net.Conn
	log    string // its console

	mu      sync.Mutex
	asked   int
	waiting map[int]chan answer
}

// Of a machine under Xen. -cpu decides: dom0 does not come up on newer ones, and has no hardware help for guests on older;
// with rdtscp a guest dies when its memory is saved.
const (
	xenProcessor = "Opteron_G3,+svm,+npt,-rdtscp"
	xenLine      = "console=com1 com1=115200,8n1 dom0_mem=900M,max:900M dom0_max_vcpus=1 loglvl=warning pv-l1tf=false xpti=false spec-ctrl=no sched=credit"
	rootLine     = "root=/dev/vda rw quiet init=/lbvm-init panic=1"
)

// kind of a machine.
type kind struct {
	xen    bool
	disks  []string // raw ones, which machines share
	number int      // 1, 2: its name and address
}

func nodeName(number int) string { return "node" + strconv.Itoa(number) }

// begin starts a machine. It ends with the test.
func begin(t *testing.T, img, tar, dir string, k kind) *machine {
	t.Helper()
	m := &machine{t: t, name: nodeName(k.number), number: k.number, ended: make(chan struct{}), waiting: map[int]chan answer{}}
	socket := filepath.Join(dir, m.name+".port")
	m.log = filepath.Join(dir, m.name+".console")
	file := func(n string) string { return filepath.Join(img, n) }
	argv := []string{real.Need(t, "qemu-system-x86_64"), "-accel", "tcg,thread=multi", "-smp", "1", "-nodefaults", "-no-user-config",
		"-display", "none", "-no-reboot", "-serial", "file:" + m.log,
		// In this order they are vda, vdb and so on.
		"-drive", "file=" + file("root.img") + ",if=none,format=raw,snapshot=on,id=root", "-device", "virtio-blk-pci,drive=root",
		"-drive", "file=" + tar + ",if=none,format=raw,readonly=on,id=tar", "-device", "virtio-blk-pci,drive=tar",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=port,server=on,wait=off,path=" + socket, "-device", "virtserialport,chardev=port,name=lbvm",
		"-netdev", "dgram,id=net,local.type=unix,local.path=" + filepath.Join(dir, m.name+".wire") + ",remote.type=unix,remote.path=" + filepath.Join(dir, nodeName(3-k.number)+".wire"),
		"-device", fmt.Sprintf("virtio-net-pci,netdev=net,romfile=,mac=52:54:00:79:00:%02x", k.number)}
	for i, d := range k.disks {
		id := "shared" + strconv.Itoa(i)
		argv = append(argv, "-drive", "file="+d+",if=none,format=raw,cache=none,file.locking=off,id="+id, "-device", "virtio-blk-pci,share-rw=on,drive="+id)
	}
	if k.xen {
		argv = append(argv, "-cpu", xenProcessor, "-m", "1700", "-kernel", file("xen.elf"), "-append", xenLine,
			"-initrd", file("vmlinuz")+" console=hvc0 "+rootLine+","+file("initrd.img"))
	} else {
		argv = append(argv, "-cpu", "max", "-m", "1000", "-kernel", file("vmlinuz"), "-append", "console=ttyS0 "+rootLine, "-initrd", file("initrd.img"))
	}
	m.cmd = exec.Command("nice", append([]string{"-n", "10"}, argv...)...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	complaint := &strings.Builder{}
	m.cmd.Stderr = complaint
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the machine dies with the thread that has started it
		err := m.cmd.Start()
		started <- err
		if err == nil {
			if err := m.cmd.Wait(); err != nil {
				fmt.Fprintln(complaint, err)
			}
		}
		close(m.ended)
	}()
	must(t, <-started)
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			text, _ := os.ReadFile(m.log)
			t.Logf("the console of %s, its end:\n%s\n%s", m.name, last(string(text), 4000), complaint)
		}
	})
	for m.conn == nil {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			m.conn = conn
			break
		}
		select {
		case <-m.ended:
			t.Fatalf("%s: qemu ended: %s", m.name, complaint)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return m
}

func last(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// upWithin bounds a boot, on a machine that is busy with other things.
const upWithin = 20 * time.Minute

// up waits until the machine serves.
func (m *machine) up() time.Duration {
	m.t.Helper()
	began := time.Now()
	must(m.t, m.conn.SetReadDeadline(began.Add(upWithin)))
	in := bufio.NewReader(m.conn)
	line, err := in.ReadString('\n')
	if err != nil || !strings.Contains(line, hello) {
		m.t.Fatalf("%s did not come up: %q, %v", m.name, line, err)
	}
	must(m.t, m.conn.SetReadDeadline(time.Time{}))
	go func() {
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			var a answer
			if err := json.Unmarshal(line, &a); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v: %q\n", m.name, err, line)
				continue
			}
			m.mu.Lock()
			if c := m.waiting[a.ID]; c != nil {
				c <- a
			}
			delete(m.waiting, a.ID)
			m.mu.Unlock()
		}
	}()
	return time.Since(began)
}

var errDead = errors.New("the machine has ended")

// ask runs a program there.
func (m *machine) ask(r request) (answer, error) {
	c := make(chan answer, 1)
	if r.Limit == 0 {
		r.Limit = 2 * time.Minute
	}
	m.mu.Lock()
	m.asked++
	r.ID = m.asked
	m.waiting[r.ID] = c
	b, err := json.Marshal(r)
	if err == nil {
		_, err = m.conn.Write(append(b, '\n'))
	}
	m.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	select {
	case a := <-c:
		return a, nil
	case <-m.ended:
		return answer{}, errDead
	case <-time.After(r.Limit + time.Minute):
		return answer{}, fmt.Errorf("no answer within %s", r.Limit+time.Minute)
	}
}

// run runs a program there and gives what it printed, and its exit code.
func (m *machine) run(argv ...string) (string, int) {
	m.t.Helper()
	a, err := m.ask(request{Argv: argv})
	if err != nil {
		m.t.Fatalf("%s: %q: %v", m.name, argv, err)
	}
	return a.Out, a.Code
}

// sh is a piece of shell that must succeed.
func (m *machine) sh(script string) string {
	m.t.Helper()
	out, code := m.run("sh", "-ec", script)
	if code != 0 {
		m.t.Fatalf("%s: exit %d of %s\n%s", m.name, code, script, out)
	}
	return strings.TrimSpace(out)
}

// put writes a file there.
func (m *machine) put(path, text, mode string) {
	m.t.Helper()
	a, err := m.ask(request{Argv: []string{"sh", "-ec", `mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"`, "sh", path, mode}, Stdin: text})
	if err != nil || a.Code != 0 {
		m.t.Fatalf("%s: writing %s: %v %s", m.name, path, err, a.Out)
	}
}

// kill pulls the plug.
func (m *machine) kill() {
	if m.cmd.Process != nil {
		if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			m.t.Error(err)
		}
		<-m.ended
	}
}

// await asks until a condition holds.
func (m *machine) await(what string, within time.Duration, holds func() bool) time.Duration {
	m.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > within {
			m.t.Fatalf("%s: not within %s: %s", m.name, within, what)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return time.Since(began)
}
