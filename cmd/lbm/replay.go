package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/replay"
)

func (w world) replayCommand() *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "what would rules have done: run them over recorded load, or over a trace",
		Description: "Runs lbvm.conf's rules and rails minute by minute over what the logs and passes.log hold, or over a CSV trace,\n" +
			"with a model of what a move costs, and compares: no balancing, the configuration that is in place, and --conf.\n" +
			"Nothing is moved. With --decisions nothing is modelled: each pass that lbmonitor made is decided again from what was\n" +
			"recorded, and what comes out differently is shown.\n\n" +
			"   lbm replay --from '2008-01-14 00:00' --to '2008-01-15 00:00' --conf new.conf\n" +
			"   lbm replay --from '2008-01-14 00:00' --decisions\n" +
			"   lbm replay --record /tmp/case-17 --conf new.conf\n" +
			"   lbm replay --trace day.csv --nodes 8 --cores 16 --memory 65536 --conf new.conf\n\n" +
			"A record is a copy of another cluster's folder of logs, with its lbvm.conf and lbresources.conf: no cluster is needed to\n" +
			"replay it. --from and --to may be left out: all of it is taken. A folder of CSV traces is a record, too.\n\n" +
			"A line of a trace is a VM: name, processors, MiB of memory, then its load in per cent of its processors, a value for\n" +
			"each --interval. A node is overloaded above 95 %. A move takes 10 s and 1.3 times its memory at 112 MiB/s, and\n" +
			"a processor on both ends. A ping-pong is a move back within two hours.\n\n" +
			"Exit codes: 0 replayed, 1 it cannot be, 2 usage, 4 with --decisions: some differ from what was recorded.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "from", Usage: "begin of the recorded `TIME`"}, &cli.StringFlag{Name: "to", Usage: "its end, a `TIME`; now if it is not given"},
			&cli.StringFlag{Name: "conf", Usage: "compare with this lbvm.conf: `FILE`"}, &cli.StringFlag{Name: "trace", Usage: "the load of the CSV `FILE` instead of the recorded one"},
			&cli.StringFlag{Name: "record", Usage: "what is recorded in `DIR`, a copy of a folder of logs"},
			&cli.BoolFlag{Name: "decisions", Usage: "decide each recorded pass again, and show what differs"},
			&cli.IntFlag{Name: "nodes", Value: 8, Usage: "`N` nodes, for --trace"}, &cli.Float64Flag{Name: "cores", Value: 16, Usage: "processors of each: `N`"},
			&cli.Int64Flag{Name: "memory", Value: 65536, Usage: "memory of each: `MIB`"}, &cli.DurationFlag{Name: "interval", Value: 5 * time.Minute, Usage: "`TIME` between two values of the trace"},
		},
		Action: func(c *cli.Context) error {
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			trace, record, from := c.String("trace") != "", c.String("record") != "", c.String("from") != ""
			switch {
			case c.NArg() > 0 || !trace && !record && !from || trace && (record || from):
				return tooMany(c, "lbm replay takes --from TIME, --record DIR, or --trace FILE")
			case trace && c.Bool("decisions"):
				return tooMany(c, "--decisions needs passes that were made: a trace holds none")
			}
			return w.replay(c, asJSON)
		},
	}
}

// replayed is the JSON of lbm replay.
type replayed struct {
	World    string        `json:"world"`
	Minutes  int           `json:"minutes"`
	LeftOut  []string      `json:"left_out_vms"` // they came to the nodes later
	Policies []replayedRow `json:"policies"`
}

type replayedRow struct {
	Policy       string         `json:"policy"`
	Overload     int            `json:"overload_minutes"`
	Unserved     float64        `json:"unserved_ratio"`
	Moves        int            `json:"moves"`
	PingPongs    int            `json:"ping_pongs"`
	Inflow       int            `json:"max_inflow"`
	Imbalance    float64        `json:"imbalance_ratio"`
	Rails        map[string]int `json:"rails"`
	Taken        []string       `json:"resources_as_recorded"` // no move of the model changes them
	Missing      []string       `json:"resources_without_data"`
	Hours        []float64      `json:"imbalance_by_hour"`
	OverloadHour []int          `json:"overload_minutes_by_hour"`
	Journal      []replayedMove `json:"journal"`
}

// replayedMove is a move of the model. Its end is null where the replay ended before it.
type replayedMove struct {
	VM    string     `json:"vm"`
	From  string     `json:"from"`
	To    string     `json:"to"`
	Begin time.Time  `json:"begin"`
	End   *time.Time `json:"end"`
}

func replayedMoves(journal []balance.Move) []replayedMove {
	out := make([]replayedMove, 0, len(journal))
	for _, m := range journal {
		x := replayedMove{VM: m.VM, From: m.From, To: m.To, Begin: m.Begin}
		if !m.End.IsZero() {
			x.End = &m.End
		}
		out = append(out, x)
	}
	return out
}

func (w world) replay(c *cli.Context, asJSON bool) error {
	src, err := w.recordedSource(c)
	if err != nil {
		return err
	}
	now, err := src.config(w, "")
	var inPlace *balance.Config
	switch {
	case err == nil:
		inPlace = now
	case !src.traced || c.String("conf") == "":
		return err
	}
	policies := []replay.Policy{replay.None{}}
	if inPlace != nil {
		policies = append(policies, replay.NewBalancer("lbvm.conf", balanceAll(inPlace, src.traced), true).Reading(src.recorded(w, inPlace)))
	}
	var given *balance.Config
	if file := c.String("conf"); file != "" {
		if given, err = src.config(w, file); err != nil {
			return err
		}
		policies = append(policies, replay.NewBalancer(filepath.Base(file)+" (new)", balanceAll(given, src.traced), true).Reading(src.recorded(w, given)))
		if inPlace == nil {
			inPlace = given
		}
	}
	if src.traced {
		world, err := src.trace(c)
		if err != nil {
			return err
		}
		return w.showReplay(c.Context, world, policies, asJSON)
	}
	from, to, err := src.span(c, w.clock.Now())
	if err != nil {
		return err
	}
	if c.Bool("decisions") {
		return w.decideAgain(c.Context, src, inPlace, given, from, to, asJSON)
	}
	passes := filepath.Join(src.dir, balance.PassesName)
	uses, err := balance.OpenPassUses(passes)
	if err != nil {
		return err
	}
	defer uses.Close()
	const within = 15 * time.Minute
	world, err := replay.Recording{Config: inPlace, Samples: src.samples(w, inPlace), Passes: func(at time.Time) (*balance.Pass, error) {
		return balance.PassOf(passes, at, within, func(string, string) bool { return false })
	}, Uses: func(at time.Time) ([]balance.VM, error) { return uses.At(at, within) }}.World(from, to)
	if errors.Is(err, balance.ErrNoPass) {
		err = heldPasses(err, uses)
	}
	if err != nil {
		return err
	}
	return w.showReplay(c.Context, world, policies, asJSON)
}

// namedLeftOut is how many VMs are named that came too late.
const namedLeftOut = 10

// balanceAll lets a configuration balance every VM of a trace, whose names it cannot know.
func balanceAll(c *balance.Config, traced bool) *balance.Config {
	if !traced {
		return c
	}
	all := *c
	all.Balance = nil
	return &all
}

func (w world) showReplay(ctx context.Context, world *replay.World, policies []replay.Policy, asJSON bool) error {
	out := replayed{World: world.Name, Minutes: world.Ticks, LeftOut: append([]string{}, world.LeftOut...), Policies: []replayedRow{}}
	var rows [][]string
	var plots, notes strings.Builder
	for _, p := range policies {
		s, err := replay.Run(ctx, world, p, replay.DefaultModel())
		if err != nil {
			return err
		}
		rows = append(rows, append([]string{p.Name()}, s.Row()...))
		hours, overloads := append([]float64{}, s.Hours...), append([]int{}, s.Overloads...)
		out.Policies = append(out.Policies, replayedRow{p.Name(), s.Overload, s.Unserved, s.Moves, s.PingPongs, s.Inflow, s.Imbalance, s.Rails, append([]string{}, s.Taken...), append([]string{}, s.Missing...), hours, overloads, replayedMoves(s.Journal)})
		if len(s.Taken) > 0 {
			fmt.Fprintf(&notes, "%s: its rules read %s as recorded, which no move of the model changes\n", p.Name(), strings.Join(s.Taken, ", "))
		}
		if len(s.Missing) > 0 {
			fmt.Fprintf(&notes, "%s: its rules ask for %s, of which nothing is recorded here: what asks for it stays\n", p.Name(), strings.Join(s.Missing, ", "))
		}
		fmt.Fprintf(&plots, "%-20s imbalance %s\n", p.Name(), bars(hours))
		var o []float64
		for _, n := range overloads {
			o = append(o, float64(n)/60/float64(len(world.Nodes)))
		}
		fmt.Fprintf(&plots, "%-20s overload  %s\n", "", bars(o))
	}
	if asJSON {
		return term.JSON(w.stdout, out)
	}
	fmt.Fprintf(w.stdout, "%s: %s, %s, %s\n\n", world.Name, plural(len(world.Nodes), "node"), plural(len(world.VMs), "VM"), plural(world.Ticks, "minute"))
	if n := len(world.LeftOut); n > 0 {
		names := strings.Join(world.LeftOut[:min(n, namedLeftOut)], ", ")
		if n > namedLeftOut {
			names += ", ..."
		}
		fmt.Fprintf(w.stdout, "left out: %s that came to a node later than that begins (%s)\n\n", plural(n, "VM"), names)
	}
	if err := term.Table(w.stdout, append([]string{"POLICY"}, replay.Columns()...), rows); err != nil {
		return err
	}
	if notes.Len() > 0 {
		fmt.Fprintf(w.stdout, "\n%s", notes.String())
	}
	if world.Ticks >= 60 {
		fmt.Fprintf(w.stdout, "\nhour by hour; a full bar is 0.5\n%s", plots.String())
	}
	return nil
}

// bars draws values from 0 to 0.5, one character each. Of more than a hundred the mean of neighbours is drawn.
func bars(values []float64) string {
	const blocks = " ▁▂▃▄▅▆▇█"
	width := (len(values) + 99) / 100
	var out strings.Builder
	for len(values) > 0 {
		n := min(width, len(values))
		sum := 0.0
		for _, v := range values[:n] {
			sum += v
		}
		values = values[n:]
		level := int(min(sum/float64(n)/0.5, 1) * 8)
		out.WriteRune([]rune(blocks)[level])
	}
	return out.String()
}
