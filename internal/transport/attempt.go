package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

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

// attempt is one turn: limiter, slot, credentials, sign, send, read, classify.
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
	if err := c.slots.take(ctx); err != nil {
		return call.notSent(err, "waiting for a connection")
	}
	defer c.slots.release()
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
