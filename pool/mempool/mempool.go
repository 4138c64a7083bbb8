// Package mempool is a pool in memory, for tests of code that changes pools:
//
//	mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
//	p := pool.New(mem)
//
// It is stricter than the services: what one of them forgives is an error here,
// and an error changes nothing. It has no goroutines; what changes with time is
// derived from time.Now when somebody looks, so that an hour of waiting inside
// a testing/synctest bubble takes no time. Faults make calls fail on purpose,
// and Calls tells what was called.
package mempool

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Pool is a pool in memory. Build it with New. It is safe for concurrent use.
type Pool struct {
	desc     driver.Description
	joining  time.Duration
	changing time.Duration
	leaving  time.Duration
	checking time.Duration
	hook     func(Call)
	locks    *driver.Locks

	mu      sync.Mutex
	states  []state // oldest first; those before the last are for SetLag
	health  map[driver.Key]driver.Health
	busy    time.Time   // until when changes are refused
	tickets []time.Time // when the change of ticket "change-1" is done, and so on
	ids     int
	calls   []Call
	faults  []*Fault
	lag     time.Duration
}

var _ driver.Pool = (*Pool)(nil)

// Option is an option of New.
type Option func(*Pool)

// WithDescription lets change correct what Describe answers. It starts with
// service "mem", region "local", ID "pool-1", weights from 0 to 100 of which
// 100 is the default, labels, readable health, no limit of members, and the
// verbs Add, SetWeight, Remove and Swap for up to 200 members each. The pool
// behaves as described: verbs without an Operation are refused, limits are kept.
// An empty LockKey becomes "mem/REGION/ID".
func WithDescription(change func(*driver.Description)) Option {
	return func(p *Pool) { change(&p.desc) }
}

// WithMembers puts members into the pool, with exactly these weights and
// phases. Members without an ID get one.
func WithMembers(members ...driver.Member) Option {
	return func(p *Pool) {
		for _, m := range members {
			p.put(m, time.Time{})
		}
	}
}

// WithServers puts members into the pool that are ready and have the weight 100.
// Each is written like "i-1:80" or "10.0.0.1:80", as driver.ParseKey reads it;
// it panics if it cannot.
func WithServers(keys ...string) Option {
	return func(p *Pool) {
		for _, key := range keys {
			k, err := driver.ParseKey(key)
			if err != nil {
				panic("mempool.WithServers: " + err.Error())
			}
			p.put(driver.Member{Key: k, Weight: 100, Phase: driver.Ready}, time.Time{})
		}
	}
}

// WithDurations sets how long members are joining, changing and leaving; a swap
// takes the longer one of joining and leaving. All are 0 by default: changes
// are done when they are answered, without a ticket. Until a change is done
// the pool refuses others with cloudlb.ErrBusy.
func WithDurations(joining, changing, leaving time.Duration) Option {
	return func(p *Pool) { p.joining, p.changing, p.leaving = joining, changing, leaving }
}

// WithChecking sets for how long members that have joined are driver.Checking
// before they are healthy, 0 by default.
func WithChecking(d time.Duration) Option { return func(p *Pool) { p.checking = d } }

// WithLocks has the pool take turns with all pools that use the same locks,
// like the pools of one client. By default it has its own.
func WithLocks(locks *driver.Locks) Option { return func(p *Pool) { p.locks = locks } }

// WithHook has f called at the beginning of every call that Calls records, with
// Err unset. It may use the pool, for example Edit to change it meanwhile.
func WithHook(f func(Call)) Option { return func(p *Pool) { p.hook = f } }

// New returns a pool without members, unless options say otherwise.
func New(opts ...Option) *Pool {
	const most = 200
	p := &Pool{
		desc: driver.Description{
			Service: "mem", Region: "local", ID: "pool-1",
			Add:       driver.Verb{Operation: "Add", Most: most},
			SetWeight: driver.Verb{Operation: "SetWeight", Most: most},
			Remove:    driver.Verb{Operation: "Remove", Most: most},
			Swap:      driver.Verb{Operation: "Swap", Most: most},
			Weights:   driver.Weights{Min: 0, Max: 100, Default: 100},
			Labels:    true,
		},
		locks:  new(driver.Locks),
		health: make(map[driver.Key]driver.Health),
		states: []state{{}},
	}
	p.desc.Account = p
	for _, opt := range opts {
		if opt != nil {
			opt(p)
		}
	}
	if p.desc.LockKey == "" {
		p.desc.LockKey = p.desc.Service + "/" + p.desc.Region + "/" + p.desc.ID
	}
	return p
}

// put adds a member that is there from since on.
func (p *Pool) put(m driver.Member, since time.Time) {
	if m.ID == "" {
		p.ids++
		m.ID = "m-" + strconv.Itoa(p.ids)
	}
	if m.Phase == "" {
		m.Phase = driver.Ready
	}
	m.Health = ""
	now := p.now()
	now.members = append(now.members, member{Member: m, disabled: m.Phase == driver.Disabled, since: since})
}

// Describe implements driver.Pool.
func (p *Pool) Describe(ctx context.Context) (driver.Description, error) {
	finish, err := p.begin(ctx, Call{Op: Describe})
	if err != nil {
		return driver.Description{}, err
	}
	defer p.mu.Unlock()
	if err := finish(); err != nil {
		return driver.Description{}, err
	}
	return p.desc, nil
}

// Members implements driver.Pool.
func (p *Pool) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	call := Call{Op: Members}
	if health {
		call.Op = Health
	}
	finish, err := p.begin(ctx, call)
	if err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	if err := finish(); err != nil {
		return nil, err
	}
	at := time.Now().Add(-p.lag)
	seen := p.states[0]
	for _, s := range p.states {
		if !s.at.After(at) {
			seen = s
		}
	}
	var members []driver.Member
	for _, m := range settled(seen.members, at) {
		if health {
			m.Health = p.healthOf(m, at)
		}
		m.Aliases = slices.Clone(m.Aliases)
		members = append(members, m.Member)
	}
	return members, nil
}

// healthOf is what the checks say about a member. Like most services it says
// nothing about members that do not get requests.
func (p *Pool) healthOf(m member, at time.Time) driver.Health {
	_, set := p.health[m.Key]
	switch {
	case p.desc.NoHealth != "", m.Phase == driver.Disabled, m.Phase == driver.Joining,
		m.Weight == 0 && !p.desc.HealthAtZero && p.desc.Weights.Ignored == "":
		return driver.HealthUnknown
	case set:
		return p.health[m.Key]
	case at.Before(m.since.Add(p.checking)):
		return driver.Checking
	default:
		return driver.Healthy
	}
}

// SetHealth sets what the health checks find about a member, now or when it
// joins: driver.Unhealthy, for example. driver.HealthUnknown gives it back to
// them, and they find it healthy.
func (p *Pool) SetHealth(key driver.Key, health driver.Health) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if health == driver.HealthUnknown {
		delete(p.health, key)
		return
	}
	p.health[key] = health
}

// Edit changes the members as somebody else would: at once, without a call.
// Members that it adds get an ID, and the default phase is driver.Ready.
func (p *Pool) Edit(edit func(members []driver.Member) []driver.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.begun(time.Now())
	before := now.members
	members := make([]driver.Member, len(before))
	for i := range before {
		members[i] = before[i].Member
	}
	now.members = nil
	for _, m := range edit(members) {
		i := slices.IndexFunc(before, func(b member) bool { return b.ID == m.ID })
		if i < 0 {
			p.put(m, time.Now())
			continue
		}
		old := before[i]
		old.Member, old.disabled = m, m.Phase == driver.Disabled
		old.next.Weight = m.Weight
		now.members = append(now.members, old)
	}
}

// SetLag makes reads show the pool as it was d ago, until it is called again.
// 0, the default, shows it as it is.
func (p *Pool) SetLag(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag = d
	p.begun(time.Now()) // what is there now is what later reads show first
}

// Wait implements driver.Pool. A ticket that the pool has not given out is
// cloudlb.ErrNotFound.
func (p *Pool) Wait(ctx context.Context, ticket string) error {
	finish, err := p.begin(ctx, Call{Op: Wait, Ticket: ticket})
	if err != nil {
		return err
	}
	err = finish()
	var done time.Time
	if err == nil && ticket != "" {
		done, err = p.ticketTime(ticket)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	timer := time.NewTimer(time.Until(done))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", ticket, context.Cause(ctx))
	case <-timer.C:
		return nil
	}
}

func (p *Pool) ticketTime(ticket string) (time.Time, error) {
	for i, done := range p.tickets {
		if ticket == ticketName(i+1) {
			return done, nil
		}
	}
	return time.Time{}, p.failed(Wait, cloudlb.ClassNotFound, fmt.Errorf("ticket %q was never given out by this pool", ticket))
}

func ticketName(n int) string { return "change-" + strconv.Itoa(n) }

// Lock implements driver.Pool.
func (p *Pool) Lock(ctx context.Context, key string) (unlock func(), err error) {
	return p.locks.Lock(ctx, key)
}

// As sets target if it is a **Pool of this package.
func (p *Pool) As(target any) bool {
	t, ok := target.(**Pool)
	if ok && t != nil {
		*t = p
		return true
	}
	return false
}

// failed is an error that a service would answer with.
func (p *Pool) failed(op Op, class cloudlb.Class, err error) error {
	return &cloudlb.Error{
		Service: p.desc.Service, Operation: string(op), Class: class, Outcome: cloudlb.OutcomeRejected, Attempts: 1, Err: err,
	}
}
