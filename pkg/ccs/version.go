package ccs

import "fmt"

// Bump is the edit that raises config_version by one. How it is written stays: its quotes, and leading zeros as far as
// the new number leaves room for them (009 becomes 010, 999 becomes 1000); a character reference in it becomes the digit
// that it means. A version that is missing or is anything but decimal digits, blanks and signs included, is ErrVersion:
// ccs_tool takes no other. So is one that the cluster's programs could not hold when raised.
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
