package ccs

import "fmt"

// Bump is the edit that raises config_version by one and keeps how it is written: its quotes and leading zeros.
func (d *Document) Bump() (Edit, error) {
	old, err := d.Version()
	if err != nil {
		return nil, err
	}
	if old >= maxVersion {
		line, col := d.Root().Position()
		return nil, fmt.Errorf("%s:%d:%d: %w: %d cannot be raised", d.name, line, col, ErrVersion, old)
	}
	text, _ := d.Root().Attr("config_version")
	return SetAttr{d.Root(), "config_version", fmt.Sprintf("%0*d", len(text), old+1)}, nil
}
