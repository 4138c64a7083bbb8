package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

const (
	// readParallel is how many pools are read at the same time before it is
	// known which budgets they have.
	readParallel = 32
	// mostParallel bounds Fleet.Parallel's default, whatever a budget says.
	mostParallel = 256
)

// fleetRun is one method at work on the pools of a Fleet.
type fleetRun struct {
	f        *Fleet
	method   string
	start    time.Time
	pools    []fleetPool
	forecast *forecast
	lanes    driver.Locks // by LockKey

	mu     sync.Mutex // guards what is below
	report FleetReport
	ended  int
	failed int
}

// fleetPool is a pool that was looked at. err says why it cannot be worked on.
type fleetPool struct {
	index int // in fleetRun.pools
	p     *Pool
	d     Description
	name  string
	err   error
}

// budgetKey is what the pools have in common that use up the same budgets.
type budgetKey struct {
	account                    any
	service, region, operation string
}

func (fp *fleetPool) share() budgetKey {
	return budgetKey{account: fp.d.Account, service: fp.d.Service, region: fp.d.Region}
}

// begin describes all pools.
func (f *Fleet) begin(ctx context.Context, method string) (*fleetRun, error) {
	if err := f.check(method); err != nil {
		return nil, err
	}
	fr := &fleetRun{f: f, method: method, start: time.Now()}
	fr.pools = make([]fleetPool, len(f.Pools))
	atOnce(len(f.Pools), f.readers(), func(i int) {
		fp := &fr.pools[i]
		*fp = fleetPool{index: i, p: f.Pools[i], name: fmt.Sprintf("pools[%d]", i)}
		if fp.err = ctx.Err(); fp.err != nil {
			fp.err = context.Cause(ctx)
			return
		}
		if fp.d, fp.err = fp.p.Describe(ctx); fp.err == nil {
			fp.name = name(fp.d)
		}
	})
	first := make(map[string]int, len(fr.pools))
	for i := range fr.pools {
		fp := &fr.pools[i]
		if fp.err != nil {
			continue
		}
		if before, twice := first[fp.name]; twice {
			fp.err = invalid(fp.d, "Fleet."+method, problem(fmt.Sprintf("Pools[%d]", i), "is the same pool as Pools[%d], %s: name it once", before, fp.name))
			continue
		}
		first[fp.name] = i
	}
	fr.reset()
	return fr, nil
}

// readers is how many pools are read at the same time.
func (f *Fleet) readers() int {
	if f.Parallel > 0 {
		return f.Parallel
	}
	return readParallel
}

// reset makes the report for the pools as they are now.
func (fr *fleetRun) reset() {
	fr.report.Pools = make([]FleetEntry, len(fr.pools))
	for i := range fr.pools {
		fr.report.Pools[i] = FleetEntry{Pool: fr.pools[i].name, Outcome: NotAttempted}
	}
	fr.forecast = newForecast(len(fr.pools))
}

// choose takes the pools of a plan, in its order, instead of all.
func (fr *fleetRun) choose(plan *FleetPlan) {
	names := make([]string, len(plan.Pools))
	for i := range plan.Pools {
		names[i] = plan.Pools[i].Pool
	}
	fr.pick(names)
	for i := range plan.Pools {
		if entry := &plan.Pools[i]; entry.Plan == nil {
			fr.pools[i].err = fmt.Errorf("there is no plan: %s", cmp.Or(entry.Problem, "it was taken out"))
		}
	}
}

// pick takes the pools of these names, in their order, instead of all.
func (fr *fleetRun) pick(names []string) {
	byName := make(map[string]*fleetPool, len(fr.pools))
	var unread error
	for i := range fr.pools {
		fp := &fr.pools[i]
		if fp.err != nil && unread == nil {
			unread = fmt.Errorf("%s cannot be read: %w", fp.name, fp.err)
		}
		if byName[fp.name] == nil {
			byName[fp.name] = fp
		}
	}
	picked := make([]fleetPool, len(names))
	for i, name := range names {
		picked[i].name = name
		if found := byName[name]; found != nil {
			picked[i] = *found
		} else if picked[i].err = fmt.Errorf("there is no pool %s in the Fleet", name); unread != nil {
			picked[i].err = fmt.Errorf("%w; and %w", picked[i].err, unread)
		}
		picked[i].index = i
	}
	fr.pools = picked
	fr.reset()
}

// work does something with all pools: those of each account, region and service
// beside those of the others.
func (fr *fleetRun) work(ctx context.Context, do func(context.Context, *fleetPool) (*Report, error)) {
	var groups [][]*fleetPool
	of := make(map[budgetKey]int)
	for i := range fr.pools {
		fp := &fr.pools[i]
		if fp.err != nil {
			fr.over(ctx, fp, nil, fp.err)
			continue
		}
		at, known := of[fp.share()]
		if !known {
			at = len(groups)
			of[fp.share()] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], fp)
	}
	atOnce(len(groups), len(groups), func(i int) {
		pools := spread(groups[i])
		atOnce(len(pools), fr.f.parallel(pools), func(k int) {
			if err := fr.stopped(ctx); err != nil {
				fr.over(ctx, pools[k], nil, err)
				return
			}
			fr.forecast.begin()
			report, err := do(ctx, pools[k])
			fr.over(ctx, pools[k], report, err)
		})
	})
}

// parallel is how many pools of a group are worked on at the same time. The
// budgets let so many calls begin at once; with fewer pools at work the first
// window of a budget would not be used up, and that time does not come back.
func (f *Fleet) parallel(group []*fleetPool) int {
	if f.Parallel > 0 {
		return f.Parallel
	}
	n := 0
	for _, fp := range group {
		for _, kind := range []driver.Kind{driver.Add, driver.SetWeight, driver.Remove, driver.Disable, driver.Enable} {
			n = max(n, fp.d.Verb(kind).Budget.Calls)
		}
	}
	if n == 0 {
		return readParallel
	}
	return min(n, mostParallel)
}

// spread orders pools such that those which the service locks together come as
// far from each other as they can, and those of a load balancer with many pools
// from the beginning to the end.
func spread(group []*fleetPool) []*fleetPool {
	total := make(map[string]int)
	for _, fp := range group {
		total[fp.d.LockKey]++
	}
	at := make([]float64, len(group)) // from 0 to 1
	order := make([]int, len(group))
	nth := make(map[string]int)
	for i, fp := range group {
		at[i] = (float64(nth[fp.d.LockKey]) + 0.5) / float64(total[fp.d.LockKey])
		nth[fp.d.LockKey]++
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	pools := make([]*fleetPool, len(group))
	for i, k := range order {
		pools[i] = group[k]
	}
	return pools
}

// apply carries out a plan. Pools that the service locks together have their
// calls made one after the other, so the second one is not even read before the
// first is done; unless it takes time for other reasons, such as a drain.
func (fr *fleetRun) apply(ctx context.Context, fp *fleetPool, plan *Plan) (*Report, error) {
	if plan.Empty() {
		return fp.p.Apply(ctx, plan)
	}
	if !slices.ContainsFunc(plan.Steps, func(s Step) bool { return !s.isCall() }) {
		unlock, err := fr.lane(ctx, fp)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	return fp.p.Apply(ctx, plan)
}

// lane waits for the other pools that the service locks together with this one.
func (fr *fleetRun) lane(ctx context.Context, fp *fleetPool) (unlock func(), err error) {
	unlock, err = fr.lanes.Lock(ctx, fp.d.LockKey)
	if err != nil {
		return nil, fmt.Errorf("waiting for other pools of %s: %w", fp.d.LockKey, err)
	}
	if err := fr.stopped(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// stopped is why no further pool is begun, nil if one is.
func (fr *fleetRun) stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		if !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w: %w", err, ctx.Err())
		}
		return fmt.Errorf("not begun: %w", err)
	}
	fr.mu.Lock()
	defer fr.mu.Unlock()
	if fr.f.StopAfter > 0 && fr.failed >= fr.f.StopAfter {
		return errFleetStopped
	}
	return nil
}

// over notes how a pool ended.
func (fr *fleetRun) over(ctx context.Context, fp *fleetPool, report *Report, err error) {
	entry := FleetEntry{Pool: fp.name, Err: err}
	if report != nil {
		entry.Calls = report.Calls
		if err != nil || len(report.Drift) > 0 {
			entry.Report = report
		}
	}
	switch {
	case err == nil && entry.Calls > 0:
		entry.Outcome = Done
	case err == nil:
		entry.Outcome = Unchanged
	case entry.Calls > 0:
		entry.Outcome = Incomplete
	default:
		entry.Outcome = NotAttempted
	}
	fr.forecast.over(fp)
	fr.mu.Lock()
	defer fr.mu.Unlock()
	fr.report.Pools[fp.index] = entry
	fr.report.Calls += entry.Calls
	fr.ended++
	e := Event{Pool: fp.name, Kind: Finished, Message: string(entry.Outcome), Err: err}
	if err != nil {
		e.Kind = Failed
		if ctx.Err() == nil && !errors.Is(err, errFleetStopped) {
			fr.failed++
		}
	} else if fr.method == "Plan" || fr.method == "Audit" {
		e.Message = "read"
	}
	fr.tell(e)
}

// started says what is about to happen.
func (fr *fleetRun) started(what string, left time.Duration) {
	if what == "" {
		what = count(len(fr.pools), "pool")
	}
	fr.mu.Lock()
	defer fr.mu.Unlock()
	fr.tell(Event{Kind: Started, Message: what, Left: left})
}

// tell tells the caller's function; fr.mu is held.
func (fr *fleetRun) tell(e Event) {
	if fr.f.Events == nil {
		return
	}
	e.Time, e.Method, e.Done, e.Total = time.Now(), fr.method, fr.ended, len(fr.pools)
	if e.Kind != Started {
		e.Left = fr.forecast.left()
	}
	fr.f.Events(e)
}

// end is the report of all.
func (fr *fleetRun) end(ctx context.Context) (*FleetReport, error) {
	fr.mu.Lock()
	defer fr.mu.Unlock()
	fr.report.Took = time.Since(fr.start)
	var errs []error
	for i := range fr.report.Pools {
		entry := &fr.report.Pools[i]
		switch {
		case entry.Err == nil:
		case strings.Contains(entry.Err.Error(), entry.Pool):
			errs = append(errs, entry.Err)
		default:
			errs = append(errs, fmt.Errorf("%s: %w", entry.Pool, entry.Err))
		}
	}
	err := joinPools(fr.method, len(fr.pools), errs)
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return &fr.report, err
}
