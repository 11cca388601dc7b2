package lab

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is how often a guest writes.
const tick = 100 * time.Millisecond

// guestOrder is the first line that a guest process reads: what it is.
type guestOrder struct {
	Node    string   `json:"node"`
	Witness string   `json:"witness"`
	Disks   []string `json:"disks"`          // files that every tick writes to
	Boot    []string `json:"boot,omitempty"` // files that a cold boot writes to
	Memory  Memory   `json:"memory"`         // without incarnation: a cold boot
}

// guest is the process's side of a guest.
type guest struct {
	order   guestOrder
	process string // for the witness log
	mem     Memory
	witness *os.File
	disks   []*os.File
	frozen  bool
}

// GuestMain is the whole life of a guest process; args are what follows `lbvm-lab guest`: a name for the process
// list. The order comes as the first line of stdin, then one command a line, each answered by one line on stdout:
//
//	freeze   stop the guest's world; when it is answered, nothing is written any more
//	thaw     let it go on
//	save     answer the memory
//	load X   the share of the processors that the guest uses
//	stop     shut down
//
// One goroutine ticks and obeys, so that no tick can overtake an answer. The process ends with its daemon: at
// the end of stdin, and by the kernel's own signal.
func GuestMain(args []string) int {
	in := bufio.NewReader(os.Stdin)
	first, err := in.ReadBytes('\n')
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab guest: no order:", err)
		return 2
	}
	var g guest
	if err := json.Unmarshal(first, &g.order); err != nil {
		fmt.Fprintln(os.Stderr, "lab guest: reading the order:", err)
		return 2
	}
	if err := g.run(in); err != nil {
		fmt.Fprintf(os.Stderr, "lab guest %s: %v\n", strings.Join(args, " "), err)
		return 1
	}
	return 0
}

func (g *guest) run(in *bufio.Reader) error {
	if err := g.begin(); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	fmt.Printf("ready %s\n", g.mem.Incarnation)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if g.frozen {
				continue
			}
			if err := g.tick(); err != nil {
				return err
			}
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if line == "stop" {
				fmt.Println("ok")
				return nil
			}
			answer, err := g.obey(line)
			if err != nil {
				return err
			}
			fmt.Println(answer)
		}
	}
}

// begin opens what the guest writes to. A cold guest boots and runs, one with memory stays frozen.
func (g *guest) begin() (err error) {
	g.mem = g.order.Memory
	var unique [4]byte // the kernel gives a process id again as soon as it has gone round
	if _, err := rand.Read(unique[:]); err != nil {
		return err
	}
	g.process = fmt.Sprintf("%d.%x", os.Getpid(), unique)
	g.witness, err = os.OpenFile(g.order.Witness, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	for _, path := range g.order.Disks {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o640)
		if err != nil {
			return err
		}
		g.disks = append(g.disks, f)
	}
	if g.mem.Incarnation != "" {
		g.frozen = true
		return nil
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	g.mem.Incarnation, g.mem.N = hex.EncodeToString(id[:]), 0
	for _, path := range g.order.Boot {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte("boot "+g.mem.Incarnation+"\n"), 0o644); err != nil {
			return err
		}
	}
	return g.tick()
}

// tick writes the disks, then the witness log: an append of one line.
func (g *guest) tick() error {
	g.mem.N++
	for _, f := range g.disks {
		if _, err := fmt.Fprintf(offset{f}, "%s %020d\n", g.mem.Incarnation, g.mem.N); err != nil {
			return err
		}
	}
	line := Line{At: time.Now(), Node: g.order.Node, Process: g.process, Incarnation: g.mem.Incarnation, N: g.mem.N}
	_, err := g.witness.WriteString(line.String())
	return err
}

func (g *guest) obey(line string) (string, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "freeze":
		g.frozen = true
		return "ok", nil
	case "thaw":
		g.frozen = false
		return "ok", g.tick()
	case "save":
		b, err := json.Marshal(g.mem)
		return "memory " + string(b), err
	case "load":
		load, err := strconv.ParseFloat(rest, 64)
		if err != nil {
			return "", err
		}
		g.mem.Load = load
		return "ok", nil
	}
	return "", errors.New("unknown command " + strconv.Quote(line))
}

// offset writes always at the beginning.
type offset struct{ f *os.File }

func (o offset) Write(p []byte) (int, error) { return o.f.WriteAt(p, 0) }
