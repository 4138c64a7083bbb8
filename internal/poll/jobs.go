package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Jobs is one wait for jobs of a service.
type Jobs[V any] struct {
	// Service and Operation name the wait in errors, Field its argument.
	Service, Operation, Field string
	// Polls is shared by all waits of a client; nil when the client was not
	// built with New.
	Polls *Shared[V]
	// Failed is the error of a job that failed, nil for one that succeeded.
	Failed func(V) error
	// Settled is the job of that ID when the service does not know it and
	// cloudlb.IfLost found its work done.
	Settled func(id string) V
	// Unlisted says where a lost job was looked for and where to look now.
	Unlisted string
}

// Wait waits for all jobs, even if one fails. It returns those that have ended,
// in the order of ids, and an error that joins what went wrong: each failed
// job, then what is lost, unfinished, and what could not be polled.
func (j Jobs[V]) Wait(ctx context.Context, ids []string, opts []cloudlb.WaitOption) ([]V, error) {
	o := Options(opts)
	switch {
	case j.Polls == nil:
		return nil, Invalid(j.Service, j.Operation, "", "the client was not built with New")
	case ctx == nil:
		return nil, noContext(j.Service, j.Operation)
	case len(ids) == 0 && !o.AllowEmpty:
		return nil, Invalid(j.Service, j.Operation, j.Field, "is empty: there is nothing to wait for")
	case slices.Contains(ids, ""):
		return nil, Invalid(j.Service, j.Operation, j.Field, "is or has an empty ID: did the call that should have returned it fail?")
	}
	start := time.Now()
	results := j.Polls.WaitAll(ctx, ids, o.Progress)
	var ended []V
	var failed problems
	bad := func() *cloudlb.WaitError { return &cloudlb.WaitError{Service: j.Service, Operation: j.Operation} }
	lost, unfinished, unpolled := bad(), bad(), bad()
	for i, id := range ids {
		r := results[id]
		if errors.Is(r.Err, cloudlb.ErrLost) {
			r = j.settle(ctx, id, r, o.IfLost)
			results[id] = r // asked once
		}
		var kind *cloudlb.WaitError
		switch {
		case r.Err == nil:
			ended = append(ended, r.Value)
			if err := j.Failed(r.Value); err != nil {
				failed = append(failed, err)
			}
			continue
		case slices.Contains(ids[:i], id):
			continue
		case errors.Is(r.Err, cloudlb.ErrLost):
			kind = lost
		case errors.Is(r.Err, cloudlb.ErrUnfinished):
			kind = unfinished
		default:
			kind = unpolled
		}
		kind.Left = append(kind.Left, id)
		kind.Looks = max(kind.Looks, r.Looks)
		if kind.Err == nil {
			kind.Err = r.Err
		}
	}
	for _, e := range []*cloudlb.WaitError{lost, unfinished, unpolled} {
		if e.Err != nil {
			e.Elapsed = time.Since(start)
			failed = append(failed, e)
		}
	}
	return ended, failed.err()
}

// settle asks the caller's function about a job that the service does not know.
func (j Jobs[V]) settle(ctx context.Context, id string, r Result[V], ask func(context.Context) (bool, error)) Result[V] {
	r.Err = fmt.Errorf("%w: %s", cloudlb.ErrLost, j.Unlisted)
	if ask == nil {
		return r
	}
	settled, err := ask(ctx)
	switch {
	case err != nil:
		r.Err = fmt.Errorf("%w; reading the state failed too: %w", r.Err, err)
	case settled:
		r.Value, r.Err = j.Settled(id), nil
	}
	return r
}

// problems are errors on one line.
type problems []error

func (p problems) err() error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	default:
		return p
	}
}

// Error implements error.
func (p problems) Error() string {
	text := make([]string, len(p))
	for i, err := range p {
		text[i] = err.Error()
	}
	return strings.Join(text, "; ")
}

// Unwrap gives the causes.
func (p problems) Unwrap() []error { return p }
