package cloudlb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// How a wait can end badly, for errors.Is. They are different on purpose: only
// the first says that the work itself went wrong.
var (
	// ErrJobFailed: the service carried the job out and it failed. The *Error
	// in the chain has the job's code and message.
	ErrJobFailed = errors.New("job failed")
	// ErrLost: the service does not know the job. What it did must be read from
	// the resource.
	ErrLost = errors.New("job unknown to the service")
	// ErrUnfinished: the context ended first. The work goes on without the
	// waiter: wait again, in this process or another.
	ErrUnfinished = errors.New("not finished yet")
)

// WaitError says which part of a wait has no good end.
type WaitError struct {
	// Service and Operation name the wait: "alb", "WaitForJob".
	Service, Operation string
	// Left are the IDs that have no good end: unfinished or lost.
	Left []string
	// Looks counts the polls, Elapsed is how long the wait took.
	Looks   int
	Elapsed time.Duration
	// Err wraps ErrLost or ErrUnfinished, and the context's error or that of
	// the last poll; or it is the final error of a poll.
	Err error
}

// Error implements error.
func (e *WaitError) Error() string {
	return fmt.Sprintf("%s %s: %s (%s after %s, %d polls)", e.Service, e.Operation, oneLine(e.Err.Error()),
		strings.Join(e.Left, ", "), e.Elapsed.Round(time.Millisecond), e.Looks)
}

// Unwrap gives the cause.
func (e *WaitError) Unwrap() error { return e.Err }

// Progress is what a wait knows after a poll.
type Progress struct {
	// Done and Left are the IDs that have ended and those that have not.
	Done, Left []string
	// Looks counts the polls, Elapsed is the time since the wait began.
	Looks   int
	Elapsed time.Duration
}

// WaitOption changes one wait.
type WaitOption func(*WaitOptions)

// WaitOptions is what the WaitOptions of a wait amount to.
type WaitOptions struct {
	Progress   func(Progress)
	AllowEmpty bool
	IfLost     func(context.Context) (settled bool, err error)
}

// AllowEmpty lets a wait for nothing succeed. Without it an empty set is an
// error: it is more often a mistake than the truth.
func AllowEmpty() WaitOption { return func(o *WaitOptions) { o.AllowEmpty = true } }

// IfLost has f decide about a job that the service does not know any more, by
// reading the state of what the job was to change: settled means that the work
// is known to be done. Without it, or when f says no, the wait ends with
// ErrLost.
func IfLost(f func(ctx context.Context) (settled bool, err error)) WaitOption {
	return func(o *WaitOptions) { o.IfLost = f }
}

// WithProgress has f called after every poll, in the waiting goroutine.
func WithProgress(f func(Progress)) WaitOption {
	return func(o *WaitOptions) { o.Progress = f }
}
