package fakecloud

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// ids makes the names of things, the same ones for the same seed.
type ids struct{ rng *rand.Rand }

func newIDs(seed uint64) ids { return ids{rand.New(rand.NewPCG(seed, 0x5eed))} }

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

func (g ids) pick(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rng.IntN(len(alphabet))]
	}
	return string(b)
}

func (g ids) hex(n int) string { return g.pick(n, base36[:16]) }

func (g ids) uuid() string {
	s := g.hex(32)
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-a" + s[17:20] + "-" + s[20:]
}

// alibaba names a resource the way Alibaba Cloud does: "sgp-" and 20 more.
func (g ids) alibaba(prefix string) string { return prefix + g.pick(20, base36) }

func (g ids) request() string { return strings.ToUpper(g.uuid()) }

// nonceLife is how long the gateway remembers a nonce.
const nonceLife = 15 * time.Minute

// nonces remembers the nonces that were used, in the order of their use.
type nonces struct {
	seen  map[string]bool
	queue []usedNonce
}

type usedNonce struct {
	nonce string
	at    time.Time
}

// use reports whether the nonce is new, and remembers it.
func (n *nonces) use(nonce string, now time.Time) bool {
	old := 0
	for old < len(n.queue) && now.Sub(n.queue[old].at) >= nonceLife {
		delete(n.seen, n.queue[old].nonce)
		old++
	}
	n.queue = n.queue[old:]
	if n.seen[nonce] {
		return false
	}
	if n.seen == nil {
		n.seen = make(map[string]bool)
	}
	n.seen[nonce] = true
	n.queue = append(n.queue, usedNonce{nonce, now})
	return true
}

// privateIP gives a server that was added without an address the one it has in
// the VPC; the same server always has the same one.
func privateIP(serverID string) string {
	h := uint32(2166136261)
	for i := range len(serverID) {
		h = (h ^ uint32(serverID[i])) * 16777619
	}
	return fmt.Sprintf("192.168.%d.%d", h>>8&0xff, 1+h%254)
}
