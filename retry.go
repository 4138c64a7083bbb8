package cloudlb

import "time"

// RetryPolicy says how long a call may keep trying. The zero value is the
// default policy. What may be repeated at all is not a matter of policy: it
// follows from the error's class, its outcome and the operation (see
// docs/errors-and-retries.md).
type RetryPolicy struct {
	// MaxAttempts bounds the attempts of one call that fail by throttling,
	// by an unavailable service or by the network. Default 4; 1 means no
	// retry. Waiting for a busy resource is bounded by BusyTimeout instead.
	MaxAttempts int
	// BaseDelay is the first back-off, doubled at every attempt with full
	// jitter. Default 200ms; throttled calls and busy resources start at five
	// times it.
	BaseDelay time.Duration
	// MaxDelay caps one back-off and one wait that the service asks for.
	// Default 20s for back-off; a service's hint is followed up to 60s unless
	// MaxDelay is set higher.
	MaxDelay time.Duration
	// BusyTimeout is how long a call repeats while the resource is busy with an
	// earlier change. Default 5 minutes; negative means not at all.
	BusyTimeout time.Duration
	// AttemptTimeout bounds one attempt from the first byte sent to the last
	// byte read. Default: the HTTPClient's Timeout, else 30s; negative means
	// only the context bounds it.
	AttemptTimeout time.Duration
}

// NoRetry is the policy that sends each request once.
func NoRetry() RetryPolicy { return RetryPolicy{MaxAttempts: 1, BusyTimeout: -1} }

// CallOption changes one call only.
type CallOption func(*CallOptions)

// CallOptions is what the CallOptions of a call amount to.
type CallOptions struct {
	ClientToken string
	Retry       *RetryPolicy
}

// WithClientToken sets the idempotency token of a call whose request has none:
// 1 to 64 printable ASCII characters. Choose and store it before the call to be
// able to ask for the outcome after a crash. Calls of operations without a
// token are refused with it.
func WithClientToken(token string) CallOption {
	return func(o *CallOptions) { o.ClientToken = token }
}

// WithRetry replaces the client's RetryPolicy for one call.
func WithRetry(p RetryPolicy) CallOption {
	return func(o *CallOptions) { o.Retry = &p }
}
