package pool

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// The vocabulary of package driver, under the names that applications use.
type (
	// Key names a member by what its users know: instance ID or address, and port.
	Key = driver.Key
	// Spec is a member as somebody wants it.
	Spec = driver.Spec
	// Member is a member as the service reports it.
	Member = driver.Member
	// Verb is a call of the service that changes members, with its limits.
	Verb = driver.Verb
	// Description is what a pool is like and what its service can do with it.
	Description = driver.Description
	// Phase is how far the last change of a member has come.
	Phase = driver.Phase
	// Health is what health checks say about a member.
	Health = driver.Health
)

// Server is the Spec of a member: an instance ID or an address, and its port.
func Server(server string, port int) Spec { return Spec{Key: Key{Server: server, Port: port}} }

// Weighted is Server with a weight.
func Weighted(server string, port, weight int) Spec {
	return Spec{Key: Key{Server: server, Port: port}, Weight: new(weight)}
}

// ParseKey reads a key as Key.String writes it: "i-1:80", "10.0.0.1:80",
// "[2001:db8::1]:80", "eni-1(10.0.0.2):80".
func ParseKey(s string) (Key, error) { return driver.ParseKey(s) }

// Pool changes the members of one pool of one service. It is safe for
// concurrent use: changes of one pool wait for each other.
type Pool struct {
	drv     driver.Pool
	events  func(Event)
	locker  Locker
	probe   func(context.Context, Member) error
	visible time.Duration
}

// Option changes a Pool.
type Option func(*Pool)

// WithEvents has f told what happens, by every method, in the goroutine where
// it happens; f must be safe for concurrent use and return soon.
func WithEvents(f func(Event)) Option { return func(p *Pool) { p.events = f } }

// WithLocker has l asked for every lock too, so that several processes take
// turns. Without it turns are taken among the pools of one client.
func WithLocker(l Locker) Option { return func(p *Pool) { p.locker = l } }

// WithProbe has f asked about every member that comes into service, after the
// service's own health checks: nil means that it serves. It is asked again,
// until the time for coming into service is over.
func WithProbe(f func(ctx context.Context, m Member) error) Option {
	return func(p *Pool) { p.probe = f }
}

// WithVisibility sets how long lists of the service may lag behind its writes:
// 1 minute by default. A change that was accepted and cannot be seen after that
// time has failed.
func WithVisibility(d time.Duration) Option { return func(p *Pool) { p.visible = d } }

// New returns the Pool of a driver, which the clients' Pool methods return. It
// makes no call.
func New(d driver.Pool, opts ...Option) *Pool {
	p := &Pool{drv: d, visible: time.Minute}
	for _, opt := range opts {
		if opt != nil {
			opt(p)
		}
	}
	return p
}

// As sets target, a pointer to a typed client such as **alb.Client, and reports
// whether the pool is one of it.
func (p *Pool) As(target any) bool { return p.drv.As(target) }

// Describe reads what the pool is like and what its service can do with it.
func (p *Pool) Describe(ctx context.Context) (Description, error) { return p.drv.Describe(ctx) }

// Members lists the members with their health, in the service's order.
func (p *Pool) Members(ctx context.Context) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		members, err := p.drv.Members(ctx, true)
		if err != nil {
			yield(Member{}, err)
			return
		}
		for _, m := range members {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// InService reports whether a member gets requests: it is part of the pool, not
// disabled, has a weight where weights count, and no health check says
// otherwise. d is the Description of its pool.
func InService(d Description, m Member) bool {
	if m.Phase != driver.Ready && m.Phase != driver.Changing {
		return false
	}
	if m.Weight == 0 && d.Weights.Ignored == "" {
		return false
	}
	return m.Health != driver.Unhealthy && m.Health != driver.Checking
}

// Locker gives turns to several processes. Keys are texts of at most 300
// characters that name a pool, or a load balancer, of a service and region;
// prefix them if several accounts share a Locker.
type Locker interface {
	// Lock waits for its turn, until ctx ends. held is derived from ctx and
	// ends early, with the cause ErrLockLost, when the turn is lost, for example
	// with the session of a lease. unlock gives the turn back; until then it goes
	// on, also when ctx has ended: weights are given back after that.
	Lock(ctx context.Context, key string) (held context.Context, unlock func(), err error)
}

// lock waits for a turn in this process, then among processes.
func (p *Pool) lock(ctx context.Context, key string) (held context.Context, unlock func(), err error) {
	here, err := p.drv.Lock(ctx, key)
	if err != nil {
		return nil, nil, fmt.Errorf("waiting for the turn to change %s: %w", key, err)
	}
	if p.locker == nil {
		return ctx, here, nil
	}
	held, everywhere, err := p.locker.Lock(ctx, key)
	if err != nil {
		here()
		return nil, nil, fmt.Errorf("locking %s: %w", key, err)
	}
	return held, func() { everywhere(); here() }, nil
}

// invalid is the error for what cannot be done as it is; nothing was sent.
func invalid(d Description, operation string, problems ...cloudlb.Problem) error {
	return &cloudlb.Error{
		Service: d.Service, Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: &cloudlb.ValidationError{Problems: problems},
	}
}

func problem(field, format string, args ...any) cloudlb.Problem {
	return cloudlb.Problem{Field: field, Message: fmt.Sprintf(format, args...)}
}
