package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

// decidedAgain is the JSON of lbm replay --decisions.
type decidedAgain struct {
	Passes    int             `json:"passes"`
	Decisions int             `json:"decisions"`
	Other     int             `json:"passes_of_another_configuration"`
	Skipped   int             `json:"unreadable_lines"`
	Different []decidedOther  `json:"different"`
	Verdicts  map[string]int  `json:"verdicts"`
	Recorded  *map[string]int `json:"recorded_verdicts"`
}

type decidedOther struct {
	At       time.Time `json:"at"`
	VM       string    `json:"vm"`
	Recorded string    `json:"recorded"`
	Again    string    `json:"again"`
	Why      string    `json:"why"`
	WhyThen  string    `json:"recorded_why"`
}

// maxDifferent is how many differences are kept.
const maxDifferent = 1000

// decideAgain decides each recorded pass again, as lbm explain --at does one, and tells what comes out differently. Nothing is
// modelled: each pass stands on what was recorded of its moment.
func (w world) decideAgain(ctx context.Context, src recordedSource, cfg *balance.Config, from, to time.Time, asJSON bool) error {
	recorded := map[string]int{}
	out := decidedAgain{Different: []decidedOther{}, Verdicts: map[string]int{}, Recorded: &recorded}
	moves, err := balance.OpenJournal(filepath.Join(src.dir, balance.JournalName)).Since(from.Add(-cfg.Rails.Horizon()))
	if err != nil {
		return err
	}
	logs, zone := src.samples(w, cfg), w.clock.Now().Location()
	differs := 0
	out.Skipped, err = balance.EachPass(filepath.Join(src.dir, balance.PassesName), from, to, func(old *balance.Pass) error {
		p, err := balance.Again(ctx, old, cfg, logs, moves, zone, nil)
		if err != nil {
			return err
		}
		same := old.Config == cfg.Digest
		if out.Passes++; !same {
			out.Other++
		}
		then := map[string]balance.Decision{}
		for _, d := range old.Decisions {
			then[d.VM] = d
			recorded[d.Verdict.String()]++
		}
		for _, d := range p.Decisions {
			out.Decisions++
			out.Verdicts[d.Verdict.String()]++
			was, known := then[d.VM]
			if known && was.Verdict == d.Verdict && was.Target == d.Target && (!same || was.Why == d.Why) {
				continue
			}
			if differs++; len(out.Different) < maxDifferent {
				x := decidedOther{old.At, d.VM, "not balanced", verdict(d), d.Why, was.Why}
				if known {
					x.Recorded = verdict(was)
				}
				out.Different = append(out.Different, x)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out.Passes == 0 {
		return fmt.Errorf("%w: from %s to %s", balance.ErrNoPass, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	if asJSON {
		err = term.JSON(w.stdout, out)
	} else {
		err = w.showDecisions(out, differs)
	}
	if err == nil && differs > 0 {
		return cli.Exit(fmt.Sprintf("%d of %d decisions differ from those that were recorded", differs, out.Decisions), exitUnknown)
	}
	return err
}

func (w world) showDecisions(out decidedAgain, differs int) error {
	var rows [][]string
	for _, x := range out.Different {
		rows = append(rows, []string{x.At.Local().Format("2006-01-02 15:04:05"), x.VM, x.Recorded, x.Again, x.Why})
	}
	if len(rows) > 0 {
		if err := term.Table(w.stdout, []string{"TIME", "VM", "RECORDED", "AGAIN", "WHY"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout)
	}
	text := fmt.Sprintf("%d passes, %d decisions: ", out.Passes, out.Decisions)
	if differs == 0 {
		text += "decided again all are the same"
	} else {
		text += fmt.Sprintf("decided again %d differ", differs)
	}
	if out.Other > 0 {
		text += fmt.Sprintf("; %d of the passes were made with another configuration", out.Other)
	}
	_, err := fmt.Fprintln(w.stdout, text)
	return err
}
