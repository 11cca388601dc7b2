package ocf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The file is a header and two rings of slots, all of one size and of text, filled up with zeros:
//
//	lbvm-blackbox 1\nall=N\nnotable=N\nsum=SUM\n          how many records each ring ever had
//	record N SUM\nkey=value\n...                           N stands in slot (N-1) % boxSlots of its ring
//
// N is 20 digits, SUM the FNV-1a of the text after it with N before; a slot that it does not fit is no record. Slots do
// not cross pages, so that an agent that is killed leaves none half written, only a power cut does.
const (
	ringAll = iota
	ringNotable
	boxRings

	boxSlots    = 200  // of a ring
	boxSlotSize = 1024 // bytes
	boxSize     = boxSlotSize * (1 + boxRings*boxSlots)

	boxMagic      = "lbvm-blackbox 1\n"
	boxHeaderSize = len(boxMagic+"all=\nnotable=\nsum=\n") + 20 + 20 + 8
	boxSlotHead   = len("record ") + 20 + 1 + 8 + 1
	boxText       = boxSlotSize - boxSlotHead
)

var errBoxFile = errors.New("not a black box")

type boxFile struct {
	f rawFile
	// alone is that the lock could not be had: somebody still waits for it, and we go on without.
	alone bool
}

// boxSlot is where a record stands in a ring. The bytes of its head say whether it is still there.
type boxSlot struct {
	n    uint64 // 0: nowhere
	head [boxSlotHead]byte
}

func (s boxSlot) offset(ring int) int64 {
	return boxSlotSize * int64(1+ring*boxSlots+int((s.n-1)%boxSlots))
}

// openBoxFile opens the box for writing, and makes it where its folder's parent is there.
func openBoxFile(path string) (*boxFile, error) {
	// What may lie in its place is neither waited for (a FIFO) nor followed.
	const how = syscall.O_RDWR | syscall.O_CREAT | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | noAtime
	if !filepath.IsAbs(path) {
		return nil, errBoxFile
	}
	f, err := openRaw(path, how, 0o640)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.Mkdir(filepath.Dir(path), 0o750); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		f, err = openRaw(path, how, 0o640)
	}
	if err != nil {
		return nil, err
	}
	return &boxFile{f: f}, nil
}

// begin writes the record of an action that begins.
func (b *boxFile) begin(e *boxEntry) error {
	return b.locked(func() error {
		last, err := b.counters()
		if err != nil {
			return err
		}
		next := last
		next[ringAll]++
		e.record.ID = next[ringAll]
		lost := b.unended(boxSlot{n: next[ringAll]})
		if lost != nil {
			next[ringNotable]++
		}
		e.record.Notable = !asks(e.record.Action) || e.record.Ended && b.news(&e.record)
		if e.record.Notable {
			next[ringNotable]++
		}
		// The numbers first: a killed writer may waste one, but none is given twice.
		if _, err := b.f.WriteAt(boxHeader(next), 0); err != nil {
			return err
		}
		if lost != nil {
			s := boxSlot{n: last[ringNotable] + 1}
			if err := b.put(ringNotable, &s, lost); err != nil {
				return err
			}
		}
		e.stands[ringAll].n = next[ringAll]
		if e.record.Notable {
			e.stands[ringNotable].n = next[ringNotable]
		}
		return b.putAll(e)
	})
}

// unended is the record in a slot that is about to be used anew, if its action has not ended and it stands nowhere
// else: somebody will want to know what hung or was killed.
func (b *boxFile) unended(s boxSlot) []byte {
	slot := make([]byte, boxSlotSize)
	if _, err := b.f.ReadAt(slot, s.offset(ringAll)); err != nil {
		return nil
	}
	if bytes.Contains(slot, []byte("\ncode=")) || bytes.Contains(slot, []byte("\nnotable=1\n")) {
		return nil // the ordinary case, without reading all of it
	}
	if _, text, err := parseBoxSlot(slot); err == nil {
		if r, err := parseBoxText(text); err == nil && !r.Ended && !r.Notable {
			return bytes.Clone(text)
		}
	}
	return nil
}

// update writes the record again, where it still stands. At the end it gets a place among the notable ones if it is
// one by now.
func (b *boxFile) update(e *boxEntry) error {
	r := &e.record
	if r.Ended && !r.Notable {
		r.Notable = b.news(r) || !b.holds(ringAll, e.stands[ringAll])
	}
	err := b.locked(func() error {
		if r.Notable && e.stands[ringNotable].n == 0 {
			n, err := b.counters()
			if err != nil {
				return err
			}
			n[ringNotable]++
			if _, err := b.f.WriteAt(boxHeader(n), 0); err != nil {
				return err
			}
			e.stands[ringNotable].n = n[ringNotable]
		}
		return b.putAll(e)
	})
	if errors.Is(err, errBoxBusy) {
		// Without the lock, another writer could take the slot between the look and the write. That costs one old
		// record and needs a full turn of the ring; a record without its end would be a lie.
		return b.putAll(e)
	}
	return err
}

// news tells whether the end of an action that asks is worth a place among the notable.
func (b *boxFile) news(r *BoxRecord) bool {
	return !ordinary(r.Action, r.Code) || r.Code == CodeNotRunning && !r.Probe && b.ranHere(r)
}

// ranHere tells whether the last that is known of the resource is that it runs here: a status check that now finds it
// gone is news, while everywhere else it is the ordinary answer.
func (b *boxFile) ranHere(r *BoxRecord) bool {
	ring := make([]byte, boxSlots*boxSlotSize)
	if _, err := b.f.ReadAt(ring, boxSlotSize); err != nil {
		return false
	}
	mark := []byte("\ninstance=" + cutText(r.Instance, maxBoxName) + "\n")
	var last BoxRecord
	for ; len(ring) > 0; ring = ring[boxSlotSize:] {
		if !bytes.Contains(ring[:boxSlotSize], mark) {
			continue
		}
		if _, text, err := parseBoxSlot(ring[:boxSlotSize]); err == nil {
			if x, err := parseBoxText(text); err == nil && x.Ended && x.Action != actionValidate && x.ID > last.ID && x.ID != r.ID {
				last = x
			}
		}
	}
	return last.Ended && last.Code == CodeOK && (isStatus(last.Action) || last.Action == "start" || last.Action == "migrate_from" || last.Action == "recover")
}

// putAll writes the record wherever it stands.
func (b *boxFile) putAll(e *boxEntry) error {
	var room [boxText]byte // on the stack, as all of these: a piece of memory of each size costs a check two page faults
	text := e.record.appendText(room[:0])
	for ring := range e.stands {
		s := &e.stands[ring]
		if s.n == 0 || s.head[0] != 0 && !b.holds(ring, *s) {
			continue
		}
		if err := b.put(ring, s, text); err != nil {
			return err
		}
	}
	return nil
}

// holds tells whether what was written to a slot still stands there.
func (b *boxFile) holds(ring int, s boxSlot) bool {
	var head [boxSlotHead]byte
	_, err := b.f.ReadAt(head[:], s.offset(ring))
	return err == nil && head == s.head
}

func (b *boxFile) put(ring int, s *boxSlot, text []byte) error {
	slot := make([]byte, 0, boxSlotSize)
	slot = appendPadded(append(slot, "record "...), s.n, 10, 20)
	sum := boxSum(slot[len("record "):], text)
	slot = append(appendPadded(append(slot, ' '), uint64(sum), 16, 8), '\n')
	copy(s.head[:], slot)
	slot = append(slot, text...)
	_, err := b.f.WriteAt(slot[:boxSlotSize], s.offset(ring)) // zeros behind the text
	return err
}

func boxSum(number, text []byte) uint32 { return sumOf(number, text) }

// sumOf notices what was torn. It is not CRC-32, whose tables cost a check more to fill than the rest of the writing.
func sumOf(parts ...[]byte) uint32 {
	h := uint32(2166136261) // FNV-1a
	for _, p := range parts {
		for _, c := range p {
			h = (h ^ uint32(c)) * 16777619
		}
	}
	return h
}

// parseBoxSlot finds the text of a record and its number in the ring.
func parseBoxSlot(slot []byte) (n uint64, text []byte, err error) {
	if len(slot) < boxSlotHead || !bytes.HasPrefix(slot, []byte("record ")) {
		return 0, nil, errBoxFile
	}
	head := slot[len("record "):boxSlotHead]
	text, _, _ = bytes.Cut(slot[boxSlotHead:], []byte{0})
	n, err = strconv.ParseUint(string(head[:20]), 10, 64)
	if err != nil || n == 0 || string(head[20:]) != string(appendPadded([]byte{' '}, uint64(boxSum(head[:20], text)), 16, 8))+"\n" {
		return 0, nil, errBoxFile
	}
	return n, text, nil
}

func boxHeader(n [boxRings]uint64) []byte { return appendBoxHeader(make([]byte, 0, boxHeaderSize), n) }

// appendBoxHeader is boxHeader in h, which is empty.
func appendBoxHeader(h []byte, n [boxRings]uint64) []byte {
	h = append(h, boxMagic+"all="...)
	h = append(appendPadded(h, n[ringAll], 10, 20), "\nnotable="...)
	h = append(appendPadded(h, n[ringNotable], 10, 20), "\nsum="...)
	return append(appendPadded(h, uint64(sumOf(h)), 16, 8), '\n')
}

// counters reads how many records there were. What is no box of ours is made a new one; where only the numbers are
// lost, the records tell them.
func (b *boxFile) counters() (n [boxRings]uint64, err error) {
	size, regular, err := b.f.size()
	if err != nil {
		return n, err
	}
	if !regular {
		return n, errBoxFile
	}
	if size != boxSize {
		return n, b.make()
	}
	h := make([]byte, boxHeaderSize)
	if _, err := b.f.ReadAt(h, 0); err != nil {
		return n, err
	}
	if !bytes.HasPrefix(h, []byte(boxMagic)) {
		return n, b.make()
	}
	if n, ok := parseBoxHeader(h); ok {
		return n, nil
	}
	return b.count()
}

func parseBoxHeader(h []byte) (n [boxRings]uint64, ok bool) {
	at := len(boxMagic)
	for i, name := range [boxRings]string{"all=", "notable="} {
		at += len(name)
		x, err := strconv.ParseUint(string(h[at:at+20]), 10, 64)
		if err != nil {
			return n, false
		}
		n[i], at = x, at+20+1
	}
	return n, bytes.Equal(h, boxHeader(n))
}

// count finds the highest number of each ring.
func (b *boxFile) count() (n [boxRings]uint64, err error) {
	all, err := io.ReadAll(io.NewSectionReader(b.f, 0, boxSize))
	if err != nil {
		return n, err
	}
	for i := range boxRings * boxSlots {
		slot := all[min(len(all), (1+i)*boxSlotSize):]
		if x, _, err := parseBoxSlot(slot[:min(len(slot), boxSlotSize)]); err == nil {
			n[i/boxSlots] = max(n[i/boxSlots], x)
		}
	}
	return n, nil
}

// make makes an empty box. Its blocks are taken now, so that a disk that fills up later does not matter; on one that
// is full nothing is left behind.
func (b *boxFile) make() error {
	err := b.f.chmod(0o640)
	if err == nil {
		err = b.f.truncate(0)
	}
	if err == nil {
		_, err = b.f.WriteAt(make([]byte, boxSize-boxSlotSize), boxSlotSize)
	}
	if err == nil {
		_, err = b.f.WriteAt(boxHeader([boxRings]uint64{}), 0) // last: before it, this is no box
	}
	if err != nil {
		return errors.Join(err, b.f.truncate(0))
	}
	return nil
}
