package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/notify"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func (w world) notifyCommand() *cli.Command {
	return &cli.Command{
		Name: "notify", Usage: "show who is told of moves, and try whether it arrives",
		Description: "Shows the notify statements of lbvm.conf. With --test each command is run and each URL is sent to, as lbmonitor\n" +
			"would do it from this node, with an event that says that it is a test.\n\n" +
			"   lbm notify\n   lbm notify --test\n   lbm notify --test --event failed\n\n" +
			"Exit codes: 0 told (or shown), 1 somebody could not be told or nobody is to be, 2 usage.",
		Flags: []cli.Flag{outputFlag(), &cli.BoolFlag{Name: "test", Usage: "tell them of a test"},
			&cli.StringFlag{Name: "event", Usage: "with --test: only those who want this `EVENT` (" + strings.Join(conf.NotifyEvents(), ", ") + "); else each gets the first that it wants"}},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm notify takes no arguments")
			}
			event := c.String("event")
			if event != "" && (!c.Bool("test") || !(conf.Notify{Events: conf.NotifyEvents()}).Wants(event)) {
				return cli.Exit(fmt.Sprintf("--event goes with --test and is one of %s; see lbm notify --help", strings.Join(conf.NotifyEvents(), ", ")), exitUsage)
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.notify(c.Context, c.Bool("test"), event, asJSON)
		},
	}
}

// notified is one who is told.
type notified struct {
	To     string   `json:"to"` // a command, or a server without the path of its URL
	Events []string `json:"events"`
	Line   int      `json:"line"` // of lbvm.conf
	Tested *string  `json:"tested_event"`
	Told   *bool    `json:"told"` // null: it was not tried
	Error  *string  `json:"error"`
}

func (w world) notify(ctx context.Context, test bool, event string, asJSON bool) error {
	file, err := w.configuration(ctx)
	if err != nil {
		return err
	}
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	sender := notify.Sender{Host: w.host, Run: w.run, Wait: w.wait}
	all := []notified{}
	lost, tried := 0, 0
	for _, to := range file.Notify {
		n := notified{To: notify.Name(to), Events: to.Events, Line: to.Line}
		try := event
		if try == "" {
			try = to.Events[0]
		}
		if test && to.Wants(try) {
			err := sender.Send(ctx, to, notify.Example(try, w.clock.Now(), id.Cluster, id.Member))
			told := err == nil
			n.Tested, n.Told = &try, &told
			if tried++; err != nil {
				lost++
				text := strings.TrimPrefix(err.Error(), "telling "+n.To+": ")
				n.Error = &text
			}
		}
		all = append(all, n)
	}
	if asJSON {
		err = term.JSON(w.stdout, struct {
			Notify []notified `json:"notify"`
		}{all})
	} else if len(all) > 0 {
		err = w.showNotified(all, test)
	}
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return cli.Exit("lbvm.conf has no notify statement: nobody is told (notify failed, nothing /usr/local/bin/page;)", exitFailed)
	case test && tried == 0:
		return cli.Exit(fmt.Sprintf("nobody is to be told of %s", event), exitFailed)
	case lost > 0:
		return cli.Exit(fmt.Sprintf("%d of %d could not be told", lost, tried), exitFailed)
	}
	return nil
}

func (w world) showNotified(all []notified, test bool) error {
	head := []string{"LINE", "TO", "EVENTS"}
	if test {
		head = append(head, "TEST", "OUTCOME")
	}
	var rows [][]string
	for _, n := range all {
		row := []string{fmt.Sprint(n.Line), n.To, strings.Join(n.Events, ", ")}
		if test {
			event, outcome := "", "not tried"
			if n.Tested != nil {
				event, outcome = *n.Tested, "told"
			}
			if n.Error != nil {
				outcome = *n.Error
			}
			row = append(row, event, outcome)
		}
		rows = append(rows, row)
	}
	return term.Table(w.stdout, head, rows)
}
