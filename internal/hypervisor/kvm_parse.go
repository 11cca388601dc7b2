package hypervisor

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// savedMagic begins an image that is whole (libvirt: src/qemu/qemu_saveimage.h).
const savedMagic = "LibvirtQemudSave"

func onlyShort(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// notThere: virsh has no such domain, and no other complaint beside that: where the connection breaks it says
// "failed to get domain" as well.
func notThere(err error) bool {
	var e *toolError
	if !errors.As(err, &e) {
		return false
	}
	said := false
	for _, line := range strings.Split(e.all, "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "error:"))
		switch {
		case line == "":
		case strings.HasPrefix(line, "failed to get domain '"), strings.HasPrefix(line, "domain not found"):
			said = true
		default:
			return false
		}
	}
	return said
}

// notRunning: there is nothing to be ended.
func notRunning(err error) bool { return said(err, "domain is not running") }

// noLibvirtd: nobody listens at libvirt's socket.
func noLibvirtd(err error) bool {
	return said(err, "failed to connect to the hypervisor") && said(err, "failed to connect socket") &&
		(said(err, "no such file or directory") || said(err, "connection refused"))
}

// domState is an answer of virsh domstate --reason.
type domState struct{ word, reason, line string }

// parseDomState reads one line, STATE or STATE (REASON).
func parseDomState(out []byte) (domState, error) {
	line := strings.TrimSpace(string(out))
	s := domState{line: line}
	if line == "" || strings.ContainsAny(line, "\n\r") {
		return s, fmt.Errorf("%w: virsh domstate: %s", ErrAnswer, quoteStart(out))
	}
	var with bool
	if s.word, s.reason, with = strings.Cut(line, " ("); with {
		var closed bool
		if s.reason, closed = strings.CutSuffix(s.reason, ")"); !closed {
			return s, fmt.Errorf("%w: virsh domstate: %s", ErrAnswer, quoteStart(out))
		}
	}
	return s, nil
}

// state is what the words mean, and why a guest that is here cannot be in order.
// Words: tools/virsh-domain-monitor.c of libvirt.
func (s domState) state() (State, string) {
	switch s.word {
	case "running":
		if s.reason == "post-copy failed" {
			return Running, "it lacks memory that was lost on the way here"
		}
		return Running, ""
	case "idle", "blocked", // of other drivers
		"in shutdown": // on its way out, and not out yet
		return Running, ""
	case "paused":
		return s.paused()
	case "pmsuspended":
		return Paused, ""
	case "shut off":
		return Stopped, ""
	case "crashed":
		return Remains, "it crashed"
	case "dying":
		return Remains, ""
	}
	return Unknown, ""
}

func (s domState) paused() (State, string) {
	switch s.reason {
	case "dumping", "creating snapshot", "shutting down": // libvirt lets it go on by itself; the last one reboots
		return Running, ""
	case "saving", "post-copy":
		return Migrating, ""
	case "post-copy failed":
		return Migrating, "its migration broke off with a part of its memory on either side"
	case "starting up": // as what arrives does before its first page
		return Torso, ""
	case "crashed":
		return Remains, "it crashed"
	case "I/O error": // it has not been told, and waits for a disk that this node cannot reach
		return Paused, "it was stopped by an I/O error of its disk"
	case "watchdog":
		return Paused, "its watchdog has stopped it"
	case "user", "unknown", "from snapshot", "api error":
		return Paused, ""
	}
	return Unknown, "" // "migrating" is for who asks for the job; no reason at all may be that too
}

func (s domState) migrating() bool { return s.word == "paused" && s.reason == "migrating" }
func (s domState) saving() bool    { return s.word == "paused" && s.reason == "saving" }

// asleep: the guest has put itself to sleep.
func asleep(rows []string) bool { return len(rows) > 0 && strings.HasPrefix(rows[0], "pmsuspended") }

// job is what libvirt does with a guest.
type job struct{ kind, line string }

// active: it works on the guest, or has not said how that ended.
func (j job) active() bool {
	switch j.kind {
	case "none", "completed", "failed", "cancelled":
		return false
	}
	return true
}

// parseJob reads what virsh domjobinfo prints.
func parseJob(out []byte) (job, error) {
	info := infoOf(out)
	j := job{kind: strings.ToLower(info["job type"])}
	if j.kind == "" {
		return j, fmt.Errorf("%w: virsh domjobinfo: %s", ErrAnswer, quoteStart(out))
	}
	j.line = strings.TrimSpace("job " + j.kind + " " + info["operation"])
	return j, nil
}

// infoOf reads `Key: value` lines; the keys in lower case. The first of a name counts.
func infoOf(out []byte) map[string]string {
	values := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		key, value, ok := strings.Cut(line, ":")
		key = strings.ToLower(strings.TrimSpace(key))
		if _, known := values[key]; ok && !known {
			values[key] = strings.TrimSpace(value)
		}
	}
	return values
}

// kibibytes reads "131072 KiB" ("kB" until libvirt 0.9.10, which means the same).
func kibibytes(text string) (int64, error) {
	number, unit, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(number, 10, 53)
	if err != nil || n < 0 || unit != "KiB" && unit != "kB" {
		return 0, fmt.Errorf("%w: %q is no amount of memory", ErrAnswer, text)
	}
	return n << 10, nil
}

// parseVirshList gives the names of `virsh list --all` that have a number, which are those that are here. A name with
// blanks is none of ours and gives its first word, or is passed over.
func parseVirshList(out []byte) ([]string, error) {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if w := strings.Fields(lines[0]); len(lines) < 2 || len(w) != 3 || w[0] != "Id" || w[1] != "Name" || w[2] != "State" || !strings.HasPrefix(strings.TrimSpace(lines[1]), "---") {
		return nil, fmt.Errorf("%w: virsh list: %s", ErrAnswer, quoteStart(out))
	}
	var names []string
	for _, line := range lines[2:] {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		_, err := strconv.ParseUint(w[0], 10, 31)
		switch {
		case len(w) < 3, err != nil && w[0] != "-":
			return nil, fmt.Errorf("%w: virsh list: %s", ErrAnswer, quoteStart([]byte(line)))
		case err == nil:
			names = append(names, w[1])
		}
	}
	return names, nil
}
