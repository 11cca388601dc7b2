package ocf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/clock"
)

// ReadBox reads a black box: the node's last actions, the oldest first. It waits a moment for agents that write, takes
// what can be read and passes over what is damaged. A file that holds nothing of a black box is an error.
//
// Whether an action without an end still works is asked of this machine's /proc; it says nothing of a box that was
// copied from another one.
func ReadBox(path string) ([]BoxRecord, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the black box: %w", err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, errBoxFile), err)
	}
	quiet(f)
	b, err := io.ReadAll(io.LimitReader(f, boxSize))
	if err != nil {
		return nil, fmt.Errorf("reading the black box: %w", err)
	}
	all, ok := parseBox(b)
	if !ok {
		return nil, fmt.Errorf("reading %s: %w", path, errBoxFile)
	}
	for i := range all {
		r := &all[i]
		if !r.Ended {
			born := birth(strconv.Itoa(r.PID))
			r.Lives = born != 0 && born == r.born
		}
	}
	return all, nil
}

// quiet waits until nobody writes. The lock goes when the file is closed; without it a record may be missed.
func quiet(f *os.File) {
	ctx, cancel := clock.System().WithTimeout(context.Background(), 5*boxLockWait)
	defer cancel()
	defer runtime.KeepAlive(f)
	for errors.Is(rawFile(f.Fd()).lock(syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		if clock.System().Sleep(ctx, boxLockWait/20) != nil {
			return
		}
	}
}

// parseBox gives the records of a box; false if it is none.
func parseBox(b []byte) ([]BoxRecord, bool) {
	ours := bytes.HasPrefix(b, []byte(boxMagic))
	type key struct {
		id   uint64
		pid  int
		at   int64
		what string
	}
	found := map[key]BoxRecord{}
	for i := 1; (i+1)*boxSlotSize <= len(b); i++ {
		_, text, err := parseBoxSlot(b[i*boxSlotSize : (i+1)*boxSlotSize])
		if err != nil {
			continue
		}
		r, err := parseBoxText(text)
		if err != nil {
			continue
		}
		ours = true
		// A notable action stands in both rings; where the two differ, the one with the end is the later.
		k := key{r.ID, r.PID, r.At.UnixNano(), r.Action + " " + r.Instance}
		if have, twice := found[k]; !twice || r.Ended && !have.Ended {
			found[k] = r
		}
	}
	all := make([]BoxRecord, 0, len(found))
	for _, r := range found {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b BoxRecord) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID), cmp.Compare(a.PID, b.PID), cmp.Compare(a.Action+" "+a.Instance, b.Action+" "+b.Instance))
	})
	return all, ours
}

// birth is when a process began, in ticks after the machine's start; 0 where there is none, or only its remains.
// pid may be "self".
func birth(pid string) uint64 {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b[max(0, bytes.LastIndexByte(b, ')')):]), ") ")
	fields := strings.Fields(rest) // from the third on
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0
	}
	n, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
