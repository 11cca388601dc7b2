package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) historyCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "show what happened to the virtual machines", ArgsUsage: "[VM]",
		Description: "Reads the journals (migrate.log, report.log): moves and restarts with their outcome, what the balancer\n" +
			"would have moved, and what agents had to say out loud. Times are this machine's; in a lab they are the lab's.\n\n" +
			"   lbm history\n   lbm history 101\n   lbm history --since 24h -o json",
		Flags: []cli.Flag{outputFlag(), &cli.DurationFlag{Name: "since", Usage: "only the last `TIME` (30m, 24h)"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return tooMany(c, "lbm history takes one VM")
			}
			if c.Duration("since") < 0 {
				return cli.Exit("--since is a time back from now, as 30m or 24h; see lbm history --help", exitUsage)
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.history(c.Context, c.Args().First(), c.Duration("since"), asJSON)
		},
	}
}

// happening is one line of the history: a move is one, from its begin to its end.
type happening struct {
	At      time.Time `json:"at"`
	Event   string    `json:"event"` // move, restart, report, agent
	VM      string    `json:"vm"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Kind    string    `json:"kind"`
	Outcome string    `json:"outcome"` // "in flight" for a move without an end
	Memory  string    `json:"memory"`
	Seconds *float64  `json:"seconds"`
	By      string    `json:"by"`
	Why     string    `json:"why"`
}

func (w world) history(ctx context.Context, vm string, since time.Duration, asJSON bool) error {
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	_, err = w.sharedDir(ctx, id)
	switch {
	case errors.Is(err, errHangs):
		return cli.Exit(fmt.Sprintf("%v: the journals are there; lbm blackbox tells what this node's agents did", err), exitUnknown)
	case err != nil && !errors.Is(err, host.ErrNotShared):
		return err // an empty history would be a false one
	}
	all := []happening{}
	skipped := 0
	for _, name := range []string{"migrate.log", "report.log"} {
		b, err := os.ReadFile(filepath.Join(w.host.Path(id.LogDir), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		got, bad := happenings(b)
		all, skipped = append(all, got...), skipped+bad
	}
	from := w.clock.Now().Add(-since)
	all = slices.DeleteFunc(all, func(h happening) bool {
		_, name, _ := strings.Cut(h.VM, ":")
		return vm != "" && vm != h.VM && vm != name || since > 0 && h.At.Before(from)
	})
	slices.SortStableFunc(all, func(a, b happening) int { return a.At.Compare(b.At) })
	if skipped > 0 {
		fmt.Fprintf(w.stderr, "lbm: %d lines of the journals cannot be read and are left out\n", skipped)
	}
	if asJSON {
		return term.JSON(w.stdout, struct {
			History []happening `json:"history"`
		}{all})
	}
	if len(all) == 0 && vm != "" {
		fmt.Fprintf(w.stderr, "lbm: the journals tell nothing of %q\n", vm)
	}
	var rows [][]string
	for _, h := range all {
		rows = append(rows, h.row())
	}
	return term.Table(w.stdout, []string{"TIME", "VM", "EVENT", "FROM", "TO", "OUTCOME", "MEMORY", "TOOK", "BY", "WHY"}, rows)
}

func (h happening) row() []string {
	took := ""
	if h.Seconds != nil {
		took = (time.Duration(*h.Seconds * float64(time.Second))).Round(100 * time.Millisecond).String()
	}
	event := h.Event
	if h.Kind != "" {
		event += " " + h.Kind
	}
	return []string{h.At.Local().Format("2006-01-02 15:04:05"), h.VM, event, h.From, h.To, h.Outcome, h.Memory, took, h.By, h.Why}
}

// restartEvent is a move to where the VM was: it was to boot anew.
const restartEvent = "restart"

// inPlace makes a restart of a move whose target is its source.
func (h *happening) inPlace() {
	if h.From != "" && h.From == h.To {
		h.Event, h.Kind = restartEvent, ""
	}
}

// happenings reads a journal. The end of a move is joined with its begin; lines that cannot be read are counted.
func happenings(journal []byte) (all []happening, skipped int) {
	begun := map[string]int{}
	for _, line := range strings.Split(string(journal), "\n") {
		if line == "" {
			continue
		}
		at, p, err := keyval.ParseRecord(line)
		if err != nil {
			skipped++
			continue
		}
		switch event := p.Get("event"); event {
		case "begin":
			begun[p.Get("txn")] = len(all)
			all = append(all, happening{At: at, Event: "move", VM: p.Get("vm"), From: p.Get("from"), To: p.Get("to"),
				Kind: p.Get("kind"), Outcome: "in flight", By: p.Get("by"), Why: p.Get("why")})
			all[len(all)-1].inPlace()
		case "end":
			i, ok := begun[p.Get("txn")]
			if !ok {
				i = len(all)
				all = append(all, happening{At: at, Event: "move", VM: p.Get("vm"), From: p.Get("from"), To: p.Get("to")})
				all[i].inPlace()
			}
			h := &all[i]
			h.Outcome, h.Memory = p.Get("outcome"), p.Get("memory")
			if h.Event == restartEvent && h.Outcome == string(balance.OutcomeMoved) { // it was asked to boot: nothing is lost
				h.Outcome, h.Memory = "restarted", ""
			}
			if ok {
				took := at.Sub(h.At).Seconds()
				h.Seconds = &took
			}
			if h.Outcome != "moved" && h.Outcome != "restarted" && p.Get("why") != "" {
				h.Why = p.Get("why")
			}
		case "agent":
			all = append(all, happening{At: at, Event: "agent", VM: p.Get("vm"), From: p.Get("node"), Outcome: p.Get("outcome"), By: p.Get("action"), Why: p.Get("why")})
		case "report":
			all = append(all, happening{At: at, Event: "report", VM: p.Get("vm"), From: p.Get("from"), To: p.Get("to"), Why: p.Get("why")})
		default:
			skipped++
		}
	}
	return all, skipped
}
