package transport

import (
	"crypto/rand"
	"encoding/hex"
)

// newToken returns a client token: 128 random bits as 32 hex digits, which
// every service's alphabet and length allow.
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// NewNonce returns the nonce of one attempt.
func NewNonce() string { return newToken() }
