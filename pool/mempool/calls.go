package mempool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Op is what was called.
type Op string

// The calls. Those that change members are named like their driver.Kind.
const (
	Describe Op = "describe"
	// Members and Health are driver.Pool.Members without and with health.
	Members Op = "members"
	Health  Op = "health"
	Wait    Op = "wait"

	Add       = Op(driver.Add)
	SetWeight = Op(driver.SetWeight)
	Remove    = Op(driver.Remove)
	Swap      = Op(driver.Swap)
	Disable   = Op(driver.Disable)
	Enable    = Op(driver.Enable)
)

// Call is one call that was made.
type Call struct {
	Op   Op
	Time time.Time
	// Change is set for calls that change members, Ticket for Wait.
	Change driver.Change
	Ticket string
	// Err is what was answered; nil for a success, and for a Wait whose ticket
	// is known, however the waiting ended.
	Err error
}

// Calls returns the calls so far, in their order. Check, Lock and calls whose
// context had ended or whose change Check refuses are not among them: a service
// would not see those either.
func (p *Pool) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Count returns how many calls of an Op there were.
func (p *Pool) Count(op Op) int {
	n := 0
	for _, c := range p.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Fault makes calls fail.
type Fault struct {
	// Op is which calls; empty means those that change members.
	Op Op
	// Skip is how many of them go well first; Times is how many fail then, 1 by
	// default, and negative for all.
	Skip, Times int
	// Err is the error; by default a *cloudlb.Error that matches
	// cloudlb.ErrUnavailable, with OutcomeUnknown if After is set, and
	// OutcomeRejected otherwise.
	Err error
	// After has the call take effect first: its reply is lost. A call that is
	// refused anyway has the error of its refusal.
	After bool
	// Only has the call take effect except for these members, which the Result
	// lists as Failed with Err. After is not used then.
	Only []driver.Key

	seen int
}

// Inject adds a fault. Where several fit, the first one that was added is it.
func (p *Pool) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Err == nil {
		outcome := cloudlb.OutcomeRejected
		if f.After {
			outcome = cloudlb.OutcomeUnknown
		}
		f.Err = &cloudlb.Error{
			Service: p.desc.Service, Operation: string(f.Op), Class: cloudlb.ClassUnavailable, Outcome: outcome, Attempts: 1,
			Err: errors.New("a fault of the test"),
		}
	}
	f.Only = slices.Clone(f.Only)
	p.faults = append(p.faults, &f)
}

// fault returns the fault of this call, nil if it has none.
func (p *Pool) fault(op Op) *Fault {
	var found *Fault
	for _, f := range p.faults {
		switch op {
		case f.Op:
		case Describe, Members, Health, Wait:
			continue
		default:
			if f.Op != "" {
				continue
			}
		}
		f.seen++
		if found == nil && f.seen > f.Skip && (f.Times < 0 || f.seen <= f.Skip+f.Times) {
			found = f
		}
	}
	return found
}

// begin records a call. Without an error it returns with p.mu locked; finish
// then says whether the call, which is no change, fails.
func (p *Pool) begin(ctx context.Context, call Call) (finish func() error, err error) {
	if err := p.alive(ctx, call.Op); err != nil {
		return nil, err
	}
	call.Time = time.Now()
	if p.hook != nil {
		p.hook(call)
	}
	p.mu.Lock()
	i := len(p.calls)
	p.calls = append(p.calls, call)
	return func() error {
		if f := p.fault(call.Op); f != nil {
			p.calls[i].Err = f.Err
		}
		return p.calls[i].Err
	}, nil
}

// alive is the error for a context that has ended: nothing was sent.
func (p *Pool) alive(ctx context.Context, op Op) error {
	if ctx.Err() == nil {
		return nil
	}
	err := context.Cause(ctx)
	if !errors.Is(err, ctx.Err()) {
		err = errors.Join(err, ctx.Err())
	}
	return &cloudlb.Error{Service: p.desc.Service, Operation: string(op), Outcome: cloudlb.OutcomeNotSent, Err: err}
}
