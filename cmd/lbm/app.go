package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Exit codes of all our tools.
const (
	exitFailed  = 1 // failed, or errors found
	exitUsage   = 2
	exitRefused = 3 // nothing was changed
	exitUnknown = 4 // done, but not verified
	exitPartly  = 5

	exitInterrupted = 130
)

// world is what the program works with.
type world struct {
	host           host.Host
	clock          clock.Clock // of samples and journals
	wait           clock.Clock // for waiting
	run            run.Runner
	self           string // this program, for what may hang; "" does it in this process
	share          *share // what is known of the shared storage; nil asks for nothing
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool         // a person reads stderr
	paint          term.Painter // of stdout
	environ        []string     // of the person who runs it
}

// app is the command line.
func (w world) app() *cli.App {
	if w.share == nil {
		w.share = &share{}
	}
	app := &cli.App{
		Name: "lbm", Usage: "manage the load balancer of virtual machines",
		Version: host.Version(), EnableBashCompletion: true,
		UsageText: "lbm COMMAND [OPTIONS] [ARGUMENTS]\nlbm -l",
		Description: "The virtual machines are services of the cluster; lbm shows them and moves them.\n\n" +
			"   lbm init --shared /gfs      make a cluster ready, once\n" +
			"   lbm add /etc/vz/conf/101.conf  take an existing VM into it\n" +
			"   lbm -l                      where is what\n" +
			"   lbm status                  the cluster at a glance, problems first\n" +
			"   lbm show 101                one VM whole\n" +
			"   lbm nodes                   the nodes: members, memory, what was measured\n" +
			"   lbm migrate 101 node2       hand a running VM to another node\n" +
			"   lbm evacuate node2          hand all its VMs to other nodes\n" +
			"   lbm failback node2          bring them home\n" +
			"   lbm place 101               start it where there is most room\n" +
			"   lbm restart 101             boot it anew\n" +
			"   lbm repair 101              bring its service back to where it is\n" +
			"   lbm confirm-down 101 node2  node2 is off: let its VM start elsewhere\n" +
			"   lbm take 101                before it is started by hand on this node\n" +
			"   lbm history 101             what happened to it\n" +
			"   lbm why-down 101            why it does not run, and what to type next\n" +
			"   lbm handoff 101             what its hand-off record means, and what comes next\n" +
			"   lbm blackbox                what this node's agents did last\n" +
			"   lbm check                   is lbvm.conf right?\n" +
			"   lbm doctor --all            is anything wrong with the nodes, and what to do?\n" +
			"   lbm node add node4          let a node join the cluster\n" +
			"   lbm replay --from TIME      what would other rules have done\n" +
			"   lbm explain 101             why it would move now or not, or did then\n" +
			"   lbm top                     watch nodes, VMs and moves\n" +
			"   lbm notify --test           does it arrive, when a move is told?\n" +
			"   lbm eval 'CODE'             try a piece of a rule\n" +
			"   lbm exec check lxc          is the definition of a technology right?\n\n" +
			"Exit codes: 0 done, 1 failed or errors found, 2 usage, 3 refused and nothing changed,\n4 not verified, 5 partly done, 6 only warnings.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "list", Aliases: []string{"l"}, Usage: "list the balanced virtual machines"},
			&cli.StringFlag{Name: "c", Usage: "take an existing VM into the cluster, as lbm add does: `CONFIG`"}},
		Writer: w.stdout, ErrWriter: w.stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Commands: []*cli.Command{
			w.initCommand(),
			w.addCommand(),
			w.removeCommand(),
			w.purgeCommand(),
			w.statusCommand(),
			w.listCommand(),
			w.showCommand(),
			w.nodesCommand(),
			w.historyCommand(),
			w.handoffCommand(),
			w.migrateCommand(),
			w.evacuateCommand(),
			w.failbackCommand(),
			w.placeCommand(),
			w.restartCommand(),
			w.repairCommand(),
			w.confirmDownCommand(),
			w.takeCommand(),
			w.markLeftCommand(),
			w.guardCommand(),
			w.blackboxCommand(),
			w.checkCommand(),
			w.evalCommand(),
			w.explainCommand(),
			w.replayCommand(),
			w.doctorCommand(),
			w.whyDownCommand(),
			w.nodeCommand(),
			w.notifyCommand(),
			w.topCommand(),
			w.execCommand(),
			w.ccsCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return cli.Exit(fmt.Sprintf("there is no command %q; see lbm --help", c.Args().First()), exitUsage)
			}
			if c.Bool("list") {
				return w.listBalanced(c.Context)
			}
			if config := c.String("c"); config != "" {
				return w.addAsInTheManual(c, config)
			}
			if err := cli.ShowAppHelp(c); err != nil {
				return err
			}
			return cli.Exit("", exitUsage)
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
	}
	namesOnly(app.Commands)
	w.completes(app.Commands)
	w.sharing(app.Commands)
	term.PlainFlags(app.Flags, app.Commands)
	return app
}

func (w world) main(ctx context.Context, args []string) int {
	w.share = &share{} // what the app has learned of it holds for its messages
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &output{to: w.stdout, unread: cancel} // as a terminal that goes away
	w.stdout = out
	app := w.app()
	err := out.outcome(app.RunContext(ctx, optionsFirst(app, args)), w.stderr)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w.stderr, "lbm:", w.inItsWords(text))
	}
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return exitFailed
}

// inItsWords is a text in the words of this node's cluster manager.
func (w world) inItsWords(text string) string {
	return cluster.InWordsOf(w.kind(context.Background()), text)
}

func usageError(c *cli.Context, err error, _ bool) error {
	// The flag package writes each option with one dash.
	long := regexp.MustCompile(`(for flag |not defined: |needs an argument: )-([[:alnum:]_][[:alnum:]_-]+)`)
	return cli.Exit(fmt.Sprintf("%s; see %s --help", long.ReplaceAllString(err.Error(), "$1--$2"), c.Command.HelpName), exitUsage)
}

func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"}
}

// wantsJSON reads the output flag.
func wantsJSON(c *cli.Context) (bool, error) {
	switch o := c.String("output"); o {
	case "json":
		return true, nil
	case "table":
		return false, nil
	default:
		return false, cli.Exit(fmt.Sprintf("--output %q is neither table nor json; see %s --help", o, c.Command.HelpName), exitUsage)
	}
}

func (w world) manager() cluster.Manager {
	return cluster.Of(w.host, w.run, w.clock, w.kind(context.Background()))
}

// configuration reads lbvm.conf; what is wrong with it is printed.
func (w world) configuration(ctx context.Context) (*conf.File, error) {
	if err := w.answers(ctx); err != nil {
		return nil, err
	}
	src, err := os.ReadFile(w.host.Path(host.ConfFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, w.missing(err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	f, diags := conf.Parse(host.ConfFile, src)
	for _, d := range diags {
		fmt.Fprint(w.stderr, d.Format())
	}
	if f == nil {
		return nil, fmt.Errorf("%s has errors", host.ConfFile)
	}
	return f, nil
}

// missing says why there is no lbvm.conf: it lies on the shared storage, and lbm init makes nothing on a bare mount point.
func (w world) missing(err error) error {
	id, idErr := w.host.Identity()
	if idErr != nil {
		return idErr
	}
	if _, err := w.host.SharedDir(id); err != nil && !errors.Is(err, host.ErrNotShared) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errNoConfig
	}
	return fmt.Errorf("reading the configuration: %w", err)
}

// errNoConfig says that a cluster is not set up yet: its VMs are handed over, and nothing is balanced.
var errNoConfig = errors.New("there is no " + host.ConfFile + " yet, and the balancer does nothing (lbm init makes one)")

// tooMany says what is wrong with more arguments than a command takes.
func tooMany(c *cli.Context, what string) error {
	return cli.Exit(fmt.Sprintf("%s; see %s --help", what, c.Command.HelpName), exitUsage)
}

// configurationOf is what names the services, for messages: rgmanager has no primitives and no groups.
func configurationOf(st cluster.Status) string {
	for _, s := range st.Services {
		if strings.HasPrefix(s.ID, "primitive:") || strings.HasPrefix(s.ID, "group:") {
			return pacemakerConfiguration
		}
	}
	return "cluster.conf"
}

var errNoVM = errors.New("there is no VM")

// resolve finds the VM that a person names: its name, TYPE:NAME, or the service that holds it and nothing else.
func resolve(st cluster.Status, name string) (cluster.Service, error) {
	var found []cluster.Service
	for _, s := range st.Services {
		if s.VM != "" && (name == s.VM || name == s.VMType+":"+s.VM) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		for _, s := range st.Services {
			_, service, _ := strings.Cut(s.ID, ":")
			if s.VM != "" && (name == s.ID || name == service) {
				found = append(found, s)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return cluster.Service{}, fmt.Errorf("%w %q in %s", errNoVM, name, configurationOf(st))
	}
	var are []string
	for _, s := range found {
		are = append(are, s.VMType+":"+s.VM)
	}
	return cluster.Service{}, fmt.Errorf("%q may be any of %s: name one of them", name, strings.Join(are, ", "))
}
