package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Fleet is many pools, of any number of accounts, regions and services, which
// get the same change. Its methods work on many pools at a time, each of which
// is locked, changed and verified as by the methods of a Pool. What goes wrong
// with one pool keeps no other from being changed: it is in the report.
//
// The calls of all pools keep within the published budgets of their account as
// far as its clients share a cloudlb.Limiter. Fields must not be changed while
// a method runs.
type Fleet struct {
	// Pools are the pools, each once. The clients' iterators list those of an
	// account: alb.Client.ServerGroups, elb.Client.Pools, ...
	Pools []*Pool
	// Parallel is how many pools of one account, region and service are worked
	// on at the same time. The default, 0, is as many as the service's budget
	// lets begin at once (200 on ALB, 90 on classic SLB), and 32 where none is
	// published. With fewer a fleet takes longer than its budgets make it; each
	// one more costs the memory of one pool's members.
	Parallel int
	// StopAfter is how many pools may fail before no further one is begun.
	// Those under way are finished. 0, the default, goes through all of them.
	StopAfter int
	// Events is told about the fleet: what is about to happen and how long the
	// budgets make it take, then each pool that ends, with Event.Left. It is
	// called by several goroutines, but never twice at the same time, and must
	// return soon. What happens inside a pool is told by WithEvents.
	Events func(Event)
}

// Desired says what a pool of a Fleet is to be. Methods call it for several
// pools at the same time. An error leaves the pool as it is, and is reported.
type Desired func(ctx context.Context, p *Pool, d Description) ([]Spec, PlanOptions, error)

// Change plans and applies pool by pool: each has its plan made, carried out
// and dropped before the next one has its turn, so that memory does not grow
// with the plans of all. To see the plans first use Plan and Apply. Doing it
// again changes only what is not as desired, and so goes on after a crash.
//
// The error is nil only if all pools are as desired; it matches, by errors.Is,
// whatever the errors of the pools match. The report is never nil.
func (f *Fleet) Change(ctx context.Context, desired Desired) (*FleetReport, error) {
	fr, err := f.begin(ctx, "Change")
	if err == nil && desired == nil {
		err = invalid(Description{}, "Fleet.Change", problem("desired", "is nil"))
	}
	if err != nil {
		return &FleetReport{}, err
	}
	fr.started("", 0)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		plan, err := fp.plan(ctx, desired)
		if err != nil {
			return nil, err
		}
		fr.forecast.expect(fp, planLoad(plan, fp.d))
		return fr.apply(ctx, fp, plan)
	})
	return fr.end(ctx)
}

// Plan reads all pools and makes a plan for each, as Pool.Plan does. It changes
// nothing. Pools that cannot be planned have a Problem in the plan; the error,
// which is nil if there are none, tells what went wrong with them. The plan is
// good for the others all the same. It is nil only if the Fleet itself is
// invalid.
func (f *Fleet) Plan(ctx context.Context, desired Desired) (*FleetPlan, error) {
	fr, err := f.begin(ctx, "Plan")
	if err == nil && desired == nil {
		err = invalid(Description{}, "Fleet.Plan", problem("desired", "is nil"))
	}
	if err != nil {
		return nil, err
	}
	plan := &FleetPlan{Version: PlanVersion, Pools: make([]FleetPlanEntry, len(fr.pools))}
	fr.started("", 0)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		made, err := fp.plan(ctx, desired)
		if err != nil {
			return nil, err
		}
		plan.Pools[fp.index].Plan = made
		plan.Pools[fp.index].Load = planLoad(made, fp.d)
		return nil, nil
	})
	accounts := make(map[any]int)
	for i := range fr.pools {
		fp, entry := &fr.pools[i], &plan.Pools[i]
		if _, known := accounts[fp.d.Account]; !known {
			accounts[fp.d.Account] = len(accounts) + 1
		}
		entry.Pool, entry.Account = fp.name, accounts[fp.d.Account]
		if err := fr.report.Pools[i].Err; err != nil {
			entry.Problem = err.Error()
		}
	}
	_, err = fr.end(ctx)
	return plan, err
}

// Apply carries out the plans of a FleetPlan, which may have been made by
// another process; the pools are found by their names among those of the
// Fleet. It can be called again at any point, as Pool.Apply can. Pools of the
// plan that have no plan, or are not in the Fleet, are reported as not
// attempted; pools of the Fleet that are not in the plan are left alone.
//
// The error is nil only if all pools are as planned; it matches, by errors.Is,
// whatever the errors of the pools match. The report is in the order of the
// plan, and never nil.
func (f *Fleet) Apply(ctx context.Context, plan *FleetPlan) (*FleetReport, error) {
	fr, err := f.begin(ctx, "Apply")
	if err == nil {
		err = plan.check()
	}
	if err != nil {
		return &FleetReport{}, err
	}
	fr.choose(plan)
	for i := range fr.pools {
		if fp := &fr.pools[i]; fp.err == nil {
			fr.forecast.expect(fp, planLoad(plan.Pools[i].Plan, fp.d))
		}
	}
	e := plan.Estimate()
	fr.started(e.String(), e.AtLeast)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		return fr.apply(ctx, fp, plan.Pools[fp.index].Plan)
	})
	return fr.end(ctx)
}

// plan makes the plan of one pool.
func (fp *fleetPool) plan(ctx context.Context, desired Desired) (*Plan, error) {
	specs, opts, err := desired(ctx, fp.p, fp.d)
	if err != nil {
		return nil, fmt.Errorf("desired members of %s: %w", fp.name, err)
	}
	return fp.p.Plan(ctx, specs, opts)
}

// FleetReport is what became of each pool.
type FleetReport struct {
	// Pools are in the order of the Fleet, or of the plan.
	Pools []FleetEntry `json:"pools"`
	// Calls counts the calls that were to change something.
	Calls int           `json:"calls"`
	Took  time.Duration `json:"took_ns"`
}

// FleetEntry is what became of one pool.
type FleetEntry struct {
	// Pool is "service/region/ID", or "pools[3]" if the pool cannot be read.
	Pool string `json:"pool"`
	// Outcome is Done if the pool was changed as wanted, Unchanged if it was
	// that way before, Incomplete if the change was begun and did not end well,
	// and NotAttempted if nothing was sent.
	Outcome Outcome `json:"outcome"`
	// Calls counts the calls that were to change something.
	Calls int `json:"calls,omitempty"`
	// Report is about the pool's members. It is nil for pools with which all
	// is well: use WithEvents to follow those.
	Report *Report `json:"report,omitempty"`
	// Err says why it is not Done.
	Err error `json:"-"`
}

// MarshalJSON has the error as a text.
func (r FleetEntry) MarshalJSON() ([]byte, error) {
	type plain FleetEntry
	out := struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain: plain(r)}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	return json.Marshal(out)
}

// Count counts the pools with an outcome.
func (r *FleetReport) Count(o Outcome) int {
	n := 0
	for i := range r.Pools {
		if r.Pools[i].Outcome == o {
			n++
		}
	}
	return n
}

// Failed returns the pools that are not as wanted, those that were not
// attempted included.
func (r *FleetReport) Failed() []FleetEntry {
	var failed []FleetEntry
	for _, p := range r.Pools {
		if p.Err != nil {
			failed = append(failed, p)
		}
	}
	return failed
}

// String is the report in words: a summary, then what is not well, a line each.
func (r *FleetReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", count(len(r.Pools), "pool"))
	parts := make([]string, 0, 4)
	for _, o := range []Outcome{Done, Unchanged, Incomplete, NotAttempted} {
		if n := r.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	fmt.Fprintf(&b, "%s, %s\n", strings.Join(parts, ", "), count(r.Calls, "call"))
	for _, p := range r.Failed() {
		fmt.Fprintf(&b, "! %s: %s: %v\n", p.Pool, p.Outcome, p.Err)
	}
	return b.String()
}

// fleetError is what went wrong with some pools, in one line, and for errors.Is
// all of it.
type fleetError struct {
	text string
	errs []error
}

func (e *fleetError) Error() string   { return e.text }
func (e *fleetError) Unwrap() []error { return e.errs }

// joinPools is the error of a method for the errors of its pools, nil if there
// are none.
func joinPools(method string, pools int, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s: %d of %d pools failed: %v", method, len(errs), pools, errs[0])
	if len(errs) > 1 {
		text += fmt.Sprintf("; and %d more in the report", len(errs)-1)
	}
	return &fleetError{text: text, errs: errs}
}

var errFleetStopped = errors.New("not begun: as many pools as Fleet.StopAfter have failed")

// check reports what is wrong with the Fleet itself.
func (f *Fleet) check(method string) error {
	var problems []cloudlb.Problem
	if len(f.Pools) == 0 {
		problems = append(problems, problem("Pools", "is empty: list the pools with the iterators of the clients"))
	}
	for i, p := range f.Pools {
		if p == nil {
			problems = append(problems, problem(fmt.Sprintf("Pools[%d]", i), "is nil"))
		}
	}
	if f.Parallel < 0 {
		problems = append(problems, problem("Parallel", "is %d, must not be negative", f.Parallel))
	}
	if f.StopAfter < 0 {
		problems = append(problems, problem("StopAfter", "is %d, must not be negative", f.StopAfter))
	}
	if len(problems) == 0 {
		return nil
	}
	return invalid(Description{}, "Fleet."+method, problems...)
}
