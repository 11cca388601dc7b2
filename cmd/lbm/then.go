package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// then is a configuration by which recorded passes are decided again, with what belongs to it.
type then struct {
	*balance.Config
	kept bool  // it is not the one of today, and is the one of then
	err  error // the one of then is not to be had: this is the one of today
}

// rulesThen is the configuration that a pass was made by: that of today if nothing has changed since, else the one that lbmonitor has kept in dir.
// today may be nil, where it cannot be read; broken then says why.
func rulesThen(dir, digest string, today *balance.Config, broken error, build func(*conf.File, *conf.Resources) *balance.Config) (then, error) {
	if today != nil && today.Digest == digest {
		return then{Config: today}, nil
	}
	f, r, err := balance.KeptFiles(dir, digest)
	if err == nil {
		return then{Config: build(f, r), kept: true}, nil
	}
	if today == nil {
		return then{}, errors.Join(broken, err)
	}
	return then{Config: today, err: err}, nil
}

// note is what is to be said of a pass that was made by another configuration than that of today.
func (t then) note() string {
	const changed = "lbvm.conf or lbresources.conf has changed since: "
	switch {
	case t.kept:
		return changed + "these are the rules of then, which were kept"
	case t.err != nil:
		return changed + "these are the rules of today, since " + t.err.Error()
	}
	return ""
}

// moves are those that the rails of a configuration look at, for passes from at on.
func (t then) moves(dir string, at time.Time) ([]balance.Move, error) {
	return balance.OpenJournal(filepath.Join(dir, balance.JournalName)).Since(at.Add(-t.Rails.Horizon()))
}

// keptRules tells how many passes were decided by which rules.
func keptRules(out decidedAgain, newConf bool) string {
	text := ""
	if out.Kept > 0 {
		text += fmt.Sprintf("; %d of the passes by the rules of then, which have changed since and were kept", out.Kept)
	}
	switch {
	case out.Other > 0 && newConf:
		text += fmt.Sprintf("; %d of the passes were made with another configuration", out.Other)
	case out.Other > 0:
		text += fmt.Sprintf("; %d of the passes were made with another configuration, which was not kept: they are decided by that of today", out.Other)
	}
	return text
}

// noPassIn adds to an error of a time without a pass which times have some.
func noPassIn(dir string, err error) error {
	uses, failed := balance.OpenPassUses(filepath.Join(dir, balance.PassesName))
	if failed != nil {
		return err
	}
	return errors.Join(heldPasses(err, uses), uses.Close())
}

func heldPasses(err error, uses *balance.PassUses) error {
	first, last := uses.Span()
	if first.IsZero() {
		return fmt.Errorf("%w; %s holds none", err, balance.PassesName)
	}
	return fmt.Errorf("%w; those of %s are from %s to %s", err, balance.PassesName, first.Format(time.RFC3339), last.Format(time.RFC3339))
}
