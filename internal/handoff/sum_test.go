package handoff

import (
	"hash/crc32"
	"testing"
)

// The files of earlier releases were summed by hash/crc32.
func TestSumIsCRC32(t *testing.T) {
	text := []byte("format=1\nseq=7\nphase=running\n\x00\xff")
	for n := range text {
		if got, want := sumOf(text[:n]), crc32.ChecksumIEEE(text[:n]); got != want {
			t.Errorf("%q: %08x, want %08x", text[:n], got, want)
		}
	}
}
