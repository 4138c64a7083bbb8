package cloudlb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// CredentialsRefresher is a CredentialsProvider that can be told that
// credentials stopped working before their time. Clients look for it when a
// service calls the keys of a request expired.
type CredentialsRefresher interface {
	CredentialsProvider
	// Refresh returns credentials to use instead of used, which a service
	// refused: from the source, not from memory. It returns the same keys if the
	// source has no others.
	Refresh(ctx context.Context, used Credentials) (Credentials, error)
}

const (
	defaultRefreshBefore  = 5 * time.Minute
	defaultRefreshTimeout = 30 * time.Second
	// A tenth of what is left of the credentials' life is early enough.
	refreshShare = 10
	// After an early refresh that brought nothing new the next follows after an
	// eighth of the early window, less jitter, but not sooner than this.
	leastRefreshPause = time.Second
	// Keys that the source has just confirmed are not asked about again.
	confirmedFor = 10 * time.Second
)

// CredentialsCache keeps the credentials of a slow CredentialsProvider, such as
// a metadata server or a token service, and replaces them before they expire.
// Share one between all clients of an identity.
//
//   - The provider is never called twice at the same time. Callers that need its
//     answer wait for the same call; each leaves when its own context ends, and
//     the call goes on for the others and for the next, for RefreshTimeout at
//     most. With a call that ignores even that, callers get an error at once.
//   - Credentials are replaced in the background of the first call that is made
//     shortly before they expire (RefreshBefore), at a random moment, so that
//     processes started together do not ask together. If that fails they stay in
//     use and the provider is asked again after a pause.
//   - Past Expires, by this machine's clock, they are not handed out: every
//     caller gets fresh ones or an error. The error is not remembered: the next
//     caller asks again.
//   - Credentials without Expires are kept until a service refuses them.
//   - Refresh drops credentials that a service refused. They come back only if
//     the provider hands them out again.
//   - A provider that panics has failed; the panic does not reach the caller.
//
// The provider gets a context with the values of the context that started the
// call, without its deadline. The cache has no goroutine of its own: there is
// one while the provider is asked.
//
// A CredentialsCache is safe for concurrent use. Set its fields before the first
// use, and do not copy it afterwards.
type CredentialsCache struct {
	// Provider has the credentials. Required. If it is a CredentialsRefresher,
	// it is told when a service refused what it handed out.
	Provider CredentialsProvider
	// RefreshBefore is how long before they expire credentials are replaced:
	// at a random moment of the first half of that time. Default 5 minutes; never
	// more than a tenth of the life that the credentials had left when they came.
	RefreshBefore time.Duration
	// RefreshTimeout bounds one call of Provider. Default 30s.
	RefreshTimeout time.Duration

	held atomic.Pointer[held] // replaced as a whole, under mu

	mu      sync.Mutex
	refused Credentials // by a service, until the provider has answered to that
	flight  *flight     // the call of Provider that is under way
}

// NewCredentialsCache returns a cache over p with the defaults.
func NewCredentialsCache(p CredentialsProvider) *CredentialsCache {
	return &CredentialsCache{Provider: p}
}

// held are the credentials in use. It is never modified.
type held struct {
	cred      Credentials
	window    time.Duration // how long before Expires refreshing may begin
	refreshAt time.Time     // zero: never
	confirmed time.Time     // when the source stood by them after a refusal
}

func (h *held) usable(now time.Time) bool {
	return h != nil && (h.cred.Expires.IsZero() || now.Before(h.cred.Expires))
}

func (h *held) due(now time.Time) bool {
	return !h.refreshAt.IsZero() && !now.Before(h.refreshAt)
}

// until returns h with the next early refresh at t.
func (h *held) until(t time.Time) *held {
	next := *h
	next.refreshAt = t
	return &next
}

// flight is one call of the provider, and who waits for it.
type flight struct {
	done chan struct{}   // closed when cred and err are set
	late <-chan struct{} // closed when the provider's time is up
	cred Credentials
	err  error
}

// Credentials returns the credentials in use, fresh ones if there are none.
func (c *CredentialsCache) Credentials(ctx context.Context) (Credentials, error) {
	for {
		now := time.Now()
		h := c.held.Load()
		switch {
		case !h.usable(now):
			if f := c.start(ctx, h); f != nil {
				return c.wait(ctx, f)
			} // replaced meanwhile
		case h.due(now):
			c.start(ctx, h)
			return h.cred, nil
		default:
			return h.cred, nil
		}
	}
}

// Refresh implements CredentialsRefresher: used are not handed out any more,
// and it returns what has taken their place, or will as soon as the provider
// answers. If the provider hands out the same keys again, so does Refresh, and
// for ten seconds it does not ask for them again.
func (c *CredentialsCache) Refresh(ctx context.Context, used Credentials) (Credentials, error) {
	c.mu.Lock()
	now := time.Now()
	if h := c.held.Load(); h.usable(now) {
		if !h.cred.sameKeys(used) || now.Sub(h.confirmed) < confirmedFor {
			c.mu.Unlock()
			return h.cred, nil
		}
		c.refused = h.cred
		c.held.Store(nil)
	}
	c.mu.Unlock()
	return c.Credentials(ctx)
}

// start asks the provider for the successor of old, unless it is being asked. It
// returns nil if old has one already.
func (c *CredentialsCache) start(ctx context.Context, old *held) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		return c.flight
	}
	if c.held.Load() != old {
		return nil
	}
	if ctx.Err() != nil { // nobody will wait: not worth a call
		return &flight{}
	}
	timeout := c.timeout()
	if old != nil { // others need not look here meanwhile
		c.held.Store(old.until(time.Now().Add(timeout)))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	f := &flight{done: make(chan struct{}), late: ctx.Done()}
	c.flight = f
	go func() {
		defer cancel()
		landed := false
		defer func() {
			if !landed {
				c.land(f, Credentials{}, Credentials{}, errors.New("it ended its goroutine"))
			}
		}()
		for !landed {
			refused := c.refusedKeys()
			cred, err := c.ask(ctx, refused)
			landed = c.land(f, refused, cred, err)
		}
	}()
	return f
}

// wait returns what the provider answers, or leaves when ctx ends.
func (c *CredentialsCache) wait(ctx context.Context, f *flight) (Credentials, error) {
	select {
	case <-f.done:
		return f.cred, f.err
	case <-f.late:
		select {
		case <-f.done: // just in time
			return f.cred, f.err
		default:
			return Credentials{}, c.failure(c.tooLate())
		}
	case <-ctx.Done():
		err := ctx.Err()
		if cause := context.Cause(ctx); !errors.Is(err, cause) && !errors.Is(cause, err) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return Credentials{}, fmt.Errorf("%w while waiting for the credentials provider", err)
	}
}

// ask calls the provider and checks what it says.
func (c *CredentialsCache) ask(ctx context.Context, refused Credentials) (cred Credentials, err error) {
	if c.Provider == nil {
		return Credentials{}, errors.New("CredentialsCache.Provider is not set")
	}
	defer func() {
		if p := recover(); p != nil {
			cred, err = Credentials{}, panicError(p)
		}
	}()
	if r, ok := c.Provider.(CredentialsRefresher); ok && !refused.empty() {
		cred, err = r.Refresh(ctx, refused)
	} else {
		cred, err = c.Provider.Credentials(ctx)
	}
	switch {
	case err == nil:
		return cred, nil
	case ctx.Err() != nil: // its text would speak of a deadline that is not the caller's
		return Credentials{}, c.tooLate()
	default:
		return Credentials{}, err
	}
}

// land takes in the answer to a question that said that refused were refused.
// It returns false if the answer is of no use, because others were refused
// meanwhile.
func (c *CredentialsCache) land(f *flight, refused, cred Credentials, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil:
	case cred.empty():
		err = errors.New("it handed out incomplete credentials")
	case !cred.Expires.IsZero() && !now.Before(cred.Expires):
		err = fmt.Errorf("it handed out credentials that expired at %s; this machine's clock says %s", stamp(cred.Expires), stamp(now))
	case cred.sameKeys(c.refused) && !refused.sameKeys(c.refused):
		return false
	}
	old := c.held.Load()
	switch {
	case err != nil:
		cred, err = Credentials{}, c.failureLocked(err)
		if old.usable(now) {
			c.held.Store(old.until(now.Add(old.pause())))
		}
	case old != nil && old.cred.sameKeys(cred) && old.cred.Expires.Equal(cred.Expires): // nothing new yet
		c.held.Store(old.until(now.Add(old.pause())))
	default:
		c.held.Store(c.hold(cred, now))
		c.refused = Credentials{}
	}
	c.flight = nil
	f.cred, f.err = cred, err
	close(f.done)
	return true
}

// hold plans the refresh of new credentials.
func (c *CredentialsCache) hold(cred Credentials, now time.Time) *held {
	h := &held{cred: cred}
	if cred.sameKeys(c.refused) {
		h.confirmed = now
	}
	if cred.Expires.IsZero() {
		return h
	}
	before := c.RefreshBefore
	if before <= 0 {
		before = defaultRefreshBefore
	}
	h.window = min(before, cred.Expires.Sub(now)/refreshShare)
	h.refreshAt = cred.Expires.Add(-h.window + rand.N(h.window/2+1))
	return h
}

// pause is how long the provider is left alone after an early refresh that
// brought nothing.
func (h *held) pause() time.Duration {
	most := h.window / 8
	return max(most/2+rand.N(most/2+1), leastRefreshPause)
}

func (c *CredentialsCache) refusedKeys() Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// failure says what the provider's failure means: why its answer was needed.
func (c *CredentialsCache) failure(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failureLocked(err)
}

func (c *CredentialsCache) failureLocked(err error) error {
	h := c.held.Load()
	switch {
	case h != nil && !h.cred.Expires.IsZero():
		return fmt.Errorf("the credentials expired at %s and the provider failed: %w", stamp(h.cred.Expires), err)
	case !c.refused.empty():
		return fmt.Errorf("a service refused the credentials and the provider failed: %w", err)
	default:
		return fmt.Errorf("the credentials provider failed: %w", err)
	}
}

func (c *CredentialsCache) tooLate() error {
	return fmt.Errorf("no answer within %s (CredentialsCache.RefreshTimeout)", c.timeout())
}

func (c *CredentialsCache) timeout() time.Duration {
	if c.RefreshTimeout > 0 {
		return c.RefreshTimeout
	}
	return defaultRefreshTimeout
}

// Format implements fmt.Formatter for every verb, so no verb leaks a secret.
func (c *CredentialsCache) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.summary()) }

// LogValue implements slog.LogValuer.
func (c *CredentialsCache) LogValue() slog.Value { return slog.StringValue(c.summary()) }

func (c *CredentialsCache) summary() string {
	if c == nil {
		return "no credentials cache"
	}
	h := c.held.Load()
	switch {
	case h == nil:
		return "credentials cache(empty)"
	case h.cred.Expires.IsZero():
		return "cached " + h.cred.summary()
	default:
		return "cached " + h.cred.summary() + " until " + stamp(h.cred.Expires)
	}
}

// empty reports credentials that sign nothing.
func (c Credentials) empty() bool {
	return c.Token == "" && (c.AccessKeyID == "" || c.SecretAccessKey == "")
}

// sameKeys reports whether a service cannot tell c and d apart.
func (c Credentials) sameKeys(d Credentials) bool {
	c.Expires, d.Expires = time.Time{}, time.Time{}
	return c == d
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// panicError names a panic and the function it came from. What was passed to
// panic can hold anything, so it is shown only if it is the runtime's.
func panicError(p any) error {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for panicking := false; ; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicking = true
		case panicking && frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime."):
			return fmt.Errorf("it panicked in %s: %s", frame.Function, what)
		}
		if !more {
			return fmt.Errorf("it panicked: %s", what)
		}
	}
}
