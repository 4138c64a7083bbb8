package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Apply carries out a plan. It can be called again with the same plan at any
// point, in any process: what has happened already is not repeated, what had
// begun is finished. It takes the pool's turn, makes the calls one after the
// other, waits for each to be carried out, reads the pool back, and stops at the
// first step that fails; the report says for each member how it ended, and what
// others did meanwhile.
//
// The error is nil only if the pool is as planned. It can be asked for
// ErrMinInService, ErrNotInService, ErrNotVisible, ErrDrift, ErrLockLost, the
// sentinels of package cloudlb, and the context's error.
func (p *Pool) Apply(ctx context.Context, plan *Plan) (*Report, error) {
	if plan == nil {
		return &Report{}, invalid(Description{}, "Apply", problem("plan", "is nil"))
	}
	if err := plan.check(); err != nil {
		return &Report{}, err
	}
	return p.apply(ctx, "Apply", plan)
}

func (p *Pool) apply(ctx context.Context, method string, plan *Plan) (*Report, error) {
	r, held, end, err := p.begin(ctx, method, plan.MinInService > 0)
	if err != nil {
		return &Report{Entries: newLedger("", plan.Lines).Entries}, err
	}
	defer end()
	if r.d.Service != plan.Service || r.d.Region != plan.Region || r.d.ID != plan.Pool {
		return &Report{}, invalid(r.d, method, problem("plan", "is for %s/%s/%s, not %s", plan.Service, plan.Region, plan.Pool, name(r.d)))
	}
	return r.apply(held, plan)
}

// apply carries out a plan by a run that has begun.
func (r *run) apply(ctx context.Context, plan *Plan) (*Report, error) {
	r.ledger = newLedger(name(r.d), plan.Lines)
	r.min, r.ignore = plan.MinInService, plan.IgnoreHealth
	r.event(Started, nil, nil, "%d to add, %d to reweight, %d to remove",
		plan.Count(ActionAdd), plan.Count(ActionReweight), plan.Count(ActionRemove))
	err := r.carryOut(ctx, plan.Steps, time.Duration(plan.InService))
	if err != nil && len(r.ledger.blind) > 0 && ctx.Err() == nil {
		_ = r.look(ctx, false) // if it fails the ledger says "unclear"
	}
	drift := r.ledger.close(plan, r.seen, err)
	if err == nil {
		err = drift
	}
	return r.end(err)
}

// end is the report of a run.
func (r *run) end(err error) (*Report, error) {
	r.ledger.Took = time.Since(r.start)
	report := &r.ledger.Report
	if err == nil {
		for i := range report.Entries {
			if e := &report.Entries[i]; e.Outcome != Done && e.Outcome != Unchanged && err == nil {
				err = e.Err
			}
		}
	}
	if err != nil {
		err = r.fail(err)
		r.event(Failed, nil, err, "%d done, %d not", report.Count(Done)+report.Count(Unchanged), len(report.Failed()))
		return report, err
	}
	r.event(Finished, nil, nil, "%d changed, %d unchanged", report.Count(Done), report.Count(Unchanged))
	return report, nil
}

// fail names the pool and the method in an error.
func (r *run) fail(err error) error {
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Outcome == cloudlb.OutcomeNotSent && e.Class == cloudlb.ClassInvalid {
		return err // it says so itself
	}
	return fmt.Errorf("%s of pool %s: %w", r.method, name(r.d), err)
}
