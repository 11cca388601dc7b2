package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// decidedAgain is the JSON of lbm replay --decisions.
type decidedAgain struct {
	Passes    int             `json:"passes"`
	Decisions int             `json:"decisions"`
	Other     int             `json:"passes_of_another_configuration"` // decided by that of today, or by --conf
	Kept      int             `json:"passes_of_kept_configurations"`   // decided by the one that was in force then, and was kept
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

// rulesOf is what passes of one configuration are decided again by.
type rulesOf struct {
	then
	logs  *balance.Logs
	moves []balance.Move
}

func (w world) rulesOf(src recordedSource, digest string, today, given *balance.Config, from time.Time) (*rulesOf, error) {
	t := then{Config: given}
	var err error
	if given == nil {
		t, err = rulesThen(src.dir, digest, today, nil, func(f *conf.File, r *conf.Resources) *balance.Config {
			c, _ := balance.NewConfig(f, r)
			return c
		})
	}
	if err != nil {
		return nil, err
	}
	moves, err := t.moves(src.dir, from)
	return &rulesOf{t, src.samples(w, t.Config), moves}, err
}

// maxDifferent is how many differences are kept.
const maxDifferent = 1000

// decideAgain decides each recorded pass again, as lbm explain --at does one, and tells what comes out differently. Nothing is
// modelled: each pass stands on what was recorded of its moment. given, which may be nil, is another configuration for all of them.
func (w world) decideAgain(ctx context.Context, src recordedSource, today, given *balance.Config, from, to time.Time, asJSON bool) error {
	recorded := map[string]int{}
	out := decidedAgain{Different: []decidedOther{}, Verdicts: map[string]int{}, Recorded: &recorded}
	zone := w.clock.Now().Location()
	byDigest := map[string]*rulesOf{}
	differs := 0
	skipped, err := balance.EachPass(filepath.Join(src.dir, balance.PassesName), from, to, func(old *balance.Pass) error {
		rules := byDigest[old.Config]
		if rules == nil {
			var err error
			if rules, err = w.rulesOf(src, old.Config, today, given, from); err != nil {
				return err
			}
			byDigest[old.Config] = rules
		}
		p, err := balance.Again(ctx, old, rules.Config, rules.logs, rules.moves, zone, nil)
		if err != nil {
			return err
		}
		same := old.Config == rules.Digest
		switch out.Passes++; {
		case !same:
			out.Other++
		case rules.kept:
			out.Kept++
		}
		before := map[string]balance.Decision{}
		for _, d := range old.Decisions {
			before[d.VM] = d
			recorded[d.Verdict.String()]++
		}
		for _, d := range p.Decisions {
			out.Decisions++
			out.Verdicts[d.Verdict.String()]++
			was, known := before[d.VM]
			if known && was.Verdict == d.Verdict && was.Target == d.Target && (!same || was.Why == d.Why || balance.Shorten(was.Why) == balance.Shorten(d.Why)) {
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
	if out.Skipped = skipped; out.Passes == 0 {
		return noPassIn(src.dir, fmt.Errorf("%w: from %s to %s", balance.ErrNoPass, from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	if asJSON {
		err = term.JSON(w.stdout, out)
	} else {
		err = w.showDecisions(out, differs, given != nil)
	}
	if err == nil && differs > 0 {
		return cli.Exit(fmt.Sprintf("%d of %d decisions differ from those that were recorded", differs, out.Decisions), exitUnknown)
	}
	return err
}

func (w world) showDecisions(out decidedAgain, differs int, newConf bool) error {
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
	text += keptRules(out, newConf)
	_, err := fmt.Fprintln(w.stdout, text)
	return err
}
