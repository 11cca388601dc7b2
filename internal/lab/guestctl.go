package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/lbvm/lbvm/internal/host"
)

// GuestSpec is what a hypervisor starts. Paths are the node's own, without its root.
type GuestSpec struct {
	Type, VM string
	MemBytes int64
	Disks    []string // written to by every tick
	Boot     []string // written to by a cold boot
	Memory   *Memory  // nil boots cold; otherwise the guest begins frozen
}

// Guest is a guest process as its daemon sees it.
type Guest struct {
	Type, VM    string
	MemBytes    int64
	PID         int
	Incarnation string

	process *os.Process
	gone    chan struct{}

	talk sync.Mutex // one question at a time
	in   io.WriteCloser
	out  *bufio.Reader

	mu     sync.Mutex
	load   float64
	frozen bool
	busy   float64 // processor seconds, in the lab's time
	here   float64 // seconds for which they were counted
}

// ErrGone says that the guest's process has ended.
var ErrGone = errors.New("the guest is gone")

// Boot starts a guest and returns when it has booted, or when it waits frozen with its memory.
func (n *Node) Boot(s GuestSpec) (*Guest, error) {
	order := guestOrder{
		Node: n.Name, Witness: n.Layout.Witness(s.Type, s.VM),
		Memory: Memory{Type: s.Type, VM: s.VM, MemBytes: s.MemBytes},
	}
	if s.Memory != nil {
		order.Memory = *s.Memory
	}
	for _, d := range s.Disks {
		order.Disks = append(order.Disks, n.Path(d))
	}
	for _, b := range s.Boot {
		order.Boot = append(order.Boot, n.Path(b))
	}
	if err := os.MkdirAll(filepath.Dir(order.Witness), 0o755); err != nil {
		return nil, err
	}
	line, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	g := &Guest{
		Type: s.Type, VM: s.VM, MemBytes: order.Memory.MemBytes,
		load: order.Memory.Load, frozen: s.Memory != nil, gone: make(chan struct{}),
	}
	if err := g.start(n, append(line, '\n')); err != nil {
		return nil, fmt.Errorf("starting guest %s:%s: %w", s.Type, s.VM, err)
	}
	return g, nil
}

func (g *Guest) start(n *Node, order []byte) error {
	cmd := exec.Command(n.program, "guest", g.Type+":"+g.VM)
	cmd.Env = []string{host.RootVariable + "=" + n.Root}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	g.in, g.out = in, bufio.NewReader(out)
	if err := n.adopt(g, cmd); err != nil {
		return err
	}
	answer, err := g.ask(string(order))
	word, incarnation, _ := strings.Cut(answer, " ")
	if err != nil || word != "ready" {
		g.Kill()
		return fmt.Errorf("it did not begin: it said %q: %w", answer, err)
	}
	g.Incarnation = incarnation
	return nil
}

// adopt starts the process of g and counts it until it has ended.
func (n *Node) adopt(g *Guest, cmd *exec.Cmd) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life.Err() != nil {
		return errors.New("the node goes down")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.process, g.PID = cmd.Process, cmd.Process.Pid
	n.guests[g] = true
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		var ended *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
			fmt.Fprintf(os.Stderr, "lab: waiting for guest %s:%s: %v\n", g.Type, g.VM, err)
		}
		n.mu.Lock()
		delete(n.guests, g)
		n.mu.Unlock()
		close(g.gone)
	}()
	return nil
}

func (g *Guest) ask(line string) (string, error) {
	g.talk.Lock()
	defer g.talk.Unlock()
	if _, err := io.WriteString(g.in, line); err != nil {
		return "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	answer, err := g.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	return strings.TrimSuffix(answer, "\n"), nil
}

func (g *Guest) tell(line string) error {
	answer, err := g.ask(line + "\n")
	if err == nil && answer != "ok" {
		err = fmt.Errorf("guest %s:%s answered %q to %q", g.Type, g.VM, answer, line)
	}
	return err
}

// Freeze stops the guest's world. When it returns nil, the guest writes nothing any more.
func (g *Guest) Freeze() error { return g.setFrozen("freeze", true) }

// Thaw lets a frozen guest go on.
func (g *Guest) Thaw() error { return g.setFrozen("thaw", false) }

func (g *Guest) setFrozen(word string, frozen bool) error {
	if err := g.tell(word); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = frozen
	return nil
}

// Memory reads the guest's memory. Only a frozen guest's is worth keeping.
func (g *Guest) Memory() (Memory, error) {
	answer, err := g.ask("save\n")
	if err != nil {
		return Memory{}, err
	}
	text, ok := strings.CutPrefix(answer, "memory ")
	var m Memory
	if !ok || json.Unmarshal([]byte(text), &m) != nil {
		return Memory{}, fmt.Errorf("guest %s:%s answered %q", g.Type, g.VM, answer)
	}
	return m, nil
}

// SetLoad sets the share of the node's processors that the guest uses; it is part of its memory.
func (g *Guest) SetLoad(share float64) error {
	if math.IsNaN(share) || share < 0 || share > 1 {
		return fmt.Errorf("load %v is not between 0 and 1", share)
	}
	if err := g.tell(fmt.Sprintf("load %g", share)); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.load = share
	return nil
}

// Load is what the guest takes of the processors now.
func (g *Guest) Load() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen {
		return 0
	}
	return g.load
}

// Seconds is what the guest has taken of the processors so far, in the lab's time.
func (g *Guest) Seconds() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy
}

// count adds what the guest took in a piece of time; of all that is wanted it gets that part.
func (g *Guest) count(seconds, part float64) {
	took := g.Load() * seconds * processors * part
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy += took
	g.here += seconds
}

// Frozen tells whether the guest's world stands still.
func (g *Guest) Frozen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.frozen
}

// Alive tells whether the guest's process is there.
func (g *Guest) Alive() bool {
	select {
	case <-g.gone:
		return false
	default:
		return true
	}
}

// Shutdown lets the guest end in order and returns when it is gone. A frozen guest cannot.
func (g *Guest) Shutdown() error {
	if g.Frozen() {
		return errors.New("a frozen guest does not shut down")
	}
	if err := g.tell("stop"); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	<-g.gone
	return nil
}

// Kill ends the guest at once and returns when it is gone.
func (g *Guest) Kill() {
	// The error says that it is gone already.
	if err := g.process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
		<-g.gone
	}
}
