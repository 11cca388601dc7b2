package main

import (
	"context"
	"fmt"
	"os"
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
			"Nothing is moved.\n\n" +
			"   lbm replay --from '2008-01-14 00:00' --to '2008-01-15 00:00' --conf new.conf\n" +
			"   lbm replay --trace day.csv --nodes 8 --cores 16 --memory 65536 --conf new.conf\n\n" +
			"A line of a trace is a VM: name, processors, MiB of memory, then its load in per cent of its processors, a value for\n" +
			"each --interval. A node is overloaded above 95 %. A move takes 10 s and 1.3 times its memory at 112 MiB/s, and\n" +
			"a processor on both ends. A ping-pong is a move back within two hours.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "from", Usage: "begin of the recorded `TIME`"}, &cli.StringFlag{Name: "to", Usage: "its end; now if it is not given"},
			&cli.StringFlag{Name: "conf", Usage: "compare with this lbvm.conf: `FILE`"}, &cli.StringFlag{Name: "trace", Usage: "the load of the CSV `FILE` instead of the recorded one"},
			&cli.IntFlag{Name: "nodes", Value: 8, Usage: "`N` nodes, for --trace"}, &cli.Float64Flag{Name: "cores", Value: 16, Usage: "processors of each: `N`"},
			&cli.Int64Flag{Name: "memory", Value: 65536, Usage: "memory of each: `MIB`"}, &cli.DurationFlag{Name: "interval", Value: 5 * time.Minute, Usage: "`TIME` between two values of the trace"},
		},
		Action: func(c *cli.Context) error {
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			if c.NArg() > 0 || (c.String("trace") == "") == (c.String("from") == "") {
				return tooMany(c, "lbm replay takes --from TIME, or --trace FILE")
			}
			return w.replay(c, asJSON)
		},
	}
}

// replayed is the JSON of lbm replay.
type replayed struct {
	World    string        `json:"world"`
	Minutes  int           `json:"minutes"`
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
	Hours        []float64      `json:"imbalance_by_hour"`
	OverloadHour []int          `json:"overload_minutes_by_hour"`
}

func (w world) replay(c *cli.Context, asJSON bool) error {
	now, err := w.ruleConfig(evalQuery{})
	var inPlace *balance.Config
	switch {
	case err == nil:
		inPlace = now
	case c.String("trace") == "" || c.String("conf") == "":
		return err
	}
	policies := []replay.Policy{replay.None{}}
	traced := c.String("trace") != ""
	if inPlace != nil {
		policies = append(policies, replay.NewBalancer("lbvm.conf", balanceAll(inPlace, traced), true))
	}
	if file := c.String("conf"); file != "" {
		cfg, err := w.ruleConfig(evalQuery{config: file})
		if err != nil {
			return err
		}
		policies = append(policies, replay.NewBalancer(filepath.Base(file)+" (new)", balanceAll(cfg, traced), true))
		if inPlace == nil {
			inPlace = cfg
		}
	}
	world, err := w.replayWorld(c, inPlace)
	if err != nil {
		return err
	}
	return w.showReplay(c.Context, world, policies, asJSON)
}

// balanceAll lets a configuration balance every VM of a trace, whose names it cannot know.
func balanceAll(c *balance.Config, traced bool) *balance.Config {
	if !traced {
		return c
	}
	all := *c
	all.Balance = nil
	return &all
}

func (w world) replayWorld(c *cli.Context, cfg *balance.Config) (*replay.World, error) {
	if file := c.String("trace"); file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading a trace: %w", err)
		}
		defer f.Close()
		return replay.ReadTrace(filepath.Base(file), f, replay.Cluster{Nodes: c.Int("nodes"), Cores: c.Float64("cores"), Mem: c.Int64("memory") << 20, Interval: c.Duration("interval")})
	}
	zone := w.clock.Now().Location()
	from, err := evalQuery{at: c.String("from")}.instant(zone)
	if err != nil {
		return nil, err
	}
	to := w.clock.Now()
	if text := c.String("to"); text != "" {
		if to, err = (evalQuery{at: text}).instant(zone); err != nil {
			return nil, err
		}
	}
	id, err := w.host.Identity()
	if err != nil {
		return nil, err
	}
	passes := filepath.Join(w.host.Path(id.LogDir), balance.PassesName)
	return replay.Recording{Config: cfg, Samples: cfg.Logs(w.host.Path(cfg.Paths.LogDir)),
		Passes: func(at time.Time) (*balance.Pass, error) {
			return balance.PassOf(passes, at, 15*time.Minute, func(string, string) bool { return false })
		}}.World(from, to)
}

func (w world) showReplay(ctx context.Context, world *replay.World, policies []replay.Policy, asJSON bool) error {
	out := replayed{World: world.Name, Minutes: world.Ticks, Policies: []replayedRow{}}
	var rows [][]string
	var plots strings.Builder
	for _, p := range policies {
		s, err := replay.Run(ctx, world, p, replay.DefaultModel())
		if err != nil {
			return err
		}
		rows = append(rows, append([]string{p.Name()}, s.Row()...))
		hours, overloads := append([]float64{}, s.Hours...), append([]int{}, s.Overloads...)
		out.Policies = append(out.Policies, replayedRow{p.Name(), s.Overload, s.Unserved, s.Moves, s.PingPongs, s.Inflow, s.Imbalance, s.Rails, hours, overloads})
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
	fmt.Fprintf(w.stdout, "%s: %d nodes, %d VMs, %d minutes\n\n", world.Name, len(world.Nodes), len(world.VMs), world.Ticks)
	if err := term.Table(w.stdout, append([]string{"POLICY"}, replay.Columns()...), rows); err != nil {
		return err
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
