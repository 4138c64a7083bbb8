package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

const (
	defaultAttempts       = 4
	defaultBaseDelay      = 200 * time.Millisecond
	defaultMaxDelay       = 20 * time.Second
	defaultMaxHint        = 60 * time.Second
	defaultBusyTimeout    = 5 * time.Minute
	defaultAttemptTimeout = 30 * time.Second
	slowFactor            = 5 // throttled calls and busy resources start with longer delays
	mostBusyDelay         = 10 * time.Second
)

// resolvePolicy fills the defaults in.
func resolvePolicy(p cloudlb.RetryPolicy, hc *http.Client) cloudlb.RetryPolicy {
	if p.MaxAttempts <= 0 {
		p.MaxAttempts = defaultAttempts
	}
	if p.BaseDelay <= 0 {
		p.BaseDelay = defaultBaseDelay
	}
	if p.BusyTimeout == 0 {
		p.BusyTimeout = defaultBusyTimeout
	}
	if p.AttemptTimeout == 0 && hc != nil {
		p.AttemptTimeout = hc.Timeout
	}
	if p.AttemptTimeout == 0 {
		p.AttemptTimeout = defaultAttemptTimeout
	}
	return p
}

func maxBackoff(p cloudlb.RetryPolicy) time.Duration {
	if p.MaxDelay > 0 {
		return p.MaxDelay
	}
	return defaultMaxDelay
}

func maxHint(p cloudlb.RetryPolicy) time.Duration { return max(p.MaxDelay, defaultMaxHint) }

// checkRetry is the loop's hook after an attempt.
func checkRetry(_ context.Context, resp *http.Response, err error) (bool, error) {
	if resp == nil { // cannot be: attempts always answers
		return false, err
	}
	return resp.Request.Context().Value(callKey{}).(*Call).again(), nil
}

// backoff is the loop's hook before a pause.
func backoff(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
	return resp.Request.Context().Value(callKey{}).(*Call).delay
}

// again decides whether the call is repeated, and after which delay.
//
//   - What may have been carried out is repeated only if a repeat is harmless:
//     reads, calls with a client token, naturally idempotent operations.
//   - Busy resources are waited for, up to BusyTimeout.
//   - Throttling, unavailability and network errors are repeated up to
//     MaxAttempts, within the client's retry budget.
//   - Everything else is the answer.
func (call *Call) again() bool {
	e := call.last
	if e == nil {
		call.client.budget.refund()
		return false
	}
	if e.Outcome == cloudlb.OutcomeUnknown {
		call.unknown = true
	}
	if call.ctx.Err() != nil || call.final {
		return false
	}
	if call.policy.MaxAttempts > 1 {
		if call.action == FixClock { // refused for its date, and the clock is corrected now
			call.clockFixed = true
			return call.pause(0)
		}
		if call.action == RefreshCredentials && !call.keysReplaced && call.keysChanged() {
			call.keysReplaced = true
			return call.pause(0)
		}
	}
	if e.Outcome == cloudlb.OutcomeUnknown && call.op.Idempotency == Once {
		return false
	}
	hint := min(e.RetryAfter, maxHint(call.policy))
	switch e.Class {
	case cloudlb.ClassBusy:
		return call.againBusy(hint)
	case cloudlb.ClassThrottled:
		if hint > 0 {
			c := call.client
			c.limiter.Pause(c.service.Name, c.region, call.op.Name, call.op.Budget, hint)
		}
		return call.againFailed(hint, slowFactor*call.policy.BaseDelay)
	case cloudlb.ClassUnavailable:
		return call.againFailed(hint, call.policy.BaseDelay)
	default:
		return false
	}
}

// keysChanged reports whether the provider has other keys now than those that
// the service called expired.
func (call *Call) keysChanged() bool {
	fresh, err := call.client.newKeys(call.ctx, call.cred)
	fresh.Expires = call.cred.Expires // the same keys can be promised for longer
	return err == nil && fresh != call.cred
}

func (call *Call) againBusy(hint time.Duration) bool {
	now := time.Now()
	if call.busySince.IsZero() {
		call.busySince = now
		call.busyDelay = slowFactor * call.policy.BaseDelay
	}
	left := call.policy.BusyTimeout - now.Sub(call.busySince)
	if left <= 0 {
		if call.policy.BusyTimeout > 0 {
			call.gaveUp = fmt.Sprintf("the resource stayed busy for %s (RetryPolicy.BusyTimeout)", call.policy.BusyTimeout)
		}
		return false
	}
	delay := call.busyDelay/2 + rand.N(call.busyDelay/2)
	call.busyDelay = min(call.busyDelay*3/2, mostBusyDelay)
	return call.pause(min(max(delay, hint), left))
}

func (call *Call) againFailed(hint, base time.Duration) bool {
	if call.failures++; call.failures >= call.policy.MaxAttempts {
		return false
	}
	if !call.client.budget.take() {
		call.gaveUp = "not repeated: this client's retries have used up their budget, the service keeps failing"
		return false
	}
	if hint > 0 {
		return call.pause(hint)
	}
	most := maxBackoff(call.policy)
	for range call.failures - 1 {
		if base *= 2; base >= most {
			break
		}
	}
	return call.pause(rand.N(min(base, most)) + time.Millisecond)
}

// pause sets the delay before the next attempt, unless the deadline comes
// first: then the answer is given at once.
func (call *Call) pause(delay time.Duration) bool {
	if deadline, ok := call.ctx.Deadline(); ok && delay > 0 && time.Until(deadline) <= delay {
		call.gaveUp = fmt.Sprintf("not repeated: the next attempt would be in %s, after the context's deadline", delay.Round(time.Millisecond))
		return false
	}
	call.delay = delay
	if c := call.client; c.hooks.Wait != nil {
		c.hooks.Wait(call.ctx, cloudlb.Wait{Service: c.service.Name, Operation: call.op.Name, Delay: delay, Err: call.last})
	}
	return true
}

// finish turns the end of the loop into the call's result.
func (call *Call) finish(ctx context.Context, loopErr error) error {
	if call.last == nil && loopErr == nil {
		call.meta.Attempts = call.number
		call.meta.ClientToken = call.clientToken
		return nil
	}
	e := new(cloudlb.Error)
	if call.last != nil {
		*e = *call.last // hooks may have kept the attempt's
	} else { // the loop ended before the first attempt
		e = call.newError(cloudlb.ClassUnknown, cloudlb.OutcomeNotSent)
		e.Err = withoutURL(loopErr)
	}
	if err := ctx.Err(); err != nil && !errors.Is(e, err) { // ended while waiting to repeat
		if e.Err == nil {
			e.Err = fmt.Errorf("%w before the next attempt", contextError(ctx))
		} else {
			e.Err = fmt.Errorf("%w; %w before the next attempt", e.Err, contextError(ctx))
		}
	}
	if call.unknown && call.op.Idempotency != Read {
		e.Outcome = cloudlb.OutcomeUnknown // an earlier attempt may have been carried out
	}
	e.Attempts = call.number
	e.Hint = cmp.Or(e.Hint, call.gaveUp)
	if next := hint(e, call.op); e.Hint == "" {
		e.Hint = next
	} else if next != "" && e.Outcome == cloudlb.OutcomeUnknown {
		e.Hint += "; " + next
	}
	call.client.log.failed(call, e)
	return e
}

// hint is what to do next, where that is not plain from the class.
func hint(e *cloudlb.Error, op *Operation) string {
	switch {
	case e.Outcome == cloudlb.OutcomeUnknown && op.Idempotency == Read:
		return ""
	case e.Outcome == cloudlb.OutcomeUnknown && e.ClientToken != "":
		return "the change may have been made: send the same request with client token " + e.ClientToken + " to learn the outcome"
	case e.Outcome == cloudlb.OutcomeUnknown:
		return "the change may have been made: read the resource back before repeating"
	}
	switch e.Class {
	case cloudlb.ClassThrottled:
		return "share one cloudlb.Limiter between the clients of this account, or wait"
	case cloudlb.ClassBusy:
		return "an earlier change is still running: wait for it, or raise RetryPolicy.BusyTimeout"
	case cloudlb.ClassTokenMismatch:
		return "a changed request needs a new client token"
	default:
		return ""
	}
}

// retryBudget keeps a broken service from being hammered: every retry after a
// failure takes one of mostRetries, every success gives one back, and one comes
// back each second.
type retryBudget struct {
	mu    sync.Mutex
	spent float64
	at    time.Time
}

const mostRetries = 100

func (b *retryBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.at.IsZero() {
		b.spent = max(0, b.spent-now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.spent+1 > mostRetries {
		return false
	}
	b.spent++
	return true
}

func (b *retryBudget) refund() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-1)
}
