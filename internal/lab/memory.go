package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// Memory is what a guest has in its memory, and what a dump or save file holds.
type Memory struct {
	Type        string  `json:"type"`
	VM          string  `json:"vm"`
	Incarnation string  `json:"incarnation"` // made at a cold boot, the same as long as the memory lives
	N           uint64  `json:"n"`           // ticks since the cold boot
	Load        float64 `json:"load"`        // share of a node's processors, 0 to 1
	MemBytes    int64   `json:"mem_bytes"`
	// Config is what the hypervisor keeps beside the memory.
	Config json.RawMessage `json:"config,omitempty"`
}

// ErrMemory says that bytes are not a whole memory image.
var ErrMemory = errors.New("not a whole memory image")

const memoryMagic = "lbvm-lab memory"

// Format is the memory as a file: a line with length and checksum, then the memory.
func (m Memory) Format() ([]byte, error) {
	body, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing a guest's memory: %w", err)
	}
	body = append(body, '\n')
	return append([]byte(fmt.Sprintf("%s %d %08x\n", memoryMagic, len(body), crc32.ChecksumIEEE(body))), body...), nil
}

// ParseMemory reads what Format wrote. What is cut short, changed or foreign is ErrMemory.
func ParseMemory(b []byte) (Memory, error) {
	head, body, _ := bytes.Cut(b, []byte("\n"))
	var size int
	var sum uint32
	if n, err := fmt.Sscanf(string(head), memoryMagic+" %d %08x", &size, &sum); err != nil || n != 2 {
		return Memory{}, fmt.Errorf("%w: bad head", ErrMemory)
	}
	if len(body) != size || crc32.ChecksumIEEE(body) != sum {
		return Memory{}, fmt.Errorf("%w: bad checksum", ErrMemory)
	}
	var m Memory
	if err := json.Unmarshal(body, &m); err != nil {
		return Memory{}, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return m, nil
}
