// Package poll is the one waiting loop.
//
//	poll.go    the rhythm of looking, and one loop for states
//	shared.go  looking for many waiters at once
//	jobs.go    how waits for jobs end
//	set.go     waits for things that are listed together: servers, members
package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
)

const (
	// mostFailures is how many polls in a row may fail in a way that can pass.
	mostFailures = 5
	// throttledFactor is how far throttled polls stretch the cap of a Schedule.
	throttledFactor = 4
	// mostHint is the longest pause that a service may ask for.
	mostHint = time.Minute
)

// Schedule says when to look: first after First, then after pauses that grow
// by half up to Cap, each shortened by up to a fifth at random. Failed looks
// double the pause; throttled ones do so up to four times Cap.
type Schedule struct{ First, Cap time.Duration }

// pace is where a wait is in its Schedule.
type pace struct {
	pause    time.Duration
	failures int // in a row
}

// next sets the pause after a look that ended with err, which is nil or
// passing. It reports false when too many in a row have failed. A throttled
// look proves nothing about the service but that it is alive: it is not counted.
func (p *pace) next(s Schedule, err error) bool {
	switch {
	case err == nil:
		p.failures = 0
		p.pause = min(p.pause*3/2, s.Cap)
	case errors.Is(err, cloudlb.ErrThrottled):
		p.pause = min(p.pause*2, s.Cap*throttledFactor)
		if e, ok := errors.AsType[*cloudlb.Error](err); ok {
			p.pause = max(p.pause, min(e.RetryAfter, mostHint))
		}
	default:
		p.failures++
		p.pause = min(p.pause*2, s.Cap)
	}
	return p.failures <= mostFailures
}

// Loop is one wait.
type Loop struct {
	// Service and Operation name the wait in errors.
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
	if ctx == nil {
		return noContext(l.Service, l.Operation)
	}
	start := time.Now()
	pace := pace{pause: l.Schedule.First}
	looks := 0
	var last error
	timer := time.NewTimer(jitter(pace.pause))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.failed(start, looks, unfinished(ctx, last))
		case <-timer.C:
		}
		if ctx.Err() != nil { // select has no preference
			return l.failed(start, looks, unfinished(ctx, last))
		}
		looks++
		done, err := l.Look(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return l.failed(start, looks, unfinished(ctx, err))
		case err != nil && !passing(err):
			return err
		}
		last = err
		if !pace.next(l.Schedule, err) {
			return l.failed(start, looks, tooOften(err))
		}
		if l.Progress != nil {
			l.Progress(cloudlb.Progress{Done: slices.Clone(l.Done()), Left: slices.Clone(l.Left()), Looks: looks, Elapsed: time.Since(start)})
		}
		if done && err == nil {
			return nil
		}
		timer.Reset(jitter(pace.pause))
	}
}

func (l *Loop) failed(start time.Time, looks int, err error) error {
	return &cloudlb.WaitError{
		Service: l.Service, Operation: l.Operation, Left: slices.Clone(l.Left()),
		Looks: looks, Elapsed: time.Since(start), Err: err,
	}
}

// unfinished is the error of a wait whose context has ended. last is that of
// the last poll, nil if it succeeded.
func unfinished(ctx context.Context, last error) error {
	err := fmt.Errorf("%w: %w", cloudlb.ErrUnfinished, context.Cause(ctx))
	if !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	if last != nil && !errors.Is(last, ctx.Err()) {
		err = fmt.Errorf("%w; the last poll failed: %w", err, last)
	}
	return err
}

// tooOften is the error of a wait that could not look.
func tooOften(last error) error {
	return fmt.Errorf("%w: %d polls in a row failed: %w", cloudlb.ErrUnfinished, mostFailures+1, last)
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

// Invalid is the error for a wait that cannot be begun, or cannot end well.
func Invalid(service, operation, field, problem string) error {
	return &cloudlb.Error{
		Service: service, Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: &cloudlb.ValidationError{Problems: []cloudlb.Problem{{Field: field, Message: problem}}},
	}
}

func noContext(service, operation string) error { return Invalid(service, operation, "ctx", "is nil") }

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
