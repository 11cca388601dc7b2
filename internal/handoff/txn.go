package handoff

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// NewTxn is the name of a new transaction: 128 random bits in hexadecimal.
func NewTxn() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making a transaction: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// CheckTxn tells whether txn is a transaction's name; only such a one becomes part of a file name.
func CheckTxn(txn string) error {
	b, err := hex.DecodeString(txn)
	if err != nil || len(b) != 16 || hex.EncodeToString(b) != txn {
		return fmt.Errorf("%q is not a transaction", txn)
	}
	return nil
}
