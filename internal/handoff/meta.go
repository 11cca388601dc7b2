package handoff

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lbvm/lbvm/internal/keyval"
)

// Meta describes a memory image.
type Meta struct {
	Txn, VM, Type string
	Tool          string // what made the dump, with its version
	Arch          string
	Size          int64  // of the dump
	Config        string // sha256 of the guest's configuration, for humans
	Fingerprint   string // of the guest's disks, after the guest had stopped
}

func (m Meta) format() []byte {
	return seal(keyval.Pairs{{Key: "format", Value: "1"}, {Key: "txn", Value: m.Txn}, {Key: "vm", Value: m.VM}, {Key: "type", Value: m.Type},
		{Key: "tool", Value: m.Tool}, {Key: "arch", Value: m.Arch}, {Key: "size", Value: strconv.FormatInt(m.Size, 10)},
		{Key: "config", Value: m.Config}, {Key: "fingerprint", Value: m.Fingerprint}}.Format())
}

func parseMeta(text []byte) (Meta, error) {
	p, err := unseal(text)
	if err != nil {
		return Meta{}, err
	}
	m := Meta{Txn: p.Get("txn"), VM: p.Get("vm"), Type: p.Get("type"), Tool: p.Get("tool"), Arch: p.Get("arch"),
		Config: p.Get("config"), Fingerprint: p.Get("fingerprint")}
	if m.Size, err = strconv.ParseInt(p.Get("size"), 10, 64); err != nil {
		return Meta{}, fmt.Errorf("size=%q is not a number", p.Get("size"))
	}
	if m.Fingerprint == "" {
		return Meta{}, errors.New("fingerprint= is missing")
	}
	return m, nil
}

func readMeta(path string) (Meta, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Meta{}, err
	}
	m, err := parseMeta(text)
	if err != nil {
		return Meta{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return m, nil
}

// checkImage is nil if the image in dir is that of txn, whole, and as old as the guest's disks.
func (d *Dir) checkImage(dir, txn, fingerprint string) error {
	m, err := readMeta(filepath.Join(dir, metaFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadImage, err)
	}
	size, err := sizeOf(filepath.Join(dir, MemFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadImage, err)
	}
	switch {
	case m.Txn != txn || m.VM != d.vm || m.Type != d.typ:
		return fmt.Errorf("%w: it is of %s:%s, transaction %s", ErrBadImage, m.Type, m.VM, m.Txn)
	case m.Size != size:
		return fmt.Errorf("%w: its dump has %d bytes and should have %d", ErrBadImage, size, m.Size)
	case fingerprint == "" || m.Fingerprint != fingerprint:
		return fmt.Errorf("%w: the guest's disks have changed since it was made", ErrBadImage)
	}
	return nil
}
