package cloudlb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Budget is a published rate limit: Calls in any window of length Per. The
// zero Budget limits nothing.
type Budget struct {
	Calls int
	Per   time.Duration
}

// Limiter keeps the calls of one cloud account within the published budgets,
// which hold per account, region and operation. Put the same Limiter into the
// Config of every client of the account in this process. The zero value is
// ready to use; it knows the published budgets from the clients' own tables.
//
// It never lets more than a budget's calls start in any window of its length;
// calls beyond that wait in order of arrival.
type Limiter struct {
	mu        sync.Mutex
	buckets   map[limitKey]*bucket
	overrides map[limitKey]Budget
}

type limitKey struct{ service, region, operation string }

// NewLimiter returns a Limiter with the published budgets.
func NewLimiter() *Limiter { return new(Limiter) }

// SetBudget replaces the published budget of an operation ("alb",
// "AddServersToServerGroup"), for accounts whose quota was raised; an empty
// operation means all of the service. The zero Budget removes the limit. It
// applies to operations that were not called yet.
func (l *Limiter) SetBudget(service, operation string, b Budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overrides == nil {
		l.overrides = make(map[limitKey]Budget)
	}
	l.overrides[limitKey{service: service, operation: operation}] = b
}

// Wait returns when one more call of the operation may start, or with an error
// when ctx ends first or its deadline is too near. A wait that ends with an
// error takes nothing from the budget.
func (l *Limiter) Wait(ctx context.Context, service, region, operation string, published Budget) error {
	return l.bucket(limitKey{service, region, operation}, published).wait(ctx)
}

// Pause holds back the operation's calls for d, because the service said so.
func (l *Limiter) Pause(service, region, operation string, published Budget, d time.Duration) {
	b := l.bucket(limitKey{service, region, operation}, published)
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(d); until.After(b.notBefore) {
		b.notBefore = until
	}
}

func (l *Limiter) bucket(key limitKey, published Budget) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b != nil {
		return b
	}
	budget := published
	if o, ok := l.overrides[limitKey{service: key.service, operation: key.operation}]; ok {
		budget = o
	} else if o, ok := l.overrides[limitKey{service: key.service}]; ok {
		budget = o
	}
	b = &bucket{budget: budget, turn: make(chan struct{}, 1)}
	if l.buckets == nil {
		l.buckets = make(map[limitKey]*bucket)
	}
	l.buckets[key] = b
	return b
}

// bucket is a sliding window: the start times of the last budget.Calls calls.
type bucket struct {
	budget Budget
	turn   chan struct{} // holds one token; waiting senders queue in order

	mu        sync.Mutex
	started   []time.Time // a ring once it is full
	oldest    int
	notBefore time.Time
}

func (b *bucket) wait(ctx context.Context) error {
	if err := b.inTime(ctx); err != nil { // those who wait already only make it later
		return err
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	for {
		if err := b.inTime(ctx); err != nil {
			return err
		}
		delay := b.take(time.Now())
		if delay <= 0 {
			return nil
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// inTime returns an error when ctx has ended, or its deadline comes before the
// next call is allowed.
func (b *bucket) inTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	delay := b.delay(now)
	if deadline.Sub(now) >= delay {
		return nil
	}
	why := fmt.Sprintf("the rate budget of %d calls in %s", b.budget.Calls, b.budget.Per)
	if b.notBefore.After(now) {
		why = "the wait that the service asked for"
	}
	return fmt.Errorf("%s allows the next call in %s, after the deadline: %w", why, delay.Round(time.Millisecond), context.DeadlineExceeded)
}

// take starts a call now and returns 0, or returns how long to wait first.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.delay(now); d > 0 {
		return d
	}
	switch {
	case b.unlimited():
	case len(b.started) < b.budget.Calls:
		b.started = append(b.started, now)
	default:
		b.started[b.oldest] = now
		b.oldest = (b.oldest + 1) % len(b.started)
	}
	return 0
}

// delay is how long a call has to wait; b.mu is held.
func (b *bucket) delay(now time.Time) time.Duration {
	if d := b.notBefore.Sub(now); d > 0 {
		return d
	}
	if b.unlimited() || len(b.started) < b.budget.Calls {
		return 0
	}
	// One percent more than the window: requests that leave a window apart can
	// arrive a little less than a window apart.
	return max(b.started[b.oldest].Add(b.budget.Per+b.budget.Per/100).Sub(now), 0)
}

func (b *bucket) unlimited() bool { return b.budget.Calls <= 0 || b.budget.Per <= 0 }
