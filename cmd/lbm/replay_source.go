package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/replay"
)

// recordedSource is where lbm replay takes its load from.
type recordedSource struct {
	traced bool
	files  []string // of traces
	dir    string   // of logs, passes.log and migrate.log
	record bool     // dir is a copy, with the configuration in it
}

func (w world) recordedSource(c *cli.Context) (recordedSource, error) {
	if file := c.String("trace"); file != "" {
		return recordedSource{traced: true, files: []string{file}}, nil
	}
	dir := c.String("record")
	if dir == "" {
		id, err := w.host.Identity()
		if err != nil {
			return recordedSource{}, err
		}
		return recordedSource{dir: w.host.Path(id.LogDir)}, nil
	}
	for _, name := range []string{balance.PassesName, balance.PassesName + ".1"} {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return recordedSource{dir: dir, record: true}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return recordedSource{}, fmt.Errorf("looking at the record: %w", err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) == 0 {
		return recordedSource{}, fmt.Errorf("%s holds neither %s nor a trace (*.csv): it is no record", dir, balance.PassesName)
	}
	slices.Sort(files)
	return recordedSource{traced: true, files: files}, nil
}

// config is the configuration in file, or if there is none the one that goes with the load: that of the record, or this node's.
func (s recordedSource) config(w world, file string) (*balance.Config, error) {
	if !s.record {
		return w.ruleConfig(evalQuery{config: file})
	}
	if file == "" {
		file = filepath.Join(s.dir, filepath.Base(host.ConfFile))
	}
	return w.recordedConfig(s.dir, file)
}

// recordedConfig reads a configuration whose file of resources lies in the record, wherever it lay.
func (w world) recordedConfig(dir, name string) (*balance.Config, error) {
	file, res, diags, err := conf.Load(func(p string) ([]byte, error) {
		if p == name {
			return os.ReadFile(p)
		}
		return os.ReadFile(filepath.Join(dir, filepath.Base(p)))
	}, name)
	for _, d := range diags {
		if d.Severity == conf.Error {
			fmt.Fprint(w.stderr, d.Format())
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (a record holds lbvm.conf and the file of resources that it names)", err)
	case file == nil || res == nil:
		return nil, errors.New("the configuration of the record has errors")
	}
	cfg, _ := balance.NewConfig(file, res)
	return cfg, nil
}

func (s recordedSource) samples(w world, cfg *balance.Config) *balance.Logs {
	if s.record {
		return cfg.Logs(s.dir)
	}
	return cfg.Logs(w.host.Path(cfg.Paths.LogDir))
}

// recorded are the samples that rules read of what the model does not have; a trace has none.
func (s recordedSource) recorded(w world, cfg *balance.Config) balance.Samples {
	if s.traced {
		return nil
	}
	return s.samples(w, cfg)
}

// trace is the world of the CSV files: each may hold some of the VMs.
func (s recordedSource) trace(c *cli.Context) (*replay.World, error) {
	var all []io.Reader
	for _, name := range s.files {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading a trace: %w", err)
		}
		defer f.Close()
		all = append(all, f)
	}
	return replay.ReadTrace(filepath.Base(s.files[0]), io.MultiReader(all...), replay.Cluster{Nodes: c.Int("nodes"), Cores: c.Float64("cores"), Mem: c.Int64("memory") << 20, Interval: c.Duration("interval")})
}

// span is the time that is replayed: of a record all that there is, unless it is given.
func (s recordedSource) span(c *cli.Context, now time.Time) (from, to time.Time, err error) {
	to = now
	if s.record && (c.String("from") == "" || c.String("to") == "") {
		if from, to, err = balance.PassSpan(filepath.Join(s.dir, balance.PassesName)); err != nil {
			return from, to, err
		}
	}
	if text := c.String("from"); text != "" {
		if from, err = instant("from", text, now.Location()); err != nil {
			return from, to, err
		}
	}
	if text := c.String("to"); text != "" {
		to, err = instant("to", text, now.Location())
	}
	return from, to, err
}
