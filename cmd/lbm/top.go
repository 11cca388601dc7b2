package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/internal/top"
)

// explainLimit is how long an explanation may take: it asks the cluster.
const explainLimit = 30 * time.Second

func (w world) topCommand() *cli.Command {
	return &cli.Command{
		Name: "top", Usage: "watch nodes, virtual machines and moves",
		Description: "Shows the nodes with bars of their resources and what they were in the last half hour, the VMs with the last\n" +
			"decision about each, and the moves of the day. It reads what lblog and lbmonitor have written and asks nobody else.\n" +
			"Where the shared storage is away it shows what it read last, and how old that is. Without a terminal, and with\n" +
			"--once, it prints one picture.\n\n" +
			"A full bar of cpu and psi is 1, a busy node; of MEMORY a node whose memory is taken; of all other resources the\n" +
			"highest value that is shown. ram is what is free: its bar is long where much is free.\n\n" +
			"Keys: arrows select a VM, Enter explains its decision, s sorts the VMs by decision, name, node, processors or\n" +
			"memory, n sorts the nodes by load, < and > choose the resources, q quits.\n\n" +
			"   lbm top\n   lbm top --once | less\n   lbm top -o json\n\n" +
			"Exit codes: 0 done, 1 failed, 130 ended by a signal.",
		Flags: []cli.Flag{outputFlag(), &cli.BoolFlag{Name: "once", Usage: "print one picture"},
			&cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "`TIME` between two looks"},
			&cli.BoolFlag{Name: "feed", Hidden: true}}, // what a watching lbm starts to read for it
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm top takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			every := c.Duration("interval")
			if every < time.Second || every > time.Hour {
				return cli.Exit("--interval is a time from 1s to 1h; see lbm top --help", exitUsage)
			}
			in, out := w.onTerminal()
			switch {
			case c.Bool("feed"):
				r := top.Reader{Host: w.host}
				return top.Feed(c.Context, w.stdout, w.wait, every, func() (top.Snapshot, error) { return r.Read(w.clock.Now()) })
			case asJSON || c.Bool("once") || !in || !out:
				return w.topOnce(c.Context, asJSON)
			}
			return w.topLive(c.Context, every)
		},
	}
}

// onTerminal tells whether a person types, and sees what is printed.
func (w world) onTerminal() (in, out bool) {
	stdin, isFile := w.stdin.(*os.File)
	stdout, isFileToo := w.stdoutFile()
	return isFile && term.IsTerminal(stdin), isFileToo && term.IsTerminal(stdout)
}

func (w world) topOnce(ctx context.Context, asJSON bool) error {
	if err := w.answers(ctx); err != nil {
		return err
	}
	s, err := (&top.Reader{Host: w.host}).Read(w.clock.Now())
	if err != nil {
		return err
	}
	if asJSON {
		return term.JSON(w.stdout, s)
	}
	for _, line := range top.Frame(&s, top.View{Width: w.width(), Now: w.clock.Now(), Order: top.ByDecision, UTF8: w.utf8()}) {
		text := ""
		for _, span := range line {
			text += w.paint.Paint(span.Style, span.Text)
		}
		if _, err := fmt.Fprintln(w.stdout, strings.TrimRight(text, " ")); err != nil {
			return err
		}
	}
	return nil
}

// width is that of the terminal; what is piped is cut for a reader who has not said how wide his is.
func (w world) width() int {
	const usual = 160
	if f, ok := w.stdoutFile(); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return usual
}

// utf8 tells whether the locale's characters are UTF-8, as setlocale would find out.
func (w world) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		for i := len(w.environ) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(w.environ[i], name+"="); ok && v != "" {
				v = strings.ToLower(v)
				return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
			}
		}
	}
	return false
}

// topLive shows the screen. A process of its own reads, so that a shared storage that is away holds neither the screen nor its end.
func (w world) topLive(ctx context.Context, every time.Duration) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT) // they would leave the terminal as it is
	defer stop()
	updates, end, err := w.feed(every)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	screen, err := tcell.NewScreen()
	if err != nil {
		return fmt.Errorf("preparing the terminal: %w (lbm top --once needs none)", err)
	}
	err = top.Screen{Terminal: screen, Updates: updates, Explain: w.explainText, Clock: w.clock, Wait: w.wait, Every: every, Colour: w.paint.On(), UTF8: w.utf8()}.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return cli.Exit("", exitInterrupted)
	}
	return err
}

// feed starts the process that reads. end kills it and does not wait: it may hang in a read that no signal ends.
func (w world) feed(every time.Duration) (updates <-chan top.Update, end func() error, err error) {
	r, write, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("starting what reads the shared storage: %w", err)
	}
	cmd := exec.Command(w.self, "top", "--feed", "--interval", every.String())
	cmd.Env, cmd.Dir, cmd.Stdout = w.host.Environ(), "/", write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // no key of the terminal reaches it; without a reader its next write ends it
	err = cmd.Start()
	err = errors.Join(err, write.Close())
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("starting what reads the shared storage: %w", err), r.Close())
	}
	end = func() error {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("ending what reads the shared storage: %w", err)
		}
		return nil
	}
	return top.Follow(io.Reader(r)), end, nil
}

// explainText is what lbm explain prints. It asks the cluster, and is a process of its own for the same reason.
func (w world) explainText(ctx context.Context, vm string) (string, error) {
	ctx, stop := w.wait.WithTimeout(ctx, explainLimit)
	defer stop()
	r, err := w.run.Run(ctx, run.Command{Argv: []string{w.self, "explain", vm}, Env: w.host.Environ()})
	return string(r.Stdout) + string(r.Stderr), err
}
