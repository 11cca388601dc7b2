package hypervisor

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// vzStatus is what `vzctl status` says.
type vzStatus struct {
	line                                       string
	exist, mounted, running, suspended, frozen bool
}

// parseVZStatus reads `CTID 101 exist mounted running`, with VEID before 3.0.23, and with `suspended` behind it
// where a dump lies at the default place (3.0.24 and later). vzctl 7 says VEID again, and `paused` for running or `suspended`
// for down. The exit code says nothing.
func parseVZStatus(out []byte, vm string) (vzStatus, error) {
	var s vzStatus
	bad := func() (vzStatus, error) {
		return vzStatus{}, fmt.Errorf("%w: vzctl status: %s", ErrAnswer, quoteStart(out))
	}
	s.line = strings.TrimSpace(string(out))
	if strings.ContainsRune(s.line, '\n') {
		return bad()
	}
	w := strings.Fields(s.line)
	if len(w) < 5 || len(w) > 6 || w[0] != "CTID" && w[0] != "VEID" || w[1] != vm {
		return bad()
	}
	switch w[0] + " " + w[4] { // only vzctl 7
	case "VEID paused":
		w[4], s.frozen = "running", true
	case "VEID suspended":
		w[4], s.suspended = "down", true
	}
	for _, word := range []struct {
		got, yes, no string
		to           *bool
	}{{w[2], "exist", "deleted", &s.exist}, {w[3], "mounted", "unmounted", &s.mounted}, {w[4], "running", "down", &s.running}} {
		if word.got != word.yes && word.got != word.no {
			return bad()
		}
		*word.to = word.got == word.yes
	}
	if len(w) == 6 {
		if w[5] != "suspended" {
			return bad()
		}
		s.suspended = true
	}
	return s, nil
}

// state says Absent for `deleted unmounted down`, which still has to be proved.
func (s vzStatus) state() State {
	switch {
	case s.running && s.frozen:
		return Paused
	case s.running:
		return Running
	case s.mounted:
		return Remains
	case !s.exist:
		return Absent
	}
	return Stopped
}

// vzPage is the page in which beancounters count.
const vzPage = 4096

// parseVZList reads `vzlist -H -o ctid,status,physpages`.
func parseVZList(out []byte) ([]host.GuestFact, error) {
	var guests []host.GuestFact
	sc := bufio.NewScanner(bytes.NewReader(out))
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		if len(w) == 0 {
			continue
		}
		if len(w) != 3 || host.CheckName(w[0]) != nil {
			return nil, fmt.Errorf("%w: vzlist: %s", ErrAnswer, quoteStart(sc.Bytes()))
		}
		g := host.GuestFact{Type: "openvz", Name: w[0], State: w[1], CPU: -1}
		switch w[1] {
		case "running", "stopped", "mounted", "suspended", "paused": // the last by vzctl 7
		default:
			return nil, fmt.Errorf("%w: vzlist: %s", ErrAnswer, quoteStart(sc.Bytes()))
		}
		if w[2] != "-" {
			pages, err := strconv.ParseUint(w[2], 10, 40) // 2^40 pages are more than there is
			if err != nil {
				return nil, fmt.Errorf("%w: vzlist: %s: %w", ErrAnswer, quoteStart(sc.Bytes()), err)
			}
			g.Mem = int64(pages) * vzPage
		}
		guests = append(guests, g)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%w: vzlist: %w", ErrAnswer, err)
	}
	return guests, nil
}

// parseVZVersion reads `vzctl version 3.0.22`, with whatever a distribution adds behind it.
func parseVZVersion(out []byte) (string, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	w := strings.Fields(line)
	if len(w) < 3 || w[0] != "vzctl" || w[1] != "version" || w[2][0] < '0' || w[2][0] > '9' {
		return "", fmt.Errorf("%w: vzctl --version: %s", ErrAnswer, quoteStart(out))
	}
	return w[2], nil
}
