// Package poll is the one waiting loop.
package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cloudlb/cloudlb"
)

// mostFailures is how many polls in a row may fail in a way that can pass.
const mostFailures = 5

// Schedule says when to look: first after First, then after pauses that grow
// by half up to Cap, each shortened by up to a fifth at random.
type Schedule struct{ First, Cap time.Duration }

// Loop is one wait.
type Loop struct {
	// Name is the wait in errors.
	Service, Operation string
	Schedule           Schedule
	// Look asks once. It reports whether everything has ended; an error that
	// is not a passing failure of the call ends the wait.
	Look func(ctx context.Context) (done bool, err error)
	// Left names what has not ended, for errors and progress; Done what has.
	Left, Done func() []string
	// Progress may be nil.
	Progress func(cloudlb.Progress)
}

// Run looks until everything has ended, a look fails for good, or ctx ends,
// which is answered at once with an error that names what is left.
func (l *Loop) Run(ctx context.Context) error {
	start := time.Now()
	pause := l.Schedule.First
	failures, looks := 0, 0
	var last error
	unfinished := func() error {
		err := fmt.Errorf("%w: %w", cloudlb.ErrUnfinished, context.Cause(ctx))
		if !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w: %w", err, ctx.Err())
		}
		if last != nil && ctx.Err() != nil && !errors.Is(last, ctx.Err()) {
			err = fmt.Errorf("%w; the last poll failed: %w", err, last)
		}
		return l.failed(start, looks, err)
	}
	timer := time.NewTimer(jitter(pause))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return unfinished()
		case <-timer.C:
		}
		if ctx.Err() != nil { // select has no preference
			return unfinished()
		}
		looks++
		done, err := l.Look(ctx)
		switch {
		case ctx.Err() != nil && !done:
			return unfinished()
		case err == nil:
			failures, last = 0, nil
		case !passing(err):
			return err
		default:
			failures++
			last = err
			if failures > mostFailures {
				return l.failed(start, looks, fmt.Errorf("%w: %d polls in a row failed: %w", cloudlb.ErrUnfinished, failures, err))
			}
		}
		if l.Progress != nil {
			l.Progress(cloudlb.Progress{Done: l.Done(), Left: l.Left(), Looks: looks, Elapsed: time.Since(start)})
		}
		if done {
			return nil
		}
		pause = min(pause*3/2, l.Schedule.Cap)
		timer.Reset(jitter(pause))
	}
}

func (l *Loop) failed(start time.Time, looks int, err error) error {
	return &cloudlb.WaitError{
		Service: l.Service, Operation: l.Operation, Left: l.Left(),
		Looks: looks, Elapsed: time.Since(start), Err: err,
	}
}

// Options reads the options of a wait.
func Options(opts []cloudlb.WaitOption) cloudlb.WaitOptions {
	var o cloudlb.WaitOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// Invalid is the error for a wait that cannot be begun.
func Invalid(service, operation, field, problem string) error {
	return &cloudlb.Error{
		Service: service, Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: &cloudlb.ValidationError{Problems: []cloudlb.Problem{{Field: field, Message: problem}}},
	}
}

// passing reports errors that the next poll may not have.
func passing(err error) bool {
	return errors.Is(err, cloudlb.ErrThrottled) || errors.Is(err, cloudlb.ErrUnavailable) || errors.Is(err, cloudlb.ErrBusy)
}

func jitter(d time.Duration) time.Duration {
	if d < 5 {
		return d
	}
	return d - rand.N(d/5)
}
