package balance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// LastView gives the VMs (Name, Type, Owner, Cores and Uses) of the last whole pass of passes.log at path that was made before t, and when that was. The zero
// time says that there is none in the end of the file, or that it cannot be read. Of the line only what stands before the decisions is decoded: they
// are most of it.
func LastView(path string, t time.Time) (time.Time, []VM, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil, nil
	}
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("reading the last pass: %w", err)
	}
	defer f.Close()
	found := func(text []byte) (at time.Time, line []byte) {
		for end := bytes.LastIndexByte(text, '\n'); end >= 0; {
			begin := bytes.LastIndexByte(text[:end], '\n')
			line := text[begin+1 : end]
			if at, ok := passStamp(line); ok && at.Before(t) {
				return at, line
			}
			end = begin
		}
		return time.Time{}, nil
	}
	text, _, err := tailOf(f, 256<<10, maxPassTail, func(text []byte) bool {
		_, line := found(text)
		return line != nil
	})
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("reading the last pass: %w", err)
	}
	at, line := found(text)
	if line == nil {
		return time.Time{}, nil, nil
	}
	vms, err := decodeVMs(line)
	if err != nil { // a spoilt line may not keep passes from being made: the next one stands behind it
		return time.Time{}, nil, nil
	}
	return at, vms, nil
}

// maxPassTail is how much of passes.log is read at most for its last pass.
const maxPassTail = 64 << 20

// passStamp is the time with which a line of a pass begins.
func passStamp(line []byte) (time.Time, bool) {
	stamp, ok := bytes.CutPrefix(line, []byte(`{"at":"`))
	if !ok {
		return time.Time{}, false
	}
	text, _, _ := bytes.Cut(stamp[:min(len(stamp), 64)], []byte(`"`))
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return at, err == nil
}

// decodeVMs reads of the VMs of a line what they are called, where they are, and what they use.
func decodeVMs(line []byte) ([]VM, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if key != "vms" {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return nil, err
			}
			continue
		}
		var list []struct { // of the rest nobody asks
			Name  string             `json:"name"`
			Type  string             `json:"type"`
			Owner *string            `json:"owner"`
			Cores *float64           `json:"cpu_cores"`
			Uses  map[string]float64 `json:"uses"`
		}
		if err := d.Decode(&list); err != nil {
			return nil, err
		}
		out := make([]VM, 0, len(list))
		for _, x := range list {
			out = append(out, VM{Name: x.Name, Type: x.Type, Owner: value(x.Owner), Cores: value(x.Cores), Uses: x.Uses})
		}
		return out, nil
	}
	return nil, errors.New("it names no VMs")
}
