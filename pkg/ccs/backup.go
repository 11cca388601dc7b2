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
	"syscall"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

// backupInfix stands between the file's name and the version that it had.
const backupInfix = ".lbvm-"

// keep copies the file as it is to PATH.lbvm-VERSION, as private as the file itself.
func (t *transaction) keep() error {
	if t.o.Keep < 0 {
		return nil
	}
	fi, err := os.Stat(t.path)
	if err != nil {
		return err
	}
	name := t.path + backupInfix + strconv.FormatUint(t.r.Old, 10)
	// A copy with the same number is of an earlier file whose version somebody has set back.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := atomicfile.Write(name, t.r.Before.src, atomicfile.Options{Mode: fi.Mode().Perm()}); err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		if err := os.Chown(name, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	t.r.Backup = name
	return nil
}

// prune removes the oldest copies over the number that is kept.
func (t *transaction) prune() error {
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
		if err := os.Remove(b.path); err != nil {
			errs = append(errs, fmt.Errorf("updating %s: it is written; removing an earlier copy: %w", t.path, err))
		}
	}
	return errors.Join(errs...)
}

// sweep removes what a killed writer left behind. The lock is held: nobody is at work on it.
func (t *transaction) sweep() error {
	for _, base := range []string{filepath.Base(t.path) + "-", filepath.Base(t.path) + backupInfix} {
		names, err := t.siblings(atomicfile.TempPrefix+base, func(string) bool { return true })
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				return err
			}
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
