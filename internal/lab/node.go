package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/run"
)

// Tool is one emulated program. It runs inside the node's daemon; ctx ends when the caller is killed.
type Tool func(ctx context.Context, n *Node, r Request) run.Result

// Node is one machine of the lab: its guests, its loads and the faults that are set on it.
type Node struct {
	Name   string
	Root   string
	Layout Layout
	Clock  clock.Clock // the lab's time

	life    context.Context
	program string
	tools   map[string]Tool
	wg      sync.WaitGroup

	mu     sync.Mutex
	base   float64 // load that is not a guest's
	own    float64 // processor seconds that no domain took
	guests map[*Guest]bool
	faults []*Fault
}

// RunNode is the whole life of a node's daemon: it makes the files below proc, answers on NodeSocket, owns the
// guests, and ends them when ctx ends. guestProgram is started as `guestProgram guest ...` and calls GuestMain.
func RunNode(ctx context.Context, l Layout, node string, guestProgram string, tools map[string]Tool) error {
	root := l.Root(node)
	c, err := clock.FromRoot(root)
	if err != nil {
		return err
	}
	life, end := context.WithCancel(ctx)
	defer end()
	n := &Node{
		Name: node, Root: root, Layout: l, Clock: c,
		life: life, program: guestProgram, tools: tools, guests: map[*Guest]bool{},
	}
	if err := ensureBoot(l, node); err != nil {
		return err
	}
	p := newProc(n)
	if err := p.write(); err != nil {
		return err
	}
	listener, err := Listen(l.NodeSocket(node))
	if err != nil {
		return fmt.Errorf("listening on %s: %w", l.NodeSocket(node), err)
	}
	if err := n.relocation(life); err != nil {
		return errors.Join(err, listener.Close())
	}
	var procErr error
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		if procErr = p.run(life); procErr != nil {
			end()
		}
	}()
	err = Serve(life, listener, n.answer)
	end()
	n.killAll()
	n.wg.Wait()
	return errors.Join(err, procErr)
}

// relocation is the port at which others take the node for one that receives running domains. Domains do not pass
// through it: the emulated tools have their own way.
func (n *Node) relocation(life context.Context) error {
	b, err := os.ReadFile(n.Path("/etc/hosts"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) != 2 || w[1] != n.Name {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(w[0], relocationPort))
		if err != nil {
			return fmt.Errorf("listening for domains: %w", err)
		}
		stop := context.AfterFunc(life, func() { _ = l.Close() })
		n.Go(func(context.Context) {
			defer stop()
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close() // that it was there to answer is all
			}
		})
	}
	return err
}

// Life is the daemon's own context: what xend or a kernel does goes on when the caller is killed.
func (n *Node) Life() context.Context { return n.life }

// Path joins a path of the node with its root.
func (n *Node) Path(path string) string { return filepath.Join(n.Root, path) }

// Setting reads a one-word file below etc, such as the version that a tool shall play.
func (n *Node) Setting(file, otherwise string) string {
	b, err := os.ReadFile(n.Path("/etc/" + file))
	if word := strings.TrimSpace(string(b)); err == nil && word != "" {
		return word
	}
	return otherwise
}

// Go runs f apart from any caller; the daemon waits for it at its end.
func (n *Node) Go(f func(life context.Context)) {
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		f(n.life)
	}()
}

func (n *Node) answer(ctx context.Context, r Request) run.Result {
	if len(r.Argv) == 0 {
		return run.Result{Code: 127, Stderr: []byte("lab: no program\n")}
	}
	if r.Argv[0] == "lab" {
		out, err := n.command(r.Argv[1:])
		if err != nil {
			return run.Result{Code: 1, Stderr: []byte("lab: " + err.Error() + "\n")}
		}
		return run.Result{Stdout: []byte(out)}
	}
	tool, ok := n.tools[r.Argv[0]]
	if !ok {
		return run.Result{Code: 127, Stderr: []byte(r.Argv[0] + ": command not found\n")}
	}
	return tool(ctx, n, r)
}

// command is one of the lab's own commands to a node.
func (n *Node) command(args []string) (string, error) {
	switch {
	case len(args) == 1 && args[0] == "guests":
		b, err := json.Marshal(n.Guests())
		return string(b) + "\n", err
	case len(args) == 2 && args[0] == "load":
		share, err := parseShare(args[1])
		if err != nil {
			return "", err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.base = share
		return "", nil
	case len(args) == 3 && args[0] == "load":
		share, err := parseShare(args[2])
		if err != nil {
			return "", err
		}
		g, err := n.guest(args[1])
		if err != nil {
			return "", err
		}
		return "", g.SetLoad(share)
	case len(args) == 2 && args[0] == "crash":
		g, err := n.guest(args[1])
		if err != nil {
			return "", err
		}
		g.Kill()
		return "", nil
	case len(args) == 6 && args[0] == "fault":
		nth, err1 := strconv.Atoi(args[4])
		times, err2 := strconv.Atoi(args[5])
		if err1 != nil || err2 != nil {
			return "", fmt.Errorf("fault %s %s: NTH %q and TIMES %q are to be numbers from 1 on", args[1], args[2], args[4], args[5])
		}
		return "", n.SetFault(Fault{Tool: args[1], Name: args[2], VM: args[3], Nth: nth, Times: times})
	case len(args) == 1 && args[0] == "faults":
		b, err := json.Marshal(n.Faults())
		return string(b) + "\n", err
	case len(args) == 2 && args[0] == "faults" && args[1] == "clear":
		n.ClearFaults()
		return "", nil
	}
	return "", fmt.Errorf("unknown command %q; known: guests | load [TYPE:VM] SHARE | crash TYPE:VM | fault TOOL NAME VM NTH TIMES | faults [clear]", args)
}

func parseShare(s string) (float64, error) {
	share, err := strconv.ParseFloat(s, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("load %q is not a share between 0 and 1", s)
	}
	return share, nil
}

// GuestInfo is one row of `lab guests`.
type GuestInfo struct {
	Type        string  `json:"type"`
	VM          string  `json:"vm"`
	PID         int     `json:"pid"`
	Incarnation string  `json:"incarnation"`
	Frozen      bool    `json:"frozen"`
	Load        float64 `json:"load"`
	MemBytes    int64   `json:"mem_bytes"`
}

// Guests lists the guests of this node in the order of their names.
func (n *Node) Guests() []GuestInfo {
	list := []GuestInfo{}
	for _, g := range n.all() {
		g.mu.Lock()
		list = append(list, GuestInfo{g.Type, g.VM, g.PID, g.Incarnation, g.frozen, g.load, g.MemBytes})
		g.mu.Unlock()
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].Type+":"+list[i].VM < list[j].Type+":"+list[j].VM
	})
	return list
}

func (n *Node) all() []*Guest {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]*Guest, 0, len(n.guests))
	for g := range n.guests {
		list = append(list, g)
	}
	return list
}

func (n *Node) guest(name string) (*Guest, error) {
	for _, g := range n.all() {
		if g.Type+":"+g.VM == name {
			return g, nil
		}
	}
	return nil, fmt.Errorf("guest %q is not on node %s", name, n.Name)
}

// FreeMemory is what a new guest could have.
func (n *Node) FreeMemory() int64 {
	free := int64(memTotal - memSystem)
	for _, g := range n.all() {
		free -= g.MemBytes
	}
	return max(free, 0)
}

func (n *Node) killAll() {
	for _, g := range n.all() {
		g.Kill()
	}
}
