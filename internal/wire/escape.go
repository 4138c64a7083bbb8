// Package wire holds what the two wire families share: escaping and JSON.
package wire

const upperHex = "0123456789ABCDEF"

// unreserved are the bytes that RFC 3986 leaves as they are.
var unreserved = [256]bool{'-': true, '.': true, '_': true, '~': true}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || unreserved[c]
}

// AppendEscaped appends s percent-encoded by RFC 3986, as in a query, a path
// segment and the canonical forms of all signatures.
func AppendEscaped[T string | []byte](b []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; isUnreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// AppendFormEscaped appends s as application/x-www-form-urlencoded has it:
// like AppendEscaped, but a space is a plus sign.
func AppendFormEscaped[T string | []byte](b []byte, s T) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case isUnreserved(c):
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}
