package pool

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// EvacuateOptions are the limits of Fleet.Evacuate. Save is required.
type EvacuateOptions struct {
	// Save stores what a pool was like, before it is changed: append it to a
	// file as a line of JSON, and sync. One call at a time; an error leaves the
	// pool as it is. Restore reads what was saved.
	Save func(Evacuated) error
	// MinInService is how many members of each pool must be in service after
	// the others have left; 1 if it is 0. A pool with fewer keeps them all.
	MinInService int
}

// Evacuated is a pool whose members were taken out of service, and what it
// needs to get them back.
type Evacuated struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// Pool is "service/region/ID".
	Pool    string            `json:"pool"`
	Members []EvacuatedMember `json:"members"`
}

// EvacuatedMember is a member that was taken out of service, and the weight
// that it had.
type EvacuatedMember struct {
	Key    Key `json:"key"`
	Weight int `json:"weight"`
}

// Evacuate takes all members out of service for which leaves is true, such as
// those of a zone, in all pools: they are disabled where the service can, and
// get weight 0 elsewhere. None is removed. Members that are out of service
// already stay so, and Restore does not bring them back. What they are working
// on when Evacuate returns may go on: wait before machines are stopped.
//
// A pool that would be left with fewer than MinInService members keeps all of
// them and is reported with ErrMinInService; so is, with cloudlb.ErrInvalid,
// one in which neither disabling nor a weight of 0 has an effect. Methods call
// leaves for several pools at the same time. Calling it again goes on where it
// stopped.
func (f *Fleet) Evacuate(ctx context.Context, leaves func(Member) bool, opts EvacuateOptions) (*FleetReport, error) {
	fr, err := f.begin(ctx, "Evacuate")
	switch {
	case err != nil:
	case leaves == nil:
		err = invalid(Description{}, "Fleet.Evacuate", problem("leaves", "is nil"))
	case opts.Save == nil:
		err = invalid(Description{}, "Fleet.Evacuate", problem("Save", "is nil: without it nobody knows the weights to restore"))
	case opts.MinInService < 0:
		err = invalid(Description{}, "Fleet.Evacuate", problem("MinInService", "is %d, must not be negative", opts.MinInService))
	}
	if err != nil {
		return &FleetReport{}, err
	}
	opts.MinInService = max(opts.MinInService, 1)
	var turn sync.Mutex
	save := opts.Save
	opts.Save = func(e Evacuated) error {
		turn.Lock()
		defer turn.Unlock()
		return save(e)
	}
	fr.started("", 0)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		return fr.evacuate(ctx, fp, leaves, opts)
	})
	return fr.end(ctx)
}

// evacuate takes members of one pool out of service.
func (fr *fleetRun) evacuate(ctx context.Context, fp *fleetPool, leaves func(Member) bool, opts EvacuateOptions) (*Report, error) {
	unlock, err := fr.lane(ctx, fp)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, ctx, end, err := fp.p.begin(ctx, fr.method, true)
	if err != nil {
		return nil, err
	}
	defer end()
	r.min = opts.MinInService
	var members []held
	leaving := make(map[Key]bool)
	for _, m := range r.seen.members {
		if m.Phase != driver.Leaving && !isOut(r.d, m) && leaves(m) {
			members = append(members, hold(m))
			leaving[m.Key] = true
		}
	}
	if len(members) == 0 {
		return &Report{Pool: fp.name}, nil
	}
	if left := r.seen.inService(r.d, leaving); left < r.min {
		return nil, fmt.Errorf("%w: %s would be left with %d, MinInService is %d", ErrMinInService, fp.name, left, r.min)
	}
	if !canTakeOut(r.d) {
		return nil, r.takeOut(ctx, members) // says why
	}
	saved := Evacuated{Version: PlanVersion, Time: time.Now().UTC().Round(0), Pool: fp.name}
	for _, m := range members {
		saved.Members = append(saved.Members, EvacuatedMember{Key: m.Key, Weight: m.Weight})
	}
	if err := opts.Save(saved); err != nil {
		return nil, fmt.Errorf("%s was not changed, because its weights could not be saved: %w", fp.name, err)
	}
	fr.forecast.expect(fp, []Load{fp.heldLoad(len(members), driver.Disable)})
	return fr.move(ctx, r, members, r.takeOut, func(m Member) bool { return isOut(r.d, m) })
}

// Restore gives members that Evacuate took out of service the weights back that
// they had, from what EvacuateOptions.Save was given; where a member was saved
// more than once, the last one holds. Members that are in service again, or
// gone, stay as they are: they are in FleetEntry.Report.Drift, which is no
// error. It does not wait for health; Audit tells afterwards who is unhealthy.
// Calling it again changes nothing.
func (f *Fleet) Restore(ctx context.Context, saved []Evacuated) (*FleetReport, error) {
	fr, err := f.begin(ctx, "Restore")
	if err != nil {
		return &FleetReport{}, err
	}
	weights := make(map[string][]held)
	var order []string
	for i, e := range saved {
		if e.Version != PlanVersion {
			return &FleetReport{}, invalid(Description{}, "Fleet.Restore", problem(fmt.Sprintf("saved[%d].version", i), "is %d, this program knows version %d", e.Version, PlanVersion))
		}
		if _, known := weights[e.Pool]; !known {
			order = append(order, e.Pool)
		}
		weights[e.Pool] = mergeHeld(weights[e.Pool], e.Members)
	}
	fr.pick(order)
	for i := range fr.pools {
		if fp := &fr.pools[i]; fp.err == nil {
			fr.forecast.expect(fp, []Load{fp.heldLoad(len(weights[fp.name]), driver.Enable)})
		}
	}
	fr.started("", 0)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		return fr.restore(ctx, fp, weights[fp.name])
	})
	return fr.end(ctx)
}

// mergeHeld adds members to those known; the later weight of a member holds.
func mergeHeld(known []held, more []EvacuatedMember) []held {
	at := make(map[Key]int, len(known))
	for i := range known {
		at[known[i].Key] = i
	}
	for _, m := range more {
		i, ok := at[m.Key]
		if !ok {
			i = len(known)
			at[m.Key] = i
			known = append(known, held{Key: m.Key})
		}
		known[i].Weight = m.Weight
	}
	return known
}

// restore brings the members of one pool back that are still out.
func (fr *fleetRun) restore(ctx context.Context, fp *fleetPool, saved []held) (*Report, error) {
	unlock, err := fr.lane(ctx, fp)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, ctx, end, err := fp.p.begin(ctx, fr.method, false)
	if err != nil {
		return nil, err
	}
	defer end()
	var members []held
	var drift []Drift
	for _, h := range saved {
		m, there := r.seen.present(h.Key)
		switch {
		case !there:
			drift = append(drift, Drift{Key: h.Key, What: "gone"})
		case isOut(r.d, *m):
			members = append(members, h)
		case m.Weight != h.Weight:
			drift = append(drift, Drift{Key: h.Key, What: fmt.Sprintf("at weight %d, not %d", m.Weight, h.Weight)})
		}
	}
	if len(members) == 0 {
		return &Report{Pool: fp.name, Drift: drift}, nil
	}
	report, err := fr.move(ctx, r, members, r.bringBack, func(m Member) bool { return !isOut(r.d, m) })
	report.Drift = drift
	return report, err
}

// move takes members out or brings them back, and says how that ended for each.
func (fr *fleetRun) move(ctx context.Context, r *run, members []held, change func(context.Context, []held) error, done func(Member) bool) (*Report, error) {
	lines := make([]Line, len(members))
	for i, m := range members {
		lines[i] = Line{Action: ActionReweight, Key: m.Key}
	}
	r.ledger = newLedger(name(r.d), lines)
	r.event(Started, nil, nil, "%s", count(len(members), "member"))
	err := change(ctx, members)
	if err != nil && len(r.ledger.blind) > 0 && ctx.Err() == nil {
		_ = r.look(ctx, false) // if it fails the ledger says "unclear"
	}
	for i := range r.ledger.Entries {
		e := &r.ledger.Entries[i]
		m, there := r.seen.present(e.Key)
		switch {
		case there && done(*m):
			e.Outcome, e.Err = Done, nil
		case r.ledger.blind[e.Key]:
			e.Outcome = Unclear
		case r.ledger.begun[e.Key]:
			e.Outcome = Incomplete
			if e.Err == nil {
				e.Err = cmp.Or(err, ErrDrift)
			}
		}
	}
	return r.end(err)
}

// isOut reports whether a member gets no requests because somebody wants it so.
func isOut(d Description, m Member) bool {
	return m.Phase == driver.Disabled || m.Weight == 0 && d.Weights.Ignored == ""
}

// heldLoad is what it costs to move members: by kind, or by weights where the
// service does not have it.
func (fp *fleetPool) heldLoad(members int, kind driver.Kind) Load {
	v := fp.d.Verb(kind)
	if !v.Exists() {
		v = fp.d.SetWeight
	}
	calls := 1
	if v.Most > 0 {
		calls = (members + v.Most - 1) / v.Most
	}
	return loadOf(v, calls)
}
