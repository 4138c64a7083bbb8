package transport

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	dialTimeout         = 10 * time.Second
	tlsHandshakeTimeout = 10 * time.Second
	idleConnTimeout     = 90 * time.Second

	// mostConns bounds the connections of a client, and the requests that are
	// under way on them. When a request takes 0.1 s they carry 160 a second; the
	// highest published budget of an operation is 50 a second.
	mostConns = 16
)

// baseTransport is the caller's transport, with bounds of its own, or one of
// the client's.
func baseTransport(c *http.Client) (http.RoundTripper, slots) {
	if c != nil && c.Transport != nil {
		return c.Transport, nil
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   tlsHandshakeTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idleConnTimeout,
		MaxConnsPerHost:       mostConns,
		MaxIdleConnsPerHost:   mostConns,
	}, make(slots, mostConns)
}

// slots are taken by the requests under way. Waiting for one, and not for a
// connection, costs nothing of the attempt's time limit and little memory. The
// nil slots have no bound.
type slots chan struct{}

func (s slots) take(ctx context.Context) error {
	if s == nil {
		return nil
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) release() {
	if s != nil {
		<-s
	}
}

// userAgent puts the caller's product in front of ours.
func userAgent(own string) string {
	own = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, own))
	if own == "" {
		return "cloudlb-go/" + version()
	}
	return own + " cloudlb-go/" + version()
}

// version is the module's version in the program that links it.
var version = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/cloudlb/cloudlb" && m.Version != "" {
				return m.Version
			}
		}
	}
	return "devel"
})
