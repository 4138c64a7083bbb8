package transport

import (
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
	idleConnsPerHost    = 64
)

// baseTransport is the caller's transport, or one of the client's own.
func baseTransport(c *http.Client) http.RoundTripper {
	if c != nil && c.Transport != nil {
		return c.Transport
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   tlsHandshakeTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idleConnTimeout,
		MaxIdleConns:          4 * idleConnsPerHost,
		MaxIdleConnsPerHost:   idleConnsPerHost,
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
