package bench

import "unicode"

// printable is the ASCII of client tokens.
var printable = &unicode.RangeTable{R16: []unicode.Range16{{Lo: '!', Hi: '~', Stride: 1}}}

// inPath and letters are what IDs in paths are drawn from.
var (
	inPath  = []rune(" +*~%&=;/?#:@!$'()[],\"\\<>{}|^`_-.é北𝄞")
	letters = []*unicode.RangeTable{unicode.Letter, unicode.Digit}
)
