package kill

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lab"
)

// presence is what is of a VM on one node, as the lab knows it and not as an agent sees it.
type presence string

const (
	absent  presence = "absent"
	running presence = "running"
	frozen  presence = "frozen"
	torso   presence = "torso"   // its memory is not complete
	half    presence = "leaving" // under a name that xend gives what is saved or sent
	mounted presence = "mounted" // and down
)

const (
	leavingPrefix = "migrating-"
	savedMagic    = "LibvirtQemudSave" // what libvirt writes over the beginning of an image when all of it is there
)

// record is H/state; phase is none where there is no file.
type record struct {
	phase, node, to, txn, image, boot, agent string
	seq                                      int
}

func (r record) String() string {
	s := r.phase
	if r.node != "" {
		s += " " + r.node
	}
	if r.to != "" {
		s += " ->" + r.to
	}
	return s
}

// snapshot is all that the table decides by.
type snapshot struct {
	rec      record
	on       map[string]presence
	memory   map[string]string // what incarnation a node's guest has
	files    []string          // in H, without those that are always there
	noted    bool              // the dump of rec.image is noted as complete
	saved    bool              // libvirt says of the image of rec.image that all of the memory is in it
	ticket   string            // transaction of H/ticket
	problems []string          // what cannot be
}

func (s snapshot) String() string {
	text := s.rec.String()
	for _, n := range members {
		if p := s.on[n]; p != absent {
			text += fmt.Sprintf(" | %s %s", n, p)
		}
	}
	if len(s.files) > 0 {
		text += " | " + strings.Join(s.files, " ")
	}
	return text
}

func (s *snapshot) wrong(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s snapshot) has(file string) bool { return slices.Contains(s.files, file) }

// look makes a snapshot. Nothing that belongs to the VM may be at work meanwhile.
func (v *vm) look() snapshot {
	v.t.Helper()
	s := snapshot{on: map[string]presence{}, memory: map[string]string{}}
	s.rec = v.readRecord(&s)
	v.readFolder(&s)
	for _, n := range members {
		v.lookAt(n, &s)
	}
	return s
}

// readRecord reads H/state: lines key=value, the last of them the sum of those before.
func (v *vm) readRecord(s *snapshot) record {
	text, err := os.ReadFile(filepath.Join(v.folder, "state"))
	if errors.Is(err, fs.ErrNotExist) {
		return record{phase: "none"}
	}
	p, perr := keyval.Parse(text)
	if err != nil || perr != nil || len(p) == 0 {
		s.wrong("the record cannot be read: %v %v", err, perr)
		return record{phase: "unknown"}
	}
	lines := text[:len(text)-len("sum=\n")-len(p[len(p)-1].Value)]
	if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE(lines)); p[len(p)-1].Key != "sum" || p[len(p)-1].Value != want {
		s.wrong("the record's sum is wrong:\n%s", text)
	}
	seq, err := strconv.Atoi(p.Get("seq"))
	if err != nil {
		s.wrong("the record's seq: %v", err)
	}
	return record{p.Get("phase"), p.Get("node"), p.Get("to"), p.Get("txn"), p.Get("image"), p.Get("boot"), p.Get("agent"), seq}
}

func (v *vm) readFolder(s *snapshot) {
	entries, err := os.ReadDir(v.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.wrong("%v", err)
	}
	for _, e := range entries {
		name := e.Name()
		if name == "lock" || name == "state" || name == "ticket.lock" || strings.HasPrefix(name, ".ticket-") {
			continue
		}
		s.files = append(s.files, name)
		if txn, ok := strings.CutPrefix(name, "image."); ok && !strings.HasSuffix(txn, ".part") {
			v.wholeImage(s, name)
		}
	}
	part := filepath.Join(v.folder, "image."+s.rec.image+".part")
	if note, err := os.ReadFile(filepath.Join(part, "complete")); err == nil {
		fi, err := os.Stat(filepath.Join(part, "mem"))
		s.noted = err == nil && strings.TrimSpace(string(note)) == strconv.FormatInt(fi.Size(), 10)
	}
	if f, err := os.Open(filepath.Join(part, "mem")); err == nil {
		head := make([]byte, len(savedMagic))
		_, err := f.ReadAt(head, 0)
		s.saved = err == nil && string(head) == savedMagic
		f.Close()
	}
	if text, err := os.ReadFile(filepath.Join(v.folder, "ticket")); err == nil {
		p, err := keyval.Parse(text)
		if err != nil {
			s.wrong("the ticket: %v", err)
		}
		s.ticket = p.Get("txn")
	}
}

// wholeImage: an image has its name only when it is whole.
func (v *vm) wholeImage(s *snapshot, name string) {
	text, err := os.ReadFile(filepath.Join(v.folder, name, "meta"))
	if err != nil {
		s.wrong("%s is published, but not whole: %v", name, err)
		return
	}
	p, err := keyval.Parse(text)
	fi, serr := os.Stat(filepath.Join(v.folder, name, "mem"))
	if err != nil || serr != nil || p.Get("size") != strconv.FormatInt(fi.Size(), 10) {
		s.wrong("%s is published, but not whole: %v %v", name, err, serr)
	}
}

// lookAt asks the node's tool, and its daemon, which sees what the tool does not show.
func (v *vm) lookAt(node string, s *snapshot) {
	v.t.Helper()
	s.on[node] = v.toolSays(node)
	var guests []lab.GuestInfo
	if text := v.c.ask(node, "lab", "guests"); json.Unmarshal([]byte(text), &guests) != nil {
		s.wrong("the guests of %s are %q", node, text)
	}
	for _, g := range guests {
		if g.Type != v.plays || g.VM != v.name {
			continue
		}
		s.memory[node] = g.Incarnation
		switch {
		case g.Frozen && s.on[node] == running:
			s.on[node] = frozen
		case v.plays == "kvm" && s.on[node] == torso:
			s.on[node] = half
		}
	}
}

func (v *vm) toolSays(node string) presence {
	v.t.Helper()
	switch v.plays {
	case "kvm":
		return v.virshSays(node)
	case "openvz":
		words := strings.Fields(v.c.ask(node, "vzctl", "status", v.name))
		switch {
		case slices.Contains(words, "running"):
			return running
		case slices.Contains(words, "mounted"):
			return mounted
		}
		return absent
	}
	for _, line := range strings.Split(v.c.ask(node, "xm", "list"), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 6 && f[0] == v.name && f[4] == "--p---" && f[5] == "0.0":
			return torso
		case len(f) == 6 && f[0] == v.name:
			return running
		case len(f) == 6 && f[0] == leavingPrefix+v.name:
			return half
		}
	}
	return absent
}

// virshSays asks once: a domain that is being shut down may vanish between two questions.
func (v *vm) virshSays(node string) presence {
	v.t.Helper()
	for _, line := range strings.Split(v.c.ask(node, "virsh", "list", "--all"), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) < 3 || f[1] != v.name || f[2] == "shut":
		case f[2] == "paused":
			return torso // or it leaves: then it has a guest here
		default:
			return running
		}
	}
	return absent
}

// check tells what no moment may show, whatever was killed: HANDOFF.md 5, 6f and I3, I6.
func (v *vm) check(s *snapshot, before record) {
	at := ""
	for _, n := range members {
		if s.on[n] != running && s.on[n] != frozen {
			continue
		}
		if at != "" {
			s.wrong("it is on %s and on %s", at, n)
		}
		at = n
		if !s.rec.names(n) && !(s.rec.phase == "sending" && s.rec.to == n) {
			s.wrong("it is on %s, and the record says %s", n, s.rec)
		}
	}
	switch {
	case s.rec.seq < before.seq:
		s.wrong("seq was %d and is %d", before.seq, s.rec.seq)
	case s.rec.seq == before.seq && s.rec != before:
		s.wrong("the record has changed and its seq has not: %v, %v", before, s.rec)
	}
	if s.rec.phase == "resuming" && s.has("image."+s.rec.image) {
		s.wrong("it is resumed from an image that nobody has claimed")
	}
}

// names tells whether the record names a node: HANDOFF.md 3.
func (r record) names(node string) bool {
	switch r.phase {
	case "starting", "running", "suspending", "held", "resuming", "sending":
		return r.node == node
	case "sent":
		return r.to == node
	}
	return false
}
