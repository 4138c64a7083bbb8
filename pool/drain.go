package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

const (
	// DefaultRestore is how long Drain and Rollout may take, when they fail or
	// their context ends, to give members back the weights that they had.
	DefaultRestore = 2 * time.Minute
	// DrainedVersion is the version of the JSON form of Drained. Restore refuses
	// others.
	DrainedVersion = 1
)

// What Drain and Restore do to a member, in an Entry.
const (
	ActionDrain   Action = "drain"
	ActionRestore Action = "restore"
)

// Drain says which members to take out of service, and how long their requests
// may go on.
type Drain struct {
	// Members are those to take out. Required; each must be in the pool.
	Members []Key
	// For is how long requests may go on after a member gets no new ones. 0:
	// the service's own time (Description.Draining), else DefaultDrain. NoDrain:
	// nothing is waited for.
	For time.Duration
	// Until, if set, is asked about each member again and again until it returns
	// nil, which means that its requests have ended; For is then the longest
	// time. It is called for several members at the same time.
	Until func(ctx context.Context, m Member) error
	// MinInService is how many members must be in service at every moment. A
	// drain that cannot keep to it is refused.
	MinInService int
	// IgnoreHealth has MinInService count members that get requests, whatever
	// health checks say.
	IgnoreHealth bool
	// Remove takes the members out of the pool once they are drained.
	Remove bool
	// KeepOut leaves members out of service when Drain fails or its context
	// ends. Without it they come back then.
	KeepOut bool
	// RestoreTimeout is how long coming back may take then, also when the
	// context has ended: DefaultRestore if 0.
	RestoreTimeout time.Duration
}

// Drained is what Drain took out of service, and how it was before. It is a
// value: stored as JSON, it lets another process Restore it. It has no secrets.
type Drained struct {
	Version int `json:"version"`
	// Service, Region and Pool name the pool that it is from.
	Service string `json:"service"`
	Region  string `json:"region"`
	Pool    string `json:"pool"`
	// Members are as they were before.
	Members []DrainedMember `json:"members"`
	// Report is what became of each member. It is not part of the JSON form.
	Report Report `json:"-"`
}

// DrainedMember is a member as it was before it was drained.
type DrainedMember struct {
	// Spec has the old weight. To have a removed member back, Add it.
	Spec
	// Disabled: it was disabled before, and Restore leaves it so.
	Disabled bool `json:"disabled,omitempty"`
}

func (m *DrainedMember) held() held {
	return held{Key: m.Key, Weight: *m.Weight, Disabled: m.Disabled}
}

// Drain takes members out of service: it remembers their weights, lets them get
// no new requests (weight 0, or disabled on APIG), waits for the requests that
// they have, and removes them if that is wanted. A member that got no requests
// before stays as it is. Where neither weight 0 nor disabling has an effect (ELB
// pools of algorithm SOURCE_IP and QUIC_CID) it is refused before anything is
// sent.
//
// When it fails, or ctx ends, members come back with their old weights within
// RestoreTimeout, except those that were removed; also when Until panics. If that
// fails too, or the pool's lock was lost, the error says who is still out of
// service; Restore with the returned Drained, which is never nil, can be tried
// again.
func (p *Pool) Drain(ctx context.Context, o Drain) (*Drained, error) {
	drained := &Drained{Version: DrainedVersion}
	if err := o.check(); err != nil {
		return drained, err
	}
	r, turn, end, err := p.begin(ctx, "Drain", o.MinInService > 0 && !o.IgnoreHealth)
	if err != nil {
		return drained, err
	}
	defer end()
	r.min, r.ignore = o.MinInService, o.IgnoreHealth
	drained.Service, drained.Region, drained.Pool = r.d.Service, r.d.Region, r.d.ID
	drained.Report.Pool = name(r.d)
	members, err := r.named(o.Members)
	if err == nil {
		err = r.spare(members)
	}
	if err != nil {
		return drained, err
	}
	lines := make([]Line, len(members))
	held := make([]held, len(members))
	for i, m := range members {
		lines[i], held[i] = Line{Action: ActionDrain, Key: m.Key}, hold(m)
		drained.Members = append(drained.Members, DrainedMember{Spec: m.Spec(), Disabled: held[i].Disabled})
	}
	r.ledger = newLedger(name(r.d), lines)

	finished := false
	finish := func(err error) error {
		finished = true
		if err != nil && !o.KeepOut {
			err = errors.Join(err, r.giveBack(turn, o.RestoreTimeout, held, unsure(turn, err)))
		}
		r.conclude(err, func(m *Member, there bool) bool {
			if o.Remove {
				return !there
			}
			return there && r.isOut(*m)
		})
		report, err := r.end(err)
		drained.Report = *report
		return err
	}
	defer func() {
		if !finished { // a function of the caller panics
			_ = finish(errPanic)
		}
	}()
	err = r.drainOut(turn, members, held, o)
	return drained, finish(err)
}

var errPanic = errors.New("a function of the caller panicked")

func (o *Drain) check() error {
	var problems []cloudlb.Problem
	if len(o.Members) == 0 {
		problems = append(problems, problem("Members", "is empty: name those to drain"))
	}
	if o.MinInService < 0 {
		problems = append(problems, problem("MinInService", "is %d, must not be negative", o.MinInService))
	}
	if o.RestoreTimeout < 0 {
		problems = append(problems, problem("RestoreTimeout", "is %s, must not be negative", o.RestoreTimeout))
	}
	if problems == nil {
		return nil
	}
	return invalid(Description{}, "Drain", problems...)
}

// spare refuses what takeOut would refuse, before anything is sent.
func (r *run) spare(members []Member) error {
	if err := r.canTakeOut(); err != nil {
		return err
	}
	skip := make(map[Key]bool, len(members))
	for _, m := range members {
		skip[m.Key] = true
	}
	now, left := r.seen.inService(r.d, nil), r.seen.inService(r.d, skip)
	if r.min == 0 || left >= r.min || left == now {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrMinInService, invalid(r.d, r.method,
		problem("MinInService", "is %d, and %d of %d members in service would be left: name fewer members, or add some first", r.min, left, now)))
}

func (r *run) canTakeOut() error {
	if canTakeOut(r.d) {
		return nil
	}
	return invalid(r.d, r.method, problem("pool", "%s cannot keep members without requests: %s; replace them instead", name(r.d), whyNotTakeOut(r.d)))
}

func (r *run) drainOut(ctx context.Context, members []Member, held []held, o Drain) error {
	r.event(Started, keysOfMembers(members), nil, "taking %s out of service", count(len(members), "member"))
	if err := r.takeOut(ctx, held); err != nil {
		return err
	}
	var serving []Member
	for _, m := range members {
		if !r.isOut(m) {
			serving = append(serving, m)
		}
	}
	if err := r.drain(ctx, serving, o.For, o.Until); err != nil || !o.Remove {
		return err
	}
	specs := make([]Spec, len(members))
	for i, m := range members {
		specs[i] = m.Spec()
	}
	return r.carryOut(ctx, r.split(driver.Remove, specs), 0)
}

// drain waits until members that get no new requests have none: for a time, or
// until the caller's function says so, for that time at most.
func (r *run) drain(ctx context.Context, members []Member, longest time.Duration, until func(context.Context, Member) error) error {
	longest = drainTime(r.d, longest)
	if longest == 0 || len(members) == 0 {
		return nil
	}
	if until == nil {
		specs := make([]Spec, len(members))
		for i, m := range members {
			specs[i] = m.Spec()
		}
		return lockLost(ctx, r.pause(ctx, Step{Do: Pause, Members: specs, For: Duration(longest)}))
	}
	r.tell(Event{Kind: Waiting, Members: keysOfMembers(members), Left: longest, Message: "for requests to end, or less"})
	wait, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	left := members
	check := func(ctx context.Context) (bool, error) {
		errs := make([]error, len(left))
		atOnce(len(left), mostProbes, func(i int) { errs[i] = until(ctx, left[i]) })
		var busy []Member
		for i, m := range left {
			if errs[i] != nil {
				busy = append(busy, m)
			}
		}
		left = busy
		return len(left) == 0, nil
	}
	if done, err := check(wait); done || err != nil {
		return err
	}
	err := r.poll(wait, healthSchedule, func() []string { return texts(keysOfMembers(left)) }, check)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		r.event(Noticed, keysOfMembers(left), nil, "not drained after %s: going on", longest)
		return nil
	}
	return lockLost(ctx, err)
}

// isOut reports whether a member is as takeOut leaves it.
func (r *run) isOut(m Member) bool {
	if r.d.Disable.Exists() {
		return m.Phase == driver.Disabled
	}
	return m.Weight == 0
}

// conclude works out how each member of the ledger ended. is says whether it is
// as it was to be; m is nil if it is not there.
func (r *run) conclude(failed error, is func(m *Member, there bool) bool) {
	l := r.ledger
	for i := range l.Entries {
		e := &l.Entries[i]
		m, there := r.seen.present(e.Key)
		switch {
		case l.blind[e.Key]:
			e.Outcome = Unclear
		case is(m, there) && l.begun[e.Key]:
			e.Outcome, e.Err = Done, nil
		case is(m, there):
			e.Outcome, e.Err = Unchanged, nil
		case l.begun[e.Key] || e.Err != nil || failed == nil:
			e.Outcome = Incomplete
		}
		switch {
		case e.Outcome == Done || e.Outcome == Unchanged || e.Outcome == NotAttempted || e.Err != nil:
		case failed != nil:
			e.Err = failed
		case there:
			e.Err = fmt.Errorf("%w: it is at weight %d", ErrDrift, m.Weight)
		default:
			e.Err = fmt.Errorf("%w: it is gone", ErrDrift)
		}
	}
}

// Restore gives members the weights that they had before Drain, also in another
// process, and waits until that is carried out. A member that was removed
// meanwhile is an entry with ErrDrift: Add brings it back. A weight that somebody
// else has set meanwhile stays, and is reported as Drift. It can be called again.
func (p *Pool) Restore(ctx context.Context, drained *Drained) (*Report, error) {
	if err := drained.check(); err != nil {
		return &Report{}, err
	}
	r, turn, end, err := p.begin(ctx, "Restore", false)
	if err != nil {
		return &Report{}, err
	}
	defer end()
	if r.d.Service != drained.Service || r.d.Region != drained.Region || r.d.ID != drained.Pool {
		return &Report{}, invalid(r.d, "Restore", problem("drained", "is from %s/%s/%s, not %s", drained.Service, drained.Region, drained.Pool, name(r.d)))
	}
	lines := make([]Line, len(drained.Members))
	held := make([]held, len(drained.Members))
	for i := range drained.Members {
		lines[i], held[i] = Line{Action: ActionRestore, Key: drained.Members[i].Key}, drained.Members[i].held()
	}
	r.ledger = newLedger(name(r.d), lines)
	r.event(Started, nil, nil, "giving %s back what they had", count(len(held), "member"))
	err = r.bringBack(turn, r.stillOut(held))
	old := make(map[Key]int, len(held))
	for _, h := range held {
		old[h.Key] = h.Weight
	}
	r.conclude(err, func(m *Member, there bool) bool {
		return there && (old[m.Key] == 0 || !r.isOut(*m) || drained.wasDisabled(m.Key))
	})
	return r.end(err)
}

func (d *Drained) wasDisabled(k Key) bool {
	return slices.ContainsFunc(d.Members, func(m DrainedMember) bool { return m.Key == k && m.Disabled })
}

func (d *Drained) check() error {
	switch {
	case d == nil || d.Pool == "":
		return invalid(Description{}, "Restore", problem("drained", "is not what Drain returned: nothing says which weights to give back"))
	case d.Version != DrainedVersion:
		return invalid(Description{}, "Restore", problem("drained.version", "is %d, this program knows version %d", d.Version, DrainedVersion))
	}
	for i, m := range d.Members {
		if m.Weight == nil {
			return invalid(Description{}, "Restore", problem(fmt.Sprintf("drained.members[%d].weight", i), "is missing (%s)", m.Key))
		}
	}
	return nil
}
