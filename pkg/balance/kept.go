package balance

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// KeptName is the folder in LOGDIR that keeps the configurations by which passes were made: for each Config.Digest the two files
// as they were, DIGEST.lbvm.conf and DIGEST.lbresources.conf. passes.log names the digest of each pass.
const KeptName = "confs"

// mostKept is how many of them are kept; the one that was new longest ago goes first.
const mostKept = 100

// ErrNotKept says that the configuration of a pass was not kept: it was made by an older version, or a hundred others came since.
var ErrNotKept = errors.New("the configuration of that time was not kept")

// The ends of the names of the kept files.
const (
	keptConf      = ".lbvm.conf"
	keptResources = ".lbresources.conf"
)

// Keep writes the two files of c below logDir, unless they are kept there already.
func (c *Config) Keep(logDir string) error {
	dir := filepath.Join(logDir, KeptName)
	last := filepath.Join(dir, c.Digest+keptConf)
	if _, err := os.Stat(last); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	// The folder above is not made: where the shared storage has just gone away it would be one below its mount point.
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	// The one that is looked for is written last.
	err := atomicfile.Write(filepath.Join(dir, c.Digest+keptResources), c.texts[1], atomicfile.Options{})
	if err == nil {
		err = atomicfile.Write(last, c.texts[0], atomicfile.Options{})
	}
	if err == nil {
		err = forgetKept(dir, c.Digest)
	}
	if err != nil {
		return fmt.Errorf("keeping the configuration: %w", err)
	}
	return nil
}

// forgetKept removes the oldest above mostKept, and never the one that is given.
func forgetKept(dir, digest string) error {
	list, err := filepath.Glob(filepath.Join(dir, "*"+keptConf))
	if err != nil || len(list) <= mostKept {
		return err
	}
	type kept struct {
		path string
		at   int64
	}
	var all []kept
	for _, path := range list {
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		if filepath.Base(path) != digest+keptConf {
			all = append(all, kept{path, fi.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, x := range all[:len(list)-mostKept] {
		err := os.Remove(x.path)
		if err == nil {
			err = os.Remove(strings.TrimSuffix(x.path, keptConf) + keptResources)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// KeptFiles reads the configuration that passes below logDir were made by (Pass.Config), for NewConfig or LateConfig. ErrNotKept says
// that it is not there.
func KeptFiles(logDir, digest string) (*conf.File, *conf.Resources, error) {
	if _, err := hex.DecodeString(digest); err != nil || digest == "" {
		return nil, nil, fmt.Errorf("%w: %q is no digest", ErrNotKept, digest)
	}
	at := filepath.Join(logDir, KeptName, digest)
	f, r, diags, err := conf.Load(func(path string) ([]byte, error) {
		if path == host.ConfFile {
			return os.ReadFile(at + keptConf)
		}
		return os.ReadFile(at + keptResources)
	}, host.ConfFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%w (%s)", ErrNotKept, digest)
	case err != nil:
		return nil, nil, err
	case f == nil || r == nil:
		for _, d := range diags {
			if d.Severity == conf.Error {
				return nil, nil, fmt.Errorf("the configuration that was kept as %s: %w", digest, d)
			}
		}
		return nil, nil, fmt.Errorf("the configuration that was kept as %s has errors", digest)
	case digestOf(f, r) != digest:
		return nil, nil, fmt.Errorf("the configuration that was kept as %s was changed since", digest)
	}
	return f, r, nil
}
