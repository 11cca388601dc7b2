package conf

import "github.com/lbvm/lbvm/pkg/balance/perl"

// blockEnd is the offset of the brace that closes the one at open. perl.BlockEnd copies what it is given, and a file
// may hold thousands of blocks: a piece is tried first, all of the file last, so that its message counts from the top.
// An end close to where the piece was cut is not trusted: the cut may have gone through a pattern or a string.
func blockEnd(src []byte, open int) (int, error) {
	for n := 2 << 10; n < len(src)-open; n *= 8 {
		if end, err := perl.BlockEnd(src[open:open+n], 0); err == nil && end < n-1<<10 {
			return open + end, nil
		}
	}
	return perl.BlockEnd(src, open)
}
