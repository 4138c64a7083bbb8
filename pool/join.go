package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

const (
	// DefaultJitter is the longest time that Join waits before its first call.
	DefaultJitter = 5 * time.Second
	// NoJitter as Join.Jitter begins at once.
	NoJitter time.Duration = -1
	// joinPause is the longest pause between two tries of Join. It is long
	// because those who are refused are often many, and refused calls count.
	joinPause = 3 * time.Minute
	// DefaultLeave is how long Leave takes at most.
	DefaultLeave = time.Minute
)

// Join is how a server registers itself when it boots.
type Join struct {
	// Member is the server. Required.
	Member Spec
	// Ready is asked first, again and again until it returns nil: the
	// application is ready for requests. Nil: it is.
	Ready func(ctx context.Context) error
	// Jitter is the longest time, chosen at random, to wait before the first
	// call, so that servers that boot together do not call together:
	// DefaultJitter if 0. NoJitter: none. Where hundreds boot together, 2 s for
	// each of them gets them in soonest: budgets are of the account, and calls
	// that are refused use them up too.
	Jitter time.Duration
	// InService is how long the member may take to come into service after it
	// was added: DefaultInService if 0.
	InService time.Duration
	// IgnoreHealth does not wait for health checks, only until the service has
	// carried out the change.
	IgnoreHealth bool
}

// Leave is how a server takes itself out before it stops.
type Leave struct {
	// Member is the server. Required.
	Member Key
	// Drain is how long it gets no new requests before it is removed. 0:
	// DefaultDrain, or nothing where the service itself drains what is removed.
	// NoDrain: nothing. It is cut short where Within asks for it.
	Drain time.Duration
	// Within is how long all of it may take: DefaultLeave if 0. An earlier end
	// of the context counts instead. Half of it, at most 10 s, is kept for the
	// removal.
	Within time.Duration
}

// Join adds a member and waits until it is in service. A member that is there
// already is a success: it gets the weight of j.Member if that has one, and is
// brought into service if it was left at weight 0, or disabled, by a Leave that
// was interrupted.
//
// What can pass is waited for until ctx ends: that the instance has an address
// (SLB says ObtainIpFail to instances that are starting), throttling, busy
// resources, failures of the service. What cannot, such as a full pool, is
// returned at once. The last event is Finished, "in service". The pool's turn is
// held for the calls, not for the waits, so that many can join at the same time.
func (p *Pool) Join(ctx context.Context, j Join) (*Report, error) {
	if err := p.checkJoin(ctx, j); err != nil {
		return &Report{}, err
	}
	if j.Ready != nil {
		if err := untilReady(ctx, j.Ready); err != nil {
			return &Report{}, err
		}
	}
	if jitter := joinJitter(j.Jitter); jitter > 0 {
		if err := sleep(ctx, rand.N(jitter)); err != nil {
			return &Report{}, fmt.Errorf("joining: %w", err)
		}
	}
	var r *run
	report := &Report{}
	err := persist(ctx, joinPause, func(ctx context.Context) (err error) {
		r, report, err = p.joinOnce(ctx, j)
		return err
	})
	if err != nil {
		return report, err
	}
	if j.Member.Weight != nil && *j.Member.Weight == 0 {
		return report, nil
	}
	if err := r.await(ctx, []Spec{j.Member}, j.InService); err != nil {
		report.Entries[0].Err = err
		return report, r.fail(err)
	}
	r.event(Finished, []Key{j.Member.Key}, nil, "in service")
	return report, nil
}

func (p *Pool) checkJoin(ctx context.Context, j Join) error {
	var problems []cloudlb.Problem
	if j.Member.Server == "" {
		problems = append(problems, problem("Member.Server", "is empty: give the instance ID or the address of this server"))
	}
	if j.InService < 0 {
		problems = append(problems, problem("InService", "is %s, must not be negative", j.InService))
	}
	if len(problems) > 0 {
		return invalid(Description{}, "Join", problems...)
	}
	return ctx.Err()
}

func joinJitter(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultJitter
	}
	return d
}

func untilReady(ctx context.Context, ready func(context.Context) error) error {
	for pause := 500 * time.Millisecond; ; pause = min(pause*3/2, 5*time.Second) {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if wait := sleep(ctx, pause); wait != nil {
			return fmt.Errorf("not ready: %w (%w)", err, wait)
		}
	}
}

// joinOnce adds the member, in one turn.
func (p *Pool) joinOnce(ctx context.Context, j Join) (*run, *Report, error) {
	r, turn, end, err := p.begin(ctx, "Join", false)
	if err != nil {
		return nil, &Report{}, notYet(err)
	}
	defer end()
	r.ignore = j.IgnoreHealth
	spec := j.Member
	m, there := r.seen.present(spec.Key)
	if there && spec.Weight == nil && m.Weight == 0 && r.d.Weights.Ignored == "" && r.d.SetWeight.Exists() {
		spec.Weight = new(max(r.d.Weights.Default, 1))
		r.event(Noticed, []Key{m.Key}, nil, "it is there with weight 0: it gets %d", *spec.Weight)
	}
	if there && m.Phase == driver.Disabled && r.d.Enable.Exists() {
		r.event(Noticed, []Key{m.Key}, nil, "it is there and disabled: it is enabled")
		if err := r.carryOut(turn, r.split(driver.Enable, []Spec{m.Spec()}), 0); err != nil {
			return r, &Report{Pool: name(r.d)}, notYet(err)
		}
	}
	plan, err := newPlan("Join", r.d, r.seen, PlanOptions{}, p.drv.Check, func(b *planner) {
		b.compare("Member", []Spec{spec})
		b.calls(driver.Add, b.adds)
		b.calls(driver.SetWeight, b.weights)
	})
	if err != nil {
		return r, &Report{Pool: name(r.d)}, err
	}
	plan.Partial = true
	report, err := r.apply(turn, plan)
	return r, report, notYet(err)
}

// errNotYet: the instance has no address yet.
var errNotYet = fmt.Errorf("%w: the instance has no address yet", cloudlb.ErrUnfinished)

// notYet marks errors that say that an instance is starting.
func notYet(err error) error {
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Service == "slb" && e.Code == "ObtainIpFail" {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	return err
}

// Serve joins the pool, stays in it until ctx ends, and leaves it in time of its
// own:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := p.Serve(ctx, pool.Join{Member: pool.Server(id, 8080)}, pool.Leave{Within: 25 * time.Second})
//
// Leave.Member may be left out: it is the one that joins. When joining fails, or
// ctx ends before it is done, it leaves too. The error is nil if it was in
// service and has left.
func (p *Pool) Serve(ctx context.Context, j Join, l Leave) error {
	if l.Member == (Key{}) {
		l.Member = j.Member.Key
	}
	_, err := p.Join(ctx, j)
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Class == cloudlb.ClassInvalid && e.Outcome == cloudlb.OutcomeNotSent {
		return err // it is not there
	}
	if err == nil {
		<-ctx.Done()
	}
	_, leaveErr := p.Leave(context.WithoutCancel(ctx), l)
	return errors.Join(err, leaveErr)
}
