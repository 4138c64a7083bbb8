package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// readSwitch reads what the Journal has, if it is a switch that is not over.
func (r *run) readSwitch(ctx context.Context, o BlueGreen, sw *Switched) (goesOn bool, err error) {
	if o.Journal == nil {
		return false, nil
	}
	b, err := o.Journal.Load(ctx)
	if err != nil || len(b) == 0 {
		return false, err
	}
	refuse := func(format string, args ...any) (bool, error) {
		*sw = Switched{}
		return false, invalid(r.d, r.method, problem("Journal", format, args...))
	}
	if err := json.Unmarshal(b, sw); err != nil || sw.Stage == "" {
		return refuse("has no record of a BlueGreen: give it one of its own")
	}
	switch {
	case sw.Version != SwitchedVersion:
		return refuse("has version %d, this program knows version %d: use the program that it is from", sw.Version, SwitchedVersion)
	case sw.Service != r.d.Service || sw.Region != r.d.Region || sw.Pool != r.d.ID:
		return refuse("is of pool %s/%s/%s: give that of %s one of its own", sw.Service, sw.Region, sw.Pool, name(r.d))
	case sw.Stage == StageFinished || sw.Stage == StageBack:
		*sw = Switched{}
		return false, nil
	case sw.Stage == StageFinishing || sw.Stage == StageReturning:
		return refuse("has a switch that is %s: read it as a Switched, and call Finish or Back", sw.Stage)
	}
	same := len(o.New) == len(sw.New)
	for i := 0; same && i < len(o.New); i++ {
		same = o.New[i].Key == sw.New[i].Key
	}
	if !same {
		return refuse("has an unfinished switch to other members: read it as a Switched, and call Finish or Back")
	}
	sw.Journal = o.Journal
	r.event(Noticed, nil, nil, "a switch that is %s goes on", sw.Stage)
	return true, nil
}

// planSwitch works out what to do, or refuses it.
func (r *run) planSwitch(o BlueGreen) (Switched, error) {
	b := planner{
		d: r.d, seen: r.seen, wanted: make(map[Key]string), plan: new(Plan),
		opts: PlanOptions{Owner: o.Owner, MinInService: o.MinInService, InService: o.InService},
	}
	b.checkOptions()
	if !canTakeOut(r.d) {
		b.problem("pool", "%s cannot keep members without requests: %s; use Replace", name(r.d), whyNotTakeOut(r.d))
	}
	if len(o.New) == 0 {
		b.problem("New", "is empty: name the members to switch to")
	}
	if o.RestoreTimeout < 0 {
		b.problem("RestoreTimeout", "is %s, must not be negative", o.RestoreTimeout)
	}
	b.compare("New", o.New)
	sw := Switched{
		Version: SwitchedVersion, Service: r.d.Service, Region: r.d.Region, Pool: r.d.ID, Stage: StageAdding,
		MinInService: o.MinInService, InService: Duration(o.InService), Drain: Duration(o.Drain), IgnoreHealth: o.IgnoreHealth, Journal: o.Journal,
	}
	if o.InService == 0 {
		sw.InService = Duration(DefaultInService)
	}
	for i, s := range o.New {
		if s.Weight != nil && *s.Weight == 0 {
			b.problem(fmt.Sprintf("New[%d].Weight", i), "is 0: a member that is switched to has to get requests")
		}
		sw.New = append(sw.New, r.newOfSwitch(s, o.Owner))
	}
	for i, m := range b.oldOfSwitch(o.Old) {
		if o.Old != nil && !o.Owner.owns(m) {
			b.problem(fmt.Sprintf("Old[%d]", i), "%s belongs to somebody else", m.Key)
		}
		sw.Old = append(sw.Old, SwitchedMember{Spec: m.Spec(), Disabled: m.Phase == driver.Disabled})
	}
	r.guardSwitch(&b, &sw)
	if len(b.problems) > 0 {
		return Switched{}, invalid(r.d, r.method, b.problems...)
	}
	for _, s := range r.split(driver.Add, b.adds) {
		if err := r.p.drv.Check(s.change()); err != nil {
			return Switched{}, withKeys(err, &s)
		}
	}
	return sw, nil
}

// newOfSwitch is one of New: as it is wanted, and as it was.
func (r *run) newOfSwitch(s Spec, owner Owner) SwitchedMember {
	if s.Label == "" {
		s.Label = owner.label
	}
	n := SwitchedMember{Spec: s}
	m, there := r.seen.present(s.Key)
	if !there {
		return n
	}
	n.Was, n.Disabled = new(m.Weight), m.Phase == driver.Disabled
	switch {
	case s.Weight != nil:
	case m.Weight == 0:
		n.Weight = new(max(r.d.Weights.Default, 1))
	default:
		n.Weight = new(m.Weight)
	}
	return n
}

func (b *planner) oldOfSwitch(keys []Key) []Member {
	if keys != nil {
		return b.shiftMembers("Old", keys)
	}
	var old []Member
	for _, m := range b.seen.members {
		if _, named := b.wanted[m.Key]; !named && m.Phase != driver.Leaving && b.opts.Owner.owns(m) {
			old = append(old, m)
		}
	}
	return old
}

// guardSwitch refuses what would leave too few members in service, or make the
// pool too large.
func (r *run) guardSwitch(b *planner, sw *Switched) {
	skip := make(map[Key]bool)
	for _, m := range sw.Old {
		skip[m.Key] = true
	}
	present, added := len(r.seen.members), 0
	for _, m := range sw.New {
		if there, ok := r.seen.present(m.Key); ok {
			skip[there.Key] = true
		} else {
			added++
		}
	}
	if n := r.seen.inService(r.d, skip) + len(sw.New); n < sw.MinInService {
		b.problem("MinInService", "is %d, and %d members would be in service after the switch", sw.MinInService, n)
	}
	if r.d.MaxMembers > 0 && present+added > r.d.MaxMembers {
		b.problem("New", "makes the pool %d members large, and it can have %d: use Replace, which exchanges them in turns", present+added, r.d.MaxMembers)
	}
}

// expectSwitch begins the report.
func (r *run) expectSwitch(sw *Switched) {
	var lines []Line
	for _, m := range sw.New {
		lines = append(lines, Line{Action: ActionAdd, Key: m.Key})
	}
	for _, m := range sw.Old {
		lines = append(lines, Line{Action: ActionReweight, Key: m.Key})
	}
	r.ledger = newLedger(name(r.d), lines)
}

// enter notes a stage before what it stands for is done.
func (r *run) enter(ctx context.Context, sw *Switched, stage Stage) error {
	sw.Stage = stage
	if sw.Journal == nil {
		return nil
	}
	b, err := json.Marshal(sw)
	if err == nil {
		err = sw.Journal.Save(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// switchOver does what is left to do until New has the requests.
func (r *run) switchOver(ctx context.Context, sw *Switched) error {
	if err := r.enter(ctx, sw, StageAdding); err != nil {
		return err
	}
	if err := r.bringIn(ctx, sw.New); err != nil {
		return err
	}
	if err := r.await(ctx, sw.specs(sw.New), time.Duration(sw.InService)); err != nil {
		return err
	}
	if err := r.enter(ctx, sw, StageSwitching); err != nil {
		return err
	}
	var out []held
	for _, h := range sw.held() {
		if m, ok := r.seen.present(h.Key); ok && !r.isHeld(m) {
			out = append(out, h)
		}
	}
	if len(out) > 0 {
		if err := r.takeOut(ctx, out); err != nil {
			return err
		}
	}
	sw.At = time.Now().UTC().Round(0)
	return r.enter(ctx, sw, StageSwitched)
}

// bringIn adds members, or gives those that are there requests.
func (r *run) bringIn(ctx context.Context, members []SwitchedMember) error {
	var add, enable, weigh []Spec
	for _, m := range members {
		there, ok := r.seen.present(m.Key)
		if !ok {
			add = append(add, m.Spec)
			continue
		}
		if there.Phase == driver.Disabled && r.d.Enable.Exists() && (m.Was != nil || !m.Disabled) {
			enable = append(enable, m.Spec)
		}
		if m.Weight != nil && *m.Weight != there.Weight {
			weigh = append(weigh, m.Spec)
		}
	}
	for _, some := range []struct {
		kind  driver.Kind
		specs []Spec
	}{{driver.Add, add}, {driver.Enable, enable}, {driver.SetWeight, weigh}} {
		if err := r.carryOut(ctx, r.split(some.kind, some.specs), 0); err != nil {
			return err
		}
	}
	return nil
}

// removeOld is Finish.
func (r *run) removeOld(ctx context.Context, sw *Switched) error {
	there, err := r.removable(sw)
	if err != nil {
		return err
	}
	drain := removalDrain(r.d, time.Duration(sw.Drain))
	left := min(drain-time.Since(sw.At), drain) // the clock that At is from may be ahead
	if len(there) > 0 && left > 0 {
		if err := r.pause(ctx, Step{Do: Pause, Members: there, For: Duration(left)}); err != nil {
			return err
		}
		if err := r.look(ctx, !r.ignore); err != nil {
			return err
		}
		if there, err = r.removable(sw); err != nil { // much can have happened meanwhile
			return err
		}
	}
	for i := range sw.Old {
		sw.Old[i].Removed = sw.Old[i].Removed || r.isThere(sw.Old[i].Key)
	}
	if err := r.enter(ctx, sw, StageFinishing); err != nil {
		return err
	}
	if err := r.carryOut(ctx, r.split(driver.Remove, there), 0); err != nil {
		return err
	}
	return r.enter(ctx, sw, StageFinished)
}

// removable are those of Old that are there, if they can be removed.
func (r *run) removable(sw *Switched) ([]Spec, error) {
	old := make(map[Key]bool)
	var there []Spec
	for _, m := range sw.Old {
		now, ok := r.seen.present(m.Key)
		if !ok {
			continue
		}
		if !r.isHeld(now) {
			return nil, fmt.Errorf("%w: %s gets requests again: call Back, or give it weight 0", ErrDrift, m.Key)
		}
		old[now.Key] = true
		there = append(there, now.Spec())
	}
	if n := r.seen.inService(r.d, old); len(there) > 0 && n < r.min && !r.ignore {
		return nil, fmt.Errorf("%w: %d, and MinInService is %d: Old is the way back and stays", ErrMinInService, n, r.min)
	}
	return there, nil
}

// goBack is Back. It can begin anywhere.
func (r *run) goBack(ctx context.Context, sw *Switched) error {
	if err := r.look(ctx, !r.ignore); err != nil {
		return err
	}
	if r.oldIsGone(sw) {
		return fmt.Errorf("%w: all of Old is gone, so that nobody would have the requests of New: New stays; add members and remove it yourself", ErrDrift)
	}
	if sw.Stage != StageBack {
		// A journal that cannot be written does not keep Old out of service: from
		// the stage that it has, everything can go on as well.
		_ = r.enter(ctx, sw, StageReturning)
	}
	if err := r.bringOld(ctx, sw); err != nil {
		return err
	}
	if err := r.takeBackNew(ctx, sw); err != nil {
		return err
	}
	return r.enter(ctx, sw, StageBack)
}

// oldIsGone reports that somebody removed all of Old that had requests.
func (r *run) oldIsGone(sw *Switched) bool {
	had := false
	for _, m := range sw.Old {
		if *m.Weight == 0 || m.Disabled {
			continue
		}
		if m.Removed || r.isThere(m.Key) {
			return false
		}
		had = true
	}
	return had && sw.Stage != StageBack
}

// bringOld has those of Old in service that are not, by what was seen last.
func (r *run) bringOld(ctx context.Context, sw *Switched) error {
	var old []SwitchedMember
	var await []Spec
	for _, m := range sw.Old {
		now, ok := r.seen.present(m.Key)
		switch {
		case !ok && !m.Removed:
			r.event(Noticed, []Key{m.Key}, nil, "it is gone, and does not come back")
			continue
		case ok && !r.isHeld(now):
			continue
		}
		old = append(old, m)
		if *m.Weight > 0 && !m.Disabled {
			await = append(await, m.Spec)
		}
	}
	if err := r.bringIn(ctx, old); err != nil || len(await) == 0 {
		return err
	}
	return r.await(ctx, await, time.Duration(sw.InService))
}

// takeBackNew has New as it was before the switch.
func (r *run) takeBackNew(ctx context.Context, sw *Switched) error {
	var out []held
	var weigh, disable, remove []Spec
	for _, m := range sw.New {
		now, ok := r.seen.present(m.Key)
		switch {
		case !ok:
		case m.Was == nil:
			remove = append(remove, now.Spec())
			if !r.isHeld(now) {
				out = append(out, hold(*now))
			}
		default:
			if m.Disabled && now.Phase != driver.Disabled && r.d.Disable.Exists() {
				disable = append(disable, now.Spec())
			}
			if now.Weight != *m.Was {
				weigh = append(weigh, Spec{Key: now.Key, Weight: m.Was})
			}
		}
	}
	if err := r.carryOut(ctx, r.split(driver.Disable, disable), 0); err != nil {
		return err
	}
	if err := r.carryOut(ctx, r.split(driver.SetWeight, weigh), 0); err != nil {
		return err
	}
	drain := removalDrain(r.d, time.Duration(sw.Drain))
	if len(out) > 0 && drain > 0 {
		if err := r.takeOut(ctx, out); err != nil {
			return err
		}
		if err := r.pause(ctx, Step{Do: Pause, Members: remove, For: Duration(drain)}); err != nil {
			return err
		}
	}
	return r.carryOut(ctx, r.split(driver.Remove, remove), 0)
}

// reportSwitch is what became of the members, by the stage that was reached.
func (r *run) reportSwitch(ctx context.Context, sw *Switched, err error) error {
	if len(r.ledger.blind) > 0 {
		_ = r.look(context.WithoutCancel(ctx), false) // if it fails the ledger says "unclear"
	}
	back := sw.Stage == StageReturning || sw.Stage == StageBack
	plan := &Plan{Partial: true}
	for _, m := range sw.New {
		line := Line{Action: ActionKeep, Key: m.Key, To: m.Weight}
		switch {
		case back && m.Was == nil:
			line.Action, line.To = ActionRemove, nil
		case back:
			line.Action, line.To = ActionReweight, m.Was
		case m.Was == nil:
			line.Action = ActionAdd
		}
		plan.Lines = append(plan.Lines, line)
	}
	for _, m := range sw.Old {
		line := Line{Action: ActionReweight, Key: m.Key, To: new(0)}
		switch {
		case back:
			line.To = m.Weight
		case sw.Stage == StageFinishing || sw.Stage == StageFinished:
			line.Action, line.To = ActionRemove, nil
		case r.d.Disable.Exists() || sw.Stage == StageAdding:
			line.Action, line.To = ActionKeep, nil
		}
		plan.Lines = append(plan.Lines, line)
	}
	for i := range plan.Lines {
		r.ledger.Entries[r.ledger.byKey[plan.Lines[i].Key]].Action = plan.Lines[i].Action
	}
	drift := r.ledger.close(plan, r.seen, err)
	if err == nil {
		err = drift
	}
	report, err := r.end(err)
	sw.Report = *report
	return err
}
