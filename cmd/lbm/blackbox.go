package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func (w world) blackboxCommand() *cli.Command {
	return &cli.Command{
		Name: "blackbox", Usage: "show the last actions of this node's resource agents",
		Description: "Every agent of ours writes down what it was called for, which programs it ran and how it ended, in one\n" +
			"file of this node: the last 200 actions, and the last 200 that are notable, since they changed something,\n" +
			"failed, or found gone what had run. The notable ones are shown; --all adds ordinary status checks. To\n" +
			"read it neither the cluster nor the shared storage is needed. A power cut may cost the last half minute.\n\n" +
			"EXIT is the exit code (0 done or running, 7 not running); `at work` where the agent still runs, `no end`\n" +
			"where it was killed, or the node lost its power: TOOLS tells what it had run by then. PARAMS changes when\n" +
			"a parameter of the resource was changed. TOOLS are programs with exit code and time; `?` has not ended or\n" +
			"nobody waited for it, `!` was ended from outside or could not be run. Times are this node's clock.\n\n" +
			"   lbm blackbox\n   lbm blackbox --failed\n   lbm blackbox --all --vm 101 -n 20\n   lbm blackbox --vm openvz:101 -o json\n" +
			"   lbm blackbox --file /tmp/blackbox.of.node2\n\n" +
			"Exit codes: 0 shown, 1 there is none, or it cannot be read, 2 usage.",
		Flags: []cli.Flag{outputFlag(),
			&cli.BoolFlag{Name: "all", Usage: "ordinary status checks as well"},
			&cli.StringFlag{Name: "vm", Usage: "only this `VM`: its name, TYPE:NAME, or what the cluster manager calls it"},
			&cli.BoolFlag{Name: "failed", Usage: "only actions that failed or were killed"},
			&cli.IntFlag{Name: "n", Usage: "only the last `N`", DefaultText: "all"},
			&cli.StringFlag{Name: "file", Usage: "read `FILE`, as copied from another node"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm blackbox takes no arguments")
			}
			if c.Int("n") < 0 {
				return cli.Exit("-n is how many actions to show; see lbm blackbox --help", exitUsage)
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.blackbox(boxQuery{c.String("file"), c.String("vm"), c.Bool("all"), c.Bool("failed"), c.Int("n")}, asJSON)
		},
	}
}

// boxQuery is what of a black box is asked for.
type boxQuery struct {
	file, vm    string
	all, failed bool
	last        int // 0: all
}

func (q boxQuery) wants(r ocf.BoxRecord) bool {
	return (q.all || r.Notable || !r.Ended) && (!q.failed || r.Failed()) &&
		(q.vm == "" || q.vm == r.Name || q.vm == r.Instance || q.vm == r.Type+":"+r.Name)
}

// boxAction is a record in JSON. What is not known before the end is null.
type boxAction struct {
	At       time.Time `json:"at"`
	ID       uint64    `json:"id"`
	Type     string    `json:"type"`
	VM       string    `json:"vm"`
	Instance string    `json:"instance"`
	Action   string    `json:"action"`
	Depth    int       `json:"depth"`
	Probe    bool      `json:"probe"`
	Manager  string    `json:"manager"`
	Agent    string    `json:"agent"`
	Env      string    `json:"params_digest"`
	PID      int       `json:"pid"`
	State    string    `json:"state"` // ended, at work, no end
	Notable  bool      `json:"notable"`
	Failed   bool      `json:"failed"`
	Code     *int      `json:"code"`
	Seconds  *float64  `json:"seconds"`
	Error    string    `json:"error"`
	Tools    []boxTool `json:"tools"`
	// MoreTools counts programs before those.
	MoreTools int `json:"more_tools"`
}

type boxTool struct {
	Command string   `json:"command"`
	Code    *int     `json:"code"`
	Seconds *float64 `json:"seconds"`
	Error   string   `json:"error"`
}

func (w world) blackbox(q boxQuery, asJSON bool) error {
	path := q.file
	if path == "" {
		path = ocf.BoxFile(w.host.Root())
	}
	all, err := ocf.ReadBox(path)
	if errors.Is(err, fs.ErrNotExist) && q.file == "" {
		return fmt.Errorf("%w (the first action of an agent on this node makes it)", err)
	}
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r ocf.BoxRecord) bool { return !q.wants(r) })
	lab, inLab := w.clock.(clock.Scaled)
	if inLab { // agents live in the machine's time; journals, and so we, in the lab's
		for i := range all {
			all[i].At = lab.Of(all[i].At)
		}
	}
	if q.last > 0 {
		all = all[max(0, len(all)-q.last):]
	}
	if asJSON {
		out := []boxAction{}
		for _, r := range all {
			out = append(out, boxJSON(r))
		}
		return term.JSON(w.stdout, struct {
			Actions []boxAction `json:"actions"`
		}{out})
	}
	if inLab {
		fmt.Fprintln(w.stderr, "lbm: TIME is the lab's, as in lbm history; TOOK is in seconds of this machine")
	}
	if len(all) == 0 {
		fmt.Fprintln(w.stderr, "lbm: the black box holds no such action")
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, boxRow(r))
	}
	return term.Table(w.stdout, []string{"TIME", "RESOURCE", "ACTION", "EXIT", "TOOK", "PID", "PARAMS", "ERROR", "TOOLS"}, rows)
}

func boxState(r ocf.BoxRecord) string {
	switch {
	case r.Ended:
		return "ended"
	case r.Lives:
		return "at work"
	}
	return "no end"
}

func boxJSON(r ocf.BoxRecord) boxAction {
	a := boxAction{At: r.At, ID: r.ID, Type: r.Type, VM: r.Name, Instance: r.Instance, Action: r.Action, Depth: r.Depth, Probe: r.Probe, Manager: r.Dialect.String(),
		Agent: r.Agent, Env: r.Env, PID: r.PID, State: boxState(r), Notable: r.Notable, Failed: r.Failed(), Error: r.Error, Tools: []boxTool{}, MoreTools: r.MoreTools}
	if r.Ended {
		code, took := int(r.Code), r.Took.Seconds()
		a.Code, a.Seconds = &code, &took
	}
	for _, t := range r.Tools {
		x := boxTool{Command: t.Command, Error: t.Error}
		if t.Ended {
			took := t.Took.Seconds()
			x.Seconds = &took
			if t.Error == "" {
				code := t.Code
				x.Code = &code
			}
		}
		a.Tools = append(a.Tools, x)
	}
	return a
}

func boxRow(r ocf.BoxRecord) []string {
	action := r.Action
	if r.Depth > 0 {
		action += " " + strconv.Itoa(r.Depth)
	}
	if r.Probe {
		action += " (probe)"
	}
	exit, took := boxState(r), ""
	if r.Ended {
		exit, took = strconv.Itoa(int(r.Code)), short(r.Took)
	}
	var tools []string
	if r.MoreTools > 0 {
		tools = append(tools, fmt.Sprintf("+%d more", r.MoreTools))
	}
	for _, t := range r.Tools {
		program, rest, _ := strings.Cut(t.Command, " ")
		text := strings.TrimSpace(filepath.Base(program) + " " + rest)
		switch {
		case !t.Ended:
			text += " ?"
		case t.Error != "":
			text += fmt.Sprintf(" ! %s (%s)", short(t.Took), t.Error)
		default:
			text += fmt.Sprintf(" %d %s", t.Code, short(t.Took))
		}
		tools = append(tools, text)
	}
	return []string{r.At.Local().Format("2006-01-02 15:04:05.000"), r.Instance, action, exit, took, strconv.Itoa(r.PID), r.Env, r.Error, strings.Join(tools, "; ")}
}

// short is a duration in three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return strconv.FormatFloat(float64(d)/1e6, 'f', 3, 64) + "ms"
}
