package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/term"
)

// realCampaign is the campaign with real processes: a lab whose agents are killed with SIGKILL while the manager moves,
// stops and starts the VMs, and whose nodes lose their power now and then.
type realCampaign struct {
	a       app
	l       lab.Layout
	d       lab.Description
	seed    int64
	runs    int64 // how many agents are killed
	next    atomic.Int64
	killed  atomic.Int64
	deaths  atomic.Int64
	power   sync.RWMutex // episodes read-lock it; who pulls a plug has it alone
	mu      sync.Mutex
	found   []string
	of      map[string]int64 // how many agents of each technology were killed
	started time.Time
}

// Limits of a real campaign, in real time: machines can be loaded.
const (
	realLimit  = 4 * time.Minute
	plugEvery  = 40 // runs
	realVMs    = 4  // of each technology
	lookForKid = 3 * time.Millisecond
)

func (a app) campaignReal(c *cli.Context, json bool) (err error) {
	dir, err := os.MkdirTemp("", "lbvm-campaign-")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := lab.Options{Nodes: []string{"node1", "node2", "node3"}, Scale: 1, Programs: filepath.Dir(self), Lab: self, VMs: []lab.VM{}}
	for i := range realVMs {
		o.VMs = append(o.VMs, lab.VM{Type: "openvz", Name: strconv.Itoa(101 + i), Service: fmt.Sprint("vz", i+1), Memory: 64},
			lab.VM{Type: "xen", Name: fmt.Sprint("web", i+1), Memory: 64}, lab.VM{Type: "kvm", Name: fmt.Sprint("vm", i+1), Memory: 64},
			lab.VM{Type: "xen", Name: fmt.Sprint(ownPrefix, i+1), Memory: 64})
	}
	if _, err := lab.Create(filepath.Join(dir, "lab"), o); err != nil {
		return err
	}
	l, d, err := lab.Open(filepath.Join(dir, "lab"))
	if err != nil {
		return err
	}
	if err := ownTechnology(l, d, o.VMs); err != nil {
		return err
	}
	r := &realCampaign{a: a, l: l, d: d, seed: c.Int64("seed"), runs: c.Int64("runs"), of: map[string]int64{}, started: a.wait.Now()}
	if err := a.startManager(c.Context, l, realLimit, false); err != nil {
		return err
	}
	playing, done := context.WithCancel(c.Context)
	go func() {
		for a.wait.Sleep(playing, 20*time.Second) == nil {
			fmt.Fprintf(a.stderr, "%d of %d agents killed in %d runs\n", r.killed.Load(), r.runs, r.next.Load())
		}
	}()
	var wg sync.WaitGroup
	for _, v := range o.VMs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for r.killed.Load() < r.runs && c.Context.Err() == nil && r.episode(c.Context, r.next.Add(1)-1, v) {
			}
		}()
	}
	wg.Wait()
	done()
	findings, err := lab.CheckAll(l, lab.CheckOptions{ColdAllowed: 1 << 20})
	for _, f := range findings {
		r.find("the guest's own log: %s %s: %v", f.Kind, f.VM, f.Evidence)
	}
	took := a.wait.Now().Sub(r.started)
	if json {
		err = errors.Join(err, term.JSON(a.stdout, struct {
			Kind     string           `json:"kind"`
			Seed     int64            `json:"seed"`
			Runs     int64            `json:"runs"`
			Killed   int64            `json:"agents_killed"`
			Of       map[string]int64 `json:"agents_killed_of"`
			Deaths   int64            `json:"nodes_lost_power"`
			Findings []string         `json:"findings"`
			Took     float64          `json:"took_seconds"`
		}{"real", r.seed, r.next.Load(), r.killed.Load(), r.of, r.deaths.Load(), append([]string{}, r.found...), took.Seconds()}))
	} else {
		fmt.Fprintf(a.stdout, "%d runs with real processes from seed %d: %d agents killed (%s), %d nodes lost their power, %d findings, %s\n",
			r.next.Load(), r.seed, r.killed.Load(), r.kills(), r.deaths.Load(), len(r.found), took.Round(time.Second))
	}
	if len(r.found) > 0 {
		return errors.Join(err, cli.Exit("the lab stays as it is in "+l.Dir, exitFailed))
	}
	a.stdout = a.stderr
	return errors.Join(err, a.down(c.Context, l, d, false, time.Minute), os.RemoveAll(dir))
}

// kill counts an agent that was killed.
func (r *realCampaign) kill(typ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed.Add(1)
	r.of[typ]++
}

// kills are the counts in words.
func (r *realCampaign) kills() string {
	var out []string
	for _, typ := range slices.Sorted(maps.Keys(r.of)) {
		out = append(out, fmt.Sprint(typ, " ", r.of[typ]))
	}
	return strings.Join(out, ", ")
}

func (r *realCampaign) find(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	r.found = append(r.found, text)
	fmt.Fprintln(r.a.stderr, "found:", text)
}

// ask asks the cluster manager from a node. What it answers is not believed.
func (r *realCampaign) ask(ctx context.Context, node string, argv ...string) {
	ctx, cancel := context.WithTimeout(ctx, realLimit)
	defer cancel()
	_, err := lab.Call(ctx, r.l.ManagerSocket(), lab.Request{Node: node, Argv: argv, Dir: "/"})
	if err != nil && ctx.Err() != nil {
		fmt.Fprintf(r.a.stderr, "%s on %s: %v\n", strings.Join(argv, " "), node, err)
	}
}

// service is what the manager says of a VM's service.
func (r *realCampaign) service(ctx context.Context, name string) (state, owner string) {
	s, err := r.a.clusterStatus(ctx, r.l)
	if err != nil {
		return "", ""
	}
	for _, x := range s.Services {
		if x.Name == "service:"+name {
			return x.State, x.Owner
		}
	}
	return "", ""
}

// episode asks for something, kills the agent that does it at some moment, and has the VM back. It is false after a finding.
func (r *realCampaign) episode(ctx context.Context, n int64, v lab.VM) bool {
	rnd := rand.New(rand.NewSource(r.seed*1000003 + n))
	if n%plugEvery == plugEvery-1 {
		if !r.plug(ctx, r.d.Nodes[rnd.Intn(len(r.d.Nodes))]) {
			return false
		}
	}
	r.power.RLock()
	defer r.power.RUnlock()
	svc := v.Service
	if svc == "" {
		svc = v.Name
	}
	_, owner := r.service(ctx, svc)
	at, to := owner, r.d.Nodes[rnd.Intn(len(r.d.Nodes))]
	if at == "" {
		at = to
	}
	does := [...][]string{{"clusvcadm", "-r", svc, "-m", to}, {"clusvcadm", "-r", svc, "-m", to}, {"clusvcadm", "-R", svc}, {"clusvcadm", "-d", svc}}
	argv := does[rnd.Intn(len(does))]
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		r.ask(ctx, at, argv...)
	}()
	wait, ended := time.Duration(rnd.Intn(2500))*time.Millisecond, false
	victim := rnd.Intn(2) == 0 // the first agent that is seen, or whatever works after a while
	for begin := r.a.wait.Now(); !ended; {
		if victim || r.a.wait.Now().Sub(begin) > wait {
			if pid := agentOf(r.l.Dir, v); pid != 0 {
				if victim && r.a.wait.Sleep(ctx, time.Duration(rnd.Intn(900))*time.Millisecond) != nil {
					return false
				}
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					r.kill(v.Type)
				}
				break
			}
		}
		select {
		case <-asked:
			ended = true
		default:
			ended = r.a.wait.Sleep(ctx, lookForKid) != nil
		}
	}
	<-asked
	return r.recover(ctx, n, svc, strings.Join(argv, " "), rnd)
}

// recover is an administrator: -d what failed, -e what does not run, until it is started.
func (r *realCampaign) recover(ctx context.Context, n int64, svc, after string, rnd *rand.Rand) bool {
	for begin := r.a.wait.Now(); r.a.wait.Now().Sub(begin) < realLimit; {
		node := r.d.Nodes[rnd.Intn(len(r.d.Nodes))]
		switch state, _ := r.service(ctx, svc); state {
		case "started":
			return true
		case "failed":
			r.ask(ctx, node, "clusvcadm", "-d", svc)
		case "disabled", "stopped":
			r.ask(ctx, node, "clusvcadm", "-e", svc, "-m", node)
		default:
			if r.a.wait.Sleep(ctx, 5*look) != nil {
				return false
			}
		}
	}
	state, owner := r.service(ctx, svc)
	r.find("run %d: after %s the service %s does not come back: %s %s", n, after, svc, state, owner)
	return false
}

// plug pulls a node's plug, while nobody else asks for anything, and has it back.
func (r *realCampaign) plug(ctx context.Context, node string) bool {
	r.power.Lock()
	defer r.power.Unlock()
	ctx, cancel := context.WithTimeout(ctx, realLimit)
	defer cancel()
	r.deaths.Add(1)
	_, err := r.a.manager(ctx, r.l, "node", "kill", node)
	if err == nil {
		_, err = r.a.manager(ctx, r.l, "node", "start", node)
	}
	for err == nil {
		s, serr := r.a.clusterStatus(ctx, r.l)
		if serr == nil && s.Settled && len(notStarted(s)) == 0 {
			return true
		}
		for _, x := range s.Services {
			if name := strings.TrimPrefix(x.Name, "service:"); x.State == "failed" || x.State == "stopped" {
				r.ask(ctx, "node1", "clusvcadm", "-d", name)
				r.ask(ctx, "node1", "clusvcadm", "-e", name)
			}
		}
		err = r.a.wait.Sleep(ctx, 5*look)
	}
	r.find("node %s lost its power, and its services do not come back: %v", node, err)
	return false
}

// agentOf is the process of the agent that works for a VM, 0 if there is none. A keeper is none: it is what must live on.
func agentOf(dir string, v lab.VM) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || !bytes.HasPrefix(args, []byte(dir)) || !bytes.Contains(args, []byte("/"+v.Type+".sh\x00")) || bytes.HasSuffix(args, []byte("\x00status\x00")) {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && bytes.Contains(environ, []byte("OCF_RESKEY_name="+v.Name+"\x00")) && bytes.Contains(environ, []byte(host.RootVariable+"="+dir)) {
			return pid
		}
	}
	return 0
}
