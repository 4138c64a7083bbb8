package pool

import (
	"fmt"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Load is how many calls of one operation a plan makes, and the published
// budget that they use up together with those of other pools.
type Load struct {
	Operation string `json:"operation"`
	Calls     int    `json:"calls"`
	// BudgetCalls are allowed in any time of length BudgetPer; 0: no budget is
	// published.
	BudgetCalls int      `json:"budget_calls,omitempty"`
	BudgetPer   Duration `json:"budget_per,omitzero"`
}

// Estimate is what a FleetPlan costs.
type Estimate struct {
	// Pools are those that change, Calls the calls that change them.
	Pools, Calls int
	// AtLeast is how long the published budgets make it take at best, and not
	// less than the longest drain. The service's own time and waiting for
	// health come on top, and so do calls that are not of this plan. Budgets
	// for reading are not part of it.
	AtLeast time.Duration
	// Because says what AtLeast comes from; empty if it is 0.
	Because string
}

// String is the estimate in one line.
func (e Estimate) String() string {
	s := fmt.Sprintf("%s, %s", count(e.Pools, "pool")+" to change", count(e.Calls, "call"))
	if e.AtLeast > 0 {
		s += fmt.Sprintf(", at least %s: %s", e.AtLeast.Round(time.Second), e.Because)
	}
	return s
}

// Estimate says what the plans that are not empty cost. Calls are counted per
// account, service, region and operation, as budgets are.
func (p *FleetPlan) Estimate() Estimate {
	var e Estimate
	sums := make(map[budgetKey]*Load)
	var keys []budgetKey // in the order of the plan
	for i := range p.Pools {
		entry := &p.Pools[i]
		if entry.Plan == nil || entry.Plan.Empty() {
			continue
		}
		e.Pools++
		e.Calls += entry.Plan.Calls()
		for _, load := range entry.Load {
			key := budgetKey{account: entry.Account, service: entry.Plan.Service, region: entry.Plan.Region, operation: load.Operation}
			if sums[key] == nil {
				sums[key] = &Load{Operation: load.Operation, BudgetCalls: load.BudgetCalls, BudgetPer: load.BudgetPer}
				keys = append(keys, key)
			}
			sums[key].Calls += load.Calls
		}
		if d := drains(entry.Plan); d > e.AtLeast {
			e.AtLeast, e.Because = d, "the drain of "+entry.Pool
		}
	}
	for _, key := range keys {
		load := sums[key]
		if d := load.atLeast(); d > e.AtLeast {
			e.AtLeast = d
			e.Because = fmt.Sprintf("%d calls of %s (%s, %s), of which %d may be made in %s",
				load.Calls, load.Operation, key.service, key.region, load.BudgetCalls, time.Duration(load.BudgetPer))
		}
	}
	return e
}

// drains is how long a plan waits for requests to end.
func drains(plan *Plan) time.Duration {
	var d time.Duration
	for _, s := range plan.Steps {
		if s.Do == Pause {
			d += time.Duration(s.For)
		}
	}
	return d
}

// planLoad counts the calls of a plan. Each of its swaps may turn out to be
// done already in part, and another call then; that is not counted.
func planLoad(plan *Plan, d Description) []Load {
	calls := make(map[driver.Kind]int)
	var kinds []driver.Kind
	for _, s := range plan.Steps {
		if !s.isCall() {
			continue
		}
		if calls[s.Do] == 0 {
			kinds = append(kinds, s.Do)
		}
		calls[s.Do]++
	}
	loads := make([]Load, len(kinds))
	for i, kind := range kinds {
		loads[i] = loadOf(d.Verb(kind), calls[kind])
	}
	return loads
}

func loadOf(v driver.Verb, calls int) Load {
	load := Load{Operation: v.Operation, Calls: calls}
	if v.Budget != (cloudlb.Budget{}) {
		load.BudgetCalls, load.BudgetPer = v.Budget.Calls, Duration(v.Budget.Per)
	}
	return load
}

// atLeast is how long after the first call the last one may start.
func (l *Load) atLeast() time.Duration {
	if l.BudgetCalls <= 0 || l.Calls <= 0 {
		return 0
	}
	return time.Duration((l.Calls-1)/l.BudgetCalls) * time.Duration(l.BudgetPer)
}

// forecast tells how long a method on many pools goes on: as long as the
// budgets make it; by the pace of the pools so far, where there are no budgets
// or the pools are slower.
type forecast struct {
	mu    sync.Mutex
	start time.Time
	first time.Duration // when the first pool ended: how long one takes by itself
	pools int
	begun int
	ended int
	known int // pools whose calls are known
	loads map[budgetKey]*expected
	of    map[int][]Load // by fleetPool.index
}

type expected struct {
	all  Load
	done int
}

func newForecast(pools int) *forecast {
	return &forecast{start: time.Now(), pools: pools, loads: make(map[budgetKey]*expected), of: make(map[int][]Load)}
}

// expect notes the calls of a pool before it is changed.
func (f *forecast) expect(fp *fleetPool, loads []Load) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known++
	f.of[fp.index] = loads
	for _, load := range loads {
		key := fp.share()
		key.operation = load.Operation
		if f.loads[key] == nil {
			f.loads[key] = &expected{all: Load{BudgetCalls: load.BudgetCalls, BudgetPer: load.BudgetPer}}
		}
		f.loads[key].all.Calls += load.Calls
	}
}

// begin notes that a pool is worked on, over that it no longer is.
func (f *forecast) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
}

func (f *forecast) over(fp *fleetPool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended++; f.ended == 1 {
		f.first = time.Since(f.start)
	}
	loads, known := f.of[fp.index]
	if !known {
		f.known++ // there are none
	}
	for _, load := range loads {
		key := fp.share()
		key.operation = load.Operation
		f.loads[key].done += load.Calls
	}
	delete(f.of, fp.index)
}

// left is how long it goes on, 0 if that is not known. Where the calls of some
// pools are not known yet, they are taken to be like those of the others.
func (f *forecast) left() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == 0 || f.ended >= f.pools {
		return 0
	}
	elapsed := time.Since(f.start)
	var left time.Duration
	behind := true // until a budget says otherwise
	for _, e := range f.loads {
		if e.all.BudgetCalls <= 0 {
			continue
		}
		all, next := e.all, e.all
		all.Calls = all.Calls * f.pools / max(f.known, 1)
		next.Calls = e.done + 1
		left = max(left, all.atLeast()-elapsed)
		behind = behind && elapsed-f.first > next.atLeast()+time.Duration(e.all.BudgetPer)/6
	}
	if running := max(f.begun-f.ended, 0); behind && f.ended > running {
		progress := float64(f.ended) + float64(running)/2 // those under way are halfway, on average
		left = max(left, time.Duration(float64(elapsed)*(float64(f.pools)-progress)/progress))
	}
	return left
}
