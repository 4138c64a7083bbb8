package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Leave takes a member out of service, lets its requests end, and removes it,
// all within l.Within. A member that is not there is a success. When time is
// short the drain is cut, so that the removal is still made; where members
// cannot be kept without requests it is removed at once. Calls that fail in a
// way that can pass are repeated as long as there is time.
//
// The pool's turn is not held during the drain, so that many can leave at the
// same time.
func (p *Pool) Leave(ctx context.Context, l Leave) (*Report, error) {
	if err := checkLeave(l); err != nil {
		return &Report{}, err
	}
	within := l.Within
	if within == 0 {
		within = DefaultLeave
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	deadline, _ := ctx.Deadline()
	reserve := min(time.Until(deadline)/2, 10*time.Second)
	drain, err := p.leaveQuietly(ctx, l, deadline.Add(-reserve))
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Class == cloudlb.ClassInvalid && e.Outcome == cloudlb.OutcomeNotSent {
		return &Report{}, err
	}
	if drain = min(drain, time.Until(deadline)-reserve); drain > 0 && err == nil {
		if err := sleep(ctx, drain); err != nil {
			return &Report{}, fmt.Errorf("draining %s: %w", l.Member, err)
		}
	}
	report := &Report{}
	err = p.impatient(ctx, func(ctx context.Context) (err error) {
		report, err = p.change(ctx, "Leave", PlanOptions{}, removing([]Key{l.Member}))
		return err
	})
	if err != nil {
		return report, fmt.Errorf("leaving: %w", err)
	}
	return report, nil
}

func checkLeave(l Leave) error {
	var problems []cloudlb.Problem
	if l.Member.Server == "" {
		problems = append(problems, problem("Member.Server", "is empty: give the instance ID or the address of this server"))
	}
	if l.Within < 0 {
		problems = append(problems, problem("Within", "is %s, must not be negative", l.Within))
	}
	if len(problems) == 0 {
		return nil
	}
	return invalid(Description{}, "Leave", problems...)
}

// leaveQuietly takes the member out of service, and returns for how long its
// requests are to be waited for: not at all if nothing is to be drained.
func (p *Pool) leaveQuietly(ctx context.Context, l Leave, until time.Time) (drain time.Duration, err error) {
	if l.Drain < 0 {
		return 0, nil
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	begun := false
	err = p.impatient(ctx, func(ctx context.Context) error {
		r, turn, end, err := p.begin(ctx, "Leave", false)
		if err != nil {
			return err
		}
		defer end()
		drain = removalDrain(r.d, l.Drain)
		m, err := r.seen.find(l.Member)
		if err != nil {
			return invalid(r.d, r.method, problem("Member", "%s %v", l.Member, err))
		}
		if m == nil || m.Phase == driver.Leaving || r.isHeld(m) && !begun || drain == 0 || !canTakeOut(r.d) {
			drain = 0
			return nil
		}
		begun = true
		if err := r.takeOut(turn, []held{hold(*m)}); err != nil {
			return err
		}
		r.tell(Event{Kind: Waiting, Members: []Key{m.Key}, Left: min(drain, time.Until(until)), Message: "for requests to end"})
		return nil
	})
	return drain, err
}

// impatient is persist for a short deadline: a try that takes more than half of
// the time that is left, and 3 s, is given up for another one.
func (p *Pool) impatient(ctx context.Context, do func(context.Context) error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		deadline, _ := ctx.Deadline()
		try, cancel := context.WithTimeout(ctx, max(time.Until(deadline)/2, 3*time.Second))
		err := do(try)
		gaveUp := try.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || ctx.Err() != nil || !gaveUp && !mayPass(err) {
			return err
		}
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}
