package cloudlb

import (
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
	// the last poll.
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
	Progress func(Progress)
}

// WithProgress has f called after every poll, in the waiting goroutine.
func WithProgress(f func(Progress)) WaitOption {
	return func(o *WaitOptions) { o.Progress = f }
}
