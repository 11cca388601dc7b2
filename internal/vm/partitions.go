package vm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// sector is the unit of partition tables, but for disks whose sectors are larger; of those only GPT tells.
const sector = 512

// mostPartitions bounds what a damaged table can make of us.
const mostPartitions = 256

// partitions are the byte offsets of a disk's partitions, as its first MiB names them: those of a GPT, or of a DOS label
// with the logical ones, which stand in a chain on the disk. A disk without a table has none.
func partitions(disk io.ReaderAt, head []byte) ([]int64, error) {
	if len(head) < sector || head[510] != 0x55 || head[511] != 0xaa {
		return nil, nil
	}
	for _, size := range []int64{sector, 4096} {
		if at, ok := gpt(head, size); ok {
			return at, nil
		}
	}
	var out []int64
	for _, e := range dosEntries(head) {
		out = append(out, e.start*sector)
		if e.extended() {
			logical, err := chain(disk, e.start)
			if err != nil {
				return nil, err
			}
			out = append(out, logical...)
		}
	}
	return out, nil
}

// gpt reads the table of a GPT whose sectors have that size: its header is the second sector.
func gpt(head []byte, size int64) ([]int64, bool) {
	if int64(len(head)) < 2*size || !bytes.HasPrefix(head[size:], []byte("EFI PART")) {
		return nil, false
	}
	le := binary.LittleEndian
	h := head[size:]
	table, count, each := le.Uint64(h[72:]), le.Uint32(h[80:]), int64(le.Uint32(h[84:]))
	if each < 128 || each > sector*8 || table > uint64(len(head)) {
		return nil, true
	}
	var out []int64
	for i := int64(0); i < min(int64(count), mostPartitions); i++ {
		at := int64(table)*size + i*each
		if at+each > int64(len(head)) {
			break
		}
		e := head[at : at+each]
		if first := le.Uint64(e[32:]); !allZero(e[:16]) && first > 0 && first < 1<<50 {
			out = append(out, int64(first)*size)
		}
	}
	return out, true
}

func allZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// dosEntry is a line of a DOS label, in sectors.
type dosEntry struct {
	kind  byte
	start int64
}

func (e dosEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

func dosEntries(label []byte) []dosEntry {
	var out []dosEntry
	for i := range 4 {
		line := label[446+16*i : 446+16*(i+1)]
		if start := binary.LittleEndian.Uint32(line[8:12]); line[4] != 0 && start != 0 {
			out = append(out, dosEntry{line[4], int64(start)})
		}
	}
	return out
}

// chain walks through an extended partition: each label names one logical partition, counted from itself, and the next
// label, counted from the first.
func chain(disk io.ReaderAt, first int64) ([]int64, error) {
	var out []int64
	label := make([]byte, sector)
	for at := first; len(out) < mostPartitions; {
		if _, err := disk.ReadAt(label, at*sector); errors.Is(err, io.EOF) {
			return out, nil // the label lies: behind the end of the disk nothing can be mounted
		} else if err != nil {
			return nil, err
		}
		if label[510] != 0x55 || label[511] != 0xaa {
			return out, nil
		}
		next := int64(0)
		for _, e := range dosEntries(label) {
			if e.extended() {
				next = first + e.start
			} else {
				out = append(out, (at+e.start)*sector)
			}
		}
		if next <= at {
			return out, nil
		}
		at = next
	}
	return out, nil
}
