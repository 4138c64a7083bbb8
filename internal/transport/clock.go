package transport

import (
	"net/http"
	"sync/atomic"
	"time"
)

// leastSkew is the difference between the service's clock and ours that counts
// as ours being wrong. The services accept 15 minutes.
const leastSkew = 4 * time.Minute

// clock is the local clock plus the correction learnt from a service that
// refused our time.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// correct learns from the Date header of a refusal. It reports whether the time
// of the signature was wrong, that is, whether signing again can help.
func (c *clock) correct(h http.Header, signedAt time.Time) bool {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(signedAt).Abs() < leastSkew {
		return false
	}
	c.offset.Store(int64(time.Until(date)))
	return true
}
