package hypervisor

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const dom0Name = "Domain-0"

// xenRow is one line of `xm list` or `xl list`.
type xenRow struct {
	name    string
	id      int   // -1 where xend only knows the configuration
	mem     int64 // MiB
	letters letters
	time    float64 // processor seconds
	unclear bool    // the tool itself does not know its number or state at this moment
	line    string
}

// role is the part that a name plays.
type role int

const (
	plain role = iota
	leaving
	incoming
	away
	zombie
)

// role takes a name apart.
func (r xenRow) role() (role, string) {
	name, was := r.name, plain
	if rest, ok := strings.CutPrefix(name, zombiePrefix); ok {
		name, was = rest, zombie
	}
	for _, c := range []struct {
		is  role
		cut func(string) (string, bool)
	}{
		{leaving, func(s string) (string, bool) { return strings.CutPrefix(s, leavingPrefix) }},
		{incoming, func(s string) (string, bool) { return strings.CutSuffix(s, incomingSuffix) }},
		{away, func(s string) (string, bool) { return strings.CutSuffix(s, awaySuffix) }},
	} {
		if rest, ok := c.cut(name); ok {
			if was == plain {
				was = c.is
			}
			return was, rest
		}
	}
	return was, name
}

func (r xenRow) belongs(vm string) bool {
	_, name := r.role()
	return name == vm
}

// letters are a domain's state: rbpscd, each in its place or a dash; five of them in the oldest versions. In the fifth
// place xl says why a domain ended: r reboot, s suspended, c crashed, w watchdog, S soft reset.
type letters string

func (l letters) at(i int, c byte) bool { return i < len(l) && l[i] == c }

func (l letters) ran() bool       { return l.at(0, 'r') || l.at(1, 'b') }
func (l letters) paused() bool    { return l.at(2, 'p') }
func (l letters) ended() bool     { return l.at(3, 's') }
func (l letters) suspended() bool { return l.at(3, 's') && l.at(4, 's') }
func (l letters) crashed() bool   { return l.at(4, 'c') }
func (l letters) dying() bool     { return l.at(5, 'd') }

func (l letters) valid(t toolstack) bool {
	if len(l) != 6 && (len(l) != 5 || t == xl) {
		return false
	}
	for i := range len(l) {
		switch c := l[i]; {
		case c == '-', c == "rbpscd"[i]:
		case t == xl && i == 4 && strings.IndexByte("rswS", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// neverRan: no processor time and not on a processor. A domain that is still being received looks like this. A
// blocked one has run.
func (r xenRow) neverRan() bool { return r.id > 0 && r.time == 0 && !r.letters.ran() }

func (r xenRow) state() State {
	part, _ := r.role()
	switch l := r.letters; {
	case r.unclear:
		return Unknown
	case r.id < 0:
		return Stopped
	case part == zombie, r.name == nameless, l.crashed(), l.dying():
		return Remains
	case part == incoming:
		return Torso
	case part == leaving, part == away: // `s` is part of leaving: it is suspended for the last pages
		return Migrating
	case l.suspended(): // xl does not rename for that
		return Migrating
	case l.ended():
		return Remains
	case l.paused() && r.neverRan():
		return Arriving
	case l.paused():
		return Paused
	}
	return Running
}

// detailOf sums up the rows of one guest: the one that is most alive decides, and one that is not known most of all.
func detailOf(rows []xenRow) Detail {
	rank := [...]State{Unknown, Running, Migrating, Paused, Arriving, Torso, Remains, Stopped}
	d := Detail{State: Absent}
	for _, r := range rows {
		d.Rows = append(d.Rows, r.line)
	}
	for _, s := range rank {
		for _, r := range rows {
			if r.state() == s {
				d.State, d.Letters, d.NeverRan = s, string(r.letters), r.neverRan()
				if s == Remains && r.letters.crashed() {
					d.Sick = "it crashed"
				}
				part, _ := r.role()
				d.Suspended = s == Migrating && part == plain
				d.Handed = s == Migrating && part != plain && (r.letters.ended() || r.letters.paused())
				return d
			}
		}
	}
	return d
}

// parseXenList reads `xm list` or `xl list`. Columns are found from the right, since a long name shifts them; a row without
// number and state is a domain that xend only knows. One line that is no row makes the whole answer useless: it might
// be the guest that is asked for. dom0 is in every list, so one without it was cut off.
func parseXenList(t toolstack, out []byte) ([]xenRow, error) {
	bad := func(line string) error { return fmt.Errorf("%w: %s list: %s", ErrAnswer, t, quoteStart([]byte(line))) }
	if !bytes.HasSuffix(out, []byte("\n")) {
		return nil, bad(string(out))
	}
	var rows []xenRow
	header, dom0 := false, false
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if !header {
			w := strings.Fields(line)
			if len(w) < 6 || w[0] != "Name" || w[len(w)-1] != "Time(s)" || w[len(w)-2] != "State" {
				return nil, bad(line)
			}
			header = true
			continue
		}
		r, ok := parseXenRow(t, line)
		if !ok {
			return nil, bad(line)
		}
		dom0 = dom0 || r.id == 0
		rows = append(rows, r)
	}
	if !dom0 {
		return nil, bad(string(out))
	}
	return rows, nil
}

func parseXenRow(t toolstack, line string) (xenRow, bool) {
	w := strings.Fields(line)
	r := xenRow{id: -1, line: strings.Join(w, " ")}
	if n := len(w); n > 0 && strings.HasPrefix(w[n-1], "s:") { // a security label, in the oldest versions
		w = w[:n-1]
	}
	switch len(w) {
	case 6: // name id mem vcpus state time
		id, err := strconv.Atoi(w[1])
		if err != nil {
			return r, false
		}
		r.id, r.letters = id, letters(w[4])
		r.unclear = id < 0 || !r.letters.valid(t)
		w = []string{w[0], w[2], w[3], w[5]}
	case 4: // name mem vcpus time
		if t == xl { // which lists what is there, and nothing else
			return r, false
		}
	default:
		return r, false
	}
	mem, err1 := strconv.ParseInt(w[1], 10, 43)
	_, err2 := strconv.ParseUint(w[2], 10, 16)
	seconds, err3 := strconv.ParseFloat(w[3], 64)
	if err1 != nil || err2 != nil || err3 != nil || mem < 0 || !(seconds >= 0) || math.IsInf(seconds, 0) {
		return r, false
	}
	r.name, r.mem, r.time = w[0], mem, seconds
	return r, true
}

// xenInfo is what we need of `xm info` or `xl info`, which say the same.
type xenInfo struct {
	version  string
	freeMem  int64 // MiB
	totalMem int64 // MiB, of the machine; 0 where it does not say
	cpus     int   // of the machine; 0 where it does not say
}

// parseXenInfo reads `key : value` lines. nr_cpus and total_memory are the machine's, not dom0's.
func parseXenInfo(out []byte) (xenInfo, error) {
	values := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	major, minor, extra := values["xen_major"], values["xen_minor"], values["xen_extra"]
	free, err := strconv.ParseInt(values["free_memory"], 10, 43)
	if major == "" || minor == "" || err != nil || free < 0 {
		return xenInfo{}, fmt.Errorf("%w: xen info: %s", ErrAnswer, quoteStart(out))
	}
	info := xenInfo{version: major + "." + minor + extra, freeMem: free}
	if n, err := strconv.ParseUint(values["nr_cpus"], 10, 16); err == nil {
		info.cpus = int(n)
	}
	if n, err := strconv.ParseInt(values["total_memory"], 10, 43); err == nil && n >= free {
		info.totalMem = n
	}
	return info, nil
}
