package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
)

func (a app) upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Usage: "start the lab; make it first where there is none", ArgsUsage: "[DIR]",
		Description: `Every node is switched on, the cluster manager starts, and up returns when every service has
settled. The options shape a new lab and mean nothing to one that is there.

   lbvm-lab up                          three nodes, three OpenVZ and three Xen guests, in ./lab
   lbvm-lab up --nodes 5 --xen 0 /tmp/big
   lbvm-lab up --bare                   as before lbm init: no marker, no lbvm.id, so no guest starts`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 3, Usage: "`N` nodes: node1 to nodeN"},
			&cli.IntFlag{Name: "openvz", Value: 3, Usage: "`N` OpenVZ guests: 101 and on, services centos1 and on"},
			&cli.IntFlag{Name: "xen", Value: 3, Usage: "`N` Xen guests: web1 db1 mail1 and on"},
			&cli.IntFlag{Name: "kvm", Usage: "`N` KVM guests: vm1 and on"},
			&cli.Float64Flag{Name: "scale", Value: 60, Usage: "`N` seconds of the lab pass in a real one"},
			&cli.StringFlag{Name: "cluster", Value: "lab", Usage: "`NAME` of the cluster"},
			&cli.StringFlag{Name: "programs", Usage: "`DIR` of the build (default: where lbvm-lab itself is)"},
			&cli.BoolFlag{Name: "bare", Usage: "leave to lbm init what it makes"},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "wait at most `TIME`, in real time"},
		},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 1); err != nil {
				return err
			}
			return a.up(c)
		},
	}
}

func (a app) up(c *cli.Context) error {
	dir := c.Args().First()
	if dir == "" {
		var err error
		if dir, err = a.folder(c); err != nil {
			return err
		}
	}
	l, d, err := a.openOrCreate(c, dir)
	if err != nil {
		return err
	}
	if _, err := a.manager(c.Context, l, "status"); err == nil {
		fmt.Fprintf(a.stdout, "The lab in %s is running already.\n", l.Dir)
		return a.showStatus(c.Context, l)
	}
	fmt.Fprintf(a.stdout, "Starting %d nodes in %s; a minute of the lab takes %s.\n", len(d.Nodes), l.Dir,
		time.Duration(float64(time.Minute)/d.Scale).Round(time.Millisecond))
	if err := a.startManager(c.Context, l, c.Duration("timeout"), c.Bool("bare")); err != nil {
		return err
	}
	if err := a.showStatus(c.Context, l); err != nil {
		return err
	}
	return a.hints(c, l, d, c.Bool("bare"))
}

func (a app) openOrCreate(c *cli.Context, dir string) (lab.Layout, lab.Description, error) {
	if _, err := os.Stat(filepath.Join(dir, "lab.json")); err == nil {
		return lab.Open(dir)
	}
	o, err := labOptions(c)
	if err != nil {
		return lab.Layout{}, lab.Description{}, err
	}
	if _, err := lab.Create(dir, o); err != nil {
		return lab.Layout{}, lab.Description{}, err
	}
	return lab.Open(dir)
}

func labOptions(c *cli.Context) (lab.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return lab.Options{}, err
	}
	o := lab.Options{Cluster: c.String("cluster"), Scale: c.Float64("scale"), Programs: c.String("programs"), Lab: self, Bare: c.Bool("bare"), VMs: []lab.VM{}}
	if o.Programs == "" {
		o.Programs = filepath.Dir(self)
	}
	nodes, vz, xen, kvm := c.Int("nodes"), c.Int("openvz"), c.Int("xen"), c.Int("kvm")
	if nodes < 1 || nodes > 16 || vz < 0 || xen < 0 || kvm < 0 || vz+xen+kvm > 100 {
		return o, cli.Exit("a lab has 1 to 16 nodes and at most 100 guests", exitUsage)
	}
	for i := 1; i <= nodes; i++ {
		o.Nodes = append(o.Nodes, fmt.Sprintf("node%d", i))
	}
	for i := 0; i < vz; i++ {
		o.VMs = append(o.VMs, lab.VM{Type: "openvz", Name: fmt.Sprint(101 + i), Service: fmt.Sprintf("centos%d", i+1), Node: o.Nodes[i%nodes]})
	}
	kinds := [...]string{"web", "db", "mail"}
	for i := 0; i < xen; i++ {
		o.VMs = append(o.VMs, lab.VM{Type: "xen", Name: fmt.Sprintf("%s%d", kinds[i%3], i/3+1), Node: o.Nodes[i%nodes]})
	}
	for i := 0; i < kvm; i++ {
		o.VMs = append(o.VMs, lab.VM{Type: "kvm", Name: fmt.Sprintf("vm%d", i+1), Node: o.Nodes[i%nodes]})
	}
	return o, nil
}

// startManager starts the cluster manager and waits until the cluster has settled.
func (a app) startManager(ctx context.Context, l lab.Layout, limit time.Duration, bare bool) error {
	cmd, err := detach(l, "manager.out", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}, "manager", l.Dir)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		s, err := a.clusterStatus(ctx, l)
		if err == nil && s.Settled && (bare || len(notStarted(s)) == 0) {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("the cluster manager ended at once (%v): %s", end, lastLine(l.Path("log/manager.out")))
		default:
		}
		if a.wait.Sleep(ctx, 5*look) == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("the cluster manager does not answer: %w; see %s", err, l.Path("log/manager.out"))
		}
		return fmt.Errorf("after %s these services are not started: %s; see %s, and stop the lab with lbvm-lab down",
			limit, strings.Join(notStarted(s), " "), l.Path("log/manager.log"))
	}
}

func notStarted(s rgmanager.Status) []string {
	var out []string
	for _, x := range s.Services {
		if x.State != "started" && x.State != "disabled" {
			out = append(out, fmt.Sprintf("%s (%s)", x.Name, x.State))
		}
	}
	return out
}

func (a app) clusterStatus(ctx context.Context, l lab.Layout) (rgmanager.Status, error) {
	text, err := a.manager(ctx, l, "status")
	if err != nil {
		return rgmanager.Status{}, err
	}
	var s rgmanager.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("reading the manager's answer: %w", err)
	}
	return s, nil
}

func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

// hints says what to try next.
func (a app) hints(c *cli.Context, l lab.Layout, d lab.Description, bare bool) error {
	me := "lbvm-lab"
	if def, err := filepath.Abs("lab"); err != nil || def != l.Dir {
		me += " --lab " + l.Dir
	}
	first, second := d.Nodes[0], d.Nodes[len(d.Nodes)-1]
	rows := [][2]string{
		{"run " + first + " clustat", "what the cluster manager sees"},
		{"run " + first + " clusvcadm -r SERVICE -m " + second, "hand a running guest over"},
		{"run " + first + " lbm init --shared /shared", "make it ready for balancing; on the others with --join"},
		{"load " + first + " 0.9", "make a node hot"},
		{"node kill " + second, "pull a plug"},
		{"check", "the verdict on what the guests wrote"},
		{"down", "stop it and remove the folder"},
	}
	if bare {
		rows[1] = [2]string{"run " + first + " lbm init --shared /shared", "make the cluster ready; on the others with --join"}
		rows[2] = [2]string{"run " + first + " clusvcadm -e SERVICE", "then start a guest"}
	}
	text := "\nTry next:\n"
	for _, r := range rows {
		text += fmt.Sprintf("  %s %-41s %s\n", me, r[0], r[1])
	}
	_, err := fmt.Fprintf(a.stdout, "%sThe manager's log: %s\n", text, l.Path("log/manager.log"))
	return errors.Join(err, c.Context.Err())
}
