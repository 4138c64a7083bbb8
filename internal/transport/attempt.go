package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/cloudlb/cloudlb"
)

// state is what a call knows about its attempts.
type state struct {
	ctx     context.Context //nolint:containedctx // the caller's, for the length of Do
	started time.Time

	number    int            // requests sent
	sent      bool           // by the last attempt
	final     bool           // the last attempt's failure cannot pass
	last      *cloudlb.Error // of the last attempt, nil when it succeeded
	action    Action
	cred      cloudlb.Credentials
	signedAt  time.Time
	signature string
	unknown   bool // an attempt may have been carried out
	delay     time.Duration
	failures  int    // attempts that count towards MaxAttempts
	gaveUp    string // why a failure is not repeated that could be

	busySince    time.Time
	busyDelay    time.Duration
	clockFixed   bool
	keysReplaced bool

	trace  trace
	bodies openBodies
}

func (call *Call) begin(ctx context.Context) {
	call.ctx = ctx
	call.started = time.Now()
}

// attempts is the RoundTripper below the retry loop: each round trip is one
// attempt. It never returns an error, because the loop's hooks find the call
// through the response.
type attempts struct{ client *Client }

var done = &http.Response{StatusCode: http.StatusNoContent, ProtoMajor: 1, ProtoMinor: 1, Header: emptyHeader, Body: http.NoBody}

func (a attempts) RoundTrip(outer *http.Request) (*http.Response, error) {
	call := outer.Context().Value(callKey{}).(*Call)
	start := time.Now()
	before := call.number
	call.action, call.final = NoAction, false
	call.last = call.attempt(outer) //nolint:contextcheck // it uses the call's
	call.sent = call.number > before
	call.observe(start)
	resp := *done
	resp.Request = outer
	return &resp, nil
}

// attempt is one turn: limiter, credentials, sign, send, read, classify.
func (call *Call) attempt(outer *http.Request) *cloudlb.Error {
	c, ctx := call.client, call.ctx
	if err := c.limiter.Wait(ctx, c.service.Name, c.region, call.op.Name, call.op.Budget); err != nil {
		e := call.notSent(err, "waiting for the rate limiter")
		if ctx.Err() == nil {
			e.Class = cloudlb.ClassThrottled
			call.final = true // the deadline is too near, and comes no later
		}
		return e
	}
	cred, err := c.keys(ctx)
	if err != nil {
		e := call.notSent(err, "getting credentials")
		if ctx.Err() == nil {
			e.Class = credentialsClass(err)
		}
		return e
	}
	call.cred = cred
	if err := sendable(cred); err != nil {
		e := call.notSent(err, "getting credentials")
		e.Class = cloudlb.ClassUnauthenticated
		return e
	}
	attemptCtx, cancel := call.attemptContext(ctx)
	defer cancel()
	req := call.httpRequest(attemptCtx, outer.URL)
	call.signedAt = c.clock.now()
	if err := c.service.Family.Sign(req, call.Request.Body, cred, call.signedAt); err != nil {
		e := call.notSent(err, "signing")
		e.Class = cloudlb.ClassUnauthenticated
		return e
	}
	_, call.signature, _ = strings.Cut(req.Header.Get("Authorization"), "Signature=")
	if err := ctx.Err(); err != nil {
		return call.notSent(err, "before sending")
	}
	call.number++
	resp, err := c.base.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("the RoundTripper of Config.HTTPClient returned neither an answer nor an error")
	}
	if err != nil {
		return call.networkError(ctx, attemptCtx, err)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return call.reply(ctx, attemptCtx, resp)
	}
	return call.refusal(resp)
}

// sendable reports keys that no header can carry: read from a file with its
// line break, as a rule.
func sendable(cred cloudlb.Credentials) error {
	for _, key := range [...]struct{ name, value string }{
		{"AccessKeyID", cred.AccessKeyID},
		{"SecretAccessKey", cred.SecretAccessKey},
		{"SecurityToken", cred.SecurityToken},
		{"Token", cred.Token},
	} {
		if strings.ContainsFunc(key.value, unicode.IsControl) {
			return fmt.Errorf("the %s contains a line break or another control character", key.name)
		}
	}
	return nil
}

// credentialsClass is the class of a provider's failure: a source that is down
// for the moment is tried again, the rest is for the caller to mend.
func credentialsClass(err error) cloudlb.Class {
	if e, ok := errors.AsType[*cloudlb.Error](err); ok {
		switch e.Class {
		case cloudlb.ClassUnavailable, cloudlb.ClassThrottled, cloudlb.ClassDenied:
			return e.Class
		default:
		}
	}
	return cloudlb.ClassUnauthenticated
}

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
	if body := call.Request.Body; len(body) > 0 {
		req.Body = call.bodies.reader(body)
		req.ContentLength = int64(len(body))
		// For a pooled connection that is dead before a byte is written.
		req.GetBody = func() (io.ReadCloser, error) { return call.bodies.reader(body), nil }
	}
	return req.WithContext(httptrace.WithClientTrace(ctx, call.trace.hooks()))
}

// reply reads and decodes a successful answer.
func (call *Call) reply(ctx, attemptCtx context.Context, resp *http.Response) *cloudlb.Error {
	requestID := call.client.service.Family.RequestID(resp.Header)
	broken := func(format string, args ...any) *cloudlb.Error {
		e := call.newError(cloudlb.ClassUnavailable, cloudlb.OutcomeUnknown)
		e.StatusCode, e.RequestID = resp.StatusCode, requestID
		e.Err = fmt.Errorf(format, args...)
		return e
	}
	body, err := readReply(resp)
	if err != nil {
		if ended := call.ended(ctx, attemptCtx); ended != nil {
			ended.StatusCode, ended.RequestID = resp.StatusCode, requestID
			return ended
		}
		return broken("reading the reply: %w", withoutURL(err))
	}
	call.meta.RequestID, call.meta.StatusCode = requestID, resp.StatusCode
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0 && call.op.NoReply:
		return nil
	case isMarkup(resp.Header):
		return broken("the reply is %s, not JSON: is the endpoint %s right, or does a proxy answer?", resp.Header.Get("Content-Type"), call.client.host)
	case len(text) == 0:
		return broken("the reply is empty, where the service answers JSON")
	case call.op.NoReply && text[0] != '<':
		return nil
	case text[0] != '{':
		return broken("the reply is not a JSON object: is the endpoint %s right, or does a proxy answer?", call.client.host)
	}
	if err := call.client.service.Decode(body, call.out); err != nil {
		reflect.ValueOf(call.out).Elem().SetZero() // half a reply is none
		return broken("the reply is not what the service documents: %w", err)
	}
	if call.missing != nil {
		if field := call.missing(); field != "" {
			reflect.ValueOf(call.out).Elem().SetZero()
			return broken("the reply has no %s", field)
		}
	}
	return nil
}

// refusal reads and classifies an answer that is not a success.
func (call *Call) refusal(resp *http.Response) *cloudlb.Error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 || resp.StatusCode < 200 {
		e := call.newError(cloudlb.ClassInvalid, cloudlb.OutcomeRejected)
		e.StatusCode = resp.StatusCode
		e.Message = "the answer is a redirect, which is not followed with a signed request"
		if u, err := resp.Location(); err == nil {
			e.Message = "the answer is a redirect to " + u.Scheme + "://" + u.Host + ", which is not followed with a signed request"
		}
		e.Hint = "check the Endpoint and the proxy"
		return e
	}
	e, action := call.errorReply(resp.StatusCode, resp.Header, readError(resp))
	call.action = action
	switch action {
	case DryRunPassed:
		*call.meta = cloudlb.Metadata{RequestID: e.RequestID, StatusCode: resp.StatusCode, DryRun: true}
		return nil
	case FixClock:
		if call.clockFixed || !call.client.clock.correct(resp.Header, call.signedAt) {
			call.action = NoAction
		}
	default:
	}
	return e
}

func (call *Call) notSent(err error, doing string) *cloudlb.Error {
	e := call.newError(cloudlb.ClassUnknown, cloudlb.OutcomeNotSent)
	err = withoutURL(err)
	if cause := context.Cause(call.ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	e.Err = fmt.Errorf("%s: %w", doing, err)
	return e
}

// ended is the error when a context has ended the attempt, else nil.
func (call *Call) ended(ctx, attemptCtx context.Context) *cloudlb.Error {
	outcome := cloudlb.OutcomeUnknown
	if call.trace.neverConnected() {
		outcome = cloudlb.OutcomeNotSent
	}
	if ctx.Err() != nil {
		e := call.newError(cloudlb.ClassUnknown, outcome)
		e.Err = contextError(ctx)
		return e
	}
	if attemptCtx.Err() != nil {
		e := call.newError(cloudlb.ClassUnavailable, outcome)
		e.Err = fmt.Errorf("no complete answer within %s", call.policy.AttemptTimeout)
		return e
	}
	return nil
}

// contextError is ctx's error with its cause, if it has one of its own.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) && !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// networkError says what a failed round trip proves.
func (call *Call) networkError(ctx, attemptCtx context.Context, err error) *cloudlb.Error {
	if e := call.ended(ctx, attemptCtx); e != nil {
		return e
	}
	e := call.newError(cloudlb.ClassUnavailable, cloudlb.OutcomeUnknown)
	e.Err = withoutURL(err)
	if neverSent(err) || call.trace.neverConnected() {
		e.Outcome = cloudlb.OutcomeNotSent
	}
	if isCertificateError(err) {
		e.Class = cloudlb.ClassInvalid
		e.Hint = "the server's certificate is not trusted: for a private CA or a TLS proxy set Config.HTTPClient"
	}
	return e
}

// neverSent reports errors that arise before a request can be written.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	return isCertificateError(err)
}

func isCertificateError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

// withoutURL takes the URLs out of an error's text: the query names resources
// and, on other people's clients, carries signatures.
func withoutURL(err error) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok || u.Err == nil {
			return err
		}
		err = u.Err
	}
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

// observe tells hooks and the log about an attempt.
func (call *Call) observe(start time.Time) {
	c := call.client
	if c.hooks.Attempt != nil && call.sent {
		c.hooks.Attempt(call.ctx, cloudlb.Attempt{
			Service: c.service.Name, Operation: call.op.Name,
			Number: call.number, Duration: time.Since(start), Err: call.last,
		})
	}
	c.log.attempt(call, start)
}
