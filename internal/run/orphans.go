package run

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A keeper that is killed takes its tool's own process with it (PR_SET_PDEATHSIG), but not what that has started, nor a
// tool for which the kernel has forgotten the wish: it does so when a program changes its SELinux domain. They all stay in
// the keeper's session, though, unless they mean to outlive it as daemons. So a keeper writes down its session before
// its tool runs, and takes that back when it has ended. Who finds it later, and has the lock, knows that the keeper was
// killed.

// noteFD is the note's descriptor in a keeper that has one; noteMark behind the grace in its arguments says so.
const (
	noteFD   = 4
	noteMark = "+note"
)

// orphanDelay is how long orphans may take to die of SIGKILL.
const orphanDelay = 5 * time.Second

// ErrOrphans says that something which a tool has left behind does not die.
var ErrOrphans = errors.New("what an earlier tool has left behind cannot be ended")

// writeNote says whose session this keeper's tool will be in. It may fail: a tool that does not run costs more.
func writeNote(tool string) error {
	_, start, ok := statOf(os.Getpid())
	if !ok {
		return errors.New("reading /proc/self/stat")
	}
	_, err := syscall.Pwrite(noteFD, []byte(fmt.Sprintf("%d %d %s\n", os.Getpid(), start, tool)), 0)
	return err
}

// clearNote says that nothing is left to be ended.
func clearNote() error { return syscall.Ftruncate(noteFD, 0) }

// Orphans is what EndOrphans has found.
type Orphans struct {
	Tool string // that they are of
	PIDs []int  // that were ended
}

// EndOrphans ends what the tool of a killed keeper has left behind, by the note of that keeper, and returns when it is gone.
// The caller holds the lock that the keeper held. It costs one look where there is nothing.
//
// A session's number stays taken as long as it has a member, and a member is not older than its leader. A number that is
// used again has a leader of another age: then all that is of the note has ended. (Not seen is a session with the number
// used again whose leader has ended too.)
func EndOrphans(note string) (Orphans, error) {
	var found Orphans
	text, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("%w: %w", ErrOrphans, err)
	}
	session, start, tool, ok := parseNote(string(text))
	if !ok {
		return found, os.Truncate(note, 0) // torn: its keeper has run nothing yet
	}
	found.Tool = tool
	late := time.Now().Add(orphanDelay)
	again := time.NewTicker(20 * time.Millisecond) // they are not our children: nobody tells us of their end
	defer again.Stop()
	for ; ; <-again.C {
		pids, err := members(session, start)
		if err != nil {
			return found, fmt.Errorf("%w: %w", ErrOrphans, err)
		}
		if len(pids) == 0 {
			return found, os.Truncate(note, 0)
		}
		if time.Now().After(late) {
			return found, fmt.Errorf("%w: %s, processes %v", ErrOrphans, found.Tool, pids)
		}
		for _, pid := range pids {
			kill(pid, syscall.SIGKILL)
			if !slices.Contains(found.PIDs, pid) {
				found.PIDs = append(found.PIDs, pid)
			}
		}
	}
}

func parseNote(text string) (session int, start uint64, tool string, ok bool) {
	w := strings.Fields(text)
	if len(w) != 3 || !strings.HasSuffix(text, "\n") {
		return 0, 0, "", false
	}
	session, serr := strconv.Atoi(w[0])
	start, berr := strconv.ParseUint(w[1], 10, 64)
	return session, start, w[2], serr == nil && berr == nil && session > 1
}

// members are the processes of a session whose leader began at start, in ticks since the boot.
func members(session int, start uint64) ([]int, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		of, began, ok := statOf(pid)
		if !ok || of != session || began < start {
			continue
		}
		if pid == session && began != start {
			return nil, nil
		}
		out = append(out, pid)
	}
	return out, nil
}

// statOf is the session and the beginning of a process that lives.
func statOf(pid int) (session int, start uint64, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	w := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the name before may hold anything
	const state, sessionAt, startAt = 0, 3, 19                           // proc(5), counted from the state on
	if len(w) <= startAt || w[state] == "Z" || w[state] == "X" {
		return 0, 0, false
	}
	session, serr := strconv.Atoi(w[sessionAt])
	start, berr := strconv.ParseUint(w[startAt], 10, 64)
	return session, start, serr == nil && berr == nil
}
