package cloudlb

import (
	"context"
	"time"
)

// Hooks are called while a call travels, in the calling goroutine. They must
// return quickly and be safe for concurrent use. Nil fields cost nothing.
type Hooks struct {
	// Attempt is called after every attempt, with its error if it failed.
	Attempt func(ctx context.Context, a Attempt)
	// Wait is called before the call waits to repeat itself.
	Wait func(ctx context.Context, w Wait)
}

// Attempt is one request that was sent, or could not be.
type Attempt struct {
	Service, Operation string
	// Number counts from 1.
	Number   int
	Duration time.Duration
	// Err is nil when the attempt succeeded.
	Err *Error
}

// Wait is a pause before the next attempt.
type Wait struct {
	Service, Operation string
	// Delay is how long the pause is, Err why.
	Delay time.Duration
	Err   *Error
}
