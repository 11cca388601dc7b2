package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/internal/trial"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

func (w world) evalCommand() *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "try an expression or a whole rule, and move nothing", ArgsUsage: "['CODE' | -]",
		Description: "Runs CODE (or that of --file, of standard input with -, or else the VM's own rule) as the balancer would,\n" +
			"over the recorded logs, and prints its value, what it printed, and which of migrate and report it called.\n" +
			"res reads the node that --vm is on (at --at, as far as the journal tells), or --node, or this node; res2\n" +
			"reads --target. With --vm and no --target it is run for each node that the VM could go to, if it\n" +
			"reads res2, else once.\n\n" +
			"   lbm eval \"average(res('cpu', 5)) > 0.70\" --trace\n" +
			"   lbm eval --vm 101 --target node2 --at '2008-01-10 14:00' --trace\n" +
			"   lbm eval --vm 101 --file new-rule\n" +
			"   lbm eval --fixture busy.json \"migrate() if max(res('cpu', 3)) > 0.9\"\n\n" +
			"A fixture is {\"now\": UNIXSECONDS, \"tz\": \"Europe/Vienna\", \"data\": {\"1\": {\"cpu\": [0.9, 0.8]}, \"2\": {...}}}:\n" +
			"1 is for res, 2 for res2, the newest value first.\n\n" +
			"For scripts: lbm eval --batch --fixture FILE reads lines {\"code\": \"...\"} and answers each with one line\n" +
			"{\"value\": [strings or null], \"stdout\": \"...\", \"actions\": [\"migrate\"...], \"error\": \"...\"}. A bad line\n" +
			"has its error in its answer and stops no other.\n\n" +
			"Exit codes: 0 evaluated (whatever the value), 1 the code has errors, died, or lacked data, 2 usage,\n130 a batch was interrupted.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "vm", Usage: "as if for this `VM`: its node, its own rule where no CODE is given"},
			&cli.StringFlag{Name: "node", Usage: "the `NODE` of res"},
			&cli.StringFlag{Name: "target", Usage: "the `NODE` of res2"},
			&cli.StringFlag{Name: "at", Usage: "at that `TIME`: 2008-01-10T14:00:00+01:00, or '2008-01-10 14:00' in the node's zone"},
			&cli.BoolFlag{Name: "trace", Usage: "print each comparison and each value that was read"},
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "the code is in `FILE`"},
			&cli.StringFlag{Name: "fixture", Usage: "the data and the time of `FILE` instead of the recorded ones"},
			&cli.StringFlag{Name: "config", Usage: "another lbvm.conf than this node's: `FILE`"},
			&cli.BoolFlag{Name: "batch", Usage: "with --fixture: many programs, a JSON line each"},
		},
		Action: func(c *cli.Context) error {
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			q := evalQuery{vm: c.String("vm"), node: c.String("node"), target: c.String("target"), at: c.String("at"), trace: c.Bool("trace"),
				file: c.String("file"), fixture: c.String("fixture"), config: c.String("config"), batch: c.Bool("batch"), asJSON: asJSON}
			if text := q.wrong(c.NArg()); text != "" {
				return tooMany(c, text)
			}
			if c.NArg() == 1 {
				code := c.Args().First()
				q.code = &code
			}
			return w.eval(c.Context, q)
		},
	}
}

// evalQuery is what is asked; "" is not given.
type evalQuery struct {
	code                                        *string // of the command line
	vm, node, target, at, file, fixture, config string
	trace, batch, asJSON                        bool
}

// wrong says what does not go together, or "".
func (q evalQuery) wrong(words int) string {
	switch {
	case words > 1:
		return "lbm eval takes one piece of code: put it into quotes"
	case q.batch && q.fixture == "":
		return "--batch goes with --fixture FILE"
	case q.batch && (words > 0 || q.file != "" || q.trace || q.asJSON):
		return "--batch reads its programs from standard input and answers in JSON lines"
	case q.fixture != "" && (q.vm != "" || q.node != "" || q.target != "" || q.config != ""):
		return "--fixture has its own nodes: it goes without --vm, --node, --target and --config"
	case words > 0 && q.file != "":
		return "the code is given or in --file, not both"
	case !q.batch && words == 0 && q.file == "" && q.vm == "":
		return "there is no code: lbm eval 'CODE'"
	case q.vm != "" && q.node != "" && q.target == "":
		return "--vm with --node needs --target: where the VM could go is known for the node that it is on"
	}
	return ""
}

func (w world) eval(ctx context.Context, q evalQuery) error {
	if q.fixture != "" {
		return w.evalFixture(ctx, q)
	}
	return w.evalRecorded(ctx, q)
}

// program reads the code and what errors call it. ok is false where none is given.
func (w world) program(q evalQuery) (code, name string, ok bool, err error) {
	switch {
	case q.file != "":
		b, err := os.ReadFile(q.file)
		if err != nil {
			return "", "", false, fmt.Errorf("reading the code: %w", err)
		}
		return string(b), q.file, true, nil
	case q.code == nil:
		return "", "", false, nil
	case *q.code == "-":
		b, err := io.ReadAll(io.LimitReader(w.stdin, maxCode))
		if err != nil {
			return "", "", false, fmt.Errorf("reading the code: %w", err)
		}
		return string(b), trial.Name, true, nil
	}
	return *q.code, trial.Name, true, nil
}

const maxCode = 1 << 20

// asksNothing is the warning that neither migrate() nor report() occurs.
const asksNothing = "W12"

// isExpression tells whether the code is to give a value and is no rule: it stands on the command line and does not end in
// a semicolon.
func (q evalQuery) isExpression() bool {
	return q.code != nil && *q.code != "-" && !strings.HasSuffix(strings.TrimSpace(*q.code), ";")
}

// instant reads --at in the zone of zone.
func (q evalQuery) instant(zone *time.Location) (time.Time, error) {
	return instant("at", q.at, zone)
}

// instant reads the time that a flag gives, in a zone.
func instant(flag, text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.In(zone), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, cli.Exit(fmt.Sprintf("--%s %q is no time: write 2008-01-10T14:00:00+01:00 or '2008-01-10 14:00'", flag, text), exitUsage)
}

// batchMemory is what a batch fills before its garbage is collected: each program leaves much behind, and little
// lives on.
const batchMemory = 64 << 20

func (w world) evalFixture(ctx context.Context, q evalQuery) error {
	src, err := os.ReadFile(q.fixture)
	if err != nil {
		return fmt.Errorf("reading a fixture: %w", err)
	}
	f, err := trial.ParseFixture(src)
	if err != nil {
		return fmt.Errorf("%s: %w", q.fixture, err)
	}
	if q.at != "" {
		if f.Now, err = q.instant(f.Now.Location()); err != nil {
			return err
		}
	}
	if q.batch {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(batchMemory))
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		if err := f.Batch(ctx, w.stdin, w.stdout); !errors.Is(err, context.Canceled) {
			return err
		}
		return cli.Exit("interrupted", exitInterrupted)
	}
	code, name, _, err := w.program(q)
	if err != nil {
		return err
	}
	shown := evaluation{At: f.Now}
	program, diags := trial.Compile(code, name)
	shown.found(code, diags, q.isExpression())
	if program != nil {
		var trace *perl.Trace
		if q.trace || q.asJSON {
			trace = &perl.Trace{}
		}
		r := f.Run(ctx, program, trace)
		shown.add(tried{values: r.Values, Stdout: r.Output, Warned: r.Warned, Actions: r.Actions, err: r.Err, trace: trace})
	}
	return w.showEvaluation(shown, q, code)
}

// evaluation is all that is shown.
type evaluation struct {
	At       time.Time  `json:"at"`
	VM       *string    `json:"vm"`
	Runs     []tried    `json:"runs"`
	Findings []checkRow `json:"findings"` // of the compiler

	diags []conf.Diagnostic
}

func (e *evaluation) add(t tried) {
	t.fill()
	e.Runs = append(e.Runs, t)
}

// found takes what the compiler says. An expression asks for nothing, and is not warned that it does not.
func (e *evaluation) found(code string, diags []perl.Diagnostic, expression bool) {
	for _, d := range diags {
		if expression && d.Code == asksNothing {
			continue
		}
		x := conf.Diagnostic{Severity: conf.Warning, File: d.Pos.File, Line: d.Pos.Line, Col: d.Pos.Col, Text: d.Text, Hint: d.Hint, Source: conf.Line([]byte(code), d.Pos.Line)}
		if d.Severity == perl.Error {
			x.Severity = conf.Error
		}
		r := checkRow{Severity: x.Severity.String(), File: x.File, Line: x.Line, Col: x.Col, VM: e.VM, Text: x.Text, Hint: x.Hint, Source: x.Source}
		if d.Code != "" {
			r.Code = &d.Code
			x.Text += " [" + d.Code + "]"
		}
		e.Findings, e.diags = append(e.Findings, r), append(e.diags, x)
	}
}

func (w world) showEvaluation(e evaluation, q evalQuery, code string) error {
	failed := conf.HasErrors(e.diags)
	for _, r := range e.Runs {
		failed = failed || r.err != nil
	}
	if q.asJSON {
		if e.Runs == nil {
			e.Runs = []tried{}
		}
		if e.Findings == nil {
			e.Findings = []checkRow{}
		}
		if err := term.JSON(w.stdout, e); err != nil {
			return err
		}
	} else {
		for _, d := range e.diags {
			fmt.Fprint(w.stderr, d.Format())
		}
		for i, r := range e.Runs {
			if i > 0 {
				fmt.Fprintln(w.stdout)
			}
			w.showTried(r, e.At, q, code)
		}
	}
	if failed {
		return cli.Exit("", exitFailed)
	}
	return nil
}

// failure is a run's error with its place in the code, where it has one.
func failure(err error, code string) string {
	var e *perl.RuntimeError
	if !errors.As(err, &e) || e.Pos.Line == 0 {
		return "lbm: " + err.Error() + "\n"
	}
	return conf.Diagnostic{File: e.Pos.File, Line: e.Pos.Line, Col: e.Pos.Col, Text: withoutPlace(e), Source: conf.Line([]byte(code), e.Pos.Line)}.Format()
}
