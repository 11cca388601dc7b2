package ccs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

// backupInfix stands between the file's name and the version that it had.
const backupInfix = ".lbvm-"

// keep copies the file as it is to PATH.lbvm-VERSION, as private as the file itself.
func (t *transaction) keep() error {
	if t.o.Keep < 0 {
		return nil
	}
	name := t.path + backupInfix + strconv.FormatUint(t.r.Old, 10)
	// A copy with the same number is of an earlier file whose version somebody has set back.
	if err := t.o.sys.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	at := func(p atomicfile.Point) error { return t.step(stepKeep + ":" + string(p)) }
	if err := atomicfile.Write(name, t.r.Before.src, atomicfile.Options{Like: t.path, At: at, System: t.o.sys}); err != nil {
		return err
	}
	t.r.Backup = name
	return nil
}

// prune removes the oldest copies over the number that is kept.
func (t *transaction) prune() error {
	if err := t.step(stepPrune); err != nil {
		return fmt.Errorf("updating %s: it is written; removing earlier copies: %w", t.path, err)
	}
	limit := t.o.Keep
	if limit == 0 {
		limit = defaultKeep
	}
	if limit < 0 {
		return nil
	}
	names, err := t.siblings(filepath.Base(t.path)+backupInfix, isNumber)
	if err != nil {
		return fmt.Errorf("updating %s: it is written; counting earlier copies: %w", t.path, err)
	}
	type backup struct {
		path string
		at   int64
		n    uint64
	}
	var all []backup
	for _, name := range names {
		fi, err := os.Lstat(name)
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		n, err := strconv.ParseUint(name[strings.LastIndex(name, "-")+1:], 10, 64)
		if err != nil {
			continue
		}
		all = append(all, backup{name, fi.ModTime().UnixNano(), n})
	}
	slices.SortFunc(all, func(a, b backup) int { // youngest first; the one just made above all
		if (a.path == t.r.Backup) != (b.path == t.r.Backup) {
			if a.path == t.r.Backup {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.n, a.n))
	})
	var errs []error
	for _, b := range all[min(limit, len(all)):] {
		if err := t.o.sys.Remove(b.path); err != nil {
			errs = append(errs, fmt.Errorf("updating %s: it is written; removing an earlier copy: %w", t.path, err))
		}
	}
	return errors.Join(errs...)
}

// sweep removes what a killed writer left behind. The lock is held: nobody is at work on it.
func (t *transaction) sweep() error {
	if err := t.step(stepSweep); err != nil {
		return err
	}
	ours := func(rest string) bool {
		rest, found := strings.CutPrefix(rest, backupInfix)
		if !found {
			number, found := strings.CutPrefix(rest, "-")
			return found && isNumber(number)
		}
		version, number, found := strings.Cut(rest, "-")
		return found && isNumber(version) && isNumber(number)
	}
	names, err := t.siblings(atomicfile.TempPrefix+filepath.Base(t.path), ours)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.o.sys.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// siblings lists files of the same folder by the beginning of their names and a test of the rest.
func (t *transaction) siblings(prefix string, ok func(rest string) bool) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(t.path))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if rest, found := strings.CutPrefix(e.Name(), prefix); found && ok(rest) {
			out = append(out, filepath.Join(filepath.Dir(t.path), e.Name()))
		}
	}
	return out, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
