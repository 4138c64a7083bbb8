package pool

import (
	"encoding/json"
	"fmt"
	"strings"
)

// FleetPlan is how the pools of a Fleet get to be as desired. It is a value: it
// can be printed, stored as JSON, looked through by somebody else, and applied
// by another process. Entries may be taken out of it. Make it with Fleet.Plan.
type FleetPlan struct {
	Version int              `json:"version"`
	Pools   []FleetPlanEntry `json:"pools"`
}

// FleetPlanEntry is the plan of one pool.
type FleetPlanEntry struct {
	// Pool is "service/region/ID".
	Pool string `json:"pool"`
	// Plan is nil if there is none; Problem says why.
	Plan    *Plan  `json:"plan,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Account is equal for the pools whose calls use up the same budgets.
	Account int `json:"account"`
	// Load is what the plan uses up of them.
	Load []Load `json:"load,omitempty"`
}

// Calls counts the calls of all plans that change something.
func (p *FleetPlan) Calls() int {
	n := 0
	for i := range p.Pools {
		if plan := p.Pools[i].Plan; plan != nil {
			n += plan.Calls()
		}
	}
	return n
}

// Empty reports whether there is nothing to do in any pool that has a plan.
func (p *FleetPlan) Empty() bool {
	for i := range p.Pools {
		if plan := p.Pools[i].Plan; plan != nil && !plan.Empty() {
			return false
		}
	}
	return true
}

// String is the estimate, then the plans of the pools that change like diffs,
// then the pools that could not be planned.
func (p *FleetPlan) String() string {
	var b strings.Builder
	b.WriteString(p.Estimate().String())
	b.WriteByte('\n')
	unchanged := 0
	for i := range p.Pools {
		switch plan := p.Pools[i].Plan; {
		case plan == nil:
		case plan.Empty():
			unchanged++
		default:
			b.WriteString(plan.String())
		}
	}
	if unchanged > 0 {
		fmt.Fprintf(&b, "%s with nothing to do\n", count(unchanged, "pool"))
	}
	for i := range p.Pools {
		if p.Pools[i].Plan == nil {
			fmt.Fprintf(&b, "! %s: not planned: %s\n", p.Pools[i].Pool, p.Pools[i].Problem)
		}
	}
	return b.String()
}

// ReadFleetPlan reads the JSON form of a plan.
func ReadFleetPlan(b []byte) (*FleetPlan, error) {
	var p FleetPlan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, invalid(Description{}, "ReadFleetPlan", problem("plan", "is not a plan of a Fleet: %v", err))
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// check reports what is wrong with a plan whoever made it.
func (p *FleetPlan) check() error {
	refuse := func(field, format string, args ...any) error {
		return invalid(Description{}, "Fleet.Apply", problem(field, format, args...))
	}
	if p == nil {
		return refuse("plan", "is nil")
	}
	if p.Version != PlanVersion {
		return refuse("version", "is %d, this program knows version %d: plan again with it", p.Version, PlanVersion)
	}
	first := make(map[string]int, len(p.Pools))
	for i := range p.Pools {
		entry, field := &p.Pools[i], fmt.Sprintf("pools[%d]", i)
		plan := entry.Plan
		if plan == nil {
			continue
		}
		if before, twice := first[entry.Pool]; twice {
			return refuse(field, "is for the same pool as pools[%d], %s", before, entry.Pool)
		}
		first[entry.Pool] = i
		if planned := plan.Service + "/" + plan.Region + "/" + plan.Pool; planned != entry.Pool {
			return refuse(field, "is for pool %s and has a plan for %s", entry.Pool, planned)
		}
		if err := plan.check(); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}
