package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
)

func (call *Call) attemptContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if call.policy.AttemptTimeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, call.policy.AttemptTimeout, errAttemptTimeout)
}

var errAttemptTimeout = errors.New("the attempt's time limit")

// httpRequest builds the request of one attempt, with headers of its own: a
// connection may still be writing an earlier one.
func (call *Call) httpRequest(ctx context.Context, u *url.URL) *http.Request {
	values := make([]string, 0, 16)
	h := Header{Map: make(http.Header, 16), values: &values}
	h.Set("User-Agent", call.client.userAgent)
	call.client.service.Family.Prepare(h, call.op, &call.Request)
	call.trace.reset()
	req := &http.Request{
		Method: call.op.Method, URL: u, Host: call.client.host, Header: h.Map,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if n := len(call.Request.Body); n > 0 {
		req.GetBody = call.body() // again for a pooled connection that is dead before a byte is written
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(n)
	}
	return req.WithContext(httptrace.WithClientTrace(ctx, call.trace.hooks()))
}

// trace learns from net/http how far a request came. A transport that does not
// report is taken to have sent it.
type trace struct {
	asked     atomic.Bool
	connected atomic.Bool
}

func (t *trace) reset() { t.asked.Store(false); t.connected.Store(false) }

// hooks returns new hooks for every attempt: WithClientTrace adds the caller's
// to them.
func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.connected.Store(true) },
	}
}

func (t *trace) neverConnected() bool { return t.asked.Load() && !t.connected.Load() }

// mostCopied is what net/http writes at once.
const mostCopied = 4 << 10

// body opens the encoded body for a connection, which may read it after the
// call has ended. A short one is a copy in a reader that net/http knows, so that
// headers and body leave in one write. A long one is read from the call's
// buffer, which is kept until the body is closed.
func (call *Call) body() func() (io.ReadCloser, error) {
	b := call.Request.Body
	if len(b) > mostCopied {
		return func() (io.ReadCloser, error) { return call.bodies.reader(b), nil }
	}
	b = bytes.Clone(b)
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// openBodies counts the request bodies that a connection may still read.
type openBodies struct{ n atomic.Int32 }

func (o *openBodies) open() bool { return o.n.Load() > 0 }

func (o *openBodies) reader(b []byte) io.ReadCloser {
	o.n.Add(1)
	return &body{rest: b, owner: o}
}

// body reads a request's body until it is closed: afterwards the buffer may
// belong to another call, and HTTP/2 closes a body while it still reads it.
type body struct {
	owner *openBodies

	mu     sync.Mutex
	rest   []byte
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case len(b.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed, b.rest = true, nil
		b.owner.n.Add(-1)
	}
	return nil
}
