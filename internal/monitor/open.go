package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// opened is what a pass works with.
type opened struct {
	lock    *lockfile.Lock // nil in Plan
	id      host.Identity
	shared  string // joined with the root, its marker seen
	config  *balance.Config
	journal balance.Journal
	mover   Mover
	notify  []conf.Notify

	warnings []string
}

func (o *opened) close() {
	if o == nil || o.lock == nil {
		return
	}
	// The process holds nothing else that could keep the lock, and there is nothing to do about it.
	if err := o.lock.Close(); err != nil {
		return
	}
}

func (o *opened) facts(member string) (host.Facts, error) { return host.ReadLoad(o.shared, member) }

func (o *opened) closed(member string) (string, error) { return host.Closed(o.shared, member) }

// log is the path of a file in the folder of journals.
func (m Monitor) log(o *opened, name string) string {
	return filepath.Join(m.Host.Path(o.id.LogDir), name)
}

// open finds the shared storage, takes the lock of passes, and reads the configuration.
func (m Monitor) open(ctx context.Context) (*opened, error) {
	o, err := m.openUnlocked()
	if err != nil {
		return nil, err
	}
	// The lock comes before what is read under it.
	o.lock, err = lockfile.Try(filepath.Join(o.shared, PassLock), m.holder())
	switch {
	case errors.Is(err, lockfile.ErrHeld):
		return nil, fmt.Errorf("%w: %w", errLocked, err)
	case err != nil:
		return nil, fail(lbvmagent.CauseNode, fmt.Errorf("taking the lock of passes: %w", err))
	}
	o.config, err = m.configuration(o, m.logDiagnostic)
	if err == nil {
		o.mover = m.mover(o)
		err = interrupted(ctx, ctx.Err())
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func (m Monitor) openUnlocked() (*opened, error) {
	id, err := m.Host.Identity()
	if err != nil {
		return nil, fail(lbvmagent.CauseNode, err)
	}
	shared, err := m.Host.SharedDir(id)
	if err != nil {
		return nil, fail(lbvmagent.CauseNode, err)
	}
	o := &opened{id: id, shared: shared}
	o.journal = balance.OpenJournal(m.log(o, balance.JournalName))
	return o, nil
}

// mover makes the moves of a pass. Facts may be two intervals old, and never older than samples: lblog writes both.
func (m Monitor) mover(o *opened) Mover {
	rails := o.config.Rails
	mover := move.Mover{Manager: m.Manager, Shared: o.shared, Clock: m.Clock, Wait: m.Wait, Journal: o.journal, Log: m.Log, Fresh: min(rails.Stale, 2*rails.Interval)}
	if m.Members != nil {
		mover.Gone = func(ctx context.Context, node, boot string, left bool) (bool, error) {
			return membership.Gone(ctx, m.Members, o.shared, node, boot, left)
		}
	}
	if m.Mover != nil {
		return m.Mover(mover)
	}
	return mover
}

// Tell is given what is wrong with the configuration, one by one.
type Tell func(conf.Diagnostic)

// errConfig says that the configuration has errors. They were told one by one.
var errConfig = errors.New("the configuration has errors")

// configuration reads and compiles lbvm.conf and lbresources.conf. Each diagnostic is given to tell. A broken algorithm
// is none of its errors: it costs its own VM only.
func (m Monitor) configuration(o *opened, tell Tell) (*balance.Config, error) {
	path := m.Conf
	if path == "" {
		path = host.ConfFile
	}
	read := func(p string) ([]byte, error) {
		if p == m.Conf { // as the caller's shell names it
			return os.ReadFile(p)
		}
		return os.ReadFile(m.Host.Path(p))
	}
	file, res, diags, err := conf.Load(read, path)
	for _, d := range diags {
		tell(d)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(lbvmagent.CauseConfig, err)
	case err != nil:
		return nil, fail(lbvmagent.CauseNode, err)
	case file == nil || res == nil:
		return nil, fail(lbvmagent.CauseConfig, firstError(diags))
	}
	o.notify = file.Notify
	var cfg *balance.Config
	if m.Only != nil {
		cfg = balance.LateConfig(file, res)
	} else {
		cfg, diags = balance.NewConfig(file, res)
		for _, d := range diags {
			tell(d)
		}
	}
	if dir := cfg.Paths.LogDir; strings.TrimRight(dir, "/") != strings.TrimRight(o.id.LogDir, "/") {
		o.warnings = append(o.warnings, fmt.Sprintf("logdir of %s is %s, and lbm init has made %s: do all nodes see one folder?", path, dir, o.id.LogDir))
	}
	return cfg, nil
}

func firstError(diags []conf.Diagnostic) error {
	for _, d := range diags {
		if d.Severity == conf.Error {
			return fmt.Errorf("%w: %w", errConfig, d)
		}
	}
	return errConfig
}

// logDiagnostic logs an error of the configuration. Warnings are for `lbmonitor --dry-run`: a log that has them each minute is not read.
func (m Monitor) logDiagnostic(d conf.Diagnostic) {
	log := m.Log.WithField("at", fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Col)).WithField("text", d.Text)
	if d.Hint != "" {
		log = log.WithField("hint", d.Hint)
	}
	if d.Severity == conf.Error {
		log.Error("error in the configuration")
		return
	}
	log.Debug("warning in the configuration")
}
