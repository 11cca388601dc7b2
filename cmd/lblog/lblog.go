package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/sample"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// world is what the program works with.
type world struct {
	host           host.Host
	clock          clock.Clock
	run            run.Runner
	machine        func() (string, error) // nil: the kernel is asked
	stdin          io.Reader
	stdout, stderr io.Writer
}

// app is the command line.
func (w world) app() *cli.App {
	app := &cli.App{
		Name: "lblog", Usage: "measure this node's resources once",
		Version: host.Version(), HideHelpCommand: true, HideVersion: false,
		Description: "Measures every resource of lbresources.conf at once, appends each value to its log in logdir\n" +
			"(<node>-<resource>, lines of `TIMESTAMP VALUE`), and publishes this node's facts on the shared storage.\n\n" +
			"Cron runs it every minute:\n\n   * * * * * root /usr/share/lbvm/lblog\n\n" +
			"To see what it would write:\n\n   lblog --dry-run\n\n" +
			"Where lbvm.conf says `logs push;` the values are also sent to the other members by ssh, and the lblog there\n" +
			"is called with --receive. It takes lines of the members and resources that it knows, and nothing else.\n\n" +
			"Exit codes: 0 all was measured, 1 nothing could be written, 2 usage, 5 some resources failed.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "print the values, write nothing"},
			&cli.BoolFlag{Name: "receive", Usage: "write what another member's lblog sends to standard input (logs push;)"},
			&cli.StringFlag{Name: "config", Value: host.ConfFile, Usage: "the balancer's `FILE`"},
		},
		Writer: w.stdout, ErrWriter: w.stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return cli.Exit("lblog takes no arguments; see lblog --help", 2)
			}
			if c.Bool("receive") {
				if c.Bool("dry-run") {
					return cli.Exit("--receive and --dry-run exclude each other", 2)
				}
				return w.receive(c.Context, c.String("config"))
			}
			return w.once(c.Context, c.String("config"), c.Bool("dry-run"))
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return cli.Exit(err.Error()+"; see lblog --help", 2) },
	}
	term.PlainFlags(app.Flags, nil)
	return app
}

func (w world) main(args []string) int {
	app := w.app()
	err := app.RunContext(context.Background(), args)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w.stderr, "lblog:", text)
	}
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 1
}

// runLimit ends a run that hangs before cron has started many more.
const runLimit = 50 * time.Second

func (w world) once(ctx context.Context, config string, dry bool) error {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	set, err := w.configuration(config)
	if errors.Is(err, fs.ErrNotExist) { // it lies on the shared storage
		if _, shared := w.shared(id); shared != nil {
			return shared
		}
	}
	if err != nil {
		return err
	}
	if !dry {
		run, err := w.alone()
		if err != nil {
			return err
		}
		defer run.Close()
	}
	shared, err := w.shared(id)
	if err != nil && !dry {
		return err
	}
	if !dry {
		said, err := membership.Self(ctx, membership.Of(w.host, w.run), id.Member)
		if err == nil && !said {
			err = w.single(shared, id.Member)
		}
		if err != nil {
			return err
		}
	}
	s := sample.Sampler{Host: w.host, Clock: w.clock, Run: w.run, Config: w.runningConfig, Machine: w.machine, Dom0: hypervisor.FindDom0(w.tools())}
	at := w.clock.Now()
	readings := s.Measure(ctx, set.resources)
	vms, vmsErr := w.machines(ctx)
	own := w.own(vms)
	facts, factsErr := s.Facts(ctx, id.Member, w.listers(own))
	factsErr = errors.Join(factsErr, vmsErr, w.fitness(ctx, s, &facts, vms, own), s.Footprints(ctx, &facts, w.meters(), set.vms, !dry))
	if dry {
		return w.show(readings, facts.Guests, factsErr)
	}
	if err := sample.Record(w.host.Path(set.logDir), id.Member, at, readings); err != nil {
		return fmt.Errorf("%w (is the shared storage mounted? run lbm init once)", err)
	}
	packet := sample.NewPacket(id.Member, at, readings)
	if facts.Boot != "" {
		switch {
		case shared != "":
			err = host.WriteFacts(shared, facts)
		case set.push:
			packet.Facts = &facts
			err = w.keepFacts(facts)
		}
	}
	if set.push {
		w.push(ctx, s, packet)
	}
	if err != nil {
		return err
	}
	return w.failures(readings, factsErr)
}

// another is how long the facts of another boot speak for a machine that lives: so much is at least between a node's last run and its first
// one after a boot, or it is waited for.
const another = 3 * time.Minute

// single is nil unless another machine published under this name a moment ago: where the cluster does not say which node this is, it may
// be a copy of that one, with its lbvm.id. Published by a copy, a new boot would tell all nodes that the VMs of the other are free.
func (w world) single(shared, member string) error {
	if shared == "" {
		return nil
	}
	boot, err := w.host.BootID()
	if err != nil {
		return err
	}
	f, err := host.ReadFacts(shared, member)
	if err != nil || f.Boot == boot || f.At.IsZero() {
		return nil // nobody, or not known: as ever
	}
	if age := w.clock.Now().Sub(f.At); age > another || age < -another {
		return nil
	}
	return fmt.Errorf("another boot of %s published its facts at %s, and the cluster does not answer which node this is: if %s was copied, run lbm init --join here; if this node has just booted, the next run publishes",
		member, f.At.Format(time.RFC3339), host.IDFile)
}

// fitness adds what a relocator asks of this node.
func (w world) fitness(ctx context.Context, s sample.Sampler, f *host.Facts, vms []sample.VM, own vmexec.Node) error {
	needers := map[string]hypervisor.Needer{vmexec.Type: own}
	var err error
	f.Technologies, err = vmexec.Technologies(w.host)
	for name, d := range w.drivers() {
		if n, ok := d.(hypervisor.Needer); ok {
			needers[name] = n
		}
	}
	return errors.Join(err, s.Fitness(ctx, f, vms, needers))
}

// machines are the VMs of the cluster's configuration; none where there is none.
func (w world) machines(ctx context.Context) ([]sample.VM, error) {
	c, err := cluster.Configured(ctx, w.host, w.run, "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []sample.VM
	for _, x := range c.Machines {
		if host.CheckName(x.VM) == nil {
			out = append(out, sample.VM{Type: x.VMType, Name: x.VM, Params: x.Params})
		}
	}
	return out, nil
}

// runningConfig is the version of cluster.conf with which this node runs; 0 where no cman is installed.
func (w world) runningConfig(ctx context.Context) (uint64, error) {
	version, err := cluster.NewPublisher(w.host, w.run).Running(ctx)
	if errors.Is(err, run.ErrNotFound) {
		return 0, nil
	}
	return version, err
}

// shared is the shared storage, or "" where the cluster has none. It is looked for first: what is written below the
// mount point of a share that is not mounted is hidden as soon as it is.
func (w world) shared(id host.Identity) (string, error) {
	dir, err := w.host.SharedDir(id)
	if errors.Is(err, host.ErrNotShared) {
		return "", nil
	}
	return dir, err
}

// alone makes sure that a slow run is not overtaken by cron's next.
func (w world) alone() (*lockfile.Lock, error) {
	dir := w.host.Path(host.RunDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := lockfile.Try(filepath.Join(dir, "lblog.lock"), fmt.Sprintf("lblog, pid %d", os.Getpid()))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("the last run has not ended yet: %w", err)
	}
	return l, err
}

// settings is what lbvm.conf and lbresources.conf say.
type settings struct {
	resources []sample.Resource
	vms       []sample.VMResource
	logDir    string
	push      bool // logs push;
}

func (w world) configuration(path string) (settings, error) {
	read := func(p string) ([]byte, error) { return os.ReadFile(w.host.Path(p)) }
	file, res, diags, err := conf.Load(read, path)
	for _, d := range diags {
		fmt.Fprint(w.stderr, d.Format())
	}
	if err != nil {
		return settings{}, err
	}
	if file == nil || res == nil {
		return settings{}, errors.New("the configuration has errors: nothing was measured")
	}
	out := settings{logDir: file.Paths.LogDir, push: file.Push}
	for _, r := range res.List {
		out.resources = append(out.resources, sample.Resource{Name: r.Name, LogFile: r.LogFile, Command: r.Cmd, Builtin: strings.Join(r.Builtin, " "), Timeout: r.Timeout})
	}
	for _, r := range res.VMs {
		out.vms = append(out.vms, sample.VMResource{Name: r.Name, Part: res.Part(r), Command: r.Cmd, Timeout: r.Timeout})
	}
	return out, nil
}

// own are the VMs of technologies that an administrator has defined.
func (w world) own(vms []sample.VM) vmexec.Node {
	n := vmexec.Node{Tools: w.tools(), VMs: map[string]map[string]string{}}
	for _, vm := range vms {
		if vm.Type == vmexec.Type {
			n.VMs[vm.Name] = vm.Params
		}
	}
	return n
}

func (w world) tools() hypervisor.Tools {
	return hypervisor.Tools{Host: w.host, Clock: clock.System(), Query: w.run, Change: w.run}
}

// listers are the hypervisors that can tell what runs here.
func (w world) listers(own vmexec.Node) map[string]hypervisor.Lister {
	out := map[string]hypervisor.Lister{}
	if len(own.VMs) > 0 {
		out[vmexec.Type] = own
	}
	for name, d := range w.drivers() {
		if l, ok := d.(hypervisor.Lister); ok {
			out[name] = l
		}
	}
	return out
}

// meters are the hypervisors that can tell how busy their guests are.
func (w world) meters() map[string]hypervisor.Meter {
	out := map[string]hypervisor.Meter{}
	for name, d := range w.drivers() {
		if m, ok := d.(hypervisor.Meter); ok {
			out[name] = m
		}
	}
	return out
}

// drivers are those of the hypervisors whose tools this node has.
func (w world) drivers() map[string]hypervisor.Driver {
	out := map[string]hypervisor.Driver{}
	for name, tools := range map[string][]string{"openvz": {"vzlist"}, "xen": {"xm", "xl"}, "kvm": {"virsh"}} {
		if !slices.ContainsFunc(tools, func(t string) bool { _, err := w.host.Lookup(t); return err == nil }) {
			continue
		}
		d, err := hypervisor.New(name, w.tools())
		if err != nil {
			continue // a name of ours that New does not know: its own tests would fail
		}
		out[name] = d
	}
	return out
}

func (w world) log() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(w.stderr)
	return log
}

func (w world) failures(readings []sample.Reading, facts error) error {
	log := w.log()
	failed := 0
	for _, r := range readings {
		if r.Err != nil {
			failed++
			log.WithField("resource", r.Resource.Name).WithError(r.Err).Error("resource was not measured")
		}
	}
	if facts != nil {
		failed++
		log.WithError(facts).Error("facts are incomplete")
	}
	if failed > 0 {
		return cli.Exit("", 5)
	}
	return nil
}

func (w world) show(readings []sample.Reading, guests []host.GuestFact, facts error) error {
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RESOURCE\tVALUE\tTOOK")
	for _, r := range readings {
		value := r.Value
		if r.Err != nil {
			value = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Resource.Name, value, r.Took.Round(time.Millisecond))
	}
	if err := errors.Join(t.Flush(), w.showGuests(guests)); err != nil {
		return err
	}
	return w.failures(readings, facts)
}

// showGuests prints what the guests of this node use.
func (w world) showGuests(guests []host.GuestFact) error {
	if len(guests) == 0 {
		return nil
	}
	known := func(v float64, ok bool, format string) string {
		if !ok {
			return "-"
		}
		return fmt.Sprintf(format, v)
	}
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nVM\tCPU\tMIB\tOTHER")
	for _, g := range guests {
		var other []string
		for _, name := range slices.Sorted(maps.Keys(g.Uses)) {
			other = append(other, fmt.Sprintf("%s %g", name, g.Uses[name]))
		}
		if other == nil {
			other = []string{"-"}
		}
		fmt.Fprintf(t, "%s:%s\t%s\t%s\t%s\n", g.Type, g.Name, known(g.CPU, g.CPU >= 0, "%.4f"), known(float64(g.Mem>>20), g.Mem > 0, "%.0f"), strings.Join(other, ", "))
	}
	return t.Flush()
}
